// SPDX-License-Identifier: MIT

/// Limits of a container that runs, changed all or not at all: before each is written it is noted what stood there.

#include "base/directory.h"
#include "base/os.h"
#include "base/text.h"
#include "kernel/limit_settings.h"
#include "spec/grammar.h"

namespace vial {

namespace {

/// Where a limit of one device is told from those of others.
std::string_view device_of(const Setting& setting)
{
    std::string_view value = setting.value;
    return setting.limit == &io_limit ? take_word(value) : std::string_view();
}

bool same_place(const Setting& a, const Setting& b)
{
    return a.file == b.file && device_of(a) == device_of(b);
}

/// The same place without the limit.
Setting lifted(const List<LimitedGroup>& groups, const Setting& setting)
{
    const bool unified = is_unified(groups, setting.controller);
    Setting none = setting;
    none.unread = true;
    if (setting.limit != &io_limit)
        none.value = setting.limit->none[unified];
    else
        none.value = compose("%%", device_of(setting), unified ? " rbps=max wbps=max riops=max wiops=max" : " 0");
    return none;
}

/// What is to be written, in this order.
List<Setting> changes(const List<LimitedGroup>& groups, const Settings& before, const Settings& after)
{
    List<Setting> all;
    const auto find = [](const Settings& among, const Setting& wanted, bool value) {
        for (const Setting& each : among.all())
            if (same_place(each, wanted) && (!value || each.value == wanted.value))
                return true;
        return false;
    };
    for (std::size_t at = before.all().size(); at-- > 0;) {
        const Setting& each = before.all()[at];
        // On version 1 memory alone is never above memory and swap: the latter is lifted before either changes.
        if (!find(after, each, false) ||
            (each.limit == &swap_limit && !is_unified(groups, MemoryController) && !find(after, each, true)))
            all.push_back(lifted(groups, each));
    }
    for (const Setting& each : after.all())
        if (!find(before, each, true))
            all.push_back(each);
    return all;
}

/// On version 1 no leaf may have a processor that its parent has not, and neither of them may have none.
Result<void> move_leaves(const LimitedGroup& group, const Setting& setting, std::string_view old, Text name)
{
    const auto both = parse_cpus(compose("%,%", old, setting.value));
    TRY(os::write_file(group.directory.get(), setting.file.c_str(), both.value_or(setting.value)));
    for (Text leaf : TRY(list_directory(cgroup_directory(group.hierarchy, name), true)))
        TRY(os::write_file(group.directory.get(), compose("%/%", leaf, setting.file).c_str(), setting.value));
    return {};
}

/// What stood where `setting` was written; `text`: the whole file.
Setting former(const List<LimitedGroup>& groups, const Setting& setting, std::string_view text)
{
    Setting old = lifted(groups, setting);
    while (!text.empty()) {
        const std::string_view line = take_until(text, '\n');
        std::string_view device = line;
        if (setting.limit != &io_limit || take_word(device) == device_of(setting)) {
            old.value = line;
            break;
        }
    }
    return old;
}

Result<void> change(const List<LimitedGroup>& groups, const Setting& setting, Text name, List<Setting>& undo)
{
    const LimitedGroup* group = group_for(groups, setting.controller);
    if (group == nullptr || setting.file.empty())
        return setting.file.empty() || groups.empty() || groups.front().hierarchy.unified
                   ? apply(groups, setting)
                   : limit_failure(setting, "the container was started without, and is in no control group for it"_p);
    const auto old = os::read_file(group->directory.get(), setting.file.c_str());
    if (old.ok()) {
        undo.push_back(former(groups, setting, old.value()));
        if (setting.limit == &cpus_limit && !group->hierarchy.unified)
            (void)move_leaves(*group, setting, undo.back().value, name);
    }
    return apply(groups, setting);
}

}  // namespace

Result<void> change_limits(const List<LimitedGroup>& groups, const Spec& before, const Spec& after)
{
    Settings old(groups, before), wanted(groups, after);
    (void)old.collect();  // a device may have gone
    old.collect_leaves();
    TRY(wanted.collect());
    wanted.collect_leaves();
    List<Setting> undo, ignored;
    for (const Setting& each : changes(groups, old, wanted)) {
        auto changed = change(groups, each, after.name, undo);
        if (changed.ok())
            continue;
        char words[description_capacity];
        (void)describe(changed.error(), words, sizeof words);
        for (std::size_t at = undo.size(); at-- > 0;)
            (void)change(groups, undo[at], after.name, ignored);
        return Error("", "", words);
    }
    return {};
}

}  // namespace vial
