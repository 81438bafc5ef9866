#include <gtest/gtest.h>

#include "base/limits.h"
#include "store/commit/stamper_testing.h"
#include "store/directory/directory.h"

namespace godwit::store {
namespace {

class ResolveTest : public testing::Test {
protected:
    ResolveTest()
        : alice_(desk_.add_account("alice@example.test")),
          bob_(desk_.add_account("bob@example.test")) {}

    Recipient resolve(std::string_view address) {
        return *resolve_recipient(*desk_.snapshot(), ReadTier::Disk,
                                  *mail::parse_address(address, mail::Domainless::Allow),
                                  "example.test");
    }
    /// "alice@example.test,tag;" for a mailbox, "x@far.test<bob@example.test!o@example.test*;" for
    /// an address elsewhere with its forwarder, its owner, and whether the forwarder has a copy.
    std::string names(std::string_view address) {
        std::string out;
        for (const Target& target : resolve(address).targets) {
            if (const auto* local = std::get_if<LocalTarget>(&target)) {
                out += local->account_name + "," + local->detail + ";";
                continue;
            }
            const auto& remote = std::get<RemoteTarget>(target);
            out += remote.address.to_string();
            out += remote.forwarder ? "<" + remote.forwarder->to_string() : "";
            out += remote.owner ? "!" + remote.owner->to_string() : "";
            out += remote.has_kept_copy ? "*;" : ";";
            EXPECT_TRUE(remote.is_forwarded);
        }
        return out;
    }
    void take(const Result<Plan>& plan) {
        ASSERT_TRUE(plan.has_value()) << plan.error().text;
        ASSERT_TRUE(desk_.commit(*plan).has_value());
    }
    void alias(std::string address, std::vector<std::string> targets, std::string owner = "") {
        take(plan_add_alias(*desk_.snapshot(),
                            {std::move(address), std::move(targets), std::move(owner)}));
    }
    Account account(AccountId id) { return **read_account(*desk_.snapshot(), ReadTier::Disk, id); }
    void forward(AccountId id, std::vector<std::string> targets, bool keeps) {
        Account changed = account(id);
        changed.forward_to = std::move(targets);
        changed.forward_keeps = keeps;
        take(plan_change_account(*desk_.snapshot(), changed));
    }
    void grant(AccountId id, std::vector<std::string> senders) {
        Account changed = account(id);
        changed.send_as = std::move(senders);
        take(plan_change_account(*desk_.snapshot(), changed));
    }
    void domain(const Domain& domain) { take(plan_add_domain(*desk_.snapshot(), domain)); }
    ErrorCode refusal(const Domain& domain) {
        const auto plan = plan_add_domain(*desk_.snapshot(), domain);
        return plan ? ErrorCode::Cancelled : plan.error().code;
    }
    bool owns(AccountId account, std::string_view address) {
        return *may_send_as(*desk_.snapshot(), ReadTier::Disk, account,
                            *mail::parse_address(address));
    }

    StampingDesk desk_;
    AccountId alice_;
    AccountId bob_;
};

TEST_F(ResolveTest, Forwarding_with_and_without_a_copy_kept) {
    forward(alice_, {"a@far.test", "bob@example.test"}, true);
    EXPECT_EQ(names("alice@example.test"),
              "alice@example.test,;a@far.test<alice@example.test*;bob@example.test,;");
    forward(alice_, {"a@far.test"}, false);
    EXPECT_EQ(names("alice+x@example.test"), "a@far.test<alice@example.test;");
    forward(alice_, {}, false);
    EXPECT_EQ(names("alice@example.test"), "alice@example.test,;");
}

TEST_F(ResolveTest, G3_forwarding_in_a_circle_ends_as_a_loop_unless_a_copy_is_kept) {
    forward(alice_, {"bob@example.test"}, false);
    forward(bob_, {"alice@example.test"}, false);
    EXPECT_EQ(resolve("alice@example.test").verdict, RecipientVerdict::Loop);
    forward(bob_, {"alice@example.test"}, true);
    EXPECT_EQ(names("alice@example.test"), "bob@example.test,;");
    Account self = account(alice_);
    self.forward_to = {"ALICE@example.test"};
    EXPECT_EQ(plan_change_account(*desk_.snapshot(), self).error().code, ErrorCode::Invalid);
}

TEST_F(ResolveTest, G3_the_depth_of_aliases_has_its_bound) {
    for (std::size_t i = 0; i < limits::alias_depth_max; ++i) {
        alias("d" + std::to_string(i) + "@example.test",
              {i + 1 == limits::alias_depth_max ? "bob@example.test"
                                                : "d" + std::to_string(i + 1) + "@example.test"});
    }
    EXPECT_EQ(names("d0@example.test"), "bob@example.test,;");
    alias("over@example.test", {"d0@example.test"});
    EXPECT_EQ(resolve("over@example.test").verdict, RecipientVerdict::Loop);
}

TEST_F(ResolveTest, G3_the_width_of_a_group_has_its_bound) {
    const auto members = [](std::size_t count) {
        std::vector<std::string> list;
        for (std::size_t i = 0; i < count; ++i) {
            list.push_back("m" + std::to_string(i) + "@far.test");
        }
        return list;
    };
    // The group's own address is one of those looked at.
    alias("below@example.test", members(limits::alias_expansion_max - 1));
    EXPECT_EQ(resolve("below@example.test").targets.size(), limits::alias_expansion_max - 1);
    alias("at@example.test", members(limits::alias_expansion_max));
    EXPECT_EQ(resolve("at@example.test").verdict, RecipientVerdict::Loop);
    EXPECT_FALSE(plan_add_alias(*desk_.snapshot(),
                                {"over@example.test", members(limits::alias_expansion_max + 1)}));
}

TEST_F(ResolveTest, A_group_has_its_owner_get_the_reports_of_members_elsewhere) {
    alias("list@example.test", {"bob@example.test", "m@far.test", "inner@example.test"},
          "owner@example.test");
    alias("inner@example.test", {"n@far.test"}, "inner-owner@example.test");
    EXPECT_EQ(names("list@example.test"),
              "bob@example.test,;m@far.test!owner@example.test;"
              "n@far.test!inner-owner@example.test;");
    take(plan_change_alias(*desk_.snapshot(), {"list@example.test", {"m@far.test"}, ""}));
    EXPECT_EQ(names("list@example.test"), "m@far.test;");
    EXPECT_EQ(
        plan_change_alias(*desk_.snapshot(), {"no@example.test", {"m@far.test"}, ""}).error().code,
        ErrorCode::NotFound);
}

TEST_F(ResolveTest, An_alias_domain_has_all_addresses_of_the_other) {
    alias("sales@example.test", {"x@far.test"});
    domain({.name = "old.test", .alias_of = "example.test"});
    EXPECT_EQ(names("alice+tag@OLD.test"), "alice@example.test,tag;");
    EXPECT_EQ(names("sales@old.test"), "x@far.test;");
    EXPECT_EQ(names("postmaster@old.test"), "alice@example.test,;");
    EXPECT_EQ(resolve("nobody@old.test").verdict, RecipientVerdict::NoSuchUser);
    EXPECT_TRUE(owns(alice_, "alice@old.test"));
    EXPECT_FALSE(owns(bob_, "alice@old.test"));
    alias("both@example.test", {"alice@example.test", "alice@old.test"});
    EXPECT_EQ(names("both@example.test"), "alice@example.test,;");
}

TEST_F(ResolveTest, Alias_domains_do_not_chain_or_circle) {
    domain({.name = "old.test", .alias_of = "example.test"});
    EXPECT_EQ(refusal({.name = "older.test", .alias_of = "old.test"}), ErrorCode::Denied);
    EXPECT_EQ(refusal({.name = "self.test", .alias_of = "self.test"}), ErrorCode::Invalid);
    EXPECT_EQ(refusal({.name = "lost.test", .alias_of = "far.test"}), ErrorCode::NotFound);
    EXPECT_EQ(refusal({.name = "a.test", .rewrites_senders = true}), ErrorCode::Invalid);
    // Nobody lives in one, and who lives in a domain keeps it from becoming one.
    EXPECT_EQ(
        plan_add_alias(*desk_.snapshot(), {"x@old.test", {"alice@example.test"}}).error().code,
        ErrorCode::Denied);
    domain({.name = "free.test"});
    EXPECT_EQ(
        plan_change_domain(*desk_.snapshot(), {.name = "example.test", .alias_of = "free.test"})
            .error()
            .code,
        ErrorCode::Denied);
    EXPECT_EQ(plan_change_domain(*desk_.snapshot(), {.name = "free.test", .alias_of = "free.test"})
                  .error()
                  .code,
              ErrorCode::Invalid);
    // What has an alias stays until the alias is gone.
    take(plan_change_domain(*desk_.snapshot(), {.name = "old.test", .alias_of = "free.test"}));
    EXPECT_EQ(plan_remove_domain(*desk_.snapshot(), "free.test").error().code, ErrorCode::Denied);
    take(plan_remove_domain(*desk_.snapshot(), "old.test"));
    take(plan_remove_domain(*desk_.snapshot(), "free.test"));
}

TEST_F(ResolveTest, Each_domain_has_its_delimiters) {
    domain({.name = "two.test", .subaddress_delimiter = "+-"});
    domain({.name = "none.test", .subaddress_delimiter = ""});
    desk_.add_account("mary@two.test");
    desk_.add_account("mary-ann@two.test");
    desk_.add_account("mary@none.test");
    EXPECT_EQ(names("mary+x-y@two.test"), "mary@two.test,x-y;");
    EXPECT_EQ(names("mary-x+y@two.test"), "mary@two.test,x+y;");
    EXPECT_EQ(names("mary-ann@two.test"), "mary-ann@two.test,;");
    EXPECT_EQ(names("mary-ann-x@two.test"), "mary-ann@two.test,x;");
    EXPECT_EQ(names("alice-x@example.test"), "");
    EXPECT_EQ(resolve("mary+x@none.test").verdict, RecipientVerdict::NoSuchUser);
    for (const char* wrong : {"a", "+-_=!", ".", "@", " "}) {
        EXPECT_EQ(refusal({.name = "x.test", .subaddress_delimiter = wrong}), ErrorCode::Invalid)
            << wrong;
    }
    EXPECT_EQ(refusal({.name = "x.test", .subaddress_delimiter = "+-_="}), ErrorCode::Cancelled);
}

TEST_F(ResolveTest, The_places_where_a_local_part_is_split_have_their_bound) {
    domain({.name = "cut.test", .subaddress_delimiter = "-"});
    const auto dashed = [](std::size_t dashes) {
        std::string local = "x";
        for (std::size_t i = 0; i < dashes; ++i) {
            local += "-x";
        }
        return local;
    };
    desk_.add_account(dashed(subaddress_cuts_max - 1) + "@cut.test");
    EXPECT_EQ(resolve(dashed(subaddress_cuts_max) + "@cut.test").targets.size(), 1U);
    desk_.add_account(dashed(subaddress_cuts_max + 2) + "@cut.test");
    EXPECT_EQ(names(dashed(subaddress_cuts_max + 3) + "@cut.test"),
              dashed(subaddress_cuts_max - 1) + "@cut.test,x-x-x-x;")
        << "the longest of those that are tried";
}

TEST_F(ResolveTest, G11_roles_have_a_sink_whatever_the_delimiters) {
    domain({.name = "two.test", .subaddress_delimiter = "-"});
    desk_.add_account("mailer@two.test");
    EXPECT_EQ(names("MAILER-DAEMON@two.test"), "alice@example.test,;");
    EXPECT_EQ(names("Mailer-Daemon@example.test"), "alice@example.test,;");
    EXPECT_EQ(names("postmaster@two.test"), "alice@example.test,;");
    domain({.name = "all.test", .catch_all = "bob@example.test"});
    EXPECT_EQ(names("abuse@all.test"), "bob@example.test,;");
}

TEST_F(ResolveTest, K4_an_account_sends_as_what_it_was_granted) {
    grant(alice_, {"bob@example.test", "@shop.test", "x@far.test"});
    EXPECT_TRUE(owns(alice_, "Bob@example.test"));
    EXPECT_TRUE(owns(alice_, "bob+tag@example.test"));
    EXPECT_TRUE(owns(alice_, "anybody@shop.test"));
    EXPECT_TRUE(owns(alice_, "x@far.test"));
    EXPECT_FALSE(owns(alice_, "y@far.test"));
    EXPECT_FALSE(owns(alice_, "a@sub.shop.test"));
    EXPECT_FALSE(owns(bob_, "alice@example.test"));
    domain({.name = "old.test", .alias_of = "example.test"});
    EXPECT_TRUE(owns(alice_, "bob+x@old.test"));
    Account wrong = account(alice_);
    wrong.send_as = {"@"};
    EXPECT_FALSE(plan_change_account(*desk_.snapshot(), wrong));
    wrong.send_as = std::vector<std::string>(send_as_max + 1, "x@far.test");
    EXPECT_EQ(plan_change_account(*desk_.snapshot(), wrong).error().code, ErrorCode::LimitExceeded);
    wrong.send_as.pop_back();
    EXPECT_TRUE(plan_change_account(*desk_.snapshot(), wrong));
    wrong.forward_to = std::vector<std::string>(forward_targets_max + 1, "x@far.test");
    EXPECT_EQ(plan_change_account(*desk_.snapshot(), wrong).error().code, ErrorCode::LimitExceeded);
    wrong.forward_to.pop_back();
    EXPECT_TRUE(plan_change_account(*desk_.snapshot(), wrong));
}

TEST_F(ResolveTest, K4_forwarding_gives_no_right_to_write) {
    forward(bob_, {"alice@example.test"}, false);
    EXPECT_FALSE(owns(alice_, "bob@example.test"));
    EXPECT_TRUE(owns(bob_, "bob@example.test"));
}

// Whose address it is that was named counts, and not who reads its mail in the end.
TEST_F(ResolveTest, Rfc7293_the_owner_is_that_of_the_address_that_was_named) {
    const auto add = [this](std::string name, std::int64_t created_at) {
        Account made;
        made.name = std::move(name);
        made.created_at = created_at;
        take(plan_add_account(*desk_.snapshot(), made));
        return (*find_account(*desk_.snapshot(), ReadTier::Disk, made.name, ""))->id;
    };
    const AccountId old = add("old@example.test", 1000);
    const AccountId young = add("young@example.test", 2000);
    using Since = std::vector<std::int64_t>;
    EXPECT_EQ(resolve("old+tag@example.test").owned_since, Since{1000});
    alias("one@example.test", {"young@example.test"});
    alias("all@example.test", {"one@example.test", "old@example.test", "x@far.test"});
    EXPECT_EQ(resolve("one@example.test").owned_since, Since{2000});
    EXPECT_EQ(resolve("all@example.test").owned_since, (Since{1000, 2000}));
    // Old address, forwarded to somebody young, with and without a copy.
    forward(old, {"young@example.test"}, true);
    EXPECT_EQ(resolve("old@example.test").owned_since, Since{1000});
    forward(old, {"young@example.test"}, false);
    EXPECT_EQ(resolve("old@example.test").owned_since, Since{1000});
    // Young address, all of whose mail goes elsewhere.
    forward(young, {"x@far.test"}, false);
    EXPECT_EQ(resolve("young@example.test").owned_since, Since{2000});
    EXPECT_EQ(names("young@example.test"), "x@far.test<young@example.test;");
    // Nobody's here.
    alias("away@example.test", {"x@far.test"});
    EXPECT_EQ(resolve("away@example.test").owned_since, Since{});
}

TEST_F(ResolveTest, The_archive_is_that_of_the_domain_that_answers) {
    domain({.name = "kept.test", .archive_inbound = "bob@example.test"});
    domain({.name = "alias.test", .alias_of = "kept.test"});
    desk_.add_account("mary@kept.test");
    EXPECT_EQ(resolve("mary@alias.test").archive, "bob@example.test");
    EXPECT_EQ(resolve("alice@example.test").archive, "");
}

}  // namespace
}  // namespace godwit::store
