#include "mail/address/address_list.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace godwit::mail {
namespace {

// One line an entry: kind, name, route, mailbox, host.
std::string show(const AddressList& list) {
    std::string out;
    for (const ListedAddress& item : list.items) {
        switch (item.kind) {
            case ListedAddress::Kind::Mailbox:
                out +=
                    "[" + item.name + "|" + item.route + "|" + item.mailbox + "|" + item.host + "]";
                break;
            case ListedAddress::Kind::GroupStart: out += "{" + item.mailbox + ":"; break;
            case ListedAddress::Kind::GroupEnd: out += "}"; break;
        }
    }
    return out + (list.malformed ? "!" : "") + (list.truncated ? "+" : "");
}
std::string show(std::string_view body) {
    return show(parse_address_list(body));
}

TEST(AddressList, Usual_forms) {
    EXPECT_EQ(show("a@b.org"), "[||a|b.org]");
    EXPECT_EQ(show("Alice B <a@b.org>, <c@d>"), "[Alice B||a|b.org][||c|d]");
    EXPECT_EQ(show("\"B, Alice\" <a@b.org>"), "[B, Alice||a|b.org]");
    EXPECT_EQ(show("John Q. Public <a@b.org>"), "[John Q. Public||a|b.org]");
    EXPECT_EQ(show("=?utf-8?Q?J=C3=BC?= <a@b.org>"), "[=?utf-8?Q?J=C3=BC?=||a|b.org]");
    EXPECT_EQ(show("a@b.org (Alice (B) C)"), "[Alice (B) C||a|b.org]");
    EXPECT_EQ(show("Alice\r\n B\r\n\t<a@b.org>"), "[Alice B||a|b.org]");
    EXPECT_EQ(show(""), "");
    EXPECT_EQ(show(" , ,a@b.org,, "), "[||a|b.org]");
}

TEST(AddressList, Groups) {
    EXPECT_EQ(show("undisclosed-recipients:;"), "{undisclosed-recipients:}");
    EXPECT_EQ(show("My Team: a@b.org, C <c@d.org>; , e@f.org"),
              "{My Team:[||a|b.org][C||c|d.org]}[||e|f.org]");
    EXPECT_EQ(show("g: a@b.org"), "{g:[||a|b.org]}!");
}

TEST(AddressList, Obsolete_forms) {
    EXPECT_EQ(show("A <@x.org,@y.org:a@b.org>"), "[A|@x.org,@y.org|a|b.org]");
    EXPECT_EQ(show("a . b @ c . org"), "[||a.b|c.org]");
    EXPECT_EQ(show("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"),
              "[Pete||pete|silly.test]");
    EXPECT_EQ(show("\"a b\"@c.org"), "[||a b|c.org]");
    EXPECT_EQ(show("a@[192.0.2.1]"), "[||a|[192.0.2.1]]");
}

TEST(AddressList, Guessed_forms_are_marked) {
    EXPECT_EQ(show("John Doe"), "[||John Doe|]!");
    EXPECT_EQ(show("John Doe j@d.org"), "[John Doe||j|d.org]!");
    EXPECT_EQ(show("a@b.org; c@d.org"), "[||a|b.org][||c|d.org]!");
    EXPECT_EQ(show("A <a@b.org"), "[A||a|b.org]!");
    EXPECT_EQ(show("A <>"), "[A|||]!");
    EXPECT_EQ(show("a@b.org c@d.org"), "[||a|b.org]!");
    EXPECT_EQ(show("<a@b.org> <c@d.org>"), "[||a|b.org]!");
    EXPECT_EQ(show("a@b@c.org"), "[||a|b]!");
    EXPECT_EQ(show("[list] Bob <b@c.org>"), "[[list] Bob||b|c.org]!");
}

TEST(AddressList, Bounds) {
    std::string many;
    for (int i = 0; i < 5000; ++i) {
        many += "a@b.org,";
    }
    const AddressList list = parse_address_list(many);
    EXPECT_EQ(list.items.size(), limits::header_addresses_max);
    EXPECT_TRUE(list.truncated);
    EXPECT_EQ(show(std::string(100000, '(') + "a@b.org"), "");
    EXPECT_EQ(show(std::string(100000, '<')), show("<<"));
    (void)parse_address_list(std::string(100000, ':'));
    (void)parse_address_list("a@b (c\\");
}

TEST(AddressList, Entries_become_addresses_by_the_one_parser) {
    const AddressList list = parse_address_list("A <a@B.org>, broken");
    EXPECT_EQ(list.items[0].address().value().to_string(), "a@b.org");
    EXPECT_FALSE(list.items[1].address());
}

}  // namespace
}  // namespace godwit::mail
