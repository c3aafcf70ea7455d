# SPDX-License-Identifier: MIT
#
# The front door; meson does the work.
#
#   make            the program: build/vial
#   make demo       a container from start to stop, on this machine, disturbing nothing
#   make image      a device for QEMU: build/device/initramfs, with vial as its first process, and a kernel beside it
#   make boot       that device, on this terminal; its page at http://127.0.0.1:8080/, or another PORT=
#   make check      all tests (root runs them all)
#   make bench      how large and how fast it is, beside its peers
#   make install    DESTDIR= PREFIX=/usr/local
#   make dist       a release of the last commit, and packages of it for image builders: build/dist
#   make format     lays out the sources; check-format only says what it would change
#   make sanitize   the unit tests under ASan and UBSan
#   make tidy       clang-tidy
#   make check-vm   tests that need a kernel of their own; of another machine with ARCH=aarch64|armhf|mipsel
#   make check-pid1 whether each test of a PID 1 fails where that does something wrong; some minutes
#   make check-peers what tini and dumb-init are tested with themselves, which it fetches
#   make check-packages  whether that release builds, and those packages; some minutes
#   make cross      the program for another machine, ARCH=aarch64|armhf|mipsel|riscv64: build-ARCH/vial; all four without ARCH
#   make check-cross  the unit tests of such a program, emulated
#   make clean
#
# To choose the compiler (see config/build/configure):
#   CXX=COMPILER    one that makes static musl programs, instead of the toolchain built here
#   CROSS=FILE      a meson cross file, for another machine
#   OPTIONS=...     more options for meson: OPTIONS='-Dpie=true -Dwerror=true'

PREFIX = /usr/local
DESTDIR =
OPTIONS =
PORT = 8080
BUILD = build
SANITIZED = build-sanitize

packages = config/build/packages.sh
configure = config/build/configure
sources = find src tests \( -name '*.cc' -o -name '*.h' -o -name '*.c' \) -print0
# What an earlier run left must not be taken for the result of this one.
run_tests = rm -f $(1)/meson-logs/testlog.*; meson test -C $(1) --print-errorlogs --no-suite peers

machines = aarch64 armhf mipsel riscv64
chosen = $(or $(ARCH),$(machines))

.PHONY: all configured demo image boot bench install dist format clean cross sanitize sanitize-configured tidy \
        check check-cross check-format check-packages check-peers check-pid1 check-vm
.SILENT:
MAKEFLAGS += --no-print-directory

all: configured
	ninja -C $(BUILD) vial

configured:
	$(configure) $(BUILD) $(OPTIONS)

demo: all
	$(packages) demo
	images/demo.sh --vial $(BUILD)/vial

image: all
	$(packages) vm
	images/device.sh --vial $(BUILD)/vial $(BUILD)/device

boot: image
	images/boot.sh --port $(PORT) $(BUILD)/device

check: configured
	$(packages) check
	$(call run_tests,$(BUILD))

ifeq ($(ARCH),)
check-vm: all
	$(packages) vm
	tests/vm/run --vial $(BUILD)/vial
else
check-vm: cross-$(ARCH)
	$(packages) vm vm-$(ARCH) check-cross
	ninja -C build-$(ARCH) tests/unit
	tests/vm/run --arch $(ARCH)
endif

check-peers: configured
	$(packages) check peers
	meson test -C $(BUILD) --print-errorlogs --suite peers

check-pid1: configured
	$(packages) check
	ninja -C $(BUILD) pid1-tests
	VIAL=$(abspath $(BUILD)/vial) PAYLOADS=$(abspath $(BUILD)/tests) SOURCE=$(CURDIR) \
	    config/build/sandboxed.sh unshare --pid --fork --kill-child --mount-proc \
	    tests/system/pid1_can_fail.sh $(BUILD)/tests $(BUILD)/tests/payload-naive

check-packages:
	$(packages) build toolchain check-packages
	tests/packages/run

cross: $(addprefix cross-,$(chosen))

cross-%: configured-%
	ninja -C build-$* vial

check-cross: $(addprefix check-cross-,$(chosen))

check-cross-%:
	$(packages) check-cross
	$(MAKE) configured-$*
	$(call run_tests,build-$*) --suite unit

configured-%:
	$(configure) --for $* build-$* $(OPTIONS)

bench: all
	$(packages) bench
	tests/bench/run --vial $(BUILD)/vial --build $(BUILD)/bench

install: all
	meson configure $(BUILD) --prefix=$(abspath $(PREFIX))
	ninja -C $(BUILD) build.ninja >$(BUILD)/configure.log
	DESTDIR=$(abspath $(DESTDIR)) meson install -C $(BUILD) --no-rebuild --strip --quiet

dist:
	$(packages) dist
	config/build/dist.sh $(BUILD)/dist

format:
	$(sources) | xargs -0 clang-format-14 -i

check-format:
	$(sources) | xargs -0 clang-format-14 --dry-run -Werror

sanitize: sanitize-configured
	$(packages) check ci
	$(call run_tests,$(SANITIZED)) --suite unit

tidy: sanitize-configured
	config/build/tidy.sh $(SANITIZED)

sanitize-configured:
	$(configure) --sanitize $(SANITIZED) $(OPTIONS)

clean:
	rm -rf $(BUILD) $(SANITIZED) $(addprefix build-,$(machines))
