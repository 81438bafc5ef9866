// IMAP commands: octets to commands to parsed arguments, whole and split; both must agree.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/imap/append.h"
#include "wire/imap/arguments.h"
#include "wire/imap/fetch.h"
#include "wire/imap/list.h"
#include "wire/imap/metadata.h"
#include "wire/imap/multisearch.h"
#include "wire/imap/notify.h"
#include "wire/imap/reader.h"
#include "wire/imap/search.h"
#include "wire/imap/select.h"
#include "wire/imap/urlauth.h"

using namespace godwit;
using namespace godwit::imap;

namespace {

// As many events as APPEND's reader makes of it; it must come to an end.
std::size_t append_events(const Command& command, bool is_whole) {
    AppendReader reader(NameSpelling::Utf7);
    for (std::size_t count = 1;; ++count) {
        check(count <= command.text.size() * 2 + 4, "each two events take an octet");
        const Result<AppendEvent> event = reader.next(command, is_whole);
        if (!event || std::holds_alternative<AppendMore>(*event) ||
            std::holds_alternative<AppendDone>(*event)) {
            return count;
        }
    }
}

// Every parser must be total on any command; the answer is folded into a number to compare.
std::size_t parse_all(const Command& command) {
    std::size_t out = 0;
    const auto note = [&out](bool parsed) { out = out * 2 + (parsed ? 1 : 0); };
    for (const NameSpelling spelling : {NameSpelling::Utf7, NameSpelling::Utf8}) {
        note(parse_mailbox(*std::make_unique<Lexer>(command), spelling).has_value());
        note(parse_select(*std::make_unique<Lexer>(command), spelling).has_value());
        note(parse_rename(*std::make_unique<Lexer>(command), spelling).has_value());
        note(parse_copy(*std::make_unique<Lexer>(command), spelling).has_value());
        note(parse_status(*std::make_unique<Lexer>(command), spelling).has_value());
        note(parse_list(*std::make_unique<Lexer>(command), spelling).has_value());
        note(parse_create(*std::make_unique<Lexer>(command), spelling).has_value());
        note(parse_get_metadata(*std::make_unique<Lexer>(command), spelling).has_value());
        note(parse_set_metadata(*std::make_unique<Lexer>(command), spelling).has_value());
        note(parse_notify(*std::make_unique<Lexer>(command), spelling).has_value());
        note(parse_resetkey(*std::make_unique<Lexer>(command), spelling).has_value());
        note(parse_multisearch(*std::make_unique<Lexer>(command), spelling).has_value());
    }
    out = out * 2 + append_events(command, true);
    note(parse_genurlauth(*std::make_unique<Lexer>(command)).has_value());
    note(parse_urlfetch(*std::make_unique<Lexer>(command)).has_value());
    note(parse_login(*std::make_unique<Lexer>(command)).has_value());
    note(parse_authenticate(*std::make_unique<Lexer>(command)).has_value());
    note(parse_id(*std::make_unique<Lexer>(command)).has_value());
    note(parse_enable(*std::make_unique<Lexer>(command)).has_value());
    note(parse_store(*std::make_unique<Lexer>(command)).has_value());
    note(parse_fetch(*std::make_unique<Lexer>(command)).has_value());
    note(parse_search(*std::make_unique<Lexer>(command)).has_value());
    return out;
}

std::string run(std::string_view input, std::size_t piece) {
    CommandReader reader(ReaderLimits::after_login(4096));
    std::string log;
    for (std::size_t at = 0; at < input.size(); at += piece) {
        reader.feed(input.substr(at, piece));
        for (;;) {
            const ReaderEvent event = reader.next();
            if (std::holds_alternative<NeedMore>(event)) {
                break;
            }
            if (const auto* command = std::get_if<Command>(&event)) {
                log += command->tag + " " + command->name + " " +
                       std::to_string(parse_all(*command)) + "\n";
            } else if (std::holds_alternative<LiteralOffer>(event)) {
                const auto& offer = std::get<LiteralOffer>(event);
                log += "offer " + std::to_string(append_events(offer.command, false)) + "\n";
                reader.accept_literal();
            }
        }
    }
    return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    check(run(input, size + 1) == run(input, 1), "splitting changes nothing");
    return 0;
}
