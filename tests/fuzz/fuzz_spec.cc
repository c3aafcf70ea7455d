// SPDX-License-Identifier: MIT
// The spec reader on hostile text. What it accepts must be shown as a spec that reads as the same again.
// The text's first line is also tried as a `--set`.
#include "base/json.h"
#include "spec/read.h"
#include "spec/show.h"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace vial;

namespace {

void check(const Reading& reading)
{
    for (const Diagnostic& problem : reading.problems) {
        if (problem.message.empty() || format(problem, "f").empty())
            std::abort();
    }
    if (!reading.problems.empty())
        return;
    const Text shown = show_spec(reading.spec);
    const Reading again = read_spec(shown, "f.conf");
    if (!again.problems.empty() || !json::valid(show_spec_json(reading.spec)))
        std::abort();
    // What is not supported yet is shown as comments at the end, and not read back.
    const Text shown_again = show_spec(again.spec);
    if (shown.compare(0, shown_again.size(), shown_again) != 0)
        std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check(read_spec(text, "f.conf"));
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos)
        return 0;
    const std::string_view settings[] = {text.substr(0, end), "root=/r", "command=['x']"};
    check(read_spec(text.substr(end + 1), "f.conf", settings));
    return 0;
}
