// Plays tests/golden/{mime,address}/*.md: each case is a heading, a fenced input and a fenced
// outcome.
//   ## name
//   ```input        (or ```path, ```list, ```date, ... : which reader)
//   ...             every line end is one CRLF, but the last; "\n" "\r" "\t" "\\" "\xHH" are
//   escapes,
//   ```             a line that ends in "\" has no line end
//   ```expect
//   ...
//   ```
// MIME inputs are fed whole, octet by octet and at random splits.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "base/ascii.h"
#include "base/encoding.h"
#include "mail/address/address.h"
#include "mail/address/address_list.h"
#include "mail/message/parser.h"
#include "mail/message/summary.h"
#include "mail/text/date.h"
#include "mail/text/encoded_word.h"

namespace godwit::mail {
namespace {

struct GoldenCase {
    std::string name;
    std::string reader;  // The word behind the fence of the input.
    std::string input;
    std::string expected;
};

// Escapes resolved; `line` has no line end.
std::string unescape(std::string_view line) {
    std::string out;
    for (std::size_t at = 0; at < line.size(); ++at) {
        if (line[at] != '\\' || at + 1 == line.size()) {
            out.push_back(line[at]);
            continue;
        }
        const char c = line[++at];
        if (c == 'x' && at + 2 < line.size()) {
            out += hex_decode(line.substr(at + 1, 2)).value_or("?");
            at += 2;
        } else {
            out.push_back(c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c);
        }
    }
    return out;
}

std::string join_input(const std::vector<std::string>& lines) {
    std::string out;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        std::string_view line = lines[i];
        const bool open = line.ends_with('\\') && !line.ends_with("\\\\");
        line.remove_suffix(open ? 1 : 0);
        out += unescape(line);
        out += open || i + 1 == lines.size() ? "" : "\r\n";
    }
    return out;
}

std::vector<GoldenCase> read_cases(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::vector<GoldenCase> cases;
    std::vector<std::string> lines;
    std::string line;
    std::string fence;
    while (std::getline(file, line)) {
        if (fence.empty() && line.starts_with("## ")) {
            cases.push_back({.name = path.filename().string() + ": " + line.substr(3),
                             .reader = {},
                             .input = {},
                             .expected = {}});
        } else if (fence.empty() && line.starts_with("```") && !cases.empty()) {
            fence = line.substr(3);
            lines.clear();
        } else if (line == "```") {
            if (fence == "expect") {
                for (const std::string& each : lines) {
                    cases.back().expected += each + "\n";
                }
            } else {
                cases.back().reader = fence;
                cases.back().input = join_input(lines);
            }
            fence.clear();
        } else if (!fence.empty()) {
            lines.push_back(line);
        }
    }
    return cases;
}

// Printable on one line.
std::string shown(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\r' || c == '\n' || c == '\t' || c == '\\') {
            out += c == '\r' ? "\\r" : c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\\\";
        } else if (is_ctl(c)) {
            out += "\\x" + hex_encode(std::string(1, c));
        } else {
            out.push_back(c);
        }
    }
    return out;
}

std::string show_parameters(const std::vector<Parameter>& parameters) {
    std::string out;
    for (const Parameter& parameter : parameters) {
        out += " " + parameter.name + "=" + shown(parameter.value);
    }
    return out;
}

std::string show_part(std::string_view text, const PartTree& parts, std::size_t index) {
    const Part& part = parts[index];
    std::size_t depth = 0;
    for (std::uint32_t up = part.parent; up != kNoParent; up = parts[up].parent) {
        ++depth;
    }
    std::string out = std::string(depth * 2, ' ') + part.type + "/" + part.subtype +
                      show_parameters(part.parameters);
    out += part.kind == Part::Kind::Leaf        ? ""
           : part.kind == Part::Kind::Multipart ? " [multipart]"
                                                : " [message]";
    out +=
        " header=" + std::to_string(part.header_offset) + "+" + std::to_string(part.header_size());
    out += " body=" + std::to_string(part.body_size) + " lines=" + std::to_string(part.lines);
    out += part.encoding == TransferEncoding::SevenBit
               ? ""
               : " " + std::string(transfer_encoding_name(part.encoding));
    out += part.disposition.empty()
               ? ""
               : " " + part.disposition + show_parameters(part.disposition_parameters);
    out += part.id.empty() ? "" : " id=" + shown(part.id);
    out +=
        part.envelope && part.envelope->subject ? " subject=" + shown(*part.envelope->subject) : "";
    if (part.kind == Part::Kind::Leaf) {
        out += " \"" +
               shown(text.substr(part.body_offset, std::min<std::size_t>(part.body_size, 60))) +
               "\"";
    }
    return out + "\n";
}

std::string show_message(std::string_view text, ParsedMessage message) {
    std::string out;
    for (const HeaderField& field : message.index.fields) {
        out += std::string(field.name(message.header)) + "=" +
               shown(unfold(field.body(message.header))) + "\n";
    }
    for (std::size_t i = 0; i < message.parts.size(); ++i) {
        out += show_part(text, message.parts, i);
    }
    out += message.index.separator_missing ? "no blank line\n" : "";
    out += message.truncated ? "truncated\n" : "";
    const MessageSummary summary = summarize(message);
    out += summary.preview.empty() ? "" : "preview: " + summary.preview + "\n";
    out += summary.has_attachment ? "has attachment\n" : "";
    return out;
}

std::string play_mime(const std::string& input) {
    const std::string whole = show_message(input, parse_message(input));
    std::mt19937 random(1);
    for (int round = 0; round < 20; ++round) {
        MessageParser parser;
        std::string_view rest = input;
        while (!rest.empty()) {
            const std::size_t step = round == 0 ? 1 : 1 + random() % 40;
            parser.feed(rest.substr(0, step));
            rest.remove_prefix(std::min(step, rest.size()));
        }
        EXPECT_EQ(show_message(input, parser.finish()), whole) << "split differently";
    }
    return whole;
}

std::string play_list(const std::string& input) {
    const AddressList list = parse_address_list(input);
    const auto nil = [](const std::string& text) {
        return text.empty() ? std::string("NIL") : "\"" + shown(text) + "\"";
    };
    std::string out;
    for (const ListedAddress& item : list.items) {
        if (item.kind == ListedAddress::Kind::GroupEnd) {
            out += "(NIL NIL NIL NIL)\n";
        } else if (item.kind == ListedAddress::Kind::GroupStart) {
            out += "(NIL NIL " + nil(item.mailbox) + " NIL)\n";
        } else {
            out += "(" + nil(item.name) + " " + nil(item.route) + " \"" + shown(item.mailbox) +
                   "\" \"" + shown(item.host) + "\")\n";
        }
    }
    return out + (list.malformed ? "malformed\n" : "") + (list.truncated ? "truncated\n" : "");
}

std::string play_address(const std::string& input) {
    const auto address = parse_address(input);
    if (!address) {
        return "refused\n";
    }
    return address->to_string() + "\nkey " + account_key(*address) +
           (address->needs_smtputf8() ? "\nsmtputf8\n" : "\n");
}

std::string play_path(const std::string& input) {
    const auto path = parse_path(input, Domainless::Allow);
    if (!path) {
        return "refused\n";
    }
    return (path->address ? path->address->to_string() : "null") + " in " +
           std::to_string(path->size) + "\n";
}

std::string play_date(const std::string& input) {
    const auto date = parse_date(input);
    return date ? format_date(date->unix_seconds, date->offset_minutes) + "\n" : "no date\n";
}

std::string play(const GoldenCase& golden) {
    if (golden.reader == "mime") {
        return play_mime(golden.input);
    }
    if (golden.reader == "list") {
        return play_list(golden.input);
    }
    if (golden.reader == "address") {
        return play_address(golden.input);
    }
    if (golden.reader == "path") {
        return play_path(golden.input);
    }
    if (golden.reader == "date") {
        return play_date(golden.input);
    }
    if (golden.reader == "text") {
        return decode_header_text(golden.input) + "\n";
    }
    return "unknown reader " + golden.reader + "\n";
}

void play_folder(std::string_view folder) {
    const auto root = std::filesystem::path(GODWIT_SOURCE_DIR) / "tests/golden" / folder;
    int played = 0;
    for (const auto& entry : std::filesystem::directory_iterator(root)) {
        if (entry.path().extension() != ".md") {
            continue;
        }
        for (const GoldenCase& golden : read_cases(entry.path())) {
            EXPECT_EQ(play(golden), golden.expected) << golden.name;
            ++played;
        }
    }
    EXPECT_GT(played, 5);
}

TEST(Golden, Mime) {
    play_folder("mime");
}
TEST(Golden, Address) {
    play_folder("address");
}

}  // namespace
}  // namespace godwit::mail
