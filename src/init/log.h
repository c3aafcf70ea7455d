// SPDX-License-Identifier: MIT
#pragma once

/// Writing the container's log (supervise/log_format.h says what it looks like).
///
/// One `pwrite` a record and one a commit, both to files that are allocated already: nobody's slow reading is
/// felt here. What cannot be written is dropped and counted.

#include "supervise/log_format.h"

namespace vial {

/// Where somebody stands who reads the log through PID 1 (`logs`). All zeros: before the oldest record.
struct LogCursor {
    std::uint64_t generation = 0;
    std::uint64_t offset = 0;  ///< of the record
    std::uint32_t taken = 0;   ///< bytes of its data that were read already
    bool overtaken = false;    ///< records were lost on the way, as others were written over them
};

class Log {
public:
    /// A record's data is put here, `write_prepared` puts its line before it: one page serves all services.
    static constexpr std::size_t page = 4096;
    static constexpr std::size_t data_bytes = page - log_head_bytes;
    static constexpr std::size_t note_bytes = 600;  ///< the longest remark of PID 1's own, with its newline

    /// Goes on where the newer of the two segments ends. Descriptors of -1 or a useless size: nothing is
    /// kept, all is dropped. `buffer`: one page, for as long as the log lives.
    void open(const std::int32_t (&segments)[2], std::int64_t size, char* buffer);

    /// Where up to `data_bytes` of the next record go.
    char* data() { return buffer_ + log_head_bytes; }
    /// How many of them a record may have.
    std::size_t room() const;
    void write_prepared(std::size_t bytes, std::int64_t at, std::string_view service, LogStream stream);
    /// PID 1's own remark about a service; ends in a newline.
    void note(std::int64_t at, std::string_view service, std::string_view text);

    /// Lets readers see what was written since the last time.
    void commit();

    /// The next piece of a record, of at most `most` bytes, in `data()`; what is there is overwritten. False: there is no more.
    bool next(LogCursor& cursor, LogRecord& record, std::size_t most) const;
    bool kept() const { return size_ > 0; }

    std::uint64_t dropped() const { return headers_[current_].dropped; }

private:
    void turn_over();

    int segments_[2] = {-1, -1};
    std::uint64_t size_ = 0;
    char* buffer_ = nullptr;
    LogSegmentHeader headers_[2];
    int current_ = 0;
    bool dirty_ = false;
};

}  // namespace vial
