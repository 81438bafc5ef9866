#include "wire/smtp/command.h"

#include <gtest/gtest.h>

#include "base/ascii.h"
#include "base/encoding.h"
#include "base/limits.h"

namespace godwit::smtp {
namespace {

ExtensionSet all() {
    return announced_extensions({.service = Service::Submission,
                                 .tls_available = true,
                                 .tls_active = true,
                                 .auth_available = true,
                                 .holds_mail = true});
}
std::expected<Command, Reply> parse(std::string_view line, bool smtputf8 = false) {
    return parse_command(line,
                         {.offered = all(), .smtputf8 = smtputf8, .local_name = "mx.example.org"});
}
std::string code_of(std::string_view line, bool smtputf8 = false) {
    const auto command = parse(line, smtputf8);
    return command
               ? "ok"
               : std::to_string(command.error().code) + " " + command.error().enhanced->to_string();
}
template <class T>
T get(std::string_view line, bool smtputf8 = false) {
    auto command = parse(line, smtputf8);
    EXPECT_TRUE(command) << line;
    return command ? std::get<T>(*std::move(command)) : T{};
}

TEST(Command, verbs_in_any_case) {
    EXPECT_EQ(get<HelloCommand>("ehlo a.example").name, "a.example");
    EXPECT_EQ(get<HelloCommand>("HeLo a").verb, Verb::Helo);
    EXPECT_TRUE(parse("quit"));
    EXPECT_TRUE(parse("QUIT "));
    EXPECT_EQ(code_of("NOPE"), "500 5.5.2");
    EXPECT_EQ(code_of(""), "500 5.5.2");
    EXPECT_EQ(code_of("MAILFROM:<a@b>"), "500 5.5.2");
}
TEST(Command, arguments_where_none_belong) {
    for (const std::string_view line : {"DATA x", "RSET x", "QUIT x", "STARTTLS x"}) {
        EXPECT_EQ(code_of(line), "501 5.5.4") << line;
    }
    EXPECT_TRUE(parse("NOOP anything at all"));
    EXPECT_TRUE(parse("HELP MAIL"));
}
TEST(Command, C17_hello_takes_junk_names) {
    EXPECT_EQ(get<HelloCommand>("EHLO my_pc").name, "my_pc");
    EXPECT_EQ(get<HelloCommand>("EHLO [IPv6:::1]").name, "[IPv6:::1]");
    EXPECT_EQ(get<HelloCommand>("EHLO B\xC3\xBCro").name, "B??ro");
    EXPECT_EQ(get<HelloCommand>("EHLO a extra words").name, "a");
    EXPECT_EQ(code_of("EHLO"), "501 5.5.4");
    EXPECT_EQ(code_of("EHLO  "), "501 5.5.4");
    EXPECT_TRUE(parse("EHLO " + std::string(limits::smtp_hello_name_size_max, 'a')));
    EXPECT_FALSE(parse("EHLO " + std::string(limits::smtp_hello_name_size_max + 1, 'a')));
}
TEST(Command, D1_lenient_paths) {
    EXPECT_EQ(get<MailCommand>("MAIL FROM: <a@b.example>").sender->to_string(), "a@b.example");
    EXPECT_EQ(get<MailCommand>("mail from:a@b.example").sender->to_string(), "a@b.example");
    EXPECT_EQ(get<MailCommand>("MAIL FROM:a@b.example SIZE=5").parameters.size, 5U);
    EXPECT_EQ(code_of("MAIL <a@b.example>"), "501 5.5.4");
    EXPECT_EQ(code_of("MAIL FROM:"), "501 5.1.7");
    EXPECT_EQ(code_of("MAIL FROM:<a@b.example>x"), "501 5.1.7");
    EXPECT_EQ(code_of("RCPT FROM:<a@b.example>"), "501 5.5.4");
}
TEST(Command, D2_source_routes_are_dropped) {
    EXPECT_EQ(get<RcptCommand>("RCPT TO:<@x.example,@y.example:c@d.example>")
                  .recipient.address.to_string(),
              "c@d.example");
}
TEST(Command, D3_postmaster_without_domain) {
    for (const std::string_view line :
         {"RCPT TO:<postmaster>", "RCPT TO:<Postmaster>", "RCPT TO:<POSTMASTER>"}) {
        const auto command = get<RcptCommand>(line);
        EXPECT_TRUE(command.recipient.is_bare_postmaster);
        EXPECT_EQ(command.recipient.address.domain, "mx.example.org");
    }
    EXPECT_EQ(code_of("RCPT TO:<root>"), "501 5.1.3");
    EXPECT_FALSE(get<RcptCommand>("RCPT TO:<postmaster@example.org>").recipient.is_bare_postmaster);
}
TEST(Command, D4_null_sender_but_no_null_recipient) {
    EXPECT_FALSE(get<MailCommand>("MAIL FROM:<>").sender);
    EXPECT_EQ(code_of("RCPT TO:<>"), "501 5.1.3");
}
TEST(Command, D5_unknown_parameters_are_refused) {
    EXPECT_EQ(code_of("MAIL FROM:<a@b.example> FOO=bar"), "555 5.5.4");
    EXPECT_EQ(code_of("MAIL FROM:<a@b.example> NOTIFY=NEVER"), "555 5.5.4");
    EXPECT_EQ(code_of("RCPT TO:<a@b.example> SIZE=3"), "555 5.5.4");
    EXPECT_EQ(code_of("MAIL FROM:<a@b.example> =x"), "501 5.5.4");
    EXPECT_EQ(code_of("MAIL FROM:<a@b.example> SIZE=1 size=1"), "501 5.5.4");
    EXPECT_EQ(code_of("MAIL FROM:<a@b.example> BODY=16BIT"), "501 5.5.4");
    const auto bare =
        parse_command("MAIL FROM:<a@b.example> SIZE=3", {.offered = {}, .local_name = "x"});
    EXPECT_EQ(bare.error().code, 555);
}
TEST(Command, parameters_of_mail) {
    const auto mail = get<MailCommand>(
        "MAIL FROM:<a@b.example> SIZE=1024 body=8bitmime SMTPUTF8 RET=hdrs ENVID=a+2Bb+20c "
        "AUTH=x+40y.example");
    EXPECT_EQ(mail.parameters.size, 1024U);
    EXPECT_EQ(mail.parameters.body, BodyType::EightBitMime);
    EXPECT_TRUE(mail.parameters.smtputf8);
    EXPECT_EQ(mail.parameters.ret, DsnReturn::Headers);
    EXPECT_EQ(mail.parameters.envid, "a+b c");
    EXPECT_EQ(mail.parameters.auth, "x@y.example");
    EXPECT_EQ(get<MailCommand>("MAIL FROM:<a@b.example> AUTH=<>").parameters.auth, "");
    EXPECT_EQ(get<MailCommand>("MAIL FROM:<a@b.example> SIZE=99999999999999999999").parameters.size,
              UINT64_MAX);
    for (const std::string_view bad :
         {"SIZE", "SIZE=", "SIZE=-1", "SIZE=1x", "SIZE=100000000000000000000", "SMTPUTF8=1",
          "RET=ALL", "ENVID=", "ENVID=+0", "AUTH=", "AUTH=nobody", "BODY"}) {
        EXPECT_EQ(code_of("MAIL FROM:<a@b.example> " + std::string(bad)), "501 5.5.4") << bad;
    }
}
TEST(Command, parameters_that_ask_for_more) {
    const auto asked = [](const std::string& parameters) {
        return get<MailCommand>("MAIL FROM:<a@b.example> " + parameters).parameters;
    };
    EXPECT_EQ(asked("BODY=BinaryMime").body, BodyType::BinaryMime);
    EXPECT_TRUE(asked("RequireTLS").require_tls);
    EXPECT_EQ(asked("HOLDFOR=1").hold_for, 1);
    EXPECT_EQ(asked("HOLDFOR=999999999").hold_for, 999999999);
    EXPECT_EQ(asked("HOLDUNTIL=1970-01-01T01:00:00+01:00").hold_until, 0);
    EXPECT_EQ(asked("BY=999999999;R").by,
              (ByTime{.seconds = 999999999, .mode = ByTime::Mode::Return}));
    EXPECT_EQ(asked("by=-5;nt").by,
              (ByTime{.seconds = -5, .mode = ByTime::Mode::Notify, .is_traced = true}));
    EXPECT_EQ(asked("BY=0;N").by->seconds, 0);
    EXPECT_EQ(asked("MT-PRIORITY=-9").priority, -9);
    EXPECT_EQ(asked("MT-PRIORITY=9").priority, 9);
    EXPECT_EQ(asked("MT-PRIORITY=0").priority, 0);
    for (const std::string_view bad :
         {"REQUIRETLS=1", "HOLDFOR", "HOLDFOR=0", "HOLDFOR=1000000000", "HOLDFOR=-1",
          "HOLDUNTIL=2026", "HOLDFOR=1 HOLDUNTIL=2026-01-01T00:00:00Z",
          "HOLDUNTIL=2026-01-01T00:00:00Z HOLDFOR=1", "BY=1", "BY=;R", "BY=0;R", "BY=-1;R",
          "BY=1;X", "BY=1;RX", "BY=1;T", "BY=1000000000;N", "BY=--1;N"}) {
        EXPECT_EQ(code_of("MAIL FROM:<a@b.example> " + std::string(bad)), "501 5.5.4") << bad;
    }
    for (const std::string_view bad : {"10", "-10", "-0", "", "+1", "x"}) {
        EXPECT_TRUE(
            code_of("MAIL FROM:<a@b.example> MT-PRIORITY=" + std::string(bad)).starts_with("501"))
            << bad;
    }
}
TEST(Command, Rfc3865_keywords_of_solicitation) {
    const auto asked = [](const std::string& value) {
        return get<MailCommand>("MAIL FROM:<a@b.example> SOLICIT=" + value).parameters.solicit;
    };
    EXPECT_EQ(asked("net.example:ADV"), "net.example:ADV");
    EXPECT_EQ(asked("org.a:ADV:ADLT,x-1_2"), "org.a:ADV:ADLT,x-1_2");
    const std::string longest(solicitation_size_max, 'a');
    EXPECT_EQ(asked(longest.substr(1)), longest.substr(1));
    EXPECT_EQ(asked(longest), longest);
    for (const std::string& bad :
         {std::string(), std::string(","), std::string("a,"), std::string("a,,b"),
          std::string("1a"), std::string("a+b"), std::string("a;b"), longest + "a"}) {
        EXPECT_EQ(code_of("MAIL FROM:<a@b.example> SOLICIT=" + bad), "501 5.5.4") << bad;
    }
}
TEST(Command, PRDR_takes_no_value) {
    EXPECT_TRUE(get<MailCommand>("MAIL FROM:<a@b.example> prdr").parameters.wants_each_reply);
    EXPECT_FALSE(get<MailCommand>("MAIL FROM:<a@b.example>").parameters.wants_each_reply);
    EXPECT_EQ(code_of("MAIL FROM:<a@b.example> PRDR=1"), "501 5.5.4");
}
TEST(Command, Rfc7293_since_when_an_address_must_be_valid) {
    const auto asked = [](const std::string& value) {
        return get<RcptCommand>("RCPT TO:<a@b.example> RRVS=" + value)
            .recipient.parameters.valid_since;
    };
    EXPECT_EQ(asked("1970-01-01T00:20:00Z"), (ValidSince{.at = 1200, .must_be_checked = true}));
    EXPECT_EQ(asked("1970-01-01T01:20:00+01:00;r"),
              (ValidSince{.at = 1200, .must_be_checked = true}));
    EXPECT_EQ(asked("1970-01-01T00:20:00Z;C"), (ValidSince{.at = 1200, .must_be_checked = false}));
    for (const std::string_view bad : {"", ";C", "yesterday", "1970-01-01T00:20:00Z;",
                                       "1970-01-01T00:20:00Z;X", "1970-01-01T00:20:00Z;CR"}) {
        EXPECT_EQ(code_of("RCPT TO:<a@b.example> RRVS=" + std::string(bad)), "501 5.5.4") << bad;
    }
}
TEST(Command, K3_addresses_without_a_domain_are_completed_where_they_may_be) {
    const CommandRules rules{
        .offered = all(), .local_name = "mx.example.org", .own_domain = "example.org"};
    const auto sender = parse_command("MAIL FROM:<root> SIZE=1", rules);
    ASSERT_TRUE(sender);
    EXPECT_EQ(std::get<MailCommand>(*sender).sender->to_string(), "root@example.org");
    const auto null = parse_command("MAIL FROM:<>", rules);
    ASSERT_TRUE(null);
    EXPECT_FALSE(std::get<MailCommand>(*null).sender.has_value());
    const auto recipient = parse_command("RCPT TO:<alice>", rules);
    ASSERT_TRUE(recipient);
    EXPECT_EQ(std::get<RcptCommand>(*recipient).recipient.address.to_string(), "alice@example.org");
    EXPECT_TRUE(std::get<RcptCommand>(*parse_command("RCPT TO:<postmaster>", rules))
                    .recipient.is_bare_postmaster);
    EXPECT_EQ(code_of("MAIL FROM:<root>"), "501 5.1.7");
    EXPECT_EQ(code_of("RCPT TO:<alice>"), "501 5.1.3");
}
TEST(Command, D12_parameters_of_rcpt) {
    const auto rcpt =
        get<RcptCommand>("RCPT TO:<a@b.example> NOTIFY=success,Delay ORCPT=rfc822;x+2By@z.example");
    EXPECT_EQ(rcpt.recipient.parameters.notify,
              (Notify{.is_stated = true, .success = true, .delay = true}));
    EXPECT_EQ(rcpt.recipient.parameters.orcpt, (OriginalRecipient{"rfc822", "x+y@z.example"}));
    EXPECT_EQ(get<RcptCommand>("RCPT TO:<a@b.example> NOTIFY=NEVER").recipient.parameters.notify,
              Notify{.is_stated = true});
    for (const std::string_view bad :
         {"NOTIFY=NEVER,SUCCESS", "NOTIFY=", "NOTIFY=,", "NOTIFY=x", "ORCPT=x", "ORCPT=;x",
          "ORCPT=rfc822;", "ORCPT=rfc822;+4", "ORCPT=rf c;x"}) {
        EXPECT_NE(code_of("RCPT TO:<a@b.example> " + std::string(bad)), "ok") << bad;
    }
}
TEST(Command, D12_original_recipients_in_utf8) {
    const auto original = [](const std::string& value) {
        const auto command = parse("RCPT TO:<a@b.example> ORCPT=" + value, true);
        return command ? std::get<RcptCommand>(*command).recipient.parameters.orcpt : std::nullopt;
    };
    const OriginalRecipient wanted{"utf-8", "\xC3\xBC+x@b.example"};
    // RFC 6533 3: as it is, and in seven bits.
    EXPECT_EQ(original("utf-8;\xC3\xBC\\x{2B}x@b.example"), wanted);
    EXPECT_EQ(original("utf-8;\\x{FC}\\x{2B}x@b.example"), wanted);
    // Postfix 3.7: xtext, and the other type.
    EXPECT_EQ(original("rfc822;+C3+BC+2Bx@b.example"), wanted);
    for (const std::string bad :
         {"rfc822;+C3@b.example", "utf-8;\\x{D800}@b.example", "utf-8;\\x{07}@b.example",
          "utf-8;\\y", "other;+C3+BC@b.example"}) {
        EXPECT_FALSE(original(bad)) << bad;
    }
}
TEST(Command, T20_every_encoded_octet_in_xtext) {
    for (int octet = 0; octet < 256; ++octet) {
        const char c = static_cast<char>(octet);
        const std::string code = "+" + to_upper(hex_encode(std::string_view(&c, 1)));
        const bool is_graphic = octet >= 0x20 && octet <= 0x7E;
        EXPECT_EQ(code_of("MAIL FROM:<a@b.example> ENVID=x" + code) == "ok", is_graphic) << octet;
        EXPECT_EQ(code_of("RCPT TO:<a@b.example> ORCPT=rfc822;x" + code) == "ok", is_graphic)
            << octet;
        EXPECT_EQ(*xtext_decode(xtext_encode(std::string_view(&c, 1))), std::string(1, c));
    }
}
TEST(Command, ENVID_and_ORCPT_size_limits) {
    const auto envid = [](std::size_t size) {
        return code_of("MAIL FROM:<a@b.example> ENVID=" + std::string(size, 'x'));
    };
    EXPECT_EQ(envid(limits::smtp_envid_size_max), "ok");
    EXPECT_EQ(envid(limits::smtp_envid_size_max + 1), "501 5.5.4");
    const auto orcpt = [](std::size_t size) {
        return code_of("RCPT TO:<a@b.example> ORCPT=rfc822;" + std::string(size - 7, 'x'));
    };
    EXPECT_EQ(orcpt(limits::smtp_orcpt_size_max), "ok");
    EXPECT_EQ(orcpt(limits::smtp_orcpt_size_max + 1), "501 5.5.4");
}
TEST(Command, D7_utf8_addresses_must_be_declared) {
    const std::string mail = "MAIL FROM:<j\xC3\xBCrgen@b.example>";
    EXPECT_EQ(code_of(mail), "553 5.6.7");
    EXPECT_EQ(code_of(mail + " SMTPUTF8"), "ok");
    EXPECT_EQ(code_of("RCPT TO:<j\xC3\xBCrgen@b.example>", false), "553 5.6.7");
    EXPECT_EQ(code_of("RCPT TO:<j\xC3\xBCrgen@b.example>", true), "ok");
}
TEST(Command, T9_controls_and_broken_utf8_are_refused_everywhere) {
    using namespace std::string_view_literals;
    for (const std::string_view verb :
         {"EHLO ", "MAIL FROM:<a", "RCPT TO:<a", "NOOP ", "VRFY ", "AUTH PLAIN ", "BDAT "}) {
        for (const std::string_view bad :
             {"\0"sv, "\r"sv, "\x7F"sv, "\x01"sv, "\xFF"sv, "\xC0\x80"sv, "\xED\xA0\x80"sv}) {
            EXPECT_EQ(code_of(std::string(verb) + std::string(bad)), "500 5.5.2");
        }
    }
}
TEST(Command, T10_odd_local_parts_never_crash) {
    for (const std::string_view path :
         {"<\"\"@b.example>", "<\"@b.example>", "<\"a\\\"@b.example>", "<@>", "<@b.example>",
          "<a@>", "<a@b.example", "a@b.example>", "<<a@b.example>>", "<a b@c.example>",
          "<a@[1.2.3]>", "<\"a b\">", "<@a:>", "<@a,@b:c>", "<a@b..example>", "<.a@b.example>",
          "<a@-b.example>"}) {
        (void)code_of("MAIL FROM:" + std::string(path));
        (void)code_of("RCPT TO:" + std::string(path));
    }
    EXPECT_EQ(get<MailCommand>("MAIL FROM:<\"a b\"@c.example> SIZE=1").sender->local, "a b");
}
TEST(Command, bdat) {
    EXPECT_EQ(get<BdatCommand>("BDAT 86").size, 86U);
    EXPECT_TRUE(get<BdatCommand>("bdat 0 last").is_last);
    for (const std::string_view bad : {"BDAT", "BDAT x", "BDAT -1", "BDAT 1 FIRST",
                                       "BDAT 99999999999999999999", "BDAT 1 LAST x"}) {
        EXPECT_EQ(code_of(bad), "501 5.5.4") << bad;
    }
}
TEST(Command, auth) {
    EXPECT_EQ(get<AuthCommand>("AUTH plain").mechanism, "PLAIN");
    EXPECT_EQ(get<AuthCommand>("AUTH PLAIN =").initial, "=");
    EXPECT_EQ(code_of("AUTH"), "501 5.5.4");
    EXPECT_EQ(code_of("AUTH PLAIN a b"), "501 5.5.4");
}
TEST(Command, D17_web_clients) {
    for (const std::string_view line :
         {"GET / HTTP/1.1", "POST /", "CONNECT x:25 HTTP/1.1", "get /"}) {
        EXPECT_EQ(find_verb(line), Verb::Http);
    }
}
TEST(Extension, ehlo_replies_as_peers_send_them) {
    const PeerExtensions peer =
        parse_ehlo_reply({250,
                          {},
                          "mx.example.net at your service\nsize 1000\nAUTH PLAIN LOGIN\nAUTH=LOGIN "
                          "CRAM-MD5\nX-FOO\nSmtpUtf8\nPIPELINING"});
    EXPECT_EQ(peer.name, "mx.example.net");
    EXPECT_EQ(peer.size_max, 1000U);
    EXPECT_EQ(peer.auth_mechanisms, (std::vector<std::string>{"PLAIN", "LOGIN", "CRAM-MD5"}));
    EXPECT_TRUE(peer.set.contains(Extension::Pipelining));
    EXPECT_TRUE(peer.set.contains(Extension::EightBitMime));  // D8
    EXPECT_FALSE(peer.set.contains(Extension::StartTls));
    EXPECT_EQ(parse_ehlo_reply({250, {}, "x\nSIZE 99999999999999999999999"}).size_max, 0U);  // B5
    EXPECT_EQ(parse_ehlo_reply({250, {}, ""}).set, ExtensionSet());
}
TEST(Extension, B7_limits_and_times_that_peers_say) {
    const auto limits = [](std::string words) {
        return parse_ehlo_reply({250, {}, "x\nLIMITS " + std::move(words)}).limits;
    };
    EXPECT_EQ(limits("MAILMAX=5 rcptmax=100 RCPTDOMAINMAX=1"),
              (PeerLimits{.mails = 5, .recipients = 100, .domains = 1}));
    EXPECT_EQ(limits("MAILMAX=0 RCPTMAX= X=1 RCPTDOMAINMAX=99999999999"), PeerLimits{});
    EXPECT_EQ(limits("RCPTMAX=4294967295").recipients, 4294967295U);
    EXPECT_EQ(parse_ehlo_reply({250, {}, "x\nDELIVERBY 240"}).by_time_min, 240);
    EXPECT_EQ(parse_ehlo_reply({250, {}, "x\nDELIVERBY"}).by_time_min, 0);
}
TEST(Extension, what_needs_tls_or_a_queue_is_offered_only_there) {
    const auto set = [](Announcement at) { return announced_extensions(at); };
    EXPECT_FALSE(set({}).contains(Extension::RequireTls));
    EXPECT_TRUE(set({.tls_active = true}).contains(Extension::RequireTls));
    EXPECT_FALSE(set({.service = Service::Submission}).contains(Extension::FutureRelease));
    EXPECT_TRUE(set({.service = Service::Submission, .holds_mail = true})
                    .contains(Extension::FutureRelease));
    EXPECT_FALSE(
        set({.service = Service::Mx, .holds_mail = true}).contains(Extension::FutureRelease));
}
TEST(Extension, announcements_follow_the_state) {
    const auto set = [](Announcement at) { return announced_extensions(at); };
    EXPECT_FALSE(set({.service = Service::Mx, .auth_available = true}).contains(Extension::Auth));
    EXPECT_TRUE(
        set({.service = Service::Submission, .auth_available = true}).contains(Extension::Auth));
    EXPECT_TRUE(set({.tls_available = true}).contains(Extension::StartTls));
    EXPECT_FALSE(set({.tls_available = true, .tls_active = true}).contains(Extension::StartTls));
}

}  // namespace
}  // namespace godwit::smtp
