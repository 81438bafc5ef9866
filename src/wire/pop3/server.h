// A POP3 server's side of one connection: commands in, replies out, and the few things it must ask.
// RFC 1939; RFC 2449 (CAPA, response codes, PIPELINING); RFC 2595 4 (STLS); RFC 5034 (AUTH);
// RFC 6856 (UTF8, LANG); RFC 3206 (SYS/TEMP, AUTH). T11, T87, Q18.
// Pure. Replies leave in the order of the commands; while a question is open nothing more is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/limits.h"
#include "wire/pop3/stuffing.h"

namespace godwit::pop3 {

/// One message of the snapshot that a session works on.
struct MaildropMessage {
    std::uint64_t size = 0;      ///< Octets as stored and sent, stuffing aside.
    std::string unique_id;       ///< 1-70 characters 0x21-0x7E, never reused (Q18).
    bool requires_utf8 = false;  ///< Not to be sent before UTF8 (RFC 6856 2.1).
};
using Maildrop = std::vector<MaildropMessage>;

/// What the listener offers. The texts are ASCII.
struct ServerOptions {
    std::string greeting = "Godwit ready";
    std::string implementation = "Godwit";
    bool stls_offered = false;  ///< TLS is to be had and not yet on.
    bool passwords_allowed =
        false;  ///< USER and PASS are taken: TLS is on, or a loopback listener.
    std::uint32_t login_delay_seconds = 0;  ///< From one login to the next; 0: not announced.
    std::string sasl_mechanisms;  ///< Names separated by SP, as now offered; empty: no AUTH.
};

/// Feed more; nothing to do.
struct NeedMore {};
/// Send take_output() now and call next() again: much is waiting.
struct Drain {};
/// USER and PASS: answer with granted() or denied().
struct PasswordLogin {
    std::string user;
    std::string password;
};
/// AUTH: answer with challenge(), granted() or denied(). The initial response is decoded.
struct AuthStart {
    std::string mechanism;  ///< Upper case, as the client named it.
    std::optional<std::string> initial;
};
/// The decoded answer to a challenge(); nullopt when the client sent "*".
struct AuthResponse {
    std::optional<std::string> bytes;
};
/// Send the output, start TLS, then call tls_started(). Nothing of the plain stream is left (T11).
struct StartTls {};
/// RETR and TOP: answer with begin_message(), then add_message() and end_message(), or with
/// refuse().
struct Retrieve {
    std::size_t index = 0;                   ///< Into the Maildrop.
    std::optional<std::uint64_t> top_lines;  ///< TOP's, else the whole message.
};
/// QUIT after login: remove these messages, then call committed().
struct Commit {
    std::vector<std::size_t> deleted;  ///< Indices into the Maildrop, rising.
};
/// Send the output and close the connection.
struct Close {};

using ServerEvent = std::variant<NeedMore, Drain, PasswordLogin, AuthStart, AuthResponse, StartTls,
                                 Retrieve, Commit, Close>;

enum class LoginFailure : std::uint8_t {
    Credentials,  ///< [AUTH]
    Temporary,    ///< [SYS/TEMP]
    Permanent,    ///< [SYS/PERM]: not to be had by trying again.
    InUse,        ///< [IN-USE]
    TooSoon,      ///< [LOGIN-DELAY]: RFC 2449 8.1.1.
};
/// The response code without its brackets.
std::string_view code_of(LoginFailure failure);

/// The engine of one connection.
class Server {
public:
    /// The greeting is in the output at once.
    explicit Server(ServerOptions options);

    /// Takes a copy. Feed only after NeedMore.
    void feed(std::string_view bytes);
    [[nodiscard]] ServerEvent next();
    /// What is to be sent, in order.
    [[nodiscard]] std::string take_output() { return std::exchange(output_, {}); }
    [[nodiscard]] std::size_t output_size() const { return output_.size(); }

    void granted(Maildrop maildrop);
    void denied(LoginFailure failure);
    /// A SASL challenge, not yet in base64.
    void challenge(std::string_view bytes);
    /// TLS is on: everything the client said is forgotten, as RFC 2595 4 has it.
    void tls_started(ServerOptions options);
    /// The message of the open Retrieve follows. `header_size`: with its blank line.
    void begin_message(std::uint64_t size, std::uint64_t header_size);
    /// False when the client wants no more of it (TOP): go to end_message(). Drain the output
    /// often.
    bool add_message(std::string_view bytes);
    void end_message();
    /// The message cannot be sent: gone, or a temporary fault.
    void refuse(LoginFailure failure, std::string_view text);
    /// The deleted messages are gone (or, false, some are not).
    void committed(bool all_removed);
    /// Says -ERR `text` and ends: shutdown, too many failures, timeout before login.
    void close(std::string_view text);

    [[nodiscard]] bool is_logged_in() const { return state_ == State::Transaction; }

private:
    enum class State : std::uint8_t { Authorization, Transaction, Closed };
    enum class Waiting : std::uint8_t {
        Nothing,
        Login,
        AuthLine,
        AuthVerdict,
        Tls,
        Message,
        Body,
        Commit
    };
    enum class Listing : std::uint8_t { None, Sizes, UniqueIds };
    struct CommandRow;
    using Handler = std::optional<ServerEvent> (Server::*)(std::string_view arguments);
    static const CommandRow kCommands[];

    std::optional<std::string> take_line();
    std::optional<ServerEvent> run_command(std::string_view line);
    std::optional<ServerEvent> run_auth_line(std::string_view line);
    bool write_listing();

    std::optional<ServerEvent> on_apop(std::string_view arguments);
    std::optional<ServerEvent> on_auth(std::string_view arguments);
    std::optional<ServerEvent> on_capa(std::string_view arguments);
    std::optional<ServerEvent> on_dele(std::string_view arguments);
    std::optional<ServerEvent> on_lang(std::string_view arguments);
    std::optional<ServerEvent> on_list(std::string_view arguments);
    std::optional<ServerEvent> on_noop(std::string_view arguments);
    std::optional<ServerEvent> on_pass(std::string_view arguments);
    std::optional<ServerEvent> on_quit(std::string_view arguments);
    std::optional<ServerEvent> on_retr(std::string_view arguments);
    std::optional<ServerEvent> on_rset(std::string_view arguments);
    std::optional<ServerEvent> on_stat(std::string_view arguments);
    std::optional<ServerEvent> on_stls(std::string_view arguments);
    std::optional<ServerEvent> on_top(std::string_view arguments);
    std::optional<ServerEvent> on_uidl(std::string_view arguments);
    std::optional<ServerEvent> on_user(std::string_view arguments);
    std::optional<ServerEvent> on_utf8(std::string_view arguments);

    std::optional<ServerEvent> list_or_one(std::string_view arguments, Listing listing);
    /// A message number that is there and not deleted; says -ERR otherwise.
    std::optional<std::size_t> find_message(std::string_view argument);
    void write_one(std::size_t index, Listing listing);
    [[nodiscard]] std::uint64_t remaining_size() const;
    [[nodiscard]] std::size_t remaining_count() const { return maildrop_.size() - deleted_count_; }
    void ok(std::string_view text);
    void error(std::string_view text, std::string_view code = {});
    /// An error of the client's making; the limit of them ends the connection.
    void syntax_error(std::string_view text);

    ServerOptions options_;
    std::string input_;
    std::size_t pos_ = 0;
    std::string output_;
    State state_ = State::Authorization;
    Waiting waiting_ = Waiting::Nothing;
    std::size_t bad_commands_ = 0;
    std::string user_;  // of USER, until the next command
    bool has_user_ = false;
    bool utf8_ = false;
    Maildrop maildrop_;
    std::vector<bool> deleted_;
    std::size_t deleted_count_ = 0;
    Listing listing_ = Listing::None;
    std::size_t listing_at_ = 0;
    std::optional<std::uint64_t> top_lines_;
    MessageStuffer stuffer_;
    bool line_too_long_ = false;
};

}  // namespace godwit::pop3
