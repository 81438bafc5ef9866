#include "sim/peers/answer.h"

#include <gtest/gtest.h>

#include "wire/smtp/reply.h"

namespace godwit::sim {
namespace {

smtp::ReplyParser::Status outcome_of(Shape shape) {
    smtp::ReplyParser parser;
    const Answer answer{250, "2.1.0", "hello", {"SIZE 100", "PIPELINING"}};
    const std::string bytes = written(answer, shape);
    const smtp::ReplyParser::Progress progress = parser.feed(bytes);
    if (progress.status == smtp::ReplyParser::Status::Complete) {
        EXPECT_EQ(progress.consumed, bytes.size());
        EXPECT_EQ(parser.take().code, 250);
    }
    return progress.status;
}

TEST(SimAnswer, Odd_shapes_are_within_what_we_take_and_long_ones_on_both_sides) {
    using enum Shape;
    for (const Shape shape : {Plain, NoText, ManyLines, LfOnly, EightBit, LongLine, LongReply}) {
        EXPECT_EQ(outcome_of(shape), smtp::ReplyParser::Status::Complete)
            << static_cast<int>(shape);
    }
    for (const Shape shape : {TooLongLine, TooLongReply}) {
        EXPECT_EQ(outcome_of(shape), smtp::ReplyParser::Status::Failed) << static_cast<int>(shape);
    }
}

}  // namespace
}  // namespace godwit::sim
