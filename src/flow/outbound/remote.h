// One connection to a next hop, carrying several messages: dials, does TLS and AUTH, pumps the pure
// client engine, streams bodies from the store. Knows nothing of queue or schedule.
// RFC 5321 4.5.3.2 (time-outs); SMTP-BEHAVIOUR.md C, E; SECURITY.md T12, T14.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flow/outbound/attempt_tls.h"
#include "flow/outbound/body_form.h"
#include "flow/outbound/hop_address.h"
#include "flow/outbound/in_hand.h"
#include "flow/outbound/peer_quirks.h"
#include "flow/services.h"
#include "net/dial/dial.h"
#include "net/io/stream.h"
#include "net/io/task.h"
#include "store/queue/queue.h"
#include "wire/smtp/client.h"

namespace godwit::flow {

/// A failure of the host that the peer never put in words; of class 5 it is permanent.
smtp::Outcome host_failure(smtp::Stage stage, smtp::EnhancedStatus status, std::string text);

/// Octets read from the peer at a time.
inline constexpr std::size_t reply_buffer_size = 16 * 1024;

/// What to send: a queued message to some of its recipients.
struct RemoteMail {
    store::QueueMessage message;
    std::vector<store::QueueRecipient> recipients;
    InHandGuard* in_hand = nullptr;  ///< Told before the final dot; outlives send(). May be null.
};

/// An open session with a next hop. One task at a time, one shard.
class RemoteSession {
public:
    /// Connects to `at`, an address of the hop's host, and greets, up to ready. A failure says
    /// which host and what it said.
    static net::Task<std::expected<std::unique_ptr<RemoteSession>, smtp::Outcome>> open(
        const Services* services, HopAddress hop, net::Endpoint at);

    /// The peer has made the connection and now greets (ATRN): never null; is_ready() says whether
    /// it greeted well. `name`: who it is. Nothing waits beyond `time` from now. Nothing is asked
    /// of TLS: what there is was there before.
    static net::Task<std::unique_ptr<RemoteSession>> turn(const Services* services,
                                                          std::unique_ptr<net::Stream> stream,
                                                          std::string name, Duration time);
    /// The stream, closed or not; nothing else is possible then.
    std::unique_ptr<net::Stream> give_back() {
        is_ready_ = false;
        return std::move(stream_);
    }

    /// One outcome per recipient, from as many transactions as the peer's limits ask for (B6, B7).
    /// is_ready() says whether the session lives on.
    net::Task<std::vector<smtp::Outcome>> send(RemoteMail mail);
    /// Whether the peer would take the recipient: a transaction that ends before DATA. Delivered
    /// means that it would. `sender` empty: the null sender.
    net::Task<smtp::Outcome> ask(std::string sender, mail::Address recipient);
    /// Can another message be sent?
    [[nodiscard]] bool is_ready() const { return is_ready_; }
    [[nodiscard]] const HopAddress& hop() const { return hop_; }
    /// "mx.example.com[192.0.2.1]:25", for reports and the trace.
    [[nodiscard]] const std::string& peer_name() const { return peer_name_; }
    /// The peer passes on NOTIFY itself (RFC 3461 5.2.1).
    [[nodiscard]] bool peer_has_dsn() const;
    /// The peer takes BY= over (RFC 2852).
    [[nodiscard]] bool peer_keeps_time() const;
    /// What TLS came to; also after the connection has gone.
    [[nodiscard]] const AttemptTls& tls() const { return tls_; }
    [[nodiscard]] MonoTime opened_at() const { return opened_at_; }
    /// It is not to be used for a further message (E17, E18); close() it when there is time.
    void spend() { is_spent_ = true; }
    [[nodiscard]] bool is_spent() const { return is_spent_; }
    /// B7: the peer wanted no more on this connection while there was more.
    [[nodiscard]] bool is_used_up() const { return is_used_up_; }
    /// HELO was our own choice (C5, C18): what the peer lacks it may have with EHLO.
    [[nodiscard]] bool chose_helo() const { return chose_helo_; }
    /// Transactions begun.
    [[nodiscard]] std::uint32_t messages() const { return messages_; }
    /// What the last send() found wrong with the stored body; the outcomes then say nothing.
    [[nodiscard]] const std::optional<Error>& body_damage() const { return body_damage_; }
    /// QUIT, not waiting long for the answer (C13).
    net::Task<void> close();

private:
    RemoteSession(const Services* services, HopAddress hop, net::Endpoint at)
        : services_(services), hop_(std::move(hop)), at_(std::move(at)) {}
    [[nodiscard]] std::string hello_name() const;
    [[nodiscard]] net::DialRequest dial_request() const;
    [[nodiscard]] smtp::ClientOptions client_options(bool without_tls) const;
    [[nodiscard]] bool may_say_helo() const;
    net::Task<std::optional<smtp::Outcome>> fetch_token();
    void note_quirk(PeerQuirk quirk);
    void heed_masked_greeting(const std::vector<smtp::Outcome>& outcomes);
    net::Task<std::optional<smtp::Outcome>> connect(bool without_tls);
    void account(const std::optional<smtp::Outcome>& failure) const;
    net::Task<std::optional<smtp::Outcome>> greet(bool without_tls);
    [[nodiscard]] MonoTime deadline_in(Duration patience) const;
    [[nodiscard]] MonoTime deadline_of_reply() const;
    net::Task<smtp::client_event::Event> next_event();
    net::Task<Result<>> flush();
    net::Task<void> hear();
    net::Task<void> part();
    net::Task<void> secure();
    struct Outgoing;
    [[nodiscard]] net::TlsClientOptions tls_options() const;
    [[nodiscard]] bool is_late_alert(const Result<std::size_t>& got) const;
    net::Task<void> pump_body(Outgoing* outgoing);
    net::Task<bool> prepare_body(const store::QueueMessage* message);
    void note_damage(MailId mail, const Error& error);
    smtp::OutgoingMail envelope(const RemoteMail& mail,
                                const std::vector<std::size_t>& batch) const;
    [[nodiscard]] std::vector<std::size_t> next_batch(const RemoteMail& mail,
                                                      const std::vector<std::size_t>& open) const;
    net::Task<std::vector<smtp::Outcome>> transact(const RemoteMail* mail,
                                                   std::vector<std::size_t> batch);

    const Services* services_;
    HopAddress hop_;
    net::Endpoint at_;
    std::unique_ptr<net::Stream> stream_;
    std::optional<smtp::ClientEngine> engine_;
    std::string peer_name_;
    AttemptTls tls_;
    MonoTime opened_at_{};
    MonoTime waits_since_{};  ///< For the reply that is due: the command, or the one before it.
    std::uint32_t messages_ = 0;
    bool is_spent_ = false;
    bool is_ready_ = false;
    bool is_used_up_ = false;
    bool chose_helo_ = false;
    InHandGuard* in_hand_ = nullptr;  ///< Of the transaction under way.
    std::string reply_buffer_;        ///< What is read goes here; of one size once it was used.
    BodyForm form_;                   ///< Of the message that is being sent.
    bool is_tls_proven_ = false;      ///< Something was read through it.
    std::string token_;               ///< Of the hop's token_file, as it was for this session.
    bool uses_helo_ = false;          ///< The peer hung up on EHLO.
    std::optional<Error> body_damage_;
};

}  // namespace godwit::flow
