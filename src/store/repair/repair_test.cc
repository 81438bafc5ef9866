// A filled store is damaged in every way at hand and repaired: what was not hit is unharmed, what
// could follow from other rows is there again, the rest is listed, and a second run changes
// nothing.
#include "store/repair/repair.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/bytes.h"

#include "mail/message/parser.h"
#include "mail/message/summary.h"
#include "store/blob/memory_files.h"
#include "store/fsck.h"
#include "store/kv/key.h"
#include "store/kv/meta.h"
#include "store/kv/record.h"
#include "store/mailbox/access.h"
#include "store/mailbox/schema.h"
#include "store/mailbox/url_keys.h"
#include "store/queue/queue.h"
#include "store/store_testing.h"

namespace godwit::store {
namespace {

constexpr std::string_view kFolder = "/data";

MessageRecord record_of(const BlobId& blob, std::string_view body) {
    const mail::MessageSummary summary = mail::summarize(mail::parse_message(body));
    MessageRecord record;
    record.blob = blob;
    record.blob_size = body.size();
    record.summary = summary.encode();
    record.sent_at = summary.sent ? summary.sent->unix_seconds : 0;
    for (const std::string& id : summary.references()) {
        record.reference_hashes.push_back(std::hash<std::string>()(id));
    }
    if (const std::string own = summary.message_id(); !own.empty()) {
        record.reference_hashes.insert(record.reference_hashes.begin(),
                                       std::hash<std::string>()(own));
    }
    return record;
}

class Repair : public ::testing::Test {
protected:
    Repair() { fill(); }

    StoreOptions store_options() {
        StoreOptions options;
        options.files = &files_;
        options.folder = kFolder;
        options.memory_disk = disk_;
        options.drive = CommitDrive::Manual;
        options.disk_low_bytes = options.disk_critical_bytes = options.disk_reserve_bytes = 0;
        options.free_space = [] { return std::uint64_t{1} << 40U; };
        options.on_fatal = [](const Error& error) { ADD_FAILURE() << error.text; };
        return options;
    }
    void open() {
        auto opened = Store::open(store_options(), &system_clock(), &random_);
        ASSERT_TRUE(opened) << opened.error().text;
        store_ = *std::move(opened);
    }
    void commit(Plan plan) {
        const auto done = fixture::commit(*store_, std::move(plan), CommitDrive::Manual);
        ASSERT_TRUE(done) << done.error().error.text;
    }
    template <class Step>
    void one(Step step) {
        Plan plan;
        plan.steps.emplace_back(std::move(step));
        commit(std::move(plan));
    }
    std::string body(int number, std::size_t size) {
        std::string text = "Message-ID: <" + std::to_string(number) + "@example.test>\r\n";
        if (number % 3 == 2) {
            text += "In-Reply-To: <" + std::to_string(number - 1) + "@example.test>\r\n";
        }
        text += "Subject: number " + std::to_string(number) + "\r\n\r\n";
        while (text.size() < size) {
            text += "All that is said here is said " + std::to_string(number) + " times.\r\n";
        }
        return text;
    }
    NewBody store_body(const std::string& octets) {
        auto writer = store_->blobs().writer();
        check(writer->append(octets).has_value(), "body is refused");
        return *writer->finish();
    }
    void deliver(AccountId account, int number, std::size_t size) {
        const std::string octets = body(number, size);
        AppendMessage append;
        append.account = account;
        append.mailbox = kInbox;
        NewBody stored = store_body(octets);
        append.record = record_of(stored.id, octets);
        append.record.prefix = "Return-Path: <a@example.test>\r\nReceived: by us; today\r\n";
        append.mail = store_->next_mail_id();
        append.internal_date = 1'700'000'000;
        append.once_key = static_cast<std::uint64_t>(number);
        if (number % 4 == 0) {
            append.flags.keywords = {"$Work"};
        }
        if (number % 4 == 1) {
            append.unique_id = "from-elsewhere-" + std::to_string(number);
        }
        Plan plan;
        plan.steps.emplace_back(std::move(append));
        plan.bodies.push_back(std::move(stored));
        commit(std::move(plan));
    }
    void enqueue(int number, std::size_t size) {
        AddToQueue add;
        NewBody stored = store_body(body(number, size));
        add.message.mail = store_->next_mail_id();
        add.message.sender = "user1@example.test";
        add.message.blob = stored.id;
        add.message.blob_size = stored.size;
        add.message.expires_at = WallTime::max();
        for (std::uint32_t i = 0; i < 2; ++i) {
            QueueDelivery delivery;
            delivery.number = i;
            delivery.site = i == 0 ? "far.test" : "near.test";
            delivery.recipients.emplace_back().address = "x@" + delivery.site;
            add.deliveries.push_back(delivery);
        }
        Plan plan;
        plan.steps.emplace_back(
            TraceEvent{add.message.mail, system_clock().wall(), "accepted",
                       R"({"from":"user1@example.test","to":["x@far.test","x@near.test"]})"});
        plan.steps.emplace_back(std::move(add));
        plan.bodies.push_back(std::move(stored));
        commit(std::move(plan));
    }
    void fill() {
        open();
        for (int account = 1; account <= 2; ++account) {
            accounts_.push_back(fixture::add_account(*store_, account, CommitDrive::Manual));
        }
        Alias alias{.address = "sales@example.test", .targets = {"user1@example.test"}};
        commit(*plan_add_alias(*store_->snapshot(), alias));
        int number = 1;
        for (const AccountId account : accounts_) {
            for (int i = 0; i < 12; ++i, ++number) {
                deliver(account, number, i % 3 == 0 ? 40'000 : i % 3 == 1 ? 300 : 12'000);
            }
            one(CopyMessages{account, kInbox, MailboxId{2}, {Uid{1}, Uid{2}}, false});
            one(CopyMessages{account, kInbox, MailboxId{3}, {Uid{3}, Uid{4}}, true});
            ChangeFlags flags;
            flags.account = account;
            flags.mailbox = kInbox;
            flags.uids = {Uid{5}, Uid{6}};
            flags.flags = {.system = 9, .keywords = {"$Forwarded"}};
            one(std::move(flags));
            ExpungeMessages expunge{.account = account, .mailbox = kInbox, .uids = {Uid{12}}};
            expunge.only_deleted = false;
            one(std::move(expunge));
        }
        enqueue(100, 300);
        enqueue(101, 20'000);
        store_->stop();
        store_.reset();
        kv_ = make_memory_kv(disk_);
        before_ = rows();
    }

    std::map<std::string, std::string> rows() {
        std::map<std::string, std::string> all;
        const auto snapshot = kv_->snapshot();
        const auto cursor = snapshot->cursor(ReadTier::Disk);
        for (cursor->seek(""); cursor->is_valid(); cursor->next()) {
            all.emplace(cursor->key(), cursor->value());
        }
        return all;
    }
    void put(const std::string& key, std::optional<std::string> value) {
        Batch batch;
        value ? batch.put(key, *value) : batch.erase(key);
        ASSERT_TRUE(kv_->commit(batch));
    }
    void spoil(const std::string& key) {
        std::string value = before_.at(key);
        const std::size_t at = random_.u64() % value.size();
        value[at] = static_cast<char>(value[at] ^ static_cast<char>(1 << (random_.u64() % 7)));
        put(key, value);
    }
    RepairReport run(bool drop_lost = false) {
        RepairOptions options;
        options.files = &files_;
        options.blobs_folder = std::string(kFolder) + "/blobs";
        options.drop_lost = drop_lost;
        options.now = system_clock().wall();
        options.make_record = record_of;
        auto report = repair(*kv_, options);
        EXPECT_TRUE(report) << report.error().text;
        return report ? *report : RepairReport{};
    }
    /// Invariants that do not hold, of the store as it opens after a repair.
    std::set<std::string> violated() {
        kv_.reset();
        open();
        std::set<std::string> names;
        if (store_ != nullptr) {
            for (const FsckFinding& finding : *fsck(*store_, {})) {
                if (finding.violations != 0) {
                    names.insert(finding.invariant + ": " + finding.examples.front());
                }
            }
            store_->stop();
            store_.reset();
        }
        kv_ = make_memory_kv(disk_);
        return names;
    }
    static std::string text_of(const RepairReport& report) {
        std::string text;
        for (const auto& [what, count] : report.repaired) {
            text += what + " x" + std::to_string(count) + "\n";
        }
        for (const Loss& loss : report.lost) {
            text += "LOST " + to_string(loss) + "\n";
        }
        for (const BlobId& blob : report.orphans) {
            text += "ORPHAN " + blob.to_hex() + "\n";
        }
        return text;
    }
    std::string find(char family, std::size_t skip = 0) {
        for (const auto& [key, value] : before_) {
            if (key.front() == family && skip-- == 0) {
                return key;
            }
        }
        return "";
    }

    MemoryFiles files_;
    std::shared_ptr<MemoryKvDisk> disk_ = make_memory_kv_disk();
    SeededRandom random_{11};
    std::unique_ptr<Store> store_;
    std::unique_ptr<Kv> kv_;
    std::vector<AccountId> accounts_;
    std::map<std::string, std::string> before_;
};

TEST_F(Repair, a_sound_store_is_left_as_it_is) {
    const RepairReport report = run();
    EXPECT_EQ(text_of(report), "");
    EXPECT_EQ(rows(), before_);
    EXPECT_EQ(violated(), std::set<std::string>());
}

// Everything that follows from other rows comes back octet for octet.
TEST_F(Repair, derived_rows_come_back_as_they_were) {
    for (const char family : std::string("REHISTN")) {
        for (const bool is_erased : {false, true}) {
            for (std::size_t i = 0;; ++i) {
                const std::string key = find(family, i);
                if (key.empty()) {
                    break;
                }
                is_erased ? put(key, std::nullopt) : spoil(key);
                const RepairReport report = run();
                EXPECT_EQ(report.losses, 0U) << key_text(key) << "\n" << text_of(report);
                EXPECT_FALSE(report.repaired.empty()) << key_text(key);
                if (family != 'N') {  // Of N what was claimed as recent is not told by others.
                    EXPECT_EQ(rows(), before_) << key_text(key) << "\n" << text_of(report);
                }
                put(key, before_.at(key));
            }
        }
    }
}

TEST_F(Repair, messages_come_back_in_their_place) {
    for (std::size_t i = 0; !find('U', i).empty(); ++i) {
        spoil(find('U', i));
    }
    RepairReport report = run();
    EXPECT_EQ(report.losses, 0U) << text_of(report);
    const auto after = rows();
    for (const auto& [key, value] : before_) {
        if (key.front() == 'U') {
            const auto row = decode_row(Uid(1), after.at(key));
            const auto was = decode_row(Uid(1), value);
            EXPECT_EQ(row->email, was->email);
            EXPECT_EQ(row->size, was->size);
            EXPECT_GT(row->mod_seq, was->mod_seq);
        }
    }
    EXPECT_EQ(text_of(run()), "");
    EXPECT_EQ(violated(), std::set<std::string>());
}

TEST_F(Repair, records_come_back_from_the_bodies) {
    for (std::size_t i = 0; !find('M', i).empty(); ++i) {
        i % 2 == 0 ? spoil(find('M', i)) : put(find('M', i), std::nullopt);
    }
    const RepairReport report = run();
    EXPECT_EQ(report.losses, 0U) << text_of(report);
    const auto after = rows();
    for (const auto& [key, value] : before_) {
        if (key.front() == 'M') {
            const EmailRow row = *decode_email(after.at(key));
            const EmailRow was = *decode_email(value);
            EXPECT_EQ(row.head.blob, was.head.blob);
            EXPECT_EQ(row.summary, was.summary);
            EXPECT_EQ(row.head.reference_hashes, was.head.reference_hashes);
            EXPECT_EQ(row.prefix.size(), was.prefix.size());
            EXPECT_TRUE(row.prefix.ends_with("\r\n"));
            EXPECT_EQ(row.head.thread, was.head.thread);
        } else if (key.front() == 'U') {
            EXPECT_EQ(after.at(key), value);
        }
    }
    EXPECT_EQ(text_of(run()), "");
    EXPECT_EQ(violated(), std::set<std::string>());
}

TEST_F(Repair, lost_places_of_bodies_are_found_in_the_segments) {
    std::size_t in_segments = 0;
    std::size_t in_rows = 0;
    for (const auto& [key, value] : before_) {
        if (key.front() == 'X') {
            const bool is_inline =
                std::holds_alternative<std::string>(decode_blob_location(value)->place);
            ++(is_inline ? in_rows : in_segments);
            put(key, is_inline ? value : "garbage");
        }
    }
    ASSERT_GT(in_segments, 5U);
    ASSERT_GT(in_rows, 5U);
    EXPECT_EQ(run().losses, 0U);
    EXPECT_EQ(rows(), before_);
}

TEST_F(Repair, a_small_body_whose_seal_is_broken_proves_itself_by_its_hash) {
    const std::string key = blob_location_key({sha256(body(2, 300))});
    std::string value = before_.at(key);
    value.back() = static_cast<char>(value.back() ^ 1);
    put(key, value);
    EXPECT_EQ(run().losses, 0U);
    EXPECT_EQ(rows(), before_);
}

TEST_F(Repair, a_body_that_is_gone_is_listed_and_dropped_when_asked) {
    put(blob_location_key({sha256(body(2, 300))}), "garbage");
    put(blob_location_key({sha256(body(100, 300))}), std::nullopt);
    RepairReport report = run();
    // In two mailboxes, as it was copied; and the queued one.
    ASSERT_EQ(report.losses, 3U) << text_of(report);
    EXPECT_EQ(report.lost[0].message, "<2@example.test>");
    EXPECT_EQ(report.lost[0].address, "user1@example.test");
    EXPECT_EQ(report.lost[2].address, "");
    EXPECT_EQ(report.lost[0].mailbox, "INBOX");
    EXPECT_EQ(report.lost[0].uid, Uid(2));
    EXPECT_EQ(report.lost[1].mailbox, "Drafts");
    EXPECT_EQ(report.lost[2].what, "body of a queued message");
    // Still there, still listed, nothing further changed.
    report = run();
    EXPECT_EQ(report.losses, 3U);
    EXPECT_TRUE(report.repaired.empty()) << text_of(report);
    report = run(true);
    EXPECT_EQ(report.losses, 3U);
    EXPECT_EQ(text_of(run()), "");
    EXPECT_EQ(violated(), std::set<std::string>());
    EXPECT_FALSE(rows().contains(message_key(accounts_[0], kInbox, Uid(2))));
    EXPECT_TRUE(rows().contains(message_key(accounts_[0], kInbox, Uid(5))));
}

TEST_F(Repair, damage_in_segments_costs_the_bodies_it_hits) {
    const std::string path = std::string(kFolder) + "/blobs/seg-00000001";
    const std::string whole = files_.content(path);
    const auto hit = [&](std::size_t at) {
        std::string octets = whole;
        octets.at(at) = static_cast<char>(octets[at] ^ 1);
        files_.set_content(path, octets);
    };
    const BlobId first{sha256(body(1, 40'000))};
    for (const std::size_t at : {32U, 40U, 100U, 5'000U, 40'100U}) {  // Header, frame, checksum.
        hit(at);
        const RepairReport report = run();
        ASSERT_EQ(report.losses, 2U) << at << text_of(report);  // It was copied once.
        EXPECT_EQ(report.lost[0].message, "<1@example.test>");
        EXPECT_TRUE(report.repaired.empty()) << text_of(report);
        EXPECT_EQ(violated().size(), at < 64 ? 1U : 1U);
    }
    // The file's own header: nothing is lost and the store opens.
    hit(3);
    EXPECT_EQ(text_of(run()), "");
    EXPECT_EQ(violated(), std::set<std::string>());
    // Its end is cut off: what was there is lost, the store opens again.
    files_.set_content(path, whole.substr(0, 100'000));
    {
        kv_.reset();
        EXPECT_FALSE(Store::open(store_options(), &system_clock(), &random_));
        kv_ = make_memory_kv(disk_);
    }
    const RepairReport report = run();
    EXPECT_GT(report.losses, 2U);
    EXPECT_TRUE(run().repaired.empty());
    run(true);
    EXPECT_EQ(violated(), std::set<std::string>());
    EXPECT_TRUE(rows().contains(blob_location_key(first)));
}

TEST_F(Repair, a_lost_file_of_bodies_is_survived) {
    ASSERT_TRUE(files_.unlink(std::string(kFolder) + "/blobs/seg-00000001"));
    EXPECT_GT(run().losses, 5U);
    EXPECT_TRUE(run().repaired.empty());
    violated();  // It opens.
    run(true);
    EXPECT_EQ(violated(), std::set<std::string>());
}

// The store counts a segment again whose row was hit, instead of taking it for an unused file.
TEST_F(Repair, a_segment_without_its_row_is_not_removed) {
    for (const bool is_erased : {false, true}) {
        const std::string key = segment_key(1);
        is_erased ? put(key, std::nullopt) : put(key, "garbage");
        kv_.reset();
        open();
        ASSERT_NE(store_, nullptr);
        EXPECT_TRUE(
            store_->blobs().read({sha256(body(1, 40'000))}, 0, 50'000, ReadTier::Disk).has_value());
        store_.reset();
        kv_ = make_memory_kv(disk_);
        put(key, before_.at(key));
    }
}

TEST_F(Repair, orphans_stay_until_they_are_dropped) {
    const auto blob = BlobId{sha256("nobody's")};
    put(blob_location_key(blob), encode(BlobLocation{.size = 8, .place = std::string("nobody's")}));
    EXPECT_EQ(run().orphans, std::vector<BlobId>{blob});
    EXPECT_EQ(run().orphans, std::vector<BlobId>{blob});
    run(true);
    EXPECT_EQ(rows(), before_);
}

TEST_F(Repair, the_queue_comes_back_from_its_trail_and_is_held) {
    const std::string message = find('Q');
    const std::string delivery = find('D', 2);
    spoil(message);
    spoil(delivery);
    const RepairReport report = run();
    EXPECT_EQ(report.losses, 1U) << text_of(report);
    const auto after = rows();
    EXPECT_EQ(decode_queue_message(after.at(message))->sender, "user1@example.test");
    const auto rebuilt = *decode_queue_delivery(after.at(delivery));
    EXPECT_TRUE(rebuilt.is_held);
    EXPECT_EQ(rebuilt.site, "far.test");
    ASSERT_EQ(rebuilt.recipients.size(), 1U);
    EXPECT_EQ(rebuilt.recipients[0].address, "x@far.test");
    // Of the first, whose sender is from the trail, nothing goes by itself either.
    EXPECT_TRUE(decode_queue_delivery(after.at(find('D')))->is_held);
    EXPECT_EQ(text_of(run()), "");
    EXPECT_EQ(violated(), std::set<std::string>());
}

TEST_F(Repair, the_directory_and_the_stores_own_rows) {
    for (const auto& [key, value] : before_) {
        const bool is_own = key.front() == 'Z' || key.front() == 'A' || key.front() == 'B';
        if (is_own || key.front() == 'P') {
            put(key, "garbage");
        }
    }
    const RepairReport report = run();
    EXPECT_GT(report.losses, 2U);
    EXPECT_EQ(text_of(run()), "");
    EXPECT_EQ(violated(), std::set<std::string>());
    const auto after = rows();
    EXPECT_EQ(
        decode_head(after.at(account_prefix(Family::AccountHead, accounts_[0])))->bytes_used,
        decode_head(before_.at(account_prefix(Family::AccountHead, accounts_[0])))->bytes_used);
    EXPECT_EQ(decode_format(after.at(format_key()))->store,
              decode_format(before_.at(format_key()))->store);
}

TEST_F(Repair, keys_of_urls_stay_where_their_mailbox_is) {
    const AccountId account = accounts_[0];
    const auto key = [&](MailboxId mailbox) {
        return make_key(static_cast<char>(Family::UrlKey), account, mailbox, account);
    };
    const std::string sound = encode_url_key(std::string(url_key_size, 'k'));
    const std::string damaged =
        make_key(static_cast<char>(Family::UrlKey), account, kInbox, accounts_[1]);
    put(key(kInbox), sound);
    put(key(MailboxId(99)), sound);
    put(damaged, "garbage");
    EXPECT_EQ(run().losses, 2U);
    const auto after = rows();
    EXPECT_TRUE(after.contains(key(kInbox)));
    EXPECT_FALSE(after.contains(key(MailboxId(99))));
    EXPECT_FALSE(after.contains(damaged));
    EXPECT_EQ(text_of(run()), "");
    EXPECT_EQ(violated(), std::set<std::string>());
}

TEST_F(Repair, access_lists_give_nobody_more_than_can_be_read) {
    const Grant inbox{.owner = accounts_[0], .mailbox = kInbox};
    const std::string sound = encode(AccessRow{.rights = Right::Read, .domain = {}});
    const std::string lost_grant = grant_key(accounts_[1], {}, inbox);
    put(access_key(accounts_[0], kInbox, accounts_[1]), sound);
    const std::string damaged = access_key(accounts_[0], kInbox, AccountId(98));
    put(damaged, "garbage");
    put(grant_key(AccountId(98), {}, inbox), encode_nothing());
    const std::string nowhere = access_key(accounts_[0], MailboxId(99), accounts_[1]);
    put(nowhere, sound);
    const std::string unknown = seen_key(accounts_[0], kInbox, 0, AccountId(97));
    put(unknown, SeenChunk().encode());
    EXPECT_EQ(run().losses, 3U);
    const auto after = rows();
    EXPECT_TRUE(after.contains(lost_grant));
    for (const std::string& key :
         {damaged, nowhere, unknown, grant_key(AccountId(98), {}, inbox)}) {
        EXPECT_FALSE(after.contains(key));
    }
    EXPECT_EQ(text_of(run()), "");
    EXPECT_EQ(violated(), std::set<std::string>());
}

TEST_F(Repair, what_a_visitor_has_seen_is_counted_again) {
    put(access_key(accounts_[0], kInbox, accounts_[1]), encode(AccessRow{}));
    put(grant_key(accounts_[1], {}, {.owner = accounts_[0], .mailbox = kInbox}), encode_nothing());
    SeenChunk marks;
    marks.set(Uid(1), true);
    marks.set(Uid(2), true);
    put(seen_key(accounts_[0], kInbox, 0, accounts_[1]), marks.encode());
    const std::string count = seen_count_key(accounts_[0], kInbox, accounts_[1]);
    put(count, "garbage");
    EXPECT_EQ(run().losses, 1U);
    EXPECT_EQ(rows().at(count), encode_number(2));
    // Marks that cannot be read are counted no more.
    put(seen_key(accounts_[0], kInbox, 0, accounts_[1]), "garbage");
    EXPECT_EQ(run().losses, 1U);
    EXPECT_EQ(text_of(run()), "");
    EXPECT_EQ(violated(), std::set<std::string>());
}

TEST_F(Repair, a_run_that_is_cut_off_goes_on_the_next_time) {
    for (const auto& [key, value] : before_) {
        if (std::string("EHINRT").find(key.front()) != std::string::npos) {
            put(key, "garbage");
        }
    }
    const auto after_damage = rows();
    for (std::uint64_t allowed = 0;; ++allowed) {
        for (const auto& [key, value] : after_damage) {
            put(key, value);
        }
        allow_commits(*disk_, allowed);
        RepairOptions options;
        options.files = &files_;
        options.blobs_folder = std::string(kFolder) + "/blobs";
        options.now = system_clock().wall();
        options.make_record = record_of;
        const bool is_done = repair(*kv_, options).has_value();
        allow_commits(*disk_, UINT64_MAX);
        run();
        EXPECT_EQ(text_of(run()), "");
        EXPECT_EQ(violated(), std::set<std::string>()) << allowed;
        if (is_done) {
            break;
        }
    }
}

// Whatever is hit: repaired once it is sound but for what is listed, the second run changes
// nothing, and messages none of whose rows was hit are as they were.
TEST_F(Repair, any_damage) {
    for (int round = 0; round < 150; ++round) {
        std::set<std::string> hit;
        const int hits = 1 + static_cast<int>(random_.u64() % 12);
        std::vector<std::string> keys;
        for (const auto& [key, value] : before_) {
            keys.push_back(key);
        }
        for (int i = 0; i < hits; ++i) {
            const std::string& key = keys[random_.u64() % keys.size()];
            random_.u64() % 3 == 0 ? put(key, std::nullopt) : spoil(key);
            hit.insert(key);
        }
        const RepairReport first = run();
        const RepairReport second = run();
        std::string what;
        for (const std::string& key : hit) {
            what += key_text(key) + "\n";
        }
        EXPECT_TRUE(second.repaired.empty()) << what << text_of(first) << "---\n"
                                             << text_of(second);
        run(true);
        EXPECT_EQ(text_of(run()), "") << what;
        EXPECT_EQ(violated(), std::set<std::string>()) << what << text_of(first);
        const auto after = rows();
        const bool has_lost_keywords = [&] {
            return std::ranges::any_of(hit,
                                       [](const std::string& key) { return key.front() == 'K'; });
        }();
        for (const auto& [key, value] : before_) {
            if (key.front() != 'U' || hit.contains(key) || has_lost_keywords) {
                continue;
            }
            const MessageRow was = *decode_row(Uid(key_tail_u32(key)), value);
            ByteReader in(std::string_view(key).substr(1));
            const AccountId account(in.u32());
            const std::string record = email_key(Family::Email, account, was.email);
            const BlobId blob = decode_email_head(before_.at(record))->blob;
            if (!hit.contains(record) && !hit.contains(blob_location_key(blob))) {
                EXPECT_TRUE(after.contains(key) && after.at(key) == value) << key_text(key) << what;
                EXPECT_EQ(after.contains(record) ? after.at(record) : "", before_.at(record));
            }
        }
        if (testing::Test::HasFailure()) {
            return;
        }
        // The store as it was.
        for (const auto& [key, value] : after) {
            if (!before_.contains(key)) {
                put(key, std::nullopt);
            }
        }
        for (const auto& [key, value] : before_) {
            put(key, value);
        }
    }
}

}  // namespace
}  // namespace godwit::store
