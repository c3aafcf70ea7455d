// SPDX-License-Identifier: MIT
#include "launch/handover.h"

#include "base/os.h"
#include "supervise/channel.h"

#include <algorithm>
#include <unistd.h>

namespace vial {

namespace {

/// How many descriptors go in one message. Few enough that what is received lies below `first_passed` until it is moved up.
constexpr std::size_t bundle = 32;

struct Head {
    char letter;
    std::uint32_t join, passed;
    std::int32_t plan, terminal;
};

}  // namespace

std::int32_t Handover::pass(const Fd& fd)
{
    if (!fd)
        return -1;
    passed_.push_back(fd.get());
    return first_passed + static_cast<std::int32_t>(passed_.size()) - 1;
}

Result<void> Handover::send(const Fd& channel) const
{
    List<int> all;
    all.append(join_.data(), join_.size());
    all.append(passed_.data(), passed_.size());
    const Head head{static_cast<char>(ChannelLetter::Go), static_cast<std::uint32_t>(join_.size()),
                    static_cast<std::uint32_t>(passed_.size()), plan_, terminal_};
    std::size_t sent = 0;
    do {
        const std::span<const int> next(all.data() + sent, std::min(bundle, all.size() - sent));
        TRY(os::send_descriptors(channel.get(), &head, sizeof head, next));
        sent += next.size();
    } while (sent < all.size());
    return {};
}

Result<ReceivedHandover> receive_handover(const Fd& channel)
{
    ReceivedHandover received;
    std::size_t count = 0;
    Head head{};
    do {
        int numbers[bundle];
        std::size_t got = 0;
        const std::size_t size = TRY(os::receive_descriptors(channel.get(), &head, sizeof head, numbers, got));
        if (size != sizeof head || head.letter != static_cast<char>(ChannelLetter::Go))
            return Error("the launcher has gone"_p, "start the container"_p);
        for (std::size_t at = 0; at < got; ++at, ++count) {
            Fd fd(numbers[at]);
            if (count < head.join)
                received.join.push_back(std::move(fd));
            else
                TRY(os::duplicate_to(fd.get(), first_passed + static_cast<int>(count - head.join)));
        }
        if (got == 0)
            break;
    } while (count < head.join + head.passed);
    if (count != head.join + head.passed)
        return Error("too many open files"_p, "take over what PID 1 needs"_p)
            .advise("raise the limit of open files (ulimit -n)"_p);
    received.plan = head.plan;
    received.terminal = head.terminal;
    return received;
}

void report_and_exit(const Fd& channel, const Error& error)
{
    char message[channel_message];
    message[0] = static_cast<char>(ChannelLetter::Failed);
    message[1] = static_cast<char>('0' + static_cast<int>(error->exit));
    const std::string_view text = describe(error, message + 2, sizeof message - 2);
    (void)os::send(channel.get(), message, 2 + text.size(), -1, MSG_NOSIGNAL);
    ::_exit(has_reported);
}

}  // namespace vial
