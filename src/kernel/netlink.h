// SPDX-License-Identifier: MIT
#pragma once

/// Asking the kernel about its network, and changing it: rtnetlink(7) without a library.
///
/// A `NetlinkMessage` is one request, built in place on the stack. A `NetlinkSocket` sends it and waits for the
/// kernel's verdict, which comes as a Result: errno, and in the kernel's own words what was wrong where it says so.
/// The kernel works a request off inside send(2), so waiting never blocks. What comes back is taken apart by
/// `take_message` and `take_attribute`, which believe no length before they have checked it.
/// What the requests mean is told in kernel/network.h and kernel/bridge.h; nothing here knows a veth.

#include "base/fd.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace vial {

/// One request. Attributes that do not fit are left out, and sending it then fails with EMSGSIZE.
class NetlinkMessage {
public:
    /// `type` and `flags` as in struct nlmsghdr (NLM_F_REQUEST and NLM_F_ACK are added), then the family's own
    /// header: struct ifinfomsg, ifaddrmsg, rtmsg.
    template <typename Header>
    NetlinkMessage(std::uint16_t type, unsigned flags, const Header& header)
        : NetlinkMessage(type, flags, &header, sizeof header)
    {
    }
    NetlinkMessage(std::uint16_t type, unsigned flags, const void* header, std::size_t size);

    void put(std::uint16_t attribute, std::span<const std::uint8_t> value);
    void put(std::uint16_t attribute, std::string_view text);  ///< with the NUL that the kernel expects
    void put(std::uint16_t attribute, std::uint32_t number);

    /// Begins an attribute that holds others, optionally after a header of its own (struct ifinfomsg in
    /// VETH_INFO_PEER); give the answer to `end`.
    std::size_t begin(std::uint16_t attribute, std::size_t header_size = 0);
    void end(std::size_t begun);

private:
    friend class NetlinkSocket;

    std::uint8_t* append(std::size_t size);

    static constexpr std::size_t capacity = 512;
    alignas(4) std::uint8_t bytes_[capacity];
    std::size_t used_ = 0;
    bool overflowed_ = false;
};

/// One message of an answer; `payload` is a view of the caller's buffer.
struct NetlinkReply {
    std::uint16_t type = 0;
    std::uint16_t flags = 0;
    std::uint32_t sequence = 0;
    std::span<const std::uint8_t> payload;
};

struct NetlinkAttribute {
    std::uint16_t type = 0;  ///< without the NLA_F_* bits
    std::span<const std::uint8_t> value;

    std::uint32_t number() const;   ///< 0 unless it has 4 bytes
    std::string_view text() const;  ///< up to its NUL
};

/// Takes the next message off the front of `rest`. False at the end, and where what is left is no message.
bool take_message(std::span<const std::uint8_t>& rest, NetlinkReply& reply);
/// The same for the attributes of a payload, whose own header the caller has skipped.
bool take_attribute(std::span<const std::uint8_t>& rest, NetlinkAttribute& attribute);

/// What a reply of type NLMSG_ERROR or NLMSG_DONE says.
struct NetlinkVerdict {
    int number = 0;          ///< errno; 0: it worked
    std::string_view words;  ///< the kernel's own reason (Linux 4.12), often empty
};
NetlinkVerdict read_verdict(const NetlinkReply& reply);

/// A connection to the network namespace that the process is in when it is opened; it stays with that one.
class NetlinkSocket {
public:
    /// `protocol`: NETLINK_ROUTE, or NETLINK_NETFILTER.
    static Result<NetlinkSocket> open(int protocol = 0);
    /// The same for another namespace (a descriptor of /proc/PID/ns/net): the process goes there and comes back.
    static Result<NetlinkSocket> open_in(int network);

    /// Called for each message of an answer.
    using Visitor = void (*)(const NetlinkReply& reply, void* context);

    /// Sends the request and waits until it is done. `step` and `object` say what it is for ("add the address",
    /// "10.0.3.2"); the kernel's own reason goes behind the object, in brackets.
    Result<void> request(NetlinkMessage& message, Phrase step, std::string_view object);
    /// The same for a request that is answered with data. A dump (NLM_F_DUMP) that was disturbed by a change is
    /// EINTR: what was seen may be incomplete.
    Result<void> request(NetlinkMessage& message, Visitor visitor, void* context, Phrase step, std::string_view object);

    /// Sends several messages at once, numbered 0, of which the last that does something asks for an answer: so the first verdict
    /// that comes is that on all of them. What netfilter's transactions want.
    Result<void> request_all(std::string_view messages, Phrase step, std::string_view object);

    int descriptor() const { return socket_.get(); }

private:
    Result<void> exchange(const void* messages, std::size_t size, std::uint32_t sequence, Visitor visitor,
                          void* context, Phrase step, std::string_view object);

    explicit NetlinkSocket(Fd socket) : socket_(std::move(socket)) {}

    Fd socket_;
    std::uint32_t sequence_ = 0;
};

}  // namespace vial
