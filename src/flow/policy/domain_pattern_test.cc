#include "flow/policy/domain_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace godwit::flow {
namespace {

TEST(DomainPattern, A_name_says_more_than_what_is_above_it) {
    EXPECT_EQ(domain_fitness("Example.com", "example.COM"), domain_fitness_exact);
    EXPECT_EQ(domain_fitness("*.example.com", "a.example.com"), 13U);
    EXPECT_EQ(domain_fitness("*.com", "a.example.com"), 5U);
    EXPECT_EQ(domain_fitness("*", "a.example.com"), 1U);
    EXPECT_GT(domain_fitness_exact, limits::domain_size_max + 1);
}

TEST(DomainPattern, What_is_below_is_not_the_name_itself_nor_what_ends_alike) {
    EXPECT_EQ(domain_fitness("*.example.com", "example.com"), 0U);
    EXPECT_EQ(domain_fitness("*.example.com", "badexample.com"), 0U);
    EXPECT_EQ(domain_fitness("example.com", "a.example.com"), 0U);
    EXPECT_EQ(domain_fitness("", "example.com"), 0U);
}

struct Row {
    std::string domain;
    int number = 0;
};

TEST(DomainPattern, The_row_that_says_most_is_found_wherever_it_stands) {
    const std::vector<Row> rows = {
        {"*", 1}, {"*.com", 2}, {"a.example.com", 3}, {"*.example.com", 4}, {"*.example.com", 5}};
    EXPECT_EQ(find_by_domain(rows, "a.example.com")->number, 3);
    EXPECT_EQ(find_by_domain(rows, "b.example.com")->number, 4);
    EXPECT_EQ(find_by_domain(rows, "example.com")->number, 2);
    EXPECT_EQ(find_by_domain(rows, "example.org")->number, 1);
    EXPECT_EQ(find_by_domain(std::vector<Row>{{"*.com"}}, "example.org"), nullptr);
}

}  // namespace
}  // namespace godwit::flow
