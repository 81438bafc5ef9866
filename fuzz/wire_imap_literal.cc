// The IMAP reader alone: first octet picks limits and answers, the rest is the stream. Whatever
// comes, splitting it changes no event, and what is held stays within the limits.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/imap/reader.h"

using namespace godwit;
using namespace godwit::imap;

namespace {

ReaderLimits small_limits(bool authenticated) {
    ReaderLimits out = authenticated ? ReaderLimits::after_login(64) : ReaderLimits::before_login();
    out.line_size_max = 64;
    out.literal_size_max = 16;
    out.literals_max = 4;
    out.command_size_max = 128;
    out.discard_max = 32;
    return out;
}

struct Log {
    std::string text;
    bool in_chunk = false;
    void operator()(const NeedMore&) {}
    void operator()(const Command& c) {
        check(c.text.size() <= 128 + 64 && c.arguments <= c.text.size(), "commands are bounded");
        add("C" + c.tag + " " + c.name + c.text);
    }
    void operator()(const Continue&) { add("+"); }
    void operator()(const LiteralOffer& o) { add("O" + o.command.text + std::to_string(o.size)); }
    void operator()(const LiteralChunkView& c) { text += c.bytes; }
    void operator()(const LiteralEnd&) { add("E"); }
    void operator()(const ContinuationLine& l) { add("L" + l.text); }
    void operator()(const Rejected& r) { add("R" + r.tag + r.text); }
    void operator()(const Fatal& f) { add("F" + f.tag + f.text); }
    void add(const std::string& event) { text += "\n" + event; }
};

std::string run(std::uint8_t mode, std::string_view input, std::size_t piece) {
    CommandReader reader(small_limits((mode & 1) != 0));
    Log log;
    for (std::size_t at = 0; at < input.size(); at += piece) {
        reader.feed(input.substr(at, piece));
        for (;;) {
            const ReaderEvent event = reader.next();
            if (std::holds_alternative<NeedMore>(event)) {
                break;
            }
            std::visit(log, event);
            if (std::holds_alternative<LiteralOffer>(event)) {
                (mode & 2) != 0 ? reader.accept_literal() : reader.refuse_literal();
            } else if (const auto* command = std::get_if<Command>(&event);
                       command != nullptr && command->name == "IDLE") {
                reader.expect_line(8);
            }
        }
    }
    return log.text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::string whole = run(data[0], input, size);
    check(whole == run(data[0], input, 1), "octet by octet changes nothing");
    check(whole == run(data[0], input, 7), "pieces of seven change nothing");
    return 0;
}
