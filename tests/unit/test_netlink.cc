// SPDX-License-Identifier: MIT
#include "base/result.h"
#include "kernel/netlink.h"
#include "kernel/network.h"

#include <cstring>
#include <doctest/doctest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string>
#include <vector>

using namespace vial;

namespace {

using Buffer = std::vector<std::uint8_t>;

template <typename T>
void append(Buffer& bytes, const T& value)
{
    const auto* const first = reinterpret_cast<const std::uint8_t*>(&value);
    bytes.insert(bytes.end(), first, first + sizeof value);
}

void append(Buffer& bytes, std::string_view text)
{
    bytes.insert(bytes.end(), text.begin(), text.end());
}

void pad(Buffer& bytes)
{
    while (bytes.size() % 4 != 0)
        bytes.push_back(0);
}

Buffer attribute(std::uint16_t type, std::string_view value)
{
    Buffer bytes;
    append(bytes, rtattr{static_cast<std::uint16_t>(sizeof(rtattr) + value.size()), type});
    append(bytes, value);
    pad(bytes);
    return bytes;
}

Buffer message(std::uint16_t type, std::uint16_t flags, const Buffer& payload)
{
    Buffer bytes;
    append(bytes, nlmsghdr{static_cast<std::uint32_t>(sizeof(nlmsghdr) + payload.size()), type, flags, 7, 0});
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return bytes;
}

std::string_view view(const Buffer& bytes)
{
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Takes one message that must be there.
NetlinkReply only(const Buffer& bytes)
{
    std::span<const std::uint8_t> rest(bytes);
    NetlinkReply reply;
    CHECK(take_message(rest, reply));
    return reply;
}

std::string text_of(const Error& error)
{
    char buffer[description_capacity];
    return std::string(describe(error, buffer, sizeof buffer));
}

constexpr std::uint16_t capped = 0x100, has_attributes = 0x200;

}  // namespace

TEST_CASE("netlink messages are taken one by one")
{
    Buffer bytes = message(20, 2, {1, 2, 3, 4});
    const Buffer second = message(21, 0, {});
    bytes.insert(bytes.end(), second.begin(), second.end());

    std::span<const std::uint8_t> rest(bytes);
    NetlinkReply reply;
    REQUIRE(take_message(rest, reply));
    CHECK_EQ(reply.type, 20);
    CHECK_EQ(reply.flags, 2);
    CHECK_EQ(reply.sequence, 7);
    CHECK_EQ(reply.payload.size(), 4);
    REQUIRE(take_message(rest, reply));
    CHECK_EQ(reply.type, 21);
    CHECK(reply.payload.empty());
    CHECK_FALSE(take_message(rest, reply));
    CHECK(rest.empty());
}

TEST_CASE("a netlink message whose length lies is not taken")
{
    Buffer bytes = message(20, 0, {1, 2, 3, 4});
    for (const std::uint32_t length : {0U, 1U, 15U, 21U, 0xffffffffU}) {
        std::memcpy(bytes.data(), &length, sizeof length);
        std::span<const std::uint8_t> rest(bytes);
        NetlinkReply reply;
        CHECK_FALSE(take_message(rest, reply));
        CHECK_EQ(rest.size(), bytes.size());
    }
    for (std::size_t size = 0; size < sizeof(nlmsghdr); size++) {
        std::span<const std::uint8_t> rest(bytes.data(), size);
        NetlinkReply reply;
        CHECK_FALSE(take_message(rest, reply));
    }
}

TEST_CASE("a last message without its padding ends the datagram")
{
    Buffer bytes = message(20, 0, {1});
    std::span<const std::uint8_t> rest(bytes);
    NetlinkReply reply;
    REQUIRE(take_message(rest, reply));
    CHECK_EQ(reply.payload.size(), 1);
    CHECK(rest.empty());
}

TEST_CASE("netlink attributes: values, flags in the type, lying lengths")
{
    Buffer bytes = attribute(3 | 0x8000, std::string_view("eth0\0", 5));
    const Buffer number = attribute(4, std::string_view("\1\0\0\0", 4));
    bytes.insert(bytes.end(), number.begin(), number.end());
    append(bytes, rtattr{9, 5});  // says one byte more than there is

    std::span<const std::uint8_t> rest(bytes);
    NetlinkAttribute taken;
    REQUIRE(take_attribute(rest, taken));
    CHECK_EQ(taken.type, 3);
    CHECK_EQ(taken.text(), "eth0");
    CHECK_EQ(taken.number(), 0);  // five bytes are no number
    REQUIRE(take_attribute(rest, taken));
    CHECK_EQ(taken.type, 4);
    std::uint32_t one = 0;
    std::memcpy(&one, "\1\0\0\0", 4);
    CHECK_EQ(taken.number(), one);
    CHECK_FALSE(take_attribute(rest, taken));

    const std::uint16_t too_short = 3;
    std::memcpy(bytes.data(), &too_short, sizeof too_short);
    rest = bytes;
    CHECK_FALSE(take_attribute(rest, taken));
}

TEST_CASE("a text attribute need not end in NUL")
{
    const Buffer bytes = attribute(1, "abcd");
    std::span<const std::uint8_t> rest(bytes);
    NetlinkAttribute taken;
    REQUIRE(take_attribute(rest, taken));
    CHECK_EQ(taken.text(), "abcd");
    CHECK_EQ(NetlinkAttribute{}.text(), "");
}

TEST_CASE("the kernel's verdict: success, errno, its own words")
{
    const nlmsghdr request{24, RTM_NEWADDR, 0, 7, 0};

    Buffer success;
    append(success, std::int32_t{0});
    append(success, request);
    CHECK_EQ(read_verdict(only(message(NLMSG_ERROR, capped, success))).number, 0);

    Buffer failure;
    append(failure, std::int32_t{-EINVAL});
    append(failure, request);
    CHECK_EQ(read_verdict(only(message(NLMSG_ERROR, capped, failure))).number, EINVAL);

    const Buffer words = attribute(1, std::string_view("Invalid gateway\0", 16));
    Buffer short_echo = failure;
    short_echo.insert(short_echo.end(), words.begin(), words.end());
    const Buffer first = message(NLMSG_ERROR, capped | has_attributes, short_echo);
    CHECK_EQ(read_verdict(only(first)).words, "Invalid gateway");

    Buffer whole_echo = failure;
    append(whole_echo, std::string_view("12345678"));  // the request was 24 bytes long
    whole_echo.insert(whole_echo.end(), words.begin(), words.end());
    const Buffer second = message(NLMSG_ERROR, has_attributes, whole_echo);
    CHECK_EQ(read_verdict(only(second)).words, "Invalid gateway");
}

TEST_CASE("a verdict that lies is a bad message, or has no words")
{
    CHECK_EQ(read_verdict(only(message(NLMSG_ERROR, 0, {}))).number, EBADMSG);
    CHECK_EQ(read_verdict(only(message(NLMSG_ERROR, 0, {1, 2}))).number, EBADMSG);
    CHECK_EQ(read_verdict(only(message(NLMSG_DONE, 0, {}))).number, 0);
    Buffer done_with_error;
    append(done_with_error, std::int32_t{-ENODEV});
    CHECK_EQ(read_verdict(only(message(NLMSG_DONE, 0, done_with_error))).number, ENODEV);

    for (const std::int32_t number : {1, 0x7fffffff, -4096, static_cast<std::int32_t>(0x80000000U)}) {
        Buffer bytes;
        append(bytes, number);
        CHECK_EQ(read_verdict(only(message(NLMSG_ERROR, 0, bytes))).number, EBADMSG);
    }

    Buffer lying;
    append(lying, std::int32_t{-EINVAL});
    append(lying, nlmsghdr{0xfffffffeU, 0, 0, 0, 0});
    const Buffer bytes = message(NLMSG_ERROR, has_attributes, lying);
    CHECK_EQ(read_verdict(only(bytes)).number, EINVAL);
    CHECK_EQ(read_verdict(only(bytes)).words, "");
}

TEST_CASE("a link is read with what vial needs of it, and a cut one is none")
{
    ifinfomsg header{};
    header.ifi_index = 5;
    Buffer payload;
    append(payload, header);
    const Buffer kind = attribute(IFLA_INFO_KIND, std::string_view("bridge\0", 7));
    for (const Buffer& part :
         {attribute(IFLA_IFNAME, std::string_view("br-lan\0", 7)),
          attribute(IFLA_ADDRESS, std::string_view("vial\1\2", 6)), attribute(IFLA_LINKINFO | 0x8000, view(kind))})
        payload.insert(payload.end(), part.begin(), part.end());

    Link link;
    const Buffer whole = message(RTM_NEWLINK, 0, payload);
    REQUIRE(read_link(only(whole), link));
    CHECK_EQ(link.index, 5);
    CHECK_EQ(std::string(link.name), "br-lan");
    CHECK_EQ(std::string(link.kind), "bridge");
    CHECK_EQ(std::string_view(link.mac, sizeof link.mac), std::string_view("vial\1\2", 6));
    CHECK_EQ(link.master, 0);

    const Buffer short_one = message(RTM_NEWLINK, 0, {1, 2, 3});
    CHECK_FALSE(read_link(only(short_one), link));
    const Buffer other = message(RTM_NEWADDR, 0, payload);
    CHECK_FALSE(read_link(only(other), link));
}

TEST_CASE("the kernel's refusal comes as an error that names the object")
{
    auto socket = NetlinkSocket::open();
    REQUIRE(socket.ok());
    NetlinkMessage request(RTM_GETLINK, 0, ifinfomsg{});
    request.put(IFLA_IFNAME, std::string_view("no-such-link"));
    const auto asked = socket.value().request(request, "find the interface", "no-such-link");
    REQUIRE_FALSE(asked.ok());
    CHECK_EQ(asked.number(), ENODEV);
    CHECK_EQ(text_of(asked.error()).find("cannot find the interface no-such-link"), 0);
}

TEST_CASE("a socket answers again after a refusal, and lo is found by a dump")
{
    auto socket = NetlinkSocket::open();
    REQUIRE(socket.ok());
    NetlinkMessage wrong(RTM_GETLINK, 0, ifinfomsg{});
    wrong.put(IFLA_IFNAME, std::string_view("no-such-link"));
    CHECK_FALSE(socket.value().request(wrong, "find", "it").ok());

    bool found = false;
    NetlinkMessage all(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
    const auto listed = socket.value().request(
        all,
        [](const NetlinkReply& reply, void* seen) {
            Link link;
            if (read_link(reply, link) && std::string_view(link.name) == "lo")
                *static_cast<bool*>(seen) = true;
        },
        &found, "list", "interfaces");
    // Somebody else may change the machine's interfaces meanwhile.
    CHECK((listed.ok() || listed.number() == EINTR));
    CHECK(found);
}

TEST_CASE("a request that is too long is refused, not cut")
{
    auto socket = NetlinkSocket::open();
    REQUIRE(socket.ok());
    NetlinkMessage request(RTM_GETLINK, 0, ifinfomsg{});
    const std::size_t nest = request.begin(IFLA_LINKINFO);
    for (int i = 0; i < 20; i++)
        request.put(IFLA_IFNAME, std::string_view("a text that is some thirty long"));
    request.end(nest);
    CHECK_EQ(socket.value().request(request, "ask", "much").number(), EMSGSIZE);
}
