#include "pattern.h"

#include "base/ascii.h"

namespace godwit::dialog {

bool is_name(char c) {
    return is_alnum(c) || c == '_';
}

bool PatternView::match_name(std::string_view name, std::string_view& line) {
    const auto known = bound_.find(std::string(name));
    if (known != bound_.end()) {
        if (!line.starts_with(known->second)) {
            return false;
        }
        line.remove_prefix(known->second.size());
        return true;
    }
    const std::size_t size = std::min(line.find_first_of(" ])>\""), line.size());
    if (size == 0) {
        return false;
    }
    bound_[std::string(name)] = std::string(line.substr(0, size));
    line.remove_prefix(size);
    return true;
}

bool PatternView::step(std::size_t at, std::string_view line) {
    while (at < pattern_.size()) {
        if (pattern_.substr(at).starts_with("...")) {
            for (std::size_t skip = 0; skip <= line.size(); ++skip) {
                const auto before = bound_;
                if (step(at + 3, line.substr(skip))) {
                    return true;
                }
                bound_ = before;
            }
            return false;
        }
        if (pattern_[at] == '$' && at + 1 < pattern_.size() && is_name(pattern_[at + 1])) {
            std::size_t end = at + 1;
            while (end < pattern_.size() && is_name(pattern_[end])) {
                ++end;
            }
            if (!match_name(pattern_.substr(at + 1, end - at - 1), line)) {
                return false;
            }
            at = end;
            continue;
        }
        if (line.empty() || line.front() != pattern_[at]) {
            return false;
        }
        line.remove_prefix(1);
        ++at;
    }
    return line.empty();
}

}  // namespace godwit::dialog
