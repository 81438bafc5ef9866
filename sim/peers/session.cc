#include "sim/peers/session.h"

#include "base/ascii.h"
#include "flow/settings.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kPatience = minutes(10);
constexpr std::size_t kReadSize = 16 * 1024;
constexpr std::size_t kOverheardMax = 1024 * 1024;

std::vector<unsigned> temporary_codes(unsigned stage) {
    switch (stage) {
        case 0: return {421, 450, 421};
        case 1: return {421, 450, 451};
        case 2: return {454, 421};
        case 3: return {421, 450, 451, 452};
        case 4: return {450, 451, 452, 421};
        case 5: return {421, 451, 450};
        default: return {451, 452, 450, 421};
    }
}

std::vector<unsigned> permanent_codes(unsigned stage) {
    switch (stage) {
        case 0: return {554, 521, 550};
        case 1: return {500, 502, 550};
        case 2: return {501, 502, 554};
        case 3: return {550, 553, 554};
        case 4: return {550, 551, 553, 554};
        case 5: return {554, 550};
        default: return {550, 552, 554};
    }
}

// RFC 2920 3.1: what need not be the last of a group.
bool may_stand_in_group(const std::string& verb) {
    return verb == "MAIL" || verb == "RCPT" || verb == "RSET";
}

// Sent by our client only when it has heard all that was said to it.
bool begins_group(const std::string& verb) {
    return verb == "EHLO" || verb == "HELO" || verb == "STARTTLS" || verb == "MAIL" ||
           verb == "RSET" || verb == "QUIT";
}

}  // namespace

Session::Session(Office* office, std::unique_ptr<net::Stream> stream, Dice dice)
    : office_(office), talk_(std::move(stream), kPatience), dice_(std::move(dice)) {
    client_ = talk_.stream().peer().address().to_string();
    census_number_ = office_->census(client_).open(office_->world().now());
    if (dice_.chance(0.3)) {
        sore_stage_ = static_cast<Stage>(dice_.below(static_cast<std::uint64_t>(Stage::kCount)));
    }
    is_tarpit_ = dice_.chance(0.5);
    is_slow_ = dice_.chance(0.5);
    drops_pipelined_ = dice_.chance(0.5);
}

bool Session::acts(Trait trait, double chance) {
    return office_->traits().has(trait) && !office_->world().is_calm() && dice_.chance(chance);
}

std::optional<Answer> Session::refusal(Stage stage) {
    if (sore_stage_ != stage) {
        return std::nullopt;
    }
    const auto which = static_cast<unsigned>(stage);
    // Not always, so that some recipients are refused and others not.
    if (acts(Trait::RefusesForNow, 0.7)) {
        const unsigned code = dice_.pick(temporary_codes(which));
        office_->world().count("peers: refused for now");
        return Answer{code, "4.3.0", "not now"};
    }
    if (acts(Trait::RefusesForGood, 0.4)) {
        const unsigned code = dice_.pick(permanent_codes(which));
        office_->world().count("peers: refused for good");
        // E12: the two codes need not agree.
        return Answer{code, dice_.chance(0.1) ? "4.7.1" : "5.7.1", "never"};
    }
    return std::nullopt;
}

void Session::complain(const std::string& what) {
    // One rule broken breaks others behind it.
    if (!has_complained_) {
        has_complained_ = true;
        office_->complain(client_, what);
    }
}

void Session::is_proven() {
    if (said_at_) {
        const std::string address = talk_.stream().peer().address().to_string();
        const unsigned most = office_->census(address).prove(census_number_, *said_at_);
        said_at_.reset();
        const unsigned limit = flow::LimitSettings().deliveries_per_site;
        if (most > limit) {
            office_->world().ledger().broken("I12", client_ + " had " + std::to_string(most) +
                                                        " sessions with " + office_->domain() +
                                                        " at once, and " + std::to_string(limit) +
                                                        " are allowed");
        }
    }
    office_->was_read(receipt_);
    receipt_ = {};
}

net::Task<bool> Session::hear(std::size_t most) {
    if (is_over_) {
        co_return false;
    }
    net::Stream& stream = talk_.stream();
    stream.set_deadline(stream.shard().now() + kPatience);
    std::string buffer(most, '\0');
    const Result<std::size_t> got = co_await stream.read_some(buffer);
    if (!got || *got == 0) {
        is_over_ = true;
        co_return false;
    }
    heard_.append(buffer, 0, *got);
    co_return true;
}

// What has come already, without waiting for more.
net::Task<void> Session::overhear() {
    while (!is_over_ && heard_.size() < kOverheardMax) {
        const Result<bool> has_input = talk_.stream().has_input();
        if (!has_input || !*has_input || !co_await hear(kReadSize)) {
            break;
        }
    }
}

net::Task<std::optional<std::string>> Session::command() {
    for (;;) {
        const std::size_t end = heard_.find('\n');
        if (end == std::string::npos) {
            if (!co_await hear(kReadSize)) {
                co_return std::nullopt;
            }
            continue;
        }
        std::string line = heard_.substr(0, end + 1);
        heard_.erase(0, end + 1);
        if (!line.ends_with("\r\n") || line.find('\r') != line.size() - 2) {
            complain("a command line with a bare CR or LF");
        }
        while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) {
            line.pop_back();
        }
        co_return line;
    }
}

net::Task<bool> Session::send(std::string bytes) {
    const Result<> sent = co_await talk_.send(std::move(bytes));
    is_over_ = is_over_ || !sent;
    co_return sent.has_value();
}

// Says it, whether or not somebody listens, and hears what comes of it.
net::Task<void> Session::mutter(std::string bytes) {
    const bool is_sent = co_await send(std::move(bytes));
    const bool is_answered = is_sent && co_await hear(kReadSize);
    static_cast<void>(is_answered);  // The session is over in any case.
}

net::Task<bool> Session::say(unsigned code, std::string status, std::string text) {
    Answer answer{code, std::move(status), std::move(text)};
    co_return co_await say(std::move(answer));
}

// False: the session is over.
net::Task<bool> Session::say(Answer answer) {
    if (is_tarpit_ && acts(Trait::Tarpit, 0.8)) {
        // RFC 5321 4.5.3.2: five minutes are allowed for most replies, and some take longer.
        co_await net::sleep_for(dice_.chance(0.1) ? dice_.between(minutes(1), minutes(12))
                                                  : dice_.between(seconds(1), minutes(1)));
    }
    if (!may_be_followed_) {
        co_await overhear();
        if (!heard_.empty()) {
            complain("sent behind its turn: " + heard_.substr(0, 60));
        }
    }
    if (acts(Trait::HangsUp, 0.04)) {
        office_->note("hangs up on " + client_);
        office_->world().count("peers: hung up");
        ending_ = dice_.chance(0.5) ? Ending::Close : Ending::Abort;
        if (dice_.chance(0.5)) {
            ending_ = Ending::Close;
            co_await mutter("421 4.3.2 going down\r\n");
        }
        co_return false;
    }
    if (!has(Offer::EnhancedStatus) && dice_.chance(0.8)) {
        answer.status.clear();
    }
    if (acts(Trait::Nonsense, 0.03)) {
        office_->note("talks nonsense to " + client_);
        // RFC 5321 4.2.1: by its first digit. Any 3yz to DATA would be believed.
        answer.code = is_data_ ? dice_.pick<unsigned>({199, 600, 666, 100})
                               : dice_.pick<unsigned>({354, 199, 600, 333, 100});
    }
    Shape shape = Shape::Plain;
    if (acts(Trait::LongReplies, 0.1)) {
        shape = long_shape(dice_);
    } else if (acts(Trait::OddReplies, 0.4)) {
        shape = odd_shape(dice_);
    }
    std::string bytes = written(answer, shape);
    if (acts(Trait::OddReplies, 0.2)) {
        const std::size_t half = dice_.below(bytes.size());
        if (!co_await send(bytes.substr(0, half))) {
            co_return false;
        }
        co_await net::sleep_for(dice_.between(milliseconds(1), seconds(3)));
        bytes.erase(0, half);
    }
    if (!co_await send(std::move(bytes))) {
        co_return false;
    }
    said_at_ = office_->world().now();
    co_return answer.code != 421 && answer.code != 521;
}

net::Task<void> Session::run() {
    bool goes_on = co_await greet();
    while (goes_on) {
        std::optional<std::string> line = co_await command();
        if (!line) {
            break;
        }
        goes_on = co_await obey(std::move(*line));
    }
    if (ending_ == Ending::Abort) {
        talk_.abort();
    } else {
        co_await talk_.close();
    }
}

net::Task<void> Session::say_garbage() {
    office_->note("greets " + client_ + " with garbage");
    office_->world().count("peers: garbage");
    static constexpr std::string_view kGarbage[] = {
        "SSH-2.0-OpenSSH_9.2\r\n", "\x15\x03\x01\x02\r\n220 mail\r\n",
        "Welcome!\r\n220 mail ESMTP\r\n", "250 ok\r\n220 mail ESMTP\r\n"};
    const std::size_t which = dice_.below(std::size(kGarbage) + 1);
    if (which == std::size(kGarbage)) {
        co_await net::sleep_for(minutes(11));  // Says nothing at all.
        co_return;
    }
    co_await mutter(std::string(kGarbage[which]));
}

net::Task<bool> Session::greet() {
    if (acts(Trait::Garbage, 0.3)) {
        co_await say_garbage();
        co_return false;
    }
    if (auto answer = refusal(Stage::Greeting)) {
        const bool goes_on = co_await say(std::move(*answer));
        // RFC 5321 3.1: after 554 the server waits for QUIT.
        co_return goes_on;
    }
    Answer answer{220, "", office_->domain() + " ESMTP"};
    if (acts(Trait::OddReplies, 0.1)) {
        answer.text = "****0*2******";  // C18
    }
    co_return co_await say(std::move(answer));
}

net::Task<bool> Session::obey(std::string line) {
    const Verb verb = read_verb(line);
    if (begins_group(verb.name)) {
        is_proven();
    }
    is_data_ = verb.name == "DATA";
    may_be_followed_ = has(Offer::Pipelining) && may_stand_in_group(verb.name);
    if (may_be_followed_ && drops_pipelined_ && acts(Trait::DropsPipelined, 1)) {
        co_await overhear();
        if (!heard_.empty()) {
            office_->note("drops what " + client_ + " pipelined");
            heard_.clear();
        }
    }
    if (verb.name == "EHLO" || verb.name == "HELO") {
        co_return co_await hello(verb);
    }
    if (verb.name == "STARTTLS") {
        co_return co_await start_tls();
    }
    if (verb.name == "MAIL") {
        co_return co_await mail(verb);
    }
    if (verb.name == "RCPT") {
        co_return co_await rcpt(verb);
    }
    if (verb.name == "DATA") {
        co_return co_await data();
    }
    if (verb.name == "BDAT") {
        co_return co_await bdat(verb);
    }
    if (verb.name == "RSET" || verb.name == "NOOP") {
        reset();
        Answer answer{250, "2.0.0", "ok"};
        if (acts(Trait::Nonsense, 0.1)) {
            answer = {502, "5.5.1", "RSET is for the weak"};  // D15
        }
        co_return co_await say(std::move(answer));
    }
    if (verb.name == "QUIT") {
        if (!acts(Trait::HangsUp, 0.3)) {
            co_await mutter("221 2.0.0 bye\r\n");
        }
        co_return false;
    }
    complain("a command that nobody knows: " + line.substr(0, 60));
    co_return co_await say(500, "5.5.2", "what?");
}

Answer Session::welcome(bool is_extended) {
    offered_.reset();
    Answer answer{250, "", office_->domain()};
    if (!is_extended) {
        return answer;
    }
    offered_ = office_->traits().offers;
    if (talk_.is_tls()) {
        offered_[index_of(Offer::StartTls)] = false;
    }
    for (std::size_t i = 0; i < offered_.size(); ++i) {
        if (!offered_[i]) {
            continue;
        }
        const auto offer = static_cast<Offer>(i);
        std::string line(keyword_of(offer));
        if (offer == Offer::Size) {
            const bool lies = acts(Trait::SmallSize, 0.7);
            const std::uint64_t size =
                lies ? office_->traits().small_size : office_->traits().size_max;
            line += size == 0 ? "" : " " + std::to_string(size);
            line += acts(Trait::OddReplies, 0.2) ? "0000000000000000000000" : "";  // B5
        }
        answer.lines.push_back(acts(Trait::OddReplies, 0.3) ? to_lower(line) : line);
    }
    if (acts(Trait::OddReplies, 0.5)) {
        answer.lines.insert(answer.lines.begin(), "AUTH=LOGIN PLAIN");  // C8
        answer.lines.emplace_back("X-WHATEVER");
        answer.lines.emplace_back("");
    }
    return answer;
}

net::Task<bool> Session::hello(Verb verb) {
    if (verb.rest.empty() || verb.rest.find(' ') != std::string::npos) {
        complain("EHLO without one name: " + verb.rest);
    }
    client_ = verb.rest;
    reset();
    const bool is_extended = verb.name == "EHLO";
    if (auto answer = refusal(Stage::Hello)) {
        co_return co_await say(std::move(*answer));
    }
    if (is_extended && office_->traits().has(Trait::HelloOnly)) {
        const unsigned code = dice_.pick<unsigned>({500, 502, 504});
        co_return co_await say(code, "", "HELO?");
    }
    is_greeted_ = true;
    co_return co_await say(welcome(is_extended));
}

// C11; RFC 3207 4.
net::Task<void> Session::break_tls(std::uint64_t how) {
    office_->note("breaks TLS with " + client_);
    office_->world().count("peers: broke TLS");
    if (how == 0) {
        // SECURITY.md T12: clear text behind the 220 is not said by whom we shake hands with.
        co_await mutter("220 go\r\n250 injected\r\n");
        co_return;
    }
    co_await mutter("220 go\r\n");
    if (how == 1) {
        co_await mutter("500 what is this?\r\n");
    } else if (how == 2) {
        ending_ = Ending::Abort;
    } else if (how == 3) {
        co_await net::sleep_for(minutes(3));
    }
}

net::Task<bool> Session::start_tls() {
    if (!has(Offer::StartTls)) {
        complain("STARTTLS that was not offered");
        co_return co_await say(502, "5.5.1", "no");
    }
    if (auto answer = refusal(Stage::Tls)) {
        co_return co_await say(std::move(*answer));
    }
    if (acts(Trait::BreaksTls, 0.6)) {
        const std::uint64_t how = dice_.below(6);
        if (how == 5) {
            co_return co_await say(454, "4.7.0", "TLS not available");
        }
        co_await break_tls(how);
        co_return false;
    }
    co_await overhear();
    if (!heard_.empty()) {
        complain("sent behind STARTTLS");
    }
    if (!co_await send("220 2.0.0 go\r\n")) {
        co_return false;
    }
    const Result<> secured = co_await talk_.start_tls_server(office_->world().tls_server());
    if (!secured) {
        is_over_ = true;
        ending_ = Ending::Abort;
        co_return false;
    }
    office_->world().count("peers: TLS");
    // RFC 3207 4.2: nothing of what was said before is known any more.
    heard_.clear();
    offered_.reset();
    is_greeted_ = false;
    said_at_.reset();
    reset();
    co_return true;
}

}  // namespace godwit::sim
