// JSON for people and back to text.
#include "app/json_text.h"

#include <gtest/gtest.h>

namespace godwit::app {
namespace {

JsonValue read(std::string_view text) {
    return parse_json(text).value_or(JsonValue{});
}

TEST(JsonText, compact_text_reads_back_as_the_same) {
    for (const std::string_view text :
         {R"({"a":[1,2,{"b":null}],"c":{"d":"x\ny","e":[]},"f":true})", "[]", "{}", "3", R"("x")",
          "[[[]],[{}]]"}) {
        EXPECT_EQ(show_json(read(text)), text);
    }
}

TEST(JsonText, tables_are_as_wide_as_their_cells) {
    const Column columns[] = {{"a", "A"}, {"b", "LONG"}};
    const auto rows = read(R"([{"a":"xyz","b":1},{"a":"ü","b":["p","q"]},{"a":""}])");
    EXPECT_EQ(show_table(*rows.array(), columns),
              "A    LONG\n"
              "xyz  1\n"
              "ü    p, q\n"
              "-    -\n");
}

TEST(JsonText, what_a_terminal_obeys_is_shown_and_not_said) {
    // ESC, a line end, NUL, DEL, CSI as one character, a line separator, what turns the direction.
    EXPECT_EQ(show_text("a\x1b[2J\r\nb\x7f\xC2\x9B"
                        "c\xE2\x80\xA8\xE2\x80\xAE\xE2\x81\xA9"),
              "a\\u001b[2J\\u000d\\u000ab\\u007f\\u009bc\\u2028\\u202e\\u2069");
    EXPECT_EQ(show_text(std::string_view("\0x", 2)), "\\u0000x");
    EXPECT_EQ(show_text("gr\xC3\xBC\xC3\x9F \xC2\xA0\xE2\x82\xAC \xE2\x80\xA7"),
              "gr\xC3\xBC\xC3\x9F \xC2\xA0\xE2\x82\xAC \xE2\x80\xA7");
    EXPECT_EQ(show_text("\x9B"
                        "31m\xFF"
                        "a\xC3"),
              "\\u009b31m\\u00ffa\\u00c3");
    const JsonValue value = read(R"({"id":"<a\u001b]0;x\u0007>","list":["\n","\u009b"]})");
    EXPECT_EQ(show_object(value), "id: <a\\u001b]0;x\\u0007>\nlist: \\u000a, \\u009b\n");
    EXPECT_EQ(text_of(value, "id"), "<a\\u001b]0;x\\u0007>");
    EXPECT_EQ(text_of(value, "no"), "");
}

TEST(JsonText, objects_are_indented) {
    EXPECT_EQ(show_object(read(R"({"id":"x","list":[{"a":1,"b":"t"},{"a":2}],"names":["p","q"]})")),
              "id: x\n"
              "list:\n"
              "  -\n"
              "    a: 1\n"
              "    b: t\n"
              "  -\n"
              "    a: 2\n"
              "names: p, q\n");
}

}  // namespace
}  // namespace godwit::app
