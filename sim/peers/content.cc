#include "sim/peers/content.h"

#include <algorithm>

namespace godwit::sim {

Content::Step Content::data(std::string_view bytes) {
    Step step;
    while (step.consumed < bytes.size()) {
        // A line ends where an LF comes right behind a CR, also when the CR came with the last
        // piece.
        const std::size_t end = bytes.find('\n', step.consumed);
        if (end == std::string_view::npos) {
            line_.append(bytes.substr(step.consumed));
            step.consumed = bytes.size();
            return step;
        }
        line_.append(bytes.substr(step.consumed, end + 1 - step.consumed));
        step.consumed = end + 1;
        if (!line_.ends_with("\r\n")) {
            continue;
        }
        if (line_ == ".\r\n") {
            line_.clear();
            step.is_ended = true;
            return step;
        }
        if (line_.front() == '.') {
            has_unstuffed_dot_ = has_unstuffed_dot_ || line_[1] != '.';
            line_.erase(0, 1);
        }
        text_ += line_;
        line_.clear();
    }
    return step;
}

void Content::chunk(std::string_view bytes) {
    text_.append(bytes);
}

ContentFacts facts_of(std::string_view text) {
    ContentFacts facts;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        facts.has_nul = facts.has_nul || c == '\0';
        facts.has_eight_bit = facts.has_eight_bit || static_cast<unsigned char>(c) > 0x7F;
        if (c == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) {
            facts.has_bare_cr = true;
        }
        if (c == '\n') {
            facts.has_bare_lf = facts.has_bare_lf || i == 0 || text[i - 1] != '\r';
            facts.longest_line = std::max(facts.longest_line, i + 1 - begin);
            begin = i + 1;
        }
    }
    facts.longest_line = std::max(facts.longest_line, text.size() - begin);
    return facts;
}

std::string stuffed(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 16);
    bool is_line_start = true;
    for (const char c : text) {
        if (is_line_start && c == '.') {
            out += '.';
        }
        out += c;
        is_line_start = c == '\n';
    }
    return out + ".\r\n";
}

}  // namespace godwit::sim
