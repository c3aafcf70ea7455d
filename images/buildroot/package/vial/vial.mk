################################################################################
#
# vial
#
################################################################################

VIAL_VERSION = 0.1.0
VIAL_SOURCE = vial-$(VIAL_VERSION).tar.xz
# Where `make dist` has put it.
VIAL_SITE = $(BR2_EXTERNAL_VIAL_PATH)/package/vial
VIAL_SITE_METHOD = file
VIAL_LICENSE = MIT
VIAL_LICENSE_FILES = LICENSE

# The features that can be left out; each has an option of its name in Config.in.
VIAL_FEATURES = boot foreground images init launch logs mips16 network peers pie stats

# What starts `vial boot`. Scripts have names like S50vial under Buildroot's sysvinit, too.
ifeq ($(BR2_PACKAGE_VIAL_BOOT),y)
VIAL_INITS = $(if $(BR2_INIT_SYSTEMD),systemd)$(if $(BR2_INIT_BUSYBOX)$(BR2_INIT_SYSV),busybox)$(if $(BR2_INIT_OPENRC),openrc)
endif

# Buildroot's release type would be -O3.
VIAL_CONF_OPTS = \
	--buildtype=plain \
	-Dtests=false \
	-Dinits=$(VIAL_INITS) \
	-Dsystemd_unit_dir=/usr/lib/systemd/system \
	$(foreach feature,$(VIAL_FEATURES),\
		-D$(feature)=$(if $(BR2_PACKAGE_VIAL_$(call UPPERCASE,$(feature))),true,false))

define VIAL_LINUX_CONFIG_FIXUPS
	$(foreach option,NAMESPACES UTS_NS IPC_NS PID_NS NET_NS CGROUPS CGROUP_PIDS MEMCG CGROUP_SCHED CFS_BANDWIDTH \
		SECCOMP SECCOMP_FILTER BLK_DEV_LOOP SQUASHFS OVERLAY_FS VETH BRIDGE,\
		$(call KCONFIG_ENABLE_OPT,CONFIG_$(option))$(sep))
endef

$(eval $(meson-package))
