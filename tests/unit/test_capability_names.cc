// SPDX-License-Identifier: MIT
#include "spec/capability_names.h"

#include <doctest/doctest.h>
#include <linux/capability.h>
#include <string>

using namespace vial;

TEST_CASE("capabilities by name")
{
    CHECK(parse_capability("NET_ADMIN") == CAP_NET_ADMIN);
    CHECK(parse_capability("CAP_NET_ADMIN") == CAP_NET_ADMIN);
    CHECK(parse_capability("cap_net_admin") == CAP_NET_ADMIN);
    CHECK(parse_capability("Sys_Admin") == CAP_SYS_ADMIN);
    CHECK(parse_capability("CHOWN") == CAP_CHOWN);
    CHECK(parse_capability("SETFCAP") == CAP_SETFCAP);
    CHECK(parse_capability("SYSLOG") == CAP_SYSLOG);
    CHECK(parse_capability("CHECKPOINT_RESTORE") == 40U);
    for (const char* wrong :
         {"", "CAP_", "CAP_CAP_CHOWN", "CHOW", "CHOWNX", "CHOWN ", " CHOWN", "CHOWN DAC_OVERRIDE", "12"})
        CHECK_MESSAGE(!parse_capability(wrong), wrong);
}

TEST_CASE("every bit has a name that means it")
{
    for (unsigned bit = 0; bit < capability_count; ++bit) {
        const std::string name(capability_name(bit));
        CHECK(!name.empty());
        CHECK(parse_capability(name) == bit);
    }
    CHECK(capability_name(capability_count).empty());
    CHECK(capability_name(1000).empty());
    CHECK(all_capabilities == 0x1ffffffffff);
}
