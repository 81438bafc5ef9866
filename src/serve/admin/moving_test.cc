// Administrators' calls that take messages in and give them out, against a store in memory.
#include <gtest/gtest.h>

#include <memory>

#include "base/encoding.h"
#include "serve/admin/api.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

class Moving : public ::testing::Test {
protected:
    Moving() {
        store::StoreOptions options;
        options.drive = store::CommitDrive::Manual;
        options.on_fatal = [](const Error& error) { FAIL() << error.text; };
        store_ = *store::Store::open(std::move(options), &system_clock(), &random_);
        host_.store = store_.get();
        host_.clock = &system_clock();
        host_.random = &random_;
        host_.argon2 = [] { return Argon2Cost{.memory_kib = 8, .passes = 1}; };
        host_.default_domain = "example.test";
        host_.commit = [this](store::Plan plan) {
            std::optional<store::CommitResult> result;
            store_->committer().submit(
                std::make_unique<store::Plan>(std::move(plan)),
                [&result](store::CommitResult done) { result.emplace(std::move(done)); });
            while (!result) {
                store_->committer().run_once();
            }
            return *std::move(result);
        };
        must("domain.add", R"({"domain":"example.test"})");
        must("account.add", R"({"address":"alice","password":"secret"})");
    }

    std::string ask(const std::string& call, const std::string& arguments,
                    const std::string& octets = "") {
        std::string line =
            answer_admin(host_, visit_,
                         R"({"call":")" + call + R"(","octets":)" + std::to_string(octets.size()) +
                             R"(,"arguments":)" + arguments + "}");
        if (visit_.intake) {
            for (const char c : octets) {
                if (const auto taken = visit_.intake->take(std::string_view(&c, 1)); !taken) {
                    return admin_error(taken.error());
                }
            }
            line = finish_admin(visit_);
        }
        return line;
    }
    JsonValue must(const std::string& call, const std::string& arguments,
                   const std::string& octets = "") {
        const std::string line = ask(call, arguments, octets);
        const auto answer = parse_json(line);
        EXPECT_TRUE(answer && answer->bool_or("ok", false)) << line;
        const JsonValue* found = answer ? answer->find("result") : nullptr;
        return found != nullptr ? *found : JsonValue{};
    }
    static std::string fact(std::size_t size, char origin, const std::string& more = "") {
        return R"({"size":)" + std::to_string(size) + R"(,"date":1700000000,"origin":")" +
               hex_encode(std::string(16, origin)) + "\"" + more + "}";
    }
    static std::string group(const std::string& facts, std::int64_t mailbox = 1) {
        return R"({"account":"alice","mailbox":)" + std::to_string(mailbox) + R"(,"messages":[)" +
               facts + "]}";
    }
    std::vector<JsonValue> rows(const std::string& call, const std::string& arguments) {
        return *must(call, arguments).find("rows")->array();
    }
    std::string body(const std::string& uid) {
        const std::string line =
            ask("export.body", R"({"account":"alice","mailbox":1,"uid":)" + uid + "}");
        std::string octets;
        while (visit_.outflow) {
            const auto piece = visit_.outflow->next();
            if (!piece || piece->empty()) {
                break;
            }
            octets.append(*piece);
        }
        EXPECT_NE(line.find(R"("octets":)" + std::to_string(octets.size())), std::string::npos)
            << line;
        return octets;
    }

    SeededRandom random_{7};
    std::unique_ptr<store::Store> store_;
    AdminHost host_;
    AdminVisit visit_;
};

TEST_F(Moving, Group_of_messages_comes_in_whole_and_goes_out_the_same) {
    const std::string one = "Subject: one\r\n\r\nx\r\n";
    const std::string two = "Subject: two\r\n\r\ny\nz";
    const JsonValue done =
        must("import.messages",
             group(fact(one.size(), 'a', R"(,"flags":["\\Seen","Junk"],"uid":7)") + "," +
                   fact(0, 'b') + "," + fact(two.size(), 'c')),
             one + two);
    EXPECT_EQ(done.int_or("taken", -1), 2);
    const auto& refused = *done.find("refused")->array();
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_EQ(refused[0].int_or("index", -1), 1);
    EXPECT_EQ(body("7"), one);
    EXPECT_EQ(body("8"), two);
    const auto listed = rows("export.messages", R"({"account":"alice","mailbox":1})");
    ASSERT_EQ(listed.size(), 2U);
    EXPECT_EQ(listed[0].int_or("date", 0), 1700000000);
    EXPECT_EQ(listed[0].find("flags")->array()->size(), 2U);
    EXPECT_EQ(rows("export.messages", R"({"account":"alice","mailbox":1,"after":7})").size(), 1U);
}

TEST_F(Moving, What_came_before_is_known_and_not_taken_again) {
    must("import.messages", group(fact(3, 'a')), "abc");
    const JsonValue known = must("import.known", R"({"account":"alice","origins":[")" +
                                                     hex_encode(std::string(16, 'b')) + "\",\"" +
                                                     hex_encode(std::string(16, 'a')) + "\"]}");
    EXPECT_EQ(std::get<bool>((*known.find("known")->array())[0].value), false);
    EXPECT_EQ(std::get<bool>((*known.find("known")->array())[1].value), true);
    const JsonValue again =
        must("import.messages", group(fact(3, 'a') + "," + fact(2, 'd')), "abcde");
    EXPECT_EQ(again.int_or("known", -1), 1);
    EXPECT_EQ(again.int_or("taken", -1), 1);
}

TEST_F(Moving, One_that_does_not_fit_keeps_none_of_the_others_out) {
    must("import.messages", group(fact(1, 'a', R"(,"uid":9)")), "x");
    const JsonValue done =
        must("import.messages",
             group(fact(1, 'b', R"(,"uid":10)") + "," + fact(1, 'c', R"(,"uid":9)") + "," +
                   fact(1, 'd') + "," + fact(1, 'e', R"(,"flags":["a b"])")),
             "yzuv");
    EXPECT_EQ(done.int_or("taken", -1), 2);
    const auto& refused = *done.find("refused")->array();
    ASSERT_EQ(refused.size(), 2U);
    EXPECT_EQ(refused[0].int_or("index", -1), 2 - 1);
    EXPECT_EQ(refused[0].string_or("code", ""), "denied");
    EXPECT_EQ(refused[1].string_or("code", ""), "invalid");
    EXPECT_EQ(body("10"), "y");
    EXPECT_EQ(body("11"), "u");
}

TEST_F(Moving, Quota_refuses_message_by_message) {
    must("account.change", R"({"address":"alice","quota_messages":"1"})");
    const JsonValue done = must("import.messages", group(fact(1, 'b') + "," + fact(1, 'c')), "yz");
    EXPECT_EQ(done.int_or("taken", -1), 1);
    EXPECT_EQ((*done.find("refused")->array())[0].string_or("code", ""), "over_quota");
}

TEST_F(Moving, Octets_must_be_those_of_the_messages) {
    EXPECT_NE(ask("import.messages", group(fact(3, 'a')), "ab").find("invalid"), std::string::npos);
    EXPECT_FALSE(visit_.intake);
    std::string facts;
    for (int i = 0; i < 257; ++i) {
        facts.append(i == 0 ? "" : ",").append(fact(0, 'a'));
        const std::string answer = i >= 255 ? ask("import.messages", group(facts)) : "";
        if (i == 255) {
            EXPECT_NE(answer.find(R"("ok":true)"), std::string::npos) << answer;
        }
        if (i == 256) {
            EXPECT_NE(answer.find("invalid"), std::string::npos);
        }
    }
}

TEST_F(Moving, Folder_takes_the_role_of_one_that_was_never_used) {
    const JsonValue sent =
        must("import.folder",
             R"({"account":"alice","name":"Sent Messages","role":"\\Sent","subscribed":true})");
    EXPECT_EQ(sent.string_or("role", ""), "\\Sent");
    for (const JsonValue& folder : rows("export.folders", R"({"account":"alice"})")) {
        EXPECT_NE(folder.string_or("name", ""), "Sent");
        if (folder.string_or("name", "") == "Sent Messages") {
            EXPECT_TRUE(folder.bool_or("subscribed", false));
        }
    }
    must("import.messages", group(fact(1, 'a'), sent.int_or("mailbox", 0)), "x");
    // Now it is in use: another one comes without the role.
    const JsonValue other =
        must("import.folder", R"({"account":"alice","name":"a/b/c","role":"\\Sent"})");
    EXPECT_EQ(other.string_or("role", "none"), "");
    EXPECT_EQ(other.string_or("name", ""), "a/b/c");
    const JsonValue again =
        must("import.folder", R"({"account":"alice","name":"a/b/c","role":"\\Sent"})");
    EXPECT_EQ(again.int_or("mailbox", 0), other.int_or("mailbox", 1));
}

TEST_F(Moving, Numbers_are_taken_over_by_a_folder_without_messages) {
    must("import.numbers", R"({"account":"alice","mailbox":1,"uid_validity":77,"uid_next":50})");
    must("import.messages", group(fact(1, 'a')), "x");
    EXPECT_EQ(body("50"), "x");
    EXPECT_NE(ask("import.numbers", R"({"account":"alice","mailbox":1,"uid_validity":78})")
                  .find("denied"),
              std::string::npos);
}

TEST_F(Moving, Body_that_is_not_there_is_refused) {
    EXPECT_NE(ask("export.body", R"({"account":"alice","mailbox":1,"uid":1})").find("not_found"),
              std::string::npos);
    EXPECT_FALSE(visit_.outflow);
    EXPECT_NE(ask("export.messages", R"({"account":"bob","mailbox":1})").find("not_found"),
              std::string::npos);
}

}  // namespace
}  // namespace godwit::serve
