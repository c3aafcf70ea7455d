// SPDX-License-Identifier: MIT
#include "init/log.h"

#include "base/os.h"
#include "base/text.h"

#include <algorithm>
#include <cstring>

namespace vial {

void Log::open(const std::int32_t (&segments)[2], std::int64_t size, char* buffer)
{
    buffer_ = buffer;
    // Less than this would turn over for every record, and could not hold the longest note.
    if (segments[0] < 0 || segments[1] < 0 || size < 1024)
        return;
    size_ = static_cast<std::uint64_t>(size);
    for (int i = 0; i < 2; i++) {
        segments_[i] = segments[i];
        const auto got = os::pread(segments[i], &headers_[i], sizeof headers_[i], 0);
        if (!got.ok() || got.value() != sizeof headers_[i] || !headers_[i].valid(size_))
            headers_[i] = LogSegmentHeader{};
    }
    current_ = headers_[1].generation > headers_[0].generation ? 1 : 0;
    if (headers_[current_].generation == 0) {
        headers_[0].magic = LogSegmentHeader::expected_magic;
        headers_[0].generation = 1;
        headers_[0].used = sizeof headers_[0];
        dirty_ = true;
        commit();
    }
}

std::size_t Log::room() const
{
    if (size_ == 0)
        return data_bytes;
    return static_cast<std::size_t>(
        std::min<std::uint64_t>(data_bytes, size_ - sizeof(LogSegmentHeader) - log_head_bytes));
}

void Log::turn_over()
{
    commit();
    const LogSegmentHeader& full = headers_[current_];
    LogSegmentHeader next;
    next.magic = LogSegmentHeader::expected_magic;
    next.generation = full.generation + 1;
    next.used = sizeof next;
    next.dropped = full.dropped;
    current_ = 1 - current_;
    headers_[current_] = next;
    // The header goes first: while the old one stood, a reader could take new bytes for old records.
    dirty_ = true;
    commit();
}

void Log::write_prepared(std::size_t bytes, std::int64_t at, std::string_view service, LogStream stream)
{
    if (size_ == 0) {
        headers_[0].dropped += bytes;
        return;
    }
    char head[log_head_bytes];
    Writer line(head, sizeof head);
    const auto kind = static_cast<char>(stream);
    line.compose("% % % %\n", at, slice(service, 0, 120), std::string_view(&kind, 1), bytes);
    const std::size_t head_bytes = line.text().size();
    char* start = data() - head_bytes;
    std::memcpy(start, head, head_bytes);

    const std::size_t record = head_bytes + bytes;
    if (headers_[current_].used + record > size_)
        turn_over();
    LogSegmentHeader& header = headers_[current_];
    const auto written = os::pwrite(segments_[current_], start, record, static_cast<std::int64_t>(header.used));
    dirty_ = true;
    if (written.ok() && written.value() == record)
        header.used += record;
    else
        header.dropped += bytes;
}

void Log::note(std::int64_t at, std::string_view service, std::string_view text)
{
    const std::size_t most = std::min(room(), note_bytes);
    Writer line(data(), most);
    line.put(slice(text, 0, most - 1)).put('\n');
    write_prepared(line.text().size(), at, service, LogStream::Note);
}

bool Log::next(LogCursor& cursor, LogRecord& record, std::size_t most) const
{
    // Nobody writes meanwhile, so a few turns are enough: to the oldest segment, to the other, over what is damaged.
    for (int turn = 0; turn < 4 && size_ > 0; turn++) {
        int which = current_;
        if (headers_[which].generation != cursor.generation)
            which = 1 - which;
        const LogSegmentHeader& header = headers_[which];
        if (cursor.generation == 0 || header.generation != cursor.generation) {
            cursor.overtaken |= cursor.generation != 0;
            const int oldest = headers_[1 - current_].generation > 0 ? 1 - current_ : current_;
            cursor.generation = headers_[oldest].generation;
            cursor.offset = sizeof header;
            cursor.taken = 0;
            continue;
        }
        if (cursor.offset >= header.used) {
            if (which == current_)
                return false;
            cursor.generation = headers_[current_].generation;
            cursor.offset = sizeof header;
            continue;
        }
        const auto got = os::pread(segments_[which], buffer_,
                                   static_cast<std::size_t>(std::min<std::uint64_t>(page, header.used - cursor.offset)),
                                   static_cast<std::int64_t>(cursor.offset));
        std::string_view data(buffer_, got.ok() ? got.value() : 0);
        const std::string_view head = take_until(data, '\n');
        std::size_t bytes = 0;
        if (!parse_log_head(head, record, bytes) || bytes > data.size() || cursor.taken >= bytes) {
            cursor.offset = header.used;
            continue;
        }
        std::string_view piece = slice(data, cursor.taken, bytes - cursor.taken);
        // Not through the middle of a character: its continuation begins with the bits 10.
        std::size_t cut = std::min(piece.size(), most);
        for (int back = 0; back < 3 && cut < piece.size() && cut > 1 && (piece[cut] & 0xc0) == 0x80; back++)
            cut--;
        record.data = slice(piece, 0, cut);
        cursor.taken += static_cast<std::uint32_t>(cut);
        if (cursor.taken == bytes) {
            cursor.offset += head.size() + 1 + bytes;
            cursor.taken = 0;
        }
        return true;
    }
    return false;
}

void Log::commit()
{
    if (!dirty_ || size_ == 0)
        return;
    dirty_ = false;
    LogSegmentHeader& header = headers_[current_];
    header.check = header.sum();
    // A header that cannot be written hides records from readers; it comes along with the next one.
    if (!os::pwrite(segments_[current_], &header, sizeof header, 0).ok())
        dirty_ = true;
}

}  // namespace vial
