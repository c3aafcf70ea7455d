// SPDX-License-Identifier: MIT
#include "supervise/log_format.h"

#include "base/os.h"
#include "base/text.h"

namespace vial {

std::uint32_t LogSegmentHeader::sum() const
{
    // Not against malice: a hostile PID 1 computes it as well as we do.
    std::uint64_t mixed = 0;
    for (const std::uint64_t field : {generation, used, dropped})
        mixed = (mixed ^ field) * 0x9e3779b97f4a7c15;
    return static_cast<std::uint32_t>(mixed >> 32);
}

bool LogSegmentHeader::valid(std::uint64_t size) const
{
    return magic == expected_magic && check == sum() && generation > 0 && used >= sizeof *this && used <= size &&
           dropped <= INT64_MAX;
}

bool parse_log_head(std::string_view head, LogRecord& record, std::size_t& bytes)
{
    const auto at = parse_number(take_until(head, ' '));
    record.service = take_until(head, ' ');
    const std::string_view stream = take_until(head, ' ');
    const auto count = parse_number(head);
    if (!at || !count || record.service.empty() || stream.size() != 1)
        return false;
    if (*count < 1 || *count > static_cast<std::int64_t>(log_record_bytes))
        return false;
    record.at = *at;
    record.stream = static_cast<LogStream>(stream[0]);
    bytes = static_cast<std::size_t>(*count);
    return record.stream == LogStream::Output || record.stream == LogStream::Note;
}

bool LogReader::load(int segment, LogSegmentHeader& header)
{
    const auto status = os::fstat(segments_[segment]);
    if (!status.ok())
        return false;
    // A header that is just being written may be read half old and half new; a look a little later sees it whole.
    bool whole = false;
    for (int attempt = 0; attempt < 10; attempt++) {
        const auto got = os::pread(segments_[segment], &header, sizeof header, 0);
        if (!got.ok())
            return false;
        whole = got.value() == sizeof header;
        if (whole && header.valid(static_cast<std::uint64_t>(status.value().st_size)))
            return true;
        if (whole && header.magic == 0)
            return false;  // nothing has been written yet
        (void)os::poll({}, 1);
    }
    damaged_ = true;
    return false;
}

/// Enters the older of the segments that hold something, or the newest.
bool LogReader::choose(LogSegmentHeader& header, bool newest)
{
    LogSegmentHeader headers[2];
    const bool valid[2] = {load(0, headers[0]), load(1, headers[1])};
    if (!valid[0] && !valid[1])
        return false;
    current_ = valid[1] ? 1 : 0;
    if (valid[0] && valid[1])
        current_ = (headers[0].generation < headers[1].generation) != newest ? 0 : 1;
    header = headers[current_];
    generation_ = header.generation;
    offset_ = sizeof header;
    return true;
}

void LogReader::skip_to_end()
{
    LogSegmentHeader header;
    if (choose(header, true)) {
        offset_ = header.used;
        dropped_ = header.dropped;
    }
}

bool LogReader::next(LogRecord& record)
{
    LogSegmentHeader header;
    if (current_ < 0 && !choose(header, false))
        return false;

    // Each turn yields a record, ends, or moves to a segment that was filled later; PID 1 may do the same
    // meanwhile, but not without end.
    for (int moves = 0; moves < 8; moves++) {
        if (!load(current_, header))
            return false;
        dropped_ = header.dropped;
        if (header.generation != generation_) {
            // Overtaken: what was here is gone. The other segment is the older one now.
            gaps_++;
            if (!choose(header, false))
                return false;
        }
        if (offset_ >= header.used) {
            LogSegmentHeader other;
            if (!load(1 - current_, other) || other.generation <= generation_)
                return false;
            if (other.generation != generation_ + 1)
                gaps_++;
            current_ = 1 - current_;
            generation_ = other.generation;
            offset_ = sizeof other;
            continue;
        }

        const std::uint64_t left = header.used - offset_;
        const std::size_t wanted = left < sizeof buffer_ ? static_cast<std::size_t>(left) : sizeof buffer_;
        const auto got = os::pread(segments_[current_], buffer_, wanted, static_cast<std::int64_t>(offset_));
        if (!got.ok() || got.value() != wanted)
            return false;
        // Only now is it known that what was read is not what a later generation wrote over it.
        if (LogSegmentHeader again; !load(current_, again) || again.generation != generation_)
            continue;

        const std::string_view text(buffer_, wanted);
        const std::size_t end = position(slice(text, 0, log_head_bytes), '\n');
        std::size_t bytes = 0;
        if (end == text.npos || !parse_log_head(slice(text, 0, end), record, bytes) || bytes > wanted - end - 1) {
            // Where one record is wrong, there is no telling where the next begins.
            damaged_ = true;
            offset_ = header.used;
            continue;
        }
        record.data = slice(text, end + 1, bytes);
        if (record.stream == LogStream::Note && record.data.ends_with('\n'))
            record.data.remove_suffix(1);
        offset_ += end + 1 + bytes;
        return true;
    }
    return false;
}

}  // namespace vial
