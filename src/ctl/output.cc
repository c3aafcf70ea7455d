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

void print_error(std::string_view message)
{
    (void)os::write_all(STDERR_FILENO, compose("vial: %\n", message));
}

int print_error(std::string_view subject, const Error& error)
{
    char buffer[description_capacity];
    const std::string_view text = describe(error, buffer, sizeof buffer);
    if (error->step[0] == '\0' && error->object == subject)  // it names the subject itself
        (void)os::write_all(STDERR_FILENO, compose("%\n", text));
    else
        (void)os::write_all(STDERR_FILENO, compose("%: %\n", subject.empty() ? "vial" : subject, text));
    return static_cast<int>(error->exit);
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
