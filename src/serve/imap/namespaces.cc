#include "serve/imap/namespaces.h"

#include "wire/imap/mailbox_name.h"

namespace godwit::serve::imap_desk {

namespace {

// What is behind `level` and the separator; false when `name` is neither that level nor below it.
bool take_level(std::string_view& name, std::string_view level) {
    if (!name.starts_with(level)) {
        return false;
    }
    const std::string_view rest = name.substr(level.size());
    if (!rest.empty() && rest.front() != imap::kHierarchySeparator) {
        return false;
    }
    name = rest.empty() ? rest : rest.substr(1);
    return true;
}

}  // namespace

NameParts split_name(std::string_view name) {
    std::string_view rest = name;
    if (take_level(rest, kShared)) {
        return {.whose = Whose::Shared, .path = rest};
    }
    if (!take_level(rest, kOtherUsers)) {
        return {.whose = Whose::Own, .path = name};
    }
    // A local part may have a separator, a domain has none.
    const std::size_t at = rest.find('@');
    const std::size_t end =
        rest.find(imap::kHierarchySeparator, at == std::string_view::npos ? 0 : at);
    return {.whose = Whose::OtherUser,
            .owner = rest.substr(0, end),
            .path = end == std::string_view::npos ? "" : rest.substr(end + 1)};
}

std::string other_user_name(std::string_view owner, std::string_view path) {
    std::string name(kOtherUsers);
    name.append(1, imap::kHierarchySeparator).append(owner);
    return path.empty() ? name : name.append(1, imap::kHierarchySeparator).append(path);
}

std::string shared_name(std::string_view path) {
    std::string name(kShared);
    return path.empty() ? name : name.append(1, imap::kHierarchySeparator).append(path);
}

}  // namespace godwit::serve::imap_desk
