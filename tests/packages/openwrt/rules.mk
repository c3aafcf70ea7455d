# SPDX-License-Identifier: MIT
#
# Stands for OpenWrt's rules.mk: what each package's Makefile begins with. To be given: WORK, an empty directory.

include $(WORK)/.config

INCLUDE_DIR = $(TOPDIR)/include
BUILD_DIR = $(WORK)/build
DL_DIR = $(WORK)/dl
SOURCE = $(CURDIR)

TARGET_CXXFLAGS = -Os -pipe -fno-caller-saves -fno-plt -Wno-error=unused-but-set-variable \
	-Wno-error=unused-result -ffile-prefix-map=$(WORK)=vial -Wformat -Werror=format-security -fstack-protector \
	-D_FORTIFY_SOURCE=1 -Wl,-z,now -Wl,-z,relro
TARGET_LDFLAGS = -fuse-ld=bfd -znow -zrelro

CP = cp -fpR
LN = ln -sf
INSTALL_BIN = install -m0755
INSTALL_DIR = install -d -m0755
INSTALL_DATA = install -m0644
INSTALL_CONF = install -m0600
