// SPDX-License-Identifier: MIT
#include "init/notify.h"

#include "base/fd.h"
#include "base/os.h"
#include "base/text.h"
#include "init/pid1.h"

#include <algorithm>
#include <cstddef>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace vial {

namespace {

constexpr Milliseconds retry_interval = 1000;

/// Null: nobody wants to know.
const char* socket_name()
{
    return find_variable(::environ, "NOTIFY_SOCKET");
}

}  // namespace

Result<void> notify(std::string_view text)
{
    const char* const variable = socket_name();
    const std::string_view path = variable != nullptr ? variable : "";
    sockaddr_un address{};
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    if (address.sun_path[0] == '@')  // a name that is no file's
        address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    const Fd socket = TRY(os::socket(AF_UNIX, SOCK_DGRAM, 0));
    TRY(os::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size, path));
    TRY(os::send(socket.get(), text.data(), text.size(), -1, MSG_DONTWAIT));
    return {};
}

/// Tells the init that has started the host's supervisor how the services stand, where that was not told yet and none is on
/// its way. Then the whole is ready, too: what has failed was named, and what waits for that could wait for ever.
void Pid1::report()
{
    if (!unreported_ || again_ != os::never || supervisor.closing())
        return;
    unreported_ = socket_name() != nullptr;
    if (!unreported_)
        return;
    char text[512], names[256];
    Writer message(text, sizeof text), failed(names, sizeof names);
    unsigned ready = 0;
    for (ServiceIndex index = 0; index < runtimes.size(); index++) {
        const ServiceState state = supervisor.service(index).state;
        if (state == ServiceState::Starting || state == ServiceState::Stopping)
            return;
        ready += state == ServiceState::Ready || state == ServiceState::Reloading ? 1U : 0U;
        if (state == ServiceState::Failed || state == ServiceState::Backoff)
            failed.put(' ').put(service_name(index));
    }
    message.compose("READY=1\nSTATUS=% ready", ready);
    if (!failed.text().empty())
        message.put("; failed:").put(failed.text());
    unreported_ = notify(message.text()).number() == EAGAIN;
    if (unreported_)
        next_look_ = std::min(next_look_, now + retry_interval);
}

}  // namespace vial
