#include "wire/imap/notify.h"

#include <gtest/gtest.h>

namespace godwit::imap {
namespace {

auto parse(std::string_view text) {
    Lexer lexer(text);
    return parse_notify(lexer, NameSpelling::Utf7);
}

TEST(Notify, Rfc5465_8_every_form) {
    EXPECT_TRUE(parse(" NONE")->is_none);
    const auto whole = parse(
        " SET STATUS (SELECTED-DELAYED (MessageNew (UID BODY[HEADER.FIELDS (FROM)]) MessageExpunge "
        "FlagChange)) (Subtree (Lists \"R&-D\") (MessageNew MessageExpunge)) (mailboxes INBOX "
        "(MailboxName)) (personal NONE) (inboxes (SubscriptionChange)) (subscribed "
        "(MailboxMetadataChange ServerMetadataChange))");
    ASSERT_TRUE(whole) << whole.error().text;
    EXPECT_TRUE(whole->status);
    EXPECT_TRUE(whole->selected->is_delayed);
    EXPECT_EQ(whole->selected->events, kMessageEvents);
    EXPECT_TRUE(whole->selected->fetch.uid);
    EXPECT_TRUE(whole->selected->fetch.bodies.at(0).peek);
    ASSERT_EQ(whole->groups.size(), 5U);
    EXPECT_EQ(whole->groups[0].names, (std::vector<std::string>{"Lists", "R&D"}));
    EXPECT_EQ(whole->groups[2].events, 0);
    EXPECT_FALSE(whole->has_unknown_event);
    // The examples of 3.1.
    EXPECT_TRUE(
        parse(" set (selected MessageNew (uid) MessageExpunge) (mailboxes misc MessageNew "
              "MessageExpunge)"));
    EXPECT_TRUE(parse(" SET (personal (AnnotationChange))")->has_unknown_event);
}

TEST(Notify, Rfc5465_5_what_is_bad) {
    for (const char* bad :
         {"", " ", " SET", " SET STATUS", " NONE x", " SET personal", " SET (personal)",
          " SET (personal ())", " SET (others NONE)", " SET (personal (MessageNew))",
          " SET (personal (MessageExpunge))", " SET (personal (FlagChange))",
          " SET (personal (MessageNew (UID) MessageExpunge))", " SET (selected (MailboxName))",
          " SET (selected NONE) (selected-delayed NONE)", " SET (subtree (MailboxName))",
          " SET (mailboxes () (MailboxName))",
          " SET (selected (MessageNew (NOSUCH) "
          "MessageExpunge))",
          " SET (personal NONE) "}) {
        EXPECT_EQ(parse(bad).has_value(), std::string_view(bad) == " SET (personal NONE) ") << bad;
    }
}

TEST(Notify, Groups_and_names_are_bounded) {
    std::string groups = " SET";
    for (std::size_t i = 0; i < notify_groups_max; ++i) {
        groups += " (personal NONE)";
    }
    EXPECT_TRUE(parse(groups));
    EXPECT_FALSE(parse(groups + " (personal NONE)"));
    std::string names = " SET (mailboxes (a";
    for (std::size_t i = 2; i < notify_names_max; ++i) {
        names += " a";
    }
    EXPECT_TRUE(parse(names + ") NONE)"));
    EXPECT_TRUE(parse(names + " b) NONE)"));
    EXPECT_FALSE(parse(names + " b c) NONE)"));
}

}  // namespace
}  // namespace godwit::imap
