#include "wire/imap/reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/ascii.h"
#include "base/result.h"
#include "wire/imap/lexer.h"

namespace godwit::imap {

namespace {

constexpr std::string_view kTooBigCode = "TOOBIG";
constexpr std::size_t kLiteralDigitsMax = 20;
/// Holds the longest "~{n+}CRLF".
constexpr std::size_t kLiteralHeaderSizeMax = 32;

bool is_tag_char(char c) {
    // RFC 3501 9: any ASTRING-CHAR except "+".
    return is_astring_char(c) && c != '+';
}

std::string_view without_line_end(std::string_view line) {
    if (line.ends_with('\n')) {
        line.remove_suffix(1);
    }
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

}  // namespace

ReaderLimits ReaderLimits::before_login() {
    ReaderLimits out;
    out.line_size_max = limits::imap_preauth_line_size_max;
    out.literal_size_max = limits::imap_preauth_literal_size_max;
    out.literals_max = 2;  // LOGIN's name and password.
    out.command_size_max = limits::imap_preauth_command_size_max;
    out.append_size_max = 0;
    out.authenticated = false;
    return out;
}

ReaderLimits ReaderLimits::after_login(std::size_t message_size_max) {
    ReaderLimits out;
    out.append_size_max = message_size_max;
    return out;
}

void CommandReader::feed(std::string_view bytes) {
    if (mode_ == Mode::Dead) {
        return;
    }
    if (pos_ == input_.size()) {
        input_.clear();
    } else if (pos_ > 0) {
        input_.erase(0, pos_);
    }
    pos_ = 0;
    input_.append(bytes);
}

ReaderEvent CommandReader::next() {
    for (;;) {
        if (continue_due_) {
            continue_due_ = false;
            return Continue{};
        }
        std::optional<ReaderEvent> event;
        switch (mode_) {
            case Mode::Line: event = read_line(); break;
            case Mode::Literal: event = read_literal(); break;
            case Mode::Stream: event = read_stream(); break;
            case Mode::DiscardLiteral: event = discard_literal(); break;
            case Mode::DiscardLine: event = discard_line(); break;
            case Mode::AwaitedLine: event = read_awaited_line(); break;
            case Mode::Offer:
            case Mode::Dead: return NeedMore{};
        }
        if (event) {
            if (std::holds_alternative<NeedMore>(*event) && pos_ == input_.size()) {
                // An idle connection keeps nothing.
                std::string().swap(input_);
                pos_ = 0;
            }
            return *std::move(event);
        }
    }
}

std::optional<ReaderEvent> CommandReader::read_line() {
    const std::string_view rest = unread();
    const std::size_t newline = rest.find('\n');
    const bool complete = newline != std::string_view::npos;
    const std::string_view piece = complete ? rest.substr(0, newline + 1) : rest;
    // Two octets more may come before a limit is surely passed: the CRLF is not counted.
    if (line_octets_ + piece.size() > limits_.line_size_max + 2) {
        return overflow_line(piece);
    }
    command_.text.append(piece);
    pos_ += piece.size();
    line_octets_ += piece.size();
    if (!complete) {
        return NeedMore{};
    }
    return end_line(std::string_view(command_.text).substr(line_start_));
}

// Takes as much as a line may have, as byte by byte feeding would, and goes on to skip the rest.
std::optional<ReaderEvent> CommandReader::overflow_line(std::string_view piece) {
    const std::size_t room = limits_.line_size_max + 2 - line_octets_;
    command_.text.append(piece.substr(0, room));
    pos_ += room;
    if (!prefix_parsed_) {
        (void)parse_prefix();  // What there is of the tag is enough to answer to.
    }
    refusal_ = Refusal{std::string(kTooBigCode), "Command line is too long"};
    if (!limits_.authenticated) {
        return die(command_.tag, refusal_->code, refusal_->text);
    }
    const std::size_t tail = std::min(command_.text.size() - line_start_, kLiteralHeaderSizeMax);
    discard_tail_ = command_.text.substr(command_.text.size() - tail);
    std::string().swap(command_.text);
    mode_ = Mode::DiscardLine;
    return std::nullopt;
}

// `line` is the last line in command_.text, with its line end.
std::optional<ReaderEvent> CommandReader::end_line(std::string_view line) {
    const std::string_view content = without_line_end(line);
    const std::optional<LiteralHeader> header = literal_header(content);
    const bool whole_line_end = line.size() == content.size() + 2;
    const bool clean = content.find('\0') == std::string_view::npos &&
                       content.find('\r') == std::string_view::npos;
    const std::size_t line_end_size = line.size() - content.size();
    line_octets_ -= std::min(line_octets_, line_end_size);
    const bool has_prefix = prefix_parsed_ || parse_prefix();
    if (line_octets_ > limits_.line_size_max) {
        return reject({std::string(kTooBigCode), "Command line is too long"}, header);
    }
    if (!whole_line_end) {
        return reject({"", "A line must end with CRLF"}, header);
    }
    if (!clean) {
        return reject({"", "NUL and bare CR are not allowed in a command"}, header);
    }
    if (!has_prefix) {
        return reject({"", "Expected a tag, SP and a command"}, header);
    }
    if (header) {
        return begin_literal(*header);
    }
    command_.text.resize(command_.text.size() - line_end_size);
    command_.arguments = std::min(command_.arguments, command_.text.size());
    Command out = std::move(command_);
    reset_command();
    return out;
}

// "{n}", "{n+}" or "~{n}" at the end of a line. RFC 7888 3 tells a receiver to look at every line.
std::optional<CommandReader::LiteralHeader> CommandReader::literal_header(std::string_view line) {
    if (!line.ends_with('}')) {
        return std::nullopt;
    }
    const std::size_t open = line.rfind('{');
    if (open == std::string_view::npos) {
        return std::nullopt;
    }
    LiteralHeader out;
    std::string_view digits = line.substr(open + 1, line.size() - open - 2);
    out.length = line.size() - open;
    if (digits.ends_with('+')) {
        out.synchronizing = false;
        digits.remove_suffix(1);
    }
    if (digits.empty() || digits.size() > kLiteralDigitsMax ||
        !std::ranges::all_of(digits, is_digit)) {
        return std::nullopt;
    }
    out.size = parse_u64(digits).value_or(std::numeric_limits<std::uint64_t>::max());
    if (open > 0 && line[open - 1] == '~') {
        out.binary = true;
        ++out.length;
    }
    return out;
}

// Reads tag and name off the front of the text. False when they are not there; `tag` is then "*" or
// what could be read.
bool CommandReader::parse_prefix() {
    prefix_parsed_ = true;
    const std::string_view text = without_line_end(command_.text);
    std::size_t at = 0;
    const auto word = [&](bool (*accepts)(char)) {
        const std::size_t begin = at;
        while (at < text.size() && accepts(text[at])) {
            ++at;
        }
        return text.substr(begin, at - begin);
    };
    const auto space = [&] { return at < text.size() && text[at] == ' ' ? (++at, true) : false; };
    const std::string_view tag = word(is_tag_char);
    if (tag.empty() || (at < text.size() && text[at] != ' ')) {
        command_.tag = "*";
        return false;
    }
    command_.tag = tag;
    if (!space()) {
        return false;
    }
    std::string_view name = word(is_atom_char);
    if (equals_ignore_case(name, "UID") && at + 1 < text.size() && text[at] == ' ' &&
        is_alpha(text[at + 1])) {
        ++at;
        command_.uid = true;
        name = word(is_atom_char);
    }
    command_.name = to_upper(name);
    command_.arguments = at;
    return !name.empty() && (at == text.size() || text[at] == ' ');
}

// The messages of APPEND and REPLACE are streamed. Their mailbox may be a literal too: that one
// directly follows the name, or REPLACE's number.
bool CommandReader::is_message_literal(const LiteralHeader& header) const {
    const bool is_replace = command_.name == "REPLACE";
    if (!is_replace && (command_.name != "APPEND" || command_.uid)) {
        return false;
    }
    const std::size_t header_at = command_.text.size() - 2 - header.length;
    std::size_t mailbox_at = command_.arguments + 1;
    if (is_replace) {
        const std::size_t space = command_.text.find(' ', mailbox_at);
        mailbox_at = space == std::string::npos ? header_at : space + 1;
    }
    return header_at > mailbox_at;
}

std::optional<CommandReader::Refusal> CommandReader::literal_refusal(
    const LiteralHeader& header) const {
    if (!limits_.authenticated && command_.name != "LOGIN" && command_.name != "AUTHENTICATE") {
        return Refusal{"", "No literals in this command before login"};
    }
    if (is_message_literal(header)) {
        // How many there may be is for who takes them: they cost the reader an offset each.
        if (header.size > limits_.append_size_max) {
            return Refusal{std::string(kTooBigCode), "Message is too large"};
        }
        return std::nullopt;
    }
    if (literals_ + 1 > limits_.literals_max) {
        return Refusal{std::string(kTooBigCode), "Too many literals in one command"};
    }
    if (header.size > limits_.literal_size_max) {
        return Refusal{std::string(kTooBigCode), "Literal is too large"};
    }
    if (command_.text.size() + header.size > limits_.command_size_max) {
        return Refusal{std::string(kTooBigCode), "Command is too large"};
    }
    return std::nullopt;
}

std::optional<ReaderEvent> CommandReader::begin_literal(const LiteralHeader& header) {
    if (auto refusal = literal_refusal(header)) {
        if (!limits_.authenticated) {
            // T75: whoever has not logged in has no business here.
            return die(command_.tag, std::move(refusal->code), std::move(refusal->text));
        }
        return reject(*std::move(refusal), header);
    }
    literal_left_ = header.size;
    synchronizing_ = header.synchronizing;
    if (is_message_literal(header)) {
        return offer_literal(header);
    }
    ++literals_;
    continue_due_ = header.synchronizing;
    mode_ = Mode::Literal;
    return std::nullopt;
}

std::optional<ReaderEvent> CommandReader::offer_literal(const LiteralHeader& header) {
    LiteralOffer offer;
    offer.size = header.size;
    offer.binary = header.binary;
    offer.synchronizing = header.synchronizing;
    offer.number = command_.streamed.size();
    command_.streamed.push_back(command_.text.size());
    offer.command = command_;
    mode_ = Mode::Offer;
    return offer;
}

void CommandReader::accept_literal() {
    check(mode_ == Mode::Offer, "accept_literal() without an offer");
    continue_due_ = synchronizing_;
    mode_ = Mode::Stream;
}

void CommandReader::refuse_literal() {
    check(mode_ == Mode::Offer || mode_ == Mode::Stream, "refuse_literal() without an offer");
    if (mode_ == Mode::Offer && synchronizing_) {
        // The client waits for our word and got NO: it sends nothing of this command any more.
        reset_command();
        return;
    }
    // Q44: what comes anyway is drained, up to one message.
    discard_budget_ = std::max<std::uint64_t>(limits_.append_size_max, limits_.discard_max);
    refusal_.reset();
    mode_ = Mode::DiscardLiteral;
}

std::optional<ReaderEvent> CommandReader::read_literal() {
    const std::string_view rest = unread();
    const std::size_t count =
        static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), literal_left_));
    command_.text.append(rest.substr(0, count));
    pos_ += count;
    literal_left_ -= count;
    if (literal_left_ > 0) {
        return NeedMore{};
    }
    line_start_ = command_.text.size();
    mode_ = Mode::Line;
    return std::nullopt;
}

std::optional<ReaderEvent> CommandReader::read_stream() {
    if (literal_left_ == 0) {
        line_start_ = command_.text.size();
        mode_ = Mode::Line;
        return LiteralEnd{};
    }
    const std::string_view rest = unread();
    if (rest.empty()) {
        return NeedMore{};
    }
    const std::size_t count =
        static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), literal_left_));
    pos_ += count;
    literal_left_ -= count;
    return LiteralChunkView{rest.substr(0, count)};
}

// Refuses the command whose last line ended with `header`, skipping what the client sends anyway.
std::optional<ReaderEvent> CommandReader::reject(Refusal refusal,
                                                 const std::optional<LiteralHeader>& header) {
    if (!refusal_) {
        refusal_ = std::move(refusal);
    }
    if (header && !header->synchronizing) {
        if (!limits_.authenticated) {
            return die(command_.tag, refusal_->code, refusal_->text);
        }
        begin_discard(*header);
        return std::nullopt;
    }
    return finish_rejected();
}

void CommandReader::begin_discard(const LiteralHeader& header) {
    literal_left_ = header.size;
    std::string().swap(command_.text);
    mode_ = Mode::DiscardLiteral;
}

std::optional<ReaderEvent> CommandReader::finish_rejected() {
    Rejected out;
    const bool is_quiet = !refusal_;  // The caller has answered already.
    if (!is_quiet) {
        out = {command_.tag.empty() ? "*" : command_.tag, refusal_->code, refusal_->text};
    }
    reset_command();
    if (is_quiet) {
        return std::nullopt;
    }
    return out;
}

std::optional<ReaderEvent> CommandReader::discard_literal() {
    const std::string_view rest = unread();
    const std::uint64_t count =
        std::min({std::uint64_t{rest.size()}, literal_left_, discard_budget_});
    pos_ += static_cast<std::size_t>(count);
    literal_left_ -= count;
    discard_budget_ -= count;
    if (literal_left_ == 0) {
        discard_tail_.clear();
        mode_ = Mode::DiscardLine;
        return std::nullopt;
    }
    if (discard_budget_ == 0) {
        // T77: enough was read to let the client see our answer.
        const bool answered = !refusal_;
        return die(answered ? "" : command_.tag, std::string(kTooBigCode),
                   answered ? "Too much data for a refused command" : refusal_->text);
    }
    return NeedMore{};
}

std::optional<ReaderEvent> CommandReader::discard_line() {
    const std::string_view rest = unread();
    const std::size_t newline = rest.find('\n');
    const bool complete = newline != std::string_view::npos;
    const std::size_t size = complete ? newline + 1 : rest.size();
    if (size > discard_budget_) {
        const bool answered = !refusal_;
        return die(answered ? "" : command_.tag, std::string(kTooBigCode),
                   answered ? "Too much data for a refused command" : refusal_->text);
    }
    discard_budget_ -= size;
    const std::string_view piece = rest.substr(0, size);
    pos_ += size;
    // Only the end of the line matters: it may announce another literal that comes unasked.
    discard_tail_.append(
        piece.substr(piece.size() - std::min(piece.size(), kLiteralHeaderSizeMax)));
    if (discard_tail_.size() > kLiteralHeaderSizeMax) {
        discard_tail_.erase(0, discard_tail_.size() - kLiteralHeaderSizeMax);
    }
    if (!complete) {
        return NeedMore{};
    }
    const auto header = literal_header(without_line_end(discard_tail_));
    if (header && !header->synchronizing) {
        begin_discard(*header);
        return std::nullopt;
    }
    return finish_rejected();
}

void CommandReader::expect_line(std::size_t size_max) {
    check(is_between_commands(), "expect_line() inside a command");
    awaited_size_max_ = size_max;
    awaited_line_.clear();
    mode_ = Mode::AwaitedLine;
}

std::optional<ReaderEvent> CommandReader::read_awaited_line() {
    const std::string_view rest = unread();
    const std::size_t newline = rest.find('\n');
    const bool complete = newline != std::string_view::npos;
    const std::string_view piece = complete ? rest.substr(0, newline + 1) : rest;
    if (awaited_line_.size() + piece.size() > awaited_size_max_ + 2) {
        return die("", std::string(kTooBigCode), "Line is too long");
    }
    awaited_line_.append(piece);
    pos_ += piece.size();
    if (!complete) {
        return NeedMore{};
    }
    awaited_line_.resize(without_line_end(awaited_line_).size());
    if (awaited_line_.size() > awaited_size_max_) {
        return die("", std::string(kTooBigCode), "Line is too long");
    }
    mode_ = Mode::Line;
    return ContinuationLine{std::exchange(awaited_line_, {})};
}

ReaderEvent CommandReader::die(std::string tag, std::string code, std::string text) {
    Fatal out{std::move(tag), std::move(code), std::move(text)};
    reset_command();
    std::string().swap(input_);
    pos_ = 0;
    mode_ = Mode::Dead;
    return out;
}

void CommandReader::reset_command() {
    command_ = {};
    prefix_parsed_ = false;
    continue_due_ = false;
    line_start_ = 0;
    line_octets_ = 0;
    literals_ = 0;
    literal_left_ = 0;
    refusal_.reset();
    discard_tail_.clear();
    discard_budget_ = limits_.discard_max;
    mode_ = Mode::Line;
}

}  // namespace godwit::imap
