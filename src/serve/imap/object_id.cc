#include "serve/imap/object_id.h"

#include <charconv>

namespace godwit::serve::imap_desk {

std::string object_id(ObjectKind kind, AccountId account, std::uint32_t number) {
    char text[20];
    char* at = text;
    *at++ = static_cast<char>(kind);
    at = std::to_chars(at, std::end(text), account.value(), 16).ptr;
    *at++ = '_';
    at = std::to_chars(at, std::end(text), number, 16).ptr;
    return {text, at};
}

std::optional<std::uint32_t> parse_object_id(ObjectKind kind, AccountId account,
                                             std::string_view text) {
    const std::size_t split = text.find('_');
    if (split == std::string_view::npos) {
        return std::nullopt;
    }
    std::uint32_t number = 0;
    std::from_chars(text.data() + split + 1, text.data() + text.size(), number, 16);
    // One spelling for each id.
    return object_id(kind, account, number) == text ? std::optional(number) : std::nullopt;
}

std::string mailbox_id_code(AccountId account, MailboxId mailbox) {
    return "MAILBOXID (" + object_id(ObjectKind::Mailbox, account, mailbox.value()) + ")";
}

}  // namespace godwit::serve::imap_desk
