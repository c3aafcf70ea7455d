// SPDX-License-Identifier: MIT

/// What the packet filter is told, byte by byte; that the kernel understands it, too, is for tests/system/test_ports.cc.

#include "kernel/nftables.h"

#include "spec/address.h"

#include <cstring>
#include <doctest/doctest.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string>
#include <sys/socket.h>
#include <vector>

using namespace vial;

namespace {

std::string hex(std::span<const std::uint8_t> bytes)
{
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

/// Attributes as `type(...)`, those that hold others opened.
std::string attributes(std::span<const std::uint8_t> bytes)
{
    std::string text;
    NetlinkAttribute attribute;
    while (!bytes.empty()) {
        std::uint16_t type = 0;
        REQUIRE(bytes.size() >= 4);
        std::memcpy(&type, bytes.data() + 2, sizeof type);
        REQUIRE(take_attribute(bytes, attribute));
        text += std::to_string(attribute.type) + "(" +
                ((type & NLA_F_NESTED) != 0 ? attributes(attribute.value) : hex(attribute.value)) + ")";
    }
    return text;
}

std::vector<std::string> messages(std::string_view bytes)
{
    std::vector<std::string> texts;
    std::span<const std::uint8_t> rest(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    NetlinkReply message;
    while (take_message(rest, message)) {
        CHECK_EQ(message.sequence, 0);
        REQUIRE(message.payload.size() >= sizeof(nfgenmsg));
        texts.push_back(std::to_string(message.type) + " " + std::to_string(message.flags) + " " +
                        hex(message.payload.first(4)) + " " + attributes(message.payload.subspan(4)));
    }
    CHECK(rest.empty());
    return texts;
}

}  // namespace

TEST_CASE("a transaction begins and ends, and asks for one answer")
{
    Transaction transaction(AF_INET, "t");
    transaction.make_table();
    transaction.chain("c", "nat", 4, -100);
    transaction.rule("c");
    transaction.load_meta(NFT_META_OIF);
    transaction.compare(NFT_CMP_NEQ, 7U);
    transaction.masquerade();
    const auto all = messages(transaction.finish());
    REQUIRE_EQ(all.size(), 5);
    CHECK_EQ(all[0], "16 1 0000000a ");
    CHECK_EQ(all[1], "2560 1537 02000000 1(7400)");
    CHECK_EQ(all[2], "2563 1025 02000000 1(7400)3(6300)4(1(00000004)2(ffffff9c))7(6e617400)");
    CHECK_EQ(all[3], "2566 3077 02000000 1(7400)2(6300)4("
                     "1(1(6d65746100)2(1(00000001)2(00000005)))"
                     "1(1(636d7000)2(1(00000001)2(00000001)3(1(07000000))))"
                     "1(1(6d61737100)2()))");
    CHECK_EQ(all[4], "17 1 0000000a ");
}

TEST_CASE("expressions, and what becomes of a packet")
{
    const std::uint8_t address[] = {10, 9, 0, 2};
    Transaction transaction(AF_INET6, "t");
    transaction.chain("ports");
    transaction.rule("ports");
    transaction.load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
    transaction.load_kind_of_destination();
    transaction.load_tracked(NFT_CT_STATUS);
    transaction.has_any(32);
    transaction.redirect(address, 0x5000);
    transaction.rule("ports");
    transaction.verdict(NFT_JUMP, "ports");
    transaction.verdict(0);
    transaction.remove_table();
    const auto all = messages(transaction.finish());
    REQUIRE_EQ(all.size(), 6);
    CHECK_EQ(all[1], "2563 1025 0a000000 1(7400)3(706f72747300)");
    CHECK_EQ(all[2], "2566 3073 0a000000 1(7400)2(706f72747300)4("
                     "1(1(7061796c6f616400)2(1(00000001)2(00000002)3(00000002)4(00000002)))"
                     "1(1(66696200)2(1(00000001)2(00000003)3(00000002)))"
                     "1(1(637400)2(1(00000001)2(00000002)))"
                     "1(1(6269747769736500)2(1(00000001)2(00000001)3(00000004)4(1(20000000))5(1(00000000))))"
                     "1(1(636d7000)2(1(00000001)2(00000001)3(1(00000000))))"
                     "1(1(696d6d65646961746500)2(1(00000001)2(1(0a090002))))"
                     "1(1(696d6d65646961746500)2(1(00000002)2(1(0050))))"
                     "1(1(6e617400)2(1(00000001)2(0000000a)3(00000001)4(00000001)5(00000002)6(00000002))))");
    CHECK_EQ(all[3], "2566 3073 0a000000 1(7400)2(706f72747300)4("
                     "1(1(696d6d65646961746500)2(1(00000000)2(2(1(fffffffd)2(706f72747300)))))"
                     "1(1(696d6d65646961746500)2(1(00000000)2(2(1(00000000))))))");
    CHECK_EQ(all[4], "2562 5 0a000000 1(7400)");
}

TEST_CASE("ports are read and written")
{
    const auto shown = [](std::string_view text) {
        PortSpec port;
        return parse_port(text, port) ? std::string(port_text(port)) : std::string("wrong");
    };
    CHECK_EQ(shown("8080:80"), "8080:80/tcp");
    CHECK_EQ(shown("53:5353/udp"), "53:5353/udp");
    CHECK_EQ(shown("127.0.0.1:1:65535/tcp"), "127.0.0.1:1:65535/tcp");
    CHECK_EQ(shown("[fd00:0::1]:80:80"), "[fd00::1]:80:80/tcp");
    for (const char* wrong :
         {"", "80", ":80", "80:", "80:80/", "80:80/TCP", "+80:80", "[]:80:80", "[fd00::1:80:80", "fd00::1:80:80",
          "[10.0.0.1]:80:80", "10.0.0.1/24:80:80", "0:1", "1:65536", "80:80/tcp/udp"})
        CHECK_EQ(shown(wrong), "wrong");
    const auto both = [](std::string_view one, std::string_view other) {
        PortSpec first, second;
        CHECK(parse_port(one, first));
        CHECK(parse_port(other, second));
        CHECK_EQ(collide(first, second), collide(second, first));
        return collide(first, second);
    };
    CHECK(both("80:1", "80:2"));
    CHECK(both("80:1", "10.0.0.1:80:1"));
    CHECK(both("10.0.0.1:80:1", "10.0.0.1:80:1"));
    CHECK_FALSE(both("10.0.0.1:80:1", "10.0.0.2:80:1"));
    CHECK_FALSE(both("10.0.0.1:80:1", "[fd00::1]:80:1"));
    CHECK_FALSE(both("80:1", "80:1/udp"));
    CHECK_FALSE(both("80:1", "81:1"));
}
