// One APPEND or REPLACE from its first words to its commit: octets go through to the body store
// while they arrive, byte for byte, and all messages become one plan.
// RFC 3501 6.3.11; RFC 3502; RFC 4469; RFC 8508 3.4. Q14, Q27, Q35, Q44; T76, T77.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "mail/message/parser.h"
#include "serve/imap/changes.h"
#include "serve/imap/place.h"
#include "store/blob/blob.h"
#include "wire/imap/append.h"
#include "wire/imap/url.h"

namespace godwit::serve::imap_desk {

/// Messages of one APPEND: their records are held until the commit. Below SAVELIMIT, which is what
/// COPY keeps; see docs/protocols/imap.md.
inline constexpr std::size_t append_messages_max = 1000;
/// Pieces (TEXT, URL, UTF8) of all messages of one command.
inline constexpr std::size_t append_pieces_max = 1000;
/// What one command may copy by URLs, in messages of the largest size: 64 KiB of URLs must not
/// become a full disk.
inline constexpr std::uint64_t append_url_messages_max = 4;

/// A message as it comes in.
struct IncomingMessage {
    imap::AppendBegin begin;
    // Two lifetimes: a session that is torn down leaves a job on the pool with its writer.
    std::shared_ptr<store::BlobWriter> writer;
    mail::MessageParser parser = {};
    bool is_utf8 = false;  ///< Some of it came as UTF8 (~{n}).
};

/// The message that REPLACE takes out.
struct ReplacedMessage {
    AccountId account;
    MailboxId mailbox;
    Uid uid;
    std::uint64_t size = 0;
};

/// `conversation` outlives it.
class Appending {
public:
    explicit Appending(Conversation* conversation);
    /// `command` is whole, or begun when some of it is streamed. The answer, after all of the
    /// command was read or refused.
    AnswerTask run(imap::Command command);

private:
    /// nullopt: go on.
    using Refusal = std::optional<Answer>;

    // The steps of the command, one for each of its events.
    net::Task<Result<Refusal>> take(imap::AppendEvent event);
    net::Task<Refusal> take_target(imap::AppendTarget target);
    Refusal find_replaced(std::uint32_t number);
    Refusal begin(imap::AppendBegin message);
    net::Task<Result<Refusal>> take_octets(imap::AppendOctets octets);
    net::Task<Result<Refusal>> take_url_octets(imap::AppendUrlOctets octets);
    net::Task<Refusal> take_url(std::string url);
    net::Task<Refusal> end();
    [[nodiscard]] bool forbids_header(const mail::ParsedMessage& parsed) const;

    // Octets.
    net::Task<Result<Refusal>> receive();
    net::Task<Result<Refusal>> wait_for_octets();
    net::Task<Refusal> take_chunk(std::string bytes);
    net::Task<Result<>> put(std::string bytes);
    net::Task<Result<store::NewBody>> finish_body();
    net::Task<Refusal> forbid_size(std::uint64_t size);
    /// A message that a URL names and the client may read.
    struct Named {
        AccountId account;
        EmailId email;
    };
    net::Task<Result<std::optional<Named>>> find_by_url(imap::MessageUrl url);
    net::Task<Result<Refusal>> copy_section(Named message, imap::MessageUrl url, std::string given);
    net::Task<Result<Refusal>> put_copied(std::string bytes);

    net::Task<Refusal> forbid_by_now();
    AnswerTask commit();
    Answer refuse(Answer answer);

    Conversation* c_;
    imap::Command command_;
    imap::AppendReader reader_;
    bool is_whole_ = false;
    bool has_open_literal_ = false;   ///< One is offered, or was accepted and has not ended.
    bool may_have_nul_ = false;       ///< The literal that arrives is a literal8.
    std::optional<std::string> url_;  ///< A URL that arrives as a literal.
    std::optional<Place> place_;      ///< Where it goes, once it is known.
    std::optional<ReplacedMessage> replaced_;
    std::optional<IncomingMessage> message_;
    store::Plan plan_;
    std::uint64_t octets_ = 0;       ///< Of all messages that are complete.
    std::uint64_t url_octets_ = 0;   ///< Of those, and of the open one, what URLs named.
    std::size_t record_octets_ = 0;  ///< What the plan holds beside the bodies.
    std::size_t messages_ = 0;
    std::size_t pieces_ = 0;
};

}  // namespace godwit::serve::imap_desk
