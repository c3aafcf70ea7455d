// SPDX-License-Identifier: MIT
#include "kernel/nftables.h"

#include <arpa/inet.h>
#include <cstddef>
#include <cstring>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <utility>

namespace vial {

namespace {

// Older headers lack these.
constexpr std::uint32_t fib_result_kind = 3;     // NFT_FIB_RESULT_ADDRTYPE
constexpr std::uint32_t fib_of_destination = 2;  // NFTA_FIB_F_DADDR

template <typename T>
std::string_view raw(const T& value)
{
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string_view letters(std::span<const std::uint8_t> bytes)
{
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::uint8_t> bytes_of(const std::uint32_t& number)
{
    return {reinterpret_cast<const std::uint8_t*>(&number), sizeof number};
}

}  // namespace

Transaction::Transaction(std::uint8_t family, std::string_view table) : table_(table), family_(family)
{
    message(NFNL_MSG_BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES);
}

// ---- Messages and attributes ----------------------------------------------------------------------------------------

void Transaction::message(unsigned type, unsigned flags, std::uint8_t family, std::uint16_t resource)
{
    end_message();
    message_ = bytes_.size();
    const nlmsghdr head{0, static_cast<std::uint16_t>(type), static_cast<std::uint16_t>(flags | NLM_F_REQUEST), 0, 0};
    const nfgenmsg generic{family, 0, htons(resource)};
    bytes_ += raw(head);
    bytes_ += raw(generic);
}

/// Closes what is open, and says how long the message has become.
void Transaction::end_message()
{
    if (rule_ != 0)
        end(std::exchange(rule_, 0));
    const auto size = static_cast<std::uint32_t>(bytes_.size() - message_);
    if (size != 0)
        std::memcpy(bytes_.at(message_), &size, sizeof size);
}

/// Every kind of message about a table has its name as the first attribute.
void Transaction::request(unsigned type, unsigned flags)
{
    message(NFNL_SUBSYS_NFTABLES << 8 | type, flags, family_, 0);
    put_name(NFTA_TABLE_NAME, table_);
}

std::size_t Transaction::begin(std::uint16_t attribute)
{
    const std::size_t begun = bytes_.size();
    const nlattr head{0, static_cast<std::uint16_t>(attribute | NLA_F_NESTED)};
    bytes_ += raw(head);
    return begun;
}

void Transaction::end(std::size_t begun)
{
    const auto size = static_cast<std::uint16_t>(bytes_.size() - begun);
    std::memcpy(bytes_.at(begun), &size, sizeof size);  // nla_len is the first field
}

void Transaction::put(std::uint16_t attribute, std::string_view value)
{
    const nlattr head{static_cast<std::uint16_t>(sizeof head + value.size()), attribute};
    bytes_ += raw(head);
    bytes_ += value;
    while (bytes_.size() % 4 != 0)
        bytes_ += '\0';
}

void Transaction::put(std::uint16_t attribute, std::uint32_t number)
{
    put(attribute, raw(htonl(number)));
}

void Transaction::put_name(std::uint16_t attribute, std::string_view name)
{
    put(attribute, concat(name, std::string_view("\0", 1)));  // with a NUL
}

void Transaction::data(std::uint16_t attribute, std::span<const std::uint8_t> value)
{
    const std::size_t begun = begin(attribute);
    put(NFTA_DATA_VALUE, letters(value));
    end(begun);
}

// ---- Tables, chains and rules ---------------------------------------------------------------------------------------

void Transaction::make_table()
{
    request(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
}

void Transaction::remove_table()
{
    request(NFT_MSG_DELTABLE, 0);
}

void Transaction::chain(const char* name, const char* type, std::uint32_t hook, std::int32_t priority)
{
    chain(name);
    const std::size_t begun = begin(NFTA_CHAIN_HOOK);
    put(NFTA_HOOK_HOOKNUM, hook);
    put(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(priority));
    end(begun);
    put_name(NFTA_CHAIN_TYPE, type);
}

void Transaction::chain(const char* name)
{
    request(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    put_name(NFTA_CHAIN_NAME, name);
}

void Transaction::rule(const char* chain)
{
    request(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    put_name(NFTA_RULE_CHAIN, chain);
    rule_ = begin(NFTA_RULE_EXPRESSIONS);
}

/// The first attributes of every expression we use are numbers, from 1 on.
void Transaction::open_expression(const char* name, std::initializer_list<std::uint32_t> numbers)
{
    element_ = begin(NFTA_LIST_ELEM);
    put_name(NFTA_EXPR_NAME, name);
    content_ = begin(NFTA_EXPR_DATA);
    std::uint16_t attribute = 0;
    for (const std::uint32_t number : numbers)
        put(++attribute, number);
}

void Transaction::close_expression()
{
    end(content_);
    end(element_);
}

void Transaction::expression(const char* name, std::initializer_list<std::uint32_t> numbers)
{
    open_expression(name, numbers);
    close_expression();
}

void Transaction::load_meta(std::uint32_t key)
{
    expression("meta", {NFT_REG_1, key});
}

void Transaction::load_tracked(std::uint32_t key)
{
    expression("ct", {NFT_REG_1, key});
}

void Transaction::load_payload(std::uint32_t base, std::uint32_t offset, std::size_t size)
{
    expression("payload", {NFT_REG_1, base, offset, static_cast<std::uint32_t>(size)});
}

void Transaction::load_kind_of_destination()
{
    expression("fib", {NFT_REG_1, fib_result_kind, fib_of_destination});
}

void Transaction::compare(std::uint32_t operation, std::span<const std::uint8_t> value)
{
    open_expression("cmp", {NFT_REG_1, operation});
    data(NFTA_CMP_DATA, value);
    close_expression();
}

void Transaction::compare(std::uint32_t operation, std::uint32_t number)
{
    compare(operation, bytes_of(number));
}

void Transaction::has_any(std::uint32_t bits)
{
    const std::uint32_t none = 0;
    open_expression("bitwise", {NFT_REG_1, NFT_REG_1, sizeof bits});
    data(NFTA_BITWISE_MASK, bytes_of(bits));
    data(NFTA_BITWISE_XOR, bytes_of(none));
    close_expression();
    compare(NFT_CMP_NEQ, none);
}

void Transaction::load(std::uint32_t into, std::span<const std::uint8_t> value)
{
    open_expression("immediate", {into});
    data(NFTA_IMMEDIATE_DATA, value);
    close_expression();
}

void Transaction::verdict(std::int32_t code, const char* chain)
{
    open_expression("immediate", {NFT_REG_VERDICT});
    const std::size_t given = begin(NFTA_IMMEDIATE_DATA), inner = begin(NFTA_DATA_VERDICT);
    put(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code));
    if (chain != nullptr)
        put_name(NFTA_VERDICT_CHAIN, chain);
    end(inner);
    end(given);
    close_expression();
}

void Transaction::masquerade()
{
    expression("masq", {});
}

void Transaction::redirect(std::span<const std::uint8_t> address, std::uint16_t port)
{
    load(NFT_REG_1, address);
    load(NFT_REG_2, {reinterpret_cast<const std::uint8_t*>(&port), sizeof port});
    expression("nat", {NFT_NAT_DNAT, family_, NFT_REG_1, NFT_REG_1, NFT_REG_2, NFT_REG_2});
}

std::string_view Transaction::finish()
{
    // The verdict on the last change is that on all: one that fails before it answers first, and by itself.
    std::uint16_t flags = 0;
    char* const place = bytes_.at(message_ + offsetof(nlmsghdr, nlmsg_flags));
    std::memcpy(&flags, place, sizeof flags);
    flags |= NLM_F_ACK;
    std::memcpy(place, &flags, sizeof flags);
    message(NFNL_MSG_BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES);
    end_message();
    return bytes_;
}

Result<void> Transaction::commit(NetlinkSocket& socket, Phrase step, std::string_view object)
{
    auto done = socket.request_all(finish(), step, object);
    if (done.number() == EOPNOTSUPP)
        done.error().because("this kernel has no nf_tables (CONFIG_NF_TABLES)"_p);
    return done;
}

}  // namespace vial
