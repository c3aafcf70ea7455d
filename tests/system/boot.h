// SPDX-License-Identifier: MIT
#pragma once

/// A host's supervisor for a test: a directory of specs, `vial boot` over it, and what it says.

#include "services.h"

#include <doctest/doctest.h>
#include <memory>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

namespace vial::test {

/// Before anything is looked at: its sockets of `notify` lie in /dev, which is not the sandbox's own.
inline const bool own_notify = [] {
    ::mkdir("/dev/notify", 0755);
    return ::mount("tmpfs", "/dev/notify", "tmpfs", 0, "mode=755") == 0;
}();

class Boot {
public:
    /// Makes an empty directory.
    Boot() : directory_(empty_directory("boot"))
    {
        CHECK(own_notify);
        (void)data();
        (void)empty_directory("data", 0777);
    }
    /// Ends it in good order where the test has not done so, and takes the records of ended containers away.
    ~Boot()
    {
        if (process_)
            CHECK(stop() == 0);
        for (const std::string& line : lines(ctl({"list"}).out))
            if (const std::string name = line.substr(0, line.find(' ')); name != "NAME" && !line.empty())
                (void)ctl({"stop", name});
        CHECK_FALSE(exists("/run/vial/boot"));
        CHECK(run({"ls", "/dev/notify"}).out == "");
    }
    Boot(const Boot&) = delete;
    Boot& operator=(const Boot&) = delete;

    const std::string& directory() const { return directory_; }
    std::string path(const std::string& file) const { return directory_ + "/" + file; }

    /// A file of the directory, as `spec` has it; of a directory in it with a slash.
    void put(const std::string& file, std::string text) const
    {
        for (std::size_t at; (at = text.find("ROOT")) != text.npos;)
            text.replace(at, 4, root());
        if (const std::size_t slash = file.find('/'); slash != file.npos)
            ::mkdir(path(file.substr(0, slash)).c_str(), 0755);
        write_text(path(file), text);
    }
    void container(const std::string& name, const std::string& more = {}) const
    {
        put(name + ".conf", "root = \"ROOT\"\nautostart = true\n" + with_command(more));
    }
    void daemon(const std::string& name, const std::string& more = {}) const
    {
        put(name + ".conf", "autostart = true\n" + with_command(more));
    }

    void start() { process_ = std::make_unique<Process>(ctl_words({"boot", directory_})); }
    void start(const Birth& birth)
    {
        process_ = std::make_unique<Process>(ctl_words({"boot", directory_}), Process::Streams::Pipes, birth);
    }
    /// Kills it, and nothing else.
    void crash()
    {
        process_->kill(SIGKILL);
        CHECK(process_->wait() == 128 + SIGKILL);
    }
    int stop()
    {
        process_->kill(SIGTERM);
        const int code = process_->wait();
        INFO(process_->errors());
        errors_ = process_->errors();
        process_.reset();
        return code;
    }
    Process& process() { return *process_; }
    /// All that it has said on its console.
    std::string said()
    {
        if (!process_)
            return errors_;
        (void)process_->has_ended();
        return process_->errors();
    }
    bool says(const std::string& text)
    {
        const bool found = eventually([&] { return contains(said(), text); }, 10000);
        if (!found)
            MESSAGE(said());
        return found;
    }
    /// Has it read its specs again, and waits until it has.
    void reload()
    {
        const std::string before = said();
        (void)done({"reload", "boot"});
        CHECK(again());
    }
    /// It has become another one: its table of events begins anew with its specs.
    static bool again()
    {
        return eventually([] { return contains(ctl({"status", "boot"}).out, "boot: running"); });
    }

private:
    static std::string with_command(const std::string& more)
    {
        return contains(more, "command =") && !contains(more, "health =")
                   ? more
                   : "command = [\"/bin/sleep\", \"1000\"]\n" + more;
    }

    std::string directory_, errors_;
    std::unique_ptr<Process> process_;
};

inline bool is(const std::string& name, const std::string& state)
{
    const bool so = becomes("boot", name, state);
    if (!so)
        MESSAGE(name, ": ", ctl({"status", "boot"}).out);
    return so;
}

/// For a spec: it is started again without delay.
inline const std::string at_once = "restart = \"always\"\nrestart_delay = \"0s\"\n";

inline bool lives(const std::string& pid)
{
    const std::string stat = read_text("/proc/" + pid + "/stat");
    return !stat.empty() && !contains(stat, ") Z ");
}

inline std::string pid_at_boot(const std::string& name)
{
    return of("boot", name, "pid");
}

/// It is ready, and has another process than this one.
inline bool anew(const std::string& name, const std::string& before)
{
    return eventually([&] {
        const std::string services = field(ctl({"status", "--json", "boot"}).out, {"services"});
        json::Raw rest = services;
        for (json::Raw one = json::next_element(rest); !one.empty(); one = json::next_element(rest)) {
            const std::string pid = field(one, {"pid"});
            if (field(one, {"service"}) == "\"" + name + "\"")
                return field(one, {"state"}) == "\"ready\"" && pid != before && pid != "null";
        }
        return false;
    });
}

inline void kill_at_boot(const std::string& name)
{
    const std::string pid = pid_at_boot(name);
    INFO(name, ": ", pid, " ", ctl({"status", "boot"}).out);
    const long number = std::atol(pid.c_str());
    CHECK(number > 1);
    if (number > 1)
        ::kill(static_cast<pid_t>(number), SIGKILL);
}

}  // namespace vial::test
