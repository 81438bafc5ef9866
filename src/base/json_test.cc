#include "base/json.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

TEST(Json, A_hostile_string_stays_one_line_and_parses_back) {
    std::string out;
    append_json_string(out, "\n{\"level\":\"fake\"}\x1b[0m\xFF\x01\"\\");
    EXPECT_EQ(out.find('\n'), std::string::npos);
    const auto back = parse_json(out);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(*back->string(), "\n{\"level\":\"fake\"}\x1b[0m\xEF\xBF\xBD\x01\"\\");
    // U+0080 to U+009F are controls too; U+00A0 is none.
    out.clear();
    append_json_string(out, "\xC2\x80\xC2\x9B\x7F\xC2\xA0");
    EXPECT_EQ(out, "\"\\u0080\\u009b\\u007f\xC2\xA0\"");
}

TEST(Json, Depth_is_bounded_at_the_limit) {
    EXPECT_TRUE(parse_json("[[[]]]", 3).has_value());
    EXPECT_FALSE(parse_json("[[[[]]]]", 3).has_value());
    EXPECT_FALSE(parse_json(std::string(100000, '[')).has_value());
}

TEST(Json, Writer_places_commas) {
    JsonWriter writer;
    writer.begin_object()
        .field("a", 1)
        .key("b")
        .begin_array()
        .number(std::int64_t{1})
        .string("x")
        .end_array();
    writer.field("c", true).end_object();
    EXPECT_EQ(writer.view(), R"({"a":1,"b":[1,"x"],"c":true})");
}

}  // namespace
}  // namespace godwit
