# SPDX-License-Identifier: MIT
SUMMARY = "Containers for small machines"
DESCRIPTION = "A launcher of containers, their PID 1, and a supervisor for the whole device, in one static program."
SECTION = "base"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=1507ab5b6fa59cc2ea65e9c5d5c14af1"

# Where `make dist` has put it.
SRC_URI = "file://${BP}.tar.xz"

inherit meson systemd update-rc.d update-alternatives

# Static, and with musl alone: TCLIBC = "musl".
COMPATIBLE_HOST:libc-glibc = "null"
COMPATIBLE_HOST:libc-newlib = "null"

EXTRA_OEMESON = "-Dtests=false -Dsystemd_unit_dir=${systemd_system_unitdir} -Dinits=${VIAL_INITS}"

# What each is stands in meson_options.txt. mips16: a few MIPS processors lack these instructions.
PACKAGECONFIG ??= "boot foreground images init launch logs mips16 network peers stats"
PACKAGECONFIG[boot] = "-Dboot=true,-Dboot=false"
PACKAGECONFIG[foreground] = "-Dforeground=true,-Dforeground=false"
PACKAGECONFIG[images] = "-Dimages=true,-Dimages=false"
PACKAGECONFIG[init] = "-Dinit=true,-Dinit=false"
PACKAGECONFIG[launch] = "-Dlaunch=true,-Dlaunch=false"
PACKAGECONFIG[logs] = "-Dlogs=true,-Dlogs=false"
PACKAGECONFIG[mips16] = "-Dmips16=true,-Dmips16=false"
PACKAGECONFIG[network] = "-Dnetwork=true,-Dnetwork=false"
PACKAGECONFIG[peers] = "-Dpeers=true,-Dpeers=false"
PACKAGECONFIG[pie] = "-Dpie=true,-Dpie=false"
PACKAGECONFIG[stats] = "-Dstats=true,-Dstats=false"

# What starts `vial boot`, where that is not left out.
VIAL_KNOWN_INITS = "${@bb.utils.contains('PACKAGECONFIG', 'boot', 'systemd sysvinit', '', d)}"
VIAL_INITS = "${@bb.utils.filter('DISTRO_FEATURES', d.getVar('VIAL_KNOWN_INITS'), d).replace(' ', ',')}"
SYSTEMD_SERVICE:${PN} = "${@bb.utils.contains('PACKAGECONFIG', 'boot', 'vial.service', '', d)}"
INITSCRIPT_PACKAGES = "${@bb.utils.contains('PACKAGECONFIG', 'boot', 'vial', '', d)}"
INITSCRIPT_NAME = "vial"

# What a kernel has built in is no package.
RRECOMMENDS:${PN} = "kernel-module-bridge kernel-module-loop kernel-module-overlay kernel-module-squashfs kernel-module-veth"

# ctl is a name that others may want, too.
do_install:append() {
    mv ${D}${bindir}/ctl ${D}${bindir}/vial-ctl
}
ALTERNATIVE:${PN} = "ctl"
ALTERNATIVE_LINK_NAME[ctl] = "${bindir}/ctl"
ALTERNATIVE_TARGET[ctl] = "${bindir}/vial-ctl"
