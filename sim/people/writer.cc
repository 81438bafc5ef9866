#include "sim/people/writer.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/encoding.h"
#include "sim/people/letters.h"
#include "sim/people/memory.h"
#include "sim/talk.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

constexpr std::size_t kBlockSize = 16 * 1024;
constexpr std::size_t kRepliesMax = 100;  // Lines of one reply.

struct Reply {
    unsigned code = 0;
    std::vector<std::string> lines;
    [[nodiscard]] bool is_positive() const { return code / 100 == 2; }
    [[nodiscard]] bool offers(std::string_view keyword) const {
        return std::ranges::any_of(lines, [keyword](const std::string& line) {
            return starts_with_ignore_case(line, keyword);
        });
    }
};

// How one letter is handed in.
struct Manner {
    flow::Protocol door = flow::Protocol::Submission;
    Reach reach = Reach::Clear;
    bool is_8bit = false;
    bool in_chunks = false;     // BDAT.
    bool is_pipelined = false;  // MAIL and all RCPT at once.
    std::string mail_parameters;
    std::vector<std::string> notify;  // One for each recipient; "" says nothing.
    Duration patience{};

    [[nodiscard]] bool is_lmtp() const { return door == flow::Protocol::Lmtp; }
};

// One recipient of one hand-over.
struct Asking {
    std::string recipient;
    bool wants_failure_report = true;
    bool is_taken = false;  // RCPT was answered with 2xx.
    Told told = Told::Refused;
};

// One connection that hands in one letter.
class HandIn {
public:
    HandIn(Person* person, const Letter* letter, Manner manner, std::vector<Asking>* askings)
        : person_(person), letter_(letter), manner_(std::move(manner)), askings_(askings) {}

    /// Sets what each asking was told. An error says that the connection is of no use any more.
    net::Task<Result<>> run();

private:
    net::Task<Result<Reply>> reply();
    net::Task<Result<Reply>> ask(std::string line);
    net::Task<Result<>> hello();
    net::Task<Result<>> log_in();
    net::Task<Result<bool>> envelope();
    net::Task<Result<>> content();
    net::Task<Result<>> send_data();
    net::Task<Result<>> send_chunks();
    net::Task<Result<>> hear_end();
    void all_taken(Told told);
    [[nodiscard]] std::string mail_line() const;
    [[nodiscard]] std::string rcpt_line(std::size_t index) const;

    Person* person_;
    const Letter* letter_;
    Manner manner_;
    std::vector<Asking>* askings_;
    std::unique_ptr<Talk> talk_;
    Reply offers_;
};

std::unexpected<Error> unwelcome(const Reply& reply) {
    return temporary_error(ErrorCode::Denied,
                           reply.lines.empty() ? "no reply" : reply.lines.back());
}

net::Task<Result<Reply>> HandIn::reply() {
    Reply reply;
    while (reply.lines.size() < kRepliesMax) {
        const std::string line = CO_TRY(co_await talk_->line());
        const auto code = parse_u32(std::string_view(line).substr(0, 3));
        if (line.size() < 3 || !code) {
            break;
        }
        reply.code = *code;
        reply.lines.push_back(line.size() > 4 ? line.substr(4) : "");
        if (line.size() == 3 || line[3] == ' ') {
            co_return reply;
        }
    }
    person_->broken("RFC 5321 4.2", "a reply that is none");
    co_return peer_error(ErrorCode::Invalid, "a reply that is none");
}

net::Task<Result<Reply>> HandIn::ask(std::string line) {
    line += "\r\n";
    CO_TRY(co_await talk_->send(std::move(line)));
    co_return co_await reply();
}

net::Task<Result<>> HandIn::hello() {
    const std::string verb = manner_.is_lmtp() ? "LHLO " : "EHLO ";
    offers_ = CO_TRY(co_await ask(verb + "desk.sim.test"));
    if (!offers_.is_positive()) {
        co_return unwelcome(offers_);
    }
    co_return Result<>();
}

net::Task<Result<>> HandIn::log_in() {
    const NodeAccount& account = person_->account();
    using namespace std::string_literals;
    const std::string plain = "\0"s + account.name + "\0"s + account.password;
    const Reply answer = CO_TRY(co_await ask("AUTH PLAIN " + base64_encode(plain)));
    if (answer.code == 535) {
        person_->broken("P5", "the right password was refused: " + answer.lines.back());
    }
    if (!answer.is_positive()) {
        co_return unwelcome(answer);
    }
    co_return Result<>();
}

std::string HandIn::mail_line() const {
    return "MAIL FROM:<" + letter_->sender + ">" +
           (manner_.is_8bit && offers_.offers("8BITMIME") ? " BODY=8BITMIME" : "") +
           (offers_.offers("SIZE") ? " SIZE=" + std::to_string(letter_->text.size()) : "") +
           (offers_.offers("DSN") ? manner_.mail_parameters : "");
}

std::string HandIn::rcpt_line(std::size_t index) const {
    const std::string& notify = manner_.notify.at(index);
    return "RCPT TO:<" + askings_->at(index).recipient + ">" +
           (offers_.offers("DSN") && !notify.empty() ? " NOTIFY=" + notify : "");
}

// False when nobody is left to send to.
net::Task<Result<bool>> HandIn::envelope() {
    const bool at_once = manner_.is_pipelined && offers_.offers("PIPELINING");
    if (at_once) {
        std::string lines = mail_line() + "\r\n";
        for (std::size_t i = 0; i < askings_->size(); ++i) {
            lines += rcpt_line(i) + "\r\n";
        }
        CO_TRY(co_await talk_->send(std::move(lines)));
    } else {
        CO_TRY(co_await talk_->send(mail_line() + "\r\n"));
    }
    const Reply from = CO_TRY(co_await reply());
    bool is_any_taken = false;
    for (std::size_t i = 0; i < askings_->size() && (at_once || from.is_positive()); ++i) {
        if (!at_once) {
            CO_TRY(co_await talk_->send(rcpt_line(i) + "\r\n"));
        }
        const Reply to = CO_TRY(co_await reply());
        askings_->at(i).is_taken = from.is_positive() && to.is_positive();
        is_any_taken = is_any_taken || askings_->at(i).is_taken;
    }
    co_return is_any_taken;
}

void HandIn::all_taken(Told told) {
    for (Asking& asking : *askings_) {
        if (asking.is_taken) {
            asking.told = told;
        }
    }
}

net::Task<Result<>> HandIn::send_data() {
    const Reply go = CO_TRY(co_await ask("DATA"));
    if (go.code != 354) {
        co_return unwelcome(go);
    }
    // RFC 5321 4.5.2.
    std::string stuffed;
    stuffed.reserve(letter_->text.size() + 64);
    bool is_line_start = true;
    for (const char c : letter_->text) {
        stuffed.append(is_line_start && c == '.' ? "." : "").push_back(c);
        is_line_start = c == '\n';
    }
    stuffed += ".\r\n";
    for (std::size_t at = 0; at < stuffed.size(); at += kBlockSize) {
        if (at + kBlockSize >= stuffed.size()) {
            // From here on the node may have it all.
            all_taken(Told::Unknown);
        }
        CO_TRY(co_await talk_->send(stuffed.substr(at, kBlockSize)));
    }
    co_return Result<>();
}

// RFC 3030 2: each chunk but the last is answered on its own.
net::Task<Result<>> HandIn::send_chunks() {
    const std::string& text = letter_->text;
    for (std::size_t at = 0; at < text.size(); at += kBlockSize) {
        const std::string chunk = text.substr(at, kBlockSize);
        const bool is_last = at + kBlockSize >= text.size();
        if (is_last) {
            all_taken(Told::Unknown);
        }
        CO_TRY(co_await talk_->send("BDAT " + std::to_string(chunk.size()) +
                                    (is_last ? " LAST\r\n" : "\r\n") + chunk));
        if (!is_last) {
            const Reply taken = CO_TRY(co_await reply());
            if (!taken.is_positive()) {
                co_return unwelcome(taken);
            }
        }
    }
    co_return Result<>();
}

// RFC 2033 4.2: LMTP answers for each recipient that was taken.
net::Task<Result<>> HandIn::hear_end() {
    if (!manner_.is_lmtp()) {
        const Reply end = CO_TRY(co_await reply());
        all_taken(end.is_positive() ? Told::Accepted : Told::Refused);
        co_return Result<>();
    }
    for (Asking& asking : *askings_) {
        if (asking.is_taken) {
            const Reply end = CO_TRY(co_await reply());
            asking.told = end.is_positive() ? Told::Accepted : Told::Refused;
        }
    }
    co_return Result<>();
}

net::Task<Result<>> HandIn::content() {
    if (manner_.in_chunks && offers_.offers("CHUNKING")) {
        CO_TRY(co_await send_chunks());
    } else {
        CO_TRY(co_await send_data());
    }
    co_return co_await hear_end();
}

net::Task<Result<>> HandIn::run() {
    std::unique_ptr<net::Stream> stream =
        CO_TRY(co_await person_->connect(manner_.door, manner_.reach));
    talk_ = std::make_unique<Talk>(std::move(stream), manner_.patience);
    const Reply greeting = CO_TRY(co_await reply());
    if (!greeting.is_positive()) {
        co_return unwelcome(greeting);
    }
    CO_TRY(co_await hello());
    if (manner_.reach == Reach::StartTls && offers_.offers("STARTTLS")) {
        const Reply go = CO_TRY(co_await ask("STARTTLS"));
        if (!go.is_positive()) {
            co_return unwelcome(go);
        }
        CO_TRY(co_await talk_->start_tls_client(person_->world().tls_client(),
                                                person_->node().hostname()));
        CO_TRY(co_await hello());
    }
    if (!manner_.is_lmtp()) {
        CO_TRY(co_await log_in());
    }
    if (CO_TRY(co_await envelope())) {
        CO_TRY(co_await content());
    }
    const Reply bye = CO_TRY(co_await ask("QUIT"));
    static_cast<void>(bye);  // The letter was answered; 221 or not, it is over.
    co_await talk_->close();
    co_return Result<>();
}

// RFC 3461 4.1. Failure is wanted where nothing was said.
std::string choose_notify(Dice& dice) {
    const double fraction = dice.fraction();
    return fraction < 0.75   ? ""
           : fraction < 0.82 ? "NEVER"
           : fraction < 0.88 ? "FAILURE"
           : fraction < 0.94 ? "SUCCESS,FAILURE"
           : fraction < 0.97 ? "DELAY,FAILURE"
                             : "SUCCESS";
}

bool wants_failure(const std::string& notify) {
    return notify.empty() || notify.contains("FAILURE");
}

class Writer {
public:
    explicit Writer(Person* person)
        : person_(person), dice_(person->world().dice(person->account().name + ".writer")) {}

    net::Task<void> live() {
        World& world = person_->world();
        while (!world.is_ending()) {
            co_await net::sleep_for(dice_.about(world.swarm().think));
            if (!world.is_ending()) {
                co_await write_one();
            }
        }
        person_->memory().has_written = true;
    }

private:
    net::Task<void> write_one();
    net::Task<bool> hand_in(const Letter* letter, std::vector<std::string> recipients, bool is_8bit,
                            bool is_lmtp);
    Manner choose_manner(std::size_t recipients, bool is_8bit, bool is_lmtp);
    void record(const Letter& letter, const std::vector<Asking>& askings);

    Person* person_;
    Dice dice_;
};

Manner Writer::choose_manner(std::size_t recipients, bool is_8bit, bool is_lmtp) {
    Manner manner;
    manner.is_8bit = is_8bit;
    manner.in_chunks = dice_.chance(0.3);
    manner.is_pipelined = dice_.chance(0.4);
    manner.reach = is_lmtp ? Reach::Clear : person_->choose_reach(dice_);
    manner.door = is_lmtp                      ? flow::Protocol::Lmtp
                  : manner.reach == Reach::Tls ? flow::Protocol::Submissions
                                               : flow::Protocol::Submission;
    // RFC 5321 4.5.3.2.6 asks for ten minutes after the end of data; not everybody has them.
    manner.patience = dice_.chance(0.2)
                          ? dice_.between(std::chrono::seconds(1), std::chrono::seconds(30))
                          : Duration(std::chrono::minutes(10));
    if (dice_.chance(0.2)) {
        manner.mail_parameters += dice_.chance(0.5) ? " RET=HDRS" : " RET=FULL";
    }
    if (dice_.chance(0.2)) {
        manner.mail_parameters += " ENVID=E" + std::to_string(dice_.below(1'000'000));
    }
    for (std::size_t i = 0; i < recipients; ++i) {
        manner.notify.push_back(choose_notify(dice_));
    }
    return manner;
}

void Writer::record(const Letter& letter, const std::vector<Asking>& askings) {
    for (const Told told : {Told::Accepted, Told::Refused, Told::Unknown}) {
        std::vector<Asked> alike;
        for (const Asking& asking : askings) {
            if (asking.told == told) {
                alike.push_back({.recipient = asking.recipient,
                                 .wants_failure_report = asking.wants_failure_report,
                                 .forbids_failure_report = !asking.wants_failure_report});
            }
        }
        if (!alike.empty()) {
            person_->world().ledger().handed_over(letter.token, person_->node().domain(), alike,
                                                  told);
        }
    }
}

// True when it is not known what became of it.
net::Task<bool> Writer::hand_in(const Letter* letter, std::vector<std::string> recipients,
                                bool is_8bit, bool is_lmtp) {
    Manner manner = choose_manner(recipients.size(), is_8bit, is_lmtp);
    std::vector<Asking> askings;
    for (std::size_t i = 0; i < recipients.size(); ++i) {
        askings.push_back(
            {.recipient = recipients[i], .wants_failure_report = wants_failure(manner.notify[i])});
    }
    HandIn connection(person_, letter, std::move(manner), &askings);
    const Result<> done = co_await connection.run();
    if (!done) {
        person_->note(letter->token + " was not handed in to its end: " + done.error().text);
    }
    record(*letter, askings);
    co_return std::ranges::any_of(
        askings, [](const Asking& asking) { return asking.told == Told::Unknown; });
}

net::Task<void> Writer::write_one() {
    const std::vector<std::string> recipients = choose_recipients(*person_, dice_);
    const bool is_8bit = dice_.chance(0.15);
    const bool is_lmtp = dice_.chance(0.1);
    const Letter letter = compose(*person_, dice_, recipients, is_8bit);
    person_->world().ledger().wrote(letter);
    // W2: whoever heard no answer may send it again.
    while (co_await hand_in(&letter, recipients, is_8bit, is_lmtp) && dice_.chance(0.6) &&
           !person_->world().is_ending()) {
        person_->world().count("letters handed over again");
        co_await net::sleep_for(dice_.between(std::chrono::seconds(10), std::chrono::minutes(30)));
    }
}

}  // namespace

net::Task<void> write_letters(Person* person) {
    Writer writer(person);
    co_await writer.live();
}

}  // namespace godwit::sim
