// SPDX-License-Identifier: MIT

/// `vial logs`: what a container's services wrote, read from the two segments in its state directory.

#include "base/os.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"
#include "supervise/log_format.h"

#include <fcntl.h>

namespace vial {

namespace {

constexpr std::int64_t follow_interval = 100;  // milliseconds between two looks: tmpfs tells nobody of writes in place

/// What a service wrote, as it wrote it; PID 1's own notes on lines of their own. At most `limit` bytes, which is what both
/// segments hold: a service that writes faster than we read would keep us for ever.
void print_log(LogReader& reader, std::int64_t limit)
{
    LogRecord record;
    while (limit > 0 && !output_failed() && reader.next(record)) {
        limit -= static_cast<std::int64_t>(record.data.size());
        const bool note = record.stream == LogStream::Note;
        if (note) {
            print("[");
            print(record.service);
            print(": ");
        }
        print(record.data);
        print(note ? "]\n" : "");
    }
}

}  // namespace

Result<int> logs(const Arguments& arguments)
{
    TRY(require_root(arguments));
    const Text name = arguments.words.front();
    const Record record = TRY(find_container(name));
    const Opened first = os::open(state_path(name, "log.0").c_str(), O_RDONLY);
    const Opened second = os::open(state_path(name, "log.1").c_str(), O_RDONLY);
    if (!first.ok() || !second.ok())
        return Error(record.foreground ? "its output goes to the terminal of `vial run`"
                                       : "vial keeps none with init = false",
                     "show the log of", name);
    const std::int64_t both =
        TRY(os::fstat(first.value().get())).st_size + TRY(os::fstat(second.value().get())).st_size;
    LogReader reader(first.value().get(), second.value().get());
    bool last = !arguments.has(Option::Follow);
    while (true) {
        // First the look at the container, then the one at the log: nothing written before its end is missed.
        last = last || !is_alive(record.init);
        print_log(reader, both);
        if (last || output_failed())
            break;
        (void)TRY(os::poll({}, follow_interval));
    }
    if (reader.dropped() > 0)
        print_error(
            compose("%: % were dropped by PID 1", name, human_size(static_cast<std::int64_t>(reader.dropped()))));
    return 0;
}

}  // namespace vial
