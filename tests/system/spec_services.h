// SPDX-License-Identifier: MIT
#pragma once

/// `vial init --spec` in somebody's container, asked on its socket how its services are.

#include "pid1.h"

#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace vial::test {

/// For `prepare`, in a mount namespace of its own: a /dev that goes with it.
inline void own_dev()
{
    const dev_t null = makedev(1, 3);
    if (::mount("tmpfs", "/dev", "tmpfs", 0, nullptr) != 0 || ::mknod("/dev/null", S_IFCHR | 0666, null) != 0)
        ::_exit(123);
}

/// In what a spec says NOTIFY stands for the program of payloads/, and WITNESS for the other.
inline Words init_words(const Words& options, std::string text)
{
    for (const char* name : {"NOTIFY", "WITNESS"}) {
        const std::string path = payload(name[0] == 'N' ? "notify" : "witness");
        for (std::size_t at = text.find(name); at != text.npos; at = text.find(name, at + path.size()))
            text.replace(at, std::char_traits<char>::length(name), path);
    }
    const std::string file = work() + "/services.conf";
    write_text(file, text);
    Words words = ctl_words({"init", "--control", work() + "/control", "--spec", file});
    words.insert(words.begin() + 2, options.begin(), options.end());
    return words;
}

/// Of a service of the init that answers at work()/control; empty where there is none.
inline std::string service_field(const std::string& service, const std::string& key)
{
    for (const std::string& line : lines(ControlLine(work() + "/control").ask("status"))) {
        if (field(line, {"service"}) == "\"" + service + "\"")
            return field(line, {key});
    }
    return "";
}

inline bool service_becomes(const std::string& service, const std::string& state)
{
    return eventually([&] { return service_field(service, "state") == "\"" + state + "\""; });
}

/// One as PID 1 of a namespace with a /proc and a /dev of its own.
class Services : public Contained {
public:
    explicit Services(const std::string& text, const Words& options = {})
        : Contained(init_words(options, text), own_dev)
    {
        CHECK(eventually([] { return ControlLine(work() + "/control").ask("ping") == "{\"ok\":true}\n"; }));
    }
    std::string ask(std::string_view request) const { return ControlLine(work() + "/control").ask(request); }
    std::string of(const std::string& service, const std::string& key) const { return service_field(service, key); }
    bool becomes(const std::string& service, const std::string& state) const { return service_becomes(service, state); }
    int end()
    {
        kill(SIGTERM);
        return Contained::end();
    }
};

/// A service that is there, so that there are several.
inline constexpr const char* other = "[service.other]\ncommand = [\"/bin/sleep\", \"1000\"]\n";

}  // namespace vial::test
