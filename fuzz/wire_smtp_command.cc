// Any line gives a command or a refusal; what was read can be written and read again.
#include <cstdint>

#include "base/result.h"
#include "wire/smtp/command.h"

using namespace godwit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view line(reinterpret_cast<const char*>(data) + 1, size - 1);
    smtp::ExtensionSet offered = smtp::announced_extensions({.service = smtp::Service::Submission,
                                                             .tls_available = true,
                                                             .tls_active = true,
                                                             .auth_available = true,
                                                             .holds_mail = true});
    if ((data[0] & 1) != 0) {
        offered = {};
    }
    const smtp::CommandRules rules{
        .offered = offered, .smtputf8 = (data[0] & 2) != 0, .local_name = "mx.example"};
    const auto command = smtp::parse_command(line, rules);
    if (!command) {
        check(command.error().is_permanent() && command.error().enhanced.has_value(),
              "a refusal is 5xx");
        std::string out;
        smtp::write_reply(command.error(), out);
        return 0;
    }
    if (const auto* mail = std::get_if<smtp::MailCommand>(&*command);
        mail != nullptr && mail->sender) {
        const std::string again = "MAIL FROM:" + smtp::write_path(mail->sender) + " SMTPUTF8";
        const auto second = smtp::parse_command(
            again, {.offered = smtp::announced_extensions({}), .local_name = "x"});
        check(second && std::get<smtp::MailCommand>(*second).sender == mail->sender,
              "a path reads back");
    }
    const auto decoded = smtp::xtext_decode(line);
    check(!decoded || smtp::xtext_decode(smtp::xtext_encode(*decoded)) == decoded,
          "xtext reads back");
    return 0;
}
