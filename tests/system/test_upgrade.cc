// SPDX-License-Identifier: MIT
//
// `vial upgrade`: another image for a container that runs. What a power cut leaves is tried in a virtual machine
// (tests/vm/upgrade.sh).

#include "boot.h"

#include <algorithm>
#include <dirent.h>
#include <poll.h>
#include <signal.h>

using namespace vial;
using namespace vial::test;

namespace {

std::string hash_of(const std::string& file)
{
    return "sha256:" + run({"sha256sum", file}).out.substr(0, 64);
}

/// A squashfs image whose /version says `version`, and whose /service is that script.
std::string image(const std::string& version, const std::string& service = "exec sleep 1000")
{
    const std::string tree = work() + "/tree";
    CHECK(run({"rm", "-rf", tree}).code == 0);
    CHECK(run({"cp", "-a", root(), tree}).code == 0);
    write_text(tree + "/version", version + "\n");
    write_text(tree + "/service", service + "\n");
    const std::string path = work() + "/" + version + ".new";
    ::unlink(path.c_str());
    CHECK(run({"mksquashfs", tree, path, "-no-progress", "-quiet", "-comp", "gzip"}).code == 0);
    return path;
}

/// The directory of images, and the spec's own in it.
std::string images()
{
    return work() + "/images";
}
std::string first_image(const std::string& service = "exec sleep 1000")
{
    (void)empty_directory("images");
    CHECK(run({"cp", image("v1", service), images() + "/web.squashfs"}).code == 0);
    return "root = \"" + images() +
           "/web.squashfs\"\ncommand = [\"/bin/sh\", \"/service\"]\nstable_after = \"300ms\"\n";
}

/// `web`, from version v1, running.
std::string started(const std::string& more = {}, const std::string& service = "exec sleep 1000")
{
    for (const char* file : {"/web.conf.upgrade", "/web.conf.upgrade.new"})
        ::unlink((work() + file).c_str());
    const std::string file = spec("web", first_image(service) + more);
    (void)done({"start", file});
    return file;
}

std::string version()
{
    std::string said = ctl({"exec", "web", "--", "/bin/cat", "/version"}).out;
    return said.substr(0, said.find('\n'));
}

std::vector<std::string> names_in(const std::string& path)
{
    std::vector<std::string> names;
    DIR* directory = ::opendir(path.c_str());
    while (const dirent* entry = directory != nullptr ? ::readdir(directory) : nullptr)
        if (const std::string name = entry->d_name; name != "." && name != "..")
            names.push_back(name);
    if (directory != nullptr)
        ::closedir(directory);
    std::sort(names.begin(), names.end());
    return names;
}

/// Nothing was begun that is not there any more, and of copies there are these.
void check_tidy(const std::vector<std::string>& copies, const std::string& file)
{
    std::vector<std::string> expected = copies;
    expected.insert(expected.begin(), "web.squashfs");
    CHECK(names_in(images()) == expected);
    CHECK_FALSE(exists(file + ".upgrade.new"));
}

void stop_web()
{
    (void)done({"stop", "--timeout", "0", "web"});
}

/// An upgrade that is refused before anything is stopped.
void refused_early(int code, const std::string& from, const std::vector<std::string>& named, const Words& more = {})
{
    const pid_t before = init_pid("web");
    Words words = {"upgrade", "web", from};
    words.insert(words.end(), more.begin(), more.end());
    const std::string why = refused(code, words);
    for (const std::string& part : named)
        CHECK_MESSAGE(contains(why, part), why);
    CHECK(init_pid("web") == before);
}

}  // namespace

TEST_CASE("upgrade: the new image is kept, for later starts too; two copies at most lie beside the spec's own")
{
    const NothingLeft nothing_left;
    const std::string file = started();
    CHECK(version() == "v1");
    (void)done({"upgrade", "web", image("v2")});
    CHECK(version() == "v2");
    check_tidy({"web.upgrade-1"}, file);
    (void)done({"upgrade", "web", image("v3")});
    CHECK(version() == "v3");
    check_tidy({"web.upgrade-1", "web.upgrade-2"}, file);
    (void)done({"upgrade", "web", image("v4")});
    CHECK(version() == "v4");
    check_tidy({"web.upgrade-1", "web.upgrade-2"}, file);
    stop_web();
    (void)done({"start", file});
    CHECK(version() == "v4");
    CHECK(contains(done({"show", file}), "root = \"" + images() + "/web.upgrade-1\"\n"));
    // The one before is an image like any other.
    (void)done({"upgrade", "web", images() + "/web.upgrade-2"});
    CHECK(version() == "v3");
    // And without the choice the spec alone counts.
    CHECK(::unlink((file + ".upgrade").c_str()) == 0);
    stop_web();
    (void)done({"start", file});
    CHECK(version() == "v1");
    stop_web();
}

TEST_CASE("upgrade: drop-ins count as before, but for the root that one of them sets")
{
    const NothingLeft nothing_left;
    ::mkdir((work() + "/web.conf.d").c_str(), 0755);
    write_text(work() + "/web.conf.d/z.conf", "root = \"" + images() + "/web.squashfs\"\nhostname = \"other\"\n");
    const std::string file = started();
    (void)done({"upgrade", "web", image("v2")});
    CHECK(version() == "v2");
    CHECK(done({"exec", "web", "--", "/bin/hostname"}) == "other\n");
    stop_web();
    (void)done({"start", file});
    CHECK(version() == "v2");
    stop_web();
    CHECK(run({"rm", "-r", work() + "/web.conf.d"}).code == 0);
}

TEST_CASE("upgrade: a spec with root_hash goes on being checked, with the new image's; --hash says what that must be")
{
    const NothingLeft nothing_left;
    const std::string file = started();
    const std::string second = image("v2");
    refused_early(
        1, second,
        {"web: cannot use " + second + " as a root filesystem: its hash should be " + hash_of(root(RootKind::Squashfs)),
         hash_of(second)},
        {"--hash", hash_of(root(RootKind::Squashfs))});
    check_tidy({}, file);
    refused_early(2, second, {"--hash is sha256:"}, {"--hash", "sha256:1"});
    (void)done({"upgrade", "--hash", hash_of(second), "web", second});
    CHECK(contains(done({"show", file}), "root_hash = \"" + hash_of(second) + "\"\n"));
    const std::string third = image("v3");
    (void)done({"upgrade", "web", third});
    CHECK(contains(done({"show", file}), "root_hash = \"" + hash_of(third) + "\"\n"));
    stop_web();
    std::string content = read_text(images() + "/web.upgrade-2");
    content[content.size() / 2] ^= 1;
    write_text(images() + "/web.upgrade-2", content);
    start_refused(1, file, {images() + "/web.upgrade-2", hash_of(third)});
}

TEST_CASE("upgrade: what cannot be the new image is refused while the old one runs on")
{
    const NothingLeft nothing_left;
    const std::string file = started();
    refused_early(1, work() + "/nothing", {"web: cannot open " + work() + "/nothing: No such file"});
    write_text(work() + "/text", "no image\n");
    refused_early(1, work() + "/text", {work() + "/text", "no squashfs, erofs or ext4 image"});
    refused_early(1, root(), {root(), "no squashfs, erofs or ext4 image"});
    refused_early(1, "/dev/zero", {"/dev/zero", "no squashfs"});
    (void)run({"mkfifo", work() + "/fifo"});
    refused_early(1, work() + "/fifo", {work() + "/fifo"});
    write_text(work() + "/cut", std::string_view(read_text(root(RootKind::Squashfs))).substr(0, 4096));
    refused_early(1, work() + "/cut", {"web: cannot mount " + images() + "/web.upgrade-1"});
    check_tidy({}, file);
    stop_web();
}

TEST_CASE("upgrade: of a container that is not there, does not run, has no spec file, or a directory for a root")
{
    const NothingLeft nothing_left;
    const std::string second = image("v2");
    CHECK(contains(refused(3, {"upgrade", "nobody", second}), "nobody: no such container"));
    CHECK(contains(refused(2, {"upgrade", "web"}), "which container, and from what?"));
    CHECK(contains(refused(2, {"upgrade", "--timeout", "soon", "web", second}), "--timeout is a time"));

    (void)done({"start", spec("web", first_image("exit 3"))});
    CHECK(ends("web"));
    CHECK(contains(refused(3, {"upgrade", "web", second}), "web: it is not running"));
    stop_web();

    (void)done({"start", sleeper("web")});
    CHECK(contains(refused(1, {"upgrade", "web", second}), "cannot upgrade web: its root is a directory"));
    stop_web();

    Process process(ctl_words({"run", "--root", root(), "--name", "web", "--", "/bin/sleep", "1000"}));
    CHECK(eventually([] { return state("web") == "\"running\""; }));
    CHECK(contains(refused(1, {"upgrade", "web", second}), "cannot upgrade web: it was not started from a spec"));
    process.kill(SIGKILL);
    CHECK(process.wait() == 128 + SIGKILL);
    CHECK(eventually([] { return listed("web").empty(); }));
}

TEST_CASE("upgrade: a new image that is not well is not kept, and why is said")
{
    const NothingLeft nothing_left;
    struct Bad {
        const char *more, *service, *why;
    };
    const Bad cases[] = {
        {"", "exit 3", "it ended: exited with 3"},
        {"", "sleep 0.1; kill -9 $$", "it ended: killed by SIGKILL (137)"},
        {"restart = \"always\"\nrestart_delay = \"50ms\"\n", "exit 3", "it was not ready and healthy in time"},
        {"ready = \"fd\"\n", "exec sleep 1000", "it was not ready and healthy in time"},
        {"[health]\ncommand = [\"/bin/test\", \"-e\", \"/tmp/well\"]\ninterval = \"100ms\"\nretries = 100\n",
         "exec sleep 1000", "it was not ready and healthy in time"},
    };
    for (const Bad& bad : cases) {
        CAPTURE(bad.why);
        const std::string file = started(bad.more, "touch /tmp/well; echo >&3; exec sleep 1000");
        CHECK(refused(1, {"upgrade", "--timeout", "1500ms", "web", image("v2", bad.service)}) ==
              std::string("web: ") + bad.why + (std::string_view(bad.why).starts_with("it was") ? " (--timeout)" : "") +
                  "; the old image runs again");
        CHECK(version() == "v1");
        check_tidy({}, file);
        CHECK_FALSE(exists(file + ".upgrade"));
        stop_web();
    }
    // One that has no /bin/sh to begin with.
    const std::string file = started();
    CHECK(run({"mkdir", "-p", work() + "/bare/proc", work() + "/bare/sys", work() + "/bare/dev"}).code == 0);
    CHECK(
        run({"mksquashfs", work() + "/bare", work() + "/bare.squashfs", "-no-progress", "-quiet", "-noappend"}).code ==
        0);
    CHECK(contains(refused(1, {"upgrade", "web", work() + "/bare.squashfs"}), "; the old image runs again"));
    CHECK(version() == "v1");
    check_tidy({}, file);
    stop_web();
}

TEST_CASE("upgrade: the image that it runs from stays, even where that is not the choice any more")
{
    const NothingLeft nothing_left;
    const std::string ready = "echo >&3; exec sleep 1000";
    const std::string file = started("ready = \"fd\"\n", ready);
    (void)done({"upgrade", "web", image("v2", ready)});
    CHECK(::unlink((file + ".upgrade").c_str()) == 0);
    const std::string bad = image("bad", "exit 3");
    CHECK(contains(refused(1, {"upgrade", "web", bad}), "; the old image runs again"));
    CHECK(version() == "v2");
    check_tidy({"web.upgrade-1"}, file);
    (void)done({"upgrade", "web", image("v3", ready)});
    CHECK(version() == "v3");
    // One that was killed before it could choose, or go back.
    Process process(ctl_words({"upgrade", "web", image("v4")}));
    CHECK(eventually([] { return version() == "v4"; }));
    process.kill(SIGKILL);
    CHECK(process.wait() == 128 + SIGKILL);
    CHECK(contains(refused(1, {"upgrade", "web", bad}), "; the old image runs again"));
    CHECK(version() == "v4");
    check_tidy({"web.upgrade-1", "web.upgrade-2"}, file);
    (void)done({"restart", "--timeout", "0", "web"});
    CHECK(version() == "v4");
    (void)done({"upgrade", "web", image("v5", ready)});
    CHECK(version() == "v5");
    (void)done({"upgrade", "web", image("v6", ready)});
    CHECK(version() == "v6");
    check_tidy({"web.upgrade-1", "web.upgrade-3"}, file);
    stop_web();
}

TEST_CASE("upgrade: the image before the present one stays where the next one is refused, above all if that is it")
{
    const NothingLeft nothing_left;
    const std::string file = started();
    (void)done({"upgrade", "web", image("v2")});
    (void)done({"upgrade", "web", image("v3")});
    const std::string before = images() + "/web.upgrade-1";
    refused_early(1, work() + "/nothing", {"No such file"});
    refused_early(1, before, {"its hash should be"}, {"--hash", "sha256:" + std::string(64, '0')});
    check_tidy({"web.upgrade-1", "web.upgrade-2"}, file);
    (void)done({"upgrade", "web", before});
    CHECK(version() == "v2");
    stop_web();
}

TEST_CASE("upgrade: healthy is what the first probe says, however soon it is ready")
{
    const NothingLeft nothing_left;
    const std::string probe =
        "[health]\ncommand = [\"/bin/test\", \"-e\", \"/tmp/well\"]\ninterval = \"100ms\"\nretries = 100\n";
    (void)started(probe, "touch /tmp/well; exec sleep 1000");
    CHECK(eventually([] { return of("web", "main", "healthy") == "true"; }));
    (void)done({"upgrade", "web", image("v2", "sleep 1; touch /tmp/well; exec sleep 1000")});
    CHECK(of("web", "main", "healthy") == "true");
    CHECK(version() == "v2");
    stop_web();
}

TEST_CASE("upgrade: what the disk refuses leaves the old one running")
{
    const NothingLeft nothing_left;
    const std::string file = started();
    const std::string second = image("v2");
    // No room for the copy.
    CHECK(::mount("tmpfs", images().c_str(), "tmpfs", 0, "size=16k") == 0);
    refused_early(1, second, {"web: cannot write to " + images() + "/web.upgrade-1: No space left"});
    CHECK(names_in(images()).empty());
    CHECK(::umount2(images().c_str(), MNT_DETACH) == 0);
    // No place for the choice.
    CHECK(::mount(work().c_str(), work().c_str(), nullptr, MS_BIND, nullptr) == 0);
    CHECK(::mount(images().c_str(), images().c_str(), nullptr, MS_BIND, nullptr) == 0);
    CHECK(::mount(nullptr, work().c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) == 0);
    refused_early(1, second, {"web: cannot create " + file + ".upgrade.new: Read-only file system"});
    CHECK(::umount2(images().c_str(), MNT_DETACH) == 0);
    CHECK(::umount2(work().c_str(), MNT_DETACH) == 0);
    check_tidy({}, file);
    CHECK(version() == "v1");
    stop_web();
}

TEST_CASE("upgrade: of two at once one is refused")
{
    const NothingLeft nothing_left;
    const std::string file = started("ready = \"fd\"\n", "echo >&3; exec sleep 1000");
    Process first(ctl_words({"upgrade", "--timeout", "3s", "web", image("v2")}));
    CHECK(eventually([] { return version() == "v2"; }));
    CHECK(contains(refused(1, {"upgrade", "web", work() + "/v2.new"}), "somebody else is at it"));
    CHECK(first.wait() == 1);
    CHECK(contains(first.errors(), "; the old image runs again"));
    CHECK(version() == "v1");
    check_tidy({}, file);
    stop_web();
}

TEST_CASE("upgrade: interrupted, or its terminal lost, while the new one is on trial, it goes back")
{
    const NothingLeft nothing_left;
    const std::string ready = "echo >&3; exec sleep 1000";
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        CAPTURE(signal);
        const std::string file = started("ready = \"fd\"\n", ready);
        Process process(ctl_words({"upgrade", "web", image("v2")}));
        CHECK(eventually([] { return version() == "v2"; }));
        process.kill(signal);
        CHECK(process.wait() == 1);
        CHECK(process.errors() == "web: it was interrupted; the old image runs again\n");
        CHECK(version() == "v1");
        check_tidy({}, file);
        stop_web();
    }
    Boot boot;
    boot.put("web.conf", "autostart = true\nready = \"fd\"\n" + first_image(ready));
    boot.start();
    CHECK(is("web", "ready"));
    Process process(ctl_words({"upgrade", "web", image("v2")}));
    CHECK(eventually([] { return version() == "v2"; }));
    process.kill(SIGINT);
    CHECK(process.wait() == 1);
    CHECK(process.errors() == "web: it was interrupted; the old image runs again\n");
    CHECK(is("web", "ready"));
    CHECK(version() == "v1");
    CHECK(boot.stop() == 0);
}

TEST_CASE("upgrade: killed at any moment it leaves the one or the other, and the next one clears up")
{
    const NothingLeft nothing_left;
    const std::string file = started();
    const std::string images_of[] = {image("v2"), image("v3")};
    std::string before = "v1";
    int cut = 0;
    for (int round = 0; round < 24; round++) {
        CAPTURE(round);
        const std::string next = round % 2 == 0 ? "v2" : "v3";
        Process process(ctl_words({"upgrade", "web", images_of[round % 2]}));
        // It takes a bit more than the 300 ms of stable_after.
        ::poll(nullptr, 0, round * 25);
        process.kill(SIGKILL);
        cut += process.wait() == 128 + SIGKILL ? 1 : 0;
        // The container may be the one or the other, or stopped in between.
        CHECK(eventually([] { return state("web") != "\"starting\""; }));
        (void)ctl({"stop", "--timeout", "0", "web"});
        (void)done({"start", file});
        const std::string after = version();
        CHECK((after == before || after == next));
        before = after;
    }
    CHECK(cut > 5);
    (void)done({"upgrade", "web", image("v4")});
    CHECK(version() == "v4");
    const std::vector<std::string> left = names_in(images());
    CHECK(left.size() <= 3);
    CHECK_FALSE(exists(file + ".upgrade.new"));
    stop_web();
}

TEST_CASE("upgrade: what vial boot keeps is upgraded by it, and whoever requires it comes back; or goes back")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.put("web.conf", "autostart = true\nrestart = \"always\"\n" + first_image());
    boot.daemon("client", "requires = [\"web\"]\n");
    boot.start();
    CHECK(is("client", "ready"));
    CHECK(version() == "v1");
    std::string client = pid_at_boot("client");
    (void)done({"upgrade", "web", image("v2")});
    CHECK(version() == "v2");
    CHECK(anew("client", client));
    const pid_t init = init_pid("web");
    CHECK(std::to_string(init) == pid_at_boot("web"));
    boot.reload();
    CHECK(is("web", "ready"));
    CHECK(init_pid("web") == init);
    // It was killed: what comes back is the new one.
    kill_at_boot("web");
    CHECK(anew("web", std::to_string(init)));
    CHECK(version() == "v2");

    client = pid_at_boot("client");
    CHECK(refused(1, {"upgrade", "--timeout", "2s", "web", image("v3", "exit 3")}) != "");
    CHECK(is("web", "ready"));
    CHECK(version() == "v2");
    CHECK(anew("client", client));
    check_tidy({"web.upgrade-1"}, boot.path("web.conf"));
    CHECK(boot.stop() == 0);
}

TEST_CASE("upgrade: killed while vial boot has the new one on trial, the old one is what is started next")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.put("web.conf",
             "autostart = true\nrestart = \"always\"\nready = \"fd\"\n" + first_image("echo >&3; exec sleep 1000"));
    boot.start();
    CHECK(is("web", "ready"));
    Process process(ctl_words({"upgrade", "web", image("v2")}));
    CHECK(eventually([] { return version() == "v2"; }));
    CHECK(is("web", "starting"));
    process.kill(SIGKILL);
    CHECK(process.wait() == 128 + SIGKILL);
    ::kill(init_pid("web"), SIGKILL);
    CHECK(is("web", "ready"));
    CHECK(version() == "v1");
    (void)done({"upgrade", "web", image("v3", "echo >&3; exec sleep 1000")});
    CHECK(version() == "v3");
    check_tidy({"web.upgrade-1"}, boot.path("web.conf"));
    CHECK(boot.stop() == 0);
}

TEST_CASE("upgrade: where vial boot ends meanwhile the container stays ended; where it crashes, the next one goes back")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.put("web.conf", "autostart = true\nready = \"fd\"\n" + first_image("echo >&3; exec sleep 1000"));
    for (const bool crashes : {true, false}) {
        CAPTURE(crashes);
        boot.start();
        CHECK(is("web", "ready"));
        Process process(ctl_words({"upgrade", "web", image("v2")}));
        CHECK(eventually([] { return version() == "v2"; }));
        if (crashes)
            boot.crash();
        else
            CHECK(boot.stop() == 0);
        CHECK(process.wait() == 1);
        CHECK_FALSE(contains(process.errors(), "the old image runs again"));
        check_tidy({}, boot.path("web.conf"));
        if (crashes) {
            boot.start();
            CHECK(eventually([] { return version() == "v1"; }));
            CHECK(is("web", "ready"));
            CHECK(boot.stop() == 0);
        }
        CHECK(state("web") != "\"running\"");
    }
}
