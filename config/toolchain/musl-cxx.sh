#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A static musl C++ toolchain out of plain Debian packages: prints the directory that holds it, after
# building it where it isn't there yet.
#
#   musl-cxx.sh [ARCH]     ARCH: x86_64 (default: this machine's) aarch64 armhf mipsel riscv64
#
# Debian has musl, but no C++ library for it. Its g++-12 can compile for musl all the same, given other
# headers and start files (a specs file), so the only thing to build is libstdc++, from Debian's
# gcc-12-source, without exceptions: about 35 s once, 18 MB. A glibc-built libstdc++ with musl links, but
# crashes as soon as a locale is touched. For another machine musl itself is built as well, from Debian's
# source package (riscv64 has no other in Debian 12), which is fetched once for all of them.
#
# Found in the directory afterwards: bin/TRIPLET-{gcc,g++,ar,strip,...} and cross.ini for meson's --cross-file.
# For another machine that names QEMU's emulator, to run tests by, which need not be there.
#
# The toolchain goes to ${XDG_CACHE_HOME:-~/.cache}/vial/, under a name that changes with this script and with
# the compiler. It is built beside its final place and renamed there when it is complete, under a lock:
# whoever finds the directory finds all of it. MUSL_DEV may name a musl-dev of ARCH to be used instead of building
# musl: the .deb, or a directory it was unpacked to.
set -eu

say() { echo "musl-cxx: $*" >&2; }
die() { say "$*"; exit 1; }

# What the caller has in mind for its own program is not for the library.
unset CC CXX CFLAGS CXXFLAGS CPPFLAGS LDFLAGS CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH LIBRARY_PATH
unset MAKEFLAGS MAKELEVEL MAKEOVERRIDES MFLAGS

machine=$(uname -m)
arch=${1:-$machine}
case $arch in
    x86_64)  gnu=x86_64-linux-gnu    musl=x86_64-linux-musl   family=x86_64 ;;
    aarch64) gnu=aarch64-linux-gnu   musl=aarch64-linux-musl  family=aarch64 ;;
    armhf)   gnu=arm-linux-gnueabihf musl=arm-linux-musleabihf family=arm ;;
    mipsel)  gnu=mipsel-linux-gnu    musl=mipsel-linux-musl   family=mips ;;
    riscv64) gnu=riscv64-linux-gnu   musl=riscv64-linux-musl  family=riscv64 ;;
    *)       die "no recipe for $arch; give make CXX or CROSS, naming a musl C++ toolchain for it" ;;
esac

command -v "$gnu-g++-12" >/dev/null || die "needs $gnu-g++-12"
key=$({ cat "$0"; "$gnu-g++-12" -dumpfullversion; } | sha256sum | cut -c 1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vial
final=$cache/toolchain-$arch-$key
if [ -d "$final" ]; then
    echo "$final"
    exit
fi

case $final in
    *[!A-Za-z0-9/._+-]*) die "a compiler's specs file cannot hold the path $final; set XDG_CACHE_HOME" ;;
esac
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ -d "$final" ]; then # somebody else built it while this one waited
    echo "$final"
    exit
fi
set -- /usr/src/gcc-12/gcc-12.*.tar.xz
[ -f "$1" ] || die "needs Debian's gcc-12-source"
source_archive=$1

say "building musl's C++ library for $arch, once (about half a minute)"
rm -rf "$cache/making-"* # the lock is ours: what lies here was interrupted
root=$cache/making-$arch
log=$cache/making-$arch.log
mkdir -p "$root/bin" "$root/kernel" "$root/source" "$root/work"
trap 'rm -rf "$root"' EXIT
trap 'exit 1' INT TERM HUP

# $1: what is built, the rest: the function that does it, whose words are kept out of sight unless it fails.
attempt() {
    what=$1
    shift
    set +e # `if ("$@")` would switch -e off inside as well
    (set -e; "$@") >"$log" 2>&1 </dev/null 9>&-
    status=$?
    set -e
    [ $status = 0 ] || die "$what failed; its last words, out of $log:
$(tail -n 12 "$log")"
    rm "$log"
}

# Debian's source package, by the sources that apt has, but with lists of its own: nothing is changed for the system's apt.
fetch_musl() {
    mkdir -p "$root/apt/lists/partial" "$root/apt/cache/archives/partial" "$root/apt/source"
    # shellcheck disable=SC2016 # for apt-get to fill in
    apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' 'Origin: Debian' 'Component: main' | sort -u >"$root/apt/sources.list"
    set -- -qq -o "Dir::State::lists=$root/apt/lists" -o "Dir::Cache=$root/apt/cache" \
        -o "Dir::Etc::sourcelist=$root/apt/sources.list" -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=
    apt-get "$@" update || : # one list of several may be missing; if it was the one, nothing is found
    cd "$root/apt/source"
    apt-get "$@" source --download-only musl
    mkdir -p "$cache/source"
    mv musl_*.orig.tar.gz "$cache/source/" # Debian 12 changes nothing in it
    rm -rf "$root/apt"
}

build_musl() {
    tar -xzf "$1" -C "$root/source" --strip-components=1
    cd "$root/work"
    "$root/source/configure" --target="$musl" --disable-shared --disable-wrapper --prefix="$libc" \
        --includedir="$libc/include/$musl" --libdir="$libc/lib/$musl" \
        CC="$gnu-gcc-12" CROSS_COMPILE="$gnu-" CFLAGS="-ffunction-sections -fdata-sections"
    make -j"$(nproc)"
    make install
    rm -rf "$root/source" "$root/work"
    mkdir "$root/source" "$root/work"
}

# musl itself: this machine's is installed
libc=$root/musl/usr
if [ -d "${MUSL_DEV:-}" ]; then
    cp -r "$MUSL_DEV/." "$root/musl"
elif [ -n "${MUSL_DEV:-}" ]; then
    dpkg-deb -x "$MUSL_DEV" "$root/musl"
elif [ "$arch" = "$machine" ]; then
    libc=/usr
else
    musl_source() { find "$cache/source" -name 'musl_*.orig.tar.gz' 2>/dev/null | sort -V | tail -n 1; }
    [ -n "$(musl_source)" ] || attempt "fetching Debian's source of musl" fetch_musl
    attempt "building musl for $arch" build_musl "$(musl_source)"
fi
libc_headers=$libc/include/$musl
libc_libraries=$libc/lib/$musl
[ -f "$libc_libraries/libc.a" ] || die "needs musl-dev of $arch: there is no $libc_libraries/libc.a"

# The kernel's own headers and nothing beside them, so that no header of glibc can be found.
kernel=/usr/$gnu/include
asm=$kernel/asm
if [ "$arch" = "$machine" ]; then
    kernel=/usr/include
    asm=/usr/include/$gnu/asm
fi
for directory in "$kernel/linux" "$kernel/asm-generic" "$kernel/mtd" "$asm"; do
    [ -d "$directory" ] || die "needs the kernel's headers: there is no $directory"
    ln -s "$directory" "$root/kernel/"
done

# -idirafter, not -isystem: libstdc++'s headers reach the C ones with #include_next. libgcc and libc lean on
# each other on ARM, hence the group.
headers="-nostdinc -idirafter $libc_headers -idirafter include%s -idirafter $root/kernel"
cat > "$root/musl.specs" <<END
%rename cpp_options old_cpp_options
*cpp_options:
$headers %(old_cpp_options)

*cc1:
%(cc1_cpu) $headers

*link_libgcc:
-L$root/lib -L$libc_libraries -L .%s

*libgcc:
libgcc.a%s

*link_gcc_c_sequence:
--start-group %G %L --end-group

*startfile:
%{static-pie:$libc_libraries/rcrt1.o;:$libc_libraries/crt1.o} $libc_libraries/crti.o %{static-pie:crtbeginS.o%s;:crtbeginT.o%s}

*endfile:
%{static-pie:crtendS.o%s;:crtend.o%s} $libc_libraries/crtn.o

*link:
%{static-pie:-static -pie --no-dynamic-linker -z text;:-static} -nostdlib --eh-frame-hdr --build-id=none -z noexecstack -z relro

END

# $1: the compiler, the rest: what to put in front of its arguments. This toolchain only links statically.
wrap() {
    name=$1
    shift
    cat > "$root/bin/$musl-$name" <<END
#!/bin/sh
case " \$* " in
    *" -static-pie "*) ;;
    *) set -- -static "\$@" ;;
esac
exec $gnu-$name-12 -specs=$root/musl.specs $* "\$@"
END
    chmod +x "$root/bin/$musl-$name"
}
wrap gcc
wrap g++ -nostdinc++ -isystem "$root/include/c++" -isystem "$root/include/c++/$musl"
for tool in ar nm ranlib strip objcopy size; do
    ln -s "$(command -v "$gnu-$tool")" "$root/bin/$musl-$tool"
done

wrapper="needs_exe_wrapper = false"
emulator=
if [ "$arch" != "$machine" ]; then
    emulator="exe_wrapper = 'qemu-${gnu%%-*}-static'"
    wrapper="needs_exe_wrapper = true
emulator = 'qemu-${gnu%%-*}-static'"
fi
cat > "$root/cross.ini" <<END
[binaries]
c = '$root/bin/$musl-gcc'
cpp = '$root/bin/$musl-g++'
ar = '$root/bin/$musl-ar'
strip = '$root/bin/$musl-strip'
$emulator

[properties]
$wrapper

[host_machine]
system = 'linux'
cpu_family = '$family'
cpu = '$arch'
endian = 'little'
END

build_library() {
    tar -xJf "$source_archive" -C "$root/source" --strip-components=1 --wildcards --no-wildcards-match-slash \
        'gcc-*/libstdc++-v3' 'gcc-*/libgcc' 'gcc-*/include' 'gcc-*/libiberty' 'gcc-*/config' 'gcc-*/gcc/BASE-VER' \
        'gcc-*/gcc/DATESTAMP' 'gcc-*/gcc/DEV-PHASE' 'gcc-*/config[.-]*' 'gcc-*/install-sh' 'gcc-*/missing' \
        'gcc-*/mkinstalldirs' 'gcc-*/lt*' 'gcc-*/libtool.m4' 'gcc-*/depcomp'
    # GCC's own build makes this link; without it configure silently decides for a C++ without threads.
    ln -s gthr-posix.h "$root/source/libgcc/gthr-default.h"

    cd "$root/work"
    PATH=$root/bin:$PATH
    optimise="-Os -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables"
    # The dual ABI stays on: without it there are only GCC 4's reference-counted strings.
    "$root/source/libstdc++-v3/configure" --build="$machine-linux-gnu" --host="$musl" \
        --prefix="$root" --libdir="$root/lib" --with-gxx-include-dir="$root/include/c++" \
        --disable-multilib --disable-nls --disable-shared --disable-libstdcxx-pch --disable-libstdcxx-verbose \
        CFLAGS="$optimise" CXXFLAGS="$optimise -fno-exceptions"
    make -j"$(nproc)"
    make install
}
attempt "building libstdc++" build_library
rm -rf "$root/source" "$root/work" "$root/share" "$root"/lib/*.la

# Only now do the files name the place where they will be found.
sed -i "s|$root|$final|g" "$root/musl.specs" "$root/cross.ini" "$root/bin/$musl-gcc" "$root/bin/$musl-g++"
mv "$root" "$final"
echo "$final"
