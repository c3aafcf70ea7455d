// SPDX-License-Identifier: MIT
#include "kernel/syscall_names.h"

#include "kernel/seccomp_calls.h"

namespace vial {

namespace {

using namespace seccomp;

// Each name has a byte before it that says how far its number is from that of the one before, and is written with what is
// in `pieces` as one letter of 0x80 and up: a third shorter than it reads, and half as long as a table with pointers.

constexpr char far = 0x1f;  ///< three more bytes hold the number, the lowest first
constexpr char not_here = 0;

/// Any list will do that is sorted; this one was found by trying.
constexpr std::string_view pieces =
    "32|64|_module|_range|_time64|ad|al|all|at|attr|ch|che|chown|clock_|clock_get|create|ct|ctl|ec|em|epoll_|er|"
    "etgroups|"
    "etresgid|etresuid|ettime64|event|fadvise64|fd|fd_|file|fs|fstat|futex_|get|get_|gete|getp|getr|gettime|getxattr|"
    "gid|gid32|id|in|init|inotify_|io_|it|le|link|list|listxattr|lock|ma|mount|mq_timed|msg|name|nd|ock|ol|op|open|"
    "priority|pro|process_|re|read|removexat|rt_sig|sched_|sched_get|sched_set|se|send|set|set_|setattr|setre|settime|"
    "setxattr|sig|stat|sy|sync|sync_file|time|time64|timed|timer_|timerfd_|truncate|uid32|wait|write|";

struct Pieces {
    std::string_view piece[128];
    std::size_t count = 0;
    std::size_t first[256] = {};  ///< with that letter; those that follow are behind it
};

consteval Pieces split_pieces()
{
    Pieces made;
    for (std::size_t start = 0, at = 0; at < pieces.size(); ++at) {
        if (pieces[at] == '|') {
            const auto letter = static_cast<unsigned char>(pieces[start]);
            if (made.count == 0 || made.piece[made.count - 1][0] != pieces[start])
                made.first[letter] = made.count;
            made.piece[made.count++] = pieces.substr(start, at - start);
            start = at + 1;
        }
    }
    return made;
}

constexpr Pieces known = split_pieces();
constexpr Calls calls = sorted_calls();

#ifdef __clang__
constexpr bool packs = false;  // clang 14 gives up before it is through
#else
constexpr bool packs = true;
#endif

constexpr std::size_t longest_name = 31;

struct Packed {
    char letters[8192] = {};
    std::size_t size = 0;

    constexpr void add(char letter) { letters[size++] = letter; }

    constexpr void add_number(std::uint32_t number)
    {
        add(far);
        for (unsigned shift = 0; shift < 24; shift += 8)
            add(static_cast<char>(number >> shift));
    }

    constexpr void add_name(std::string_view name)
    {
        std::size_t length[longest_name + 1] = {};   // of what begins here
        std::uint8_t choice[longest_name + 1] = {};  // the piece to begin with, from 1; 0: the letter itself
        for (std::size_t at = packs ? name.size() : 0; at-- > 0;) {
            length[at] = length[at + 1] + 1;
            for (std::size_t number = known.first[static_cast<unsigned char>(name[at])]; number < known.count;
                 ++number) {
                const std::string_view piece = known.piece[number];
                if (piece[0] != name[at])
                    break;
                if (piece.size() > name.size() - at || length[at + piece.size()] + 1 >= length[at])
                    continue;
                std::size_t same = 0;
                while (same < piece.size() && piece[same] == name[at + same])
                    ++same;
                if (same == piece.size()) {
                    length[at] = length[at + piece.size()] + 1;
                    choice[at] = static_cast<std::uint8_t>(number + 1);
                }
            }
        }
        for (std::size_t at = 0; at < name.size();) {
            const std::size_t number = choice[at];
            add(number == 0 ? name[at] : static_cast<char>(0x7f + number));
            at += number == 0 ? 1 : known.piece[number - 1].size();
        }
    }
};

consteval Packed pack_names()
{
    Packed made;
    std::uint32_t last = 0xffffffff;
    bool here[std::size(rows)] = {};
    for (std::size_t at = 0; at < calls.count; ++at) {
        const Call& call = calls.call[at];
        const std::uint32_t step = call.number - last;
        if (step < far)
            made.add(static_cast<char>(step));
        else
            made.add_number(call.number);
        made.add_name(call.name);
        last = call.number;
        here[call.row] = true;
    }
    for (std::size_t at = 0; at < std::size(rows); ++at) {
        if (rows[at].name == nullptr || here[at])
            continue;
        if (rows[at].number == none)
            made.add(not_here);
        else
            made.add_number(rows[at].number);  // a second name of one that was above
        made.add_name(rows[at].name);
    }
    return made;
}

constexpr Packed longest = pack_names();

template <std::size_t size>
consteval std::array<char, size> exact()
{
    std::array<char, size> made{};
    for (std::size_t at = 0; at < size; ++at)
        made[at] = longest.letters[at];
    return made;
}

alignas(1) constexpr std::array names = exact<longest.size>();

}  // namespace

SyscallNames::SyscallNames()
{
    const char** piece = pieces_;
    *piece++ = pieces.data();
    for (const char& letter : pieces.substr(0, pieces.size() - 1))
        if (letter == '|')
            *piece++ = &letter + 1;
}

bool SyscallNames::next()
{
    if (at_ == names.size())
        return false;
    const char step = names[at_++];
    if (step == far) {
        number_ = 0;
        for (unsigned shift = 0; shift < 24; shift += 8)
            number_ |= std::uint32_t{static_cast<unsigned char>(names[at_++])} << shift;
    } else {
        number_ = step == not_here ? elsewhere : number_ + static_cast<unsigned char>(step);
    }
    for (size_ = 0; at_ < names.size() && static_cast<unsigned char>(names[at_]) > far; ++at_) {
        const auto letter = static_cast<unsigned char>(names[at_]);
        if (letter < 0x80) {
            name_[size_++] = static_cast<char>(letter);
            continue;
        }
        for (const char* piece = pieces_[letter - 0x80U]; *piece != '|'; ++piece)
            name_[size_++] = *piece;
    }
    return true;
}

}  // namespace vial
