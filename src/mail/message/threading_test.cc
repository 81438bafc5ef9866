#include "mail/message/threading.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::mail {
namespace {

ThreadKey key_of(std::string_view text) {
    return text.empty() ? no_thread_key : thread_key({.first = 1, .second = 2}, text);
}
ThreadedMessage message(std::string_view id, const std::vector<std::string>& references,
                        std::int64_t sent, std::string_view subject = "", bool is_reply = false) {
    ThreadedMessage message{.id = key_of(id),
                            .references = {},
                            .subject = key_of(subject),
                            .is_reply = is_reply,
                            .sent = sent};
    std::ranges::transform(references, std::back_inserter(message.references), key_of);
    return message;
}

std::string written(const ThreadForest& forest, std::size_t count) {
    std::vector<std::uint32_t> numbers(count);
    std::iota(numbers.begin(), numbers.end(), 1U);
    return write_threads(forest, numbers);
}
std::string by_references(const std::vector<ThreadedMessage>& messages) {
    return written(thread_by_references(messages), messages.size());
}
std::string by_subject(const std::vector<ThreadedMessage>& messages) {
    return written(thread_by_subject(messages), messages.size());
}

TEST(Threading, Chains_and_branches) {
    EXPECT_EQ(by_references({}), "");
    EXPECT_EQ(
        by_references({message("a", {}, 1), message("b", {"a"}, 2), message("c", {"a", "b"}, 3)}),
        "(1 2 3)");
    EXPECT_EQ(by_references({message("a", {}, 1), message("b", {"a"}, 3), message("c", {"a"}, 2)}),
              "(1 (3)(2))");
    EXPECT_EQ(by_references({message("a", {}, 2), message("b", {}, 1)}), "(2)(1)");
}

TEST(Threading, References_alone_know_no_subjects_and_follow_the_latest_arrival) {
    const auto arrived = [](ThreadedMessage message, std::int64_t at) {
        message.arrived = at;
        return message;
    };
    const auto alone = [](const std::vector<ThreadedMessage>& messages) {
        return written(thread_by_references_alone(messages), messages.size());
    };
    EXPECT_EQ(alone({}), "");
    const std::vector<ThreadedMessage> same = {arrived(message("a", {}, 1, "s"), 1),
                                               arrived(message("b", {}, 2, "s", true), 2)};
    EXPECT_EQ(by_references(same), "(1 2)");
    EXPECT_EQ(alone(same), "(1)(2)");
    // The first thread has the oldest message and got the last.
    EXPECT_EQ(alone({arrived(message("a", {}, 1), 1), arrived(message("b", {}, 2), 2),
                     arrived(message("c", {"a"}, 3), 3)}),
              "(2)(1 3)");
    // Siblings go by when they were sent, below a parent that is not there as well.
    EXPECT_EQ(alone({arrived(message("a", {"gone"}, 5), 1), arrived(message("b", {"gone"}, 4), 9),
                     arrived(message("c", {}, 1), 8)}),
              "(3)((2)(1))");
    // Where two came at once the last message decides.
    EXPECT_EQ(alone({arrived(message("a", {}, 9), 7), arrived(message("b", {}, 1), 7),
                     arrived(message("c", {"a"}, 9), 7)}),
              "(2)(1 3)");
}

TEST(Threading, A_parent_that_is_not_there) {
    // One child takes its place; several stay together below nobody.
    EXPECT_EQ(by_references({message("b", {"gone"}, 1)}), "(1)");
    EXPECT_EQ(by_references({message("b", {"gone"}, 2), message("c", {"gone"}, 1)}), "((2)(1))");
    EXPECT_EQ(by_references({message("a", {}, 1), message("c", {"a", "gone"}, 2)}), "(1 2)");
}

TEST(Threading, Ids_that_are_missing_double_or_in_circles) {
    EXPECT_EQ(by_references({message("", {}, 1), message("", {}, 2)}), "(1)(2)");
    EXPECT_EQ(by_references({message("a", {}, 1), message("a", {}, 2), message("b", {"a"}, 3)}),
              "(1 3)(2)");
    EXPECT_EQ(by_references({message("a", {"b"}, 1), message("b", {"a"}, 2)}), "(2 1)");
    EXPECT_EQ(by_references({message("a", {"a"}, 1)}), "(1)");
}

TEST(Threading, The_last_reference_is_the_parent_whatever_was_known) {
    // 3 said first that b is below x; b itself says a.
    EXPECT_EQ(
        by_references({message("c", {"x", "b"}, 3), message("a", {}, 1), message("b", {"a"}, 2)}),
        "(2 3 1)");
}

TEST(Threading, Rfc5256_threads_of_one_subject_are_merged) {
    // A reply goes below the first message.
    EXPECT_EQ(by_references({message("a", {}, 1, "s"), message("b", {}, 2, "s", true)}), "(1 2)");
    EXPECT_EQ(by_references({message("b", {}, 1, "s", true), message("a", {}, 2, "s")}), "(2 1)");
    // Two that are no replies are siblings.
    EXPECT_EQ(by_references({message("a", {}, 1, "s"), message("b", {}, 2, "s")}), "((1)(2))");
    EXPECT_EQ(by_references(
                  {message("a", {}, 1, "s"), message("b", {}, 2, "s"), message("c", {}, 3, "s")}),
              "((1)(2)(3))");
    // Children of nobody take in what has their subject.
    EXPECT_EQ(by_references({message("b", {"gone"}, 1, "s"), message("c", {"gone"}, 2, "s"),
                             message("d", {}, 3, "s")}),
              "((1)(2)(3))");
    EXPECT_EQ(by_references({message("b", {"g"}, 1, "s"), message("c", {"g"}, 2, "s"),
                             message("d", {"h"}, 3, "s"), message("e", {"h"}, 4, "s")}),
              "((1)(2)(3)(4))");
    // No subject is no common one.
    EXPECT_EQ(by_references({message("a", {}, 1), message("b", {}, 2)}), "(1)(2)");
}

TEST(Threading, Ordered_by_subject) {
    EXPECT_EQ(by_subject({message("", {}, 3, "b"), message("", {}, 5, "a"), message("", {}, 1, "b"),
                          message("", {}, 4, "b")}),
              "(3 (1)(4))(2)");
    EXPECT_EQ(by_subject({message("", {}, 2, "x"), message("", {}, 1, "x")}), "(2 1)");
    // Those of one second stand as in the mailbox, whatever they are called.
    EXPECT_EQ(by_subject({message("", {}, 1, "c"), message("", {}, 1, "a"), message("", {}, 1, "d"),
                          message("", {}, 1, "b")}),
              "(1)(2)(3)(4)");
}

TEST(Threading, More_references_than_messages) {
    std::vector<std::string> many;
    for (int i = 0; i < 5000; ++i) {
        many.push_back("gone" + std::to_string(i));
    }
    EXPECT_EQ(by_references({message("a", many, 1), message("b", many, 2)}), "((1)(2))");
    EXPECT_EQ(
        by_references({message("gone4999", {}, 1), message("b", many, 2), message("c", many, 3)}),
        "(1 (2)(3))");
}

TEST(Threading, A_chain_is_linked_up_to_the_bound_and_nobody_is_lost) {
    for (const std::size_t length : {thread_depth_max - 1, thread_depth_max, thread_depth_max + 1,
                                     thread_depth_max + 2, std::size_t{20'000}}) {
        std::vector<ThreadedMessage> chain;
        for (std::size_t i = 0; i < length; ++i) {
            chain.push_back(
                message(std::to_string(i),
                        i == 0 ? std::vector<std::string>() : std::vector{std::to_string(i - 1)},
                        static_cast<std::int64_t>(i)));
        }
        const std::string threads = by_references(chain);
        const auto opened = std::ranges::count(threads, '(');
        EXPECT_EQ(opened == 1, length <= thread_depth_max + 1) << length;
        EXPECT_EQ(std::ranges::count(threads, ' ') + opened, static_cast<std::ptrdiff_t>(length));
    }
}

}  // namespace
}  // namespace godwit::mail
