// SPDX-License-Identifier: MIT
// The JSON reader on hostile text: whatever it takes for a value must be valid by itself.
#include "base/json.h"

#include <cstdlib>

using namespace vial;

namespace {

void visit(json::Raw value)
{
    (void)json::number(value);
    (void)json::boolean(value);
    (void)json::string(value);
    if (const json::Raw found = json::member(value, "a"); !found.empty()) {
        if (!json::valid(found))
            std::abort();
        visit(found);
    }
    json::Raw rest = value;
    for (;;) {
        const json::Raw element = json::next_element(rest);
        if (element.empty())
            break;
        if (!json::valid(element))
            std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const json::Raw text(reinterpret_cast<const char*>(data), size);
    (void)json::valid(text);
    visit(text);
    return 0;
}
