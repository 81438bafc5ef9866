// IMAP URLs: any octets are an error or a message, and what is read is within its bounds.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/ascii.h"
#include "base/limits.h"
#include "base/result.h"
#include "wire/imap/url.h"
#include "wire/imap/writer.h"

using namespace godwit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const Result<imap::MessageUrl> url = imap::parse_message_url(input);
    if (url) {
        check(url->uid != 0 && input.size() <= imap::url_size_max, "a message within bounds");
        check(url->mailbox.size() <= limits::mailbox_name_size_max && is_utf8(url->mailbox),
              "a name that a mailbox can have");
        check(!url->partial || url->partial->count != 0, "a part of something");
    }
    const Result<imap::ServerUrl> of_server = imap::parse_server_url(input);
    if (of_server) {
        check(of_server->message.uid != 0 && !of_server->host.empty() &&
                  of_server->rump_size <= input.size(),
              "a message of a server, and what was signed is of the URL");
        check(!of_server->verifier ||
                  (of_server->verifier->token.size() >= 16 && input[of_server->rump_size] == ':'),
              "a token behind what it is of");
        check(!of_server->message.mailbox.empty() || !of_server->access, "a mailbox by its name");
    }
    const std::string code = imap::code::bad_url(input);
    check(code.find_first_of("]\r\n", 0) == std::string::npos, "a code that ends where it should");
    return 0;
}
