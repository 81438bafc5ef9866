#include "store/directory/directory.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "store/commit/stamper_testing.h"
#include "store/directory/schema.h"
#include "store/kv/record.h"

namespace godwit::store {
namespace {

class DirectoryTest : public testing::Test {
protected:
    DirectoryTest()
        : alice_(desk_.add_account("alice@example.test")),
          bob_(desk_.add_account("bob@example.test")) {}

    Recipient resolve(std::string_view address) {
        return *resolve_recipient(*desk_.snapshot(), ReadTier::Disk,
                                  *mail::parse_address(address, mail::Domainless::Allow),
                                  "example.test");
    }
    std::string names(std::string_view address) {
        std::string out;
        for (const Target& target : resolve(address).targets) {
            const auto* local = std::get_if<LocalTarget>(&target);
            out += local != nullptr ? local->account_name + "," + local->detail + ";"
                                    : std::get<RemoteTarget>(target).address.to_string() + ";";
        }
        return out;
    }
    void alias(std::string address, std::vector<std::string> targets) {
        const Result<Plan> plan =
            plan_add_alias(*desk_.snapshot(), {std::move(address), std::move(targets)});
        ASSERT_TRUE(plan.has_value()) << plan.error().text;
        ASSERT_TRUE(desk_.commit(*plan).has_value());
    }
    bool owns(AccountId account, std::string_view address) {
        return *may_send_as(*desk_.snapshot(), ReadTier::Disk, account,
                            *mail::parse_address(address));
    }

    StampingDesk desk_;
    AccountId alice_;
    AccountId bob_;
};

TEST_F(DirectoryTest, Account_is_found_by_full_and_bare_login_in_any_case) {
    for (const char* login : {"alice", "ALICE", "Alice@Example.TEST"}) {
        const auto found = *find_account(*desk_.snapshot(), ReadTier::Disk, login, "example.test");
        ASSERT_TRUE(found) << login;
        EXPECT_EQ(found->id, alice_);
    }
    EXPECT_FALSE(*find_account(*desk_.snapshot(), ReadTier::Disk, "al ice", "example.test"));
    EXPECT_FALSE(
        *find_account(*desk_.snapshot(), ReadTier::Disk, "alice@other.test", "example.test"));
}

TEST_F(DirectoryTest, Recipient_with_and_without_subaddress) {
    EXPECT_EQ(names("Alice@example.test"), "alice@example.test,;");
    EXPECT_EQ(names("alice+tag+more@example.test"), "alice@example.test,tag+more;");
    EXPECT_EQ(resolve("+tag@example.test").verdict, RecipientVerdict::NoSuchUser);
    EXPECT_EQ(resolve("carol@example.test").verdict, RecipientVerdict::NoSuchUser);
    EXPECT_EQ(resolve("alice@far.test").verdict, RecipientVerdict::NotLocal);
}

TEST_F(DirectoryTest, Aliases_expand_without_doubles_and_mix_local_and_remote) {
    alias("team@example.test", {"alice@example.test", "more@example.test", "x@far.test"});
    alias("more@example.test", {"bob@example.test", "alice@example.test"});
    EXPECT_EQ(names("team@example.test"), "alice@example.test,;x@far.test;bob@example.test,;");
    EXPECT_EQ(names("more+t@example.test"), "bob@example.test,;alice@example.test,;");
}

TEST_F(DirectoryTest, Circles_end_as_loops_unless_they_reach_somebody) {
    alias("a@example.test", {"b@example.test"});
    alias("b@example.test", {"a@example.test"});
    EXPECT_EQ(resolve("a@example.test").verdict, RecipientVerdict::Loop);
    alias("c@example.test", {"c@example.test", "bob@example.test"});
    EXPECT_EQ(names("c@example.test"), "bob@example.test,;");
    for (int i = 0; i < 15; ++i) {
        alias("deep" + std::to_string(i) + "@example.test",
              {"deep" + std::to_string(i + 1) + "@example.test"});
    }
    EXPECT_EQ(resolve("deep0@example.test").verdict, RecipientVerdict::Loop);
}

TEST_F(DirectoryTest, Postmaster_and_abuse_lead_somewhere_always) {
    EXPECT_EQ(names("postmaster@example.test"), "alice@example.test,;");
    EXPECT_EQ(names("Postmaster"), "alice@example.test,;");
    EXPECT_EQ(names("ABUSE@example.test"), "alice@example.test,;");
    alias("postmaster@example.test", {"bob@example.test"});
    EXPECT_EQ(names("postmaster"), "bob@example.test,;");
}

TEST_F(DirectoryTest, Catch_all_takes_mail_but_gives_no_right_to_write) {
    ASSERT_TRUE(desk_
                    .commit(*plan_add_domain(*desk_.snapshot(),
                                             {.name = "all.test", .catch_all = "bob@example.test"}))
                    .has_value());
    EXPECT_EQ(names("anybody@all.test"), "bob@example.test,;");
    EXPECT_FALSE(owns(bob_, "anybody@all.test"));
}

TEST_F(DirectoryTest, Ownership_follows_names_subaddresses_and_aliases) {
    alias("sales@example.test", {"alice@example.test", "bob@example.test"});
    EXPECT_TRUE(owns(alice_, "ALICE+x@example.test"));
    EXPECT_TRUE(owns(bob_, "sales@example.test"));
    EXPECT_FALSE(owns(bob_, "alice@example.test"));
    EXPECT_FALSE(owns(alice_, "alice@far.test"));
}

TEST_F(DirectoryTest, Disabled_account_is_said_so) {
    Account account = **read_account(*desk_.snapshot(), ReadTier::Disk, bob_);
    account.is_disabled = true;
    ASSERT_TRUE(desk_.commit(*plan_change_account(*desk_.snapshot(), account)).has_value());
    EXPECT_EQ(resolve("bob@example.test").verdict, RecipientVerdict::Disabled);
    EXPECT_TRUE(desk_.outcome().accounts.at(0)->credentials_changed);
    EXPECT_EQ((*read_account(*desk_.snapshot(), ReadTier::Disk, bob_))->auth_epoch, 2U);
}

TEST_F(DirectoryTest, Auth_epoch_rises_with_credentials_only) {
    Account account = **read_account(*desk_.snapshot(), ReadTier::Disk, bob_);
    account.full_name = "Bob";
    ASSERT_TRUE(desk_.commit(*plan_change_account(*desk_.snapshot(), account)).has_value());
    EXPECT_EQ((*read_account(*desk_.snapshot(), ReadTier::Disk, bob_))->auth_epoch, 1U);
    account.credentials.argon2id = "$argon2id$...";
    ASSERT_TRUE(desk_.commit(*plan_change_account(*desk_.snapshot(), account)).has_value());
    EXPECT_EQ((*read_account(*desk_.snapshot(), ReadTier::Disk, bob_))->auth_epoch, 2U);
}

TEST_F(DirectoryTest, Names_are_given_once_and_rivals_are_stale) {
    Account again;
    again.name = "ALICE@example.test";
    EXPECT_EQ(plan_add_account(*desk_.snapshot(), again).error().code, ErrorCode::AlreadyExists);
    EXPECT_EQ(plan_add_alias(*desk_.snapshot(), {"bob@example.test", {"x@y.test"}}).error().code,
              ErrorCode::AlreadyExists);
    EXPECT_EQ(plan_add_alias(*desk_.snapshot(), {"a@far.test", {"x@y.test"}}).error().code,
              ErrorCode::NotFound);
    Account carol;
    carol.name = "carol@example.test";
    const Plan first = *plan_add_account(*desk_.snapshot(), carol);
    const Plan rival = *plan_add_account(*desk_.snapshot(), carol);
    ASSERT_TRUE(desk_.commit(first).has_value());
    const auto late = desk_.commit(rival);
    ASSERT_FALSE(late.has_value());
    EXPECT_EQ(late.error().error.code, ErrorCode::Stale);
}

TEST_F(DirectoryTest, Domain_goes_only_when_empty) {
    EXPECT_EQ(plan_remove_domain(*desk_.snapshot(), "example.test").error().code,
              ErrorCode::Denied);
    for (const char* login : {"alice@example.test", "bob@example.test"}) {
        ASSERT_TRUE(desk_.commit(*plan_remove_account(*desk_.snapshot(), login)).has_value());
    }
    ASSERT_TRUE(desk_.commit(*plan_remove_domain(*desk_.snapshot(), "example.test")).has_value());
    EXPECT_TRUE(list_domains(*desk_.snapshot(), ReadTier::Disk)->empty());
    EXPECT_TRUE(list_accounts(*desk_.snapshot(), ReadTier::Disk)->empty());
}

TEST_F(DirectoryTest, Records_come_back_as_they_were) {
    Account account = **read_account(*desk_.snapshot(), ReadTier::Disk, alice_);
    account.quota = {.bytes = 5, .messages = 6, .mailboxes = 7};
    account.credentials.scram = {"salt", 15000, "stored", "server"};
    account.credentials.scram_sha1 = {"salt1", 30000, "stored1", "server1"};
    account.credentials.app_passwords.push_back({"phone", "$argon2id$x", 9});
    const Account again = *decode_account(encode(account));
    EXPECT_EQ(again.credentials, account.credentials);
    EXPECT_EQ(again.quota, account.quota);
    const Domain domain{.name = "example.test",
                        .account_quota = {.bytes = 1, .messages = 2, .mailboxes = 3},
                        .quota = {.bytes = 4, .messages = 5},
                        .shared_mailboxes = "team@example.test"};
    const Domain same = *decode_domain(encode(domain));
    EXPECT_EQ(same.account_quota, domain.account_quota);
    EXPECT_EQ(same.quota, domain.quota);
    EXPECT_EQ(same.shared_mailboxes, "team@example.test");
    EXPECT_EQ(encode(again), encode(account));
}

// As the version before quotas of messages, mailboxes and domains wrote them.
TEST_F(DirectoryTest, Records_of_version_3_are_read) {
    const auto without_tail = [](const std::string& value, std::size_t tail) {
        const std::string_view payload = open_record(value)->payload;
        return seal(3, payload.substr(0, payload.size() - tail));
    };
    Account account = **read_account(*desk_.snapshot(), ReadTier::Disk, alice_);
    account.quota.bytes = 5;
    const auto alice = decode_account(without_tail(encode(account), 2));
    ASSERT_TRUE(alice);
    EXPECT_EQ(alice->quota, Quota{.bytes = 5});
    const auto domain = decode_domain(without_tail(encode(Domain{.name = "example.test"}), 6));
    ASSERT_TRUE(domain);
    EXPECT_EQ(domain->quota, Quota{});
    EXPECT_EQ(domain->account_quota, Quota{});
}

// As the version before shared mailboxes wrote them.
TEST_F(DirectoryTest, Records_of_version_4_are_read) {
    const Domain domain{.name = "example.test", .quota = {.bytes = 4, .messages = 5}};
    const std::string value = encode(domain);
    const std::string_view payload = open_record(value)->payload;
    const auto before = decode_domain(seal(4, payload.substr(0, payload.size() - 1)));
    ASSERT_TRUE(before);
    EXPECT_EQ(before->quota, domain.quota);
    EXPECT_EQ(before->shared_mailboxes, "");
    const Account account = **read_account(*desk_.snapshot(), ReadTier::Disk, alice_);
    const std::string row = encode(account);
    ASSERT_TRUE(decode_account(seal(4, open_record(row)->payload)));
}

// As the version before domain aliases, forwarding and owners wrote them.
TEST_F(DirectoryTest, Records_of_version_1_are_read) {
    ByteWriter domain;
    domain.bytes("example.test").bytes("all@example.test").bytes("-").svarint(7);
    const Domain old = *decode_domain(seal(1, domain.view()));
    EXPECT_EQ(old.catch_all, "all@example.test");
    EXPECT_EQ(old.subaddress_delimiter, "-");
    EXPECT_TRUE(old.alias_of.empty() && old.archive_inbound.empty() && !old.tags_senders);
    ByteWriter account;
    account.u32(3).bytes("alice@example.test").bytes("Alice").varint(9).svarint(7).u8(0).varint(2);
    account.bytes("hash").bytes("salt").varint(4096).bytes("stored").bytes("server").varint(1);
    account.bytes("phone").bytes("hash").svarint(8);
    const Account alice = *decode_account(seal(1, account.view()));
    EXPECT_EQ(alice.credentials.app_passwords.at(0).name, "phone");
    EXPECT_TRUE(alice.forward_to.empty() && alice.send_as.empty());
    EXPECT_EQ(alice.credentials.scram_sha1, ScramKeys{});
    ByteWriter alias;
    alias.bytes("sales@example.test").varint(1).bytes("alice@example.test");
    EXPECT_EQ(decode_alias(seal(1, alias.view()))->targets.at(0), "alice@example.test");
    EXPECT_EQ(decode_alias(seal(1, alias.view()))->owner, "");
    // What is there no more belongs to no record of version 2.
    EXPECT_FALSE(decode_alias(seal(2, alias.view())));
}

// As the version before SCRAM-SHA-1 wrote them.
TEST_F(DirectoryTest, Records_of_version_2_are_read) {
    ByteWriter account;
    account.u32(3).bytes("alice@example.test").bytes("Alice").varint(9).svarint(7).u8(0).varint(2);
    account.bytes("hash").bytes("salt").varint(4096).bytes("stored").bytes("server").varint(0);
    account.varint(1).bytes("far@example.org").u8(1).varint(1).bytes("@example.net");
    const Account alice = *decode_account(seal(2, account.view()));
    EXPECT_EQ(alice.forward_to.at(0), "far@example.org");
    EXPECT_TRUE(alice.forward_keeps);
    EXPECT_EQ(alice.send_as.at(0), "@example.net");
    EXPECT_EQ(alice.credentials.scram.server_key, "server");
    EXPECT_EQ(alice.credentials.scram_sha1, ScramKeys{});
    // What is there no more belongs to no record of version 3.
    EXPECT_FALSE(decode_account(seal(3, account.view())));
    EXPECT_FALSE(decode_account(seal(4, account.view())));
}

TEST_F(DirectoryTest, Keys_of_the_same_password_end_no_session) {
    Account account = **read_account(*desk_.snapshot(), ReadTier::Disk, bob_);
    account.credentials.scram = {"salt", 15000, "stored", "server"};
    ASSERT_TRUE(desk_.commit(*plan_change_account(*desk_.snapshot(), account)).has_value());
    EXPECT_EQ(*count_without_sha1(*desk_.snapshot(), ReadTier::Disk), 1U);
    const ScramKeys keys{"salt1", 30000, "stored1", "server1"};
    EXPECT_EQ(plan_complete_keys(*desk_.snapshot(), bob_, 1, keys).error().code, ErrorCode::Stale);
    ASSERT_TRUE(desk_.commit(*plan_complete_keys(*desk_.snapshot(), bob_, 2, keys)).has_value());
    const Account now = **read_account(*desk_.snapshot(), ReadTier::Disk, bob_);
    EXPECT_EQ(now.auth_epoch, 2U);
    EXPECT_EQ(now.credentials.scram_sha1, keys);
    EXPECT_EQ(*count_without_sha1(*desk_.snapshot(), ReadTier::Disk), 0U);
}

}  // namespace
}  // namespace godwit::store
