// SPDX-License-Identifier: MIT
#include "base/os_call.h"

#include <algorithm>
#include <cstring>
#include <poll.h>
#include <time.h>

namespace vial::os {

Result<Fd> socket(int domain, int type, int protocol)
{
    return opened(CALL("socket", ::socket(domain, type | SOCK_CLOEXEC, protocol)), "make a socket");
}

Result<void> bind(int fd, const sockaddr* address, socklen_t length, std::string_view object)
{
    if (CALL("bind", ::bind(fd, address, length)) < 0)
        return Error(errno, "bind a socket to", object);
    return {};
}

Result<void> connect(int fd, const sockaddr* address, socklen_t length, std::string_view object)
{
    if (CALL("connect", ::connect(fd, address, length)) < 0)
        return Error(errno, "connect to", object);
    return {};
}

Result<void> listen(int fd, int backlog)
{
    return done(CALL("listen", ::listen(fd, backlog)), "listen on a socket");
}

Result<Fd> accept(int fd)
{
    return opened(uninterrupted([&] { return CALL("accept4", ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC)); }),
                  "accept a connection");
}

Result<std::size_t> send(int fd, const void* data, std::size_t size, int passed, int flags)
{
    iovec part{const_cast<void*>(data), size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof passed)] = {};
    if (passed >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof passed);
        std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
    }
    return counted(uninterrupted([&] { return CALL("sendmsg", ::sendmsg(fd, &message, flags | MSG_NOSIGNAL)); }),
                   "send a message");
}

Result<std::size_t> receive(int fd, void* data, std::size_t size, Fd* passed, int flags)
{
    iovec part{data, size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    if (passed != nullptr) {
        message.msg_control = control;
        // Not CMSG_SPACE: its padding would be room for a second descriptor, which nobody would close.
        message.msg_controllen = CMSG_LEN(sizeof(int));
    }
    const long outcome =
        uninterrupted([&] { return CALL("recvmsg", ::recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC)); });
    if (outcome >= 0 && passed != nullptr) {
        const cmsghdr* header = CMSG_FIRSTHDR(&message);
        if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
            header->cmsg_len == CMSG_LEN(sizeof(int))) {
            int number;
            std::memcpy(&number, CMSG_DATA(header), sizeof number);
            passed->reset(number);
        }
    }
    return counted(outcome, "receive a message");
}

Result<int> poll(std::span<struct pollfd> entries, std::int64_t timeout)
{
    const std::int64_t end = timeout < 0 ? 0 : boottime_ms() + timeout;
    for (std::int64_t left = timeout;;) {
        const timespec length{static_cast<time_t>(left / 1000), static_cast<long>(left % 1000 * 1000000)};
        const long outcome =
            CALL("ppoll", ::ppoll(entries.data(), entries.size(), timeout < 0 ? nullptr : &length, nullptr));
        if (outcome >= 0)
            return static_cast<int>(outcome);
        if (errno != EINTR)
            return Error(errno, "wait for events");
        if (timeout >= 0)
            left = std::max<std::int64_t>(0, end - boottime_ms());
    }
}

}  // namespace vial::os
