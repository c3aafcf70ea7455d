include $(sort $(wildcard $(BR2_EXTERNAL_VIAL_PATH)/package/*/*.mk))
