// Both ends of the exchanges, against each other and against hostile peers.
#include <gtest/gtest.h>

#include "base/encoding.h"
#include "base/limits.h"
#include "wire/sasl/client_exchange.h"
#include "wire/sasl/server_exchange.h"

namespace godwit::sasl {
namespace {

const ChannelBindings kBound{.tls_exporter = "exporter-bytes", .tls_server_end_point = "cert-hash"};

constexpr Mechanism kUnbound[] = {Mechanism::Plain, Mechanism::Login, Mechanism::ScramSha256,
                                  Mechanism::ScramSha1};

ExchangeOptions server_options(const ChannelBindings& bindings = {}) {
    return {.bindings = bindings,
            .plus_announced = !bindings.is_empty(),
            .nonce = "srvnonce0123456789",
            .decoy_secret = "secret"};
}
ClientExchange client(Mechanism mechanism, std::string password, ChannelBindings bindings = {}) {
    return ClientExchange(
        {.mechanism = mechanism,
         .credentials = {.name = "us,er", .password = std::move(password), .authzid = ""},
         .bindings = std::move(bindings),
         .nonce = "clinonce0123456789"});
}

struct Outcome {
    Step last;
    bool client_satisfied = false;
};
/// Runs the exchange to its end; the account's password is "pencil".
Outcome run(ServerExchange server, ClientExchange client, bool known = true,
            Verdict verdict = Verdict::Granted) {
    auto initial = client.initial();
    Step step = server.start(initial ? std::optional<std::string_view>(*initial) : std::nullopt);
    for (int rounds = 0; rounds < 10; ++rounds) {
        if (const auto* challenge = std::get_if<Challenge>(&step)) {
            auto response = client.respond(challenge->bytes);
            step = response ? server.respond(*response) : server.cancel();
        } else if (const auto* password = std::get_if<NeedPassword>(&step)) {
            step = server.finish(password->authcid == "us,er" && password->password == "pencil"
                                     ? verdict
                                     : Verdict::Denied);
        } else if (const auto* wanted = std::get_if<NeedScramKeys>(&step)) {
            step = server.keys(
                known ? std::optional(scram_keys("pencil", "saltsaltsalt", 4096, wanted->hash))
                      : std::nullopt);
        } else if (std::holds_alternative<Proved>(step)) {
            step = server.finish(verdict);
        } else {
            break;
        }
    }
    return {std::move(step), client.may_succeed()};
}
bool is_done(const Outcome& outcome) {
    return std::holds_alternative<Done>(outcome.last);
}
Failure failure_of(const Outcome& outcome) {
    return std::get<Failed>(outcome.last).failure;
}

TEST(Sasl, every_mechanism_succeeds_with_the_right_password) {
    for (const Mechanism mechanism : kUnbound) {
        const Outcome outcome = run({mechanism, server_options()}, client(mechanism, "pencil"));
        ASSERT_TRUE(is_done(outcome)) << row_of(mechanism).name;
        EXPECT_TRUE(outcome.client_satisfied);
        EXPECT_EQ(std::get<Done>(outcome.last).authcid, "us,er");
    }
}
TEST(Sasl, every_mechanism_fails_with_a_wrong_password) {
    for (const Mechanism mechanism : kUnbound) {
        const Outcome outcome = run({mechanism, server_options()}, client(mechanism, "pencils"));
        ASSERT_FALSE(is_done(outcome)) << row_of(mechanism).name;
        EXPECT_EQ(failure_of(outcome), Failure::Credentials);
        EXPECT_EQ(std::get<Failed>(outcome.last).authcid, "us,er");
    }
}
TEST(Sasl, temporary_trouble_is_never_called_a_wrong_password) {
    for (const Mechanism mechanism : kUnbound) {
        EXPECT_EQ(failure_of(run({mechanism, server_options()}, client(mechanism, "pencil"), true,
                                 Verdict::Temporary)),
                  Failure::Temporary);
    }
}
TEST(Sasl, scram_plus_binds_with_both_types) {
    for (const ChannelBindings& bindings :
         {kBound, ChannelBindings{.tls_exporter = "", .tls_server_end_point = "cert-hash"}}) {
        for (const Mechanism plus : {Mechanism::ScramSha256Plus, Mechanism::ScramSha1Plus}) {
            EXPECT_TRUE(
                is_done(run({plus, server_options(bindings)}, client(plus, "pencil", bindings))));
        }
    }
}
TEST(Sasl, scram_plus_fails_through_a_man_in_the_middle) {
    const ChannelBindings other{.tls_exporter = "his-exporter", .tls_server_end_point = "his-cert"};
    EXPECT_EQ(failure_of(run({Mechanism::ScramSha256Plus, server_options(kBound)},
                             client(Mechanism::ScramSha256Plus, "pencil", other))),
              Failure::Credentials);
}
// RFC 5802 6: "y" although -PLUS was announced means that someone took it out of the list.
TEST(Sasl, scram_downgrade_is_noticed) {
    EXPECT_EQ(failure_of(run({Mechanism::ScramSha256, server_options(kBound)},
                             client(Mechanism::ScramSha256, "pencil", kBound))),
              Failure::Credentials);
    EXPECT_TRUE(is_done(run({Mechanism::ScramSha256, server_options(kBound)},
                            client(Mechanism::ScramSha256, "pencil"))));
    EXPECT_TRUE(is_done(run({Mechanism::ScramSha256, server_options()},
                            client(Mechanism::ScramSha256, "pencil", kBound))));
}
TEST(Sasl, scram_flag_must_fit_the_mechanism) {
    ServerExchange plus(Mechanism::ScramSha256Plus, server_options(kBound));
    EXPECT_TRUE(std::holds_alternative<Failed>(plus.start("n,,n=user,r=abc")));
    ServerExchange bare(Mechanism::ScramSha256, server_options(kBound));
    EXPECT_TRUE(std::holds_alternative<Failed>(bare.start("p=tls-exporter,,n=user,r=abc")));
    ServerExchange unknown(Mechanism::ScramSha256Plus, server_options(kBound));
    EXPECT_TRUE(std::holds_alternative<Failed>(unknown.start("p=tls-unique,,n=user,r=abc")));
}
TEST(Sasl, scram_unknown_name_looks_like_a_wrong_password) {
    const auto challenge_for = [](std::string_view name) {
        ServerExchange server(Mechanism::ScramSha256, server_options());
        (void)server.start("n,,n=" + std::string(name) + ",r=abc");
        return std::get<Challenge>(server.keys(std::nullopt)).bytes;
    };
    EXPECT_EQ(challenge_for("ghost"), challenge_for("ghost"));
    EXPECT_EQ(failure_of(run({Mechanism::ScramSha256, server_options()},
                             client(Mechanism::ScramSha256, "pencil"), false)),
              Failure::Credentials);
}
TEST(Sasl, scram_server_must_prove_itself_to_the_client) {
    ClientExchange one = client(Mechanism::ScramSha256, "pencil");
    (void)one.initial();
    ASSERT_TRUE(one.respond("r=clinonce0123456789more,s=AAAA,i=4096"));
    EXPECT_FALSE(one.respond("v=" + base64_encode(std::string(32, 'x'))));
    EXPECT_FALSE(one.may_succeed());
    ClientExchange two = client(Mechanism::ScramSha256, "pencil");
    (void)two.initial();
    EXPECT_FALSE(two.respond("r=othernonce,s=AAAA,i=4096"));
    ClientExchange three = client(Mechanism::ScramSha256, "pencil");
    (void)three.initial();
    EXPECT_FALSE(three.respond("r=clinonce0123456789,s=AAAA,i=4096"));
}
TEST(Sasl, scram_nonce_and_c_are_checked) {
    for (const std::string_view final :
         {"c=biws,r=abcWRONG,p=", "c=eSws,r=abcsrvnonce0123456789,p="}) {
        ServerExchange server(Mechanism::ScramSha256, server_options());
        (void)server.start("n,,n=user,r=abc");
        (void)server.keys(scram_keys("pencil", "salt", 4096));
        const Step step = server.respond(std::string(final) + base64_encode(std::string(32, 'x')));
        EXPECT_TRUE(std::holds_alternative<Failed>(step));
    }
}
TEST(Sasl, plain_grammar) {
    const auto outcome = [](std::string_view bytes) {
        ServerExchange server(Mechanism::Plain, server_options());
        return server.start(bytes);
    };
    using namespace std::string_view_literals;
    const Step good = outcome("admin\0tim\0tanstaaf"sv);
    ASSERT_TRUE(std::holds_alternative<NeedPassword>(good));
    EXPECT_EQ(std::get<NeedPassword>(good).authzid, "admin");
    for (const std::string_view bad :
         {""sv, "tim"sv, "\0tim"sv, "\0tim\0"sv, "\0\0pw"sv, "a\0b\0c\0d"sv, "\xFF\0b\0c"sv,
          "\0\xFF\0c"sv, "\0b\0\xFF"sv}) {
        EXPECT_TRUE(std::holds_alternative<Failed>(outcome(bad)));
    }
}
TEST(Sasl, plain_without_initial_response_is_asked_for) {
    ServerExchange server(Mechanism::Plain, server_options());
    const Step step = server.start(std::nullopt);
    EXPECT_EQ(std::get<Challenge>(step).bytes, "");
}
TEST(Sasl, K2_login_takes_the_name_as_initial_response) {
    ServerExchange server(Mechanism::Login, server_options());
    EXPECT_EQ(std::get<Challenge>(server.start("user")).bytes, "Password:");
    EXPECT_EQ(std::get<NeedPassword>(server.respond("pw")).password, "pw");
}
TEST(Sasl, calls_out_of_order_fail_and_stay_failed) {
    ServerExchange server(Mechanism::Plain, server_options());
    EXPECT_TRUE(std::holds_alternative<Failed>(server.finish(Verdict::Granted)));
    EXPECT_TRUE(std::holds_alternative<Failed>(server.start(std::nullopt)));
    EXPECT_TRUE(std::holds_alternative<Failed>(server.respond("x")));
    EXPECT_TRUE(std::holds_alternative<Failed>(server.keys(std::nullopt)));
}
TEST(Sasl, T36_passwords_are_offered_only_where_allowed) {
    EXPECT_EQ(offered_mechanisms({}, {}).size(), 1U);
    EXPECT_EQ(offered_mechanisms({.passwords_allowed = true}, {}).size(), 3U);
    EXPECT_EQ(offered_mechanisms({.passwords_allowed = true}, kBound).size(), 4U);
    EXPECT_EQ(offered_mechanisms({.passwords_allowed = true, .has_sha1_keys = true}, kBound).size(),
              6U);
}
TEST(Sasl, scram_sha1_is_offered_only_with_keys_for_it) {
    for (const Mechanism mechanism : {Mechanism::ScramSha1, Mechanism::ScramSha1Plus}) {
        EXPECT_FALSE(is_offered(row_of(mechanism), {.passwords_allowed = true}, kBound));
        EXPECT_TRUE(is_offered(row_of(mechanism), {.has_sha1_keys = true}, kBound));
    }
    EXPECT_FALSE(is_offered(row_of(Mechanism::ScramSha1Plus), {.has_sha1_keys = true}, {}));
}
TEST(Sasl, client_takes_the_strongest) {
    const std::vector<std::string> all = {"LOGIN", "plain", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS",
                                          "CRAM-MD5"};
    EXPECT_EQ(choose_mechanism(all, true, kBound), Mechanism::ScramSha256Plus);
    EXPECT_EQ(choose_mechanism(all, true, {}), Mechanism::ScramSha256);
    EXPECT_EQ(choose_mechanism({"SCRAM-SHA-1", "SCRAM-SHA-256"}, true, {}), Mechanism::ScramSha256);
    EXPECT_EQ(choose_mechanism({"PLAIN", "SCRAM-SHA-1"}, true, {}), Mechanism::ScramSha1);
    EXPECT_EQ(choose_mechanism({"SCRAM-SHA-256", "SCRAM-SHA-1-PLUS"}, true, kBound),
              Mechanism::ScramSha1Plus);
    EXPECT_EQ(choose_mechanism({"LOGIN", "PLAIN"}, true, {}), Mechanism::Plain);
    EXPECT_EQ(choose_mechanism({"LOGIN", "PLAIN"}, false, {}), std::nullopt);
    EXPECT_EQ(choose_mechanism({"CRAM-MD5"}, true, {}), std::nullopt);
}

// RFC 4422 appendix A.
TEST(Sasl, external_takes_an_authzid_or_nothing) {
    const auto outcome = [](std::string_view bytes) {
        ServerExchange server(Mechanism::External, server_options());
        return server.start(bytes);
    };
    EXPECT_EQ(std::get<NeedCertificate>(outcome("")).authzid, "");
    EXPECT_EQ(std::get<NeedCertificate>(outcome("alice")).authzid, "alice");
    const std::string longest(limits::sasl_name_size_max, 'a');
    EXPECT_TRUE(std::holds_alternative<NeedCertificate>(outcome(longest)));
    EXPECT_TRUE(std::holds_alternative<Failed>(outcome(longest + "a")));
    EXPECT_TRUE(std::holds_alternative<Failed>(outcome(std::string_view("a\0b", 3))));
    EXPECT_TRUE(std::holds_alternative<Failed>(outcome("\xFF")));
    for (const Verdict verdict : {Verdict::Granted, Verdict::Denied, Verdict::Temporary}) {
        ServerExchange server(Mechanism::External, server_options());
        EXPECT_EQ(std::get<Challenge>(server.start(std::nullopt)).bytes, "");
        ASSERT_TRUE(std::holds_alternative<NeedCertificate>(server.respond("")));
        EXPECT_EQ(std::holds_alternative<Done>(server.finish(verdict)),
                  verdict == Verdict::Granted);
    }
}
TEST(Sasl, external_is_offered_only_with_a_certificate) {
    ChannelBindings shown = kBound;
    shown.has_client_certificate = true;
    EXPECT_FALSE(is_offered(row_of(Mechanism::External), {}, kBound));
    EXPECT_TRUE(is_offered(row_of(Mechanism::External), {}, shown));
}

// RFC 7628 3.2.2, 3.2.3: both sides, for a token that is good and one that is not.
TEST(Sasl, Rfc7628_tokens_and_their_refusal) {
    for (const Mechanism mechanism : {Mechanism::OAuthBearer, Mechanism::XOAuth2}) {
        for (const Verdict verdict : {Verdict::Granted, Verdict::Denied, Verdict::Temporary}) {
            ExchangeOptions options = server_options();
            options.token_refusal.scope = "mail";
            ServerExchange server(mechanism, options);
            ClientExchange client({.mechanism = mechanism,
                                   .credentials = {.name = "a,b=c",
                                                   .password = "",
                                                   .authzid = "",
                                                   .token = "t0k.en_-~+/==",
                                                   .host = "mx.example.test",
                                                   .port = 587}});
            const Step asked = server.start(*client.initial());
            ASSERT_TRUE(std::holds_alternative<NeedToken>(asked));
            EXPECT_EQ(std::get<NeedToken>(asked).authzid, "a,b=c");
            EXPECT_EQ(std::get<NeedToken>(asked).token, "t0k.en_-~+/==");
            const Step said = server.finish(verdict);
            EXPECT_EQ(std::holds_alternative<Done>(said), verdict == Verdict::Granted);
            EXPECT_TRUE(client.may_succeed());
            if (verdict == Verdict::Temporary) {
                EXPECT_EQ(std::get<Failed>(said).failure, Failure::Temporary);
            }
            if (verdict != Verdict::Denied) {
                continue;
            }
            const std::string json = std::get<Challenge>(said).bytes;
            EXPECT_NE(json.find("\"scope\":\"mail\""), std::string::npos);
            const auto end = client.respond(json);
            ASSERT_TRUE(end);
            EXPECT_EQ(*end, mechanism == Mechanism::OAuthBearer ? "\x01" : "");
            EXPECT_FALSE(client.may_succeed());
            EXPECT_FALSE(client.respond(json));
            EXPECT_EQ(std::get<Failed>(server.respond(*end)).failure, Failure::Credentials);
        }
    }
}
TEST(Sasl, Rfc7628_an_abort_after_the_refusal_is_one) {
    ServerExchange server(Mechanism::XOAuth2, server_options());
    (void)server.start(
        "user=a\x01"
        "auth=Bearer t\x01\x01");
    (void)server.finish(Verdict::Denied);
    EXPECT_EQ(std::get<Failed>(server.cancel()).failure, Failure::Credentials);
}
TEST(Sasl, tokens_are_offered_only_where_they_are_taken) {
    const MechanismRow& row = row_of(Mechanism::OAuthBearer);
    EXPECT_FALSE(is_offered(row, {.passwords_allowed = true}, kBound));
    EXPECT_TRUE(is_offered(row, {.passwords_allowed = true, .takes_tokens = true}, kBound));
    EXPECT_FALSE(is_offered(row, {.passwords_allowed = false, .takes_tokens = true}, kBound));
    const std::vector<std::string> all = {"PLAIN", "XOAUTH2", "SCRAM-SHA-256", "OAUTHBEARER"};
    EXPECT_EQ(choose_mechanism(all, true, {}), Mechanism::ScramSha256);
    EXPECT_EQ(choose_mechanism(all, true, {}, true), Mechanism::OAuthBearer);
    EXPECT_EQ(choose_mechanism({"XOAUTH2"}, true, {}), std::nullopt);
    EXPECT_EQ(choose_mechanism({"PLAIN"}, true, {}, true), std::nullopt);
    EXPECT_EQ(choose_mechanism(all, false, {}, true), std::nullopt);
}

}  // namespace
}  // namespace godwit::sasl
