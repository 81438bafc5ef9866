#include "wire/imap/multisearch.h"

#include <gtest/gtest.h>

namespace godwit::imap {
namespace {

Result<MultisearchArguments> parsed(std::string_view text) {
    Lexer lexer(text);
    return parse_multisearch(lexer, NameSpelling::Utf7);
}

TEST(Multisearch, Rfc7377_sources) {
    const auto both = parsed(" IN (mailboxes \"folder1\" subtree (folder2 inbox)) unseen");
    ASSERT_TRUE(both);
    ASSERT_EQ(both->sources.size(), 2);
    EXPECT_EQ(both->sources[0].names, std::vector<std::string>{"folder1"});
    EXPECT_EQ(both->sources[1].source, SearchSource::Subtree);
    EXPECT_EQ(both->sources[1].names, (std::vector<std::string>{"folder2", "INBOX"}));
    EXPECT_TRUE(both->program.returns.is_given);
    EXPECT_TRUE(both->program.returns.all);
    EXPECT_FALSE(both->has_selected());
    EXPECT_EQ(parsed(" IN (subtree-one folder2) RETURN (COUNT) ALL")->sources[0].source,
              SearchSource::SubtreeOne);
    EXPECT_TRUE(parsed(" CHARSET UTF-8 1:100")->is_selected_alone());
    EXPECT_TRUE(parsed(" IN (selected personal) ALL")->has_selected());
    EXPECT_FALSE(parsed(" IN (selected personal) ALL")->is_selected_alone());
}

TEST(Multisearch, What_is_no_source_is_bad) {
    for (const char* bad : {"", " IN ALL", " IN () ALL", " IN (selected-delayed) ALL",
                            " IN (mailboxes) ALL", " IN (mailboxes ()) ALL", " IN (personal)",
                            " IN (personal ALL", " IN (personal  inboxes) ALL", " IN (folder) ALL",
                            " IN (personal (x y)) ALL", " RETURN (ALL) IN (personal) ALL"}) {
        EXPECT_FALSE(parsed(bad)) << bad;
    }
}

TEST(Multisearch, Save_is_for_the_selected_mailbox_alone) {
    EXPECT_TRUE(parsed(" RETURN (SAVE) ALL"));
    EXPECT_TRUE(parsed(" IN (selected) RETURN (SAVE) ALL"));
    EXPECT_FALSE(parsed(" IN (selected inboxes) RETURN (SAVE) ALL"));
}

TEST(Multisearch, Groups_and_names_at_minus_one_zero_plus_one) {
    const auto groups = [](std::size_t count) {
        std::string text = " IN (inboxes";
        for (std::size_t i = 1; i < count; ++i) {
            text += " inboxes";
        }
        return parsed(text + ") ALL").has_value();
    };
    EXPECT_TRUE(groups(multisearch_groups_max - 1));
    EXPECT_TRUE(groups(multisearch_groups_max));
    EXPECT_FALSE(groups(multisearch_groups_max + 1));
    const auto names = [](std::size_t count) {
        std::string text = " IN (mailboxes a subtree (a";
        for (std::size_t i = 2; i < count; ++i) {
            text += " a";
        }
        return parsed(text + ")) ALL").has_value();
    };
    EXPECT_TRUE(names(multisearch_names_max - 1));
    EXPECT_TRUE(names(multisearch_names_max));
    EXPECT_FALSE(names(multisearch_names_max + 1));
}

}  // namespace
}  // namespace godwit::imap
