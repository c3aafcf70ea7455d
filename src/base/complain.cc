// SPDX-License-Identifier: MIT
#include "base/complain.h"

#include "base/os.h"
#include "base/text.h"

#include <unistd.h>

namespace vial {

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

}  // namespace vial
