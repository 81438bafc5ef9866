#include <gtest/gtest.h>

#include "mail/text/charset.h"
#include "mail/text/date.h"
#include "mail/text/encoded_word.h"
#include "mail/text/html_text.h"
#include "mail/text/parameter.h"
#include "mail/text/transfer_encoding.h"

namespace godwit::mail {
namespace {

TEST(Charset, Labels_and_fallbacks) {
    EXPECT_EQ(to_utf8("gr\xFC\xDF", "ISO-8859-1"), "gr\xC3\xBC\xC3\x9F");
    EXPECT_EQ(to_utf8("\x80", "windows-1252"), "\xE2\x82\xAC");
    EXPECT_EQ(to_utf8("\xA4", "iso-8859-15"), "\xE2\x82\xAC");
    EXPECT_EQ(to_utf8("\xC3\xBC", "no-such-charset"), "\xC3\xBC");
    EXPECT_EQ(to_utf8("\xFC", "no-such-charset"), "\xC3\xBC");
    EXPECT_EQ(to_utf8("a\xFF"
                      "b",
                      "utf-8"),
              "a\xEF\xBF\xBD"
              "b");
    EXPECT_EQ(to_utf8("\x1B$B$3\x1B(B", "iso-2022-jp"), "\xE3\x81\x93");
    EXPECT_EQ(to_utf8("\xC4\xE3", "gb2312"), "\xE4\xBD\xA0");
    EXPECT_EQ(to_utf8("\xF0", "koi8-r"), "\xD0\x9F");
}
TEST(Charset, Utf7_is_never_decoded) {
    EXPECT_EQ(to_utf8("+ADw-script+AD4-", "UTF-7"), "+ADw-script+AD4-");
    EXPECT_FALSE(is_known_charset("utf-7"));
    EXPECT_FALSE(is_known_charset("scsu"));
    EXPECT_TRUE(is_known_charset("Shift_JIS"));
}
TEST(Charset, Normal_forms) {
    EXPECT_EQ(to_nfc("u\xCC\x88"), "\xC3\xBC");
    EXPECT_EQ(fold_case("STRA\xC3\x9F"
                        "E"),
              "strasse");
    EXPECT_EQ(utf8_prefix("\xC3\xBC"
                          "ab",
                          2),
              "\xC3\xBC"
              "a");
    EXPECT_EQ(scrub_utf8("\xE2\x82"), "\xEF\xBF\xBD");
    EXPECT_EQ(scrub_utf8("\xF0\x80\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(TransferEncoding, Base64_is_lenient) {
    EXPECT_EQ(decode_base64("aGVs\r\nbG8=\r\n"), "hello");
    EXPECT_EQ(decode_base64("aGVs bG8"), "hello");
    EXPECT_EQ(decode_base64("a!G@V#s"), "hel");
    EXPECT_EQ(decode_base64("Y=Y"), "");
    EXPECT_EQ(encode_base64(std::string(60, 'a')).find("\r\n"), 76U);
}
TEST(TransferEncoding, Quoted_printable) {
    EXPECT_EQ(decode_quoted_printable("a=3Db=\r\nc  \r\nd=  \r\ne"), "a=bc\r\nde");
    EXPECT_EQ(decode_quoted_printable("bad =XY =3"), "bad =XY =3");
    EXPECT_EQ(decode_quoted_printable("soft="), "soft");
    EXPECT_EQ(decode_quoted_printable("=fc"), "\xFC");
    EXPECT_EQ(encode_quoted_printable("a b \r\n.x\r\nFrom y", LineBreaks::Text),
              "a b=20\r\n=2Ex\r\n=46rom y");
    std::string all;
    for (int i = 0; i < 1024; ++i) {
        all.push_back(static_cast<char>(i * 7));
    }
    for (const LineBreaks breaks : {LineBreaks::Text, LineBreaks::Binary}) {
        const std::string coded = encode_quoted_printable(all + "\r\n \r\n", breaks);
        EXPECT_EQ(decode_quoted_printable(coded), all + "\r\n \r\n");
    }
}

TEST(EncodedWord, Decoding) {
    EXPECT_EQ(decode_header_text("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?="), "ab");
    EXPECT_EQ(decode_header_text("=?ISO-8859-1?Q?a_b?= c =?utf-8?B?w7w=?="), "a b c \xC3\xBC");
    EXPECT_EQ(decode_header_text("=?utf-8?B?w7?= =?utf-8?B?zDvA==?="),
              decode_header_text("=?utf-8?B?w7?= =?utf-8?B?zDvA==?="));
    EXPECT_EQ(decode_header_text("=?utf-8?Q?=C3?= =?utf-8?Q?=BC?="), "\xC3\xBC");
    EXPECT_EQ(decode_header_text("a\r\n b"), "a b");
    EXPECT_EQ(decode_header_text("=?utf-8?Q?unclosed"), "=?utf-8?Q?unclosed");
    EXPECT_EQ(decode_header_text("raw \xFC"), "raw \xC3\xBC");
    EXPECT_EQ(decode_header_text("=?utf-8*de?Q?x?="), "x");
    EXPECT_EQ(decode_header_text("=?x?Z?a?="), "=?x?Z?a?=");
}
TEST(EncodedWord, Encoding_comes_back_in_words_of_75) {
    std::string text;
    for (int i = 0; i < 200; ++i) {
        text += i % 3 == 0 ? "\xE2\x82\xAC" : "x ";
    }
    text.pop_back();
    const std::string words = encode_words(text);
    EXPECT_EQ(decode_header_text(words), text);
    std::size_t at = 0;
    while (at < words.size()) {
        const std::size_t end = std::min(words.find(' ', at), words.size());
        EXPECT_LE(end - at, 75U);
        at = end + 1;
    }
    EXPECT_FALSE(needs_encoded_words("plain"));
    EXPECT_TRUE(needs_encoded_words("=?x"));
}

TEST(Parameter, Content_type) {
    const auto value =
        parse_parameterized(" Text/Plain ; charset=us-ascii (Plain text); Format=\"flo\\wed\" ; x");
    EXPECT_EQ(value.value, "text/plain");
    EXPECT_EQ(value.parameters,
              (std::vector<Parameter>{{"charset", "us-ascii"}, {"format", "flowed"}}));
}
TEST(Parameter, Unquoted_values_of_careless_mailers) {
    const auto value =
        parse_parameterized("multipart/mixed; boundary=----=_Next/Part; name=my file.txt");
    EXPECT_EQ(value.parameters[0].value, "----=_Next/Part");
    EXPECT_EQ(value.parameters[1].value, "my file.txt");
}
TEST(Parameter, Rfc2231) {
    const auto joined = parse_parameterized(
        "x/y; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; "
        "title*2=\"isn't it!\"");
    EXPECT_EQ(find_parameter(joined.parameters, "title"), "This is even more ***fun*** isn't it!");
    const auto single =
        parse_parameterized("attachment; filename=\"x\"; filename*=UTF-8''%e2%82%ac");
    EXPECT_EQ(find_parameter(single.parameters, "filename"), "\xE2\x82\xAC");
    const auto word = parse_parameterized("attachment; filename=\"=?utf-8?Q?=C3=BC?=\"");
    EXPECT_EQ(find_parameter(word.parameters, "filename"), "\xC3\xBC");
    EXPECT_EQ(find_parameter(word.parameters, "name"), std::nullopt);
    const auto gap = parse_parameterized("a/b; n*0=a; n*2=c; n*0=z");
    EXPECT_EQ(find_parameter(gap.parameters, "n"), "a");
}
TEST(Parameter, Bounds) {
    std::string many = "a/b";
    for (int i = 0; i < 100000; ++i) {
        many += "; name*" + std::to_string(i) + "=x";
    }
    const auto value = parse_parameterized(many);
    EXPECT_TRUE(value.truncated);
    EXPECT_EQ(find_parameter(value.parameters, "name")->size(), 32U);
}
TEST(Parameter, Writing) {
    EXPECT_EQ(write_parameter("name", "a.txt"), "; name=a.txt");
    EXPECT_EQ(write_parameter("name", "a \"b\"\r\n"), "; name=\"a \\\"b\\\"\"");
    EXPECT_EQ(write_parameter("name", "\xC3\xBC \r\n"), "; name*=utf-8''%C3%BC%20");
}

TEST(Date, Forms) {
    const DateTime expected{1795313706, 60};
    for (const char* text :
         {"Sun, 22 Nov 2026 03:15:06 +0100", "22 Nov 26 03:15:06 +0100",
          "sun,22 NOV 2026 03:15:06 CET", "Sun, 22 Nov 2026 (x) 03 : 15 : 06 +0100 (CET)",
          "Sun, 22-Nov-2026 03:15:06 +01:00", "Sun Nov 22 03:15:06 2026 +0100",
          "Sun,\r\n 22 Nov\r\n 2026 03:15:06 +0100"}) {
        EXPECT_EQ(parse_date(text), expected) << text;
    }
    EXPECT_EQ(parse_date("22 Nov 2026 02:15"), (DateTime{1795313700, 0}));
    EXPECT_EQ(parse_date("1 Jan 70 00:00:00 Z"), (DateTime{0, 0}));
    EXPECT_EQ(parse_date("31 Dec 2016 23:59:60 +0000"), (DateTime{1483228800, 0}));
    for (const char* bad : {"", "x", "Sun", "32 Nov 2026 00:00:00 +0000", "29 Feb 2026 00:00 +0000",
                            "1 Foo 2026 00:00", "1 Nov 2026", "1 Nov 2026 24:00:00 +0000",
                            "99999999999 Nov 2026 00:00"}) {
        EXPECT_EQ(parse_date(bad), std::nullopt) << bad;
    }
}
TEST(Date, Format) {
    EXPECT_EQ(format_date(1795313706), "Sun, 22 Nov 2026 02:15:06 +0000");
    EXPECT_EQ(format_date(1795313706, -330), "Sat, 21 Nov 2026 20:45:06 -0530");
    EXPECT_EQ(format_date(-1), "Wed, 31 Dec 1969 23:59:59 +0000");
    EXPECT_EQ(format_date(INT64_MAX).size(), format_date(INT64_MIN).size() + 1);
    for (std::int64_t time = -62000000000; time < 250000000000; time += 86399999) {
        EXPECT_EQ(from_civil(to_civil(time)), time);
        if (to_civil(time).year >= 1900) {
            EXPECT_EQ(parse_date(format_date(time, 90)), (DateTime{time, 90}));
        }
    }
}

TEST(HtmlText, Words) {
    EXPECT_EQ(
        html_to_text("<p>a</p><p>b &lt; c &#x20AC; &bogus; 1 < 2</p><script>no</script>", 100),
        "a b < c \xE2\x82\xAC &bogus; 1 < 2");
    EXPECT_EQ(html_to_text("abcdef", 3), "abc");
    EXPECT_EQ(html_to_text("<!-- open", 10), "");
    EXPECT_EQ(html_to_text("a<br", 10), "a");
    EXPECT_EQ(collapse_white_space(" a \r\n\tb\xC2\xA0"
                                   "c ",
                                   100),
              "a b c");
    EXPECT_EQ(collapse_white_space("  ab  cd", 4), "ab c");
}

}  // namespace
}  // namespace godwit::mail
