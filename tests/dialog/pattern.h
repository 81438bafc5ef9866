// What a line of a dialog script says of a line that was heard.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace godwit::dialog {

/// What names of a script may be made of: "$uid_2".
bool is_name(char c);

/// "..." is any text, $name a word. Linear backtracking over the few "..." of a line.
class PatternView {
public:
    /// `pattern` must outlive this.
    PatternView(std::string_view pattern, const std::map<std::string, std::string>& bound)
        : pattern_(pattern), bound_(bound) {}
    bool matches(std::string_view line) { return step(0, line); }
    [[nodiscard]] const std::map<std::string, std::string>& bound() const { return bound_; }

private:
    bool step(std::size_t at, std::string_view line);
    bool match_name(std::string_view name, std::string_view& line);

    std::string_view pattern_;
    std::map<std::string, std::string> bound_;
};

}  // namespace godwit::dialog
