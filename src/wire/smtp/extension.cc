// The rows, and the readers of the parameters they bring.
#include "wire/smtp/extension.h"

#include "base/ascii.h"
#include "base/limits.h"
#include "mail/text/timestamp.h"
#include "wire/smtp/command.h"
#include "wire/smtp/unitext.h"

#include <algorithm>

namespace godwit::smtp {

namespace {

Reply bad_parameter(std::string_view keyword) {
    return make_reply(501, {5, 5, 4}, "Bad value of " + std::string(keyword));
}

/// RFC 3461 4.2, 4.4: printable and white space of US-ASCII only, decoded (T20).
bool is_graphic(std::string_view text) {
    for (const char c : text) {
        if (c != ' ' && !is_vchar(c)) {
            return false;
        }
    }
    return true;
}

std::optional<Reply> parse_size(std::string_view value, MailParameters& into) {
    // RFC 1870 4: up to 20 digits. What does not fit 64 bits is over every limit of ours.
    if (value.empty() || value.size() > 20) {
        return bad_parameter("SIZE");
    }
    for (const char c : value) {
        if (!is_digit(c)) {
            return bad_parameter("SIZE");
        }
    }
    into.size = parse_u64(value).value_or(UINT64_MAX);
    return std::nullopt;
}

std::optional<Reply> parse_body(std::string_view value, MailParameters& into) {
    if (equals_ignore_case(value, "7BIT")) {
        into.body = BodyType::SevenBit;
    } else if (equals_ignore_case(value, "8BITMIME")) {
        into.body = BodyType::EightBitMime;
    } else if (equals_ignore_case(value, "BINARYMIME")) {
        into.body = BodyType::BinaryMime;  // RFC 3030 3: of the same keyword.
    } else {
        return bad_parameter("BODY");
    }
    return std::nullopt;
}

std::optional<Reply> parse_smtputf8(std::string_view value, MailParameters& into) {
    if (!value.empty()) {
        return bad_parameter("SMTPUTF8");  // RFC 6531 3.4: it takes none.
    }
    into.smtputf8 = true;
    return std::nullopt;
}

std::optional<Reply> parse_require_tls(std::string_view value, MailParameters& into) {
    if (!value.empty()) {
        return bad_parameter("REQUIRETLS");  // RFC 8689 2: it takes none.
    }
    into.require_tls = true;
    return std::nullopt;
}

// RFC 4865: one to nine digits.
std::optional<std::int64_t> parse_seconds(std::string_view value) {
    const auto seconds = parse_u64(value);
    if (!seconds || value.size() > 9) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(*seconds);
}

Reply held_twice() {
    return make_reply(501, {5, 5, 4}, "HOLDFOR and HOLDUNTIL do not go together");
}

std::optional<Reply> parse_hold_for(std::string_view value, MailParameters& into) {
    const auto seconds = parse_seconds(value);
    if (!seconds || *seconds == 0) {
        return bad_parameter("HOLDFOR");
    }
    if (into.hold_until) {
        return held_twice();
    }
    into.hold_for = *seconds;
    return std::nullopt;
}

std::optional<Reply> parse_hold_until(std::string_view value, MailParameters& into) {
    const auto until = mail::parse_timestamp(value);
    if (!until) {
        return bad_parameter("HOLDUNTIL");
    }
    if (into.hold_for) {
        return held_twice();
    }
    into.hold_until = *until;
    return std::nullopt;
}

// RFC 2852: "BY=120;R", "BY=-30;NT".
std::optional<Reply> parse_by(std::string_view value, MailParameters& into) {
    const std::size_t semicolon = value.find(';');
    if (semicolon == std::string_view::npos) {
        return bad_parameter("BY");
    }
    std::string_view digits = value.substr(0, semicolon);
    const bool is_past = digits.starts_with('-');
    digits.remove_prefix(is_past || digits.starts_with('+') ? 1 : 0);
    const auto seconds = parse_seconds(digits);
    std::string mode = to_upper(value.substr(semicolon + 1));
    const bool is_traced = mode.size() == 2 && mode.ends_with('T');
    mode.resize(is_traced ? 1 : mode.size());
    if (!seconds || (mode != "R" && mode != "N")) {
        return bad_parameter("BY");
    }
    ByTime by{.seconds = is_past ? -*seconds : *seconds,
              .mode = mode == "R" ? ByTime::Mode::Return : ByTime::Mode::Notify,
              .is_traced = is_traced};
    if (by.mode == ByTime::Mode::Return && by.seconds <= 0) {
        return bad_parameter("BY");  // What must be returned by now could not be delivered at all.
    }
    into.by = by;
    return std::nullopt;
}

std::optional<Reply> parse_priority(std::string_view value, MailParameters& into) {
    // RFC 6710 7: "0", or an optional "-" and one digit.
    const bool is_negative = value.starts_with('-');
    const std::string_view digit = value.substr(is_negative ? 1 : 0);
    if (digit.size() != 1 || !is_digit(digit.front()) || (is_negative && digit == "0")) {
        return make_reply(501, {5, 5, 2}, "Bad value of MT-PRIORITY");  // RFC 6710 4.1
    }
    const int number = digit.front() - '0';
    into.priority = is_negative ? -number : number;
    return std::nullopt;
}

std::optional<Reply> parse_ret(std::string_view value, MailParameters& into) {
    if (equals_ignore_case(value, "FULL")) {
        into.ret = DsnReturn::Full;
    } else if (equals_ignore_case(value, "HDRS")) {
        into.ret = DsnReturn::Headers;
    } else {
        return bad_parameter("RET");
    }
    return std::nullopt;
}

std::optional<Reply> parse_envid(std::string_view value, MailParameters& into) {
    auto decoded = xtext_decode(value);
    if (value.empty() || value.size() > limits::smtp_envid_size_max || !decoded ||
        !is_graphic(*decoded)) {
        return bad_parameter("ENVID");
    }
    into.envid = std::move(decoded);
    return std::nullopt;
}

std::optional<Reply> parse_auth(std::string_view value, MailParameters& into) {
    // RFC 4954: "<>" or a mailbox as xtext.
    auto decoded = xtext_decode(value);
    if (!decoded || !is_graphic(*decoded)) {
        return bad_parameter("AUTH");
    }
    if (*decoded == "<>") {
        into.auth = "";
        return std::nullopt;
    }
    const auto address = mail::parse_address(*decoded);
    if (!address) {
        return bad_parameter("AUTH");
    }
    into.auth = address->to_string();
    return std::nullopt;
}

std::optional<Reply> parse_notify(std::string_view value, RcptParameters& into) {
    Notify notify{.is_stated = true};
    if (!equals_ignore_case(value, "NEVER")) {
        for (const std::string_view element : split(value, ',')) {
            if (equals_ignore_case(element, "SUCCESS")) {
                notify.success = true;
            } else if (equals_ignore_case(element, "FAILURE")) {
                notify.failure = true;
            } else if (equals_ignore_case(element, "DELAY")) {
                notify.delay = true;
            } else {
                return bad_parameter("NOTIFY");  // NEVER beside others, too: RFC 3461 4.1 a.
            }
        }
    }
    into.notify = notify;
    return std::nullopt;
}

std::optional<Reply> parse_orcpt(std::string_view value, RcptParameters& into) {
    const std::size_t semicolon = value.find(';');
    if (value.size() > limits::smtp_orcpt_size_max || semicolon == std::string_view::npos ||
        semicolon == 0) {
        return bad_parameter("ORCPT");
    }
    OriginalRecipient original{.type = to_lower(value.substr(0, semicolon)), .address = ""};
    for (const char c : original.type) {
        if (!is_alnum(c) && c != '-') {
            return bad_parameter("ORCPT");
        }
    }
    auto decoded = xtext_decode(value.substr(semicolon + 1));
    if (!decoded || decoded->empty()) {
        return bad_parameter("ORCPT");
    }
    // Postfix 3.7 writes a UTF-8 address in xtext and calls it rfc822.
    if (original.type == "rfc822" && !is_ascii(*decoded)) {
        original.type = "utf-8";
    }
    bool is_clean = is_graphic(*decoded);
    if (original.type == "utf-8") {
        // RFC 6533 3: the address stands there as UTF-8, or escaped in a way of its own.
        decoded = unitext_decode(*decoded);
        is_clean = decoded && is_utf8(*decoded) &&
                   std::ranges::none_of(*decoded, [](char c) { return is_ctl(c); });
    }
    if (!is_clean) {
        return bad_parameter("ORCPT");
    }
    original.address = *std::move(decoded);
    into.orcpt = std::move(original);
    return std::nullopt;
}

// draft-hall-prdr-00: it takes no value.
std::optional<Reply> parse_prdr(std::string_view value, MailParameters& into) {
    if (!value.empty()) {
        return bad_parameter("PRDR");
    }
    into.wants_each_reply = true;
    return std::nullopt;
}

std::optional<Reply> parse_solicit(std::string_view value, MailParameters& into) {
    if (!parse_solicitation(value)) {
        return bad_parameter("SOLICIT");
    }
    into.solicit = value;
    return std::nullopt;
}

// RFC 7293: a date-time, and perhaps ";C" or ";R".
std::optional<Reply> parse_valid_since(std::string_view value, RcptParameters& into) {
    const std::size_t semicolon = std::min(value.find(';'), value.size());
    const auto at = mail::parse_timestamp(value.substr(0, semicolon));
    const std::string_view action = value.substr(semicolon);
    const bool may_go_on = equals_ignore_case(action, ";C");
    if (!at || (!action.empty() && !may_go_on && !equals_ignore_case(action, ";R"))) {
        return bad_parameter("RRVS");
    }
    into.valid_since = ValidSince{.at = *at, .must_be_checked = !may_go_on};
    return std::nullopt;
}

bool always(const Announcement& /*unused*/) {
    return true;
}
bool before_tls(const Announcement& at) {
    return at.tls_available && !at.tls_active;
}
bool before_auth(const Announcement& at) {
    return at.service != Service::Mx && at.auth_available && !at.is_authenticated;
}

bool in_smtp(const Announcement& at) {
    return at.service != Service::Lmtp;
}
bool within_tls(const Announcement& at) {
    return at.tls_active;
}
bool where_mail_is_held(const Announcement& at) {
    return at.service == Service::Submission && at.holds_mail;
}

bool where_questions_are_answered(const Announcement& at) {
    return at.answers_questions;
}
bool for_stand_ins(const Announcement& at) {
    return at.takes_stand_ins;
}
bool for_forwarders(const Announcement& at) {
    return at.takes_forwarded;
}

bool for_requests(const Announcement& at) {
    return at.takes_requests;
}
// Before AUTH too: bare, it says that AUTH is what is missing (RFC 4468 3.1).
bool for_submitters(const Announcement& at) {
    return at.service == Service::Submission && (at.is_authenticated || at.auth_available);
}
bool where_roles_turn(const Announcement& at) {
    return at.turns_round;
}

constexpr MailParameterRow kSizeMail[] = {{"SIZE", parse_size}};
constexpr MailParameterRow kBodyMail[] = {{"BODY", parse_body}};
constexpr MailParameterRow kUtf8Mail[] = {{"SMTPUTF8", parse_smtputf8}};
constexpr MailParameterRow kDsnMail[] = {{"RET", parse_ret}, {"ENVID", parse_envid}};
constexpr RcptParameterRow kDsnRcpt[] = {{"NOTIFY", parse_notify}, {"ORCPT", parse_orcpt}};
constexpr MailParameterRow kAuthMail[] = {{"AUTH", parse_auth}};
constexpr MailParameterRow kRequireTlsMail[] = {{"REQUIRETLS", parse_require_tls}};
constexpr MailParameterRow kHoldMail[] = {{"HOLDFOR", parse_hold_for},
                                          {"HOLDUNTIL", parse_hold_until}};
constexpr MailParameterRow kByMail[] = {{"BY", parse_by}};
constexpr MailParameterRow kPriorityMail[] = {{"MT-PRIORITY", parse_priority}};
constexpr MailParameterRow kSolicitMail[] = {{"SOLICIT", parse_solicit}};
constexpr MailParameterRow kPrdrMail[] = {{"PRDR", parse_prdr}};
constexpr RcptParameterRow kRrvsRcpt[] = {{"RRVS", parse_valid_since}};

constexpr ExtensionRow kRows[] = {
    // RFC 2920
    {Extension::Pipelining,
     "PIPELINING",
     always,
     {},
     {},
     "",
     "MAIL, RCPT and DATA leave as one group"},
    // RFC 1870
    {Extension::Size,
     "SIZE",
     always,
     kSizeMail,
     {},
     "",
     "declares the size; too large fails before sending"},
    // RFC 6152
    {Extension::EightBitMime,
     "8BITMIME",
     always,
     kBodyMail,
     {},
     "",
     "BODY=8BITMIME on 8-bit content"},
    // RFC 2034
    {Extension::EnhancedStatusCodes,
     "ENHANCEDSTATUSCODES",
     always,
     {},
     {},
     "",
     "codes are kept per recipient"},
    // RFC 6531
    {Extension::SmtpUtf8,
     "SMTPUTF8",
     always,
     kUtf8Mail,
     {},
     "",
     "sends what needs it; without it 5.6.7"},
    // RFC 3030
    {Extension::Chunking, "CHUNKING", always, {}, {}, "BDAT", "one BDAT LAST in place of DATA"},
    // RFC 3461
    {Extension::Dsn, "DSN", always, kDsnMail, kDsnRcpt, "",
     "hands RET, ENVID, NOTIFY and ORCPT on"},
    // RFC 3207
    {Extension::StartTls, "STARTTLS", before_tls, {}, {}, "STARTTLS", "by TlsUse"},
    // RFC 4954
    {Extension::Auth,
     "AUTH",
     before_auth,
     kAuthMail,
     {},
     "AUTH",
     "logs in when credentials are given"},
    // RFC 5321 4.1.1.8
    {Extension::Help, "HELP", always, {}, {}, "HELP", "not used"},
    // RFC 3030 3; never without CHUNKING (D10)
    {Extension::BinaryMime,
     "BINARYMIME",
     always,
     {},
     {},
     "",
     "BODY=BINARYMIME by BDAT; without it, mail that may be changed is converted, else 5.6.1"},
    // RFC 8689
    {Extension::RequireTls,
     "REQUIRETLS",
     within_tls,
     kRequireTlsMail,
     {},
     "",
     "mail that must have it goes nowhere else: 5.7.30"},
    // RFC 4865
    {Extension::FutureRelease,
     "FUTURERELEASE",
     where_mail_is_held,
     kHoldMail,
     {},
     "",
     "not used: the message is held here"},
    // RFC 2852
    {Extension::DeliverBy,
     "DELIVERBY",
     always,
     kByMail,
     {},
     "",
     "BY= with the time that is left; without it R fails, N is reported as relayed"},
    // RFC 6710
    {Extension::MtPriority, "MT-PRIORITY", always, kPriorityMail, {}, "", "hands the priority on"},
    // RFC 9422
    {Extension::Limits,
     "LIMITS",
     always,
     {},
     {},
     "",
     "keeps to MAILMAX, RCPTMAX and RCPTDOMAINMAX"},
    // RFC 5321 3.5.2
    {Extension::Expn, "EXPN", where_questions_are_answered, {}, {}, "EXPN", "not used"},
    // Postfix XCLIENT_README
    {Extension::XClient, "XCLIENT", for_stand_ins, {}, {}, "XCLIENT", "not used"},
    // Postfix XFORWARD_README
    {Extension::XForward, "XFORWARD", for_forwarders, {}, {}, "XFORWARD", "not used"},
    // RFC 3865
    {Extension::NoSoliciting, "NO-SOLICITING", always, kSolicitMail, {}, "", "hands SOLICIT= on"},
    // draft-hall-prdr-00; LMTP has it of its own
    {Extension::Prdr,
     "PRDR",
     in_smtp,
     kPrdrMail,
     {},
     "",
     "PRDR with several recipients: each has its own outcome behind the content"},
    // RFC 7293
    {Extension::Rrvs,
     "RRVS",
     always,
     {},
     kRrvsRcpt,
     "",
     "hands RRVS= on; without it R fails, C goes on"},
    // RFC 1985
    {Extension::Etrn, "ETRN", for_requests, {}, {}, "ETRN", "not used"},
    // RFC 2645
    {Extension::Atrn, "ATRN", where_roles_turn, {}, {}, "ATRN", "not used"},
    // RFC 4468
    {Extension::Burl, "BURL", for_submitters, {}, {}, "BURL", "not used"},
};
static_assert(std::size(kRows) == kExtensionCount);

constexpr bool is_in_order() {
    for (std::size_t i = 0; i < std::size(kRows); ++i) {
        if (static_cast<std::size_t>(kRows[i].extension) != i) {
            return false;
        }
    }
    return true;
}
static_assert(is_in_order(), "rows stand in the order of Extension");

void add_mechanisms(std::string_view words, std::vector<std::string>& into) {
    for (const std::string_view word : split(words, ' ')) {
        const bool is_known = std::ranges::any_of(
            into, [&](const std::string& have) { return equals_ignore_case(have, word); });
        if (!word.empty() && !is_known && into.size() < limits::smtp_peer_mechanisms_max) {
            into.push_back(to_upper(word));
        }
    }
}

}  // namespace

// RFC 3865: a word begins with a letter and goes on with letters, digits and ".", "-", "_", ":".
std::optional<std::vector<std::string>> parse_solicitation(std::string_view text) {
    if (text.empty() || text.size() > solicitation_size_max) {
        return std::nullopt;
    }
    std::vector<std::string> keywords;
    for (const std::string_view keyword : split(text, ',')) {
        const bool is_word = !keyword.empty() && is_alpha(keyword.front()) &&
                             std::ranges::all_of(keyword, [](char c) {
                                 return is_alnum(c) || c == '.' || c == '-' || c == '_' || c == ':';
                             });
        if (!is_word) {
            return std::nullopt;
        }
        keywords.emplace_back(keyword);
    }
    return keywords;
}

std::span<const ExtensionRow> extensions() {
    return kRows;
}

const ExtensionRow& row_of(Extension extension) {
    return kRows[static_cast<std::size_t>(extension)];
}

ExtensionSet announced_extensions(const Announcement& announcement) {
    ExtensionSet set;
    for (const ExtensionRow& row : kRows) {
        if (row.is_announced(announcement)) {
            set.insert(row.extension);
        }
    }
    return set;
}

const MailParameterRow* find_mail_parameter(ExtensionSet offered, std::string_view keyword) {
    for (const ExtensionRow& row : kRows) {
        for (const MailParameterRow& parameter : row.mail_parameters) {
            if (offered.contains(row.extension) && equals_ignore_case(parameter.keyword, keyword)) {
                return &parameter;
            }
        }
    }
    return nullptr;
}

const RcptParameterRow* find_rcpt_parameter(ExtensionSet offered, std::string_view keyword) {
    for (const ExtensionRow& row : kRows) {
        for (const RcptParameterRow& parameter : row.rcpt_parameters) {
            if (offered.contains(row.extension) && equals_ignore_case(parameter.keyword, keyword)) {
                return &parameter;
            }
        }
    }
    return nullptr;
}

// RFC 9422: "MAILMAX=5 RCPTMAX=100". What cannot be read, and 0, says nothing.
PeerLimits parse_limits(std::string_view words) {
    PeerLimits limits;
    for (const std::string_view word : split(words, ' ')) {
        const std::size_t equals = std::min(word.find('='), word.size());
        const std::string_view name = word.substr(0, equals);
        const auto number = parse_u64(word.substr(std::min(equals + 1, word.size())));
        if (!number || *number == 0 || *number > UINT32_MAX) {
            continue;
        }
        const auto value = static_cast<std::uint32_t>(*number);
        if (equals_ignore_case(name, "MAILMAX")) {
            limits.mails = value;
        } else if (equals_ignore_case(name, "RCPTMAX")) {
            limits.recipients = value;
        } else if (equals_ignore_case(name, "RCPTDOMAINMAX")) {
            limits.domains = value;
        }
    }
    return limits;
}

PeerExtensions parse_ehlo_reply(const Reply& reply) {
    PeerExtensions peer;
    bool is_first = true;
    for (const std::string_view line : split(reply.text, '\n')) {
        // C8: the keyword ends at a space or, of old Microsoft servers, at "=".
        const std::size_t end = std::min(line.find_first_of(" ="), line.size());
        const std::string_view keyword = line.substr(0, end);
        const std::string_view rest = trim(line.substr(std::min(end + 1, line.size())));
        if (is_first) {
            peer.name = line.substr(0, line.find(' '));
            is_first = false;
            continue;
        }
        for (const ExtensionRow& row : kRows) {
            if (!equals_ignore_case(row.keyword, keyword)) {
                continue;
            }
            peer.set.insert(row.extension);
            if (row.extension == Extension::Size) {
                peer.size_max = parse_u64(rest).value_or(0);
            } else if (row.extension == Extension::Auth) {
                add_mechanisms(rest, peer.auth_mechanisms);
            } else if (row.extension == Extension::DeliverBy) {
                peer.by_time_min = parse_seconds(rest).value_or(0);
            } else if (row.extension == Extension::Limits) {
                peer.limits = parse_limits(rest);
            }
        }
    }
    // D8: who offers SMTPUTF8 takes 8 bits, whether it says so or not.
    if (peer.set.contains(Extension::SmtpUtf8)) {
        peer.set.insert(Extension::EightBitMime);
    }
    return peer;
}

}  // namespace godwit::smtp
