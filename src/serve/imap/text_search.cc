#include "serve/imap/text_search.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/limits.h"
#include "mail/message/header.h"
#include "mail/message/search_text.h"
#include "mail/text/charset.h"
#include "mail/text/encoded_word.h"
#include "mail/text/html_text.h"
#include "mail/text/parameter.h"
#include "mail/text/transfer_encoding.h"

namespace godwit::serve::imap_desk {

namespace {

bool has(std::string_view text, std::string_view needle) {
    return mail::fold_for_search(text).find(needle) != std::string::npos;
}

// Base64 in windows: whole groups now, the rest with the next window.
class Base64Windows {
public:
    std::string decode(std::string_view encoded) {
        for (const char c : encoded) {
            if (is_alnum(c) || c == '+' || c == '/' || c == '=') {
                held_.push_back(c);
            }
        }
        const std::size_t whole = held_.size() / 4 * 4;
        std::string out = mail::decode_base64(std::string_view(held_).substr(0, whole));
        held_.erase(0, whole);
        return out;
    }

private:
    std::string held_;
};

}  // namespace

std::string fold_needle(std::string_view needle) {
    return mail::fold_for_search(needle);
}

bool has_header_text(std::string_view block, std::string_view name, std::string_view needle) {
    const mail::HeaderIndex index = mail::split_header(block);
    return std::ranges::any_of(index.fields, [&](const mail::HeaderField& field) {
        return equals_ignore_case(field.name(block), name) &&
               (needle.empty() || has(mail::decode_header_text(field.body(block)), needle));
    });
}

bool has_any_header_text(std::string_view block, std::string_view needle) {
    const mail::HeaderIndex index = mail::split_header(block);
    return std::ranges::any_of(index.fields, [&](const mail::HeaderField& field) {
        return has(
            std::string(field.name(block)) + ": " + mail::decode_header_text(field.body(block)),
            needle);
    });
}

Result<std::string_view> MessageSearch::header() {
    if (!has_header_) {
        const std::uint64_t size =
            record_->prefix.size() +
            std::min<std::uint64_t>(summary_->header_size, limits::header_block_size_max);
        header_ = TRY(read_octets(*store_, store::ReadTier::Disk, *record_, {0, size}));
        has_header_ = true;
    }
    return std::string_view(header_);
}

Result<bool> MessageSearch::has_part_text(const mail::Part& part, std::string_view needle) {
    if (part.body_size <= limits::search_window_size) {
        const std::string encoded =
            TRY(read_octets(*store_, store::ReadTier::Disk, *record_,
                            {record_->prefix.size() + part.body_offset, part.body_size}));
        return mail::searched_part_text(part, encoded).find(needle) != std::string::npos;
    }
    const std::string charset = mail::find_parameter(part.parameters, "charset").value_or("");
    const bool is_html = part.subtype == "html";
    // What a needle may stretch over from one window into the next, in any charset.
    const std::size_t overlap = needle.size() * 4 + 16;
    Base64Windows base64;
    std::string held;    // Encoded: the unfinished last line.
    std::string octets;  // Decoded: the tail of the window before, and this one.
    for (std::uint64_t at = 0; at < part.body_size;) {
        const std::uint64_t size =
            std::min<std::uint64_t>(limits::search_window_size, part.body_size - at);
        held += TRY(read_octets(*store_, store::ReadTier::Disk, *record_,
                                {record_->prefix.size() + part.body_offset + at, size}));
        at += size;
        const std::size_t newline = held.rfind('\n');
        const bool is_last = at >= part.body_size || newline == std::string::npos;
        std::string window = held.substr(0, is_last ? held.size() : newline + 1);
        held.erase(0, window.size());
        octets += part.encoding == mail::TransferEncoding::Base64
                      ? base64.decode(window)
                      : mail::decode_transfer(window, part.encoding);
        std::string text = mail::to_utf8(octets, charset);
        if (is_html) {
            text = mail::html_to_text(text, text.size());
        }
        if (has(text, needle)) {
            return true;
        }
        if (octets.size() > overlap) {
            octets.erase(0, octets.size() - overlap);
        }
    }
    return false;
}

Result<bool> MessageSearch::has_body_text(std::string_view needle) {
    if (needle.empty()) {
        return true;
    }
    for (const mail::Part& part : summary_->parts) {
        if (mail::is_searched(part) && TRY(has_part_text(part, needle))) {
            return true;
        }
    }
    return false;
}

}  // namespace godwit::serve::imap_desk
