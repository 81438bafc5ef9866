#include "sim/peers/verbs.h"

#include <gtest/gtest.h>

namespace godwit::sim {
namespace {

TEST(SimVerbs, Paths_and_parameters_are_read) {
    const auto path =
        read_path_line("FROM:<\"a b>\\\"\"@x.test> SIZE=10 body=8BITMIME SMTPUTF8", "FROM:");
    ASSERT_TRUE(path);
    EXPECT_EQ(path->address, "\"a b>\\\"\"@x.test");
    EXPECT_EQ(path->parameters.at("SIZE"), "10");
    EXPECT_EQ(path->parameters.at("BODY"), "8BITMIME");
    EXPECT_EQ(path->parameters.at("SMTPUTF8"), "");
    EXPECT_EQ(read_path_line("FROM:<>", "FROM:")->address, "");
}

TEST(SimVerbs, What_is_malformed_is_no_path) {
    for (const char* bad :
         {"FROM: <a@b>", "FROM:a@b", "FROM:<a@b", "FROM:<a@b>SIZE=1", "FROM:<a@b>  SIZE=1",
          "FROM:<a@b> ", "FROM:<a@b> X=1 X=2", "TO:<a@b>"}) {
        EXPECT_FALSE(read_path_line(bad, "FROM:")) << bad;
    }
}

TEST(SimVerbs, Xtext_goes_both_ways) {
    EXPECT_EQ(xtext_encoded("a+b=c d@e"), "a+2Bb+3Dc+20d@e");
    EXPECT_EQ(xtext_decoded("a+2Bb+3Dc+20d@e"), "a+b=c d@e");
}

}  // namespace
}  // namespace godwit::sim
