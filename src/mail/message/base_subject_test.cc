#include "mail/message/base_subject.h"

#include <gtest/gtest.h>

namespace godwit::mail {
namespace {

TEST(BaseSubject, Rfc5256_what_is_removed) {
    const auto text = [](std::string_view subject) { return base_subject(subject).text; };
    EXPECT_EQ(text("Hello"), "Hello");
    EXPECT_EQ(text("Re: Hello"), "Hello");
    EXPECT_EQ(text("RE : re: Fwd:  Hello (fwd) (FWD) "), "Hello");
    EXPECT_EQ(text("[list] Re: [list] Hello"), "Hello");
    EXPECT_EQ(text("Re[2]: Hello"), "Hello");
    EXPECT_EQ(text("[Fwd: Re: Hello]"), "Hello");
    EXPECT_EQ(text("Hello\r\n\t there"), "Hello there");
    EXPECT_EQ(text("=?utf-8?q?Re:_Gr=C3=BC=C3=9Fe?="),
              "Gr\xc3\xbc\xc3\x9f"
              "e");
    // A blob that is all there is, is the subject.
    EXPECT_EQ(text("[list]"), "[list]");
    EXPECT_EQ(text("[a] [b] "), "[b]");
    EXPECT_EQ(text("Re: [list]"), "[list]");
    EXPECT_EQ(text(" a  b\tc "), "a b c");
    EXPECT_EQ(text("a b  "), "a b");
    EXPECT_EQ(text("Reply"), "Reply");
    EXPECT_EQ(text("fwdd: x"), "fwdd: x");
    EXPECT_EQ(text("[open Re: x"), "[open Re: x");
    EXPECT_EQ(text("Re:"), "");
    EXPECT_EQ(text(""), "");
}

TEST(BaseSubject, Rfc5256_what_makes_a_reply) {
    for (const char* subject : {"Re: a", "a (fwd)", "[fwd: a]", "fw: a", "[x] Fwd: a"}) {
        EXPECT_TRUE(base_subject(subject).is_reply) << subject;
    }
    for (const char* subject : {"a", "[x] a", "a [x]", "Regards"}) {
        EXPECT_FALSE(base_subject(subject).is_reply) << subject;
    }
}

TEST(BaseSubject, Long_ones_cost_their_length) {
    std::string blobs;
    std::string marks;
    for (int i = 0; i < 200'000; ++i) {
        blobs += "[a]";
        marks += "Re:";
    }
    EXPECT_EQ(base_subject(blobs).text, "[a]");
    EXPECT_EQ(base_subject(marks + "x").text, "x");
}

}  // namespace
}  // namespace godwit::mail
