// SPDX-License-Identifier: MIT
#include "base/result.h"

#include "base/text.h"

#include <cstring>

namespace vial {

namespace {

/// Keeps the end of a text that is too long: of a path, the end says which file it is.
void keep_end(char* to, std::size_t size, std::string_view text)
{
    constexpr std::string_view cut = "...";
    if (text.size() < size) {
        if (!text.empty())
            std::memmove(to, text.data(), text.size());
        to[text.size()] = '\0';
        return;
    }
    std::memcpy(to, cut.data(), cut.size());
    const std::size_t rest = size - 1 - cut.size();
    std::memcpy(to + cut.size(), text.data() + text.size() - rest, rest);
    to[size - 1] = '\0';
}

}  // namespace

Error::Detail* Error::make(int number, Phrase reason, Phrase step, std::string_view object)
{
    static Detail ring[errors_alive];
    static unsigned next = 0;
    Detail* detail = &ring[next++ % errors_alive];  // the oldest
    detail->number = number;
    detail->exit = ExitCode::Failed;
    detail->step = step.kept();
    detail->reason = reason.kept();
    detail->advice = nullptr;
    keep_end(detail->object, sizeof detail->object, object);
    return detail;
}

Error Error::relabel(Error error, Phrase step, std::string_view object)
{
    if (!error.none()) {
        error.detail_->step = step.kept();
        keep_end(error.detail_->object, sizeof error.detail_->object, object);
    }
    return error;
}

std::string_view describe(const Error& error, char* buffer, std::size_t size)
{
    std::size_t used = 0;
    auto put = [&](std::string_view text) {
        // An object may hold anything a spec or an image says.
        while (!text.empty() && used + 1 < size)
            buffer[used++] = take_printable(text);
    };
    auto say = [&](Phrase words) {
        for (const char* letter = words.kept(); *letter != '\0'; ++letter)
            put(unpacked(*letter));
    };
    if (error->step[0] != '\0') {
        put("cannot ");
        say(error->step);
        if (error->object[0] != '\0') {
            put(" ");
            put(error->object);
        }
        put(": ");
    } else if (error->object[0] != '\0') {
        put(error->object);
        put(error->reason != nullptr && *error->reason == '\0' ? "" : ": ");
    }
    char scratch[64];
    if (error->reason != nullptr)
        say(error->reason);
    else
        put(error_words(error->number, scratch));
    if (error->advice != nullptr) {
        put("; ");
        say(error->advice);
    }
    if (size > 0)
        buffer[used] = '\0';
    return {buffer, used};
}

}  // namespace vial
