// Plays the golden Markdown of tests/golden/imap: a "## heading", an input fence, expected fences.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "mail/message/parser.h"
#include "mail/message/summary.h"
#include "wire/imap/append.h"
#include "wire/imap/arguments.h"
#include "wire/imap/fetch.h"
#include "wire/imap/reader.h"
#include "wire/imap/section_range.h"
#include "wire/imap/select.h"
#include "wire/imap/structure.h"

namespace godwit::imap {
namespace {

struct Case {
    std::string name;
    std::map<std::string, std::string> fences;
};

std::vector<Case> load(const std::string& file) {
    std::ifstream in(std::string(GODWIT_SOURCE_DIR "/tests/golden/imap/") + file);
    EXPECT_TRUE(in) << file;
    std::vector<Case> out;
    std::string line;
    std::string fence;
    while (std::getline(in, line)) {
        if (line.starts_with("```")) {
            fence = fence.empty() ? line.substr(3) : "";
            if (!fence.empty()) {
                out.back().fences[fence];
            }
        } else if (!fence.empty()) {
            out.back().fences[fence] += line + "\n";
        } else if (line.starts_with("## ")) {
            out.push_back({line.substr(3), {}});
        }
    }
    return out;
}

std::string with_crlf(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out += c == '\n' ? "\r\n" : std::string(1, c);
    }
    return out;
}

std::string without_cr(std::string text) {
    std::erase(text, '\r');
    return text;
}

template <class Write>
std::string written(Write write) {
    ResponseWriter writer;
    write(writer);
    return without_cr(writer.take()) + "\n";
}

std::string sections_of(const mail::PartTree& parts, std::uint64_t size, std::string_view wanted) {
    std::string out;
    std::istringstream lines{std::string(wanted)};
    std::string line;
    while (std::getline(lines, line)) {
        const std::string name = line.substr(0, line.find(' '));
        Lexer lexer(name);
        const auto section = read_section(lexer);
        EXPECT_TRUE(section) << name;
        const auto range = find_section_range(parts, size, *section);
        out += name + " " +
               (range ? std::to_string(range->offset) + "+" + std::to_string(range->size) : "NIL") +
               "\n";
    }
    return out;
}

TEST(ImapGolden, Structure) {
    const auto cases = load("structure.md");
    EXPECT_GE(cases.size(), 10U);
    for (const Case& each : cases) {
        SCOPED_TRACE(each.name);
        const std::string message = with_crlf(each.fences.at("message"));
        const mail::ParsedMessage parsed = mail::parse_message(message);
        const mail::MessageSummary summary = mail::summarize(parsed);
        for (const auto& [fence, expected] : each.fences) {
            std::string actual = expected;
            if (fence == "envelope") {
                actual = written([&](ResponseWriter& w) { write_envelope(w, summary.envelope()); });
            } else if (fence == "body") {
                actual = written([&](ResponseWriter& w) {
                    write_structure(w, summary.parts, StructureForm::Body);
                });
            } else if (fence == "bodystructure") {
                actual = written([&](ResponseWriter& w) {
                    write_structure(w, summary.parts, StructureForm::BodyStructure);
                });
            } else if (fence == "sections") {
                actual = sections_of(parsed.parts, message.size(), expected);
            }
            EXPECT_EQ(actual, expected) << fence;
        }
    }
}

std::string flags_text(const FlagSet& flags) {
    ResponseWriter writer;
    return writer.flags(flags).take();
}

// What APPEND's reader makes of the text so far.
std::string append_text(const Command& command, bool is_whole) {
    AppendReader reader(NameSpelling::Utf7);
    std::string out;
    for (;;) {
        const Result<AppendEvent> event = reader.next(command, is_whole);
        if (!event) {
            return out + "bad: " + event.error().text;
        }
        if (const auto* target = std::get_if<AppendTarget>(&*event)) {
            out += target->mailbox.name;
            out += target->replaced == 0 ? "" : " for " + std::to_string(target->replaced);
        } else if (const auto* begin = std::get_if<AppendBegin>(&*event)) {
            out += (begin->is_catenated ? ", pieces " : ", message ") + flags_text(begin->flags);
        } else if (const auto* octets = std::get_if<AppendOctets>(&*event)) {
            out += (octets->is_utf8 ? " utf8 " : " ") + std::to_string(octets->literal.size);
        } else if (const auto* url = std::get_if<AppendUrl>(&*event)) {
            out += " <" + url->url + ">";
        } else if (const auto* url_octets = std::get_if<AppendUrlOctets>(&*event)) {
            out += " url of " + std::to_string(url_octets->literal.size);
        } else if (std::holds_alternative<AppendEnd>(*event)) {
            out += ";";
        } else {
            return out + (std::holds_alternative<AppendMore>(*event) ? " ..." : "");
        }
    }
}

std::string fetch_text(const FetchArguments& fetch) {
    const FetchAttributes& a = fetch.attributes;
    std::string out = fetch.set.resolve(4294967295U).to_string();
    for (const auto& [on, word] :
         {std::pair{a.uid, " uid"}, {a.flags, " flags"}, {a.size, " size"}}) {
        out += on ? word : "";
    }
    out += a.mod_seq ? " modseq" : "";
    for (const BodyItem& item : a.bodies) {
        out += item.peek ? " peek" : " body";
        out += to_string(item.section);
        if (item.partial) {
            out += "<" + std::to_string(item.partial->origin) + "." +
                   std::to_string(item.partial->count) + ">";
        }
    }
    if (fetch.modifiers.changed_since) {
        out += " since " + std::to_string(*fetch.modifiers.changed_since);
    }
    out += fetch.modifiers.vanished ? " vanished" : "";
    out += fetch.modifiers.partial ? " partial " + fetch.modifiers.partial->to_string() : "";
    return out;
}

std::string select_text(const SelectArguments& select) {
    std::string out = select.mailbox.name + (select.condstore ? " condstore" : "");
    if (const auto& known = select.qresync) {
        out += " qresync " + std::to_string(known->uid_validity) + " " +
               std::to_string(known->mod_seq);
        out += known->known_uids ? " uids " + known->known_uids->to_string() : "";
        if (!known->matched_uids.empty()) {
            out += " numbers " + known->matched_numbers.to_string() + " are " +
                   known->matched_uids.to_string();
        }
    }
    return out;
}

template <class T, class Show>
std::string shown(const Result<T>& result, Show show) {
    return result ? show(*result) : "bad: " + result.error().text;
}

std::string arguments_text(const Command& command) {
    Lexer lexer(command);
    constexpr NameSpelling kSpelling = NameSpelling::Utf7;
    if (command.name == "LOGIN") {
        return shown(parse_login(lexer), [](const LoginArguments& a) {
            return "user=" + a.user + " password=" + a.password;
        });
    }
    if (command.name == "SELECT" || command.name == "EXAMINE") {
        return shown(parse_select(lexer, kSpelling), select_text);
    }
    if (command.name == "FETCH") {
        return shown(parse_fetch(lexer), fetch_text);
    }
    if (command.name == "COPY") {
        return shown(parse_copy(lexer, kSpelling), [](const CopyArguments& a) {
            return a.set.resolve(100).to_string() + " " + a.mailbox.name;
        });
    }
    if (command.name == "STORE") {
        return shown(parse_store(lexer), [](const StoreArguments& a) {
            static constexpr const char* kModes[] = {" replace", " add", " remove"};
            return a.set.resolve(100).to_string() + kModes[static_cast<int>(a.mode)] +
                   (a.silent ? " silent " : " ") + flags_text(a.flags) +
                   (a.unchanged_since ? " unless after " + std::to_string(*a.unchanged_since) : "");
        });
    }
    if (command.name == "APPEND" || command.name == "REPLACE") {
        return append_text(command, true);
    }
    return "";
}

// Events as text, with "@n" in front when fed octet by octet.
std::string play(std::string_view input, std::size_t piece) {
    CommandReader reader(ReaderLimits::after_login(1000));
    std::string out;
    std::size_t streamed = 0;
    for (std::size_t at = 0; at < input.size(); at += piece) {
        reader.feed(input.substr(at, piece));
        for (;;) {
            const ReaderEvent event = reader.next();
            std::string text;
            if (std::holds_alternative<NeedMore>(event)) {
                break;
            }
            if (const auto* command = std::get_if<Command>(&event)) {
                const std::string arguments = arguments_text(*command);
                text = (command->uid ? "UID " : "") + command->name +
                       (arguments.empty() ? "" : " ") + arguments;
            } else if (const auto* offer = std::get_if<LiteralOffer>(&event)) {
                text = "offer " + std::to_string(offer->size) + ": " +
                       append_text(offer->command, false);
                reader.accept_literal();
                streamed = 0;
            } else if (const auto* chunk = std::get_if<LiteralChunkView>(&event)) {
                streamed += chunk->bytes.size();
                continue;
            } else if (std::holds_alternative<LiteralEnd>(event)) {
                text = "literal ends: " + std::to_string(streamed) + " octets";
            } else if (std::holds_alternative<Continue>(event)) {
                text = "continue";
            } else if (const auto* rejected = std::get_if<Rejected>(&event)) {
                text = "rejected " + rejected->tag + ": " + rejected->text;
            } else {
                text = "other";
            }
            out += (piece == 1 ? "@" + std::to_string(at + 1) + " " : "") + text + "\n";
        }
    }
    return out;
}

std::string without_offsets(const std::string& events) {
    std::istringstream lines(events);
    std::string out;
    std::string line;
    while (std::getline(lines, line)) {
        out += line.substr(line.find(' ') + 1) + "\n";
    }
    return out;
}

TEST(ImapGolden, Commands) {
    const auto cases = load("commands.md");
    EXPECT_GE(cases.size(), 6U);
    for (const Case& each : cases) {
        SCOPED_TRACE(each.name);
        const std::string input = with_crlf(each.fences.at("input"));
        const std::string& expected = each.fences.at("events");
        EXPECT_EQ(play(input, 1), expected);
        for (const std::size_t piece :
             {std::size_t{2}, std::size_t{3}, std::size_t{5}, std::size_t{11}, input.size()}) {
            EXPECT_EQ(play(input, piece), without_offsets(expected)) << "pieces of " << piece;
        }
    }
}

TEST(SectionRange, Partials) {
    const ByteRange whole{100, 50};
    EXPECT_EQ(apply_partial(whole, std::nullopt), whole);
    EXPECT_EQ(apply_partial(whole, Partial{0, 393216}), whole);  // Q1: the real length
    EXPECT_EQ(apply_partial(whole, Partial{10, 5}), (ByteRange{110, 5}));
    EXPECT_EQ(apply_partial(whole, Partial{49, 5}), (ByteRange{149, 1}));
    EXPECT_EQ(apply_partial(whole, Partial{50, 5}), (ByteRange{150, 0}));
    EXPECT_EQ(apply_partial(whole, Partial{4294967295U, 4294967295U}), (ByteRange{150, 0}));
}

TEST(SectionRange, Header_fields) {
    const std::string header = "From: a\r\nX-Long: one\r\n two\r\nsubject : s\r\nFrom: b\r\n\r\n";
    const auto filtered = [&](std::string_view text, std::string_view from) {
        Lexer lexer(text);
        return filter_header(from, *read_section(lexer));
    };
    EXPECT_EQ(filtered("[HEADER.FIELDS (FROM Subject)]", header),
              "From: a\r\nsubject : s\r\nFrom: b\r\n\r\n");
    EXPECT_EQ(filtered("[HEADER.FIELDS.NOT (From)]", header),
              "X-Long: one\r\n two\r\nsubject : s\r\n\r\n");
    EXPECT_EQ(filtered("[HEADER.FIELDS (To)]", header), "\r\n");
    EXPECT_EQ(filtered("[HEADER.FIELDS (A)]", "A: b"), "A: b\r\n\r\n");
    EXPECT_EQ(filtered("[HEADER.FIELDS (A)]", ""), "\r\n");
}

TEST(Structure, Deep_trees_are_walked_without_recursion) {
    std::string message;
    for (int i = 0; i < 60; ++i) {
        message += "Content-Type: message/rfc822\r\n\r\n";
    }
    message += "Subject: x\r\n\r\nend\r\n";
    const mail::ParsedMessage parsed = mail::parse_message(message);
    for (const StructureForm form : {StructureForm::Body, StructureForm::BodyStructure}) {
        ResponseWriter writer;
        write_structure(writer, parsed.parts, form);
        const std::string text = writer.take();
        EXPECT_EQ(std::ranges::count(text, '('), std::ranges::count(text, ')'));
    }
}

}  // namespace
}  // namespace godwit::imap
