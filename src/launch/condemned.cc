// SPDX-License-Identifier: MIT
#include "launch/condemned.h"

#include "base/arena.h"
#include "base/directory.h"
#include "base/name_table.h"
#include "base/os.h"
#include "launch/stop.h"

#include <fcntl.h>
#include <signal.h>

namespace vial {

List<const Record*> condemn(const Spec& host, const List<Text>& kept)
{
    const NameTable numbers = number_services(host);
    const auto known = [&](std::string_view name, bool is_container) {
        const std::uint32_t index = numbers.find(name);
        if (index != NameTable::none && (!is_container || host.services[index].is_container))
            return true;
        for (const std::string_view whole : kept)
            if (name.starts_with(whole) && (name.size() == whole.size() || name[whole.size()] == '.'))
                return true;
        return false;
    };
    List<const Record*> containers;
    for (const Record* record : read_records().value_or({})) {
        if (!record->by_boot || record->phase != Phase::Running || known(record->name, true))
            continue;
        note_stopping(record->name);
        containers.push_back(record);
    }
    for (Text file : list_directory(state_path(boot_name)).value_or({})) {
        std::string_view name = file;
        if (take_until(name, '.') == "run" && !known(name, false))
            (void)os::renameat(AT_FDCWD, state_path(boot_name, file).c_str(),
                               state_path(boot_name, compose("gone.%", name)).c_str());
    }
    return containers;
}

void stop_condemned(const List<const Record*>& containers)
{
    for (const Record* record : containers)
        (void)stop_container(*record, -1);
    for (Text file : list_directory(state_path(boot_name)).value_or({})) {
        std::string_view rest = file;
        if (take_until(rest, '.') != "gone")
            continue;
        const Text text = os::read_file(AT_FDCWD, state_path(boot_name, file).c_str()).value_or({});
        std::string_view words = text;
        Record record;
        record.init.pid = static_cast<pid_t>(parse_number(take_word(words)).value_or(0));
        record.init.start_time = parse_number(take_word(words)).value_or(0);
        constexpr std::int64_t grace = 10000;  // milliseconds
        for (const int signal : {SIGTERM, SIGKILL})
            if (is_alive(record.init) && signal_init(record, signal).ok())
                (void)wait_for_end(record, grace);
    }
}

void stop_what_boot_started()
{
    stop_condemned(condemn(make<Spec>(), {}));
}

}  // namespace vial
