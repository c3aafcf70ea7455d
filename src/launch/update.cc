// SPDX-License-Identifier: MIT
#include "launch/update.h"

#include "base/os.h"
#include "kernel/cgroup.h"
#include "spec/grammar.h"
#include "spec/read.h"
#include "spec/show.h"

#include <fcntl.h>
#include <sys/file.h>

namespace vial {

Phrase update_fault(std::string_view setting)
{
    constexpr const char* keys = "memory|memory_high|swap|cpu|cpu_weight|cpus|tasks|io_weight|io|oom_group";
    std::string_view key = take_until(setting, '=');
    key = take_word(key);
    if (take_until(key, '.') != "limits")
        return "only limits can change while it runs"_p;
    return word_index(keys, key) >= 0
               ? Phrase(nullptr)
               : "what can change while it runs: memory memory_high swap cpu cpu_weight cpus tasks io_weight io "
                 "oom_group"_p;
}

Result<List<Diagnostic>> update_container(const Record& record, std::span<const std::string_view> settings)
{
    // One at a time, or one's record would be of the other's limits.
    const Fd directory = TRY(os::open(state_path(record.name).c_str(), O_RDONLY | O_DIRECTORY));
    TRY(os::lock(directory.get(), LOCK_EX));
    const Text text = TRY(os::read_file(directory.get(), "spec", spec_size_limit * 2));
    const Reading before = read_spec(text, {});
    Reading after = read_spec(text, {}, settings);
    if (!after.problems.empty())
        return std::move(after.problems);
    {
        const Fd file = TRY(os::openat(directory.get(), "spec.new", O_WRONLY | O_CREAT | O_TRUNC, 0600));
        TRY(os::write_all(file.get(), show_spec(after.spec)).as("write to", state_path(record.name, "spec.new")));
    }
    const Text path = state_path(record.name, "spec"), made = state_path(record.name, "spec.new");
    // Whoever asks whether it runs as its file says means what it was started with, see `vial start --ensure`.
    if (const Opened started = os::openat(directory.get(), "spec.started", O_WRONLY | O_CREAT | O_EXCL, 0600);
        started.ok())
        TRY(os::write_all(started.value().get(), text).as("write to", state_path(record.name, "spec.started")));
    auto changed = change_cgroup(before.spec, after.spec);
    if (changed.ok()) {
        changed = os::renameat(AT_FDCWD, made.c_str(), path.c_str());
        if (!changed.ok())
            (void)change_cgroup(after.spec, before.spec);
    }
    if (changed.ok())
        return List<Diagnostic>();
    (void)os::unlinkat(AT_FDCWD, made.c_str());
    return changed.error();
}

}  // namespace vial
