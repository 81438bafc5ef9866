// The POP3 engine against any client: splitting changes nothing, no answer is ever out of order.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/pop3/server.h"

using namespace godwit;
using namespace godwit::pop3;

namespace {

constexpr std::string_view kMessage = "A: b\r\n\r\n.one\n.two\r\n\r\n.";

void answer(Server& server, const ServerEvent& event, std::string& log) {
    const Maildrop drop = {{.size = 20, .unique_id = "a", .requires_utf8 = false},
                           {.size = 20, .unique_id = "b", .requires_utf8 = true}};
    if (const auto* login = std::get_if<PasswordLogin>(&event)) {
        log += "L" + login->user;
        login->password.size() % 2 == 0 ? server.granted(drop)
                                        : server.denied(LoginFailure::Credentials);
    } else if (const auto* start = std::get_if<AuthStart>(&event)) {
        start->initial ? server.granted(drop) : server.challenge("x");
    } else if (const auto* response = std::get_if<AuthResponse>(&event)) {
        response->bytes ? server.challenge(*response->bytes)
                        : server.denied(LoginFailure::Temporary);
    } else if (std::holds_alternative<StartTls>(event)) {
        server.tls_started({.greeting = "x",
                            .stls_offered = false,
                            .passwords_allowed = true,
                            .sasl_mechanisms = "PLAIN"});
    } else if (const auto* retrieve = std::get_if<Retrieve>(&event)) {
        server.begin_message(kMessage.size(), 8);
        for (const char c : kMessage) {
            if (!server.add_message({&c, 1})) {
                break;
            }
        }
        server.end_message();
        log += "R" + std::to_string(retrieve->index);
    } else if (const auto* commit = std::get_if<Commit>(&event)) {
        log += "D" + std::to_string(commit->deleted.size());
        server.committed(true);
    }
}

std::string run(std::string_view input, std::size_t piece) {
    // STLS looks at what is unread, so its answer depends on splitting by design (T11): not offered
    // here.
    Server server({.greeting = "x",
                   .stls_offered = false,
                   .passwords_allowed = true,
                   .sasl_mechanisms = "PLAIN LOGIN"});
    std::string log;
    for (std::size_t at = 0; at < input.size(); at += piece) {
        server.feed(input.substr(at, piece));
        for (;;) {
            const ServerEvent event = server.next();
            log += server.take_output();
            if (std::holds_alternative<NeedMore>(event)) {
                break;
            }
            if (std::holds_alternative<Close>(event)) {
                return log;
            }
            answer(server, event, log);
        }
    }
    return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    check(run(input, size + 1) == run(input, 1), "splitting changes nothing");
    return 0;
}
