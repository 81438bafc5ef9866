#include "sim/peers/verbs.h"

#include "base/ascii.h"
#include "base/encoding.h"

namespace godwit::sim {

Verb read_verb(std::string_view line) {
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) {
        return {to_upper(line), ""};
    }
    return {to_upper(line.substr(0, blank)), std::string(line.substr(blank + 1))};
}

namespace {

// Position behind the '>' that ends the path at the start of `text`; a quoted local part may hold
// anything.
std::optional<std::size_t> end_of_path(std::string_view text) {
    bool is_quoted = false;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (is_quoted && text[i] == '\\') {
            ++i;
        } else if (text[i] == '"') {
            is_quoted = !is_quoted;
        } else if (!is_quoted && text[i] == '>') {
            return i + 1;
        } else if (!is_quoted && (text[i] == '<' || text[i] == ' ')) {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<PathLine> read_path_line(std::string_view rest, std::string_view keyword) {
    if (!starts_with_ignore_case(rest, keyword)) {
        return std::nullopt;
    }
    rest.remove_prefix(keyword.size());
    if (!rest.starts_with('<')) {
        return std::nullopt;
    }
    const auto end = end_of_path(rest);
    if (!end) {
        return std::nullopt;
    }
    PathLine line;
    line.address = rest.substr(1, *end - 2);
    rest.remove_prefix(*end);
    while (!rest.empty()) {
        if (rest.front() != ' ') {
            return std::nullopt;
        }
        rest.remove_prefix(1);
        const std::string_view word = rest.substr(0, std::min(rest.find(' '), rest.size()));
        if (word.empty()) {
            return std::nullopt;
        }
        const std::size_t equals = word.find('=');
        const std::string name = to_upper(word.substr(0, std::min(equals, word.size())));
        const std::string_view value =
            equals == std::string_view::npos ? "" : word.substr(equals + 1);
        if (!line.parameters.emplace(name, value).second) {
            return std::nullopt;
        }
        rest.remove_prefix(word.size());
    }
    return line;
}

std::string xtext_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = text[i] == '+' ? hex_decode(text.substr(i + 1, 2)) : std::nullopt;
        if (byte && byte->size() == 1) {
            out += *byte;
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

std::string xtext_encoded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (is_vchar(c) && c != '+' && c != '=') {
            out += c;
        } else {
            out += '+' + to_upper(hex_encode(std::string_view(&c, 1)));
        }
    }
    return out;
}

}  // namespace godwit::sim
