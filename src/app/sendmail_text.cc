// Puts a local program's message in order.
#include "app/sendmail_text.h"

#include <array>
#include <optional>
#include <vector>

#include "base/ascii.h"
#include "mail/address/address_list.h"
#include "mail/message/builder.h"
#include "mail/message/header.h"
#include "mail/text/encoded_word.h"

namespace godwit::app {
namespace {

constexpr auto kAddressFields =
    std::to_array<std::string_view>({"From", "Sender", "Reply-To", "To", "Cc"});

bool has_addresses(std::string_view name) {
    if (starts_with_ignore_case(name, "Resent-")) {
        name.remove_prefix(7);
    }
    for (const std::string_view known : kAddressFields) {
        if (equals_ignore_case(name, known)) {
            return true;
        }
    }
    return false;
}

/// The field anew, with all its addresses complete; nothing when it is better left alone.
std::optional<std::string> completed_field(std::string_view name, std::string_view body,
                                           const std::string& domain) {
    const mail::AddressList list = mail::parse_address_list(body);
    std::vector<mail::NamedAddress> addresses;
    bool is_incomplete = false;
    for (const mail::ListedAddress& item : list.items) {
        if (item.kind != mail::ListedAddress::Kind::Mailbox) {
            return std::nullopt;
        }
        is_incomplete = is_incomplete || item.host.empty();
        // A phrase with blanks in it is nobody's name here ("undisclosed recipients").
        auto address = item.host.empty() ? complete_address(item.mailbox, domain) : item.address();
        if (!address) {
            return std::nullopt;
        }
        addresses.push_back(
            {.name = mail::decode_header_text(item.name), .address = *std::move(address)});
    }
    if (!is_incomplete || list.truncated) {
        return std::nullopt;
    }
    mail::HeaderWriter header;
    if (!header.addresses(name, addresses)) {
        return std::nullopt;
    }
    return std::move(header).take();
}

}  // namespace

Result<mail::Address> complete_address(std::string_view text, const std::string& domain) {
    mail::Address address = TRY(mail::parse_address(text, mail::Domainless::Allow));
    return address.domain.empty() ? mail::make_address(address.local, domain)
                                  : Result<mail::Address>(address);
}

void drop_mbox_line(std::string& text) {
    if (text.starts_with("From ")) {
        const std::size_t end = text.find('\n');
        text.erase(0, end == std::string::npos ? text.size() : end + 1);
    }
}

void complete_header_addresses(std::string& message, const std::string& domain) {
    const mail::HeaderIndex index = mail::split_header(message);
    if (index.truncated) {
        return;
    }
    std::string header;
    std::size_t kept = 0;
    for (const mail::HeaderField& field : index.fields) {
        const std::string_view name = field.name(message);
        if (!has_addresses(name)) {
            continue;
        }
        if (const auto anew = completed_field(name, field.body(message), domain)) {
            header.append(message, kept, field.begin - kept).append(*anew);
            kept = field.end;
        }
    }
    message.replace(0, kept, header);
}

Result<> add_author(std::string& message, const mail::Address& author,
                    const std::string& full_name) {
    if (mail::split_header(message).find(message, "From") != nullptr) {
        return {};
    }
    mail::HeaderWriter header;
    TRY(header.addresses("From", {{.name = full_name, .address = author}}));
    std::string front = std::move(header).take();
    // Text that begins with no field is a body: it needs the line between.
    if (mail::split_header(message).fields.empty() && !message.starts_with("\r\n")) {
        front.append("\r\n");
    }
    message.insert(0, front);
    return {};
}

}  // namespace godwit::app
