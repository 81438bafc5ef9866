#include "base/encoding.h"

#include <gtest/gtest.h>

#include "base/ids.h"

namespace godwit {
namespace {

TEST(Base64, Vectors_of_rfc_4648_both_ways) {
    const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, encoded] : vectors) {
        EXPECT_EQ(base64_encode(plain), encoded);
        EXPECT_EQ(base64_decode(encoded), plain);
    }
}

TEST(Base64, Sloppy_text_is_refused) {
    for (const auto* text :
         {"Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm 9", "Zm9v\n", "Zg==Zg=="}) {
        EXPECT_EQ(base64_decode(text), std::nullopt) << text;
    }
}

TEST(MailId, Text_and_back) {
    for (const std::uint64_t value :
         {std::uint64_t{0}, std::uint64_t{1}, (std::uint64_t{1} << 50U) - 1}) {
        const auto parsed = parse_mail_id(to_string(MailId(value)));
        ASSERT_TRUE(parsed.has_value());
        EXPECT_EQ(parsed->value(), value);
    }
    EXPECT_FALSE(parse_mail_id("short").has_value());
    EXPECT_FALSE(parse_mail_id("000000000u").has_value());
}

}  // namespace
}  // namespace godwit
