// SPDX-License-Identifier: MIT
//
// `root_hash`: an image that is not the one that was meant is not started.

#include "harness.h"

#include <doctest/doctest.h>

using namespace vial;
using namespace vial::test;

namespace {

std::string hash_of(const std::string& file)
{
    return "sha256:" + run({"sha256sum", file}).out.substr(0, 64);
}

std::string with_hash(const std::string& image, const std::string& hash, const std::string& more = {})
{
    return spec("web", "root = \"" + image + "\"\nroot_hash = \"" + hash +
                           "\"\ncommand = [\"/bin/sleep\", \"1000\"]\n" + more);
}

}  // namespace

TEST_CASE("root_hash: an image that has it starts, and what it should be stands in `show`")
{
    const NothingLeft nothing_left;
    for (const RootKind kind : {RootKind::Squashfs, RootKind::Erofs, RootKind::Ext4}) {
        const std::string& image = root(kind);
        CAPTURE(image);
        (void)done({"start", with_hash(image, hash_of(image))});
        CHECK(contains(done({"show", "web"}), "root_hash = \"" + hash_of(image) + "\""));
        CHECK(done({"exec", "web", "--", "/bin/echo", "in"}) == "in\n");
        (void)done({"stop", "--timeout", "0", "web"});
    }
    const std::string& image = root(RootKind::Squashfs);
    (void)done({"start", with_hash(image, hash_of(image), "overlay = \"tmpfs\"\n")});
    (void)done({"stop", "--timeout", "0", "web"});
}

TEST_CASE("root_hash: one bit that differs is a start that is refused, and says what was expected and found")
{
    const NothingLeft nothing_left;
    std::string content = read_text(root(RootKind::Squashfs));
    content[content.size() / 2] ^= 1;
    const std::string image = work() + "/bit.squashfs";
    write_text(image, content);
    const std::string wanted = hash_of(root(RootKind::Squashfs));
    start_refused(
        1, with_hash(image, wanted),
        {"cannot use " + image + " as a root filesystem: its hash should be " + wanted + ", and is " + hash_of(image)});
    // On an older kernel, too.
    const OnOldKernel old({});
    start_refused(1, with_hash(image, wanted), {image, wanted, hash_of(image)});
}

TEST_CASE("root_hash: a directory has none")
{
    const NothingLeft nothing_left;
    start_refused(1, with_hash(root(), hash_of(root(RootKind::Squashfs))), {root(), "a directory has no hash"});
}
