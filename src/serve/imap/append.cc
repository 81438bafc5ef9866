// Serves APPEND and REPLACE: their steps and their commit; octets are in append_octets.cc, URLs in
// catenate.cc.
// RFC 3501 6.3.11; RFC 3502 (all or nothing); RFC 4315 3 (APPENDUID); RFC 5530 3; RFC 8508 3.4.
#include "base/ascii.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/message_record.h"
#include "serve/imap/appending.h"
#include "serve/imap/copy_across.h"
#include "store/store.h"

namespace godwit::serve::imap_desk {

Appending::Appending(Conversation* conversation)
    : c_(conversation), reader_(conversation->spelling()) {}

// What is still to come of the command is drained unseen (Q44).
Answer Appending::refuse(Answer answer) {
    if (has_open_literal_) {
        c_->reader().refuse_literal();
    }
    return answer;
}

AnswerTask Appending::run(imap::Command command) {
    command_ = std::move(command);
    is_whole_ = command_.streamed.empty();
    has_open_literal_ = !is_whole_;
    for (;;) {
        Result<imap::AppendEvent> event = reader_.next(command_, is_whole_);
        if (!event) {
            co_return refuse(bad(event.error().text));
        }
        if (std::holds_alternative<imap::AppendDone>(*event)) {
            break;
        }
        if (Refusal refused = CO_TRY(co_await take(std::move(*event)))) {
            co_return refuse(*std::move(refused));
        }
    }
    if (messages_ == 0) {
        co_return bad(command_.name + " wants a message");
    }
    co_return co_await commit();
}

net::Task<Result<Appending::Refusal>> Appending::take(imap::AppendEvent event) {
    if (auto* target = std::get_if<imap::AppendTarget>(&event)) {
        co_return co_await take_target(std::move(*target));
    }
    if (auto* message = std::get_if<imap::AppendBegin>(&event)) {
        co_return begin(std::move(*message));
    }
    if (const auto* octets = std::get_if<imap::AppendOctets>(&event)) {
        co_return co_await take_octets(*octets);
    }
    if (auto* url = std::get_if<imap::AppendUrl>(&event)) {
        co_return co_await take_url(std::move(url->url));
    }
    if (const auto* octets = std::get_if<imap::AppendUrlOctets>(&event)) {
        co_return co_await take_url_octets(*octets);
    }
    co_return co_await end();
}

net::Task<Appending::Refusal> Appending::take_target(imap::AppendTarget target) {
    if (command_.name == "REPLACE") {
        if (Refusal refused = find_replaced(target.replaced)) {
            co_return refused;
        }
    }
    Sought<Place> place = co_await seek_place(c_, std::move(target.mailbox.name),
                                              store::Right::Insert, Wanted::Messages, "APPEND");
    if (!place) {
        co_return try_create(std::move(place.error()));
    }
    place_ = *std::move(place);
    co_return std::nullopt;
}

// The number keeps its meaning while the literal comes: expunges are told at the end of a command.
Appending::Refusal Appending::find_replaced(std::uint32_t number) {
    // RFC 8508 4.1: what STORE, EXPUNGE and APPEND need.
    if (Refusal forbidden =
            forbid_change(c_, store::Right::DeleteMessages | store::Right::Expunge)) {
        return forbidden;
    }
    const Selected& selected = *c_->selected();
    const auto set = imap::SequenceSet::parse(number == 0 ? "*" : std::to_string(number));
    if (!set) {
        return bad(set.error().text);
    }
    const std::optional<Targets> found =
        selected.resolve(*set, command_.uid ? Numbering::Uid : Numbering::Sequence);
    if (!found) {
        return bad("No message has such a number");
    }
    const store::MessageRow* row =
        found->uids.empty() ? nullptr : selected.view().find(found->uids.front());
    if (row == nullptr) {
        return no(command_.uid && !found->has_gone ? imap::code::kNonExistent
                                                   : imap::code::kExpungeIssued,
                  "The message to replace is gone");
    }
    replaced_ = ReplacedMessage{.account = selected.view().account(),
                                .mailbox = selected.view().mailbox(),
                                .uid = row->uid,
                                .size = row->size};
    store::ExpungeMessages step;
    step.account = replaced_->account;
    step.mailbox = replaced_->mailbox;
    step.uids = {replaced_->uid};
    step.only_deleted = false;
    step.must_be_there = true;
    // In front of the append, which is then measured against a quota with the old one gone.
    plan_.steps.emplace_back(std::move(step));
    return std::nullopt;
}

Appending::Refusal Appending::begin(imap::AppendBegin message) {
    if (replaced_ && messages_ == 1) {
        return bad("REPLACE takes one message");  // RFC 8508 4.7.
    }
    if (messages_ == append_messages_max) {
        return no(imap::code::kLimit,
                  "At most " + std::to_string(append_messages_max) + " messages at once");
    }
    message_.emplace(std::move(message), c_->services()->store->blobs().writer());
    return std::nullopt;
}

// RFC 6855 4: a message with UTF-8 in its header comes from who said that it knows of it; saying
// UTF8 (...) is enough (Q14). RFC 9051 knows no other. Octets that are no UTF-8 are of old mail,
// and refusing them would lose it when an account moves: docs/protocols/imap.md.
bool Appending::forbids_header(const mail::ParsedMessage& parsed) const {
    return parsed.header_has_8bit && !message_->is_utf8 &&
           c_->spelling() == imap::NameSpelling::Utf7 && is_utf8(parsed.header);
}

net::Task<Appending::Refusal> Appending::end() {
    if (message_->writer->size() == 0) {
        co_return no(imap::code::kCannot, "The message is empty");
    }
    const mail::ParsedMessage parsed = message_->parser.finish();
    if (forbids_header(parsed)) {
        co_return no(imap::code::kCannot, "UTF-8 in the header needs ENABLE UTF8=ACCEPT");
    }
    Result<store::NewBody> body = co_await finish_body();
    if (!body) {
        co_return refusal(body.error(), "APPEND");
    }
    store::AppendMessage step;
    step.account = place_->account;
    step.mailbox = place_->state.id;
    step.user = c_->account();
    step.record = flow::make_record(parsed, *body);
    step.flags = permitted(as_names(message_->begin.flags), place_->rights);
    step.internal_date =
        unix_seconds(message_->begin.internal_date.value_or(c_->services()->clock->wall()));
    octets_ += body->size;
    record_octets_ += step.record.summary.size();
    if (record_octets_ > limits::plan_bytes_max) {
        co_return no(imap::code::kLimit, "Too much at once, try fewer messages");
    }
    plan_.steps.emplace_back(std::move(step));
    plan_.bodies.push_back(*std::move(body));
    message_.reset();
    ++messages_;
    co_return std::nullopt;
}

// T84: literals may take their time, and rights go meanwhile.
net::Task<Appending::Refusal> Appending::forbid_by_now() {
    if (replaced_ && replaced_->account != c_->account()) {
        const Result<> checked = co_await c_->check_access();
        if (!checked) {
            co_return refusal(checked.error(), "REPLACE");
        }
        if (c_->has_said_bye()) {
            co_return Answer{.code = "", .text = "", .is_silent = true};
        }
        if (Refusal forbidden =
                forbid_change(c_, store::Right::DeleteMessages | store::Right::Expunge)) {
            co_return forbidden;
        }
    }
    if (place_->account == c_->account()) {
        co_return std::nullopt;
    }
    const Result<store::Rights> rights = co_await rights_now(c_, place_->account, place_->state.id);
    if (!rights) {
        co_return refusal(rights.error(), "APPEND");
    }
    if (!rights->has(store::Right::Insert)) {
        co_return try_create(refuse_place(*rights));
    }
    for (store::PlanStep& step : plan_.steps) {
        if (auto* append = std::get_if<store::AppendMessage>(&step)) {
            append->flags = permitted(std::move(append->flags), *rights);
        }
    }
    co_return std::nullopt;
}

AnswerTask Appending::commit() {
    if (Refusal forbidden = co_await forbid_by_now()) {
        co_return *std::move(forbidden);
    }
    crash_point<"imap.append_planned">();
    store::CommitResult result = co_await flow::commit(c_->services()->store, std::move(plan_));
    if (!result) {
        if (replaced_ && result.error().step == 0) {
            co_return result.error().error.code == ErrorCode::NotFound
                ? no(imap::code::kExpungeIssued, "The message to replace is gone")
                : refusal(result.error().error, "REPLACE");
        }
        co_return try_create(refusal(result.error().error, "APPEND"));
    }
    crash_point<"imap.append_committed">();
    std::vector<Uid> uids;
    UidValidity validity;
    for (const store::StepResult& step : result->results) {
        if (const auto* appended = std::get_if<store::Appended>(&step)) {
            validity = appended->uid_validity;
            uids.push_back(appended->uid);
        }
    }
    Answer answer = ok(command_.name + " completed");
    answer.once_written = &crash_point<"imap.append_answered">;
    // RFC 4315 3: who may not open the mailbox is told nothing of it.
    std::string code =
        place_->may(store::Right::Read) ? imap::code::append_uid(validity, uids) : "";
    if (replaced_) {
        // RFC 8508 4.3: told before the EXPUNGE of the old one.
        if (!code.empty()) {
            c_->out().untagged(imap::Condition::Ok, code, "Replacement message ready");
        }
        c_->selected()->tell_own_expunges();
        if (c_->has_enabled(Feature::Condstore)) {
            // RFC 8508 4.5; RFC 7162 3.2.7. All up to here has been told when the answer is given.
            answer.code = imap::code::highest_mod_seq(c_->selected()->view().highest_mod_seq());
        }
    } else {
        answer.code = std::move(code);
    }
    co_return answer;
}

AnswerTask run_append(Conversation* c, imap::Command command) {
    Appending appending(c);
    co_return co_await appending.run(std::move(command));
}

AnswerTask run_replace(Conversation* c, imap::Command command) {
    Appending appending(c);
    co_return co_await appending.run(std::move(command));
}

}  // namespace godwit::serve::imap_desk
