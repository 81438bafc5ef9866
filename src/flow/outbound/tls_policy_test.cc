// C15, C16, F3, J11: what TLS a host must offer, by DANE (RFC 7672), REQUIRETLS and the
// administrator.
#include "flow/outbound/tls_policy.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "base/limits.h"
#include "flow/outbound/outbound_tls.h"
#include "net/io/test_loop.h"
#include "net/resolver/scripted_resolver.h"

namespace godwit::flow {
namespace {

using Kind = DaneAnswer::Kind;
using Level = TlsPolicy::Level;

constexpr std::string_view kDigest =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

struct Asked {
    net::TestLoop loop;
    net::ScriptedResolver dns;

    explicit Asked(std::string script) {
        for (std::size_t at = script.find('@'); at != std::string::npos; at = script.find('@')) {
            script.replace(at, 1, kDigest);
        }
        EXPECT_TRUE(dns.add_lines(script));
    }
    /// A look-up that times out takes its time.
    DaneAnswer tlsa(std::string domain, std::string host, std::uint16_t port = 25) {
        std::optional<DaneAnswer> answer;
        net::spawn(loop.shard(), "ask",
                   ask(&dns, std::move(domain), std::move(host), port, &answer));
        EXPECT_TRUE(loop.advance(2 * limits::dns_lookup_timeout));
        return answer.value();
    }

private:
    static net::Task<void> ask(net::Resolver* dns, std::string domain, std::string host,
                               std::uint16_t port, std::optional<DaneAnswer>* answer) {
        *answer = co_await find_tlsa(dns, std::move(domain), std::move(host), port);
    }
};

constexpr std::string_view kSecureHost = R"(
a.test MX 10 mx.a.test
a.test secure
mx.a.test A 11.22.33.44
mx.a.test secure
)";

std::string with(std::string_view more) {
    return std::string(kSecureHost) + std::string(more) + "\n";
}

TEST(Dane, a_secure_chain_to_usable_records) {
    Asked asked(with("_25._tcp.mx.a.test TLSA 3 1 1 @\n_25._tcp.mx.a.test secure"));
    const DaneAnswer answer = asked.tlsa("a.test", "mx.a.test");
    ASSERT_EQ(answer.kind, Kind::Usable);
    ASSERT_EQ(answer.records.size(), 1U);
    EXPECT_EQ(answer.base, "mx.a.test");
    EXPECT_TRUE(answer.is_name_secure);
    // Another port, other records.
    EXPECT_EQ(asked.tlsa("a.test", "mx.a.test", 26).kind, Kind::None);
}

TEST(Dane, what_is_not_secure_is_not_asked_or_does_not_count) {
    // The TLSA records themselves.
    EXPECT_EQ(Asked(with("_25._tcp.mx.a.test TLSA 3 1 1 @")).tlsa("a.test", "mx.a.test").kind,
              Kind::None);
    // The MX.
    Asked mx(
        "a.test MX 10 mx.a.test\nmx.a.test A 11.22.33.44\nmx.a.test secure\n"
        "_25._tcp.mx.a.test TLSA 3 1 1 @\n_25._tcp.mx.a.test secure\n");
    EXPECT_EQ(mx.tlsa("a.test", "mx.a.test").kind, Kind::None);
    // The addresses: then TLSA is not even asked for, for servers that break on it.
    Asked address(
        "a.test MX 10 mx.a.test\na.test secure\nmx.a.test A 11.22.33.44\n"
        "_25._tcp.mx.a.test TLSA servfail\n");
    EXPECT_EQ(address.tlsa("a.test", "mx.a.test").kind, Kind::None);
}

TEST(Dane, a_look_up_that_fails_puts_the_host_off) {
    for (const char* trouble : {"servfail", "bogus", "timeout"}) {
        const DaneAnswer answer = Asked(with("_25._tcp.mx.a.test TLSA " + std::string(trouble)))
                                      .tlsa("a.test", "mx.a.test");
        EXPECT_EQ(answer.kind, Kind::Failed) << trouble;
        const TlsPolicy policy = combine_tls({.domain = "a.test", .host = "mx.a.test"}, answer, {});
        ASSERT_TRUE(policy.refusal.has_value());
        EXPECT_TRUE(policy.refusal->is_temporary());
        EXPECT_EQ(*policy.refusal->enhanced, (smtp::EnhancedStatus{4, 7, 5}));
        EXPECT_TRUE(policy.is_mandatory());
    }
    // Addresses of a host that DNSSEC says are forged.
    Asked forged("a.test MX 10 mx.a.test\na.test secure\nmx.a.test * bogus\n");
    EXPECT_EQ(forged.tlsa("a.test", "mx.a.test").kind, Kind::Failed);
}

TEST(Dane, denial_of_records_is_none) {
    EXPECT_EQ(Asked(with("")).tlsa("a.test", "mx.a.test").kind, Kind::None);
    EXPECT_EQ(Asked(with("_25._tcp.mx.a.test TLSA nodata\n_25._tcp.mx.a.test secure"))
                  .tlsa("a.test", "mx.a.test")
                  .kind,
              Kind::None);
}

TEST(Dane, records_of_which_none_is_usable_ask_for_encryption) {
    Asked asked(
        with("_25._tcp.mx.a.test TLSA 1 1 1 @\n_25._tcp.mx.a.test TLSA 3 1 1 00ff\n"
             "_25._tcp.mx.a.test secure"));
    const DaneAnswer answer = asked.tlsa("a.test", "mx.a.test");
    EXPECT_EQ(answer.kind, Kind::Unusable);
    const TlsPolicy policy = combine_tls({.domain = "a.test", .host = "mx.a.test"}, answer, {});
    EXPECT_EQ(policy.level, Level::Encrypt);
    EXPECT_FALSE(policy.refusal);
    // MTA-STS still has a say then.
    StsVerdict sts{.kind = StsVerdict::Kind::Match, .is_host_listed = true};
    EXPECT_EQ(combine_tls({.domain = "a.test", .host = "mx.a.test"}, answer, sts).level,
              Level::Verify);
}

TEST(Dane, F3_an_alias_has_its_records_at_its_end_or_at_its_own_name) {
    const std::string secure_alias =
        "a.test MX 10 mx.a.test\na.test secure\nmx.a.test CNAME real.b.test\nmx.a.test secure\n"
        "real.b.test A 11.22.33.44\nreal.b.test secure\n";
    Asked both(secure_alias +
               "_25._tcp.mx.a.test TLSA 3 1 1 @\n_25._tcp.mx.a.test secure\n"
               "_25._tcp.real.b.test TLSA 3 1 1 @\n_25._tcp.real.b.test secure\n");
    EXPECT_EQ(both.tlsa("a.test", "mx.a.test").base, "real.b.test");
    Asked first(secure_alias + "_25._tcp.mx.a.test TLSA 3 1 1 @\n_25._tcp.mx.a.test secure\n");
    EXPECT_EQ(first.tlsa("a.test", "mx.a.test").base, "mx.a.test");
    // A secure alias into an insecure zone: only the alias's own name.
    Asked out(
        "a.test MX 10 mx.a.test\na.test secure\nmx.a.test CNAME real.b.test\n"
        "mx.a.test secure\nreal.b.test A 11.22.33.44\n"
        "_25._tcp.mx.a.test TLSA 3 1 1 @\n_25._tcp.mx.a.test secure\n"
        "_25._tcp.real.b.test TLSA 3 1 1 @\n_25._tcp.real.b.test secure\n");
    EXPECT_EQ(out.tlsa("a.test", "mx.a.test").base, "mx.a.test");
}

TEST(Dane, C15_the_base_domain_is_sni_and_the_mail_domain_will_do_for_ta) {
    DaneAnswer dane{.kind = Kind::Usable,
                    .records = {{2, 0, 1, std::string(32, 'd')}},
                    .base = "real.b.test",
                    .is_name_secure = true,
                    .text = ""};
    const TlsPolicy policy = combine_tls({.domain = "a.test", .host = "mx.a.test"}, dane, {});
    EXPECT_EQ(policy.level, Level::Dane);
    EXPECT_EQ(policy.server_name, "real.b.test");
    EXPECT_EQ(policy.names, (std::vector<std::string>{"mx.a.test", "a.test"}));
}

TEST(TlsPolicy, dane_goes_before_sts) {
    const DaneAnswer usable{.kind = Kind::Usable,
                            .records = {{3, 1, 1, std::string(32, 'd')}},
                            .base = "mx.a.test",
                            .is_name_secure = true,
                            .text = ""};
    const TlsQuestion question{.domain = "a.test", .host = "mx.a.test"};
    const StsVerdict other{.kind = StsVerdict::Kind::NoMatch, .is_host_listed = false};
    EXPECT_EQ(combine_tls(question, usable, other).level, Level::Dane);
    EXPECT_FALSE(combine_tls(question, usable, other).refusal);
    const TlsPolicy refused = combine_tls(question, {}, other);
    ASSERT_TRUE(refused.refusal);
    EXPECT_TRUE(refused.refusal->is_temporary());
    const StsVerdict match{.kind = StsVerdict::Kind::Match, .is_host_listed = true};
    EXPECT_EQ(combine_tls(question, {}, match).level, Level::Verify);
    const StsVerdict testing{.kind = StsVerdict::Kind::Testing, .is_host_listed = true};
    EXPECT_EQ(combine_tls(question, {}, testing).level, Level::May);
    EXPECT_EQ(combine_tls(question, {}, {}).level, Level::May);
}

TEST(TlsPolicy, Rfc8689_requiretls_needs_a_way_that_is_vouched_for) {
    TlsQuestion question{.domain = "a.test", .host = "mx.a.test", .wish = TlsWish::Required};
    const TlsPolicy nowhere = combine_tls(question, {}, {});
    ASSERT_TRUE(nowhere.refusal);
    EXPECT_EQ(*nowhere.refusal->enhanced, (smtp::EnhancedStatus{5, 7, 10}));
    DaneAnswer secure_mx;
    secure_mx.is_name_secure = true;
    const TlsPolicy by_name = combine_tls(question, secure_mx, {});
    EXPECT_EQ(by_name.level, Level::Verify);
    EXPECT_TRUE(by_name.wants_requiretls);
    const StsVerdict testing{.kind = StsVerdict::Kind::Testing, .is_host_listed = true};
    EXPECT_EQ(combine_tls(question, {}, testing).level, Level::Verify);
    // A smart host: the administrator vouches for its name.
    question.route = RouteSettings::Tls::Opportunistic;
    EXPECT_EQ(policy_of(RouteSettings::Tls::Opportunistic, {}, question).level, Level::Verify);
    EXPECT_TRUE(policy_of(RouteSettings::Tls::Never, {}, question).refusal);
}

TEST(TlsPolicy, J11_tls_required_no_lowers_what_the_domain_wants) {
    const TlsQuestion question{.domain = "a.test", .host = "mx.a.test", .wish = TlsWish::Optional};
    DaneAnswer failed;
    failed.kind = Kind::Failed;
    const StsVerdict other{.kind = StsVerdict::Kind::NoMatch, .is_host_listed = false};
    const TlsPolicy policy = combine_tls(question, failed, other);
    EXPECT_EQ(policy.level, Level::May);
    EXPECT_FALSE(policy.refusal);
}

Settings settings_with(std::vector<TlsPolicySettings> policies) {
    Settings settings;
    settings.tls_policies = std::move(policies);
    return settings;
}

TEST(TlsPolicy, the_administrators_word_by_domain) {
    using Mode = TlsPolicySettings::Mode;
    const Settings settings = settings_with(
        {{"*", Mode::Encrypt, {}}, {"*.a.test", Mode::Verify, {}}, {"b.a.test", Mode::None, {}}});
    EXPECT_EQ(find_tls_policy(settings, "x.test")->mode, Mode::Encrypt);
    EXPECT_EQ(find_tls_policy(settings, "c.a.test")->mode, Mode::Verify);
    EXPECT_EQ(find_tls_policy(settings, "B.a.test")->mode, Mode::None);
    EXPECT_EQ(find_tls_policy(settings, "a.test")->mode, Mode::Encrypt);
    EXPECT_EQ(find_tls_policy({}, "a.test"), nullptr);

    const TlsQuestion question{.domain = "a.test", .host = "mx.a.test"};
    const TlsPolicy print =
        policy_of({"a.test", Mode::Fingerprint, {std::string(kDigest)}}, {}, question);
    EXPECT_EQ(print.level, Level::Dane);
    ASSERT_EQ(print.tlsa.size(), 2U);
    EXPECT_EQ(hex_encode(print.tlsa[0].data), kDigest);
    const TlsPolicy dane_only = policy_of({"a.test", Mode::Dane, {}}, {}, question);
    ASSERT_TRUE(dane_only.refusal);
    EXPECT_TRUE(dane_only.refusal->is_temporary());
}

TEST(TlsPolicy, F12_identity_is_what_a_connection_was_checked_for) {
    TlsPolicy may;
    TlsPolicy verify;
    verify.level = Level::Verify;
    TlsPolicy dane;
    dane.level = Level::Dane;
    dane.tlsa = {{3, 1, 1, std::string(32, 'd')}};
    TlsPolicy rolled = dane;
    rolled.tlsa[0].data[0] = 'e';
    TlsPolicy required = verify;
    required.wants_requiretls = true;
    const std::vector<TlsPolicy> all = {may, verify, dane, rolled, required};
    for (std::size_t i = 0; i < all.size(); ++i) {
        for (std::size_t j = 0; j < all.size(); ++j) {
            EXPECT_EQ(all[i] == all[j], i == j) << i << " " << j;
        }
    }
    TlsPolicy elsewhere = may;
    elsewhere.origin = "route";
    EXPECT_EQ(may, elsewhere);
}

TEST(OutboundTls, C11_a_broken_host_is_remembered_for_some_hours) {
    OutboundTls tls;
    const WallTime now = from_unix_seconds(1'767'225'600);
    tls.note_broken("mx.a.test:25", now);
    EXPECT_TRUE(tls.is_broken("mx.a.test:25", now));
    EXPECT_FALSE(tls.is_broken("mx.a.test:26", now));
    EXPECT_TRUE(tls.is_broken("mx.a.test:25", now + tls_broken_memory - std::chrono::seconds(1)));
    EXPECT_FALSE(tls.is_broken("mx.a.test:25", now + tls_broken_memory));
    tls.note_broken("mx.a.test:25", now);
    EXPECT_FALSE(tls.is_broken("mx.a.test:25", now - std::chrono::hours(1)));
    for (std::size_t i = 0; i < tls_broken_hosts_max; ++i) {
        tls.note_broken("h" + std::to_string(i), now);
    }
    EXPECT_FALSE(tls.is_broken("mx.a.test:25", now));
    EXPECT_TRUE(tls.is_broken("h0", now));
}

}  // namespace
}  // namespace godwit::flow
