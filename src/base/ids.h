// Strong ids: two numbers of different meaning never mix. No arithmetic but what an RFC gives them.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit {

template <class Tag, class Rep>
class StrongId {
public:
    using rep = Rep;
    constexpr StrongId() = default;
    constexpr explicit StrongId(Rep value) : value_(value) {}
    [[nodiscard]] constexpr Rep value() const { return value_; }
    constexpr auto operator<=>(const StrongId&) const = default;

private:
    Rep value_ = 0;
};

/// An account (a person's mailboxes). 0 is the server itself (queue, directory, postmaster's
/// trail).
using AccountId = StrongId<struct AccountTag, std::uint32_t>;
/// A mailbox within an account; never reused. JMAP Mailbox id, RFC 8474 MAILBOXID.
using MailboxId = StrongId<struct MailboxTag, std::uint32_t>;
/// RFC 9051 2.3.1.1. 0 is never assigned.
using Uid = StrongId<struct UidTag, std::uint32_t>;
/// RFC 9051 2.3.1.1: with a mailbox's name and a Uid, one message for ever.
using UidValidity = StrongId<struct UidValidityTag, std::uint32_t>;
/// RFC 7162: one counter an account; a mailbox's HIGHESTMODSEQ is drawn from it. 63 bits.
using ModSeq = StrongId<struct ModSeqTag, std::uint64_t>;
/// An email object of an account (RFC 8474 EMAILID); never reused.
using EmailId = StrongId<struct EmailTag, std::uint32_t>;
/// A thread of an account (RFC 8474 THREADID): the EmailId of its first email.
using ThreadId = StrongId<struct ThreadTag, std::uint32_t>;
/// One accepted message: in its 250, its logs, the queue, `message show`. Never reused.
using MailId = StrongId<struct MailTag, std::uint64_t>;
/// The number of a durable group commit, rising by one each; what a reader saw is "up to N".
using CommitSeq = StrongId<struct CommitTag, std::uint64_t>;

/// SHA-256 of a stored body: what it is called and how it is verified.
struct BlobId {
    std::array<std::uint8_t, 32> hash{};
    auto operator<=>(const BlobId&) const = default;
    [[nodiscard]] std::string_view bytes() const {
        return {reinterpret_cast<const char*>(hash.data()), hash.size()};
    }
    /// `raw` must be 32 bytes.
    static BlobId from_bytes(std::string_view raw);
    [[nodiscard]] std::string to_hex() const;
};

/// Fixed ten characters of Crockford's base 32 in lower case: "0000000g7k".
std::string to_string(MailId id);
/// The reverse; upper case accepted. Peer error when it is not ten such characters.
Result<MailId> parse_mail_id(std::string_view text);

}  // namespace godwit

template <class Tag, class Rep>
struct std::hash<godwit::StrongId<Tag, Rep>> {
    std::size_t operator()(const godwit::StrongId<Tag, Rep>& id) const noexcept {
        // Fibonacci spread: ids are dense and small, buckets are powers of two elsewhere.
        return static_cast<std::size_t>(id.value()) * 0x9E3779B97F4A7C15ULL;
    }
};
template <>
struct std::hash<godwit::BlobId> {
    std::size_t operator()(const godwit::BlobId& id) const noexcept {
        std::size_t head = 0;
        __builtin_memcpy(&head, id.hash.data(), sizeof head);
        return head;
    }
};
