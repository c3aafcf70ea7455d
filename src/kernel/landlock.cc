// SPDX-License-Identifier: MIT
#include "kernel/landlock.h"

#include "base/os.h"
#include "base/text.h"
#include "spec/grammar.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace vial {

namespace {

// From <linux/landlock.h>, which the headers of a toolchain may be too old to have.
constexpr std::uint64_t execute = 1U << 0;
constexpr std::uint64_t write_file = 1U << 1;
constexpr std::uint64_t read_file = 1U << 2;
constexpr std::uint64_t read_directory = 1U << 3;
constexpr std::uint64_t make_character_device = 1U << 6;
constexpr std::uint64_t make_block_device = 1U << 11;
constexpr std::uint64_t refer = 1U << 13;     ///< Linux 5.19
constexpr std::uint64_t truncate = 1U << 14;  ///< Linux 6.2

/// All kinds of access that a kernel of that ABI tells apart, of those that are known here.
constexpr std::uint64_t known_to(std::size_t abi)
{
    return (refer - 1) | (abi >= 2 ? refer : 0) | (abi >= 3 ? truncate : 0);
}

constexpr std::uint64_t reading = read_file | read_directory;
/// In the order of `landlock_kinds`. Devices are made under no rule.
constexpr std::uint64_t access_of[] = {reading, known_to(3) & ~(execute | make_character_device | make_block_device),
                                       reading | execute};

Result<std::size_t> find_abi()
{
    auto abi = os::landlock_abi();
    if (abi.number() == ENOSYS)
        abi.error().because("this kernel has no Landlock (Linux 5.13, CONFIG_SECURITY_LANDLOCK)"_p);
    else if (abi.number() == EOPNOTSUPP)
        abi.error().because("Landlock is not switched on: its name is missing in lsm= of the kernel's command line"_p);
    return abi;
}

}  // namespace

Result<void> require_landlock()
{
    (void)TRY(find_abi());
    return {};
}

Result<Fd> make_landlock(std::span<const char* const> rules)
{
    const std::uint64_t known = known_to(TRY(find_abi()));
    Fd ruleset = TRY(os::landlock_create(known));
    for (const char* rule : rules) {
        std::string_view path = rule;
        const int kind = word_index(landlock_kinds, take_until(path, ':'));
        Opened place = os::open(path.data(), O_PATH);
        if (!place.ok())
            return place.error().as("limit access to files by Landlock,"_p, rule);
        std::uint64_t access = access_of[kind] & known;
        if (!S_ISDIR(TRY(os::fstat(place.value().get())).st_mode))
            access &= execute | write_file | read_file | truncate;
        TRY(os::landlock_allow(ruleset.get(), place.value().get(), access)
                .as("limit access to files by Landlock,"_p, rule));
    }
    return ruleset;
}

}  // namespace vial
