// THE TABLE of SMTP extensions, read by both engines: keyword, where and when it is announced, the
// MAIL and RCPT parameters and the verbs it brings. A new extension is one row here.
// RFC 5321 2.2, 4.1.1.11; each row names its own RFC.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/smtp/envelope.h"
#include "wire/smtp/reply.h"

namespace godwit::smtp {

enum class Extension : std::uint8_t {
    Pipelining,
    Size,
    EightBitMime,
    EnhancedStatusCodes,
    SmtpUtf8,
    Chunking,
    Dsn,
    StartTls,
    Auth,
    Help,
    BinaryMime,
    RequireTls,
    FutureRelease,
    DeliverBy,
    MtPriority,
    Limits,
    Expn,
    XClient,
    XForward,
    NoSoliciting,
    Prdr,
    Rrvs,
    Etrn,
    Atrn,
    Burl
};
inline constexpr std::size_t kExtensionCount = 25;

class ExtensionSet {
public:
    void insert(Extension extension) { bits_ |= bit(extension); }
    void erase(Extension extension) { bits_ &= ~bit(extension); }
    [[nodiscard]] bool contains(Extension extension) const { return (bits_ & bit(extension)) != 0; }
    [[nodiscard]] bool is_empty() const { return bits_ == 0; }
    bool operator==(const ExtensionSet&) const = default;

private:
    static std::uint32_t bit(Extension extension) { return 1U << static_cast<unsigned>(extension); }
    std::uint32_t bits_ = 0;
};

enum class Service : std::uint8_t { Mx, Submission, Lmtp };

/// What decides whether a row is announced.
struct Announcement {
    Service service = Service::Mx;
    bool tls_available = false;
    bool tls_active = false;
    bool auth_available = false;  ///< At least one mechanism may be offered now.
    bool is_authenticated = false;
    bool holds_mail = false;         ///< Somewhere to wait for its release: FUTURERELEASE.
    bool answers_questions = false;  ///< This client may ask who has an address.
    bool takes_stand_ins = false;    ///< This client may speak for others: XCLIENT.
    bool takes_forwarded = false;    ///< It may say where mail came from: XFORWARD.
    bool takes_requests = false;     ///< It may ask for mail that waits: ETRN.
    bool turns_round = false;        ///< It may have it through its own connection: ATRN.
};

/// How a parameter's value may be wrong; nullopt when it is right and has been stored.
using MailParameterParser = std::optional<Reply> (*)(std::string_view value, MailParameters& into);
using RcptParameterParser = std::optional<Reply> (*)(std::string_view value, RcptParameters& into);

/// Keywords of RFC 3865 as they stand behind SOLICIT=, in NO-SOLICITING and in a Solicitation
/// field: split at commas; nullopt when they are none. At most solicitation_size_max octets.
std::optional<std::vector<std::string>> parse_solicitation(std::string_view text);
inline constexpr std::size_t solicitation_size_max = 1000;

struct MailParameterRow {
    std::string_view keyword;
    MailParameterParser parse;
};
struct RcptParameterRow {
    std::string_view keyword;
    RcptParameterParser parse;
};

struct ExtensionRow {
    Extension extension;
    std::string_view keyword;
    bool (*is_announced)(const Announcement&);
    std::span<const MailParameterRow> mail_parameters;
    std::span<const RcptParameterRow> rcpt_parameters;
    std::string_view verb;        ///< The verb that exists only with it; empty when none.
    std::string_view client_use;  ///< What the client engine does when it is offered. For the docs.
};

std::span<const ExtensionRow> extensions();
const ExtensionRow& row_of(Extension extension);
ExtensionSet announced_extensions(const Announcement& announcement);
/// The row of a parameter among `offered`; nullptr when none brings it.
const MailParameterRow* find_mail_parameter(ExtensionSet offered, std::string_view keyword);
const RcptParameterRow* find_rcpt_parameter(ExtensionSet offered, std::string_view keyword);

/// RFC 9422: what a server will take on one connection; nullopt: it did not say.
struct PeerLimits {
    std::optional<std::uint32_t> mails;       ///< MAILMAX: transactions a connection.
    std::optional<std::uint32_t> recipients;  ///< RCPTMAX: a transaction.
    std::optional<std::uint32_t> domains;     ///< RCPTDOMAINMAX: recipients' domains a transaction.
    bool operator==(const PeerLimits&) const = default;
};

/// What a peer's EHLO reply offers. C8: any case, "AUTH=LOGIN" beside "AUTH LOGIN", unknown
/// keywords ignored, duplicates united.
struct PeerExtensions {
    ExtensionSet set;
    std::uint64_t size_max = 0;  ///< 0: not limited, not said or absurd (B5).
    std::vector<std::string> auth_mechanisms;
    std::string name;              ///< The first word: who the peer says it is (C10).
    std::int64_t by_time_min = 0;  ///< DELIVERBY: no BY=...;R of fewer seconds.
    PeerLimits limits;
};
PeerExtensions parse_ehlo_reply(const Reply& reply);

}  // namespace godwit::smtp
