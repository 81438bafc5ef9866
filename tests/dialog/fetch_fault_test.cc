// What FETCH says when the store takes no more changes: no dialog can make it fail for good.
#include <gtest/gtest.h>

#include "stage.h"

namespace godwit::dialog {
namespace {

net::Task<void> converse(Stage* stage, std::vector<std::string> commands, std::string* answers) {
    net::ConnectRequest request;
    request.to = Stage::door("imap");
    request.deadline = net::Shard::here().now() + std::chrono::minutes(1);
    auto stream = co_await stage->network().connect(std::move(request));
    for (const std::string& command : commands) {
        if (command == "fault") {
            // As after a write that failed: changes are refused, reading goes on.
            stage->store().committer().stop();
            continue;
        }
        const std::string line = "a " + command + "\r\n";
        const Result<> written = co_await (*stream)->write_all(line);
        answers->clear();
        while (written && !answers->contains("a OK") && !answers->contains("a NO")) {
            std::string block(4096, '\0');
            const Result<std::size_t> got = co_await (*stream)->read_some(block);
            if (!got || *got == 0) {
                co_return;
            }
            answers->append(block, 0, *got);
        }
    }
}

class FetchFault : public ::testing::Test {
protected:
    FetchFault() {
        stage_.start();
        stage_.fill("alice", "INBOX", 1);
    }
    std::string after_fault(std::string fetch) {
        net::spawn(
            stage_.loop().shard(), "test.imap",
            converse(&stage_, {"LOGIN alice alice", "SELECT INBOX", "fault", std::move(fetch)},
                     &answers_));
        stage_.advance(std::chrono::seconds(1));
        return answers_;
    }
    Stage stage_;
    std::string answers_;
};

// RELIABILITY.md P4: whether \Seen was set nobody knows then, so no flags are told.
TEST_F(FetchFault, a_body_whose_flags_are_not_known_is_not_given) {
    const std::string answer = after_fault("FETCH 1 (FLAGS BODY[])");
    EXPECT_TRUE(answer.starts_with("a NO")) << answer;
}

TEST_F(FetchFault, what_sets_no_flag_is_given) {
    const std::string answer = after_fault("FETCH 1 (FLAGS BODY.PEEK[])");
    EXPECT_TRUE(answer.starts_with("* 1 FETCH (FLAGS (\\Recent) BODY[]")) << answer;
    EXPECT_TRUE(answer.contains("a OK")) << answer;
}

}  // namespace
}  // namespace godwit::dialog
