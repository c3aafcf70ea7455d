// SPDX-License-Identifier: MIT
#include "ground.h"

#include <cstdlib>

namespace vial::test {

const std::string& vial_copy()
{
    static const std::string* path = [] {
        const auto* copy = new std::string(work() + "/vial-copy");
        CHECK(run({"cp", ctl_words({}).back(), *copy}).code == 0);
        ::setenv("VIAL", copy->c_str(), 1);
        return copy;
    }();
    return *path;
}

std::string attacker()
{
    const std::string copy = work() + "/attacker-copy";
    if (!exists(copy))
        CHECK(run({"cp", payload("attacker"), copy}).code == 0);
    return copy;
}

std::string image(const std::string& name)
{
    (void)vial_copy();
    const std::string path = work() + "/" + name;
    CHECK(run({"rm", "-rf", path}).code == 0);
    CHECK(run({"cp", "-a", root(), path}).code == 0);
    CHECK(run({"cp", attacker(), path + "/attacker"}).code == 0);
    CHECK(run({"cp", payload("intruder"), path + "/intruder"}).code == 0);
    return path;
}

Finished attack(const std::string& image, const Words& words, const Words& settings)
{
    Words all = {"run", "--root", image};
    for (const std::string& setting : settings) {
        all.push_back("--set");
        all.push_back(setting);
    }
    all.push_back("--");
    all.push_back("/attacker");
    all.insert(all.end(), words.begin(), words.end());
    return ctl(all);
}

std::string fingerprint(const std::string& path)
{
    return run({"sha256sum", path}).out;
}

}  // namespace vial::test
