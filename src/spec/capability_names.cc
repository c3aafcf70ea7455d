// SPDX-License-Identifier: MIT
#include "spec/capability_names.h"

#include "base/text.h"

#include <algorithm>

namespace vial {

namespace {

/// In the order of their bits.
constexpr std::string_view names =
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID "
    "SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER "
    "SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE "
    "SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP "
    "MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE";

static_assert(std::count(names.begin(), names.end(), ' ') + 1 == capability_count);

char upper(char letter)
{
    return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
}

/// `name` is in upper case already.
bool same(std::string_view text, std::string_view name)
{
    if (text.size() != name.size())
        return false;
    for (std::size_t index = 0; index < text.size(); ++index) {
        if (upper(text[index]) != name[index])
            return false;
    }
    return true;
}

}  // namespace

Maybe<unsigned> parse_capability(std::string_view text)
{
    if (same(slice(text, 0, 4), "CAP_"))
        text.remove_prefix(4);
    std::string_view rest = names;
    for (unsigned bit = 0; bit < capability_count; ++bit) {
        if (same(text, take_word(rest)))
            return bit;
    }
    return {};
}

std::string_view capability_name(unsigned bit)
{
    std::string_view rest = names;
    std::string_view name = take_word(rest);
    for (; bit != 0 && !name.empty(); --bit)
        name = take_word(rest);
    return name;
}

}  // namespace vial
