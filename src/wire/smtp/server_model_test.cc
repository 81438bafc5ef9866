// T5, D14: random command sequences against a reference machine that knows four facts only.
#include <gtest/gtest.h>

#include "base/ascii.h"
#include "base/random.h"
#include "wire/smtp/scripted_caller.h"

namespace godwit::smtp {
namespace {

/// The rules of RFC 5321 4.1.4 and RFC 3030 2 in the plainest words. Gives the code that is due.
struct Model {
    bool greeted = false;
    bool extended = false;
    bool mail = false;
    std::size_t recipients = 0;
    bool chunking = false;
    bool chunk_fault = false;

    void clear() { mail = false, recipients = 0, chunking = false, chunk_fault = false; }
    int expect(std::string_view command) {
        if (command.starts_with("EHLO") || command.starts_with("HELO")) {
            clear();
            greeted = true;
            extended = command.starts_with("EHLO");
            return 250;
        }
        if (command.starts_with("MAIL")) {
            if (!greeted || mail) {
                return 503;
            }
            if (command.find("nobody") != std::string_view::npos) {
                return 550;
            }
            mail = true;
            return 250;
        }
        if (command.starts_with("RCPT")) {
            if (!mail || chunking) {
                return 503;
            }
            if (command.find("nobody") != std::string_view::npos) {
                return 550;
            }
            if (command.find("bad syntax") != std::string_view::npos) {
                return 501;
            }
            ++recipients;
            return 250;
        }
        if (command.starts_with("DATA")) {
            if (!mail || chunking) {
                return 503;
            }
            return recipients == 0 ? 554 : 354;
        }
        if (command.starts_with("BDAT")) {
            return expect_chunk(command);
        }
        if (command.starts_with("RSET")) {
            clear();
            return 250;
        }
        return command.starts_with("VRFY") ? 252 : command.starts_with("NOOP") ? 250 : 500;
    }
    int expect_chunk(std::string_view command) {
        if (!mail) {
            return 503;
        }
        if (!extended || recipients == 0) {
            const int code = extended ? 554 : 503;
            clear();
            return code;
        }
        chunking = true;
        if (command.find('\0') != std::string_view::npos) {
            clear();
            return 550;
        }
        if (command.find("LAST") != std::string_view::npos) {
            clear();
        }
        return 250;
    }
};

int code_of(std::string_view reply) {
    // The code of the last line.
    reply.remove_suffix(2);
    const std::size_t start =
        reply.rfind('\n') == std::string_view::npos ? 0 : reply.rfind('\n') + 1;
    return static_cast<int>(parse_u32(reply.substr(start, 3)).value_or(0));
}

TEST(ServerModel, T5_random_sequences_never_diverge) {
    using namespace std::string_view_literals;
    static constexpr std::string_view kCommands[] = {
        "EHLO c\r\n"sv,
        "HELO c\r\n"sv,
        "MAIL FROM:<a@example.net>\r\n"sv,
        "MAIL FROM:<a@example.net>\r\n"sv,
        "MAIL FROM:<nobody@example.net>\r\n"sv,
        "RCPT TO:<b@example.org>\r\n"sv,
        "RCPT TO:<b@example.org>\r\n"sv,
        "RCPT TO:<nobody@example.org>\r\n"sv,
        "RCPT TO:bad syntax\r\n"sv,
        "DATA\r\n"sv,
        "BDAT 2\r\nxx"sv,
        "BDAT 2 LAST\r\nxx"sv,
        "BDAT 2\r\nx\0"sv,
        "RSET\r\n"sv,
        "NOOP\r\n"sv,
        "VRFY x\r\n"sv,
        "WHAT\r\n"sv,
    };
    static constexpr std::pair<std::string_view, int> kBodies[] = {{".\r\n"sv, 250},
                                                                   {"text\r\n.\r\n"sv, 250},
                                                                   {"a\rb\r\n.\r\n"sv, 550},
                                                                   {"\n.\n\r\n.\r\n"sv, 550}};
    SeededRandom random(5);
    std::size_t steps = 0;
    for (int round = 0; round < 60000; ++round) {
        ServerOptions options;
        options.nonce_seed = "seed";
        ScriptedCaller caller(options);
        caller.engine.greet();
        caller.drain();
        (void)caller.take_output();
        Model model;
        std::string history;
        for (int i = 0; i < 25; ++i, ++steps) {
            const std::string_view command = kCommands[random.below(std::size(kCommands))];
            history += command;
            const std::size_t mails = caller.mails.size();
            caller.feed(command);
            const std::string reply = caller.take_output();
            const int wanted = model.expect(command);
            if (code_of(reply) == 421) {
                break;  // Too many errors or junk: tested elsewhere.
            }
            ASSERT_EQ(code_of(reply), wanted) << history;
            if (wanted == 354) {
                const auto& [body, code] = kBodies[random.below(std::size(kBodies))];
                caller.feed(body);
                history += body;
                const int got = code_of(caller.take_output());
                if (got == 421) {
                    break;
                }
                ASSERT_EQ(got, code) << history;
                model.clear();
            }
            // A mail is taken exactly where the model says that one ends well, with its recipients.
            const bool is_open = caller.engine.transaction() != nullptr;
            ASSERT_EQ(is_open, model.mail) << history;
            if (is_open) {
                ASSERT_EQ(caller.engine.transaction()->recipients.size(), model.recipients)
                    << history;
            }
            ASSERT_LE(caller.mails.size(), mails + 1);
        }
    }
    EXPECT_GT(steps, 1'000'000U);
}

}  // namespace
}  // namespace godwit::smtp
