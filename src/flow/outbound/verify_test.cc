#include "flow/outbound/verify.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

smtp::Outcome said(smtp::Stage stage, std::uint16_t code, smtp::EnhancedStatus status) {
    smtp::Outcome outcome;
    outcome.kind = code < 300   ? smtp::OutcomeKind::Delivered
                   : code < 500 ? smtp::OutcomeKind::Temporary
                                : smtp::OutcomeKind::Permanent;
    outcome.stage = stage;
    outcome.reply = smtp::make_reply(code, status, "words");
    return outcome;
}

TEST(Verify, H8_only_a_no_to_the_recipient_is_one) {
    using smtp::Stage;
    EXPECT_EQ(answer_of(said(Stage::Rcpt, 250, {2, 1, 5})).existence, Existence::Exists);
    EXPECT_EQ(answer_of(said(Stage::Rcpt, 550, {5, 1, 1})).existence, Existence::Refused);
    EXPECT_EQ(answer_of(said(Stage::Rcpt, 550, {5, 1, 1})).words, "550 5.1.1 words");
    EXPECT_EQ(answer_of(said(Stage::Rcpt, 450, {4, 2, 1})).existence, Existence::Undecided);
    EXPECT_EQ(answer_of(said(Stage::Mail, 550, {5, 1, 7})).existence, Existence::Undecided);
    EXPECT_EQ(answer_of(said(Stage::Greeting, 554, {5, 3, 2})).existence, Existence::Undecided);
    EXPECT_EQ(answer_of(said(Stage::Rcpt, 550, {5, 7, 1})).existence, Existence::Undecided);
    smtp::Outcome ours = said(Stage::Rcpt, 550, {5, 6, 7});
    ours.is_local = true;
    EXPECT_EQ(answer_of(ours).existence, Existence::Undecided);
}

TEST(Verify, Words_have_a_bound) {
    smtp::Outcome outcome = said(smtp::Stage::Rcpt, 550, {5, 1, 1});
    outcome.reply.text = std::string(verify_words_size_max, 'x');
    EXPECT_EQ(answer_of(outcome).words.size(), verify_words_size_max);
}

}  // namespace
}  // namespace godwit::flow
