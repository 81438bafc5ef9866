// What MAIL and RCPT say, as values: only valid ones exist. Kept in the queue as binary records,
// never as text lines (SECURITY.md T20).
// RFC 5321 4.1.1.2, 4.1.1.3; RFC 1870 6; RFC 6152; RFC 6531 3.4; RFC 3461 4; RFC 3030 3; RFC 8689
// 2; RFC 4865; RFC 2852; RFC 6710 4; RFC 3865; RFC 7293.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mail/address/address.h"

namespace godwit::smtp {

enum class BodyType : std::uint8_t { Unstated, SevenBit, EightBitMime, BinaryMime };
enum class DsnReturn : std::uint8_t { Unstated, Full, Headers };

/// BY= of RFC 2852: within how many seconds from now, and what follows when that fails.
struct ByTime {
    enum class Mode : std::uint8_t { Return, Notify };
    std::int64_t seconds = 0;  ///< At most 9 digits. Above 0 with Return; may have gone by already.
    Mode mode = Mode::Notify;
    bool is_traced = false;
    bool operator==(const ByTime&) const = default;
};

struct MailParameters {
    std::optional<std::uint64_t> size;  ///< SIZE, octets as declared.
    BodyType body = BodyType::Unstated;
    bool smtputf8 = false;
    DsnReturn ret = DsnReturn::Unstated;
    std::optional<std::string> envid;  ///< Decoded: printable ASCII and space.
    std::optional<std::string> auth;   ///< AUTH=, decoded; empty for "<>". Trust is the caller's.
    bool require_tls = false;
    std::optional<std::int64_t> hold_for;    ///< HOLDFOR, seconds; never with hold_until.
    std::optional<std::int64_t> hold_until;  ///< HOLDUNTIL, unix seconds.
    std::optional<ByTime> by;
    std::optional<int> priority;  ///< MT-PRIORITY, -9 to 9.
    std::string solicit;          ///< SOLICIT=: keywords with commas between, as they were stated.
    bool wants_each_reply = false;  ///< PRDR: a reply for each recipient behind the content.
    bool operator==(const MailParameters&) const = default;
};

/// NOTIFY, RFC 3461 4.1. All false with is_stated: NEVER.
struct Notify {
    bool is_stated = false;
    bool success = false;
    bool failure = false;
    bool delay = false;
    bool operator==(const Notify&) const = default;
};
/// ORCPT, RFC 3461 4.2: decoded, printable ASCII and space; UTF-8 with type "utf-8" (RFC 6533).
struct OriginalRecipient {
    std::string type;
    std::string address;
    bool operator==(const OriginalRecipient&) const = default;
};
/// RRVS of RFC 7293: the address must have belonged to the same one since then.
struct ValidSince {
    std::int64_t at = 0;          ///< Unix seconds.
    bool must_be_checked = true;  ///< R: goes to no server that does not know of it. C: it may.
    bool operator==(const ValidSince&) const = default;
};
struct RcptParameters {
    Notify notify;
    std::optional<OriginalRecipient> orcpt;
    std::optional<ValidSince> valid_since;
    bool operator==(const RcptParameters&) const = default;
};

struct Recipient {
    mail::Address address;
    RcptParameters parameters;
    bool is_bare_postmaster =
        false;  ///< <postmaster> without a domain: `address` has our hostname.
};

/// One mail transaction. The engine owns the only one there is, and ends it in one function.
struct Transaction {
    std::optional<mail::Address> sender;  ///< nullopt: the null sender <>.
    MailParameters parameters;
    std::vector<Recipient> recipients;  ///< The accepted ones, in order.
};

}  // namespace godwit::smtp
