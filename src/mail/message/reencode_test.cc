#include "mail/message/reencode.h"

#include <gtest/gtest.h>

#include "base/ascii.h"
#include "mail/text/transfer_encoding.h"

namespace godwit::mail {
namespace {

ReencodePlan plan_for(const std::string& message, const WireForm& form, std::size_t step) {
    const ParsedMessage parsed = parse_message(message);
    ReencodeSurvey survey(&parsed);
    for (std::size_t at = 0; at < message.size(); at += step) {
        survey.feed(std::string_view(message).substr(at, step));
    }
    return survey.finish(form);
}

std::string write(const std::string& message, const ReencodePlan& plan, std::size_t step) {
    Reencoder encoder(&plan);
    std::string all;
    for (std::size_t at = 0; at < message.size(); at += step) {
        std::string piece;
        encoder.feed(std::string_view(message).substr(at, step), piece);
        all += piece;
    }
    std::string piece;
    encoder.finish(piece);
    return all + piece;
}

/// Whole, octet by octet, and in between: always the same.
std::string reencoded(const std::string& message, const WireForm& form = {}) {
    const std::string whole = write(message, plan_for(message, form, message.size()), 65536);
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}}) {
        EXPECT_EQ(write(message, plan_for(message, form, step), step), whole);
    }
    return whole;
}

using Verdict = ReencodePlan::Verdict;

TEST(Reencode, D9_text_becomes_quoted_printable_and_says_so) {
    EXPECT_EQ(reencoded("From: a@b.test\r\n"
                        "Content-Type: text/plain; charset=iso-8859-1\r\n"
                        "Content-Transfer-Encoding: 8bit\r\n"
                        "MIME-Version: 1.0\r\n"
                        "\r\n"
                        "Gr\xFC\xDF"
                        "e = greetings \r\n"
                        "plain\r\n"),
              "From: a@b.test\r\n"
              "Content-Type: text/plain; charset=iso-8859-1\r\n"
              "MIME-Version: 1.0\r\n"
              "Content-Transfer-Encoding: quoted-printable\r\n"
              "\r\n"
              "Gr=FC=DFe =3D greetings=20\r\n"
              "plain\r\n");
}

TEST(Reencode, D9_a_charset_that_nobody_declared_is_named) {
    EXPECT_EQ(reencoded("From: a@b.test\r\n\r\nGr\xC3\xBC\xC3\x9F"
                        "e to you all\r\n"),
              "From: a@b.test\r\n"
              "MIME-Version: 1.0\r\n"
              "Content-Type: text/plain; charset=utf-8\r\n"
              "Content-Transfer-Encoding: quoted-printable\r\n"
              "\r\n"
              "Gr=C3=BC=C3=9Fe to you all\r\n");
    EXPECT_EQ(reencoded("Content-Type: text/html; format=flowed;\r\nMime-Version: 1.0\r\n\r\n"
                        "Gr\xFC\xDF"
                        "e to you all\r\n"),
              "Content-Type: text/html; format=flowed;\r\n\tcharset=unknown-8bit\r\n"
              "Mime-Version: 1.0\r\n"
              "Content-Transfer-Encoding: quoted-printable\r\n"
              "\r\n"
              "Gr=FC=DFe to you all\r\n");
}

TEST(Reencode, D9_parts_are_converted_each_for_itself_also_in_a_message_within) {
    const std::string message =
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=x\r\n"
        "Content-Transfer-Encoding: 8bit\r\n"
        "\r\n"
        "before\r\n"
        "--x\r\n"
        "\r\n"
        "plain as it is\r\n"
        "--x\r\n"
        "Content-Type: image/png\r\n"
        "Content-Transfer-Encoding: 8bit\r\n"
        "\r\n"
        "\x89PNG\x80\x81\x82\r\n"
        "--x\r\n"
        "Content-Type: message/rfc822\r\n"
        "Content-Transfer-Encoding: 8bit\r\n"
        "\r\n"
        "Subject: within\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "\r\n"
        "Gr\xC3\xBC\xC3\x9F"
        "e from within the other\r\n"
        "--x--\r\n"
        "after\r\n";
    EXPECT_EQ(reencoded(message),
              "MIME-Version: 1.0\r\n"
              "Content-Type: multipart/mixed; boundary=x\r\n"
              "Content-Transfer-Encoding: 7bit\r\n"
              "\r\n"
              "before\r\n"
              "--x\r\n"
              "\r\n"
              "plain as it is\r\n"
              "--x\r\n"
              "Content-Type: image/png\r\n"
              "Content-Transfer-Encoding: base64\r\n"
              "\r\n"
              "iVBOR4CBgg==\r\n"
              "--x\r\n"
              "Content-Type: message/rfc822\r\n"
              "Content-Transfer-Encoding: 7bit\r\n"
              "\r\n"
              "Subject: within\r\n"
              "Content-Type: text/plain; charset=utf-8\r\n"
              "Content-Transfer-Encoding: quoted-printable\r\n"
              "\r\n"
              "Gr=C3=BC=C3=9Fe from within the other\r\n"
              "--x--\r\n"
              "after\r\n");
    EXPECT_EQ(plan_for(message, {.eight_bit = true}, 64).verdict, Verdict::Fits);
}

TEST(Reencode, D10_binary_becomes_base64_even_where_8_bits_may_go) {
    const std::string content("a\0b\nc\rd", 7);
    const std::string message =
        "MIME-Version: 1.0\r\nContent-Type: application/x\r\n"
        "Content-Transfer-Encoding: binary\r\n\r\n" +
        content;
    EXPECT_EQ(reencoded(message, {.eight_bit = true, .long_lines = true}),
              "MIME-Version: 1.0\r\nContent-Type: application/x\r\n"
              "Content-Transfer-Encoding: base64\r\n\r\n"
              "YQBiCmMNZA==\r\n");
    EXPECT_EQ(decode_base64("YQBiCmMNZA=="), content);
}

TEST(Reencode, D10_a_part_that_only_says_binary_is_relabelled) {
    const std::string head = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n";
    EXPECT_EQ(reencoded(head + "Content-Transfer-Encoding: BINARY\r\n\r\nhello\r\n"),
              head + "Content-Transfer-Encoding: 7bit\r\n\r\nhello\r\n");
}

TEST(Reencode, B1_lines_of_998_stay_and_longer_ones_are_broken) {
    const auto message = [](std::size_t size) {
        return "MIME-Version: 1.0\r\n\r\n" + std::string(size, 'x') + "\r\n";
    };
    EXPECT_EQ(plan_for(message(997), {}, 100).verdict, Verdict::Fits);
    EXPECT_EQ(plan_for(message(998), {}, 100).verdict, Verdict::Fits);
    EXPECT_EQ(plan_for(message(999), {}, 100).verdict, Verdict::Changes);
    EXPECT_EQ(plan_for(message(999), {.eight_bit = false, .long_lines = true}, 100).verdict,
              Verdict::Fits);
    const std::string out = reencoded(message(999));
    for (const std::string_view line : split(out, '\n')) {
        EXPECT_LE(line.size(), 77U);
    }
    const std::size_t body = out.find("\r\n\r\n") + 4;
    EXPECT_EQ(decode_quoted_printable(out.substr(body)), std::string(999, 'x') + "\r\n");
}

TEST(Reencode, What_others_signed_is_left_alone) {
    const std::string within =
        "Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\nGr\xFC\xDF"
        "e\r\n--x\r\nContent-Type: application/pgp-signature\r\n\r\nsig\r\n--x--\r\n";
    EXPECT_EQ(plan_for(within, {}, 64).verdict, Verdict::Signed);
    EXPECT_TRUE(is_signed(parse_message(within)));
    EXPECT_TRUE(is_signed(parse_message("dkim-signature: v=1\r\n\r\n")));
    EXPECT_TRUE(is_signed(parse_message("ARC-Seal: i=1\r\n\r\n")));
    EXPECT_FALSE(
        is_signed(parse_message("Subject: DKIM-Signature\r\n\r\nDKIM-Signature: v=1\r\n")));
}

TEST(Reencode, What_may_not_be_encoded_is_impossible) {
    EXPECT_EQ(plan_for("Content-Type: message/partial; id=x; number=1\r\n\r\nGr\xFC\xDF"
                       "e\r\n",
                       {}, 64)
                  .verdict,
              Verdict::Impossible);
    EXPECT_EQ(plan_for("Content-Type: multipart/mixed\r\n\r\nGr\xFC\xDF"
                       "e\r\n",
                       {}, 64)
                  .verdict,
              Verdict::Impossible);
}

TEST(Reencode, Nothing_is_changed_without_need) {
    EXPECT_EQ(plan_for("Subject: x\r\n\r\nhello\r\n", {}, 64).verdict, Verdict::Fits);
    EXPECT_EQ(plan_for("", {}, 64).verdict, Verdict::Fits);
    EXPECT_EQ(plan_for("Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n", {}, 64).verdict,
              Verdict::Fits);
}

TEST(QuotedPrintableWriter, Comes_back_whole_and_keeps_to_76) {
    std::string text;
    for (int i = 0; i < 300; ++i) {
        text += static_cast<char>(i % 256 == '\n' || i % 256 == '\r' ? ' ' : i % 256);
        text += i % 41 == 0 ? " \t\r\n" : "";
    }
    text += " ";
    std::string out;
    QuotedPrintableWriter writer;
    for (const char c : text) {
        writer.feed(std::string_view(&c, 1), out);
    }
    writer.finish(out);
    EXPECT_EQ(decode_quoted_printable(out), text);
    for (const std::string_view line : split(out, '\n')) {
        EXPECT_LE(line.size(), 77U);
        EXPECT_FALSE(line.ends_with(" \r") || line.ends_with("\t\r"));
    }
}

}  // namespace
}  // namespace godwit::mail
