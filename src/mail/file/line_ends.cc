#include "mail/file/line_ends.h"

namespace godwit::mail {

void MailLineEnds::feed(std::string_view bytes, std::string& out) {
    for (const char c : bytes) {
        if (c == '\n') {
            if (style_ == Style::Unknown) {
                style_ = last_ == '\r' ? Style::AsItIs : Style::Bare;
            }
            if (style_ == Style::Bare && last_ != '\r') {
                out.push_back('\r');
            }
        }
        out.push_back(c);
        last_ = c;
    }
}

void LineEndSurvey::feed(std::string_view bytes) {
    for (const char c : bytes) {
        if (c == '\n') {
            const bool is_crlf = last_ == '\r';
            first_is_crlf_ = had_line_ ? first_is_crlf_ : is_crlf;
            had_line_ = true;
            has_bare_ = has_bare_ || !is_crlf;
            is_plain_ = is_plain_ && is_crlf && before_ != '\r';
        }
        before_ = last_;
        last_ = c;
    }
}

void FileLineEnds::feed(std::string_view bytes, std::string& out) {
    for (const char c : bytes) {
        if (has_cr_ && c != '\n') {
            out.push_back('\r');
        }
        has_cr_ = c == '\r';
        if (!has_cr_) {
            out.push_back(c);
        }
    }
}

void FileLineEnds::finish(std::string& out) {
    if (has_cr_) {
        out.push_back('\r');
        has_cr_ = false;
    }
}

}  // namespace godwit::mail
