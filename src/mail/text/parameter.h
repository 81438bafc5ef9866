// "value; name=value; ..." of Content-Type and Content-Disposition. RFC 2045 5.1, RFC 2183 2,
// RFC 2231 (continuations, charsets, languages). One decoder for policy and for download (T65).
// Bounds: limits::mime_parameters_max, mime_continuations_max, mime_parameter_size_max.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::mail {

/// As written: `filename*0*` stays so; value without quotes. IMAP BODYSTRUCTURE shows these.
struct Parameter {
    std::string name;  ///< Lower case.
    std::string value;
    bool operator==(const Parameter&) const = default;
};

struct ParameterizedValue {
    std::string
        value;  ///< "text/plain", "attachment": lower case, no comments; empty if malformed.
    std::vector<Parameter> parameters;
    bool truncated = false;  ///< A bound cut something off.
};

/// Reads the field body. Total: what does not parse is skipped to the next ';'.
ParameterizedValue parse_parameterized(std::string_view body);

/// The value of parameter `name` (lower case) as UTF-8: RFC 2231 pieces joined and decoded; a plain
/// value that holds encoded words is decoded too (many mailers write file names that way).
/// The RFC 2231 form wins over the plain one. nullopt if absent.
std::optional<std::string> find_parameter(const std::vector<Parameter>& parameters,
                                          std::string_view name);

/// "; name=value", quoted if needed; RFC 2231 `name*=utf-8''...` when not ASCII.
/// CR, LF and NUL are left out.
std::string write_parameter(std::string_view name, std::string_view value);

}  // namespace godwit::mail
