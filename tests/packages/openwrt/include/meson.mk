# SPDX-License-Identifier: MIT
#
# Stands for OpenWrt's meson.mk.

MESON_BUILD_DIR = $(PKG_BUILD_DIR)/openwrt-build
MESON_ARGS =

empty =
space = $(empty) $(empty)
comma = ,
words-of = $(subst $(space),$(comma),$(foreach word,$(1),'$(word)'))

define cross-file
[binaries]
cpp = 'foreign-g++'
ar = 'foreign-ar'
strip = 'foreign-strip'

[built-in options]
cpp_args = [$(call words-of,$(TARGET_CXXFLAGS))]
cpp_link_args = [$(call words-of,$(TARGET_LDFLAGS))]
prefix = '/usr'

[properties]
needs_exe_wrapper = true

[host_machine]
system = 'linux'
cpu_family = '$(shell uname -m)'
cpu = 'generic'
endian = 'little'
endef

define Build/Configure
	$(file >$(WORK)/openwrt-cross.txt,$(cross-file))
	meson setup --buildtype plain --cross-file $(WORK)/openwrt-cross.txt -Ddefault_library=both \
		$(MESON_ARGS) $(MESON_BUILD_DIR) $(PKG_BUILD_DIR)
endef

define Build/Compile
	ninja -C $(MESON_BUILD_DIR)
endef

define Build/Install
	DESTDIR=$(PKG_INSTALL_DIR) ninja -C $(MESON_BUILD_DIR) install
endef
