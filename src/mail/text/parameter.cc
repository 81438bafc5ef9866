#include "mail/text/parameter.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/limits.h"
#include "mail/text/charset.h"
#include "mail/text/encoded_word.h"
#include "mail/text/lexical.h"

namespace godwit::mail {
namespace {

// An unquoted value. A token followed by comments and ';' is the rule (RFC 2045 5.1); anything else
// up to ';' is what mailers that forget the quotes mean (file names with spaces, boundaries with
// '=').
std::string take_bare_value(LexicalView& lexer) {
    const LexicalView start = lexer;
    const std::string_view token = lexer.take_token();
    lexer.skip_cfws();
    if (lexer.at_end() || lexer.peek() == ';') {
        return std::string(token);
    }
    lexer = start;
    const std::string_view text = lexer.rest().substr(0, lexer.rest().find(';'));
    lexer.advance(text.size());
    std::string value;
    for (const char c : trim(text)) {
        if (c != '\r' && c != '\n') {
            value.push_back(c);
        }
    }
    return value;
}

std::string take_value(LexicalView& lexer) {
    lexer.skip_cfws();
    const std::string_view token = lexer.take_token();
    std::string value = to_lower(token);
    lexer.skip_cfws();
    if (!value.empty() && lexer.take('/')) {
        lexer.skip_cfws();
        value.append("/").append(to_lower(lexer.take_token()));
    }
    return value;
}

int hex_value(char c) {
    return is_digit(c) ? c - '0' : is_hexdig(c) ? to_lower(c) - 'a' + 10 : -1;
}

std::string percent_decode(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '%' && at + 2 < text.size() && hex_value(text[at + 1]) >= 0 &&
            hex_value(text[at + 2]) >= 0) {
            out.push_back(
                static_cast<char>(hex_value(text[at + 1]) * 16 + hex_value(text[at + 2])));
            at += 2;
        } else {
            out.push_back(text[at]);
        }
    }
    return out;
}

// RFC 2231 4: charset'language'text; without the quotes all is text.
struct ExtendedView {  // Into the parameter value.
    std::string_view charset;
    std::string_view text;
};
ExtendedView split_extended(std::string_view value) {
    const std::size_t first = value.find('\'');
    const std::size_t second =
        first == std::string_view::npos ? first : value.find('\'', first + 1);
    if (second == std::string_view::npos) {
        return {"", value};
    }
    return {value.substr(0, first), value.substr(second + 1)};
}

// RFC 2231 3: pieces name*0, name*1*, ... put in order of their numbers; a gap ends the value.
std::optional<std::string> join_pieces(const std::vector<Parameter>& parameters,
                                       std::string_view name) {
    struct Piece {
        const Parameter* parameter = nullptr;
        bool extended = false;
    };
    std::array<Piece, limits::mime_continuations_max> pieces{};
    for (const Parameter& parameter : parameters) {
        std::string_view rest = parameter.name;
        if (!rest.starts_with(name) || rest.size() < name.size() + 2 || rest[name.size()] != '*') {
            continue;
        }
        rest.remove_prefix(name.size() + 1);
        const bool extended = rest.ends_with('*');
        rest.remove_suffix(extended ? 1 : 0);
        const auto number = parse_u32(rest);
        if (number && *number < pieces.size() && pieces[*number].parameter == nullptr) {
            pieces[*number] = {&parameter, extended};
        }
    }
    if (pieces[0].parameter == nullptr) {
        return std::nullopt;
    }
    std::string charset;
    std::string octets;
    for (const Piece& piece : pieces) {
        if (piece.parameter == nullptr || octets.size() > limits::mime_parameter_size_max) {
            break;
        }
        std::string_view value = piece.parameter->value;
        if (&piece == &pieces[0] && piece.extended) {
            const ExtendedView extended = split_extended(value);
            charset = extended.charset;
            value = extended.text;
        }
        octets += piece.extended ? percent_decode(value) : std::string(value);
    }
    octets.resize(std::min(octets.size(), limits::mime_parameter_size_max));
    return to_utf8(octets, charset);
}

const Parameter* find_plain(const std::vector<Parameter>& parameters, std::string_view name) {
    const auto it = std::ranges::find(parameters, name, &Parameter::name);
    return it == parameters.end() ? nullptr : &*it;
}

}  // namespace

ParameterizedValue parse_parameterized(std::string_view body) {
    LexicalView lexer(body);
    ParameterizedValue out;
    out.value = take_value(lexer);
    while (!lexer.at_end()) {
        const std::size_t semicolon = lexer.rest().find(';');
        if (semicolon == std::string_view::npos) {
            break;
        }
        lexer.advance(semicolon + 1);
        lexer.skip_cfws();
        const std::string_view name = lexer.take_token();
        lexer.skip_cfws();
        if (name.empty() || !lexer.take('=')) {
            continue;
        }
        lexer.skip_cfws();
        std::string value =
            lexer.peek() == '"' ? lexer.take_quoted_string() : take_bare_value(lexer);
        if (out.parameters.size() == limits::mime_parameters_max) {
            out.truncated = true;
            break;
        }
        if (value.size() > limits::mime_parameter_size_max ||
            name.size() > limits::mime_parameter_size_max) {
            out.truncated = true;
            value.resize(std::min(value.size(), limits::mime_parameter_size_max));
        }
        out.parameters.push_back(
            {to_lower(name.substr(0, limits::mime_parameter_size_max)), std::move(value)});
    }
    return out;
}

std::optional<std::string> find_parameter(const std::vector<Parameter>& parameters,
                                          std::string_view name) {
    if (parameters.empty()) {
        return std::nullopt;
    }
    const std::string starred = std::string(name) + "*";
    if (const Parameter* extended = find_plain(parameters, starred)) {
        const ExtendedView view = split_extended(extended->value);
        return to_utf8(percent_decode(view.text), view.charset);
    }
    if (auto joined = join_pieces(parameters, name)) {
        return joined;
    }
    const Parameter* plain = find_plain(parameters, name);
    if (plain == nullptr) {
        return std::nullopt;
    }
    return decode_header_text(plain->value);
}

std::string write_parameter(std::string_view name, std::string_view value) {
    std::string out = "; ";
    out.append(name);
    const bool plain = is_ascii(value) &&
                       value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
    if (plain && !value.empty() && std::ranges::all_of(value, is_token_char)) {
        return out.append("=").append(value);
    }
    if (is_ascii(value)) {
        return out.append("=").append(quote(value));
    }
    // RFC 2231 7: attribute-char, all else as %XX.
    constexpr std::string_view kHex = "0123456789ABCDEF";
    out.append("*=utf-8''");
    for (const char c : value) {
        if (is_alnum(c) || c == '.' || c == '-' || c == '_') {
            out.push_back(c);
        } else if (c != '\r' && c != '\n' && c != '\0') {
            out.push_back('%');
            out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
            out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
        }
    }
    return out;
}

}  // namespace godwit::mail
