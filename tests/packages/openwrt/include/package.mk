# SPDX-License-Identifier: MIT
#
# Stands for OpenWrt's package.mk: $(eval $(call BuildPackage,NAME)) makes a target NAME that does the package's steps.

PKG_BUILD_DIR = $(BUILD_DIR)/$(PKG_NAME)-$(PKG_VERSION)
PKG_INSTALL_DIR = $(PKG_BUILD_DIR)/ipkg-install
IPKG_DIR = $(WORK)/ipkg/$(PKG_NAME)

# A field of the package's description.
field = $(patsubst $(1):=%,%,$(filter $(1):=%,$(Package/$(PKG_NAME))))

define prepare
	mkdir -p $(DL_DIR) $(BUILD_DIR)
	cp $(patsubst file://%,%,$(PKG_SOURCE_URL))/$(PKG_SOURCE) $(DL_DIR)/
	echo "$(PKG_HASH)  $(DL_DIR)/$(PKG_SOURCE)" | sha256sum -c -
	tar -C $(BUILD_DIR) -xf $(DL_DIR)/$(PKG_SOURCE)
	$(foreach file,$(PKG_LICENSE_FILES),test -f $(PKG_BUILD_DIR)/$(file))
endef

# What a package has to say of itself.
define check-description
	test -n "$(call field,SECTION)"
	test -n "$(call field,CATEGORY)"
	test -n "$(findstring TITLE:=,$(Package/$(1)))"
endef

define BuildPackage
$(1):
	$$(call check-description,$(1))
	$$(prepare)
	$$(Build/Configure)
	$$(Build/Compile)
	$$(Build/Install)
	$$(call Package/$(1)/install,$$(IPKG_DIR))
	printf '%s\n' $$(Package/$(1)/conffiles) >$$(WORK)/conffiles
endef
