// A session of random bytes against a caller that answers by rule: replies stay well-formed, taken
// mail is canonical, and nothing waits for ever.
#include <cstdint>

#include "base/ascii.h"
#include "wire/smtp/scripted_caller.h"

using namespace godwit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    smtp::ServerOptions options;
    options.service = static_cast<smtp::Service>(data[0] % 3);
    options.tls_available = (data[0] & 4) != 0;
    options.tls_active = (data[0] & 8) != 0;
    options.auth_available = (data[0] & 16) != 0;
    options.allow_plaintext_auth = (data[0] & 32) != 0;
    options.bare_newlines =
        (data[0] & 64) != 0 ? smtp::BareNewlines::Reject : smtp::BareNewlines::Repair;
    options.message_size_max = (data[0] & 128) != 0 ? 64 : 65536;
    options.nonce_seed = "seed";
    options.answers_questions = (data[1] & 1) != 0;
    options.answers_questions_of_users = (data[1] & 2) != 0;
    options.takes_stand_ins = (data[1] & 4) != 0;
    options.takes_forwarded = (data[1] & 8) != 0;
    options.takes_requests = (data[1] & 16) != 0;
    options.takes_requests_of_users = (data[1] & 32) != 0;
    const std::size_t piece = 1 + data[1];
    std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
    smtp::ScriptedCaller caller(options);
    caller.engine.greet();
    std::string output;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
        caller.feed(bytes.substr(0, piece));
        output += caller.take_output();
        check(caller.closed || caller.engine.wants_input(), "the engine takes input or is closed");
    }
    caller.engine.on_disconnect();
    caller.drain();
    check(caller.closed && caller.engine.transaction() == nullptr, "nothing is left open");
    output += caller.take_output();
    for (const std::string_view line : split(output, '\n')) {
        check(line.empty() || (line.size() >= 5 && is_digit(line[0]) && is_digit(line[2]) &&
                               line.back() == '\r'),
              "every line is a reply line");
    }
    for (const smtp::TakenMail& mail : caller.mails) {
        check(mail.body.find('\0') == std::string::npos, "no NUL is taken");
    }
    return 0;
}
