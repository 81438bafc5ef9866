#include "store/mailbox/schema.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/random.h"
#include "store/kv/key.h"
#include "store/kv/record.h"

namespace godwit::store {
namespace {

TEST(Schema, Message_row_comes_back_and_is_small) {
    MessageRow row;
    row.uid = Uid(70'000);
    row.email = EmailId(70'123);
    row.thread = ThreadId(70'100);
    row.mod_seq = ModSeq(1'234'567);
    row.flags.system = 5;
    row.flags.keywords.add(3);
    row.internal_date = 1'700'000'000;
    row.saved_at = 1'700'000'001;
    row.size = 20'000;
    const std::string value = encode(row);
    EXPECT_LE(value.size(), 40U);
    const MessageRow again = *decode_row(row.uid, value);
    EXPECT_EQ(again.email, row.email);
    EXPECT_EQ(again.mod_seq, row.mod_seq);
    EXPECT_EQ(again.flags, row.flags);
    EXPECT_EQ(again.saved_at, row.saved_at);
    EXPECT_EQ(again.size, row.size);
}

TEST(Schema, Message_row_keeps_any_dates_and_the_last_keyword) {
    MessageRow row;
    row.internal_date = INT64_MIN;
    row.saved_at = INT64_MAX;
    row.flags.keywords.add(255);
    const MessageRow again = *decode_row(Uid(1), encode(row));
    EXPECT_EQ(again.internal_date, INT64_MIN);
    EXPECT_EQ(again.saved_at, INT64_MAX);
    EXPECT_TRUE(again.flags.keywords.has(255));
}

TEST(Schema, Log_row_keeps_uids_as_runs) {
    LogRow row{.mod_seq = ModSeq(9), .kind = LogKind::Expunged, .mailbox = MailboxId(2), .at = -5};
    for (std::uint32_t uid = 1; uid <= 4000; ++uid) {
        row.uids.emplace_back(uid < 3000 ? uid : uid + 5);
    }
    row.uids.emplace_back(UINT32_MAX);
    row.emails = {EmailId(7), EmailId(3), EmailId(UINT32_MAX)};
    const std::string value = encode(row);
    EXPECT_LT(value.size(), 60U);
    const LogRow again = *decode_log(ModSeq(9), value);
    EXPECT_EQ(again.uids, row.uids);
    EXPECT_EQ(again.emails, row.emails);
    EXPECT_EQ(again.at, -5);
}

TEST(Schema, Damaged_values_are_errors_and_never_more) {
    EmailRow email;
    email.head.reference_hashes = {1, 2, 3};
    email.prefix = "Received: x\r\n";
    email.summary = "summary";
    const std::string value = encode(email);
    EXPECT_EQ(decode_email(value)->summary, "summary");
    EXPECT_EQ(decode_email_head(value)->reference_hashes.size(), 3U);
    for (std::size_t i = 0; i < value.size(); ++i) {
        std::string flipped = value;
        flipped[i] = static_cast<char>(flipped[i] ^ 4);
        EXPECT_FALSE(decode_email(flipped));
        EXPECT_FALSE(decode_email(value.substr(0, i)));
    }
}

TEST(Schema, Payloads_of_chance_under_a_good_seal_do_no_harm) {
    SeededRandom random(3);
    for (int i = 0; i < 5000; ++i) {
        const std::string value = seal(1, random.bytes(random.below(60)));
        (void)decode_head(value);
        (void)decode_fixed(value);
        (void)decode_counters(value);
        (void)decode_row(Uid(1), value);
        (void)decode_email(value);
        (void)decode_places(value);
        (void)decode_log(ModSeq(1), value);
        (void)decode_keywords(value);
        (void)decode_trace(MailId(1), value);
        (void)decode_once(value);
    }
}

TEST(Schema, Newer_version_is_unsupported) {
    EXPECT_EQ(decode_head(seal(2, "")).error().code, ErrorCode::Unsupported);
}

TEST(Schema, Keys_sort_as_numbers_and_end_in_them) {
    const AccountId account(3);
    EXPECT_LT(message_key(account, MailboxId(1), Uid(255)),
              message_key(account, MailboxId(1), Uid(256)));
    EXPECT_LT(message_key(account, MailboxId(1), Uid(UINT32_MAX)),
              message_key(account, MailboxId(2), Uid(1)));
    EXPECT_EQ(key_tail_u32(message_key(account, MailboxId(1), Uid(77))), 77U);
    EXPECT_EQ(key_tail_u64(log_key(account, ModSeq(78))), 78U);
    EXPECT_EQ(key_tail_u64("x"), 0U);
    const BlobId blob{.hash = {1, 2, 3}};
    EXPECT_EQ(parse_link_key(link_key(blob, MailId(5)))->queued, MailId(5));
    EXPECT_EQ(parse_link_key(link_key(blob, account, EmailId(6)))->email, EmailId(6));
    EXPECT_FALSE(parse_link_key("R"));
}

TEST(Schema, Mailbox_names_are_checked_and_inbox_is_one) {
    EXPECT_EQ(*mailbox_name("iNbOx"), "INBOX");
    EXPECT_EQ(*mailbox_name("inbox/Sub"), "INBOX/Sub");
    EXPECT_EQ(*mailbox_name("Work/inbox"), "Work/inbox");
    EXPECT_EQ(*mailbox_name("Gr\xc3\xbc\xc3\x9f"
                            "e"),
              "Gr\xc3\xbc\xc3\x9f"
              "e");
    for (const char* bad : {"", "/", "a/", "/a", "a//b", "a\nb", "\xc3"}) {
        EXPECT_EQ(mailbox_name(bad).error().code, ErrorCode::Invalid) << bad;
    }
    std::string deep = "a";
    for (std::size_t i = 0; i < limits::mailbox_depth_max; ++i) {
        deep += "/a";
    }
    EXPECT_EQ(mailbox_name(deep).error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(parent_name("a/b/c"), "a/b");
    EXPECT_FALSE(parent_name("a"));
}

}  // namespace
}  // namespace godwit::store
