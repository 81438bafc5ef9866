#include "sim/peers/transmission.h"

#include <algorithm>

#include "base/ascii.h"
#include "sim/peers/content.h"
#include "sim/peers/verbs.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// RFC 5321 4.5.3.2.6: ten minutes for the end of a message, and some for a slow network.
constexpr Duration kPatience = minutes(15);
constexpr std::size_t kReplyLinesMax = 100;

std::unexpected<Error> dropped() {
    return temporary_error(ErrorCode::Cancelled, "we hung up");
}

}  // namespace

Transmission::Transmission(World* world, std::unique_ptr<net::Stream> stream, std::string domain,
                           Dice dice)
    : world_(world),
      talk_(std::move(stream), kPatience),
      domain_(std::move(domain)),
      dice_(std::move(dice)) {}

bool Transmission::may_fail() const {
    return !world_->is_calm();
}

net::Task<Result<Transmission::Reply>> Transmission::reply() {
    Reply whole;
    for (std::size_t lines = 0; lines < kReplyLinesMax; ++lines) {
        std::string line = CO_TRY(co_await talk_.line());
        const std::optional<std::uint32_t> code = parse_u32(std::string_view(line).substr(0, 3));
        const bool is_last = line.size() == 3 || (line.size() > 3 && line[3] == ' ');
        const bool is_more = line.size() > 3 && line[3] == '-';
        if (!code || *code < 200 || *code > 599 || (!is_last && !is_more) ||
            (whole.code != 0 && whole.code != *code)) {
            world_->ledger().broken("wire", "a node said to " + domain_ + ": " + line);
            co_return temporary_error(ErrorCode::Corrupt, "not a reply");
        }
        whole.code = *code;
        whole.text +=
            (whole.text.empty() ? "" : "\n") + line.substr(std::min<std::size_t>(4, line.size()));
        if (is_last) {
            co_return whole;
        }
    }
    world_->ledger().broken("wire", "a reply without an end to " + domain_);
    co_return temporary_error(ErrorCode::LimitExceeded, "a reply without an end");
}

net::Task<Result<Transmission::Reply>> Transmission::ask(std::string line) {
    CO_TRY(co_await talk_.send(line + "\r\n"));
    co_return co_await reply();
}

net::Task<Result<>> Transmission::say_hello() {
    offers_.clear();
    if (dice_.chance(0.1)) {
        const Reply hello = CO_TRY(co_await ask("HELO mail." + domain_));
        if (!hello.is_good()) {
            co_return temporary_error(ErrorCode::Unavailable, "HELO refused");
        }
        co_return Result<>();
    }
    const Reply hello = CO_TRY(co_await ask("EHLO mail." + domain_));
    if (!hello.is_good()) {
        co_return temporary_error(ErrorCode::Unavailable, "EHLO refused");
    }
    for (const std::string_view line : split(hello.text, '\n')) {
        offers_.insert(to_upper(line.substr(0, line.find(' '))));
    }
    co_return Result<>();
}

net::Task<bool> Transmission::open() {
    const Result<Reply> greeting = co_await reply();
    if (!greeting || greeting->code != 220 || !co_await say_hello()) {
        co_return false;
    }
    if (has("STARTTLS") && dice_.chance(0.5)) {
        const Result<Reply> go = co_await ask("STARTTLS");
        if (!go) {
            co_return false;
        }
        if (go->code == 220) {
            if (may_fail() && dice_.chance(0.05)) {
                talk_.abort();
                co_return false;
            }
            const Result<> secured =
                co_await talk_.start_tls_client(world_->tls_client(), "mx." + domain_);
            if (!secured || !co_await say_hello()) {
                co_return false;
            }
            world_->count("letters from abroad: over TLS");
        }
    }
    is_open_ = true;
    co_return true;
}

void Transmission::draw_wishes(const Handing& handing) {
    is_end_sent_ = false;
    drop_at_ = Step::kCount;
    if (may_fail() && dice_.chance(0.15)) {
        drop_at_ = static_cast<Step>(dice_.below(static_cast<std::uint64_t>(Step::kCount)));
    }
    is_pipelined_ = has("PIPELINING") && dice_.chance(0.6);
    is_chunked_ = has("CHUNKING") && !handing.is_dirty && dice_.chance(0.4);
    notify_.clear();
    if (has("DSN") && dice_.chance(0.3)) {
        notify_ =
            dice_.pick<std::string>({"NEVER", "FAILURE", "FAILURE,DELAY", "SUCCESS,FAILURE,DELAY"});
    }
}

std::string Transmission::mail_line(const Handing& handing) {
    const std::string& text = handing.letter.text;
    std::string line = "MAIL FROM:<" + handing.letter.sender + ">";
    if (has("SIZE") && dice_.chance(0.5)) {
        line += " SIZE=" + std::to_string(text.size());
    }
    if (has("8BITMIME") && facts_of(text).has_eight_bit) {
        line += " BODY=8BITMIME";
    }
    if (has("DSN") && dice_.chance(0.3)) {
        line += dice_.chance(0.5) ? " RET=HDRS" : " RET=FULL";
        line += " ENVID=" + handing.letter.token;
    }
    return line;
}

std::string Transmission::rcpt_line(const std::string& recipient) {
    std::string line = "RCPT TO:<" + recipient + ">";
    if (!notify_.empty()) {
        line += " NOTIFY=" + notify_;
    }
    if (has("DSN") && dice_.chance(0.3)) {
        line += " ORCPT=rfc822;" + xtext_encoded(recipient);
    }
    return line;
}

net::Task<bool> Transmission::drops_at(Step step) {
    if (drop_at_ != step) {
        co_return false;
    }
    world_->count("letters from abroad: hung up");
    if (dice_.chance(0.5)) {
        talk_.abort();
    } else {
        co_await talk_.close();
    }
    co_return true;
}

net::Task<Handed> Transmission::hand(Handing handing) {
    draw_wishes(handing);
    Handed handed;
    // What nothing was sent for cannot be delivered.
    handed.told.assign(handing.recipients.size(), Told::Refused);
    handed.wants_no_report = notify_ == "NEVER";
    const Result<> ended = co_await transact(&handing, &handed);
    if (!ended) {
        is_open_ = false;
        talk_.abort();
    }
    co_return handed;
}

bool Transmission::Envelope::has_taker() const {
    return std::ranges::find(is_taken, true) != is_taken.end();
}

Transmission::Envelope Transmission::envelope_of(const Handing& handing) {
    Envelope envelope;
    envelope.is_taken.assign(handing.recipients.size(), false);
    envelope.lines.push_back(mail_line(handing));
    for (const std::string& recipient : handing.recipients) {
        envelope.lines.push_back(rcpt_line(recipient));
    }
    if (!is_chunked_) {
        envelope.lines.emplace_back("DATA");
    }
    return envelope;
}

// MAIL, RCPT and DATA: at once, or one after the other as far as it makes sense.
net::Task<Result<>> Transmission::say_envelope(Envelope* envelope, Handed* handed) {
    if (is_pipelined_) {
        std::string group;
        for (const std::string& line : envelope->lines) {
            group += line + "\r\n";
        }
        CO_TRY(co_await talk_.send(std::move(group)));
    }
    const std::size_t recipients = envelope->is_taken.size();
    for (std::size_t i = 0; i < envelope->lines.size(); ++i) {
        const bool is_rcpt = i >= 1 && i <= recipients;
        const bool is_data = i > recipients;
        if (co_await drops_at(i == 0 ? Step::Mail : is_rcpt ? Step::Rcpt : Step::Data)) {
            co_return dropped();
        }
        if (!is_pipelined_) {
            if ((i > 0 && !envelope->is_mail_good) || (is_data && !envelope->has_taker())) {
                break;
            }
            CO_TRY(co_await talk_.send(envelope->lines[i] + "\r\n"));
        }
        const Reply said = CO_TRY(co_await reply());
        handed->is_put_off = handed->is_put_off || said.code / 100 == 4;
        if (said.code == 421) {
            co_return temporary_error(ErrorCode::Closed, "421");
        }
        if (i == 0) {
            envelope->is_mail_good = said.is_good();
        } else if (is_rcpt) {
            envelope->is_taken[i - 1] = said.is_good();
        } else {
            envelope->data_code = said.code;
        }
    }
    co_return Result<>();
}

// Fills in handed->told as far as it is known.
net::Task<Result<>> Transmission::transact(const Handing* handing, Handed* handed) {
    Envelope envelope = envelope_of(*handing);
    CO_TRY(co_await say_envelope(&envelope, handed));
    const bool has_taker = envelope.has_taker();
    if (is_chunked_ ? !has_taker : envelope.data_code != 354) {
        const Reply cleared = CO_TRY(co_await ask("RSET"));
        co_return cleared.is_good() ? Result<>() : dropped();
    }
    const Result<> sent =
        is_chunked_ ? co_await chunks(handing) : co_await body(handing, has_taker);
    Result<Reply> last = temporary_error(ErrorCode::Closed, "nobody listens");
    if (sent && !co_await drops_at(Step::End)) {
        last = co_await reply();
    }
    const Told told = last           ? last->is_good() ? Told::Accepted : Told::Refused
                      : is_end_sent_ ? Told::Unknown
                                     : Told::Refused;
    for (std::size_t i = 0; i < handed->told.size(); ++i) {
        if (envelope.is_taken[i]) {
            handed->told[i] = told;
        }
    }
    if (!last) {
        co_return std::unexpected(std::move(last).error());
    }
    handed->is_put_off = handed->is_put_off || last->code / 100 == 4;
    if (handing->is_dirty && last->is_good()) {
        world_->ledger().broken(
            "wire", "a bare CR was answered with " + std::to_string(last->code) + " " + last->text);
    }
    co_return last->code == 421 ? dropped() : Result<>();
}

net::Task<Result<>> Transmission::body(const Handing* handing, bool has_recipients) {
    if (!has_recipients) {
        // E1: nobody wants it, and the node listens all the same.
        co_return co_await talk_.send(".\r\n");
    }
    const std::string bytes = stuffed(handing->letter.text);
    // The last octets alone make a message of it.
    const std::size_t end = bytes.size() - dice_.below(4) - 1;
    std::size_t at = 0;
    while (at < end) {
        if (co_await drops_at(Step::Body)) {
            co_return dropped();
        }
        const std::size_t count = std::min<std::size_t>(end - at, 1 + dice_.below(60'000));
        CO_TRY(co_await talk_.send(bytes.substr(at, count)));
        at += count;
        if (may_fail() && dice_.chance(0.02)) {
            co_await net::sleep_for(dice_.between(seconds(1), minutes(6)));
        }
    }
    is_end_sent_ = true;
    co_return co_await talk_.send(bytes.substr(end));
}

net::Task<Result<>> Transmission::chunks(const Handing* handing) {
    const std::string& text = handing->letter.text;
    std::size_t at = 0;
    std::size_t pending = 0;
    while (at < text.size() && dice_.chance(0.4)) {
        const std::size_t count = std::min<std::size_t>(text.size() - at, dice_.below(50'000));
        CO_TRY(
            co_await talk_.send("BDAT " + std::to_string(count) + "\r\n" + text.substr(at, count)));
        at += count;
        if (co_await drops_at(Step::Body)) {
            co_return dropped();
        }
        if (is_pipelined_) {
            ++pending;
            continue;
        }
        const Reply said = CO_TRY(co_await reply());
        if (!said.is_good()) {
            co_return temporary_error(ErrorCode::Unavailable, "a chunk was refused");
        }
    }
    // The whole last chunk makes a message of it; without its last octet it is none.
    const std::string last = text.substr(at);
    is_end_sent_ = true;
    CO_TRY(co_await talk_.send("BDAT " + std::to_string(last.size()) + " LAST\r\n" + last));
    for (; pending > 0; --pending) {
        const Reply said = CO_TRY(co_await reply());
        static_cast<void>(said);  // The last one decides.
    }
    co_return Result<>();
}

net::Task<void> Transmission::close() {
    if (!is_open_) {
        co_return;
    }
    is_open_ = false;
    if (!may_fail() || !dice_.chance(0.2)) {
        talk_.set_patience(minutes(1));
        const Result<Reply> bye = co_await ask("QUIT");
        static_cast<void>(bye);  // 221 or not, it is over.
    }
    co_await talk_.close();
}

}  // namespace godwit::sim
