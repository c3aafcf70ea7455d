// SPDX-License-Identifier: MIT
#pragma once

/// The container's log: two segments of fixed size that PID 1 fills in turn.
///
/// The launcher allocates both before the start; they are written in place, never truncated and never grown, so that a log
/// costs the container no memory of its own and the host no more than agreed. When one is full, PID 1 goes on in the other, over
/// what was oldest. A segment is a header and then records, back to back:
///
///     1763786009123 web o 13\n        unix milliseconds, service, stream, number of bytes
///     hello, world\n                  those bytes as they were read, with or without a newline at the end
///
/// so that even `cat` shows what happened. Streams: `o` what the service wrote to its standard output or error, `n` a note by
/// PID 1 about the service, whose newline the reader takes off. A record is never split over two segments and holds at most `log_record_bytes`.
///
/// First the record is written and then the header that counts it in: a reader at any moment sees whole records. But PID 1 may
/// overtake a slow reader, and a hostile one may have written anything: the reader checks all that it reads.

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vial {

struct LogSegmentHeader {
    static constexpr std::uint32_t expected_magic = 0x676f6c76;  // "vlog"

    std::uint32_t magic = 0;
    std::uint32_t check = 0;       ///< of the fields below, against a header caught while it is written
    std::uint64_t generation = 0;  ///< 1 for the first segment filled, one more at each change
    std::uint64_t used = 0;        ///< bytes, with this header
    std::uint64_t dropped = 0;     ///< bytes of output lost so far because they could not be written

    std::uint32_t sum() const;
    /// Whether this is the header of a segment of `size` bytes.
    bool valid(std::uint64_t size) const;
};
static_assert(sizeof(LogSegmentHeader) == 32);

inline constexpr std::size_t log_record_bytes = 4096;  ///< of output in one record
inline constexpr std::size_t log_head_bytes = 160;     ///< of the line before it

enum class LogStream : char { Output = 'o', Note = 'n' };

struct LogRecord {
    std::int64_t at = 0;  ///< milliseconds since 1970
    LogStream stream = LogStream::Output;
    std::string_view service;  ///< this and `data` are valid until the reader's next call
    std::string_view data;
};

/// Reads the records of two segments in the order in which they were written, and goes on where it was when
/// there are more. Owns its buffer; the descriptors stay the caller's.
class LogReader {
public:
    LogReader(int first, int second) : segments_{first, second} {}

    /// The next record; false: there is none for now (ask again later), or reading failed.
    bool next(LogRecord& record);
    /// How often something was missing between two records that was overwritten before it was read.
    std::uint64_t gaps() const { return gaps_; }
    /// There is what no PID 1 of ours writes, or less than it has written.
    bool damaged() const { return damaged_; }
    /// Bytes that PID 1 itself had to drop.
    std::uint64_t dropped() const { return dropped_; }
    /// Passes over all that is there.
    void skip_to_end();

private:
    bool load(int segment, LogSegmentHeader& header);
    bool choose(LogSegmentHeader& header, bool newest);

    int segments_[2];
    int current_ = -1;              ///< which of the two; -1: not begun
    std::uint64_t generation_ = 0;  ///< of the current one, when it was entered
    std::uint64_t offset_ = 0;      ///< of the next record
    std::uint64_t gaps_ = 0;
    std::uint64_t dropped_ = 0;
    bool damaged_ = false;
    char buffer_[log_head_bytes + log_record_bytes];
};

/// Takes a record's line apart; false: it is none. `head` ends before the newline.
bool parse_log_head(std::string_view head, LogRecord& record, std::size_t& bytes);

}  // namespace vial
