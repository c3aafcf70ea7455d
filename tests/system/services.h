// SPDX-License-Identifier: MIT
#pragma once

/// The services of a container: what its status says of each, and a directory in which they meet the test.

#include "base/json.h"
#include "harness.h"

namespace vial::test {

/// Of a service of the container, by name.
inline std::string of(const std::string& container, const std::string& service, const std::string& key)
{
    const std::string services = field(ctl({"status", "--json", container}).out, {"services"});
    json::Raw rest = services;
    for (json::Raw one = json::next_element(rest); !one.empty(); one = json::next_element(rest))
        if (field(one, {"service"}) == "\"" + service + "\"")
            return field(one, {key});
    return {};
}

inline bool becomes(const std::string& container, const std::string& service, const std::string& state)
{
    return eventually([&] { return of(container, service, "state") == "\"" + state + "\""; });
}

inline std::string pid_of(const std::string& container, const std::string& service = "main")
{
    return of(container, service, "pid");
}

/// A directory of the test's that the containers have as /data.
inline const std::string& data()
{
    static const std::string path = empty_directory("data", 0777);
    return path;
}

/// Begins a case: /data is empty, and `notify` of payloads/ is /file.
inline std::string service_spec(const std::string& name, std::string_view text)
{
    (void)empty_directory("data", 0777);
    return spec(name, "root = \"ROOT\"\nmounts = [\"" + data() + ":/data\", \"" + payload("notify") +
                          ":/file:ro\"]\n[limits]\nmemory = \"64M\"\n" + std::string(text));
}

inline std::string shell(std::string_view script)
{
    return "[\"/bin/sh\", \"-c\", \"" + std::string(script) + "\"]";
}

inline std::string written(const std::string& name)
{
    return read_text(data() + "/" + name);
}

inline bool wrote(const std::string& name, const std::string& text)
{
    return eventually([&] { return exists(data() + "/" + name) && written(name) == text; });
}

}  // namespace vial::test
