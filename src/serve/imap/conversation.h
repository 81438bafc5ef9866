// One IMAP connection as its commands see it: who is there, what is selected, what is to be sent.
// RFC 3501 3, 5.4 (autologout); SECURITY.md T36, T46, T75; Q37. Own shard (the account's home one
// once somebody has logged in).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "serve/connection.h"
#include "serve/imap/account_room.h"
#include "serve/imap/command.h"
#include "serve/imap/feature.h"
#include "serve/imap/notified.h"
#include "serve/imap/progress.h"
#include "serve/imap/selected.h"
#include "serve/login/login.h"
#include "wire/imap/compression.h"
#include "wire/imap/lexer.h"
#include "wire/imap/mailbox_name.h"
#include "wire/imap/reader.h"
#include "wire/imap/writer.h"
#include "wire/sasl/mechanism.h"

namespace godwit::serve::imap_desk {

struct Place;

class Conversation {
public:
    explicit Conversation(Connection connection);

    [[nodiscard]] flow::Services* services() const { return services_; }
    [[nodiscard]] net::Stream& stream() { return *stream_; }
    [[nodiscard]] imap::CommandReader& reader() { return reader_; }
    [[nodiscard]] imap::ResponseWriter& out() { return out_; }
    [[nodiscard]] bool has_permit() const { return static_cast<bool>(permit_); }

    // Who and where.
    [[nodiscard]] State state() const;
    [[nodiscard]] AccountId account() const { return login_->account; }
    [[nodiscard]] const LoggedIn& login() const { return *login_; }
    /// Of the account's own mailboxes; that of the selected one is Selected::room().
    [[nodiscard]] AccountRoom& room() { return *room_; }
    /// Null when no mailbox is selected.
    [[nodiscard]] Selected* selected() { return selected_.get(); }
    /// The selected mailbox where it is one of the account's own; 0 otherwise.
    [[nodiscard]] MailboxId selected_of_own() const;
    [[nodiscard]] bool may_start_tls() const;
    [[nodiscard]] bool may_send_password() const;
    [[nodiscard]] sasl::Means means() const;
    [[nodiscard]] std::vector<const sasl::MechanismRow*> mechanisms() const;
    [[nodiscard]] sasl::ChannelBindings bindings() const;

    // Moves between states.
    /// What is written and read from now on is compressed; what was written is sent. RFC 4978 3.
    void start_compression();
    [[nodiscard]] bool is_compressing() const { return compression_ != nullptr; }
    /// Nobody is logged in any more: all that the login brought and ENABLE turned on is forgotten,
    /// compression too. The mailbox must have been left. RFC 8437 3, 4.
    void log_out();
    /// Handshakes; what was read before is forgotten.
    net::Task<Result<>> start_tls();
    /// Moves to the account's home shard. The stream's error, or the store's.
    net::Task<Result<>> log_in(LoggedIn who);
    /// Opens the mailbox; the one selected before must have been left.
    net::Task<Result<>> select(const Place& place, Access access, Rows rows);
    /// Looks again at what the client may do in the selected mailbox, where that is somebody
    /// else's. Who may no longer read it is told BYE (RFC 4314 5.1.1). The store's error: nothing
    /// may be told of the mailbox now.
    net::Task<Result<>> check_access();
    /// Sees to it that the selected mailbox has its rows: before anything that names messages.
    /// Where it was deleted before they were loaded they never come. Says BYE when the rows are not
    /// what the client was told.
    net::Task<Result<>> need_rows();
    /// Nothing is selected after it. Remembers \Recent.
    net::Task<void> leave_mailbox();

    // Talking. Errors mean that the connection is lost.
    net::Task<Result<>> flush();
    /// flush(), once enough has gathered.
    net::Task<Result<>> drain();
    /// Waits for input until `wake_at`, and feeds it to the reader. False when it was woken
    /// instead: by time, by a change, or by the server's end.
    net::Task<Result<bool>> fill(MonoTime wake_at);
    /// The client's next line, which is no command. nullopt when the session must end.
    net::Task<Result<std::optional<std::string>>> read_line(std::size_t size_max);
    /// Until when the client may be silent now.
    [[nodiscard]] MonoTime silence_limit() const;
    /// Tells what the selected mailbox has to tell.
    net::Task<Result<>> announce(Expunges expunges);
    /// Says BYE if the session must end now: shutdown, credentials, silence.
    net::Task<Result<bool>> must_end();
    /// Of the command that runs.
    [[nodiscard]] Progress& progress() { return progress_; }
    /// Tells how far it has come, when that is due: between whole responses only. A lost connection
    /// shows at the next flush().
    net::Task<void> tell_progress(std::size_t done, std::size_t goal);
    void say_bye(std::string_view code, std::string_view text);
    [[nodiscard]] bool has_said_bye() const { return has_said_bye_; }
    /// The reader gave up on the client.
    void say_fatal(const imap::Fatal& fatal);
    /// Called after the next flush that writes something.
    void call_once_written(void (*call)()) { once_written_ = call; }
    void wake_on_news(bool on) { wakes_on_news_ = on; }
    /// What NOTIFY asked for; null before the first. RFC 5465.
    [[nodiscard]] Notified* notified() { return notified_.get(); }
    void notify(std::unique_ptr<Notified> notified);
    /// True once after something happened that NOTIFY is about.
    bool take_wake() { return std::exchange(was_woken_, false); }

    /// What the client has enabled, which stays so to the connection's end (RFC 5161 3.1) or to
    /// UNAUTHENTICATE.
    [[nodiscard]] bool has_enabled(Feature feature) const { return enabled_.has(feature); }
    void enable(Feature feature);
    /// Each command that names a mod-sequence is a CONDSTORE enabling one. The first tells how far
    /// the selected mailbox has come. RFC 7162 3.1.
    void follow_mod_seqs();
    /// How mailbox names are written. Q41: UTF-8 only once it was enabled.
    [[nodiscard]] imap::NameSpelling spelling() const;

private:
    void on_change(const store::AccountChange& change);
    void on_selected_news();
    void follow_notified();
    net::Task<bool> are_credentials_stale();
    void feed(std::string_view bytes);
    bool feed_expanded();
    void feed_rest();

    flow::Services* services_;
    flow::ListenerSettings listener_;
    const net::TlsServerContext* tls_;
    flow::ConnectionPermit permit_;
    std::unique_ptr<net::Stream> stream_;
    flow::Attendance attendance_;
    net::Timer alarm_;
    MonoTime connected_at_;
    MonoTime heard_at_;
    imap::CommandReader reader_;
    imap::ResponseWriter out_;
    std::unique_ptr<imap::Compression> compression_;
    /// After log_out(): the end of what the client compressed is still to come.
    std::unique_ptr<imap::Compression> ending_;
    std::optional<LoggedIn> login_;
    // Shared with the other sessions of the account on this shard.
    std::shared_ptr<AccountRoom> room_;
    Watcher watcher_;
    std::unique_ptr<Selected> selected_;
    Features enabled_;
    Progress progress_;
    bool credentials_changed_ = false;
    bool wakes_on_news_ = false;
    std::unique_ptr<Notified> notified_;
    bool was_woken_ = false;
    bool has_said_bye_ = false;
    void (*once_written_)() = nullptr;
};

}  // namespace godwit::serve::imap_desk
