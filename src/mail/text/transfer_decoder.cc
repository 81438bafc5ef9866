#include "mail/text/transfer_decoder.h"

#include "base/ascii.h"
#include "mail/text/lexical.h"

namespace godwit::mail {

namespace {

// Behind it what comes next cannot change what was before: no blank that may end a line, no half of
// an escape.
std::size_t last_safe_cut(std::string_view text) {
    for (std::size_t end = text.size(); end > 0; --end) {
        const char c = text[end - 1];
        const bool may_go_on = is_wsp(c) || c == '\r' || c == '=';
        const bool is_half = end > 1 && text[end - 2] == '=';
        if (!may_go_on && !is_half) {
            return end;
        }
    }
    return 0;
}

}  // namespace

std::string TransferDecoder::feed(std::string_view encoded) {
    if (encoding_ == TransferEncoding::Base64) {
        for (const char c : encoded) {
            has_ended_ = has_ended_ || c == '=';
            if (!has_ended_ && (is_alnum(c) || c == '+' || c == '/')) {
                held_.push_back(c);
            }
        }
        const std::size_t whole = held_.size() / 4 * 4;
        std::string out = decode_base64(std::string_view(held_).substr(0, whole));
        held_.erase(0, whole);
        return out;
    }
    if (encoding_ != TransferEncoding::QuotedPrintable) {
        return std::string(encoded);
    }
    held_.append(encoded);
    const std::size_t cut = last_safe_cut(held_);
    std::string out = decode_quoted_printable(std::string_view(held_).substr(0, cut));
    held_.erase(0, cut);
    return out;
}

std::string TransferDecoder::finish() {
    return decode_transfer(std::exchange(held_, {}), encoding_);
}

}  // namespace godwit::mail
