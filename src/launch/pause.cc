// SPDX-License-Identifier: MIT
#include "launch/pause.h"

#include "kernel/freezer.h"
#include "launch/client.h"

namespace vial {

Result<void> pause_container(Record& record)
{
    const Text group = TRY(freezer_of(record.cgroups, record.name));
    const bool is_new = !group.empty() && !record.cgroups.contains(group);
    TRY(note_paused(record.name, true, is_new ? group : Text()));
    record.paused = true;
    if (is_new)
        record.cgroups.push_back(group);
    auto done = ask(record.name, "pause");
    auto frozen = done.ok() ? freeze(record.cgroups, group, record.init.pid) : Result<void>(done.error());
    if (!frozen.ok()) {
        char words[description_capacity];
        (void)describe(frozen.error(), words, sizeof words);
        (void)resume_container(record);
        return Error("", "", words);
    }
    return {};
}

Result<void> resume_container(const Record& record)
{
    if (!record.paused)
        return {};
    thaw(record.cgroups);
    (void)ask(record.name, "resume");  // who does not answer any more was waiting for them to be killed
    return note_paused(record.name, false);
}

Result<void> may_work(const Record& record)
{
    if (!record.paused)
        return {};
    return Error("it is paused"_p, "", record.name).advise("`vial resume`"_p);
}

}  // namespace vial
