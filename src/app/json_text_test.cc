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
