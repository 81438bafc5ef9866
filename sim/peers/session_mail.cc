// A transaction as a peer's server takes it. RFC 5321 4.1.1.2-4.1.1.4; RFC 1870 6; RFC 3030 2;
// RFC 3461 4; RFC 6152 2.
#include "base/ascii.h"
#include "sim/peers/session.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t kReadSize = 16 * 1024;
constexpr std::size_t kLineMax = 1000;  // RFC 5321 4.5.3.1.6, with CRLF.

struct ParameterRow {
    std::string_view name;
    bool is_of_mail;
    Offer offer;
};
constexpr ParameterRow kParameters[] = {
    {"SIZE", true, Offer::Size},         {"BODY", true, Offer::EightBitMime},
    {"SMTPUTF8", true, Offer::SmtpUtf8}, {"RET", true, Offer::Dsn},
    {"ENVID", true, Offer::Dsn},         {"NOTIFY", false, Offer::Dsn},
    {"ORCPT", false, Offer::Dsn},
};

}  // namespace

void Session::reset() {
    has_mail_ = false;
    envelope_ = {};
    envelope_.node = client_;
    mail_parameters_.clear();
    content_.reset();
    is_chunked_ = false;
}

void Session::check_parameters(const PathLine& path, Stage stage) {
    for (const auto& [name, value] : path.parameters) {
        bool is_allowed = false;
        for (const ParameterRow& row : kParameters) {
            is_allowed = is_allowed || (row.name == name && has(row.offer) &&
                                        row.is_of_mail == (stage == Stage::Mail));
        }
        if (!is_allowed) {
            complain("a parameter that was not offered: " + name + "=" + value);
        }
    }
}

net::Task<bool> Session::mail(Verb verb) {
    const std::optional<PathLine> path = read_path_line(verb.rest, "FROM:");
    if (!is_greeted_ || has_mail_ || !path) {
        complain("MAIL out of place or malformed: " + verb.rest);
        co_return co_await say(503, "5.5.1", "not now");
    }
    check_parameters(*path, Stage::Mail);
    reset();
    if (auto answer = refusal(Stage::Mail)) {
        co_return co_await say(std::move(*answer));
    }
    has_mail_ = true;
    envelope_.sender = path->address;
    mail_parameters_ = path->parameters;
    co_return co_await say(250, "2.1.0", "sender ok");
}

net::Task<bool> Session::rcpt(Verb verb) {
    const std::optional<PathLine> path = read_path_line(verb.rest, "TO:");
    if (!path || path->address.empty()) {
        complain("RCPT malformed: " + verb.rest);
        co_return co_await say(501, "5.5.4", "what?");
    }
    if (!has_mail_) {
        // Pipelined behind a MAIL that was refused; else out of place.
        if (!has(Offer::Pipelining)) {
            complain("RCPT without MAIL");
        }
        co_return co_await say(503, "5.5.1", "no MAIL");
    }
    check_parameters(*path, Stage::Rcpt);
    std::optional<Answer> answer = refusal(Stage::Rcpt);
    if (!answer) {
        answer = office_->objection(envelope_, path->address, &dice_);
    }
    if (answer) {
        office_->note("refuses " + path->address + ": " + std::to_string(answer->code));
        co_return co_await say(std::move(*answer));
    }
    envelope_.recipients.push_back(path->address);
    const bool is_elsewhere = acts(Trait::OddReplies, 0.1);
    co_return co_await say(is_elsewhere ? 251U : 250U, "2.1.5", "recipient ok");
}

net::Task<bool> Session::data() {
    const bool is_empty = envelope_.recipients.empty();
    if (!has_mail_ || is_empty) {
        if (!has(Offer::Pipelining)) {
            complain("DATA without a recipient");
        }
        // E1: some say 354 all the same.
        if (!acts(Trait::OddReplies, 0.5)) {
            co_return co_await say(554, "5.5.1", "no valid recipients");
        }
    } else if (auto answer = refusal(Stage::Data)) {
        co_return co_await say(std::move(*answer));
    }
    if (!co_await say(354, "", "go on")) {
        co_return false;
    }
    content_.emplace();
    if (!co_await body_of_data()) {
        co_return false;
    }
    if (is_empty) {
        if (!content_->text().empty()) {
            complain("content for nobody");
        }
        reset();
        co_return co_await say(554, "5.5.1", "no valid recipients");
    }
    co_return co_await end_of_mail();
}

net::Task<void> Session::dawdle_in_body() {
    if (is_slow_ && acts(Trait::SlowReader, 0.5)) {
        // RFC 5321 4.5.3.2.5: three minutes for a block, and some take longer.
        co_await net::sleep_for(dice_.chance(0.005) ? dice_.between(minutes(1), minutes(8))
                                                    : dice_.between(milliseconds(10), seconds(5)));
    }
}

net::Task<bool> Session::body_of_data() {
    for (;;) {
        const Content::Step step = content_->data(heard_);
        heard_.erase(0, step.consumed);
        if (step.is_ended) {
            co_return true;
        }
        if (acts(Trait::HangsUp, 0.02)) {
            office_->note("hangs up on " + client_ + " in the body");
            ending_ = Ending::Abort;
            co_return false;
        }
        co_await dawdle_in_body();
        const bool is_slow = is_slow_ && acts(Trait::SlowReader, 1);
        if (!co_await hear(is_slow ? 1 + dice_.below(8192) : kReadSize)) {
            co_return false;
        }
    }
}

net::Task<bool> Session::bdat(Verb verb) {
    const bool is_last = ends_with_ignore_case(verb.rest, " LAST");
    const std::optional<std::uint64_t> size =
        parse_u64(std::string_view(verb.rest).substr(0, verb.rest.find(' ')));
    if (!size) {
        complain("BDAT malformed: " + verb.rest);
        co_return false;
    }
    if (!has(Offer::Chunking)) {
        complain("BDAT that was not offered");
    }
    if (!content_) {
        content_.emplace();
    }
    is_chunked_ = true;
    for (std::uint64_t left = *size; left > 0;) {
        const std::size_t count = std::min<std::uint64_t>(left, heard_.size());
        content_->chunk(std::string_view(heard_).substr(0, count));
        heard_.erase(0, count);
        left -= count;
        co_await dawdle_in_body();
        if (left > 0 && !co_await hear(kReadSize)) {
            co_return false;
        }
    }
    if (envelope_.recipients.empty()) {
        complain("a chunk for nobody");
        co_return co_await say(503, "5.5.1", "no recipients");
    }
    if (acts(Trait::RefusesChunks, 0.7)) {
        office_->note("does not know BDAT");
        reset();
        const unsigned code = dice_.pick<unsigned>({500, 502, 554});
        co_return co_await say(code, "5.5.1", "BDAT?");
    }
    if (!is_last) {
        co_return co_await say(250, "2.0.0", "more");
    }
    co_return co_await end_of_mail();
}

void Session::check_size() {
    const auto declared = mail_parameters_.find("SIZE");
    if (declared == mail_parameters_.end()) {
        return;
    }
    const std::uint64_t size = content_->text().size();
    const std::optional<std::uint64_t> said = parse_u64(declared->second);
    // SMTP-BEHAVIOUR.md A8: DATA ends with a line, also where the message did not.
    const bool is_right = said && (*said == size || (!is_chunked_ && *said + 2 == size));
    if (!is_right) {
        complain("SIZE=" + declared->second + ", and " + std::to_string(size) + " octets came");
    }
}

void Session::check_content() {
    const std::string& text = content_->text();
    const ContentFacts facts = facts_of(text);
    if (facts.has_bare_cr || facts.has_bare_lf || facts.has_nul) {
        complain("bare CR or LF, or NUL, in the content");
    }
    if (content_->has_unstuffed_dot()) {
        complain("a leading dot that was not doubled");
    }
    if (!is_chunked_ && !text.empty() && !text.ends_with("\r\n")) {
        complain("the content does not end with a line");
    }
    check_size();
    const auto body = mail_parameters_.find("BODY");
    const bool is_declared =
        body != mail_parameters_.end() && equals_ignore_case(body->second, "8BITMIME");
    if (facts.has_eight_bit && has(Offer::EightBitMime) && !is_declared) {
        complain("8-bit content without BODY=8BITMIME");
    }
    if (facts.longest_line > kLineMax) {
        // SMTP-BEHAVIOUR.md B1: a long line goes on as it came; we make none.
        const Ledger::Row* row = office_->world().ledger().find(find_token(text));
        if (row == nullptr || facts_of(row->letter.text).longest_line <= kLineMax) {
            complain("a line of " + std::to_string(facts.longest_line) + " octets");
        }
    }
}

net::Task<bool> Session::end_of_mail() {
    check_content();
    if (acts(Trait::DropsUntaken, 0.2)) {
        office_->note("hangs up on " + client_ + " at the dot, and keeps nothing");
        office_->world().count("peers: dropped untaken");
        ending_ = dice_.chance(0.5) ? Ending::Close : Ending::Abort;
        co_return false;
    }
    if (auto answer = refusal(Stage::End)) {
        office_->note("refuses a message of " + client_ + ": " + std::to_string(answer->code));
        reset();
        co_return co_await say(std::move(*answer));
    }
    envelope_.is_seven_bit = !has(Offer::EightBitMime);
    receipt_ = office_->take(envelope_, content_->text());
    reset();
    co_return co_await say_taken();
}

// From here on only our 250 can be lost (window W1 of RELIABILITY.md 1).
net::Task<bool> Session::say_taken() {
    if (acts(Trait::TakesAndDrops, 0.2)) {
        office_->note("hangs up on " + client_ + " instead of saying 250");
        office_->world().count("peers: took and dropped");
        ending_ = dice_.chance(0.5) ? Ending::Close : Ending::Abort;
        co_return false;
    }
    if (acts(Trait::LateReplies, 0.3)) {
        office_->world().count("peers: late replies");
        co_await net::sleep_for(dice_.chance(0.5) ? dice_.between(minutes(1), minutes(15))
                                                  : dice_.about(hours(3)));
    }
    if (!co_await say(250, "2.0.0", "taken")) {
        co_return false;
    }
    if (acts(Trait::ClosesIdle, 0.5)) {
        co_await net::sleep_for(dice_.between(milliseconds(1), seconds(2)));
        if (dice_.chance(0.5)) {
            co_await mutter("421 4.4.2 idle\r\n");
        }
        co_return false;
    }
    co_return true;
}

}  // namespace godwit::sim
