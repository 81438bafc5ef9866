#include "wire/imap/acl.h"

#include <gtest/gtest.h>

namespace godwit::imap {
namespace {

Result<AclArguments> set_acl(std::string_view text) {
    Lexer lexer(text);
    return parse_set_acl(lexer, NameSpelling::Utf7);
}
Result<AclArguments> entry(std::string_view text) {
    Lexer lexer(text);
    return parse_acl_entry(lexer, NameSpelling::Utf7);
}

TEST(Acl, Set_replaces_adds_and_removes) {
    const auto plain = set_acl(" INBOX bob@example.test lrs");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->mailbox.name, "INBOX");
    EXPECT_EQ(plain->identifier, "bob@example.test");
    EXPECT_EQ(plain->mode, AclMode::Replace);
    EXPECT_EQ(plain->rights, "lrs");
    EXPECT_EQ(set_acl(" a b +x")->mode, AclMode::Add);
    EXPECT_EQ(set_acl(" a b +x")->rights, "x");
    EXPECT_EQ(set_acl(" a b -x")->mode, AclMode::Remove);
    EXPECT_EQ(set_acl(" a b \"\"")->rights, "");
    EXPECT_EQ(set_acl(" a \"b c\" \"lr\"")->identifier, "b c");
}

TEST(Acl, What_is_no_command) {
    for (const char* text :
         {"", " ", " a", " a b", " a b ", " a b lr x", " a b (lr)", " a \"\" lr", " (a) b lr"}) {
        EXPECT_FALSE(set_acl(text)) << text;
    }
    EXPECT_TRUE(entry(" a b"));
    for (const char* text : {"", " a", " a b lr", " a \"\"", " a \"\x01\""}) {
        EXPECT_FALSE(entry(text)) << text;
    }
}

TEST(Acl, Identifiers_are_bounded) {
    const auto of = [](std::size_t size) { return " a " + std::string(size, 'b'); };
    EXPECT_TRUE(entry(of(acl_identifier_size_max - 1)));
    EXPECT_TRUE(entry(of(acl_identifier_size_max)));
    EXPECT_FALSE(entry(of(acl_identifier_size_max + 1)));
}

}  // namespace
}  // namespace godwit::imap
