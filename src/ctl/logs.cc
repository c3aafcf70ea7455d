// SPDX-License-Identifier: MIT

/// `vial logs`: what a container's services wrote, read from the two segments in its state directory, or where `vial init
/// --log` keeps them.
///
/// Each record there says when it was written and by which service. So whether that is shown (`[log]` of the spec, or an
/// option) is settled here, by the reader: PID 1 writes the same either way, and what was not shown yesterday can be
/// shown today.

#include "base/os.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/moment.h"
#include "ctl/output.h"
#include "launch/stop.h"
#include "supervise/log_format.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>

namespace vial {

namespace {

constexpr std::int64_t follow_interval = 100;  // milliseconds between two looks: tmpfs tells nobody of writes in place

/// What of the log is wanted, and how it is to look.
struct Wish {
    std::string_view service;  ///< empty: of all
    std::int64_t since = 0;
    bool prefix = false, timestamps = false, json = false;
};

/// Shows records line by line, though one may hold many lines or end in the middle of one. Takes no memory: it may have
/// to go on for months.
class Display {
public:
    /// `skip`: so many lines are not shown, only counted.
    Display(const Wish& wish, std::int64_t skip) : wish_(wish), skip_(skip) {}

    /// At most `limit` bytes, which is what both segments hold: a service that writes faster than we read would keep us
    /// for ever.
    void show(LogReader& reader, std::int64_t limit)
    {
        LogRecord record;
        while (limit > 0 && !output_failed() && reader.next(record)) {
            limit -= static_cast<std::int64_t>(record.data.size());
            if (record.at >= wish_.since && (wish_.service.empty() || record.service == wish_.service))
                show(record);
        }
        flush();
    }
    std::int64_t lines() const { return lines_; }

private:
    void show(const LogRecord& record)
    {
        const bool note = record.stream == LogStream::Note;
        if (wish_.json) {
            count_line();
            make_room(6 * (record.data.size() + record.service.size()) + 100);
            buffer_.put("{\"at\":").decimal(record.at).put(",\"service\":").quoted(record.service);
            buffer_.put(note ? ",\"stream\":\"note\",\"data\":" : ",\"stream\":\"output\",\"data\":");
            buffer_.quoted(record.data).put("}\n");
            return;
        }
        // The line of one is not finished by another.
        if (!at_start_ && (note || (wish_.prefix && record.service != std::string_view(service_, service_size_))))
            put("\n");
        std::string_view rest = record.data;
        if (note)
            begin_line(record, true);
        while (!rest.empty()) {
            if (at_start_)
                begin_line(record, false);
            const std::size_t end = std::min(position(rest, '\n'), rest.size() - 1) + 1;
            put(slice(rest, 0, end));
            rest.remove_prefix(end);
        }
        if (note)
            put("]\n");
    }
    void begin_line(const LogRecord& record, bool note)
    {
        count_line();
        service_size_ = std::min(record.service.size(), sizeof service_);
        std::memcpy(service_, record.service.data(), service_size_);
        if (wish_.timestamps) {
            make_room(32);
            put_moment(buffer_, record.at);
            buffer_.put(' ');
        }
        if (note)
            put("[");
        if (note || wish_.prefix) {
            put(record.service);
            put(": ");
        }
    }
    void count_line()
    {
        if (lines_++ <= skip_)
            buffer_.clear();
    }
    void put(std::string_view text)
    {
        at_start_ = text.ends_with('\n');
        make_room(text.size());
        buffer_.put(text);
    }
    void make_room(std::size_t size)
    {
        if (lines_ <= skip_ || buffer_.text().size() + size > sizeof bytes_)
            flush();
    }
    void flush()
    {
        if (lines_ > skip_ && !buffer_.text().empty())
            print(buffer_.text());
        buffer_.clear();
    }

    const Wish& wish_;
    std::int64_t skip_;
    std::int64_t lines_ = 0;  ///< that have begun
    bool at_start_ = true;    ///< of a line
    char service_[128];       ///< whose line it is
    std::size_t service_size_ = 0;
    char bytes_[32768];
    Writer buffer_{bytes_, sizeof bytes_};
};

struct Segments {
    Fd first, second;
    std::int64_t size;  ///< of both

    LogReader reader() const { return {first.get(), second.get()}; }
};

/// A container's name has no slash in it; with one it is what `vial init --log` was told.
bool is_file(std::string_view name)
{
    return contains(name, '/');
}

/// `path` and what its two files end in. `none`: why there may be none; null: the system's own word for it.
Result<Segments> open_segments(Text path, Phrase none)
{
    Segments segments;
    segments.size = 0;
    for (int at = 0; at < 2; ++at) {
        Opened file = os::open(concat(path, at == 0 ? ".0" : ".1").c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (!file.ok() && none)
            return Error(none, "", {});
        Fd& segment = at == 0 ? segments.first : segments.second;
        segment = TRY(std::move(file));
        const struct stat status = TRY(os::fstat(segment.get()));
        segments.size += status.st_size;
        // Zeros, where nothing has been written yet. There is nothing to be read out of a pipe or a directory.
        std::uint32_t magic = S_ISREG(status.st_mode) ? 0 : 1;
        (void)os::pread(segment.get(), &magic, sizeof magic, 0);
        if (magic != 0 && magic != LogSegmentHeader::expected_magic)
            return Error("not a log of vial's"_p, "", {}).advise("name what `vial init --log` was told"_p);
    }
    return segments;
}

Result<Wish> wish_of(const Arguments& arguments)
{
    Wish wish;
    // A container that is just ending may take its spec along; its log is shown all the same.
    const Text name = arguments.words.front();
    if (!is_file(name)) {
        if (const auto spec = load_started_spec(name); spec.ok()) {
            wish.prefix = spec.value()->log.prefix;
            wish.timestamps = spec.value()->log.timestamps;
        }
    }
    wish.prefix |= arguments.has(Option::Prefix);
    wish.timestamps |= arguments.has(Option::Timestamps);
    wish.json = arguments.has(Option::Json);
    wish.service = arguments.value(Option::Service);
    if (arguments.has(Option::Since)) {
        const auto since = parse_moment(arguments.value(Option::Since), os::realtime_ms());
        if (!since)
            return misused(arguments, compose("'%' is no time; `10m`, `2026-11-24T10:00:00` or `@SECONDS`"_p,
                                              arguments.value(Option::Since)));
        wish.since = *since;
    }
    return wish;
}

}  // namespace

Result<int> logs(const Arguments& arguments)
{
    const Text name = arguments.words.front();
    const bool file = is_file(name);
    const Record* record = nullptr;
    Phrase none = nullptr;
    if (!file) {
        TRY(require_state(arguments));
        record = TRY(find_container(name));
        none = record->foreground ? "its output goes to the terminal of `vial run`"_p
                                  : "vial keeps none with init = false"_p;
    }
    const Segments segments =
        TRY(open_segments(file ? name : state_path(name, "log"), none).as("show the log of", name));
    const Wish wish = TRY(wish_of(arguments));
    std::int64_t skip = 0;
    if (arguments.has(Option::Lines)) {
        const auto last = parse_number(arguments.value(Option::Lines));
        if (!last)
            return misused(arguments, compose("'%' is no number of lines"_p, arguments.value(Option::Lines)));
        LogReader all = segments.reader();
        Display count(wish, INT64_MAX);
        count.show(all, segments.size);
        skip = count.lines() - *last;
    }
    LogReader reader = segments.reader();
    Display display(wish, skip);
    bool last = !arguments.has(Option::Follow);
    while (true) {
        // First the look at the container, then the one at the log: nothing written before its end is missed.
        last = last || (!file && !is_alive(record->init));
        display.show(reader, segments.size);
        if (last || reader.damaged() || output_failed())
            break;
        (void)TRY(os::poll({}, follow_interval));
    }
    if (reader.dropped() > 0)
        print_error(
            compose("%: % were dropped by PID 1", name, human_size(static_cast<std::int64_t>(reader.dropped()))));
    if (reader.gaps() > 0)
        print_error(compose("%: parts of the log were overwritten before they were read", name));
    if (reader.damaged())
        return Error("it is damaged"_p, "show the log of", name)
            .advise("what is left is text, in its files that end in .0 and .1"_p);
    return 0;
}

}  // namespace vial
