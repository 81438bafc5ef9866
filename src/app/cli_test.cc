// The command line parser, over a table of its own.
#include "app/cli.h"

#include <gtest/gtest.h>

#include "app/file.h"

namespace godwit::app {
namespace {

struct Seen {
    std::string out;
    std::string err;
    int code = -1;
};
std::string last_run;

int note(const Invocation& call) {
    last_run = std::string(call.row().noun) + "." + std::string(call.row().verb);
    for (const std::string& argument : call.arguments()) {
        last_run.append(" ").append(argument);
    }
    for (const auto& [name, values] : call.options()) {
        for (const std::string& value : values) {
            last_run.append(" ").append(name).append("=").append(value);
        }
    }
    return 0;
}

constexpr ArgumentRow kAddress[] = {{"ADDRESS", "Whose."}};
constexpr ArgumentRow kAlias[] = {{"ADDRESS", "Which."}, {"TARGET", "Where to.", Occurs::Many}};
constexpr OptionRow kOptions[] = {{"--json", "", "As JSON."},
                                  {"--attach", "FILE", "A file.", Occurs::Many},
                                  {"--quota", "SIZE", "How much."}};
constexpr OptionRow kMust[] = {{"--to", "ADDRESS", "To whom.", Occurs::Once}};
constexpr CommandRow kTable[] = {
    {"account", "add", "Adds an account.", kAddress, kOptions, note},
    {"account", "remove", "Removes an account.", kAddress, {}, note},
    {"alias", "add", "Adds an alias.", kAlias, {}, note},
    {"send", "", "Sends.", {}, kMust, note},
};

Seen run(std::vector<std::string> words) {
    Seen seen;
    last_run.clear();
    const Console console{.out = [&](std::string_view text) { seen.out.append(text); },
                          .err = [&](std::string_view text) { seen.err.append(text); },
                          .input = {},
                          .password = {}};
    seen.code = run_command_line(kTable, words, console);
    return seen;
}

TEST(Cli, options_may_stand_anywhere) {
    EXPECT_EQ(
        run({"account", "add", "--json", "a@b.c", "--quota=5", "--attach", "x", "--attach=y"}).code,
        0);
    EXPECT_EQ(last_run, "account.add a@b.c --attach=x --attach=y --json= --quota=5");
}

TEST(Cli, double_dash_ends_options) {
    EXPECT_EQ(run({"account", "remove", "--", "--odd@b.c"}).code, 0);
    EXPECT_EQ(last_run, "account.remove --odd@b.c");
}

TEST(Cli, many_arguments_are_taken_by_the_last) {
    EXPECT_EQ(run({"alias", "add", "a", "b", "c"}).code, 0);
    EXPECT_EQ(last_run, "alias.add a b c");
    EXPECT_EQ(run({"alias", "add", "a"}).err,
              "godwit: alias add: missing TARGET\nusage: godwit alias add ADDRESS TARGET...\n");
}

TEST(Cli, unknown_words_suggest_the_nearest) {
    EXPECT_EQ(run({"acount", "add"}).err,
              "godwit: unknown command 'acount'; did you mean 'account'?\n");
    EXPECT_EQ(run({"account", "ad", "x"}).err,
              "godwit: unknown account command 'ad'; did you mean 'add'?\n");
    const Seen seen = run({"account", "add", "x", "--jsn"});
    EXPECT_EQ(seen.code, kExitUsage);
    EXPECT_TRUE(seen.err.starts_with(
        "godwit: account add: unknown option '--jsn'; did you mean '--json'?\n"));
}

TEST(Cli, wrong_use_is_said_precisely) {
    EXPECT_TRUE(run({"account", "add"}).err.starts_with("godwit: account add: missing ADDRESS\n"));
    EXPECT_TRUE(run({"account", "add", "a", "b"})
                    .err.starts_with("godwit: account add: unexpected argument 'b'\n"));
    EXPECT_TRUE(run({"account", "add", "a", "--quota"})
                    .err.starts_with("godwit: account add: --quota needs a value (SIZE)\n"));
    EXPECT_TRUE(run({"account", "add", "a", "--json=1"})
                    .err.starts_with("godwit: account add: --json takes no value\n"));
    EXPECT_TRUE(run({"account", "add", "a", "--json", "--json"})
                    .err.starts_with("godwit: account add: --json is given twice\n"));
    EXPECT_TRUE(run({"send"}).err.starts_with("godwit: send: missing --to ADDRESS\n"));
    EXPECT_TRUE(last_run.empty());
}

TEST(Cli, help_is_for_all_a_noun_or_a_command) {
    EXPECT_EQ(run({}).code, kExitUsage);
    EXPECT_NE(run({"help"}).out.find("account remove"), std::string::npos);
    EXPECT_EQ(run({"help", "alias"}).out.find("account"), std::string::npos);
    const Seen seen = run({"account", "add", "--help"});
    EXPECT_EQ(seen.code, kExitDone);
    EXPECT_TRUE(seen.out.starts_with(
        "usage: godwit account add ADDRESS [--json] [--attach FILE]... [--quota SIZE]\n"));
    EXPECT_EQ(run({"account"}).code, kExitUsage);
    EXPECT_EQ(run({"account", "--help"}).code, kExitDone);
}

TEST(Cli, documentation_is_the_table) {
    const auto page = read_file(GODWIT_SOURCE_DIR "/docs/operating/cli.md", 1 << 20);
    ASSERT_TRUE(page);
    EXPECT_TRUE(page->ends_with("## Commands\n\n" + command_reference(command_table())))
        << "put the output of `godwit help reference` behind \"## Commands\"";
}

TEST(Cli, exit_codes_follow_the_error) {
    EXPECT_EQ(exit_code_of({ErrorKind::Peer, ErrorCode::NotFound, ""}), kExitRefused);
    EXPECT_EQ(exit_code_of({ErrorKind::Temporary, ErrorCode::DiskFull, ""}), kExitTemporary);
    EXPECT_EQ(exit_code_of({ErrorKind::Temporary, ErrorCode::Closed, ""}), kExitUnreachable);
}

}  // namespace
}  // namespace godwit::app
