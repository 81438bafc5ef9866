// How a peer reads the content of a message off the wire: a second reading of RFC 5321 4.5.2 and
// RFC 3030 2, on purpose not that of wire/smtp/data.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace godwit::sim {

class Content {
public:
    struct Step {
        std::size_t consumed = 0;
        bool is_ended = false;  ///< The line with the lone dot is among what was consumed.
    };
    /// Content of DATA: lines end with CR LF, and a line of one dot ends all. Stops behind it.
    Step data(std::string_view bytes);
    /// Octets of a chunk, as they are.
    void chunk(std::string_view bytes);

    /// Without stuffed dots and without the end.
    [[nodiscard]] const std::string& text() const { return text_; }
    /// DATA: a line began with a dot that was not doubled (RFC 5321 4.5.2).
    [[nodiscard]] bool has_unstuffed_dot() const { return has_unstuffed_dot_; }

private:
    std::string text_;
    std::string line_;  // Begun and not ended.
    bool has_unstuffed_dot_ = false;
};

/// What a message is made of, as far as a hop may care.
struct ContentFacts {
    bool has_bare_cr = false;
    bool has_bare_lf = false;
    bool has_nul = false;
    bool has_eight_bit = false;
    std::size_t longest_line = 0;  ///< With its CR LF.
};
ContentFacts facts_of(std::string_view text);

/// With dots doubled and the end behind it: what a client sends after 354. `text` ends with CRLF or
/// is empty.
std::string stuffed(std::string_view text);

}  // namespace godwit::sim
