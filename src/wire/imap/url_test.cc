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

std::string shown_server(std::string_view url) {
    const Result<ServerUrl> parsed = parse_server_url(url);
    if (!parsed) {
        return "bad";
    }
    constexpr std::string_view kAccess[] = {"submit", "user", "authuser", "anonymous"};
    std::string out = parsed->user + "@" + parsed->host + " " + parsed->message.mailbox + " " +
                      std::to_string(parsed->message.uid) + to_string(parsed->message.section);
    out += parsed->expire ? " until " + std::to_string(*parsed->expire) : "";
    out += parsed->access ? " for " + std::string(kAccess[static_cast<int>(*parsed->access)]) : "";
    out += parsed->access_user.empty() ? "" : "+" + parsed->access_user;
    out += " rump " + std::to_string(url.size() - parsed->rump_size);
    if (parsed->verifier) {
        out += " by " + parsed->verifier->mechanism + " " +
               std::to_string(parsed->verifier->token.size());
    }
    return out;
}

// RFC 4467 7 has the examples of "joe".
TEST(Url, Of_a_server_and_whoever_may_have_it) {
    const std::string token = "91354a473744909de610943775f92038";
    EXPECT_EQ(shown_server("imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred"),
              "joe@example.com INBOX 20[1.2] for submit+fred rump 0");
    EXPECT_EQ(shown_server("imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred"
                           ":internal:" +
                           token),
              "joe@example.com INBOX 20[1.2] for submit+fred rump 42 by internal 16");
    EXPECT_EQ(shown_server("IMAP://a%40b;AUTH=*@h:143/x;UIDVALIDITY=7/;UID=1;EXPIRE="
                           "2026-11-23T16:00:00Z;URLAUTH=authuser"),
              "a@b@h:143 x 1[] until 1795449600 for authuser rump 0");
    EXPECT_EQ(shown_server("imap://h/x/;UID=1/;PARTIAL=0.5;URLAUTH=anonymous"),
              "@h x 1[] for anonymous rump 0");
    EXPECT_EQ(shown_server("imap://joe@h/x/;UID=1;URLAUTH=user+a%40b"),
              "joe@h x 1[] for user+a@b rump 0");
    EXPECT_EQ(shown_server("imap://joe@h/x/;UID=1"), "joe@h x 1[] rump 0");
}

TEST(Url, Of_a_server_that_is_none) {
    const std::string token = "91354a473744909de610943775f92038";
    const std::string good = "imap://joe@h/x/;UID=1";
    for (const std::string& bad : {std::string(),
                                   std::string("imap://"),
                                   std::string("imap://joe@h"),
                                   std::string("imap://joe@h/"),
                                   std::string("imap://joe@h/x"),
                                   std::string("imap://joe@/x/;UID=1"),
                                   std::string("imap:///x/;UID=1"),
                                   std::string("imap://h h/x/;UID=1"),
                                   std::string("http://joe@h/x/;UID=1"),
                                   std::string("/x/;UID=1"),
                                   std::string("imap://joe@h/x;URLAUTH=anonymous"),
                                   std::string("imap://jo%e@h/x/;UID=1"),
                                   good + ";URLAUTH=",
                                   good + ";URLAUTH=submit+",
                                   good + ";URLAUTH=submit",
                                   good + ";URLAUTH=user+%4",
                                   good + ";URLAUTH=friend+joe",
                                   good + ";EXPIRE=2026-11-23T16:00:00Z",
                                   good + ";EXPIRE=soon;URLAUTH=anonymous",
                                   good + ";EXPIRE=;URLAUTH=anonymous",
                                   good + ";URLAUTH=anonymous:",
                                   good + ";URLAUTH=anonymous:internal",
                                   good + ";URLAUTH=anonymous:internal:",
                                   good + ";URLAUTH=anonymous::" + token,
                                   good + ";URLAUTH=anonymous:in ternal:" + token,
                                   good + ";URLAUTH=anonymous:internal:" + token.substr(2),
                                   good + ";URLAUTH=anonymous:internal:" + token + "x",
                                   good + ";URLAUTH=anonymous:internal:" + token + ";UID=2",
                                   good + ";URLAUTH=anonymous;EXPIRE=2026-11-23T16:00:00Z"}) {
        EXPECT_EQ(shown_server(bad), "bad") << bad;
    }
    EXPECT_NE(shown_server(good + ";URLAUTH=anonymous:internal:" + token), "bad");
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
