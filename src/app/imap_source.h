// Another IMAP server as an import sees it: folders, the facts of messages, their octets.
// RFC 3501, RFC 5258 and RFC 6154 (LIST with roles), RFC 4959 (SASL-IR), RFC 3501 6.2.1 (STARTTLS).
// Only reads: EXAMINE and BODY.PEEK. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/blocking_stream.h"
#include "app/spool.h"
#include "wire/imap/response.h"
#include "wire/sasl/client_exchange.h"

namespace godwit::app {

enum class ImapSecurity : std::uint8_t { Tls, StartTls, None };

struct ImapLogin {
    std::string host;
    std::uint16_t port = 993;
    ImapSecurity security = ImapSecurity::Tls;
    const net::TlsClientContext* trust = nullptr;
    std::string fingerprint;  ///< SHA-256 of the certificate, raw; stands in for its check.
    sasl::Credentials credentials;
    bool is_token = false;
};

struct ImapFolder {
    std::string wire;  ///< As the server spells it.
    std::string name;  ///< UTF-8, '/' between levels.
    std::string role;
    bool is_subscribed = false;
};
struct ImapFolderState {
    std::uint32_t uid_validity = 0;
    std::uint32_t uid_next = 0;
    std::uint32_t messages = 0;
};
struct ImapFacts {
    std::uint32_t uid = 0;
    std::uint64_t size = 0;
    std::int64_t date = 0;
    std::vector<std::string> flags;
};

/// A response put together: its tokens, large literals left out of them.
struct ImapResponse {
    std::vector<imap::ResponseToken> tokens;
    Spool literal;  ///< What BODY[] has.
    [[nodiscard]] std::string_view word(std::size_t index) const;
};

class ImapSource {
public:
    /// Connects and logs in. Peer errors will not do better later.
    static Result<std::unique_ptr<ImapSource>> open(const ImapLogin& login);

    Result<std::vector<ImapFolder>> folders();
    Result<ImapFolderState> examine(const ImapFolder& folder);
    /// Of the next messages by number, `count` at most; none at the end. Since examine().
    Result<std::vector<ImapFacts>> facts(std::uint32_t count);
    /// Each message of these that is still there.
    using Take = std::function<Result<>(std::uint32_t uid, Spool octets)>;
    Result<> bodies(const std::vector<std::uint32_t>& uids, const Take& take);
    void log_out();
    /// What it said made no sense, or too much: its answers are not read on, every command fails.
    [[nodiscard]] bool is_dead() const { return is_dead_; }

private:
    ImapSource() = default;
    using OnResponse = std::function<Result<>(ImapResponse&)>;
    Result<ImapResponse> next();
    Result<ImapResponse> read_response();
    /// Sends it and hands all untagged responses on. NO is Peer/Denied, BAD Peer/Invalid.
    Result<> command(const std::string& text, const OnResponse& on_response);
    Result<> finish(const std::string& tag, const OnResponse& on_response);
    void note(const ImapResponse& response);
    Result<> greet(const ImapLogin& login);
    Result<> secure(const ImapLogin& login);
    Result<> ask_capabilities();
    Result<> log_in(const ImapLogin& login);
    Result<> authenticate(const ImapLogin& login, sasl::Mechanism mechanism);
    [[nodiscard]] bool can(std::string_view capability) const;

    std::unique_ptr<BlockingStream> stream_;
    imap::ResponseReader reader_;
    std::vector<std::string> capabilities_;
    std::uint32_t tag_ = 0;
    bool is_dead_ = false;
    std::uint64_t next_ = 1;      ///< The number of the next message that facts() asks for.
    std::uint32_t messages_ = 0;  ///< As the server says now.
};

}  // namespace godwit::app
