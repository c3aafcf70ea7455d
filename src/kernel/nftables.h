// SPDX-License-Identifier: MIT
#pragma once

/// The kernel's packet filter, changed without a library: nf_tables over nfnetlink.
///
/// A `Transaction` is about one table, and comes true as a whole or not at all. It is written in the order in which it shall
/// be read: tables, chains, and in each chain rules, whose expressions load something into a register and compare it, and end
/// in what becomes of the packet. What the messages look like is nowhere told but in the kernel's own
/// include/uapi/linux/netfilter/nf_tables.h; numbers are in network order, and what is compared is as it stands in the packet.
/// What the rules are for is told in kernel/nat.h.

#include "base/result.h"
#include "base/text.h"
#include "kernel/netlink.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

namespace vial {

class Transaction {
public:
    /// `family`: AF_INET or AF_INET6, whose numbers the kernel has for its tables as well.
    Transaction(std::uint8_t family, std::string_view table);

    void make_table();
    /// With all that is in it.
    void remove_table();
    /// `hook`: as NF_INET_PRE_ROUTING; the lower the `priority`, the earlier. A chain without a hook is one to jump to.
    void chain(const char* name, const char* type, std::uint32_t hook, std::int32_t priority);
    void chain(const char* name);
    /// Appends a rule to a chain; its expressions follow.
    void rule(const char* chain);

    // Into the first register.
    void load_meta(std::uint32_t key);                                              ///< NFT_META_OIF
    void load_tracked(std::uint32_t key);                                           ///< NFT_CT_STATE
    void load_payload(std::uint32_t base, std::uint32_t offset, std::size_t size);  ///< NFT_PAYLOAD_NETWORK_HEADER
    void load_kind_of_destination();                                                ///< RTN_LOCAL
    /// Goes on only where it compares so: NFT_CMP_EQ. Of a number: one of the host's, as marks and interfaces are.
    void compare(std::uint32_t operation, std::span<const std::uint8_t> value);
    void compare(std::uint32_t operation, std::uint32_t number);
    /// Goes on only where one of these bits is set.
    void has_any(std::uint32_t bits);

    // What becomes of it.
    void verdict(std::int32_t code, const char* chain = nullptr);  ///< NF_DROP; NFT_JUMP to a chain
    void masquerade();
    /// To that address and port, the latter in network order.
    void redirect(std::span<const std::uint8_t> address, std::uint16_t port);

    /// Ends it: nothing can be added any more. What is sent to the kernel, alive as long as the transaction.
    std::string_view finish();
    /// Ends and sends it. `step` and `object` for the error. ENOENT where the table is not there, or the kernel lacks an expression.
    Result<void> commit(NetlinkSocket& socket, Phrase step, std::string_view object);

private:
    void message(unsigned type, unsigned flags, std::uint8_t family, std::uint16_t resource);
    void request(unsigned type, unsigned flags);
    void end_message();
    std::size_t begin(std::uint16_t attribute);
    void end(std::size_t begun);
    void put(std::uint16_t attribute, std::string_view value);
    void put(std::uint16_t attribute, std::uint32_t number);
    void put_name(std::uint16_t attribute, std::string_view name);
    void data(std::uint16_t attribute, std::span<const std::uint8_t> value);
    void open_expression(const char* name, std::initializer_list<std::uint32_t> numbers);
    void close_expression();
    void expression(const char* name, std::initializer_list<std::uint32_t> numbers);
    void load(std::uint32_t into, std::span<const std::uint8_t> value);

    Builder bytes_;
    std::string_view table_;
    std::uint8_t family_;
    std::size_t message_ = 0;                           ///< where the last message begins
    std::size_t rule_ = 0, element_ = 0, content_ = 0;  ///< and in it the attributes that are open; 0: none
};

}  // namespace vial
