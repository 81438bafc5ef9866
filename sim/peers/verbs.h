// Command lines as a peer reads them: a second reading of RFC 5321 4.1.1 and 4.1.2, on purpose not
// that of wire/smtp/command.h.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace godwit::sim {

/// "EHLO mx.example.test": the first word in capitals, and the rest.
struct Verb {
    std::string name;
    std::string rest;
};
Verb read_verb(std::string_view line);

/// What stands behind "MAIL FROM:" or "RCPT TO:".
struct PathLine {
    std::string address;                            ///< "" for <>.
    std::map<std::string, std::string> parameters;  ///< Names in capitals.
};
/// `keyword` is "FROM:" or "TO:". Strict: no blank behind the colon, a path in brackets.
std::optional<PathLine> read_path_line(std::string_view rest, std::string_view keyword);

/// RFC 3461 4: "+2B" and the like.
std::string xtext_decoded(std::string_view text);
std::string xtext_encoded(std::string_view text);

}  // namespace godwit::sim
