// SPDX-License-Identifier: MIT

/// Whatever a netlink socket may hand out: taken apart the way `NetlinkSocket::request` and the bridge code do.
/// Under libFuzzer's sanitizers a read past the end is found at once.

#include "kernel/netlink.h"
#include "kernel/network.h"

#include <cstdint>
#include <cstdlib>
#include <linux/netlink.h>
#include <span>

using namespace vial;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::span<const std::uint8_t> rest(data, size);
    NetlinkReply reply;
    std::size_t left = rest.size();
    while (take_message(rest, reply)) {
        if (rest.size() >= left)
            std::abort();  // it would never end
        left = rest.size();

        const NetlinkVerdict verdict = read_verdict(reply);
        if (verdict.number < 0 || verdict.number > 4095)
            std::abort();
        // Touch every byte that is handed on.
        volatile unsigned sum = 0;
        for (const char letter : verdict.words)
            sum = sum + static_cast<unsigned char>(letter);
        Link link;
        if (read_link(reply, link) && (link.name[15] != '\0' || link.kind[15] != '\0'))
            std::abort();
        auto attributes = reply.payload;
        NetlinkAttribute attribute;
        while (take_attribute(attributes, attribute)) {
            sum = sum + attribute.number();
            for (const char letter : attribute.text())
                sum = sum + static_cast<unsigned char>(letter);
        }
    }
    return 0;
}
