# SPDX-License-Identifier: MIT
#
# Stands for Buildroot's infrastructure of meson packages: $(eval $(meson-package)) makes a target of the package's
# name that does its steps. To be given: O (an empty directory), DOT_CONFIG and BR2_EXTERNAL_VIAL_PATH.

include $(DOT_CONFIG)

TARGET_DIR = $(O)/target
DL_DIR = $(O)/dl
INSTALL = install
TARGET_CXXFLAGS = -D_LARGEFILE_SOURCE -D_LARGEFILE64_SOURCE -D_FILE_OFFSET_BITS=64 -Os -g0 -D_FORTIFY_SOURCE=1
TARGET_LDFLAGS = -Wl,-z,now -Wl,-z,relro

# What ends a line of a recipe, and what sets an option of the kernel's.
define sep


endef
KCONFIG_ENABLE_OPT = echo $(1)=y >>$(O)/linux.config

empty =
space = $(empty) $(empty)
comma = ,
UPPERCASE = $(shell echo '$(1)' | tr a-z- A-Z_)
words-of = $(subst $(space),$(comma),$(foreach word,$(1),'$(word)'))
pkgname = $(lastword $(subst /, ,$(dir $(lastword $(MAKEFILE_LIST)))))

define cross-file
[binaries]
cpp = 'foreign-g++'
ar = 'foreign-ar'
strip = 'foreign-strip'

[built-in options]
cpp_args = [$(call words-of,$(TARGET_CXXFLAGS))]
cpp_link_args = [$(call words-of,$(TARGET_LDFLAGS))]
wrap_mode = 'nodownload'

[properties]
needs_exe_wrapper = true

[host_machine]
system = 'linux'
cpu_family = '$(shell uname -m)'
cpu = '$(shell uname -m)'
endian = 'little'
endef

# $(1): a directory, $(2): a file in it, which has to be in the package's .hash and as that says.
define check-hash
	cd $(1) && awk '$$3 == "$(2)" { print $$2 "  " $$3 }' $($(PKG)_PKGDIR)/*.hash | sha256sum -c -
endef

define build-steps
	mkdir -p $(DL_DIR) $(@D)
	cp $($(PKG)_SITE)/$($(PKG)_SOURCE) $(DL_DIR)/
	$(call check-hash,$(DL_DIR),$($(PKG)_SOURCE))
	tar -C $(@D) --strip-components=1 -xf $(DL_DIR)/$($(PKG)_SOURCE)
	$(foreach file,$($(PKG)_LICENSE_FILES),$(call check-hash,$(@D),$(file)))
	mkdir $(@D)/build
	$(file >$(O)/cross-compilation.conf,$(cross-file))
	meson setup --prefix=/usr --libdir=lib --default-library=shared --buildtype=release \
		--cross-file=$(O)/cross-compilation.conf -Db_pie=false -Dstrip=false \
		$($(PKG)_CONF_OPTS) $(@D) $(@D)/build
	ninja -C $(@D)/build
	touch $@
endef

define install-steps
	mkdir -p $(TARGET_DIR)
	$($(PKG)_LINUX_CONFIG_FIXUPS)
	DESTDIR=$(TARGET_DIR) ninja -C $(@D)/build install
	$(if $(BR2_INIT_SYSTEMD),$($(PKG)_INSTALL_INIT_SYSTEMD))
	$(if $(BR2_INIT_SYSV)$(BR2_INIT_BUSYBOX),$($(PKG)_INSTALL_INIT_SYSV))
	$(if $(BR2_INIT_OPENRC),$(or $($(PKG)_INSTALL_INIT_OPENRC),$($(PKG)_INSTALL_INIT_SYSV)))
endef

define meson-package
$(call UPPERCASE,$(pkgname))_PKGDIR := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
$(O)/build/$(pkgname)/%: PKG = $(call UPPERCASE,$(pkgname))
$(O)/build/$(pkgname)/.stamp_built:
	$$(build-steps)
.PHONY: $(O)/build/$(pkgname)/.stamp_target_installed
$(O)/build/$(pkgname)/.stamp_target_installed: $(O)/build/$(pkgname)/.stamp_built
	$$(install-steps)
$(pkgname): $(O)/build/$(pkgname)/.stamp_target_installed
endef

include $(BR2_EXTERNAL_VIAL_PATH)/external.mk
