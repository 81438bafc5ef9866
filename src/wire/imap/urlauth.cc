#include "wire/imap/urlauth.h"

#include "base/ascii.h"

namespace godwit::imap {

namespace {

std::unexpected<Error> too_many() {
    return peer_error(ErrorCode::LimitExceeded, "Too many URLs in one command");
}

Result<std::string> read_mechanism(Lexer& lexer) {
    return std::string(
        TRY(lexer.run([](char c) { return is_alnum(c) || c == '-' || c == '.'; }, "a mechanism")));
}

}  // namespace

Result<std::vector<UrlToSign>> parse_genurlauth(Lexer& lexer) {
    std::vector<UrlToSign> all;
    do {
        if (all.size() >= command_urls_max) {
            return too_many();
        }
        UrlToSign one;
        TRY(lexer.space());
        one.url = TRY(lexer.astring());
        TRY(lexer.space());
        one.mechanism = TRY(read_mechanism(lexer));
        all.push_back(std::move(one));
    } while (!lexer.end());
    return all;
}

Result<ResetKeyArguments> parse_resetkey(Lexer& lexer, NameSpelling spelling) {
    ResetKeyArguments out;
    if (lexer.end()) {
        return out;
    }
    TRY(lexer.space());
    out.mailbox = TRY(read_mailbox_name(lexer, spelling));
    while (!lexer.end()) {
        TRY(lexer.space());
        if (out.mechanisms.size() >= command_urls_max) {
            return too_many();
        }
        out.mechanisms.push_back(TRY(read_mechanism(lexer)));
    }
    return out;
}

Result<std::vector<std::string>> parse_urlfetch(Lexer& lexer) {
    std::vector<std::string> all;
    do {
        if (all.size() >= command_urls_max) {
            return too_many();
        }
        TRY(lexer.space());
        all.push_back(TRY(lexer.astring()));
    } while (!lexer.end());
    return all;
}

}  // namespace godwit::imap
