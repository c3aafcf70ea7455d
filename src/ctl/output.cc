// SPDX-License-Identifier: MIT
#include "ctl/output.h"

#include "base/os.h"
#include "base/text.h"

#include <unistd.h>

namespace vial {

namespace {

bool failed = false;

}  // namespace

void print(std::string_view text)
{
    const auto written = os::write_all(STDOUT_FILENO, text);
    if (!written.ok() && !failed)
        print_error({}, Error(written.number(), "write to", "standard output"));
    failed = failed || !written.ok();
}

bool output_failed()
{
    return failed;
}

Table::Table(std::string_view heads)
{
    for (; !heads.empty(); ++columns_)
        cell(take_until(heads, '|'));
}

void Table::cell(std::string_view text)
{
    // What is shown may come from a container: an escape sequence in it must not reach the terminal.
    Builder kept;
    while (!text.empty())
        kept += take_printable(text);
    cells_.push_back(kept);
}

Text Table::text() const
{
    std::size_t widths[columns_most] = {};
    for (std::size_t at = 0; at < cells_.size(); ++at)
        widths[at % columns_] = cells_[at].size() > widths[at % columns_] ? cells_[at].size() : widths[at % columns_];
    Builder text;
    for (std::size_t at = 0; at < cells_.size(); ++at) {
        const std::size_t column = at % columns_;
        text += cells_[at];
        if (column + 1 == columns_)
            text += '\n';
        else
            text.pad(widths[column] - cells_[at].size() + 2);
    }
    return text;
}

}  // namespace vial
