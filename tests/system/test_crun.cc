// SPDX-License-Identifier: MIT
//
// /proc and /sys file by file, as a container of crun's sees them and as one of vial's with the same root, capabilities and
// namespaces does (payloads/survey.c). Whatever differs stands in the table below, and why.

#include "harness.h"

#include <doctest/doctest.h>
#include <map>

using namespace vial;
using namespace vial::test;

namespace {

struct Difference {
    const char* path;  ///< it, and all below it
    const char* crun;  ///< what survey.c says of `path` itself; empty: it is not there
    const char* vial;
    const char* why;
};

const Difference differences[] = {
    {"/proc/interrupts", "rw", "mask",
     "counts key strokes and packets: as good as a clock for attacks on what is typed and sent"},
    {"/sys/fs/cgroup", "mask", "r-",
     "`crun spec` asks for the control groups, read-only; vial shows none, so that nobody reads or "
     "delegates what is the host's"},
    {"/sys/devices/virtual/powercap", "r-", "mask", "power by the microjoule tells of secret keys (CVE-2020-8694)"},
};

using Survey = std::map<std::string, std::string>;

Survey survey_of(const std::string& text)
{
    Survey found;
    for (const std::string& line : lines(text)) {
        const std::size_t blank = line.find(' ');
        REQUIRE(blank != line.npos);
        found[line.substr(blank + 1)] = line.substr(0, blank);
    }
    return found;
}

std::string said_of(const Survey& survey, const std::string& path)
{
    const auto found = survey.find(path);
    return found == survey.end() ? "" : found->second;
}

const Difference* explanation(const std::string& path)
{
    for (const Difference& each : differences) {
        const std::string top = each.path;
        if (path == top || path.rfind(top + "/", 0) == 0)
            return &each;
    }
    return nullptr;
}

/// Those that the table does not explain.
Survey differences_of(const Survey& crun, const Survey& ours)
{
    Survey paths = crun, found;
    paths.insert(ours.begin(), ours.end());
    for (const auto& [path, either] : paths) {
        const std::string theirs = said_of(crun, path), mine = said_of(ours, path);
        const Difference* known = explanation(path);
        if (theirs == mine ||
            (known != nullptr && (path != known->path || (theirs == known->crun && mine == known->vial))))
            continue;
        found[path] = "crun '" + theirs + "', vial '" + mine + "'";
    }
    return found;
}

/// As `crun spec` writes it, with the root, the capabilities and the masks of its own choice.
void write_bundle(const std::string& bundle, const std::string& where)
{
    CHECK(run({"/bin/sh", "-c", "cd '" + bundle + "' && crun spec"}).code == 0);
    std::string text = read_text(bundle + "/config.json");
    const auto replace = [&](const std::string& from, const std::string& to, bool all = false) {
        std::size_t at = text.find(from);
        CHECK(at != text.npos);
        for (; at != text.npos; at = all ? text.find(from, at + to.size()) : text.npos)
            text.replace(at, from.size(), to);
    };
    replace("\"rootfs\"", "\"" + where + "\"");
    replace("\"terminal\": true", "\"terminal\": false");
    replace("\"sh\"", R"("/survey", "/proc", "/sys")");
    replace("\"CAP_AUDIT_WRITE\"", R"("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID")",
            true);
    write_text(bundle + "/config.json", text);
}

}  // namespace

TEST_CASE("/proc and /sys are as crun leaves them, but for what is explained")
{
    if (run({"/bin/sh", "-c", "command -v crun"}).code != 0) {
        MESSAGE("skipped: crun is not installed");
        return;
    }
    const NothingLeft nothing_left;
    const std::string where = work() + "/surveyed", bundle = empty_directory("bundle");
    REQUIRE(run({"cp", "-a", root(), where}).code == 0);
    REQUIRE(run({"cp", payload("survey"), where + "/survey"}).code == 0);
    write_bundle(bundle, where);
    // The host goes on: loop devices and the like come and go while we look. What is different for a reason is so each time.
    Survey crun, ours, unexplained;
    for (int look = 0; look < 4 && (look == 0 || !unexplained.empty()); look++) {
        // A hybrid machine crun refuses: there it is shown one without version 2.
        const Finished by_crun = run({"unshare", "--mount", "/bin/sh", "-c",
                                      "umount /sys/fs/cgroup/unified 2>/dev/null; exec crun --root " + work() +
                                          "/crun run --bundle " + bundle + " surveyed"});
        INFO(by_crun.err);
        CHECK(by_crun.code == 0);
        crun = survey_of(by_crun.out);
        ours = survey_of(done({"run", "--root", where, "--", "/survey", "/proc", "/sys"}));
        REQUIRE(crun.size() > 500);
        REQUIRE(ours.size() > 500);
        const Survey now = differences_of(crun, ours);
        Survey still;
        for (const auto& [path, words] : now)
            if (look == 0 || unexplained.count(path) != 0)
                still[path] = words;
        unexplained = still;
    }
    for (const auto& [path, words] : unexplained)
        FAIL_CHECK(path, ": ", words);
    // No row is there without a difference, where the kernel has the file.
    for (const Difference& each : differences) {
        INFO(std::string(each.path), ": ", std::string(each.why));
        if (crun.count(each.path) + ours.count(each.path) != 0)
            CHECK(said_of(crun, each.path) != said_of(ours, each.path));
    }
    CHECK(run({"rm", "-rf", where, bundle}).code == 0);
}
