// The whole check of a configuration.
#include "app/config_check.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "app/file.h"
#include "net/tls/certificate_maker.h"

namespace godwit::app {
namespace {

constexpr std::string_view kNames =
    "hostname = \"mx.example.org\"\ndefault_domain = \"example.org\"\n";
constexpr std::string_view kListener = "[[listener]]\nprotocol = \"smtp\"\naddress = \"[::]:25\"\n";

std::string problems(std::string text) {
    Config config = parse_config(text, "c.toml");
    check_config(config);
    return show_problems(config);
}
std::string with(std::string_view more) {
    return problems(std::string(kNames) + std::string(kListener) + std::string(more));
}

TEST(ConfigCheck, smallest_configuration_is_good) {
    EXPECT_EQ(with(""), "");
}

TEST(ConfigCheck, names_must_be_full_domains) {
    EXPECT_EQ(problems("hostname = \"mx\"\n" + std::string(kListener)),
              "c.toml: 'default_domain': is missing\n"
              "c.toml:1: 'hostname': expected a full domain name such as \"mx.example.org\", found "
              "\"mx\"\n");
}

TEST(ConfigCheck, there_must_be_a_listener_that_parses_once) {
    EXPECT_EQ(problems(std::string(kNames)),
              "c.toml: there is no [[listener]]: nothing would be listened on\n");
    EXPECT_NE(with("[[listener]]\nprotocol = \"lmtp\"\naddress = \"[::]:25\"\n")
                  .find("c.toml:8: 'address': is listened on twice: [::]:25"),
              std::string::npos);
    EXPECT_NE(with("[[listener]]\nprotocol = \"lmtp\"\naddress = \"somewhere\"\n")
                  .find("c.toml:8: 'address': "),
              std::string::npos);
    EXPECT_EQ(with("[[listener]]\naddress = \"[::]:24\"\n"), "c.toml:6: 'protocol': is missing\n");
}

TEST(ConfigCheck, trusted_networks_must_parse_and_a_balancer_be_named) {
    EXPECT_EQ(with("[trust]\nxclient = [\"192.0.2.0/24\", \"2001:db8::1\"]\n"), "");
    EXPECT_EQ(with("[trust]\nanswer = [\"192.0.2.1/24\"]\n"),
              "c.toml:7: 'trust.answer': \"192.0.2.1/24\" has bits behind its /24\n");
    EXPECT_NE(with("[trust]\nxforward = [\"proxy.example\"]\n").find("'trust.xforward': "),
              std::string::npos);
    constexpr const char* kBehind =
        "[[listener]]\nprotocol = \"lmtp\"\naddress = \"[::]:24\"\nproxy = true\n";
    EXPECT_EQ(with(kBehind), "c.toml:9: 'proxy': needs trust.proxy: nobody could connect\n");
    EXPECT_EQ(with(std::string("[trust]\nproxy = [\"192.0.2.1\"]\n") + kBehind), "");
    EXPECT_EQ(with("[trust]\nproxy = [\"192.0.2.1\"]\n[[listener]]\nprotocol = \"lmtp\"\n"
                   "address = \"unix:/run/lmtp\"\nproxy = true\n"),
              "c.toml:11: 'proxy': is only possible with an IP address\n");
}

TEST(ConfigCheck, logins_need_a_certificate) {
    EXPECT_EQ(with("[[listener]]\nprotocol = \"imap\"\naddress = \"[::]:143\"\n"),
              "c.toml: there is no [[certificate]], and logins are only taken over TLS\n");
}

TEST(ConfigCheck, dns_and_tls_must_make_sense) {
    EXPECT_EQ(with("[resolver]\nrecursive = true\nforward_to = [\"127.0.0.1:53\"]\n"),
              "c.toml:7: 'resolver.recursive': has no meaning together with resolver.forward_to\n");
    EXPECT_EQ(with("[[zone]]\ndomain = \"a.test\"\n"), "c.toml:6: 'servers': is missing\n");
    EXPECT_EQ(with("[[zone]]\ndomain = \"a.test\"\nservers = [\"nowhere\"]\n"),
              "c.toml:8: 'servers': expected \"address:port\", found \"nowhere\"\n");
    EXPECT_EQ(with("[[zone]]\ndomain = \"a.test\"\nservers = [\"[::1]:53\"]\n"), "");
    EXPECT_EQ(with("[[tls_policy]]\ndomain = \"a.test\"\nmode = \"fingerprint\"\n"),
              "c.toml:6: 'fingerprints': is missing\n");
    EXPECT_EQ(with("[[tls_policy]]\ndomain = \"*.a.test\"\nmode = \"dane\"\n"), "");
    EXPECT_EQ(with("[[tls_policy]]\ndomain = \"a.test\"\nmode = \"fingerprint\"\n"
                   "fingerprints = [\"00ff\"]\n"),
              "c.toml:9: 'fingerprints': expected 64 hexadecimal digits, found \"00ff\"\n");
    EXPECT_EQ(with("[[web_host]]\nhost = \"mta-sts.a.test\"\naddress = \"127.0.0.1:8443\"\n"), "");
}

TEST(ConfigCheck, routes_must_make_sense) {
    EXPECT_EQ(with("[[route]]\ndomain = \"a.test\"\n"), "c.toml:6: 'host': is missing\n");
    EXPECT_EQ(with("[[route]]\ndomain = \"a.test\"\nkind = \"discard\"\nhost = \"h.test\"\n"),
              "c.toml:9: 'host': has no meaning for this kind of route\n");
    EXPECT_EQ(
        with("[[route]]\ndomain = \"*\"\nhost = \"h.test\"\nusername = \"u\"\npassword = \"p\"\n"),
        "c.toml:6: 'tls': must be \"required\" or \"implicit\" where a password is sent\n");
    EXPECT_EQ(with("[[route]]\ndomain = \"*\"\nhost = \"h.test\"\naccepts_from_outside = true\n"),
              "c.toml:9: 'accepts_from_outside': must not be set for \"*\": that would be an open "
              "relay\n");
    EXPECT_EQ(with("[[route]]\ndomain = \"a.test\"\nkind = \"hold\"\n"
                   "[[route]]\ndomain = \"a.test\"\nkind = \"hold\"\n"),
              "c.toml:10: 'domain': has two routes: \"a.test\"\n");
}

TEST(ConfigCheck, relay_domains_must_make_sense) {
    const auto one = [](std::string_view row) {
        return with("[[relay_domain]]\n" + std::string(row));
    };
    EXPECT_EQ(one("domain = \"a.test\"\nhold = true\nlifetime = \"30 days\"\n"
                  "recipients = [\"x@a.test\"]\nnetworks = [\"192.0.2.0/24\"]\n"
                  "accounts = [\"ann\"]\nqueue = \"branch\"\n"),
              "");
    EXPECT_EQ(one("hold = true\n"), "c.toml:6: 'domain': is missing\n");
    EXPECT_EQ(one("domain = \"*\"\n"),
              "c.toml:7: 'domain': must not be \"*\": that would be an open relay\n");
    EXPECT_EQ(one("domain = \"a.test\"\n[[relay_domain]]\ndomain = \"A.test\"\n"),
              "c.toml:9: 'domain': is there twice: \"A.test\"\n");
    EXPECT_EQ(one("domain = \"a.test\"\nrecipients = [\"x@b.test\"]\n"),
              "c.toml:8: 'recipients': expected addresses of a.test, found \"x@b.test\"\n");
    EXPECT_EQ(one("domain = \"a.test\"\nhold = true\nverify = true\n"),
              "c.toml:9: 'verify': does not go with hold: its server is not always there\n");
    EXPECT_EQ(one("domain = \"a.test\"\nqueue = \"a b\"\n"),
              "c.toml:8: 'queue': expected a word, found \"a b\"\n");
    EXPECT_NE(one("domain = \"a.test\"\nnetworks = [\"192.0.2.1/24\"]\n"), "");
    EXPECT_NE(one("domain = \"a.test\"\nunverified = \"maybe\"\n"), "");
}

TEST(ConfigCheck, routes_by_sender_recipient_and_look_up) {
    EXPECT_EQ(with("[[route]]\nsender = \"news.test\"\nlookup = \"mx\"\n"
                   "[[route]]\nrecipient = \"a@b.test\"\nkind = \"lmtp\"\nhost = \"unix:/run/l\"\n"
                   "[[route]]\ndomain = \"c.test\"\nlookup = \"srv\"\nhost = \"_s._tcp.c.test\"\n"
                   "fallback = [\"d.test\", \"[2001:db8::1]:587\"]\n"),
              "");
    const auto one = [](std::string_view row) { return with("[[route]]\n" + std::string(row)); };
    EXPECT_EQ(one("host = \"h.test\"\n"), "c.toml:6: 'domain': is missing\n");
    EXPECT_EQ(one("domain = \"a.test\"\nrecipient = \"x@a.test\"\nhost = \"h.test\"\n"),
              "c.toml:8: 'recipient': takes the place of domain: give one of them\n");
    EXPECT_EQ(one("recipient = \"a.test\"\nhost = \"h.test\"\n"),
              "c.toml:7: 'recipient': expected an address, found \"a.test\"\n");
    EXPECT_EQ(one("sender = \"a@\"\nhost = \"h.test\"\n"),
              "c.toml:7: 'sender': expected an address, found \"a@\"\n");
    EXPECT_EQ(one("sender = \"a.test\"\nhost = \"h.test\"\naccepts_from_outside = true\n"),
              "c.toml:9: 'accepts_from_outside': is only possible with a domain alone\n");
    EXPECT_EQ(one("domain = \"a.test\"\nhost = \"unix:/run/x\"\n"),
              "c.toml:8: 'host': a socket is \"unix:/path\", and for kind \"lmtp\" alone\n");
    EXPECT_EQ(one("domain = \"a.test\"\nhost = \"192.0.2.1\"\nlookup = \"mx\"\n"),
              "c.toml:9: 'lookup': an address is not looked up\n");
    EXPECT_EQ(one("domain = \"a.test\"\nhost = \"_s._tcp.a.test\"\nlookup = \"srv\"\nport = 26\n"),
              "c.toml:10: 'port': comes with the SRV records\n");
    EXPECT_EQ(one("domain = \"a.test\"\nhost = \"h.test\"\nfallback = [\"x:0\"]\n"),
              "c.toml:9: 'fallback': expected \"host\" or \"host:port\", found \"x:0\"\n");
    EXPECT_EQ(one("domain = \"a.test\"\nhost = \"h.test\"\negress = [\"e\"]\n"),
              "c.toml:9: 'egress': there is no [[egress]] \"e\"\n");
    EXPECT_EQ(one("domain = \"*\"\nlookup = \"mx\"\ntls = \"required\"\nusername = \"u\"\n"
                  "password = \"p\"\n"),
              "c.toml:10: 'username': would be sent to the servers of every domain: set host\n");
}

TEST(ConfigCheck, egress_and_outbound) {
    EXPECT_EQ(with("[outbound]\nfallback = [\"f.test:587\"]\nown_addresses = [\"192.0.2.7\"]\n"
                   "[[egress]]\nname = \"a\"\nipv4 = \"192.0.2.1\"\nhello = \"a.test\"\n"
                   "sender_domains = [\"*.b.test\"]\n"),
              "");
    EXPECT_EQ(with("[outbound]\nown_addresses = [\"mx.test\"]\n"),
              "c.toml:7: 'outbound.own_addresses': expected an IP address, found \"mx.test\"\n");
    EXPECT_EQ(with("[[egress]]\nname = \"a\"\nipv4 = \"::1\"\n"),
              "c.toml:8: 'ipv4': expected an IPv4 address, found \"::1\"\n");
    EXPECT_EQ(with("[[egress]]\nname = \"a\"\n"),
              "c.toml:7: 'name': says neither an address nor a hello name\n");
    EXPECT_EQ(with("[[egress]]\nhello = \"a.test\"\n"), "c.toml:6: 'name': is missing\n");
    EXPECT_EQ(with("[[egress]]\nname = \"a\"\nipv6 = \"::1\"\n"
                   "[[route]]\ndomain = \"*\"\nhost = \"h.test\"\negress = [\"a\"]\n"
                   "families = \"ipv4\"\n"),
              "c.toml:13: 'families': leaves no address of [[egress]] \"a\"\n");
}

TEST(ConfigCheck, providers) {
    EXPECT_EQ(with("[[provider]]\nname = \"big\"\nmx = [\"mx.big.test\"]\nconnections = 3\n"), "");
    EXPECT_EQ(with("[[provider]]\nname = \"big\"\n"), "c.toml:6: 'mx': is missing\n");
    EXPECT_EQ(with("[[provider]]\nname = \"big\"\nmx = [\"a b\"]\n"),
              "c.toml:8: 'mx': expected a host name, found \"a b\"\n");
}

TEST(ConfigCheck, sizes_and_times_must_fit_each_other) {
    EXPECT_EQ(with("[storage]\ndisk_critical = \"500 MiB\"\n"),
              "c.toml:7: 'storage.disk_critical': must not be more than storage.disk_low\n");
    EXPECT_EQ(with("[retry]\nlifetime = \"2 hours\"\n"),
              "c.toml: 'retry.delay_notice_after': must not be more than retry.lifetime\n");
}

class Certificates : public ::testing::Test {
protected:
    Certificates()
        : folder_(std::filesystem::temp_directory_path() /
                  ("godwit-config-" + std::to_string(::getpid()))) {
        std::filesystem::create_directories(folder_);
        write("a");
        write("b");
    }
    ~Certificates() override { std::filesystem::remove_all(folder_); }
    void write(const std::string& name) {
        const auto made =
            net::make_self_signed({"mx.example.org"}, system_clock().wall(), std::chrono::days(2));
        ASSERT_TRUE(made);
        ASSERT_TRUE(write_file(path(name + ".pem"), made->chain_pem, 0600));
        ASSERT_TRUE(write_file(path(name + ".key"), made->key_pem, 0600));
    }
    std::string path(const std::string& name) const { return (folder_ / name).string(); }
    std::string check(const std::string& certificate, const std::string& key) {
        return with("[[certificate]]\ncertificate_file = \"" + path(certificate) +
                    "\"\nkey_file = \"" + path(key) + "\"\n");
    }

private:
    std::filesystem::path folder_;
};

TEST_F(Certificates, must_be_there_and_match_their_key) {
    EXPECT_EQ(check("a.pem", "a.key"), "");
    EXPECT_TRUE(check("a.pem", "b.key").starts_with("c.toml:7: 'certificate_file': "));
    EXPECT_TRUE(check("none.pem", "a.key").starts_with("c.toml:7: 'certificate_file': "));
    EXPECT_EQ(with("[[certificate]]\ncertificate_file = \"x\"\n"),
              "c.toml:6: 'key_file': is missing\n");
}

}  // namespace
}  // namespace godwit::app
