// What each command does: order first, then the command. RFC 5321 4.1.1, 4.1.4, 4.3.2.
#include "mail/text/timestamp.h"
#include "wire/smtp/server.h"

namespace godwit::smtp {

namespace {
Reply bad_sequence(std::string text) {
    return make_reply(503, {5, 5, 1}, std::move(text));
}
}  // namespace

void ServerEngine::dispatch(Command command) {
    std::visit([this](auto& one) { on(one); }, command);
}

/// The refusal of a command that may not stand here, whatever its arguments.
std::optional<Reply> ServerEngine::out_of_order(Verb verb) const {
    const bool is_free = verb == Verb::Noop || verb == Verb::Ehlo || verb == Verb::Helo ||
                         verb == Verb::Lhlo || verb == Verb::StartTls || verb == Verb::Quit ||
                         verb == Verb::Http || verb == Verb::XClient || verb == Verb::XForward ||
                         verb == Verb::Unknown;
    if (options_.tls_required && !tls_active_ && !is_free && verb != Verb::Bdat) {
        return make_reply(530, {5, 7, 0}, "Must issue a STARTTLS command first");  // RFC 3207 4
    }
    switch (verb) {
        case Verb::Mail:
            if (!hello_verb_) {
                return bad_sequence("Say hello first");
            }
            if (options_.auth_required && !identity_) {
                return make_reply(530, {5, 7, 0}, "Authentication required");  // K1
            }
            return transaction_ ? std::optional(bad_sequence("A transaction is open already"))
                                : std::nullopt;
        case Verb::Rcpt:
            if (!transaction_) {
                return bad_sequence("Need MAIL first");
            }
            return chunk_count_ > 0 ? std::optional(bad_sequence("BDAT has begun")) : std::nullopt;
        case Verb::Data: return out_of_order_data();
        case Verb::Burl: return out_of_order_burl();
        case Verb::StartTls:
            if (tls_active_) {
                return bad_sequence("TLS is active already");
            }
            return options_.tls_available
                       ? std::nullopt
                       : std::optional(make_reply(502, {5, 5, 1}, "STARTTLS is not offered here"));
        case Verb::Auth: return out_of_order_auth();
        case Verb::XClient: return out_of_order_facts(options_.takes_stand_ins);
        case Verb::XForward: return out_of_order_facts(options_.takes_forwarded);
        case Verb::Etrn:
        case Verb::Atrn: return out_of_order_request(verb);
        default: return std::nullopt;
    }
}

// XCLIENT_README, "Server reply codes".
std::optional<Reply> ServerEngine::out_of_order_facts(bool is_allowed) const {
    if (!is_allowed) {
        return make_reply(550, {5, 7, 1}, "You may not speak for others");
    }
    return transaction_ ? std::optional(bad_sequence("Not during a transaction")) : std::nullopt;
}

// RFC 1985 5: at any time but in a transaction. RFC 2645: 530 before AUTH, 502 where it is not had.
std::optional<Reply> ServerEngine::out_of_order_request(Verb verb) const {
    const bool is_open = verb == Verb::Etrn && options_.takes_requests;
    if (!is_open && !options_.takes_requests_of_users) {
        return make_reply(502, {5, 5, 1}, std::string(to_string(verb)) + " is not offered here");
    }
    if (!hello_verb_) {
        return bad_sequence("Say hello first");
    }
    if (!is_open && !identity_) {
        return make_reply(530, {5, 7, 0}, "Authentication required");
    }
    return transaction_ ? std::optional(bad_sequence("Not during a transaction")) : std::nullopt;
}

std::optional<Reply> ServerEngine::out_of_order_data() const {
    if (!transaction_) {
        return bad_sequence("Need MAIL and RCPT first");
    }
    if (chunk_count_ > 0) {
        return bad_sequence("BDAT and DATA do not mix");  // RFC 3030 2
    }
    if (is_binary()) {
        return bad_sequence("BODY=BINARYMIME needs BDAT");  // RFC 3030 3
    }
    if (!transaction_->recipients.empty()) {
        return std::nullopt;
    }
    // RFC 2033 4.2 wants 503; RFC 5321 3.3 allows 554, which says more (E1).
    return options_.service == Service::Lmtp ? bad_sequence("No valid recipients")
                                             : make_reply(554, {5, 5, 1}, "No valid recipients");
}

// RFC 4468 3.1, 3.2, 6.
std::optional<Reply> ServerEngine::out_of_order_burl() const {
    if (options_.service != Service::Submission) {
        return make_reply(502, {5, 5, 1}, "BURL is not offered here");
    }
    if (!identity_) {
        return make_reply(530, {5, 7, 0}, "Authentication required");
    }
    if (!transaction_) {
        return bad_sequence("Need MAIL and RCPT first");
    }
    if (!offered_.contains(Extension::Burl)) {
        return bad_sequence("Say EHLO first");
    }
    return transaction_->recipients.empty()
               ? std::optional(make_reply(554, {5, 5, 0}, "No valid recipients"))
               : std::nullopt;
}

std::optional<Reply> ServerEngine::out_of_order_auth() const {
    if (options_.service == Service::Mx || !options_.auth_available) {
        return bad_sequence("Authentication is not offered here");
    }
    if (!hello_verb_ || hello_verb_ == Verb::Helo) {
        return bad_sequence("Say EHLO first");
    }
    if (identity_) {
        return bad_sequence("Already authenticated");  // RFC 4954
    }
    return transaction_ ? std::optional(bad_sequence("Not during a transaction")) : std::nullopt;
}

/// A9, T6, T11: the client may not speak on before it has our reply to `after`.
bool ServerEngine::refuses_early_input(std::string_view after) {
    if (unread().empty() || options_.takes_early_input) {
        return false;
    }
    close_with(
        make_reply(554, {5, 5, 0}, "Protocol synchronization error after " + std::string(after)),
        event::CloseReason::Protocol, "bytes behind " + std::string(after) + " before its reply");
    return true;
}

/// Commands that move no mail are free in moderation (D15); then it is 421.
bool ServerEngine::is_too_much_junk() {
    if (++junk_ <= limits::smtp_junk_commands_max) {
        return false;
    }
    close_with(make_reply(421, {4, 7, 0}, "Too many commands without mail"),
               event::CloseReason::TooManyErrors, "too many commands without mail");
    return true;
}

Announcement ServerEngine::announcement() const {
    // Before AUTH too: whoever logs in to ask does not say EHLO again.
    const bool users_may_ask =
        options_.takes_requests_of_users && (tls_active_ || !options_.tls_required);
    return {.service = options_.service,
            .tls_available = options_.tls_available,
            .tls_active = tls_active_,
            .auth_available = options_.auth_available && !offered_mechanisms().empty(),
            .is_authenticated = identity_.has_value(),
            .holds_mail = options_.hold_seconds_max > 0,
            .answers_questions = answers_questions(),
            .takes_stand_ins = options_.takes_stand_ins,
            .takes_forwarded = options_.takes_forwarded,
            .takes_requests = options_.takes_requests || users_may_ask,
            .turns_round = users_may_ask};
}

bool ServerEngine::may_offer_passwords() const {
    return tls_active_ || options_.allow_plaintext_auth;
}

std::vector<const sasl::MechanismRow*> ServerEngine::offered_mechanisms() const {
    // T36: where TLS must come first, nothing is offered before it.
    if (options_.tls_required && !tls_active_) {
        return {};
    }
    return sasl::offered_mechanisms({.passwords_allowed = may_offer_passwords(),
                                     .has_sha1_keys = options_.has_sha1_keys,
                                     .takes_tokens = options_.takes_tokens && tls_active_},
                                    options_.bindings);
}

std::string ServerEngine::ehlo_text() const {
    std::string text = options_.hostname;
    for (const ExtensionRow& row : extensions()) {
        if (!offered_.contains(row.extension)) {
            continue;
        }
        text += '\n';
        text += row.keyword;
        text += ehlo_values(row.extension);
    }
    return text;
}

/// What stands behind a keyword, with a space before it; often nothing.
std::string ServerEngine::ehlo_values(Extension extension) const {
    std::string values;
    switch (extension) {
        case Extension::Size: return ' ' + std::to_string(options_.message_size_max);
        case Extension::Auth:
            for (const sasl::MechanismRow* mechanism : offered_mechanisms()) {
                values += ' ';
                values += mechanism->name;
            }
            return values;
        case Extension::FutureRelease:
            return ' ' + std::to_string(options_.hold_seconds_max) + ' ' +
                   mail::format_timestamp(options_.hold_until_max);
        case Extension::Limits:
            return " MAILMAX=" + std::to_string(limits::smtp_transactions_max) +
                   " RCPTMAX=" + std::to_string(recipients_max());
        case Extension::NoSoliciting:
            return options_.refused_solicitation.empty() ? "" : ' ' + options_.refused_solicitation;
        case Extension::Burl:
            // RFC 4468 3.3: signed URLs, and those of what is the account's own here.
            return identity_ ? " imap imap://" + options_.hostname : "";
        case Extension::XClient: return client_fact_names(ClientFactUse::StandIn);
        case Extension::XForward: return client_fact_names(ClientFactUse::Forwarded);
        default: return values;
    }
}

std::size_t ServerEngine::recipients_max() const {
    return identity_ ? options_.recipients_authenticated_max : options_.recipients_max;
}

void ServerEngine::on(HelloCommand& command) {
    const bool is_lmtp = options_.service == Service::Lmtp;
    if (is_lmtp != (command.verb == Verb::Lhlo)) {
        // RFC 2033 4.1: so that a mix-up of the two protocols shows.
        refuse_command(make_reply(500, {5, 5, 1},
                                  is_lmtp ? "This is LMTP, say LHLO" : "This is SMTP, say EHLO"));
        return;
    }
    if (refuses_early_input(to_string(command.verb)) || is_too_much_junk()) {
        return;
    }
    end_transaction();  // RFC 5321 4.1.4
    hello_verb_ = command.verb;
    // XCLIENT_README: what XCLIENT said of HELO is not undone by the proxy's own.
    const std::string told = stand_in_.text(ClientFact::Hello);
    hello_name_ = told.empty() ? command.name : told;
    const bool is_extended = command.verb != Verb::Helo;
    offered_ = is_extended ? announced_extensions(announcement()) : ExtensionSet();
    send({.code = 250, .enhanced = {}, .text = is_extended ? ehlo_text() : options_.hostname});
    events_.emplace_back(event::Hello{.verb = command.verb, .name = std::move(command.name)});
}

void ServerEngine::on(MailCommand& command) {
    if (transactions_ >= limits::smtp_transactions_max) {
        close_with(make_reply(421, {4, 7, 0}, "Too many messages on one connection"),
                   event::CloseReason::TooManyErrors, "too many transactions");
        return;
    }
    if (command.parameters.size.value_or(0) > options_.message_size_max) {
        refuse_command(
            make_reply(552, {5, 3, 4}, "Message size exceeds fixed limit"));  // RFC 1870 6.1
        return;
    }
    events_.emplace_back(
        event::MailFrom{.sender = command.sender, .parameters = command.parameters});
    asked_mail_ = std::move(command);
    pending_ = Pending::Mail;
}

void ServerEngine::answer_mail(const Reply& reply) {
    send(reply);
    if (reply.is_positive()) {
        ++transactions_;
        transaction_.emplace(Transaction{.sender = std::move(asked_mail_->sender),
                                         .parameters = std::move(asked_mail_->parameters),
                                         .recipients = {}});
    } else {
        (void)is_too_much_junk();
    }
    asked_mail_.reset();
    (void)close_if_shutting_down();
}

void ServerEngine::on(RcptCommand& command) {
    if (transaction_->recipients.size() >= recipients_max()) {
        send(make_reply(452, {4, 5, 3}, "Too many recipients"));  // RFC 5321 4.5.3.1.10, B6
        return;
    }
    asked_rcpt_ = command.recipient;
    events_.emplace_back(event::RcptTo{.recipient = std::move(command.recipient)});
    pending_ = Pending::Rcpt;
}

void ServerEngine::answer_rcpt(const Reply& reply) {
    send(reply);
    if (reply.is_positive()) {
        transaction_->recipients.push_back(*std::move(asked_rcpt_));
    }
    asked_rcpt_.reset();
    (void)close_if_shutting_down();
}

void ServerEngine::on(DataCommand& /*command*/) {
    if (refuses_early_input("DATA")) {
        return;
    }
    events_.emplace_back(event::DataStart{.is_chunked = false});
    pending_ = Pending::DataStart;
}

void ServerEngine::on(RsetCommand& /*command*/) {
    if (!is_too_much_junk()) {
        end_transaction();
        send(make_reply(250, {2, 0, 0}, "Ok"));
    }
}

void ServerEngine::on(NoopCommand& /*command*/) {
    if (!is_too_much_junk()) {
        send(make_reply(250, {2, 0, 0}, "Ok"));
    }
}

void ServerEngine::on(HelpCommand& /*command*/) {
    if (is_too_much_junk()) {
        return;
    }
    std::string text = options_.service == Service::Lmtp ? "LHLO" : "EHLO HELO";
    text += " MAIL RCPT DATA RSET NOOP VRFY QUIT";
    for (const ExtensionRow& row : extensions()) {
        if (offered_.contains(row.extension) && !row.verb.empty()) {
            text += ' ';
            text += row.verb;
        }
    }
    send(make_reply(214, {2, 0, 0}, "Godwit mail server. Commands:\n" + text));
}

/// D13: a true answer only for those who may ask. RFC 5321 7.3.
void ServerEngine::ask(std::string text, bool is_of_list, bool takes_utf8) {
    if (text.empty()) {
        refuse_command(make_reply(501, {5, 5, 4}, "Name an address"));
        return;
    }
    events_.emplace_back(event::Question{
        .text = std::move(text), .is_of_list = is_of_list, .takes_utf8 = takes_utf8});
    pending_ = Pending::Question;
}

void ServerEngine::on(VrfyCommand& command) {
    if (is_too_much_junk()) {
        return;
    }
    if (answers_questions()) {
        ask(std::move(command.text), false, command.smtputf8);
        return;
    }
    // T35, D13: the same for everybody else. RFC 5321 3.5.3.
    send(make_reply(252, {2, 0, 0}, "Cannot verify, but will take mail and try to deliver it"));
}

void ServerEngine::on(ExpnCommand& command) {
    if (is_too_much_junk()) {
        return;
    }
    if (answers_questions()) {
        ask(std::move(command.text), true, command.smtputf8);
        return;
    }
    refuse_command(make_reply(502, {5, 5, 1}, "EXPN is not offered"));
}

void ServerEngine::on(StandInCommand& command) {
    if (!is_too_much_junk()) {
        asked_stand_in_ = stand_in_;
        asked_stand_in_.update(command.facts);
        events_.emplace_back(event::StandIn{.facts = std::move(command.facts)});
        pending_ = Pending::StandIn;
    }
}

void ServerEngine::answer_stand_in(std::optional<sasl::Done> identity, bool answers_questions) {
    if (state_ == State::Closed) {
        return;
    }
    check(pending_ == Pending::StandIn, "answer_stand_in() without StandIn");
    pending_ = Pending::None;
    // XCLIENT_README, "Server response": back to the greeting, but for TLS and what was just told.
    begin_session();
    stand_in_ = std::move(asked_stand_in_);
    identity_ = std::move(identity);
    options_.answers_questions = answers_questions;
    send_greeting();
    (void)close_if_shutting_down();
}

void ServerEngine::on(EtrnCommand& command) {
    if (!is_too_much_junk()) {
        events_.emplace_back(
            event::Etrn{.option = command.option, .node = std::move(command.node)});
        pending_ = Pending::Question;
    }
}

void ServerEngine::on(AtrnCommand& command) {
    // What came behind it would be taken for words of the server that the client is to become.
    if (!refuses_early_input("ATRN") && !is_too_much_junk()) {
        events_.emplace_back(event::Turn{.domains = std::move(command.domains)});
        pending_ = Pending::Turn;
    }
}

void ServerEngine::on(ForwardedCommand& command) {
    if (!is_too_much_junk()) {
        send(make_reply(250, {2, 0, 0}, "Ok"));
        events_.emplace_back(event::Forwarded{.facts = std::move(command.facts)});
    }
}

void ServerEngine::on(QuitCommand& /*command*/) {
    close_with(make_reply(221, {2, 0, 0}, options_.hostname + " closing connection"),
               event::CloseReason::Quit, "quit");
}

void ServerEngine::on(StartTlsCommand& /*command*/) {
    if (refuses_early_input("STARTTLS")) {
        return;  // T11
    }
    end_transaction();
    send(make_reply(220, {2, 0, 0}, "Ready to start TLS"));
    state_ = State::TlsHandshake;
    events_.emplace_back(event::StartTls{});
}

void ServerEngine::tls_started(sasl::ChannelBindings bindings) {
    if (state_ == State::Closed) {
        return;
    }
    check(state_ == State::TlsHandshake, "tls_started() without StartTls");
    begin_session();
    tls_active_ = true;
    options_.bindings = std::move(bindings);
    state_ = State::Command;
    (void)close_if_shutting_down();
}

void ServerEngine::on(HttpCommand& /*command*/) {
    // D17, T16: a browser was sent here. Nothing of its request is read or echoed.
    close_with(make_reply(221, {2, 7, 0}, "This is not a web server. Goodbye"),
               event::CloseReason::Protocol, "HTTP request");
}

}  // namespace godwit::smtp
