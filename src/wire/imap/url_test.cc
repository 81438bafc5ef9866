#include "wire/imap/url.h"

#include <gtest/gtest.h>

namespace godwit::imap {
namespace {

std::string shown(std::string_view url) {
    const Result<MessageUrl> parsed = parse_message_url(url);
    if (!parsed) {
        return "bad";
    }
    std::string out = parsed->mailbox + " ";
    out += parsed->uid_validity ? std::to_string(*parsed->uid_validity) + " " : "";
    out += std::to_string(parsed->uid) + to_string(parsed->section);
    if (parsed->partial) {
        out += "<" + std::to_string(parsed->partial->origin) + "." +
               std::to_string(parsed->partial->count) + ">";
    }
    return out;
}

TEST(Url, Messages_and_pieces) {
    EXPECT_EQ(shown("/Drafts;UIDVALIDITY=385759045/;UID=20"), "Drafts 385759045 20[]");
    EXPECT_EQ(shown("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME"),
              "Drafts 385759045 20[1.MIME]");
    EXPECT_EQ(shown("/a/b/;uid=7/;SECTION=HEADER.FIELDS%20(Date%20From)"),
              "a/b 7[HEADER.FIELDS (Date From)]");
    EXPECT_EQ(shown("/inbox/;UID=7/;SECTION=TEXT/;PARTIAL=0.1024"), "INBOX 7[TEXT]<0.1024>");
    EXPECT_EQ(shown("/x/;UID=7/;PARTIAL=5"), "x 7[]<5.9223372036854775807>");
    EXPECT_EQ(shown(";UID=7/;SECTION=1"), " 7[1]");
    EXPECT_EQ(shown("/x/;UID=4294967295/"), "x 4294967295[]");
}

TEST(Url, Mailboxes_are_escaped_utf8) {
    EXPECT_EQ(shown("/Entw%C3%BCrfe/;UID=1"), "Entwürfe 1[]");
    EXPECT_EQ(shown("/a%3Bb%20c%2Fd/;UID=1"), "a;b c/d 1[]");
    EXPECT_EQ(shown("/R&D/;UID=1"), "R&D 1[]");
    for (const char* bad : {"/a%/;UID=1", "/a%4/;UID=1", "/a%zz/;UID=1", "/a b/;UID=1",
                            "/Entw\xc3\xbcrfe/;UID=1", "/%ff/;UID=1", "/a%00/;UID=1"}) {
        EXPECT_EQ(shown(bad), "bad") << bad;
    }
}

TEST(Url, What_names_no_message_of_this_session) {
    for (const char* bad : {"",
                            "/",
                            "x",
                            "/x",
                            "/x/",
                            "//host/x/;UID=1",
                            "imap://host/x/;UID=1",
                            "/x/;UID=",
                            "/x/;UID=0",
                            "/x/;UID=4294967296",
                            "/x/;UID=1x",
                            "/x/;UID=1/;SECTION=",
                            "/x/;UID=1/;SECTION=FOO",
                            "/x/;UID=1/;PARTIAL=",
                            "/x/;UID=1/;PARTIAL=0.0",
                            "/x/;UID=1/;PARTIAL=0.1/;SECTION=1",
                            "/x/;UID=1;EXPIRE=x",
                            "/x;UIDVALIDITY=/;UID=1",
                            "/x;UIDVALIDITY=1x/;UID=1",
                            "/x;FOO=1/;UID=1",
                            "/;UID=1",
                            "/x/;UID=1//"}) {
        EXPECT_EQ(shown(bad), "bad") << bad;
    }
}

TEST(Url, Size_at_minus_one_zero_plus_one) {
    const auto of_size = [](std::size_t size) {
        const std::string tail = "/x/;UID=1/;SECTION=HEADER.FIELDS%20(";
        return tail + std::string(size - tail.size() - 1, 'a') + ")";
    };
    EXPECT_NE(shown(of_size(url_size_max - 1)), "bad");
    EXPECT_NE(shown(of_size(url_size_max)), "bad");
    EXPECT_EQ(shown(of_size(url_size_max + 1)), "bad");
}

}  // namespace
}  // namespace godwit::imap
