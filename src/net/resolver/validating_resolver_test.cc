// F10: what is done about DNS servers that pass DNSSEC on, and those that do not.
#include "net/resolver/validating_resolver.h"

#include <gtest/gtest.h>

#include "net/io/test_loop.h"
#include "net/resolver/scripted_resolver.h"

namespace godwit::net {
namespace {

struct Asked {
    TestLoop loop;
    ScriptedResolver* validating = nullptr;
    ScriptedResolver* plain = nullptr;
    std::unique_ptr<ValidatingResolver> dns;

    Asked(std::string_view with_dnssec, std::string_view without) {
        auto first = std::make_unique<ScriptedResolver>();
        auto second = std::make_unique<ScriptedResolver>();
        validating = first.get();
        plain = second.get();
        EXPECT_TRUE(first->add_lines(with_dnssec));
        EXPECT_TRUE(second->add_lines(without));
        dns = std::make_unique<ValidatingResolver>(std::move(first), std::move(second));
    }
    Result<RecordSet> a(const std::string& name) {
        return *run(loop, dns->lookup(name, RecordType::A));
    }
};

constexpr std::string_view kSigned = R"(
arpa NS a.root-servers.test
arpa secure
good.test A 192.0.2.1
good.test secure
forged.test A bogus
)";
constexpr std::string_view kPlain = R"(
arpa NS a.root-servers.test
good.test A 192.0.2.1
forged.test A 192.0.2.66
)";
constexpr std::string_view kStripped = R"(
arpa NS bogus
good.test A bogus
)";

TEST(ValidatingResolver, F10_what_fails_to_validate_is_an_error_where_validation_works) {
    Asked asked(kSigned, kPlain);
    EXPECT_EQ(asked.dns->state(), DnssecState::Undecided);
    auto good = asked.a("good.test");
    ASSERT_TRUE(good);
    EXPECT_TRUE(good->is_secure);
    EXPECT_EQ(asked.dns->state(), DnssecState::Validating);
    EXPECT_EQ(asked.a("forged.test").error().code, ErrorCode::Corrupt);
    EXPECT_EQ(asked.plain->lookups(), 0U);
}

TEST(ValidatingResolver, F10_a_server_that_strips_dnssec_still_gives_answers_but_no_secure_ones) {
    Asked asked(kStripped, kPlain);
    auto good = asked.a("good.test");
    ASSERT_TRUE(good);
    EXPECT_FALSE(good->is_secure);
    EXPECT_EQ(asked.dns->state(), DnssecState::Unvalidated);
    const auto asked_before = asked.validating->lookups();
    EXPECT_TRUE(asked.a("good.test"));
    EXPECT_EQ(asked.validating->lookups(), asked_before);
}

TEST(ValidatingResolver, F10_unsigned_answers_of_the_probe_are_stripped_ones) {
    Asked asked(kPlain, kPlain);
    EXPECT_FALSE(asked.a("good.test")->is_secure);
    EXPECT_EQ(asked.dns->state(), DnssecState::Unvalidated);
}

TEST(ValidatingResolver, F10_it_looks_again_and_then_stays) {
    Asked asked(kStripped, kPlain);
    EXPECT_TRUE(asked.a("good.test"));
    asked.validating->clear();
    EXPECT_TRUE(asked.validating->add_lines(kSigned));
    asked.loop.advance(dnssec_recheck_interval - std::chrono::seconds(1));
    EXPECT_FALSE(asked.a("good.test")->is_secure);
    asked.loop.advance(std::chrono::seconds(1));
    EXPECT_TRUE(asked.a("good.test")->is_secure);
    EXPECT_EQ(asked.dns->state(), DnssecState::Validating);
    // Who strips it later is not believed.
    asked.validating->clear();
    EXPECT_TRUE(asked.validating->add_lines(kStripped));
    asked.loop.advance(2 * dnssec_recheck_interval);
    EXPECT_EQ(asked.a("good.test").error().code, ErrorCode::Corrupt);
}

TEST(ValidatingResolver, F10_a_server_without_the_root_answers_for_what_it_has) {
    Asked asked("arpa NS servfail\nhere.test A servfail\n",
                "arpa NS servfail\nhere.test A 192.0.2.5\n");
    auto here = asked.a("here.test");
    ASSERT_TRUE(here);
    EXPECT_FALSE(here->is_secure);
    EXPECT_EQ(asked.dns->state(), DnssecState::Undecided);
}

TEST(ValidatingResolver, F10_silence_decides_nothing) {
    Asked asked("arpa NS servfail\nhere.test A servfail\n",
                "arpa NS servfail\nhere.test A servfail\n");
    EXPECT_EQ(asked.a("here.test").error().code, ErrorCode::Unavailable);
    EXPECT_EQ(asked.dns->state(), DnssecState::Undecided);
    asked.validating->clear();
    EXPECT_TRUE(asked.validating->add_lines(kSigned));
    EXPECT_TRUE(asked.a("good.test")->is_secure);
    EXPECT_EQ(asked.dns->state(), DnssecState::Validating);
}

}  // namespace
}  // namespace godwit::net
