#include "serve/imap/conversation.h"

#include "base/log.h"
#include "base/probe.h"
#include "flow/channel_bindings.h"
#include "flow/commit.h"
#include "flow/oauth/token_desk.h"
#include "flow/read.h"
#include "serve/imap/place.h"
#include "store/directory/directory.h"

namespace godwit::serve::imap_desk {

namespace {
// As much as one read takes at once; lives only while there is something to read.
constexpr std::size_t kReadSize = 32 * 1024;
}  // namespace

Conversation::Conversation(Connection connection)
    : services_(connection.services),
      listener_(std::move(connection.listener)),
      tls_(connection.tls),
      permit_(std::move(connection.permit)),
      stream_(std::move(connection.stream)),
      attendance_(services_->roll_call, stream_.get()),
      connected_at_(stream_->shard().now()),
      heard_at_(connected_at_) {}

State Conversation::state() const {
    if (!login_) {
        return State::NotAuthenticated;
    }
    return selected_ == nullptr ? State::Authenticated : State::Selected;
}

bool Conversation::may_start_tls() const {
    return tls_ != nullptr && stream_->tls() == nullptr && !stream_->peer().is_unix();
}

bool Conversation::may_send_password() const {
    return stream_->tls() != nullptr || stream_->peer().is_unix() ||
           (services_->settings()->allow_plaintext_login && stream_->peer().is_loopback());
}

sasl::ChannelBindings Conversation::bindings() const {
    return flow::channel_bindings(stream_->tls());
}

sasl::Means Conversation::means() const {
    return {
        .passwords_allowed = may_send_password(),
        .has_sha1_keys = services_->settings()->has_sha1_keys,
        .takes_tokens = stream_->tls() != nullptr && flow::takes_tokens(*services_->settings())};
}

std::vector<const sasl::MechanismRow*> Conversation::mechanisms() const {
    return sasl::offered_mechanisms(means(), bindings());
}

void Conversation::enable(Feature feature) {
    enabled_.add(feature);
    out_.set_spelling(spelling());
}

void Conversation::follow_mod_seqs() {
    if (enabled_.has(Feature::Condstore)) {
        return;
    }
    enable(Feature::Condstore);
    if (selected_ != nullptr) {
        out_.untagged(imap::Condition::Ok, imap::code::highest_mod_seq(selected_->told_mod_seq()),
                      "Highest mod-sequence");
    }
}

imap::NameSpelling Conversation::spelling() const {
    return enabled_.has(Feature::Rev2) || enabled_.has(Feature::Utf8) ? imap::NameSpelling::Utf8
                                                                      : imap::NameSpelling::Utf7;
}

net::Task<Result<>> Conversation::start_tls() {
    stream_->set_deadline(stream_->shard().now() + limits::tls_handshake_timeout);
    CO_TRY(co_await stream_->start_tls_server(tls_));
    // RFC 3501 6.2.1: what was said in the clear is forgotten.
    reader_ = imap::CommandReader();
    co_return Result<>();
}

net::Task<Result<>> Conversation::log_in(LoggedIn who) {
    net::Shard* home = services_->shards[who.account.value() % services_->shards.size()];
    if (home != &stream_->shard()) {
        probe<"imap.session_moved">();
        alarm_.cancel();
        attendance_.leave();
        const Result<> moved = co_await stream_->move_to(home);
        attendance_.arrive();
        CO_TRY(Result<>(moved));
    }
    login_ = std::move(who);
    room_ = AccountRoom::enter(services_, login_->account, login_->account);
    watcher_.on_change = [this](const store::AccountChange& change) { on_change(change); };
    room_->watch(watcher_);
    // It may have changed between the proof and the watch.
    credentials_changed_ = true;
    reader_.set_limits(imap::ReaderLimits::after_login(services_->settings()->limits.message_size));
    heard_at_ = stream_->shard().now();
    co_return Result<>();
}

void Conversation::log_out() {
    watcher_.on_change = nullptr;
    watcher_.unlink();
    room_.reset();
    login_.reset();
    credentials_changed_ = false;
    enabled_.clear();
    notified_.reset();
    out_.set_spelling(spelling());
    reader_.set_limits(imap::ReaderLimits::before_login());
    ending_ = std::move(compression_);
    if (ending_ != nullptr) {
        feed_rest();
    }
    connected_at_ = heard_at_ = stream_->shard().now();
}

void Conversation::on_change(const store::AccountChange& change) {
    if (change.credentials_changed) {
        credentials_changed_ = true;
        stream_->interrupt();
    }
    if (notified_ != nullptr && notified_->note(change, selected_of_own())) {
        was_woken_ = true;
        stream_->interrupt();
    }
}

MailboxId Conversation::selected_of_own() const {
    const bool is_own = selected_ != nullptr && selected_->view().account() == account();
    return is_own ? selected_->view().mailbox() : MailboxId(0);
}

void Conversation::on_selected_news() {
    was_woken_ = was_woken_ || notified_ != nullptr;
    if (wakes_on_news_ || notified_ != nullptr) {
        stream_->interrupt();
    }
}

void Conversation::notify(std::unique_ptr<Notified> notified) {
    notified_ = std::move(notified);
    was_woken_ = notified_ != nullptr;
    follow_notified();
}

// RFC 5465 3.1: what is not asked for of the selected mailbox is not told.
void Conversation::follow_notified() {
    if (selected_ == nullptr) {
        return;
    }
    imap::NotifyEvents events = imap::kMessageEvents;
    if (notified_ != nullptr) {
        events = notified_->selected() ? notified_->selected()->events : imap::NotifyEvents{0};
    }
    selected_->tell_only(events);
}

net::Task<Result<>> Conversation::select(const Place& place, Access access, Rows rows) {
    // A coroutine's reference argument must not be read after a wait that its caller may not
    // outlive: what is needed is taken here.
    const MailboxId id = place.state.id;
    const ModSeq at_least = place.state.highest_mod_seq;
    const store::Rights rights = place.rights;
    const bool is_own = place.account == account();
    std::string name = place.state.name;
    std::shared_ptr<AccountRoom> room =
        is_own ? room_ : AccountRoom::enter(services_, place.account, account());
    CO_TRY(co_await room->refresh_keywords());
    // The head knows what its owner has seen, not what others have.
    Opened opened = CO_TRY(co_await room->open(id, at_least, is_own ? rows : Rows::Now));
    selected_ =
        std::make_unique<Selected>(std::move(room), std::move(opened), std::move(name), access,
                                   rights, &enabled_, [this] { on_selected_news(); });
    follow_notified();
    co_return Result<>();
}

net::Task<Result<>> Conversation::check_access() {
    // Nothing of one that was deleted is told or changed, whoever asks (Q45).
    if (selected_ == nullptr || selected_->view().account() == account() ||
        selected_->is_deleted()) {
        co_return Result<>();
    }
    const std::uint64_t covered = selected_->access_changes();
    const store::Rights rights =
        CO_TRY(co_await rights_now(this, selected_->view().account(), selected_->view().mailbox()));
    if (!rights.has(store::Right::Read)) {
        say_bye("", "You may no longer read this mailbox");
        co_return Result<>();
    }
    selected_->set_rights(rights, covered, out_);
    co_return Result<>();
}

net::Task<Result<>> Conversation::need_rows() {
    if (selected_ == nullptr || selected_->is_settled()) {
        co_return Result<>();
    }
    if (!selected_->view().is_loaded()) {
        if (selected_->is_deleted()) {
            co_return Result<>();
        }
        const Result<> loaded = co_await selected_->room().load_rows(selected_->shared_mailbox());
        if (!loaded && selected_->is_deleted()) {
            co_return Result<>();
        }
        CO_TRY(Result<>(loaded));
    }
    if (!selected_->settle()) {
        log::error("imap.rows_miscounted", {{"account", selected_->view().account().value()},
                                            {"mailbox", selected_->view().mailbox().value()}});
        say_bye("", "The mailbox is not as it was said to be, please come back");
    }
    co_return Result<>();
}

net::Task<void> Conversation::leave_mailbox() {
    if (selected_ == nullptr) {
        co_return;
    }
    const std::unique_ptr<Selected> left = std::move(selected_);
    OpenMailbox& mailbox = left->mailbox();
    if (left->is_told_read_only() || !mailbox.has_unsaved_claim() || left->is_deleted()) {
        co_return;
    }
    // RFC 3501 2.3.2: later sessions do not see the flag again. Lost in a crash it does no harm.
    const Uid up_to = mailbox.recent_after();
    mailbox.claim_is_saved(up_to);
    store::Plan plan;
    plan.steps.emplace_back(store::ClaimRecent{left->view().account(), left->view().mailbox()});
    const Result<> saved = co_await flow::commit_all(services_->store, std::move(plan));
    if (!saved) {
        log::debug("imap.recent_not_saved", {{"error", saved.error().text}});
    }
}

net::Task<Result<>> Conversation::flush() {
    if (!out_.empty()) {
        std::string bytes = out_.take();
        if (compression_ != nullptr) {
            bytes = compression_->compress(bytes);
        }
        stream_->set_deadline(stream_->shard().now() +
                              services_->settings()->limits.command_timeout);
        CO_TRY(co_await stream_->write_all(bytes));
        if (once_written_ != nullptr) {
            std::exchange(once_written_, nullptr)();
        }
    }
    co_return Result<>();
}

net::Task<Result<>> Conversation::drain() {
    if (out_.should_drain()) {
        CO_TRY(co_await flush());
    }
    co_return Result<>();
}

net::Task<void> Conversation::tell_progress(std::size_t done, std::size_t goal) {
    if (const auto code = progress_.due(done, goal, stream_->shard().now())) {
        out_.untagged(imap::Condition::Ok, *code, "Still working on it");
        static_cast<void>(co_await flush());
    }
}

MonoTime Conversation::silence_limit() const {
    return login_ ? heard_at_ + limits::imap_idle_timeout
                  : connected_at_ + limits::imap_preauth_timeout;
}

net::Task<Result<bool>> Conversation::fill(MonoTime wake_at) {
    CO_TRY(co_await flush());
    if (compression_ != nullptr && compression_->has_pending() && feed_expanded()) {
        // A little input can become much: others have their turn in between.
        co_await net::yield_now();
        co_return true;
    }
    net::Shard& shard = stream_->shard();
    stream_->set_deadline(net::kNever);
    alarm_ = shard.call_at(std::min(wake_at, silence_limit()),
                           [stream = stream_.get()] { stream->interrupt(); });
    const Result<net::Readiness> ready = co_await stream_->wait_readable();
    alarm_.cancel();
    CO_TRY(Result<net::Readiness>(ready));
    if (*ready == net::Readiness::Interrupted) {
        co_return false;
    }
    // Half a TLS record is no input yet: the rest must come soon.
    const MonoTime patience = shard.now() + services_->settings()->limits.command_timeout;
    stream_->set_deadline(login_ ? patience : std::min(patience, silence_limit()));
    std::string buffer(kReadSize, '\0');
    const std::size_t got = CO_TRY(co_await stream_->read_some(buffer));
    if (got == 0) {
        co_return peer_error(ErrorCode::Closed, "the client went away");
    }
    heard_at_ = shard.now();
    feed(std::string_view(buffer).substr(0, got));
    co_return true;
}

void Conversation::feed(std::string_view bytes) {
    if (ending_ != nullptr) {
        ending_->feed(bytes);
        feed_rest();
    } else if (compression_ != nullptr) {
        compression_->feed(bytes);
        feed_expanded();
    } else {
        reader_.feed(bytes);
    }
}

void Conversation::feed_rest() {
    if (ending_->drain()) {
        reader_.feed(ending_->take_rest());
        ending_.reset();
    }
}

// True when the reader got something, or the session is over.
bool Conversation::feed_expanded() {
    const Result<std::string> piece = compression_->expand();
    if (!piece) {
        say_bye(imap::code::kClientBug, "Compressed data cannot be read: " + piece.error().text);
        return true;
    }
    reader_.feed(*piece);
    return !piece->empty();
}

void Conversation::start_compression() {
    compression_ = std::make_unique<imap::Compression>();
}

net::Task<Result<std::optional<std::string>>> Conversation::read_line(std::size_t size_max) {
    reader_.expect_line(size_max);
    for (;;) {
        imap::ReaderEvent event = reader_.next();
        if (auto* line = std::get_if<imap::ContinuationLine>(&event)) {
            co_return std::optional<std::string>(std::move(line->text));
        }
        if (const auto* fatal = std::get_if<imap::Fatal>(&event)) {
            say_fatal(*fatal);
            co_return std::optional<std::string>();
        }
        if (CO_TRY(co_await must_end())) {
            co_return std::optional<std::string>();
        }
        CO_TRY(co_await fill(silence_limit()));
    }
}

net::Task<Result<>> Conversation::announce(Expunges expunges) {
    if (selected_ == nullptr || !selected_->has_news()) {
        co_return Result<>();
    }
    if (const Result<> ready = co_await need_rows(); !ready) {
        log::warn("imap.rows_unread", {{"error", ready.error().text}});
    }
    if (has_said_bye_ || !selected_->is_settled()) {
        co_return Result<>();
    }
    if (selected_->has_stale_rights()) {
        const Result<> checked = co_await check_access();
        if (!checked) {
            log::warn("imap.access_unread", {{"error", checked.error().text}});
        }
        if (!checked || has_said_bye_) {
            co_return Result<>();
        }
    }
    const Result<> fresh = co_await selected_->room().refresh_keywords();
    if (!fresh) {
        log::warn("imap.keywords_unread", {{"error", fresh.error().text}});
    }
    while (selected_->announce(out_, expunges)) {
        CO_TRY(co_await flush());
    }
    co_return Result<>();
}

net::Task<bool> Conversation::are_credentials_stale() {
    credentials_changed_ = false;
    co_return !co_await is_still_valid(services_, *login_);
}

net::Task<Result<bool>> Conversation::must_end() {
    if (has_said_bye_) {
        co_return true;
    }
    if (attendance_.is_closing()) {
        probe<"imap.bye_at_shutdown">();
        say_bye(imap::code::kUnavailable, "Server is going down, please come back");
    } else if (credentials_changed_ && login_ && co_await are_credentials_stale()) {
        say_bye("", "Credentials were changed, please log in again");  // T46
    } else if (stream_->shard().now() >= silence_limit()) {
        say_bye("", login_ ? "Autologout, idle for too long" : "Autologout, no login for too long");
    }
    co_return has_said_bye_;
}

void Conversation::say_bye(std::string_view code, std::string_view text) {
    if (!has_said_bye_) {
        out_.untagged(imap::Condition::Bye, code, text);
        has_said_bye_ = true;
    }
}

void Conversation::say_fatal(const imap::Fatal& fatal) {
    if (!fatal.tag.empty()) {
        out_.tagged(fatal.tag, imap::Condition::Bad, fatal.code, fatal.text);
    }
    say_bye(fatal.code, fatal.text);
}

}  // namespace godwit::serve::imap_desk
