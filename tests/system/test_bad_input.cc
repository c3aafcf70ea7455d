// SPDX-License-Identifier: MIT
//
// What goes wrong before a container runs: each case one clear line that names the thing, a code that is not 0, and
// nothing left behind.

#include "harness.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

bool contains(std::string_view text, std::string_view part)
{
    return text.find(part) != text.npos;
}

/// A start that is refused, with one line in which every one of `named` stands.
void start_refused(int code, const std::string& file, const std::vector<std::string>& named)
{
    const std::string why = refused(code, {"start", file});
    INFO(why);
    for (const std::string& name : named)
        CHECK(contains(why, name));
    CHECK_FALSE(contains(why, "/proc/self/fd"));
    CHECK(lines(ctl({"list"}).out).size() == 1);
}

std::string plain(const std::string& more, const std::string& name = "web")
{
    return spec(name, "root = \"ROOT\"\ncommand = [\"/bin/sleep\", \"1000\"]\n" + more);
}

/// While it lives, a filesystem of that size lies on /run/vial.
class SmallRun {
public:
    explicit SmallRun(const std::string& options)
    {
        ::mkdir("/run/vial", 0700);
        CHECK(::mount("tmpfs", "/run/vial", "tmpfs", 0, options.c_str()) == 0);
    }
    ~SmallRun() { CHECK(::umount2("/run/vial", 0) == 0); }
    SmallRun(const SmallRun&) = delete;
    SmallRun& operator=(const SmallRun&) = delete;
};

/// What a start leaves in /run/vial beside the lock.
std::string left_in_run()
{
    return run({"sh", "-c", "ls -A /run/vial | grep -vx .lock"}).out;
}

/// A start that may or may not find what it needs: either it succeeds wholly, or it says why in one line and leaves nothing.
bool start_or_nothing(const std::string& file, const std::string& name)
{
    const Finished started = ctl({"start", file});
    INFO("start: ", started.code, " ", started.err);
    if (started.code == 0) {
        CHECK(started.err == "");
        CHECK(field(listed(name), {"state"}) == "\"running\"");
        (void)done({"stop", name});
    } else {
        CHECK(started.code == 1);
        CHECK(lines(started.err).size() == 1);
    }
    CHECK(left_in_run() == "");
    return started.code == 0;
}

}  // namespace

TEST_CASE("a root that is not there, that is no image, that is something else")
{
    const NothingLeft nothing_left;
    const auto with_root = [](const std::string& path) {
        return spec("web", "root = \"" + path + "\"\ncommand = [\"/bin/true\"]\n");
    };
    start_refused(1, with_root("/not/there"), {"/not/there", "No such file"});
    write_text(work() + "/text", "this is a file, but no image\n");
    start_refused(1, with_root(work() + "/text"), {work() + "/text", "image"});
    write_text(work() + "/empty", "");
    start_refused(1, with_root(work() + "/empty"), {work() + "/empty"});
    start_refused(1, with_root("/dev/null"), {"/dev/null"});
    start_refused(1, with_root("/dev/zero"), {"/dev/zero"});
    (void)run({"mkfifo", work() + "/pipe"});
    start_refused(1, with_root(work() + "/pipe"), {work() + "/pipe"});
    start_refused(1, with_root(empty_directory("bare")), {"bare"});
    (void)run({"ln", "-sfn", work() + "/dangling", work() + "/link"});
    start_refused(1, with_root(work() + "/link"), {work() + "/link"});
    CHECK(contains(refused(125, {"run", "--root", "/not/there", "--", "/bin/true"}), "/not/there"));
}

TEST_CASE("a damaged image")
{
    const NothingLeft nothing_left;
    for (const RootKind kind : {RootKind::Squashfs, RootKind::Erofs, RootKind::Ext4}) {
        std::string image = read_text(root(kind));
        INFO(root(kind));
        CHECK(image.size() > 8192);
        // Cut short, and with its superblock full of noise behind the signature.
        write_text(work() + "/cut", std::string_view(image).substr(0, 4096));
        start_refused(1, spec("web", "root = \"" + work() + "/cut\"\ncommand = [\"/bin/true\"]\n"), {work() + "/cut"});
        for (std::size_t at = 1100; at < 1200; at++)
            image[at] = '\xff';
        for (std::size_t at = 8; at < 96; at++)
            image[at] = '\xff';
        write_text(work() + "/noise", image);
        const Finished finished = ctl({"start", spec("web", "root = \"" + work() + "/noise\"\ncommand = [\"/bin/not-there\"]\n")});
        INFO(finished.err);
        CHECK(finished.code == 1);
        CHECK(lines(finished.err).size() == 1);
    }
}

TEST_CASE("mistakes in a spec are named with file, line and column")
{
    const NothingLeft nothing_left;
    start_refused(2, plain("memroy = 5\n"), {"web.conf:3:1: ", "memroy"});
    start_refused(2, plain("restrat = \"always\"\n"), {"web.conf:3:1: ", "did you mean 'restart'?"});
    start_refused(2, plain("[limits]\nmemry = \"16M\"\n"), {"web.conf:4:1: ", "did you mean 'memory'?"});
    start_refused(2, plain("read_only = \"yes\"\n"), {"web.conf:3:", "read_only", "true or false"});
    start_refused(2, plain("hostname = 5\n"), {"web.conf:3:", "hostname"});
    start_refused(2, plain("[limits]\ntasks = \"many\"\n"), {"web.conf:4:", "tasks"});
    start_refused(2, plain("[limits]\nmemory = \"16 cows\"\n"), {"web.conf:4:", "memory"});
    start_refused(2, plain("name = \"a/b\"\n"), {"web.conf:3:", "name", "a/b"});
    start_refused(2, plain("name = \"..\"\n"), {"web.conf:3:", "name"});
    start_refused(2, plain("name = \"\"\n"), {"web.conf:3:", "name"});
    start_refused(2, plain("[network.eth0]\naddress = \"10.0.3.2\"\n"), {"web.conf:4:", "10.0.3.2", "prefix"});
    start_refused(2, plain("[network.eth0]\naddress = \"10.0.3.2/33\"\n"), {"web.conf:4:"});
    start_refused(2, plain("[network.a_name_that_is_too_long]\naddress = \"10.0.3.2/24\"\n"), {"web.conf:3:", "a_name_that_is_too_long"});
    start_refused(2, plain("[network.eth0]\naddress = \"10.0.3.2/24\"\ngateway = \"10.0.4.1\"\n"), {"web.conf:5:", "10.0.4.1"});
    start_refused(2, plain("mounts = [\"data:/data\"]\n"), {"web.conf:3:", "data"});
    start_refused(2, plain("mounts = [\"/etc:../data\"]\n"), {"web.conf:3:"});
    start_refused(2, plain("[security]\ncapabilities = [\"ALMIGHTY\"]\n"), {"web.conf:4:", "ALMIGHTY"});
    start_refused(2, plain("init = false\nrestart = \"always\"\n"), {"web.conf:", "init = false"});
    start_refused(2, plain("stop_signal = \"LOUD\"\n"), {"web.conf:3:", "stop_signal"});
    start_refused(2, spec("web", "root = \"ROOT\"\n"), {"web.conf", "'command' is missing"});
    start_refused(2, spec("web", "command = [\"/bin/true\"]\n"), {"web.conf", "'root' is missing"});
    start_refused(2, spec("web", "root = \"ROOT\"\ncommand = \"/bin/true\"\ncommand = \"/bin/true\"\n"), {"web.conf:3:", "command"});
    start_refused(2, spec("web", "root = \n"), {"web.conf:1:"});
    start_refused(2, spec("web", "root = \"/never ends\n"), {"web.conf:1:"});

    // Several at once are told at once, each on its line.
    const Finished finished = ctl({"start", plain("memroy = 5\nhostname = 7\n[limits]\ntasks = \"many\"\n")});
    CHECK(finished.code == 2);
    CHECK(lines(finished.err).size() == 3);
    // run has its lower codes for the command.
    CHECK(contains(refused(125, {"run", plain("memroy = 5\n")}), "web.conf:3:1: "));
    CHECK(contains(refused(2, {"check", plain("memroy = 5\n")}), "web.conf:3:1: "));
    CHECK(contains(refused(2, {"show", plain("memroy = 5\n")}), "web.conf:3:1: "));
    CHECK(contains(refused(2, {"start", "--set", "memroy=5", plain("")}), "memroy"));
    CHECK(contains(refused(2, {"start", "--set", "memroy", plain("")}), "memroy"));
}

TEST_CASE("a spec that is not there, a directory, ten megabytes, a program, not UTF-8, empty")
{
    const NothingLeft nothing_left;
    const Finished missing = ctl({"start", work() + "/not-there.conf"});
    CHECK(missing.code == 2);
    CHECK(lines(missing.err).size() == 1);
    CHECK(contains(missing.err, "not-there.conf"));
    CHECK(contains(refused(2, {"start", "not-there"}), "not-there"));
    start_refused(2, work(), {work()});
    start_refused(2, "/dev/null", {"/dev/null"});
    std::string large = "# ";
    large.resize(10U << 20, 'x');
    write_text(work() + "/large.conf", large);
    start_refused(2, work() + "/large.conf", {"large.conf"});
    large.clear();
    while (large.size() < 10U << 20)
        large += "key" + std::to_string(large.size()) + " = [[[[{ a = \"\"\n";
    write_text(work() + "/large.conf", large);
    start_refused(2, work() + "/large.conf", {"large.conf"});
    start_refused(2, root() + "/bin/busybox", {"busybox"});
    start_refused(2, root(RootKind::Squashfs), {"squashfs"});
    write_text(work() + "/latin.conf", "root = \"ROOT\"\n# \xe9t\xe9\ncommand = [\"/bin/true\"]\n");
    start_refused(2, work() + "/latin.conf", {"latin.conf:2:"});
    write_text(work() + "/nul.conf", std::string_view("root = \"/a\0b\"\n", 14));
    start_refused(2, work() + "/nul.conf", {"nul.conf:1:"});
    start_refused(2, "/proc/self/mem", {"/proc/self/mem"});
    const Finished finished = ctl({"start", spec("void", "")});
    CHECK(finished.code == 2);
    CHECK(contains(finished.err, "'root' is missing"));
    // A pipe that never ends and a device are not waited for.
    (void)run({"mkfifo", work() + "/fifo.conf"});
    start_refused(2, work() + "/fifo.conf", {"fifo.conf"});
    start_refused(2, "/dev/zero", {"/dev/zero"});
}

TEST_CASE("a command that is not there, or that cannot be executed")
{
    const NothingLeft nothing_left;
    const auto with_command = [](const std::string& path) {
        return spec("web", "root = \"ROOT\"\ncommand = [\"" + path + "\"]\n");
    };
    start_refused(1, with_command("/bin/not-there"), {"/bin/not-there", "No such file"});
    start_refused(1, with_command("not-there"), {"not-there"});
    start_refused(1, with_command("/etc/passwd"), {"/etc/passwd", "ermission denied"});
    start_refused(1, with_command("/etc"), {"/etc"});
    // Of several services all or none run.
    start_refused(1, spec("web", "root = \"ROOT\"\n[service.good]\ncommand = [\"/bin/sleep\", \"1000\"]\n[service.bad]\ncommand = [\"/bin/not-there\"]\n"),
                  {"bad", "/bin/not-there"});
    start_refused(1, spec("web", "root = \"ROOT\"\ninit = false\ncommand = [\"/bin/not-there\"]\n"), {"/bin/not-there"});
    start_refused(1, plain("directory = \"/not/there\"\n"), {"/not/there"});
    CHECK(contains(refused(125, {"run", "--root", root(), "--set", "directory=\"/not/there\"", "--", "/bin/true"}), "/not/there"));
}

TEST_CASE("mounts whose source or target is missing")
{
    const NothingLeft nothing_left;
    start_refused(1, plain("mounts = [\"/not/there:/data\"]\n"), {"/not/there", "No such file"});
    start_refused(1, plain("mounts = [\"/etc:/not/there\"]\n"), {"/not/there", "read-only root"});
    start_refused(1, plain("mounts = [\"tmpfs:/not/there\"]\n"), {"/not/there", "read-only root"});
    // A file on a directory, and the other way round.
    write_text(work() + "/file", "");
    start_refused(1, plain("mounts = [\"" + work() + "/file:/data\"]\n"), {"/data"});
    start_refused(1, plain("mounts = [\"" + work() + ":/file\"]\n"), {"/file"});
    start_refused(1, plain("mounts = [\"" + work() + ":/bin/busybox/below\"]\n"), {"/bin/busybox/below"});
    start_refused(1, plain("overlay = \"/not/there\"\n"), {"/not/there"});
    write_text(work() + "/no-directory", "");
    start_refused(1, plain("overlay = \"" + work() + "/no-directory\"\n"), {"no-directory"});
}

TEST_CASE("an environment file that cannot be read")
{
    const NothingLeft nothing_left;
    start_refused(1, plain("environment_file = \"/not/there\"\n"), {"/not/there", "No such file"});
    start_refused(1, plain("environment_file = \"" + work() + "\"\n"), {work()});
    write_text(work() + "/environment", "GOOD=1\nno assignment\n");
    start_refused(1, plain("environment_file = \"" + work() + "/environment\"\n"), {"environment"});
    write_text(work() + "/environment", "# a comment\n\nCOLOUR=red\n");
    CHECK(ctl({"run", plain("environment_file = \"" + work() + "/environment\"\n"), "--", "/bin/sh", "-c", "echo $COLOUR"}).out == "red\n");
}

TEST_CASE("keys whose facility is to come are refused at start by name, and read by check")
{
    const NothingLeft nothing_left;
    const struct {
        const char *key, *line;
    } keys[] = {
        {"autostart", "autostart = true"},
        {"after", "after = [\"other\"]"},
        {"requires", "requires = [\"other\"]"},
        {"start_timeout", "start_timeout = \"10s\""},
        {"pod", "pod = \"other\""},
        {"optional", "optional = [\"limits.cpu\"]"},
        {"devices", "devices = [\"/dev/kvm\"]"},
        {"dns", "dns = [\"10.0.0.1\"]"},
        {"hosts", "hosts = [\"a 10.0.0.1\"]"},
        {"ports", "ports = [\"80:8080\"]"},
        {"restart_backoff", "restart_backoff = \"1m\""},
        {"restart_limit", "restart_limit = 5"},
        {"stable_after", "stable_after = \"1m\""},
        {"essential", "essential = true"},
        {"ready", "ready = \"notify\""},
        {"reload_signal", "reload_signal = \"HUP\""},
        {"oneshot", "oneshot = true"},
        {"on_start", "on_start = [\"/bin/true\"]"},
        {"on_stop", "on_stop = [\"/bin/true\"]"},
        {"on_failure", "on_failure = [\"/bin/true\"]"},
        {"tty", "tty = true"},
        {"user", "user = \"app\""},
        {"health", "[health]\ncommand = [\"/bin/true\"]"},
        {"namespaces.mount", "[namespaces]\nmount = false"},
        {"namespaces.pid", "[namespaces]\npid = false"},
        {"namespaces.join", "[namespaces.join]\nnet = \"/proc/1/ns/net\""},
        {"user_namespace.auto", "[user_namespace]\nauto = true"},
        {"network.eth0.type", "[network.eth0]\ntype = \"macvlan\""},
        {"network.eth0.routes", "[network.eth0]\nroutes = [\"10.1.0.0/16 via 10.0.3.1\"]"},
        {"limits.memory_high", "[limits]\nmemory_high = \"10M\""},
        {"limits.cpu_weight", "[limits]\ncpu_weight = 50"},
        {"limits.cpus", "[limits]\ncpus = \"0\""},
        {"limits.io_weight", "[limits]\nio_weight = 50"},
        {"limits.files", "[limits]\nfiles = 100"},
        {"limits.core", "[limits]\ncore = \"1M\""},
        {"limits.oom_group", "[limits]\noom_group = true"},
        {"limits.oom_score", "[limits]\noom_score = 100"},
        {"limits.cgroup", "[limits.cgroup]\n\"memory.swappiness\" = \"10\""},
        {"security.ambient", "[security]\nambient = [\"NET_ADMIN\"]"},
        {"security.seccomp", "[security]\nseccomp = \"/etc/profile\""},
        {"security.landlock", "[security]\nlandlock = [\"/srv\"]"},
        {"security.label", "[security]\nlabel = \"x\""},
        {"security.rlimits", "[security.rlimits]\nnofile = 5"},
        {"security.sysctl", "[security.sysctl]\n\"net.ipv4.ip_forward\" = \"1\""},
        {"security.securebits", "[security]\nsecurebits = [\"noroot\"]"},
        {"log.path", "[log]\npath = \"/var/log/web\""},
        {"log.prefix", "[log]\nprefix = \"web\""},
        {"log.timestamps", "[log]\ntimestamps = true"},
    };
    for (const auto& each : keys) {
        INFO(std::string(each.line));
        const std::string why = refused(2, {"start", plain(std::string(each.line) + "\n")});
        CHECK(contains(why, std::string("not supported yet: ") + each.key));
        CHECK(contains(refused(2, {"check", plain(std::string(each.line) + "\n")}), std::string("not supported yet: ") + each.key));
        CHECK(contains(refused(125, {"run", plain(std::string(each.line) + "\n")}), std::string("not supported yet: ") + each.key));
    }
    // All of them, not only the first.
    const Finished both = ctl({"start", plain("autostart = true\n[limits]\nfiles = 100\n")});
    INFO(both.err);
    CHECK(contains(both.err, "autostart"));
    CHECK(contains(both.err, "limits.files"));
}

TEST_CASE("wrong usage of every command is exit code 2 (for run and exec 125), and says what")
{
    const NothingLeft nothing_left;
    const struct {
        int code;
        Words words;
        const char* named;
    } uses[] = {
        {2, {}, "no command"},
        {2, {"strat"}, "did you mean 'start'?"},
        {2, {"--bogus"}, "--bogus"},
        {2, {"start"}, "which spec"},
        {2, {"start", "a", "b"}, "start"},
        {2, {"start", "--bogus", "a"}, "--bogus"},
        {2, {"start", "-x", "a"}, "-x"},
        {2, {"start", "--set"}, "--set"},
        {2, {"start", "--wait=yes", "a"}, "--wait"},
        {125, {"run"}, "run"},
        {125, {"run", "--bogus"}, "--bogus"},
        {125, {"run", "--root", "/"}, "command"},
        {125, {"run", "--", "/bin/true"}, "run"},
        {125, {"run", "a", "/bin/true"}, "--"},
        {125, {"exec"}, "exec"},
        {125, {"exec", "web"}, "exec"},
        {125, {"exec", "--bogus", "web", "--", "/bin/true"}, "--bogus"},
        {2, {"stop"}, "which container"},
        {2, {"stop", "--timeout=soon", "web"}, "soon"},
        {2, {"stop", "--timeout"}, "--timeout"},
        {2, {"restart"}, "which container"},
        {2, {"restart", "a", "b"}, "restart"},
        {2, {"restart", "--timeout=soon", "web"}, "soon"},
        {2, {"kill"}, "which container"},
        {2, {"kill", "--signal=LOUD", "web"}, "LOUD"},
        {2, {"kill", "--signal=0", "web"}, "0"},
        {2, {"kill", "--signal=99", "web"}, "99"},
        {2, {"wait"}, "which container"},
        {2, {"list", "web"}, "list"},
        {2, {"list", "--bogus"}, "--bogus"},
        {2, {"status"}, "which container"},
        {2, {"status", "a", "b"}, "status"},
        {2, {"stats"}, "which container"},
        {2, {"logs"}, "which container"},
        {2, {"logs", "a", "b"}, "logs"},
        {2, {"check"}, "which spec"},
        {2, {"show"}, "which spec"},
        {2, {"show", "a", "b"}, "show"},
    };
    for (const auto& each : uses) {
        const Finished finished = ctl(each.words);
        std::string all;
        for (const std::string& word : each.words)
            all += " " + word;
        INFO("vial", all, ": ", finished.err);
        CHECK(finished.code == each.code);
        CHECK(finished.out == "");
        // A second line may say where to read on.
        const auto said = lines(finished.err);
        CHECK((said.size() == 1 || (said.size() == 2 && contains(said[1], "--help"))));
        CHECK(contains(finished.err, each.named));
    }
}

TEST_CASE("names of containers that are not there")
{
    const NothingLeft nothing_left;
    for (const char* name : {"nobody", ".", "..", "../vial", "a/b", ".lock", ""}) {
        INFO(std::string(name));
        for (const char* command : {"stop", "restart", "kill", "wait", "status", "stats", "logs"}) {
            const std::string why = refused(3, {command, name});
            CHECK(contains(why, "no such container"));
            // Named once.
            if (*name != '\0')
                CHECK(why.find(name) == why.rfind(name));
        }
        CHECK(contains(refused(125, {"exec", name, "--", "/bin/true"}), "no such container"));
    }
    const std::string why = refused(125, {"exec", "nobody", "--", "/bin/true"});
    CHECK(why.find("nobody") == why.rfind("nobody"));
    // Of several the good ones are done all the same.
    (void)done({"start", plain("")});
    const Finished finished = ctl({"stop", "nobody", "web"});
    CHECK(finished.code == 3);
    CHECK(lines(finished.err).size() == 1);
    CHECK(lines(ctl({"list"}).out).size() == 1);
}

TEST_CASE("--help and --version, everywhere")
{
    const NothingLeft nothing_left;
    CHECK(contains(done({"--version"}), "vial "));
    CHECK_FALSE(contains(done({"--version"}), "unknown"));
    const std::string overview = done({"--help"});
    CHECK(done({"-h"}) == overview);
    for (const char* command : {"start", "run", "stop", "restart", "kill", "exec", "list", "status", "stats", "logs", "wait", "check", "show"}) {
        INFO(std::string(command));
        CHECK(contains(overview, command));
        const std::string help = done({command, "--help"});
        CHECK(contains(help, std::string("usage: vial ") + command));
        CHECK(done({command, "-h"}) == help);
        for (const std::string& line : lines(help))
            CHECK((line.empty() || line.back() != ' '));
    }
    for (const char* command : {"attach", "pause", "resume", "top", "events", "update", "init", "boot"}) {
        INFO(std::string(command));
        CHECK(contains(done({command, "--help"}), "usage: vial "));
        CHECK(contains(refused(1, {command, "x"}), std::string("not supported yet: ") + command));
    }
}

TEST_CASE("without root")
{
    const NothingLeft nothing_left;
    const std::string file = plain("");
    const std::string program = ctl_words({}).front();
    const Words commands[] = {
        {"start", file}, {"run", file}, {"stop", "web"}, {"restart", "web"}, {"kill", "web"}, {"wait", "web"}, {"list"},
        {"status", "web"}, {"stats", "web"}, {"logs", "web"}, {"exec", "web", "--", "/bin/true"},
    };
    // An ordinary user, and root who was denied the capability.
    for (const Words& who : {Words{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, Words{"setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"}}) {
        for (const Words& command : commands) {
            Words all = who;
            all.push_back(program);
            all.insert(all.end(), command.begin(), command.end());
            const Finished finished = run(all);
            INFO(command.front(), ": ", finished.err);
            CHECK(finished.code == (command.front() == "run" || command.front() == "exec" ? 125 : 1));
            CHECK(lines(finished.err).size() == 1);
            CHECK(contains(finished.err, "vial: " + command.front() + " needs root (CAP_SYS_ADMIN)"));
        }
    }
    // Looking at a spec needs nothing.
    for (const char* command : {"check", "show"}) {
        const Finished finished = run({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, command, file});
        INFO(finished.err);
        CHECK(finished.code == 0);
    }
}

TEST_CASE("a /run/vial that is full")
{
    const NothingLeft nothing_left;
    const std::string file = plain("[network.eth0]\nbridge = \"br-full\"\naddress = \"10.9.20.2/24\"\n");
    bool fits = false;
    for (int size = 4; size <= 168; size += 4) {
        const SmallRun small("mode=0700,size=" + std::to_string(size) + "k");
        INFO("size ", size, "k");
        const bool now = start_or_nothing(file, "web");
        CHECK(now >= fits);  // what fits does so in more room too
        fits = now;
    }
    CHECK(fits);
    fits = false;
    for (int files = 1; files <= 10; files++) {
        const SmallRun small("mode=0700,nr_inodes=" + std::to_string(files));
        INFO(files, " files");
        fits = start_or_nothing(file, "web");
        const Finished finished = ctl({"run", "--root", root(), "--", "/bin/true"});
        CHECK((finished.code == 0 || (finished.code == 125 && lines(finished.err).size() == 1)));
        CHECK(left_in_run() == "");
    }
    CHECK(fits);
}

TEST_CASE("a /run/vial that fills up while the container runs")
{
    const NothingLeft nothing_left;
    const SmallRun small("mode=0700,size=256k");
    (void)done({"start", plain("")});
    (void)run({"sh", "-c", "cat /dev/zero >/run/vial/filler"});
    CHECK(field(listed("web"), {"state"}) == "\"running\"");
    CHECK(ctl({"exec", "web", "--", "/bin/echo", "in"}).out == "in\n");
    CHECK(ctl({"start", plain("", "other")}).code == 1);
    CHECK(run({"rm", "/run/vial/filler"}).code == 0);
    CHECK(lines(ctl({"list"}).out).size() == 2);
    (void)done({"stop", "web"});
    CHECK(left_in_run() == "");
}

TEST_CASE("a /run/vial that cannot be written to")
{
    const NothingLeft nothing_left;
    const SmallRun small("mode=0700");
    CHECK(::mount(nullptr, "/run/vial", nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0);
    start_refused(1, plain(""), {"/run/vial", "ead-only"});
}

TEST_CASE("a state directory with somebody's rubbish in it does not stop the others")
{
    const NothingLeft nothing_left;
    (void)done({"start", plain("")});
    (void)run({"sh", "-c", "mkdir /run/vial/empty /run/vial/noise; head -c 5000 /dev/urandom >/run/vial/noise/journal; touch /run/vial/file"});
    CHECK(contains(ctl({"list"}).out, "web"));
    CHECK(field(listed("web"), {"state"}) == "\"running\"");
    CHECK(ctl({"exec", "web", "--", "/bin/echo", "in"}).out == "in\n");
    CHECK(ctl({"stop", "web"}).code == 0);
    (void)run({"rm", "-rf", "/run/vial/empty", "/run/vial/noise", "/run/vial/file"});
}

TEST_CASE("a kernel without one of the namespaces")
{
    const NothingLeft nothing_left;
    const struct {
        const char *file, *call, *lines, *named;
    } kinds[] = {
        {"mnt", "clone:CLONE_NEWNS", "", "mount namespaces"},
        {"pid", "clone:CLONE_NEWPID", "", "PID namespaces"},
        {"net", "clone:CLONE_NEWNET", "", "network namespaces"},
        {"ipc", "clone:CLONE_NEWIPC", "", "IPC namespaces"},
        {"uts", "clone:CLONE_NEWUTS", "", "UTS namespaces"},
        {"cgroup", "unshare:CLONE_NEWCGROUP", "", "cgroup namespaces"},
        {"user", "clone:CLONE_NEWUSER", "[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 100000 65536\"\n", "user namespaces"},
        {"time", "unshare:CLONE_NEWTIME", "[namespaces]\ntime = true\n", "time namespaces"},
    };
    // Such a kernel has no file for it in /proc/PID/ns either: the process that becomes vial gets a directory without.
    const std::string without = "mount -t tmpfs tmpfs /proc/$$/ns; for file in cgroup ipc mnt net pid time user uts; do "
                                "[ $file = $1 ] || : >/proc/$$/ns/$file; done; shift; exec \"$@\"";
    for (const auto& kind : kinds) {
        INFO(std::string(kind.file));
        const std::string file = plain(kind.lines);
        const Finished finished = run({"sh", "-c", without, "sh", kind.file, payload("oldkernel"), "--without",
                                       std::string("clone3,") + kind.call, "--", ctl_words({}).front(), "start", file});
        INFO(finished.err);
        CHECK(finished.code == 1);
        CHECK(lines(finished.err).size() == 1);
        CHECK(contains(finished.err, std::string("this kernel has no ") + kind.named));
        CHECK(lines(ctl({"list"}).out).size() == 1);
    }
    // What a kernel lacks can be left out, where the container can live without.
    for (const auto& kind : kinds) {
        const std::string name = kind.file;
        if (name != "ipc" && name != "uts" && name != "cgroup")
            continue;
        const std::string file = plain("[namespaces]\n" + name + " = false\n");
        CHECK(run({"sh", "-c", without, "sh", kind.file, payload("oldkernel"), "--without", std::string("clone3,") + kind.call, "--",
                   ctl_words({}).front(), "start", file}).code == 0);
        (void)done({"stop", "web"});
    }
}

TEST_CASE("a confinement that forbids the namespaces altogether")
{
    const NothingLeft nothing_left;
    const Finished finished = run({payload("oldkernel"), "--without", "clone3", "--errno", "EPERM", "--", "setpriv", "--bounding-set=-sys_admin",
                                   "--inh-caps=-sys_admin", ctl_words({}).front(), "start", plain("")});
    CHECK(finished.code == 1);
    CHECK(lines(finished.err).size() == 1);
}

TEST_CASE("without /proc")
{
    const NothingLeft nothing_left;
    const Finished finished = run({"unshare", "--mount", "--propagation", "private", "sh", "-c", "umount -l /proc && exec \"$@\"", "sh",
                                   ctl_words({}).front(), "start", plain("")});
    INFO(finished.err);
    CHECK(finished.code == 1);
    CHECK(lines(finished.err).size() == 1);
    CHECK(contains(finished.err, "/proc"));
}

TEST_CASE("output that cannot be written is a failure")
{
    const NothingLeft nothing_left;
    const std::string program = ctl_words({}).front();
    for (const char* command : {"list", "--help"})
        CHECK(run({"sh", "-c", "exec \"$@\" >/dev/full", "sh", program, command}).code != 0);
}
