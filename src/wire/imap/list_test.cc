#include "wire/imap/list.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "wire/imap/arguments.h"

namespace godwit::imap {
namespace {

using enum NameSpelling;

template <class Parse>
auto parse_named(std::string_view text, Parse parser) {
    Lexer lexer(text);
    return parser(lexer, Utf7);
}

TEST(ListArguments, Status) {
    const auto status = parse_named(" \"a b\" (MESSAGES unseen UIDNEXT)", parse_status);
    ASSERT_TRUE(status);
    EXPECT_EQ(status->items, 1 | 16 | 4);
    // One word is the beginning of another.
    const auto deleted = parse_named(" a (DELETED-STORAGE)", parse_status);
    ASSERT_TRUE(deleted);
    EXPECT_TRUE(has_item(deleted->items, StatusItem::DeletedStorage));
    EXPECT_FALSE(has_item(deleted->items, StatusItem::Deleted));
    EXPECT_FALSE(parse_named(" a ()", parse_status));
    EXPECT_FALSE(parse_named(" a (FOO)", parse_status));
    EXPECT_FALSE(parse_named(" a MESSAGES", parse_status));
}

TEST(ListArguments, Plain_and_extended) {
    const auto plain = parse_named(" \"\" *", parse_list);
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->reference, "");
    EXPECT_EQ(plain->patterns, std::vector<std::string>{"*"});
    EXPECT_FALSE(plain->extended);
    EXPECT_EQ(parse_named(" \"\" &ZeVnLIqe-/%", parse_list)->patterns.at(0), "日本語/%");
    EXPECT_EQ(parse_named(" \"\" \"\"", parse_list)->patterns.at(0), "");
    const auto use = parse_named(" (SPECIAL-USE) \"\" \"*\"", parse_list);
    ASSERT_TRUE(use);
    EXPECT_TRUE(use->select_special_use && use->return_special_use && use->extended);
    const auto both =
        parse_named(" () \"\" (\"INBOX\" \"Sent/%\") RETURN (CHILDREN SPECIAL-USE)", parse_list);
    ASSERT_TRUE(both);
    EXPECT_EQ(both->patterns.size(), 2U);
    EXPECT_TRUE(both->return_children && both->return_special_use);
    EXPECT_FALSE(parse_named(" \"\" ()", parse_list));
    EXPECT_FALSE(parse_named(" (FOO) \"\" *", parse_list));
    EXPECT_FALSE(parse_named(" \"\" * RETURN (FOO)", parse_list));
}

TEST(ListArguments, Rfc5258_recursivematch_is_never_alone) {
    EXPECT_FALSE(parse_named(" (RECURSIVEMATCH) \"\" *", parse_list));
    EXPECT_FALSE(parse_named(" (REMOTE RECURSIVEMATCH) \"\" *", parse_list));
    const auto both = parse_named(" (RECURSIVEMATCH SUBSCRIBED) \"\" *", parse_list);
    ASSERT_TRUE(both);
    EXPECT_TRUE(both->select_recursive && both->return_subscribed);
    EXPECT_TRUE(parse_named(" (REMOTE) \"\" *", parse_list));
}

TEST(ListArguments, Rfc5819_status_among_the_return_options) {
    const auto list =
        parse_named(" \"\" % RETURN (CHILDREN STATUS (MESSAGES SIZE) SUBSCRIBED)", parse_list);
    ASSERT_TRUE(list);
    EXPECT_EQ(list->return_status, 1 | 32);
    EXPECT_TRUE(list->return_children && list->return_subscribed);
    for (const char* bad : {" \"\" % RETURN (STATUS)", " \"\" % RETURN (STATUS ())",
                            " \"\" % RETURN (STATUS (NOTHING))", " (STATUS (MESSAGES)) \"\" %"}) {
        EXPECT_FALSE(parse_named(bad, parse_list)) << bad;
    }
}

TEST(ListArguments, Rfc9590_metadata_among_the_return_options) {
    const auto list =
        parse_named(" \"\" % RETURN (METADATA (\"/shared/a\" /private/b) CHILDREN)", parse_list);
    ASSERT_TRUE(list);
    EXPECT_EQ(list->return_metadata, (std::vector<std::string>{"/shared/a", "/private/b"}));
    EXPECT_TRUE(parse_named(" \"\" % RETURN (METADATA /shared/a)", parse_list));
    EXPECT_FALSE(parse_named(" \"\" % RETURN (METADATA)", parse_list));
    EXPECT_FALSE(parse_named(" \"\" % RETURN (METADATA (a))", parse_list));
}

TEST(ListArguments, Rfc6154_create_with_a_use) {
    const auto plain = parse_named(" a", parse_create);
    ASSERT_TRUE(plain);
    EXPECT_TRUE(plain->uses.empty());
    const auto used = parse_named(" \"a b\" (USE (\\Sent \\Archive))", parse_create);
    ASSERT_TRUE(used);
    EXPECT_EQ(used->uses, (std::vector<std::string>{"\\Sent", "\\Archive"}));
    EXPECT_TRUE(parse_named(" a (USE ())", parse_create));
    for (const char* bad :
         {" a (USE)", " a (USE (Sent))", " a (USE (\\Sent)", " a ()", " a (X (1))"}) {
        EXPECT_FALSE(parse_named(bad, parse_create)) << bad;
    }
}

}  // namespace
}  // namespace godwit::imap
