// FETCH of decoded parts that are together more than a step: what no dialog wants to spell out.
#include <gtest/gtest.h>

#include "stage.h"

namespace godwit::dialog {
namespace {

constexpr std::size_t kPartSize = 40'000;  // Two of them are more than stream_write_buffer_max.

net::Task<void> converse(std::vector<std::string> commands, Stage* stage, std::string* answer) {
    net::ConnectRequest request;
    request.to = Stage::door("imap");
    request.deadline = net::Shard::here().now() + std::chrono::minutes(1);
    auto stream = co_await stage->network().connect(std::move(request));
    for (const std::string& command : commands) {
        const std::string line = "a " + command + "\r\n";
        const Result<> written = co_await (*stream)->write_all(line);
        answer->clear();
        while (written && !answer->contains("a OK") && !answer->contains("a NO")) {
            std::string block(4096, '\0');
            const Result<std::size_t> got = co_await (*stream)->read_some(block);
            if (!got || *got == 0) {
                co_return;
            }
            answer->append(block, 0, *got);
        }
    }
}

std::string literal(std::string_view name, const std::string& octets) {
    return std::string(name) + " {" + std::to_string(octets.size()) + "}\r\n" + octets;
}

class FetchPieces : public ::testing::Test {
protected:
    FetchPieces() { stage_.start(); }
    /// Of a message with `body` in INBOX; nothing when the connection ends.
    std::string fetch(std::string items) {
        const std::string message = "Subject: large\r\n\r\n" + body_;
        net::spawn(stage_.loop().shard(), "test.imap",
                   converse({"LOGIN alice alice",
                             "APPEND INBOX {" + std::to_string(message.size()) + "+}\r\n" + message,
                             "EXAMINE INBOX", "FETCH 1 (" + items + ")"},
                            &stage_, &answer_));
        stage_.advance(std::chrono::seconds(1));
        return answer_.substr(0, answer_.find("a OK"));
    }
    Stage stage_;
    const std::string body_ = std::string(kPartSize, 'x');
    std::string answer_;
};

TEST_F(FetchPieces, decoded_parts_that_are_not_kept_are_given_all_the_same) {
    EXPECT_EQ(fetch("BINARY.PEEK[1] BINARY.PEEK[1]<1.39000> BINARY.PEEK[1]<2.5>"),
              "* 1 FETCH (" + literal("BINARY[1]", body_) +
                  literal(" BINARY[1]<1>", std::string(39'000, 'x')) +
                  literal(" BINARY[1]<2>", "xxxxx") + ")\r\n");
}

// RFC 3516 4.2, RFC 3501 6.4.5: what begins behind the end is empty.
TEST_F(FetchPieces, nothing_is_behind_the_end_of_a_decoded_part_that_is_not_kept) {
    EXPECT_EQ(fetch("BINARY.PEEK[1] BINARY.PEEK[1]<1.39000> BINARY.PEEK[1]<50000.5>"),
              "* 1 FETCH (" + literal("BINARY[1]", body_) +
                  literal(" BINARY[1]<1>", std::string(39'000, 'x')) +
                  literal(" BINARY[1]<50000>", "") + ")\r\n");
}

}  // namespace
}  // namespace godwit::dialog
