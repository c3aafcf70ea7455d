// SPDX-License-Identifier: MIT
#include "kernel/netlink.h"

#include "base/os.h"

#include <cstring>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>

namespace vial {

namespace {

// Older headers lack these; the values are the kernel's promise (Linux 4.12).
constexpr int option_extended_ack = 11;                // NETLINK_EXT_ACK
constexpr std::uint16_t flag_capped = 0x100;           // NLM_F_CAPPED
constexpr std::uint16_t flag_has_attributes = 0x200;   // NLM_F_ACK_TLVS
constexpr std::uint16_t attribute_words = 1;           // NLMSGERR_ATTR_MSG
constexpr std::uint16_t attribute_type_mask = 0x3fff;  // NLA_TYPE_MASK

/// The kernel sends a dump in pieces of a page, or of 8 KiB where pages are larger.
constexpr std::size_t answer_capacity = 8192;

/// Every length in netlink is padded to 4 bytes.
constexpr std::size_t aligned(std::size_t size)
{
    return (size + 3) & ~std::size_t{3};
}

std::span<const std::uint8_t> skip(std::span<const std::uint8_t> bytes, std::size_t count)
{
    return bytes.subspan(count < bytes.size() ? count : bytes.size());
}

/// `object (the kernel's words)`: an Error's reason is a literal, and these words are not.
Error failure(const NetlinkVerdict& verdict, Phrase step, std::string_view object)
{
    char text[Error::object_capacity];
    std::size_t used = 0;
    auto put = [&](std::string_view part) {
        const std::size_t room = sizeof text - used;
        const std::size_t count = part.size() < room ? part.size() : room;
        if (count > 0)
            std::memcpy(text + used, part.data(), count);
        used += count;
    };
    put(object);
    if (!verdict.words.empty()) {
        put(" (");
        put(verdict.words);
        put(")");
    }
    return Error(verdict.number, step, {text, used});
}

}  // namespace

NetlinkMessage::NetlinkMessage(std::uint16_t type, unsigned flags, const void* header, std::size_t size)
{
    const nlmsghdr head{0, type, static_cast<std::uint16_t>(flags | NLM_F_REQUEST | NLM_F_ACK), 0, 0};
    std::memcpy(append(sizeof head), &head, sizeof head);
    std::memcpy(append(size), header, size);
}

/// Room for `size` bytes and their padding, all zero; null when there is none left.
std::uint8_t* NetlinkMessage::append(std::size_t size)
{
    const std::size_t padded = aligned(size);
    if (padded > capacity - used_) {
        overflowed_ = true;
        return nullptr;
    }
    std::uint8_t* const start = bytes_ + used_;
    std::memset(start, 0, padded);
    used_ += padded;
    return start;
}

void NetlinkMessage::put(std::uint16_t attribute, std::span<const std::uint8_t> value)
{
    const rtattr head{static_cast<std::uint16_t>(sizeof head + value.size()), attribute};
    if (std::uint8_t* const start = append(sizeof head + value.size())) {
        std::memcpy(start, &head, sizeof head);
        if (!value.empty())
            std::memcpy(start + sizeof head, value.data(), value.size());
    }
}

void NetlinkMessage::put(std::uint16_t attribute, std::string_view text)
{
    const rtattr head{static_cast<std::uint16_t>(sizeof head + text.size() + 1), attribute};
    if (std::uint8_t* const start = append(sizeof head + text.size() + 1)) {
        std::memcpy(start, &head, sizeof head);
        if (!text.empty())
            std::memcpy(start + sizeof head, text.data(), text.size());
    }
}

void NetlinkMessage::put(std::uint16_t attribute, std::uint32_t number)
{
    put(attribute, {reinterpret_cast<const std::uint8_t*>(&number), sizeof number});
}

std::size_t NetlinkMessage::begin(std::uint16_t attribute, std::size_t header_size)
{
    const std::size_t begun = used_;
    const rtattr head{0, attribute};
    if (std::uint8_t* const start = append(sizeof head + header_size))
        std::memcpy(start, &head, sizeof head);
    return begun;
}

void NetlinkMessage::end(std::size_t begun)
{
    if (overflowed_)
        return;
    const auto size = static_cast<std::uint16_t>(used_ - begun);
    std::memcpy(bytes_ + begun, &size, sizeof size);  // rta_len is the first field
}

std::uint32_t NetlinkAttribute::number() const
{
    std::uint32_t result = 0;
    if (value.size() == sizeof result)
        std::memcpy(&result, value.data(), sizeof result);
    return result;
}

std::string_view NetlinkAttribute::text() const
{
    const auto* const letters = reinterpret_cast<const char*>(value.data());
    return {letters, value.empty() ? 0 : strnlen(letters, value.size())};
}

bool take_message(std::span<const std::uint8_t>& rest, NetlinkReply& reply)
{
    nlmsghdr head;
    if (rest.size() < sizeof head)
        return false;
    std::memcpy(&head, rest.data(), sizeof head);
    if (head.nlmsg_len < sizeof head || head.nlmsg_len > rest.size())
        return false;
    reply = {head.nlmsg_type, head.nlmsg_flags, head.nlmsg_seq,
             rest.subspan(sizeof head, head.nlmsg_len - sizeof head)};
    rest = skip(rest, aligned(head.nlmsg_len));
    return true;
}

bool take_attribute(std::span<const std::uint8_t>& rest, NetlinkAttribute& attribute)
{
    rtattr head;
    if (rest.size() < sizeof head)
        return false;
    std::memcpy(&head, rest.data(), sizeof head);
    if (head.rta_len < sizeof head || head.rta_len > rest.size())
        return false;
    attribute = {static_cast<std::uint16_t>(head.rta_type & attribute_type_mask),
                 rest.subspan(sizeof head, head.rta_len - sizeof head)};
    rest = skip(rest, aligned(head.rta_len));
    return true;
}

NetlinkVerdict read_verdict(const NetlinkReply& reply)
{
    NetlinkVerdict verdict;
    std::int32_t number = 0;
    if (reply.payload.size() < sizeof number) {
        // Before 4.20 a dump may end in a bare NLMSG_DONE; an error without its number is no answer at all.
        if (reply.type != NLMSG_DONE)
            verdict.number = EBADMSG;
        return verdict;
    }
    std::memcpy(&number, reply.payload.data(), sizeof number);
    if (number < 0 && number > -4096)
        verdict.number = -number;
    else if (number != 0 && reply.type == NLMSG_ERROR)
        verdict.number = EBADMSG;
    if ((reply.flags & flag_has_attributes) == 0)
        return verdict;

    // The attributes stand behind the echoed request, or behind its header alone where the rest was left out.
    auto rest = skip(reply.payload, sizeof number);
    if (reply.type == NLMSG_ERROR) {
        nlmsghdr echoed;
        if (rest.size() < sizeof echoed)
            return verdict;
        std::memcpy(&echoed, rest.data(), sizeof echoed);
        rest = skip(rest, (reply.flags & flag_capped) != 0 ? sizeof echoed : aligned(echoed.nlmsg_len));
    }
    NetlinkAttribute attribute;
    while (take_attribute(rest, attribute)) {
        if (attribute.type == attribute_words)
            verdict.words = attribute.text();
    }
    return verdict;
}

Result<NetlinkSocket> NetlinkSocket::open(int protocol)
{
    static_assert(NETLINK_ROUTE == 0);
    Opened socket = os::socket(AF_NETLINK, SOCK_RAW, protocol);
    if (socket.number() == EPROTONOSUPPORT || socket.number() == EAFNOSUPPORT)
        return socket.error().because(protocol == NETLINK_ROUTE ? "this kernel has no rtnetlink (CONFIG_NET)"_p
                                                                : "this kernel has no nf_tables (CONFIG_NF_TABLES)"_p);
    NetlinkSocket opened(TRY(std::move(socket)));

    // A socket that is connected to the kernel is never handed another process's message.
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    TRY(os::connect(opened.descriptor(), reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel, "netlink"));

    // Before 4.12 errors come without words: not worth failing for.
    const int on = 1;
    setsockopt(opened.descriptor(), SOL_NETLINK, option_extended_ack, &on, sizeof on);
    return opened;
}

Result<NetlinkSocket> NetlinkSocket::open_in(int network)
{
    const Fd here = TRY(os::open("/proc/self/ns/net", O_RDONLY));
    TRY(os::setns(network, CLONE_NEWNET));
    auto opened = open();
    TRY(os::setns(here.get(), CLONE_NEWNET).as("come back from"_p, "the container's network namespace"));
    return opened;
}

Result<void> NetlinkSocket::request(NetlinkMessage& message, Phrase step, std::string_view object)
{
    return request(
        message, [](const NetlinkReply&, void*) {}, nullptr, step, object);
}

Result<void> NetlinkSocket::request(NetlinkMessage& message, Visitor visitor, void* context, Phrase step,
                                    std::string_view object)
{
    if (message.overflowed_)
        return Error(EMSGSIZE, step, object);
    const std::uint32_t sequence = ++sequence_;
    const auto size = static_cast<std::uint32_t>(message.used_);
    std::memcpy(message.bytes_ + offsetof(nlmsghdr, nlmsg_len), &size, sizeof size);
    std::memcpy(message.bytes_ + offsetof(nlmsghdr, nlmsg_seq), &sequence, sizeof sequence);
    return exchange(message.bytes_, message.used_, sequence, visitor, context, step, object);
}

Result<void> NetlinkSocket::request_all(std::string_view messages, Phrase step, std::string_view object)
{
    return exchange(
        messages.data(), messages.size(), 0, [](const NetlinkReply&, void*) {}, nullptr, step, object);
}

Result<void> NetlinkSocket::exchange(const void* messages, std::size_t size, std::uint32_t sequence, Visitor visitor,
                                     void* context, Phrase step, std::string_view object)
{
    TRY(os::send(socket_.get(), messages, size).as(step, object));

    alignas(4) std::uint8_t answer[answer_capacity];
    bool disturbed = false;
    for (;;) {
        // With MSG_TRUNC the size is that of the whole message, also where it did not fit.
        const std::size_t received =
            TRY(os::receive(socket_.get(), answer, sizeof answer, nullptr, MSG_TRUNC).as(step, object));
        if (received > sizeof answer)
            return Error("the kernel's answer is longer than vial expects"_p, step, object);
        std::span<const std::uint8_t> rest(answer, received);
        NetlinkReply reply;
        while (take_message(rest, reply)) {
            if (reply.sequence != sequence)
                continue;  // left over from a request that was given up
            disturbed = disturbed || (reply.flags & NLM_F_DUMP_INTR) != 0;
            if (reply.type == NLMSG_ERROR || reply.type == NLMSG_DONE) {
                NetlinkVerdict verdict = read_verdict(reply);
                if (verdict.number == 0 && disturbed)
                    verdict.number = EINTR;
                if (verdict.number != 0)
                    return failure(verdict, step, object);
                return {};
            }
            visitor(reply, context);
        }
        if (!rest.empty())
            return Error(EBADMSG, step, object);
    }
}

}  // namespace vial
