// SPDX-License-Identifier: MIT
#include "base/result.h"

#include <doctest/doctest.h>
#include <memory>
#include <string>

using namespace vial;

namespace {

std::string said(const Error& error)
{
    char buffer[description_capacity];
    return std::string(describe(error, buffer, sizeof buffer));
}

Result<int> half(int number)
{
    if (number % 2 != 0)
        return Error(EINVAL, "halve", "an odd number");
    return number / 2;
}

Result<int> quarter(int number)
{
    return TRY(half(TRY(half(number))));
}

Result<void> check_quarter(int number)
{
    (void)TRY(quarter(number));
    return {};
}

}  // namespace

TEST_CASE("an error is told in one line: what, on what, why, what to do")
{
    CHECK(said(Error(ENOENT, "mount", "/srv/web.sqfs")) == "cannot mount /srv/web.sqfs: No such file or directory");
    CHECK(said(Error(EPERM, "make a session")) == "cannot make a session: Operation not permitted");
    CHECK(said(Error("not a squashfs image", "mount", "/srv/x")) == "cannot mount /srv/x: not a squashfs image");
    CHECK(said(Error("no such key", "", "web.conf:3:1")) == "web.conf:3:1: no such key");
    Error error(EPERM, "start", "web");
    error.because("needs root").advise("try sudo").exits(ExitCode::Usage);
    CHECK(said(error) == "cannot start web: needs root; try sudo");
    CHECK(error->exit == ExitCode::Usage);
    CHECK(error->number == EPERM);
}

TEST_CASE("a long object keeps its end")
{
    const std::string path = "/" + std::string(500, 'x') + "/the-end";
    const Error error(ENOENT, "open", path);
    const std::string object = error->object;
    CHECK(object.size() == Error::object_capacity - 1);
    CHECK(object.substr(0, 4) == "...x");
    CHECK(object.substr(object.size() - 8) == "/the-end");
    CHECK(std::string(Error(0, "", std::string(Error::object_capacity - 1, 'y'))->object) ==
          std::string(Error::object_capacity - 1, 'y'));
}

TEST_CASE("a description cannot repaint the reader's terminal and is cut to its buffer")
{
    CHECK(said(Error(ENOENT, "open", "a\x1b[2Jb\nc\x7f")) == "cannot open a?[2Jb?c?: No such file or directory");
    // U+0080 to U+009F are control characters, too: U+009B is what ESC [ is. U+00A0 and beyond are none.
    CHECK(said(Error("", "",
                     "a\xc2\x9b"
                     "2Jb\xc2\x80\xc2\x9f\xc2")) == "a?2Jb??\xc2");
    CHECK(said(Error("", "", "\xc2\xa0\xc3\x9b\xe2\x82\xac")) == "\xc2\xa0\xc3\x9b\xe2\x82\xac");
    char small[8];
    CHECK(describe(Error(ENOENT, "open", "x"), small, sizeof small) == "cannot ");
    CHECK(small[7] == '\0');
    CHECK(describe(Error(ENOENT, "open", "x"), small, 0).empty());
}

TEST_CASE("TRY hands on the first failure and the value otherwise")
{
    CHECK(quarter(12).value() == 3);
    CHECK(quarter(6).number() == EINVAL);
    CHECK(check_quarter(8).ok());
    CHECK(said(check_quarter(2).error()) == "cannot halve an odd number: Invalid argument");
    CHECK(std::string(half(3).as("share", "three apples").error()->object) == "three apples");
    CHECK(half(4).as("share", "four apples").value() == 2);
    CHECK(half(3).value_or(7) == 7);
}

TEST_CASE("a value that can only be moved travels in a Result")
{
    auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(5); };
    auto use = [&]() -> Result<int> { return *TRY(make()); };
    CHECK(use().value() == 5);
}
