#include "script.h"

#include "base/ascii.h"
#include "base/encoding.h"

namespace godwit::dialog {

Result<std::vector<Line>> parse_script(std::string_view text) {
    struct Prefix {
        std::string_view mark;
        Line::Kind kind;
    };
    static constexpr Prefix kPrefixes[] = {
        {"C*:", Line::Kind::ClientSkip},  {"C+:", Line::Kind::ClientRaw},
        {"C:", Line::Kind::Client},       {"S*:", Line::Kind::ServerSkip},
        {"S+:", Line::Kind::ServerRaw},   {"S{:", Line::Kind::AnyOrderBegin},
        {"S}:", Line::Kind::AnyOrderEnd}, {"S:", Line::Kind::Server},
    };
    std::vector<Line> lines;
    std::size_t number = 0;
    for (std::string_view raw : split(text, '\n')) {
        ++number;
        if (raw.ends_with('\r')) {
            raw.remove_suffix(1);
        }
        if (trim(raw).empty() || raw.starts_with('#')) {
            continue;
        }
        if (raw.starts_with('@')) {
            lines.push_back({number, Line::Kind::Directive, std::string(trim(raw.substr(1)))});
            continue;
        }
        bool is_known = false;
        for (const Prefix& prefix : kPrefixes) {
            if (raw.starts_with(prefix.mark)) {
                std::string_view rest = raw.substr(prefix.mark.size());
                if (rest.starts_with(' ')) {
                    rest.remove_prefix(1);
                }
                lines.push_back({number, prefix.kind, std::string(rest)});
                is_known = true;
                break;
            }
        }
        if (!is_known) {
            return peer_error(
                ErrorCode::Invalid,
                "line " + std::to_string(number) + " is no line of a dialog: " + std::string(raw));
        }
    }
    return lines;
}

std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        const char next = text[++i];
        switch (next) {
            case 'r': out += '\r'; break;
            case 'n': out += '\n'; break;
            case 't': out += '\t'; break;
            case '0': out += '\0'; break;
            case 'x':
                if (i + 2 < text.size()) {
                    out += hex_decode(text.substr(i + 1, 2)).value_or("?");
                    i += 2;
                }
                break;
            default: out += next; break;
        }
    }
    return out;
}

}  // namespace godwit::dialog
