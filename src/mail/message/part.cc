#include "mail/message/part.h"

namespace godwit::mail {

std::optional<std::string> Part::file_name() const {
    if (auto name = find_parameter(disposition_parameters, "filename")) {
        return name;
    }
    return find_parameter(parameters, "name");
}

std::vector<std::uint32_t> children_of(const PartTree& parts, std::uint32_t index) {
    std::vector<std::uint32_t> children;
    for (std::uint32_t i = index + 1; i < parts.size(); ++i) {
        if (parts[i].parent == index) {
            children.push_back(i);
        }
    }
    return children;
}

std::optional<std::uint32_t> find_section(const PartTree& parts,
                                          const std::vector<std::uint32_t>& numbers) {
    if (parts.empty()) {
        return std::nullopt;
    }
    std::uint32_t current = 0;
    bool inside = true;  // Of a message: its first number may name its only body.
    for (const std::uint32_t number : numbers) {
        if (!inside && parts[current].kind == Part::Kind::Message) {
            current = children_of(parts, current).front();
            inside = true;
        }
        if (parts[current].kind == Part::Kind::Multipart) {
            const auto children = children_of(parts, current);
            if (number == 0 || number > children.size()) {
                return std::nullopt;
            }
            current = children[number - 1];
        } else if (!inside || number != 1) {
            return std::nullopt;
        }
        inside = false;
    }
    return current;
}

}  // namespace godwit::mail
