// The configuration file: keys, types, origins, messages.
#include "app/config.h"

#include <gtest/gtest.h>

#include "app/file.h"

namespace godwit::app {
namespace {

constexpr std::string_view kSample = R"(hostname = "mx.example.org"
default_domain = "example.org"
data_folder = "/srv/mail"

[limits]
message_size = "20 MiB"
recipients = 200

[trace]
keep = "7 days"

[[listener]]
protocol = "smtp"
address = "[::]:25"

[[listener]]
protocol = "imaps"
address = "[::]:993"

[[route]]
domain = "*"
kind = "smtp"
host = "relay.example.net"
port = 587
tls = "required"
username = "mx"
password = "hunter2"
)";

std::string problems(std::string_view text) {
    return show_problems(parse_config(text, "c.toml"));
}

TEST(Config, whole_sample_is_read) {
    const Config config = parse_config(kSample, "c.toml");
    ASSERT_EQ(show_problems(config), "");
    EXPECT_EQ(config.settings.hostname, "mx.example.org");
    EXPECT_EQ(config.settings.limits.message_size, 20U * 1024 * 1024);
    EXPECT_EQ(config.settings.trace_keep_days, 7U);
    ASSERT_EQ(config.settings.listeners.size(), 2U);
    EXPECT_EQ(config.settings.listeners[1].protocol, flow::Protocol::Imaps);
    ASSERT_EQ(config.settings.routes.size(), 1U);
    EXPECT_EQ(config.settings.routes[0].port, 587);
    EXPECT_EQ(config.settings.routes[0].tls, flow::RouteSettings::Tls::Required);
    EXPECT_EQ(config.origin("limits.recipients").line, 7U);
    EXPECT_EQ(config.origin("limits.connections").kind, OriginKind::Default);
    EXPECT_EQ(config.origin("listener[1].address").line, 18U);
}

TEST(Config, letters_outside_quotes_are_an_error_with_its_line) {
    for (const std::string_view wrong :
         {"\n\xC3\xA9 = 1\n", "\nhostname =\xC2\xA1\n", "\nh = 2mm\xD2\x9F\n",
          "\nhostname = \"a\" \xE3\x80\x82\n"}) {
        EXPECT_NE(problems(wrong).find("c.toml:2"), std::string::npos) << wrong;
    }
    EXPECT_NE(problems("[[~route]]\n"), "");
    EXPECT_EQ(problems("hostname = \"\"\"a\\\n\xC3\xA9\"\"\"\n").find("c.toml:2"),
              std::string::npos);
}

TEST(Config, misspelt_key_names_line_and_nearest) {
    EXPECT_EQ(problems("hostname = \"a.b\"\nhostnme = \"c\"\n"),
              "c.toml:2: unknown key 'hostnme'; did you mean 'hostname'?\n");
    EXPECT_EQ(problems("[limits]\nmesage_size = 1\n"),
              "c.toml:2: unknown key 'limits.mesage_size'; did you mean 'limits.message_size'?\n");
    EXPECT_EQ(problems("message_size = 1\n"),
              "c.toml:1: unknown key 'message_size'; did you mean 'limits.message_size'?\n");
    EXPECT_EQ(problems("[[listenr]]\nprotocol = \"smtp\"\n"),
              "c.toml:1: unknown key 'listenr'; did you mean 'listener'?\n");
    EXPECT_EQ(problems("[[listener]]\nadress = \"[::]:25\"\n"),
              "c.toml:2: unknown key 'adress'; did you mean 'address'? (in [[listener]])\n");
    EXPECT_EQ(problems("xylophone = 1\n"), "c.toml:1: unknown key 'xylophone'\n");
}

TEST(Config, single_brackets_are_explained) {
    EXPECT_EQ(problems("[listener]\naddress = \"x\"\n"),
              "c.toml:2: 'listener' stands in double brackets: [[listener]]\n");
}

TEST(Config, wrong_type_names_expected_and_found) {
    EXPECT_EQ(problems("hostname = 3\n"),
              "c.toml:1: 'hostname': expected text in quotes, found number 3\n");
    EXPECT_EQ(problems("[limits]\nrecipients = \"many\"\n"),
              "c.toml:2: 'limits.recipients': expected a whole number, found text \"many\"\n");
    EXPECT_EQ(
        problems("[retry]\nlifetime = 5\n"),
        "c.toml:2: 'retry.lifetime': expected a time such as \"5 minutes\", found number 5\n");
    EXPECT_EQ(problems("[resolver]\noff = 0.5\n"),
              "c.toml:2: 'resolver.off': expected true or false, found a number with a fraction\n");
    EXPECT_EQ(problems("[limits]\nrecipients = 5\n"),
              "c.toml:2: 'limits.recipients': expected a whole number from 100 to 100000, found "
              "number 5\n");
    EXPECT_EQ(
        problems("[[listener]]\nprotocol = \"smpt\"\n"),
        "c.toml:2: 'protocol': expected one of smtp, submission, submissions, lmtp, imap, imaps, "
        "pop3, pop3s, http, found text \"smpt\"; did you mean \"smtp\"?\n");
    EXPECT_EQ(problems("[storage]\ncache = \"1500 KiB\"\n"),
              "c.toml:2: 'storage.cache': expected a multiple of \"1 MiB\", found text \"1500 "
              "KiB\"\n");
}

TEST(Config, broken_toml_names_the_line) {
    const Config config = parse_config("a = 1\nb = = 2\n", "c.toml");
    ASSERT_EQ(config.problems.size(), 1U);
    EXPECT_EQ(config.problems[0].line, 2U);
}

TEST(Config, all_problems_are_told_in_order) {
    EXPECT_EQ(problems("zzz = 1\n[limits]\nrecipients = false\n"),
              "c.toml:1: unknown key 'zzz'\n"
              "c.toml:3: 'limits.recipients': expected a whole number, found false\n");
}

TEST(Config, command_line_wins_and_is_named) {
    Config config = parse_config(kSample, "c.toml");
    override_config(config, "limits.message_size=30 MiB");
    override_config(config, "resolver.off = true");
    ASSERT_EQ(show_problems(config), "");
    EXPECT_EQ(config.settings.limits.message_size, 30U * 1024 * 1024);
    EXPECT_TRUE(config.settings.resolver.is_off);
    EXPECT_EQ(config.origin("resolver.off").kind, OriginKind::CommandLine);
    override_config(config, "limits.recipient=3");
    EXPECT_EQ(show_problems(config),
              "c.toml: command line: unknown key 'limits.recipient'; did you mean "
              "'limits.recipients'?\n");
}

TEST(Config, effective_is_the_golden) {
    Config config = parse_config(kSample, "c.toml");
    override_config(config, "threads=2");
    std::string text = show_effective(config);
    // What comes from base/limits.h is another file's business.
    text.resize(text.find("\n# Fixed limits"));
    const auto golden = read_file(GODWIT_SOURCE_DIR "/tests/golden/config/effective.toml", 1 << 20);
    ASSERT_TRUE(golden);
    EXPECT_EQ(text, *golden);
    EXPECT_EQ(text.find("hunter2"), std::string::npos);
    EXPECT_EQ(show_effective_json(config).find("hunter2"), std::string::npos);
}

TEST(Config, effective_shows_every_fixed_limit) {
    const std::string text = show_effective(Config{});
    EXPECT_NE(text.find("# mime_depth_max = 50"), std::string::npos);
    EXPECT_NE(text.find("# imap_idle_timeout = 1860"), std::string::npos);
}

TEST(Config, effective_reads_back_as_the_same) {
    const Config config = parse_config(kSample, "c.toml");
    const Config again = parse_config(show_effective(config), "c.toml");
    EXPECT_EQ(show_problems(again), "");
    EXPECT_EQ(again.settings.limits.message_size, config.settings.limits.message_size);
    EXPECT_EQ(again.settings.listeners.size(), config.settings.listeners.size());
}

TEST(Config, sample_file_is_valid_and_changes_nothing) {
    const Config config = parse_config(sample_config(), "s.toml");
    EXPECT_EQ(show_problems(config), "");
    EXPECT_TRUE(config.origins.empty());
}

TEST(Config, reference_page_is_the_tables) {
    const auto page = read_file(GODWIT_SOURCE_DIR "/docs/operating/config.md", 1 << 20);
    ASSERT_TRUE(page);
    EXPECT_EQ(*page, config_reference())
        << "run: godwit config reference > docs/operating/config.md";
}

TEST(Config, restart_keys_are_found) {
    flow::Settings before;
    flow::Settings after;
    after.limits.recipients = 500;
    after.data_folder = "/elsewhere";
    EXPECT_EQ(keys_needing_restart(before, after), std::vector<std::string>{"data_folder"});
    after.zones = {{"corp.test", {"127.0.0.1:53"}, true}};
    EXPECT_EQ(keys_needing_restart(before, after),
              (std::vector<std::string>{"data_folder", "zone"}));
    keep_restart_keys(before, after);
    EXPECT_TRUE(keys_needing_restart(before, after).empty());
}

TEST(ConfigValues, durations_and_sizes_read_and_print) {
    EXPECT_EQ(parse_duration("5 days")->count(), 432000);
    EXPECT_EQ(parse_duration("90s")->count(), 90);
    EXPECT_EQ(parse_duration("4h")->count(), 14400);
    EXPECT_FALSE(parse_duration("5"));
    EXPECT_FALSE(parse_duration("-5 days"));
    EXPECT_FALSE(parse_duration("99999999999999999999 days"));
    EXPECT_EQ(show_duration(std::chrono::seconds(86400)), "1 day");
    EXPECT_EQ(show_duration(std::chrono::seconds(90)), "90 seconds");
    EXPECT_EQ(*parse_size("50 MiB"), 52428800U);
    EXPECT_EQ(*parse_size("512"), 512U);
    EXPECT_FALSE(parse_size("5 MB"));
    EXPECT_EQ(show_size(65536), "64 KiB");
}

}  // namespace
}  // namespace godwit::app
