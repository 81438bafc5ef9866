#include "wire/imap/metadata.h"

#include <gtest/gtest.h>

namespace godwit::imap {
namespace {

using enum NameSpelling;

auto get(std::string_view text) {
    Lexer lexer(text);
    return parse_get_metadata(lexer, Utf7);
}
auto set(std::string_view text) {
    Lexer lexer(text);
    return parse_set_metadata(lexer, Utf7);
}

TEST(Metadata, Rfc5464_get_with_options_in_both_places) {
    const auto plain = get(" INBOX /shared/Comment");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->mailbox->name, "INBOX");
    EXPECT_EQ(plain->entries, std::vector<std::string>{"/shared/comment"});
    EXPECT_FALSE(get(" \"\" /private/comment")->mailbox);
    EXPECT_FALSE(get(" {0+}\r\n /private/comment")->mailbox);
    for (const char* text : {" (MAXSIZE 10 DEPTH 1) INBOX (/shared/a /private/b)",
                             " INBOX (DEPTH 1 MAXSIZE 10) (/shared/a /private/b)"}) {
        const auto both = get(text);
        ASSERT_TRUE(both) << text;
        EXPECT_EQ(both->max_size, 10U);
        EXPECT_EQ(both->depth, MetadataDepth::One);
        EXPECT_EQ(both->entries.size(), 2U);
    }
    EXPECT_EQ(get(" (DEPTH infinity) INBOX /private")->depth, MetadataDepth::Infinity);
    for (const char* bad :
         {" INBOX", " INBOX ()", " (DEPTH 2) INBOX /shared/a", " (SIZE 1) INBOX /shared/a",
          " INBOX /comment", " INBOX /shared/a/", " INBOX /shared//a", " INBOX \"/shared/*\"",
          " INBOX /shared/a /shared/b"}) {
        EXPECT_FALSE(get(bad)) << bad;
    }
}

TEST(Metadata, Rfc5464_set_adds_and_removes) {
    const auto two = set(" INBOX (/private/comment \"a\" /shared/comment NIL)");
    ASSERT_TRUE(two);
    EXPECT_EQ(two->entries.at(0).second, "a");
    EXPECT_EQ(two->entries.at(1).second, std::nullopt);
    EXPECT_EQ(set(" INBOX (/private/vendor/x/y ~{3+}\r\na\nb)")->entries.at(0).second, "a\nb");
    for (const char* bad : {" INBOX /private/comment \"a\"", " INBOX ()", " INBOX (/private \"a\")",
                            " INBOX (/shared/vendor/x \"a\")", " INBOX (/shared/vendor \"a\")",
                            " INBOX (/shared/comment)", " INBOX (/shared/a atom)"}) {
        EXPECT_FALSE(set(bad)) << bad;
    }
}

TEST(Metadata, Entries_and_names_at_minus_one_zero_plus_one) {
    const auto many = [](std::size_t count) {
        std::string text = " INBOX (/shared/a";
        for (std::size_t i = 1; i < count; ++i) {
            text += " /shared/a";
        }
        return get(text + ")").has_value();
    };
    EXPECT_TRUE(many(metadata_entries_max - 1));
    EXPECT_TRUE(many(metadata_entries_max));
    EXPECT_FALSE(many(metadata_entries_max + 1));
    const auto named = [](std::size_t size) {
        return set(" INBOX (/shared/" + std::string(size - 8, 'a') + " \"x\")").has_value();
    };
    EXPECT_TRUE(named(metadata_entry_size_max - 1));
    EXPECT_TRUE(named(metadata_entry_size_max));
    EXPECT_FALSE(named(metadata_entry_size_max + 1));
}

TEST(Metadata, Rfc5464_depth) {
    using enum MetadataDepth;
    EXPECT_TRUE(is_within("/shared/a", "/shared/a", Zero));
    EXPECT_FALSE(is_within("/shared/a/b", "/shared/a", Zero));
    EXPECT_TRUE(is_within("/shared/a/b", "/shared/a", One));
    EXPECT_FALSE(is_within("/shared/a/b/c", "/shared/a", One));
    EXPECT_TRUE(is_within("/shared/a/b/c", "/shared/a", Infinity));
    EXPECT_FALSE(is_within("/shared/ab", "/shared/a", Infinity));
}

}  // namespace
}  // namespace godwit::imap
