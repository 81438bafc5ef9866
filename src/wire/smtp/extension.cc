// The rows, and the readers of the parameters they bring.
#include "wire/smtp/extension.h"

#include "base/ascii.h"
#include "base/limits.h"
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
        is_clean = decoded && is_utf8(*decoded) && std::ranges::none_of(*decoded, [](char c) { return is_ctl(c); });
    }
    if (!is_clean) {
        return bad_parameter("ORCPT");
    }
    original.address = *std::move(decoded);
    into.orcpt = std::move(original);
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

constexpr MailParameterRow kSizeMail[] = {{"SIZE", parse_size}};
constexpr MailParameterRow kBodyMail[] = {{"BODY", parse_body}};
constexpr MailParameterRow kUtf8Mail[] = {{"SMTPUTF8", parse_smtputf8}};
constexpr MailParameterRow kDsnMail[] = {{"RET", parse_ret}, {"ENVID", parse_envid}};
constexpr RcptParameterRow kDsnRcpt[] = {{"NOTIFY", parse_notify}, {"ORCPT", parse_orcpt}};
constexpr MailParameterRow kAuthMail[] = {{"AUTH", parse_auth}};

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
