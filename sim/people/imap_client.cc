#include "sim/people/imap_client.h"

#include <algorithm>

#include "base/ascii.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

constexpr std::size_t kLiteralMax = 64 * 1024 * 1024;
constexpr std::size_t kUidsMax = 1'000'000;

// "{123}" at the end of a line.
std::optional<std::size_t> literal_size(std::string_view line) {
    const std::size_t open = line.rfind('{');
    if (!line.ends_with('}') || open == std::string_view::npos) {
        return std::nullopt;
    }
    const auto size = parse_u64(line.substr(open + 1, line.size() - open - 2));
    return size && *size <= kLiteralMax ? std::optional<std::size_t>(*size) : std::nullopt;
}

// Reads the items of a FETCH response one by one.
class Items {
public:
    explicit Items(std::string_view text) : rest_(text) {
        if (rest_.starts_with('(')) {
            rest_.remove_prefix(1);
        }
    }
    // False at the end. A value is what stood there: a list with its parentheses, a string without
    // quotes.
    bool next(std::string& name, std::string& value) {
        while (rest_.starts_with(' ')) {
            rest_.remove_prefix(1);
        }
        const std::size_t space = rest_.find(' ');
        if (rest_.empty() || rest_.front() == ')' || space == std::string_view::npos) {
            return false;
        }
        name = to_upper(rest_.substr(0, space));
        rest_.remove_prefix(space + 1);
        value = take_value();
        return true;
    }

private:
    std::string take(std::size_t count) {
        std::string value(rest_.substr(0, count));
        rest_.remove_prefix(std::min(count, rest_.size()));
        return value;
    }
    std::string take_value() {
        if (rest_.starts_with('(')) {
            return take(std::min(rest_.find(')'), rest_.size() - 1) + 1);
        }
        if (rest_.starts_with('{')) {
            const std::size_t line = rest_.find("\r\n");
            const auto size = literal_size(rest_.substr(0, line));
            take(line == std::string_view::npos ? rest_.size() : line + 2);
            return take(size.value_or(0));
        }
        if (rest_.starts_with('"')) {
            std::string value;
            std::size_t at = 1;
            for (; at < rest_.size() && rest_[at] != '"'; ++at) {
                at += rest_[at] == '\\' ? 1 : 0;
                value.push_back(at < rest_.size() ? rest_[at] : '\\');
            }
            take(at + 1);
            return value;
        }
        return take(std::min(rest_.find_first_of(" )"), rest_.size()));
    }
    std::string_view rest_;
};

Flags read_flags(std::string_view list) {
    Flags flags;
    if (list.size() >= 2) {
        for (const std::string_view flag : split(list.substr(1, list.size() - 2), ' ')) {
            if (!flag.empty() && !equals_ignore_case(flag, "\\Recent")) {
                flags.emplace(flag);
            }
        }
    }
    return flags;
}

// RFC 3501 7.4.1: no EXPUNGE while these are answered.
bool holds_expunges(std::string_view command) {
    return command.starts_with("FETCH") || command.starts_with("STORE") ||
           command.starts_with("SEARCH");
}

}  // namespace

std::vector<std::uint32_t> read_uids(std::string_view set) {
    std::vector<std::uint32_t> uids;
    for (const std::string_view piece : split(set, ',')) {
        const std::size_t colon = piece.find(':');
        const auto first = parse_u32(piece.substr(0, colon));
        const auto last =
            colon == std::string_view::npos ? first : parse_u32(piece.substr(colon + 1));
        if (!first || !last || *last - *first > kUidsMax) {
            return {};
        }
        for (std::uint32_t uid = *first; uid <= *last; ++uid) {
            uids.push_back(uid);
        }
    }
    return uids;
}

std::string write_uids(const std::vector<std::uint32_t>& uids) {
    std::string text;
    for (const std::uint32_t uid : uids) {
        text += (text.empty() ? "" : ",") + std::to_string(uid);
    }
    return text;
}

std::string listed_name(std::string_view line) {
    if (line.ends_with('"')) {
        line.remove_suffix(1);
        return std::string(line.substr(line.rfind('"') + 1));
    }
    return std::string(line.substr(line.rfind(' ') + 1));
}

void ImapClient::broken(const std::string& what) {
    person_->broken("I23", name_ + ": " + what);
}

net::Task<Result<>> ImapClient::open(Reach reach, Duration patience) {
    const bool is_tls = reach == Reach::Tls;
    std::unique_ptr<net::Stream> stream = CO_TRY(
        co_await person_->connect(is_tls ? flow::Protocol::Imaps : flow::Protocol::Imap, reach));
    talk_ = std::make_unique<Talk>(std::move(stream), patience);
    const std::string greeting = CO_TRY(co_await response());
    if (!greeting.starts_with("* OK")) {
        co_return temporary_error(ErrorCode::Denied, greeting);
    }
    if (reach == Reach::StartTls) {
        const ImapAnswer go = CO_TRY(co_await ask("STARTTLS"));
        if (!go.is_ok()) {
            co_return temporary_error(ErrorCode::Denied, go.text);
        }
        CO_TRY(co_await talk_->start_tls_client(person_->world().tls_client(),
                                                person_->node().hostname()));
    }
    const NodeAccount& account = person_->account();
    const ImapAnswer in = CO_TRY(co_await ask("LOGIN " + account.name + " " + account.password));
    if (in.text.contains("AUTHENTICATIONFAILED")) {
        person_->broken("P5", "the right password was refused: " + in.text);
    }
    if (!in.is_ok()) {
        co_return temporary_error(ErrorCode::Denied, in.text);
    }
    co_return Result<>();
}

// A whole response: lines and the literals between them, as they came.
net::Task<Result<std::string>> ImapClient::response() {
    std::string whole = CO_TRY(co_await talk_->line());
    std::optional<std::size_t> size = literal_size(whole);
    while (size) {
        whole += "\r\n" + CO_TRY(co_await talk_->octets(*size));
        const std::string more = CO_TRY(co_await talk_->line());
        size = literal_size(more);
        whole += more;
    }
    co_return whole;
}

net::Task<Result<ImapAnswer>> ImapClient::ask(std::string command) {
    const std::string tag = next_tag();
    const bool may_expunge = !holds_expunges(command);
    is_selecting_ = command.starts_with("SELECT") || command.starts_with("EXAMINE");
    CO_TRY(co_await talk_->send(tag + " " + command + "\r\n"));
    Result<ImapAnswer> answer = co_await listen(tag, may_expunge);
    is_selecting_ = false;
    co_return answer;
}

net::Task<Result<ImapAnswer>> ImapClient::listen(std::string tag, bool may_expunge) {
    ImapAnswer answer;
    for (;;) {
        const std::string line = CO_TRY(co_await response());
        if (!line.starts_with(tag + " ")) {
            take(line, &answer, may_expunge);
            continue;
        }
        answer.text = line.substr(tag.size() + 1);
        answer.kind = answer.text.starts_with("OK")   ? ImapAnswer::Kind::Ok
                      : answer.text.starts_with("NO") ? ImapAnswer::Kind::No
                                                      : ImapAnswer::Kind::Bad;
        co_return answer;
    }
}

// RFC 3501 7.5. A tagged answer instead says that the command is over.
net::Task<Result<>> ImapClient::wait_for_continuation(ImapAnswer* answer, std::string tag) {
    finished_.reset();
    for (;;) {
        const std::string line = CO_TRY(co_await response());
        if (line.starts_with('+')) {
            co_return Result<>();
        }
        if (line.starts_with(tag + " ")) {
            answer->text = line.substr(tag.size() + 1);
            answer->kind =
                answer->text.starts_with("NO") ? ImapAnswer::Kind::No : ImapAnswer::Kind::Bad;
            finished_ = *answer;
            co_return Result<>();
        }
        take(line, answer, true);
    }
}

net::Task<Result<ImapAnswer>> ImapClient::ask_with_literal(std::string command, std::string literal,
                                                           bool is_synchronous) {
    const std::string tag = next_tag();
    const std::string size = std::to_string(literal.size());
    if (is_synchronous) {
        CO_TRY(co_await talk_->send(tag + " " + command + " {" + size + "}\r\n"));
        ImapAnswer before;
        CO_TRY(co_await wait_for_continuation(&before, tag));
        if (finished_) {
            co_return *finished_;
        }
        CO_TRY(co_await talk_->send(literal + "\r\n"));
    } else {
        CO_TRY(
            co_await talk_->send(tag + " " + command + " {" + size + "+}\r\n" + literal + "\r\n"));
    }
    co_return co_await listen(tag, true);
}

net::Task<Result<ImapAnswer>> ImapClient::idle(MonoTime until) {
    const std::string tag = next_tag();
    CO_TRY(co_await talk_->send(tag + " IDLE\r\n"));
    ImapAnswer answer;
    CO_TRY(co_await wait_for_continuation(&answer, tag));
    if (finished_) {
        co_return *finished_;
    }
    while (CO_TRY(co_await talk_->has_line(until))) {
        const std::string line = CO_TRY(co_await response());
        if (line.starts_with("* BYE")) {
            co_return temporary_error(ErrorCode::Closed, line);
        }
        take(line, &answer, true);
    }
    CO_TRY(co_await talk_->send("DONE\r\n"));
    ImapAnswer end = CO_TRY(co_await listen(tag, true));
    end.fetched.insert(end.fetched.begin(), answer.fetched.begin(), answer.fetched.end());
    end.expunged.insert(end.expunged.begin(), answer.expunged.begin(), answer.expunged.end());
    co_return end;
}

net::Task<void> ImapClient::log_out() {
    const Result<ImapAnswer> bye = co_await ask("LOGOUT");
    static_cast<void>(bye);  // It is over, whatever was said.
    co_await talk_->close();
}

void ImapClient::abort() {
    talk_->abort();
}

void ImapClient::begin_numbering() {
    is_numbering_ = true;
    uids_.clear();
}

void ImapClient::take(const std::string& line, ImapAnswer* answer, bool may_expunge) {
    if (!line.starts_with("* ")) {
        broken("a response that is none: " + line.substr(0, 100));
        return;
    }
    const std::string_view rest = std::string_view(line).substr(2);
    const std::size_t space = rest.find(' ');
    const auto number = parse_u32(rest.substr(0, space));
    if (!number || space == std::string_view::npos) {
        answer->untagged.emplace_back(rest);
        return;
    }
    const std::string_view what = rest.substr(space + 1);
    if (what == "EXISTS") {
        take_exists(*number);
    } else if (what == "EXPUNGE") {
        take_expunge(*number, answer, may_expunge);
    } else if (what.starts_with("FETCH ")) {
        take_fetch(*number, what.substr(6), answer);
    }
}

// RFC 3501 7.3.1.
void ImapClient::take_exists(std::uint32_t count) {
    if (is_selecting_) {
        // The new mailbox's; what was selected before is left.
        uids_.assign(count, 0);
        is_numbering_ = true;
        return;
    }
    if (!is_numbering_) {
        broken("EXISTS without a mailbox");
    } else if (count < uids_.size()) {
        broken("EXISTS says " + std::to_string(count) + " where " + std::to_string(uids_.size()) +
               " were, without EXPUNGE");
    }
    uids_.resize(std::max<std::size_t>(uids_.size(), count), 0);
}

void ImapClient::take_expunge(std::uint32_t number, ImapAnswer* answer, bool may_expunge) {
    if (!may_expunge) {
        broken("EXPUNGE while FETCH, STORE or SEARCH is answered");
    }
    if (!is_numbering_ || number == 0 || number > uids_.size()) {
        broken("EXPUNGE " + std::to_string(number) + " of " + std::to_string(uids_.size()));
        return;
    }
    answer->expunged.push_back(uids_[number - 1]);
    uids_.erase(uids_.begin() + static_cast<std::ptrdiff_t>(number - 1));
}

void ImapClient::take_fetch(std::uint32_t number, std::string_view items, ImapAnswer* answer) {
    Fetched fetched;
    fetched.number = number;
    Items reader(items);
    std::string name;
    std::string value;
    while (reader.next(name, value)) {
        if (name == "UID") {
            fetched.uid = parse_u32(value).value_or(0);
        } else if (name == "FLAGS") {
            fetched.flags = read_flags(value);
        } else if (name == "BODY[]") {
            fetched.body = std::move(value);
        }
    }
    if (!is_numbering_ || number == 0 || number > uids_.size()) {
        broken("FETCH " + std::to_string(number) + " of " + std::to_string(uids_.size()));
        return;
    }
    std::uint32_t& known = uids_[number - 1];
    if (fetched.uid != 0 && known != 0 && known != fetched.uid) {
        broken("number " + std::to_string(number) + " was UID " + std::to_string(known) +
               " and is UID " + std::to_string(fetched.uid) + " now");
    }
    if (fetched.uid != 0) {
        // RFC 3501 2.3.1.1: they rise together.
        std::size_t below = number - 1;
        while (below > 0 && uids_[below - 1] == 0) {
            --below;
        }
        if (below > 0 && uids_[below - 1] >= fetched.uid) {
            broken("UID " + std::to_string(fetched.uid) + " is not above those of lower numbers");
        }
        known = fetched.uid;
    }
    fetched.uid = known;
    answer->fetched.push_back(std::move(fetched));
}

}  // namespace godwit::sim
