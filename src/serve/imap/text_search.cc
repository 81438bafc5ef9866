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
#include "mail/text/transfer_decoder.h"
#include "mail/text/transfer_encoding.h"
#include "store/search/ask_fuzzy.h"
#include "store/search/email_terms.h"

namespace godwit::serve::imap_desk {

namespace {

bool has(std::string_view text, std::string_view needle) {
    return mail::fold_for_search(text).find(needle) != std::string::npos;
}

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

template <class Look>
Result<bool> MessageSearch::look_through(const mail::Part& part, std::size_t overlap, Look&& look) {
    if (part.body_size <= limits::search_window_size) {
        const std::string encoded =
            TRY(read_octets(*store_, store::ReadTier::Disk, *record_,
                            {record_->prefix.size() + part.body_offset, part.body_size}));
        return look(mail::searched_part_text(part, encoded));
    }
    const std::string charset = mail::find_parameter(part.parameters, "charset").value_or("");
    const bool is_html = part.subtype == "html";
    mail::TransferDecoder decoder(part.encoding);
    std::string octets;  // Decoded: the tail of the window before, and this one.
    for (std::uint64_t at = 0; at < part.body_size;) {
        const std::uint64_t size =
            std::min<std::uint64_t>(limits::search_window_size, part.body_size - at);
        octets +=
            decoder.feed(TRY(read_octets(*store_, store::ReadTier::Disk, *record_,
                                         {record_->prefix.size() + part.body_offset + at, size})));
        at += size;
        octets += at >= part.body_size ? decoder.finish() : std::string();
        std::string text = mail::to_utf8(octets, charset);
        if (is_html) {
            text = mail::html_to_text(text, text.size());
        }
        if (look(mail::fold_for_search(text))) {
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
    // What a needle may stretch over from one window into the next, in any charset.
    const std::size_t overlap = needle.size() * 4 + 16;
    const auto has_needle = [needle](const std::string& folded) {
        return folded.find(needle) != std::string::npos;
    };
    for (const mail::Part& part : summary_->parts) {
        if (mail::is_searched(part) && TRY(look_through(part, overlap, has_needle))) {
            return true;
        }
    }
    return false;
}

Result<mail::FuzzyTally> MessageSearch::tally(store::IndexedPlace place,
                                              std::string_view header_name,
                                              const mail::FuzzyNeedle& needle,
                                              const mail::Stemmers& stemmers) {
    mail::FuzzyTally out(needle.words().size());
    const auto take = [&](mail::WordPlace where, std::string_view folded) {
        out.add_text(needle, stemmers, where, folded);
    };
    if (place != store::IndexedPlace::Body) {
        const std::string_view block = TRY(header());
        for (const mail::HeaderField& field : mail::split_header(block).fields) {
            const std::string_view name = field.name(block);
            const bool is_any = place == store::IndexedPlace::Text;
            if (is_any) {
                take(mail::WordPlace::Rest, mail::fold_for_search(name));
            }
            if (is_any || equals_ignore_case(name, header_name)) {
                take(store::word_place(store::term_field(name)),
                     mail::searched_field_text(field.body(block)));
            }
        }
    }
    if (place == store::IndexedPlace::Header) {
        return out;
    }
    const std::size_t overlap = mail::term_size_max * 4;
    for (const mail::Part& part : summary_->parts) {
        if (mail::is_searched(part)) {
            TRY(look_through(part, overlap, [&](const std::string& folded) {
                take(mail::WordPlace::Rest, folded);
                return false;
            }));
        }
    }
    return out;
}

}  // namespace godwit::serve::imap_desk
