// One SMTP command line as a value. Total: every byte string gives a Command or the Reply that
// refuses it. No state: order, limits and policy are the engine's.
// RFC 5321 4.1.1, 4.1.2; RFC 3461 4 (xtext); RFC 3030 2 (BDAT); RFC 2033 4.1 (LHLO).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "wire/smtp/client_facts.h"
#include "wire/smtp/envelope.h"
#include "wire/smtp/extension.h"
#include "wire/smtp/reply.h"

namespace godwit::smtp {

enum class Verb : std::uint8_t {
    Helo,
    Ehlo,
    Lhlo,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Burl,
    Rset,
    Noop,
    Help,
    Vrfy,
    Expn,
    Quit,
    StartTls,
    Auth,
    XClient,
    XForward,
    Etrn,
    Atrn,
    Http,
    Unknown
};
std::string_view to_string(Verb verb);
/// By the first word, any case. Http: a request line of a web client (D17, T16).
Verb find_verb(std::string_view line);

struct HelloCommand {
    Verb verb = Verb::Ehlo;
    std::string name;  ///< As sent, printable; may be junk (C17).
};
struct MailCommand {
    std::optional<mail::Address> sender;  ///< nullopt: <>.
    MailParameters parameters;
};
struct RcptCommand {
    Recipient recipient;
};
struct DataCommand {};
struct BdatCommand {
    std::uint64_t size = 0;
    bool is_last = false;
};
struct BurlCommand {
    std::string url;  ///< RFC 4468 3.5: one word; whose it may be is not looked at here.
    bool is_last = false;
};
struct RsetCommand {};
struct NoopCommand {};
struct HelpCommand {};
struct VrfyCommand {
    std::string text;       ///< An address or a name, as it came.
    bool smtputf8 = false;  ///< The answer may have UTF-8 (RFC 6531 3.7.4.2).
};
struct ExpnCommand {
    std::string text;
    bool smtputf8 = false;
};
struct QuitCommand {};
struct StartTlsCommand {};
struct AuthCommand {
    std::string mechanism;               ///< Upper case.
    std::optional<std::string> initial;  ///< Still base64; "=" for an empty one.
};
struct StandInCommand {
    ClientFacts facts;  ///< XCLIENT.
};
struct ForwardedCommand {
    ClientFacts facts;  ///< XFORWARD.
};
struct EtrnCommand {
    char option = 0;   ///< '@' (with what is below it), '#' (a queue) or 0.
    std::string node;  ///< Not empty, without spaces; what it names is the caller's to say.
};
struct AtrnCommand {
    std::vector<std::string> domains;  ///< Empty: those of whoever asks.
};
struct HttpCommand {};

/// Domains of one ATRN: more than anybody has behind one server, and as many look-ups as a
/// transaction with its recipients.
inline constexpr std::size_t atrn_domains_max = 100;

using Command = std::variant<HelloCommand, MailCommand, RcptCommand, DataCommand, BdatCommand,
                             BurlCommand, RsetCommand, NoopCommand, HelpCommand, VrfyCommand,
                             ExpnCommand, QuitCommand, StartTlsCommand, AuthCommand, StandInCommand,
                             ForwardedCommand, EtrnCommand, AtrnCommand, HttpCommand>;

struct CommandRules {
    ExtensionSet offered;         ///< Parameters of other extensions are refused (D5).
    bool smtputf8 = false;        ///< RCPT: MAIL carried SMTPUTF8, so UTF-8 may come (D7).
    std::string_view local_name;  ///< Domain of <postmaster> (D3); borrowed for the call.
    /// What an address without a domain is completed with (K3); empty: it is refused. Borrowed.
    std::string_view own_domain{};
};

/// `line` is without its line end. Linear in its length. Unknown verbs are refused with 500; verbs
/// of extensions that are not offered come through, the engine knows why they are not.
std::expected<Command, Reply> parse_command(std::string_view line, const CommandRules& rules);

/// RFC 3461 4: '+' and two hex digits. nullopt when malformed. Upper-case hex is required of
/// senders; lower case is read too.
std::optional<std::string> xtext_decode(std::string_view text);
std::string xtext_encode(std::string_view bytes);

/// "<local@domain>" as it goes on the wire; "<>" for nullopt. The client's writer.
std::string write_path(const std::optional<mail::Address>& address);

}  // namespace godwit::smtp
