#include "mail/message/message_ids.h"

#include "base/ascii.h"

namespace godwit::mail {

std::string_view MessageIdsView::next() {
    while (!lexer_.at_end()) {
        if (lexer_.skip_cfws()) {
            continue;
        }
        if (lexer_.peek() != '<') {
            if (lexer_.peek() == '"') {
                (void)lexer_.take_quoted_string();
            } else {
                lexer_.advance(1);
            }
            continue;
        }
        // RFC 5322 3.6.4: no white space inside; what a fold broke in two is joined.
        const std::size_t end = lexer_.rest().find_first_of("<>", 1);
        if (end == std::string_view::npos) {
            break;
        }
        if (lexer_.rest()[end] == '<') {
            lexer_.advance(end);
            continue;
        }
        id_.clear();
        for (const char c : lexer_.rest().substr(0, end + 1)) {
            if (!is_wsp(c) && c != '\r' && c != '\n') {
                id_.push_back(c);
            }
        }
        lexer_.advance(end + 1);
        if (id_.size() > 2) {
            return id_;
        }
    }
    return {};
}

}  // namespace godwit::mail
