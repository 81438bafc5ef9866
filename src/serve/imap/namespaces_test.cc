#include "serve/imap/namespaces.h"

#include <gtest/gtest.h>

namespace godwit::serve::imap_desk {
namespace {

void expect_split(std::string_view name, Whose whose, std::string_view owner,
                  std::string_view path) {
    const NameParts parts = split_name(name);
    EXPECT_EQ(parts.whose, whose) << name;
    EXPECT_EQ(parts.owner, owner) << name;
    EXPECT_EQ(parts.path, path) << name;
}

TEST(Namespaces, Names_in_parts) {
    expect_split("INBOX", Whose::Own, "", "INBOX");
    expect_split("Shared folder/a", Whose::Own, "", "Shared folder/a");
    expect_split("Other users2", Whose::Own, "", "Other users2");
    expect_split("a/Shared/b", Whose::Own, "", "a/Shared/b");
    expect_split("Shared", Whose::Shared, "", "");
    expect_split("Shared/a/b", Whose::Shared, "", "a/b");
    expect_split("Other users", Whose::OtherUser, "", "");
    expect_split("Other users/bob@x.test", Whose::OtherUser, "bob@x.test", "");
    expect_split("Other users/bob@x.test/a/b", Whose::OtherUser, "bob@x.test", "a/b");
    expect_split("Other users/b/ob@x.test/a", Whose::OtherUser, "b/ob@x.test", "a");
    expect_split("Other users/bob/a", Whose::OtherUser, "bob", "a");
    expect_split("Other users//a", Whose::OtherUser, "", "a");
}

TEST(Namespaces, Names_are_put_together_as_they_come_apart) {
    const std::string name = other_user_name("b/ob@x.test", "INBOX/a");
    EXPECT_EQ(name, "Other users/b/ob@x.test/INBOX/a");
    expect_split(name, Whose::OtherUser, "b/ob@x.test", "INBOX/a");
    EXPECT_EQ(other_user_name("bob@x.test", ""), "Other users/bob@x.test");
    EXPECT_EQ(shared_name("a"), "Shared/a");
    EXPECT_EQ(shared_name(""), "Shared");
}

}  // namespace
}  // namespace godwit::serve::imap_desk
