#include "mail/message/base_subject.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "mail/text/encoded_word.h"

namespace godwit::mail {

namespace {

constexpr std::string_view kForwardTrailer = "(fwd)";
constexpr std::string_view kForwardHeader = "[fwd:";

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string one_spaced(std::string text) {
    bool behind_space = true;
    const bool is_clean = std::ranges::none_of(text, [&behind_space](char c) {
        const bool was_behind = std::exchange(behind_space, is_space(c));
        return behind_space && (was_behind || c != ' ');
    });
    if (is_clean) {
        return text;
    }
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (!is_space(c)) {
            out += c;
        } else if (!out.empty() && out.back() != ' ') {
            out += ' ';
        }
    }
    return out;
}

std::size_t skip_spaces(std::string_view text, std::size_t at) {
    while (at < text.size() && text[at] == ' ') {
        ++at;
    }
    return at;
}

// Behind a blob and its spaces at `at`; `at` when there is none.
std::size_t skip_blob(std::string_view text, std::size_t at) {
    if (at >= text.size() || text[at] != '[') {
        return at;
    }
    const std::size_t end = text.find_first_of("[]", at + 1);
    return end == std::string_view::npos || text[end] == '[' ? at : skip_spaces(text, end + 1);
}

// Behind "re:", "fw:", "fwd:" with what may stand before the colon; `at` when there is none.
std::size_t skip_mark(std::string_view text, std::size_t at) {
    std::size_t end = at;
    for (const std::string_view word : {"fwd", "re", "fw"}) {
        if (starts_with_ignore_case(text.substr(at), word)) {
            end = at + word.size();
            break;
        }
    }
    if (end == at) {
        return at;
    }
    end = skip_blob(text, skip_spaces(text, end));
    return end < text.size() && text[end] == ':' ? end + 1 : at;
}

bool ends_with_ignore_case(std::string_view text, std::string_view end) {
    return text.size() >= end.size() &&
           equals_ignore_case(text.substr(text.size() - end.size()), end);
}

// Step 2.
bool cut_trailers(std::string_view* text) {
    bool is_marked = false;
    for (;;) {
        while (!text->empty() && text->back() == ' ') {
            text->remove_suffix(1);
        }
        if (!ends_with_ignore_case(*text, kForwardTrailer)) {
            return is_marked;
        }
        text->remove_suffix(kForwardTrailer.size());
        is_marked = true;
    }
}

// Steps 3 to 5. Blobs that no mark follows are passed over once, however many.
bool cut_leaders(std::string_view* text) {
    bool is_marked = false;
    for (;;) {
        text->remove_prefix(skip_spaces(*text, 0));
        std::size_t at = 0;
        std::size_t last_blob = 0;
        for (std::size_t next = skip_blob(*text, at); next != at; next = skip_blob(*text, at)) {
            last_blob = at;
            at = next;
        }
        const std::size_t behind = skip_mark(*text, at);
        if (behind == at) {
            text->remove_prefix(at < text->size() ? at : last_blob);
            return is_marked;
        }
        text->remove_prefix(behind);
        is_marked = true;
    }
}

}  // namespace

BaseSubject base_subject(std::string_view subject) {
    const std::string decoded = one_spaced(decode_header_text(subject));
    std::string_view text = decoded;
    BaseSubject out;
    for (;;) {
        const bool had_trailer = cut_trailers(&text);
        const bool had_leader = cut_leaders(&text);
        out.is_reply = out.is_reply || had_trailer || had_leader;
        // Step 6.
        if (!starts_with_ignore_case(text, kForwardHeader) || !text.ends_with(']')) {
            out.text = text;
            return out;
        }
        text.remove_prefix(kForwardHeader.size());
        text.remove_suffix(1);
        out.is_reply = true;
    }
}

}  // namespace godwit::mail
