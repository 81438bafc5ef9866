// What delivery and APPEND both keep of a message.
#include "flow/message_record.h"

#include <gtest/gtest.h>

#include "base/crypto.h"
#include "mail/message/parser.h"
#include "mail/message/summary.h"

namespace godwit::flow {
namespace {

store::MessageRecord record_of(std::string_view text) {
    mail::MessageParser parser;
    parser.feed(text);
    store::NewBody body;
    body.id = BlobId{sha256(text)};
    body.size = text.size();
    return make_record(parser.finish(), body);
}

TEST(MessageRecord, keeps_the_body_the_date_and_a_summary_that_reads_back) {
    constexpr std::string_view kText =
        "Date: Thu, 01 Jan 1970 00:01:40 +0000\r\nSubject: one\r\n\r\nHello there.\r\n";
    const store::MessageRecord record = record_of(kText);
    EXPECT_EQ(record.blob.hash, sha256(kText));
    EXPECT_EQ(record.blob_size, kText.size());
    EXPECT_EQ(record.sent_at, 100);
    EXPECT_TRUE(record.prefix.empty());
    const Result<mail::MessageSummary> summary = mail::MessageSummary::decode(record.summary);
    ASSERT_TRUE(summary);
    EXPECT_EQ(summary->preview, "Hello there.");
}

TEST(MessageRecord, is_threaded_by_its_own_id_first_and_then_by_what_it_refers_to) {
    const store::MessageRecord record = record_of(
        "Message-ID: <own@x>\r\nReferences: <a@x> <b@x>\r\nIn-Reply-To: <b@x> <c@x>\r\n\r\n");
    const auto hash = [](std::string_view id) {
        return reference_hash("<" + std::string(id) + ">");
    };
    EXPECT_EQ(record.reference_hashes,
              (std::vector<std::uint64_t>{hash("own@x"), hash("a@x"), hash("b@x"), hash("c@x")}));
    EXPECT_TRUE(record_of("Subject: none\r\n\r\n").reference_hashes.empty());
    EXPECT_EQ(record_of("Subject: none\r\n\r\n").sent_at, 0);
}

}  // namespace
}  // namespace godwit::flow
