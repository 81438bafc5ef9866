#include "mail/report/enhanced_status.h"

#include <array>

#include "base/ascii.h"

namespace godwit::mail {
namespace {

// One to three digits without a leading zero.
std::optional<std::uint16_t> take_number(std::string_view& text) {
    std::size_t count = 0;
    unsigned value = 0;
    while (count < text.size() && count < 4 && is_digit(text[count])) {
        value = value * 10 + static_cast<unsigned>(text[count] - '0');
        ++count;
    }
    if (count == 0 || count > 3 || (count > 1 && text.front() == '0')) {
        return std::nullopt;
    }
    text.remove_prefix(count);
    return static_cast<std::uint16_t>(value);
}

bool take_dot(std::string_view& text) {
    if (!text.starts_with('.')) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

struct Explanation {
    std::uint16_t subject;
    std::uint16_t detail;
    std::string_view text;
};
constexpr std::array<Explanation, 35> kExplanations = {{
    {1, 1, "There is no such address at the receiving side."},
    {1, 2, "The domain of the address cannot be reached by mail, or does not exist."},
    {1, 3, "The address is not written correctly."},
    {1, 4, "The address could mean more than one mailbox."},
    {1, 6, "The mailbox has moved and left no new address."},
    {1, 7, "The sender's address is not written correctly."},
    {1, 8, "The domain of the sender's address is not accepted."},
    {1, 10, "The domain of the address says that it takes no mail."},
    {2, 0, "The mailbox cannot take the message."},
    {2, 1, "The mailbox is closed and takes no mail."},
    {2, 2, "The mailbox is full."},
    {2, 3, "The message is larger than the mailbox takes."},
    {2, 4, "The mailing list could not be expanded."},
    {3, 1, "The receiving mail system has no room left."},
    {3, 2, "The receiving mail system is not taking messages now."},
    {3, 3, "The receiving mail system cannot do what the message needs."},
    {3, 4, "The message is larger than the receiving mail system takes."},
    {3, 5, "The receiving mail system is not set up correctly."},
    {4, 1, "The receiving mail system did not answer."},
    {4, 2, "The connection to the receiving mail system failed."},
    {4, 3, "A directory that is needed for delivery did not answer."},
    {4, 4, "No way to the receiving mail system was found."},
    {4, 5, "The receiving mail system is too busy."},
    {4, 6, "The message went in circles between mail systems."},
    {4, 7, "The message could not be delivered in the time allowed."},
    {5, 3, "The message has too many recipients."},
    {6, 0, "The receiving side does not accept the form of the message."},
    {6, 3, "The message would have to be converted, which is not possible."},
    {6, 7, "The receiving mail system does not support addresses that are not ASCII."},
    {7, 0, "The receiving side refused the message for a security reason."},
    {7, 1, "The receiving side does not accept this message from this sender."},
    {7, 2, "The sender may not write to this mailing list."},
    {7, 5, "The protection that the message needs is not available."},
    {7, 8, "The name or password was not accepted."},
    {7, 10, "A connection protected as required could not be made."},
}};

std::string_view explain_subject(EnhancedStatus status) {
    static constexpr std::array<std::string_view, 8> kSubjects = {
        "The message could not be delivered.",
        "There is a problem with the address.",
        "There is a problem with the mailbox.",
        "There is a problem at the receiving mail system.",
        "There is a problem on the way to the receiving mail system.",
        "The receiving mail system and ours did not understand each other.",
        "There is a problem with the content of the message.",
        "The receiving side refused the message for a security or policy reason.",
    };
    return kSubjects[status.subject < kSubjects.size() ? status.subject : 0];
}

}  // namespace

std::string EnhancedStatus::to_string() const {
    return std::to_string(status_class) + "." + std::to_string(subject) + "." +
           std::to_string(detail);
}

std::optional<FrontStatus> take_enhanced_status(std::string_view text) {
    const std::size_t size = text.size();
    if (!text.starts_with('2') && !text.starts_with('4') && !text.starts_with('5')) {
        return std::nullopt;
    }
    EnhancedStatus status;
    status.status_class = static_cast<std::uint8_t>(text.front() - '0');
    text.remove_prefix(1);
    if (!take_dot(text)) {
        return std::nullopt;
    }
    const auto subject = take_number(text);
    if (!subject || !take_dot(text)) {
        return std::nullopt;
    }
    const auto detail = take_number(text);
    if (!detail ||
        !(text.empty() || is_wsp(text.front()) || text.front() == '\r' || text.front() == '\n')) {
        return std::nullopt;
    }
    status.subject = *subject;
    status.detail = *detail;
    return FrontStatus{status, size - text.size()};
}

std::optional<EnhancedStatus> parse_enhanced_status(std::string_view text) {
    const auto front = take_enhanced_status(text);
    return front && front->size == text.size() ? std::optional(front->status) : std::nullopt;
}

std::string_view explain_status(EnhancedStatus status) {
    if (status.status_class == 2) {
        return "The message was accepted.";
    }
    for (const Explanation& row : kExplanations) {
        if (row.subject == status.subject && row.detail == status.detail) {
            return row.text;
        }
    }
    return explain_subject(status);
}

}  // namespace godwit::mail
