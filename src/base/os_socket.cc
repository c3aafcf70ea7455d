// SPDX-License-Identifier: MIT
#include "base/os_call.h"

#include <algorithm>
#include <cstring>
#include <poll.h>
#include <time.h>

namespace vial::os {

Result<Fd> socket(int domain, int type, int protocol)
{
    static constexpr Call call{"make a socket"_p, SYS_socket};
    return opened(call, domain, type | SOCK_CLOEXEC, protocol);
}

Result<void> bind(int fd, const sockaddr* address, socklen_t length, std::string_view object)
{
    static constexpr Call call{"bind a socket to"_p, SYS_bind};
    return tell(call, fd, address, length).as(call.step, object);
}

Result<void> connect(int fd, const sockaddr* address, socklen_t length, std::string_view object)
{
    static constexpr Call call{"connect to"_p, SYS_connect};
    return tell(call, fd, address, length).as(call.step, object);
}

Result<void> listen(int fd, int backlog)
{
    static constexpr Call call{"listen on a socket"_p, SYS_listen};
    return tell(call, fd, backlog);
}

Result<Fd> accept(int fd)
{
    static constexpr Call call{"accept a connection"_p, SYS_accept4, 0, true};
    return opened(call, fd, nullptr, nullptr, SOCK_CLOEXEC);
}

namespace {

constexpr std::size_t most_passed = 253;  // SCM_MAX_FD

/// Room for a control message with that many descriptors.
struct alignas(cmsghdr) ControlBuffer {
    char bytes[CMSG_SPACE(most_passed * sizeof(int))];
};

Result<std::size_t> send_with(int fd, const void* data, std::size_t size, std::span<const int> passed, int flags)
{
    iovec part{const_cast<void*>(data), size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    ControlBuffer control;
    if (!passed.empty()) {
        if (passed.size() > most_passed)
            return Error(E2BIG, "pass descriptors"_p);
        auto* header = reinterpret_cast<cmsghdr*>(control.bytes);
        *header = {};
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = static_cast<socklen_t>(CMSG_LEN(passed.size_bytes()));
        std::memcpy(CMSG_DATA(header), passed.data(), passed.size_bytes());
        message.msg_control = control.bytes;
        message.msg_controllen = static_cast<socklen_t>(CMSG_SPACE(passed.size_bytes()));
    }
    // Both structures are the kernel's where what a libc leaves unnamed in them is zero.
    static constexpr Call call{"send a message"_p, SYS_sendmsg, 0, true};
    return ask(call, fd, &message, flags | MSG_NOSIGNAL);
}

}  // namespace

Result<std::size_t> send(int fd, const void* data, std::size_t size, int passed, int flags)
{
    return send_with(fd, data, size, {&passed, passed >= 0 ? 1U : 0U}, flags);
}

Result<void> send_descriptors(int fd, const void* data, std::size_t size, std::span<const int> passed)
{
    TRY(send_with(fd, data, size, passed, 0));
    return {};
}

namespace {

/// `said`: what the kernel has to say of the message, MSG_CTRUNC and others.
Result<std::size_t> receive_with(int fd, void* data, std::size_t size, std::span<int> passed, std::size_t& count,
                                 int flags, int& said)
{
    count = 0;
    iovec part{data, size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    ControlBuffer control;
    if (!passed.empty()) {
        message.msg_control = control.bytes;
        // Not CMSG_SPACE: its padding could be room for one descriptor more, which nobody would close.
        message.msg_controllen = static_cast<socklen_t>(CMSG_LEN(std::min(passed.size(), most_passed) * sizeof(int)));
    }
    static constexpr Call call{"receive a message"_p, SYS_recvmsg, 0, true};
    const std::size_t size_received = TRY(ask(call, fd, &message, flags | MSG_CMSG_CLOEXEC));
    const cmsghdr* header = passed.empty() ? nullptr : CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        count = std::min<std::size_t>((header->cmsg_len - CMSG_LEN(0)) / sizeof(int), passed.size());
        std::memcpy(passed.data(), CMSG_DATA(header), count * sizeof(int));
    }
    said = message.msg_flags;
    return size_received;
}

}  // namespace

Result<std::size_t> receive_descriptors(int fd, void* data, std::size_t size, std::span<int> passed, std::size_t& count,
                                        int flags)
{
    int said = 0;
    return receive_with(fd, data, size, passed, count, flags, said);
}

Result<std::size_t> peek_descriptors(int fd, std::span<int> passed)
{
    char byte;
    int said = 0;
    std::size_t count = 0;
    TRY(receive_with(fd, &byte, 1, passed, count, MSG_PEEK | MSG_DONTWAIT, said));
    if ((said & MSG_CTRUNC) == 0)
        return count;
    for (const int each : passed.first(count))
        Fd(each).reset();
    return Error(EMFILE, "receive a message");
}

Result<std::size_t> receive(int fd, void* data, std::size_t size, Fd* passed, int flags)
{
    // Without an address to fill in, the kernel does not look at the one for its length either.
    static constexpr Call call{"receive a message", SYS_recvfrom, 0, true};
    if (passed == nullptr)
        return ask(call, fd, data, size, flags, nullptr);
    int number = -1;
    std::size_t count = 0;
    auto got = receive_descriptors(fd, data, size, {&number, 1U}, count, flags);
    if (count == 1)
        passed->reset(number);
    return got;
}

namespace {

Result<std::size_t> ask_poll(std::span<struct pollfd> entries, const timespec* length)
{
    static constexpr Call call{"wait for events"_p, SYS_ppoll};
    if constexpr (kernel_words)
        return ask(call, entries.data(), static_cast<unsigned>(entries.size()), length, nullptr);
    return ask_library(call, "", [&] { return ::ppoll(entries.data(), entries.size(), length, nullptr); });
}

}  // namespace

Result<int> poll(std::span<struct pollfd> entries, std::int64_t timeout)
{
    const std::int64_t end = timeout < 0 ? 0 : boottime_ms() + timeout;
    for (std::int64_t left = timeout;;) {
        const timespec length{static_cast<time_t>(left / 1000), static_cast<long>(left % 1000 * 1000000)};
        const timespec* wait = timeout < 0 ? nullptr : &length;
        auto ready = ask_poll(entries, wait);
        if (ready.number() != EINTR)
            return static_cast<int>(TRY(ready));
        if (timeout >= 0)
            left = std::max<std::int64_t>(0, end - boottime_ms());
    }
}

}  // namespace vial::os
