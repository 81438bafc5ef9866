#include "wire/imap/quota.h"

namespace godwit::imap {

Result<std::string> parse_quota_root(Lexer& lexer) {
    TRY(lexer.space());
    std::string root = TRY(lexer.astring());
    TRY(lexer.end());
    return root;
}

Result<> check_set_quota(Lexer& lexer) {
    TRY(lexer.space());
    TRY(lexer.astring());
    TRY(lexer.space());
    TRY(lexer.expect('('));
    for (std::size_t count = 0; !lexer.take(')'); ++count) {
        if (count == quota_resources_max) {
            return lexer.bad("at most 16 limits");
        }
        if (count > 0) {
            TRY(lexer.space());
        }
        TRY(lexer.atom());
        TRY(lexer.space());
        TRY(lexer.number64());
    }
    return lexer.end();
}

}  // namespace godwit::imap
