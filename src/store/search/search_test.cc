// The index against reading every message: random texts, random needles, all steps of its life.
#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "mail/message/header.h"
#include "mail/message/parser.h"
#include "mail/message/search_text.h"
#include "mail/message/summary.h"
#include "mail/text/charset.h"
#include "mail/text/encoded_word.h"
#include "store/mailbox/keys.h"
#include "store/search/ask_fuzzy.h"
#include "store/search/index_run.h"
#include "store/search/segment_reader.h"
#include "store/store_testing.h"

namespace godwit::store {
namespace {

class SearchIndex : public ::testing::Test {
protected:
    SearchIndex() {
        StoreOptions options;
        options.on_fatal = [](const Error& error) { ADD_FAILURE() << error.text; };
        options.drive = CommitDrive::Manual;
        store_ = *Store::open(std::move(options), &system_clock(), &random_);
        account_ = fixture::add_account(*store_, 1, CommitDrive::Manual);
    }
    void commit(Plan plan) {
        plan.may_wait = false;
        const CommitResult done = fixture::commit(*store_, std::move(plan), CommitDrive::Manual);
        ASSERT_TRUE(done.has_value()) << done.error().error.text;
    }
    void deliver(const std::string& message) {
        Plan plan = fixture::delivery(*store_, account_, message);
        mail::MessageParser parser;
        parser.feed(message);
        auto& append = std::get<AppendMessage>(plan.steps.front());
        append.record.summary = mail::summarize(parser.finish()).encode();
        texts_[++last_email_] = "Return-Path: <a@example.test>\r\n" + message;
        commit(std::move(plan));
    }
    void expunge(std::vector<Uid> uids) {
        for (const Uid uid : uids) {
            texts_.erase(uid.value());
        }
        Plan plan;
        plan.steps.emplace_back(ExpungeMessages{.account = account_,
                                                .mailbox = kInbox,
                                                .uids = std::move(uids),
                                                .only_deleted = false});
        commit(std::move(plan));
    }
    /// Until there is nothing to do.
    void index() {
        IndexRun run(store_.get(), account_);
        for (int i = 0; i < 10'000; ++i) {
            auto step = run.step(now_);
            ASSERT_TRUE(step.has_value()) << step.error().text;
            if (step->is_done) {
                return;
            }
            if (step->plan) {
                commit(*std::move(step->plan));
            }
        }
        FAIL() << "the index is never done";
    }
    IndexProgress progress() {
        return *read_index_progress(*store_->snapshot(), ReadTier::Disk, account_);
    }
    IndexAnswers ask(IndexQuestion question) {
        question.needle = mail::fold_for_search(question.needle);
        const IndexQuestion questions[] = {std::move(question)};
        auto answers = ask_index(*store_->snapshot(), account_, questions);
        EXPECT_TRUE(answers.has_value()) << answers.error().text;
        return std::move(answers->front());
    }
    std::size_t rows_with(std::string_view word) {
        std::size_t count = 0;
        const auto snapshot = store_->snapshot();
        const std::string prefix = index_state_key(account_);
        const auto cursor = snapshot->cursor(ReadTier::Disk, prefix_end(prefix));
        for (cursor->seek(prefix); cursor->is_valid(); cursor->next()) {
            count += cursor->key().find(word) != std::string::npos ||
                     cursor->value().find(word) != std::string::npos;
        }
        return count;
    }

    WallTime now_ = from_unix_seconds(1'700'000'000);
    SeededRandom random_{7};
    std::unique_ptr<Store> store_;
    AccountId account_;
    std::map<std::uint32_t, std::string> texts_;
    std::uint32_t last_email_ = 0;
};

/// What reading a message says.
bool reads(const std::string& message, const IndexQuestion& question) {
    const std::string needle = mail::fold_for_search(question.needle);
    const std::string head_end = "\r\n\r\n";
    const std::string block = message.substr(0, message.find(head_end) + 2);
    if (question.place != IndexedPlace::Body) {
        for (const mail::HeaderField& field : mail::split_header(block).fields) {
            const std::string body = mail::decode_header_text(field.body(block));
            const std::string name(field.name(block));
            const bool has =
                question.place == IndexedPlace::Text
                    ? mail::fold_for_search(name + ": " + body).find(needle) != std::string::npos
                    : mail::fold_for_search(name) == mail::fold_for_search(question.header_name) &&
                          mail::fold_for_search(body).find(needle) != std::string::npos;
            if (has) {
                return true;
            }
        }
    }
    return question.place != IndexedPlace::Header &&
           mail::fold_for_search(message.substr(message.find(head_end) + 4)).find(needle) !=
               std::string::npos;
}

TEST_F(SearchIndex, what_is_not_covered_is_unknown) {
    deliver("Subject: one\r\n\r\nbody\r\n");
    EXPECT_EQ(ask({.needle = "body"}).of(EmailId(1)), IndexAnswer::Unknown);
    index();
    deliver("Subject: two\r\n\r\nbody\r\n");
    const IndexAnswers answers = ask({.needle = "od"});
    EXPECT_EQ(answers.of(EmailId(1)), IndexAnswer::Yes);
    EXPECT_EQ(answers.of(EmailId(2)), IndexAnswer::Unknown);
    EXPECT_EQ(ask({.needle = "absent"}).of(EmailId(1)), IndexAnswer::No);
    EXPECT_EQ(ask({.needle = "!"}).of(EmailId(1)), IndexAnswer::Unknown);
}

TEST_F(SearchIndex, words_of_one_stem_are_told_with_their_places) {
    deliver("Subject: Meetings\r\n\r\nplans of the house\r\n");
    deliver("Subject: other\r\nFrom: meet@example.test\r\n\r\nmeeting, plan\r\n");
    deliver("Subject: other\r\nX-Odd: meeting plan\r\n\r\nplanet\r\n");
    index();
    deliver("Subject: meeting plan\r\n\r\nbody\r\n");
    const mail::Stemmers stemmers;
    const mail::FuzzyNeedle needle("meeting plan", stemmers);
    const FuzzyQuestion questions[] = {
        {.place = IndexedPlace::Text, .needle = &needle},
        {.place = IndexedPlace::Body, .needle = &needle},
        {.place = IndexedPlace::Header, .header_name = "X-Odd", .needle = &needle},
    };
    const auto asked = ask_index_fuzzily(*store_->snapshot(), account_, questions, stemmers);
    ASSERT_TRUE(asked.has_value());
    const FuzzyAnswers& text = (*asked)[0];
    EXPECT_EQ(text.of(EmailId(1)), IndexAnswer::Yes);
    EXPECT_EQ(text.of(EmailId(4)), IndexAnswer::Unknown);
    const auto places = word_places(IndexedPlace::Text, "");
    // Begins in the subject and in the body: (80 * 5 + 80 * 2) / 2 of 10.
    EXPECT_EQ(text.tally(EmailId(1)).score(places), 28);
    // Kin of From, the body's two: (70 * 3 + 100 * 2 + 100 * 2) / 2 of 10.
    EXPECT_EQ(text.tally(EmailId(2)).score(places), 30);
    EXPECT_EQ((*asked)[1].of(EmailId(1)), IndexAnswer::No);
    EXPECT_EQ((*asked)[1].of(EmailId(2)), IndexAnswer::Yes);
    EXPECT_EQ((*asked)[2].of(EmailId(2)), IndexAnswer::No);
    EXPECT_EQ((*asked)[2].of(EmailId(3)), IndexAnswer::Unknown) << "some other field may have it";
}

TEST_F(SearchIndex, a_word_is_told_without_reading) {
    deliver("Subject: Gr\u00fc\u00dfe\r\nX-Odd: needle\r\n\r\nHello asdfghj World\r\n");
    index();
    const auto of = [&](IndexQuestion question) { return ask(std::move(question)).of(EmailId(1)); };
    EXPECT_EQ(of({.place = IndexedPlace::Body, .needle = "SDFG"}), IndexAnswer::Yes);
    EXPECT_EQ(of({.place = IndexedPlace::Body, .needle = "needle"}), IndexAnswer::No);
    EXPECT_EQ(of({.place = IndexedPlace::Text, .needle = "needle"}), IndexAnswer::Yes);
    EXPECT_EQ(of({.place = IndexedPlace::Header, .header_name = "subject", .needle = "GR\u00dcSS"}),
              IndexAnswer::Yes);
    EXPECT_EQ(of({.place = IndexedPlace::Header, .header_name = "X-Odd", .needle = "need"}),
              IndexAnswer::Unknown);
    EXPECT_EQ(of({.place = IndexedPlace::Header, .header_name = "X-Even", .needle = "need"}),
              IndexAnswer::No);
    EXPECT_EQ(of({.place = IndexedPlace::Header, .header_name = "X-Odd"}), IndexAnswer::Unknown);
    EXPECT_EQ(of({.place = IndexedPlace::Body, .needle = "lo asdfghj w"}), IndexAnswer::Unknown);
    EXPECT_EQ(of({.place = IndexedPlace::Body, .needle = "o asdfgh w"}), IndexAnswer::No);
}

class Texts {
public:
    explicit Texts(Random* random) : random_(random) {}
    std::uint64_t below(std::uint64_t end) { return random_->u64() % end; }
    std::string word() {
        static const std::vector<std::string> kWords = {"Hello",
                                                        "world",
                                                        "asdfghj",
                                                        "Stra\u00dfe",
                                                        "caf\u00e9",
                                                        "\u6771\u4eac\u90fd\u5e81",
                                                        "\u6771",
                                                        "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
                                                        "a",
                                                        "ab",
                                                        "abcabcabc",
                                                        "x-y_z",
                                                        "\uff21\uff22\uff23",
                                                        "ann@example.org",
                                                        "co\u00adop",
                                                        "\ud55c\uad6d\uc5b4"};
        if (below(20) == 0) {
            std::string longest;
            for (std::uint64_t i = below(150); i > 0; --i) {
                longest += below(4) == 0 ? std::string("\u00e9")
                                         : std::string(1, static_cast<char>('a' + below(4)));
            }
            return longest;
        }
        return kWords[below(kWords.size())];
    }
    std::string text(std::uint64_t words) {
        static const std::vector<std::string> kGaps = {" ", ", ", "", "-", "\r\n", "! "};
        std::string text;
        for (std::uint64_t i = 0; i < words; ++i) {
            text += word() + (below(3) == 0 ? kGaps[below(kGaps.size())] : std::string(" "));
        }
        return text;
    }
    std::string message() {
        std::string subject = text(1 + below(4));
        std::erase(subject, '\r');
        std::erase(subject, '\n');
        return "Subject: " + subject + "\r\nFrom: ann" + std::to_string(below(9)) +
               "@example.org\r\nX-Other: " + std::to_string(below(50)) +
               "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text(below(40)) + "\r\n";
    }
    /// Some stretch of some message, or a text that may be nowhere.
    std::string needle(const std::map<std::uint32_t, std::string>& messages) {
        if (below(4) == 0 || messages.empty()) {
            return word();
        }
        auto at = messages.begin();
        std::advance(at, static_cast<std::ptrdiff_t>(below(messages.size())));
        const std::string folded = mail::fold_for_search(at->second);
        std::size_t begin = below(folded.size());
        std::size_t end = std::min<std::size_t>(folded.size(), begin + 1 + below(below(8) + 60));
        const auto is_inside = [&](std::size_t i) {
            return i < folded.size() && (static_cast<unsigned char>(folded[i]) & 0xC0) == 0x80;
        };
        while (is_inside(begin)) {
            --begin;
        }
        while (is_inside(end)) {
            ++end;
        }
        return folded.substr(begin, end - begin);
    }

private:
    Random* random_;
};

TEST_F(SearchIndex, never_differs_from_reading) {
    Texts texts(&random_);
    std::uint64_t told = 0;
    std::uint64_t unknown = 0;
    for (int round = 0; round < 24; ++round) {
        for (std::uint64_t i = texts.below(30); i > 0; --i) {
            deliver(texts.message());
        }
        if (!texts_.empty() && texts.below(2) == 0) {
            auto at = texts_.begin();
            std::advance(at, static_cast<std::ptrdiff_t>(texts.below(texts_.size())));
            expunge({Uid(at->first)});
        }
        now_ += (std::chrono::hours(texts.below(10)));
        if (texts.below(4) != 0) {
            index();
        }
        for (int i = 0; i < 40; ++i) {
            constexpr std::string_view kNames[] = {"Subject", "from", "X-Other", "Return-Path"};
            const IndexQuestion question{.place = static_cast<IndexedPlace>(texts.below(3)),
                                         .header_name = std::string(kNames[texts.below(4)]),
                                         .needle = texts.needle(texts_)};
            const IndexAnswers answers = ask(question);
            for (const auto& [email, message] : texts_) {
                const IndexAnswer answer = answers.of(EmailId(email));
                if (answer == IndexAnswer::Unknown) {
                    ++unknown;
                    continue;
                }
                ++told;
                ASSERT_EQ(answer == IndexAnswer::Yes, reads(message, question))
                    << email << " '" << question.needle << "' in " << message;
            }
        }
    }
    EXPECT_GT(told, unknown);
    EXPECT_GT(progress().segments, 1U);
}

TEST_F(SearchIndex, merges_keep_segments_few) {
    for (int i = 0; i < 70; ++i) {
        deliver("Subject: s" + std::to_string(i) + "\r\n\r\nall w" + std::to_string(i) + "\r\n");
        index();
    }
    EXPECT_LT(progress().segments, 12U);
    EXPECT_EQ(progress().emails, 70U);
    const IndexAnswers all = ask({.needle = "all"});
    const IndexAnswers one = ask({.place = IndexedPlace::Body, .needle = "w69"});
    for (std::uint32_t email = 1; email <= 70; ++email) {
        EXPECT_EQ(all.of(EmailId(email)), IndexAnswer::Yes) << email;
        EXPECT_EQ(one.of(EmailId(email)) == IndexAnswer::Yes, email == 70) << email;
    }
}

TEST_F(SearchIndex, words_of_deleted_messages_are_in_no_row_after_a_day) {
    deliver("Subject: keep\r\n\r\nkeepthis\r\n");
    deliver("Subject: gone\r\n\r\nforgetthis\r\n");
    index();
    EXPECT_GT(rows_with("forgetthis"), 0U);
    expunge({Uid(2)});
    now_ += (kIndexCleanEvery);
    index();
    EXPECT_EQ(rows_with("forgetthis"), 0U);
    EXPECT_GT(rows_with("keepthis"), 0U);
    EXPECT_EQ(ask({.needle = "keepthis"}).of(EmailId(1)), IndexAnswer::Yes);
    expunge({Uid(1)});
    now_ += (kIndexCleanEvery);
    index();
    EXPECT_EQ(rows_with("keepthis"), 0U);
    EXPECT_EQ(progress().segments, 0U);
    EXPECT_FALSE(*is_index_due(*store_->snapshot(), ReadTier::Disk, account_, now_));
}

TEST_F(SearchIndex, many_deleted_messages_are_cleared_up_without_waiting_for_a_day) {
    std::vector<Uid> uids;
    for (std::uint32_t i = 1; i <= 100; ++i) {
        deliver("Subject: s\r\n\r\nw" + std::to_string(1000 + i) + "\r\n");
        uids.emplace_back(i);
    }
    index();
    uids.resize(99);
    expunge(uids);
    EXPECT_TRUE(*is_index_due(*store_->snapshot(), ReadTier::Disk, account_, now_));
    index();
    EXPECT_EQ(rows_with("w1050"), 0U);
    EXPECT_EQ(progress().emails, 1U);
}

TEST_F(SearchIndex, what_is_too_large_is_left_to_reading) {
    const std::string head = "Subject: s\r\nContent-Type: text/plain\r\n\r\n";
    for (const std::size_t size : {limits::search_window_size - 1, limits::search_window_size,
                                   limits::search_window_size + 1}) {
        deliver(head + "word " + std::string(size - 5, '.'));
    }
    index();
    const IndexAnswers answers = ask({.place = IndexedPlace::Body, .needle = "word"});
    EXPECT_EQ(answers.of(EmailId(1)), IndexAnswer::Yes);
    EXPECT_EQ(answers.of(EmailId(2)), IndexAnswer::Yes);
    EXPECT_EQ(answers.of(EmailId(3)), IndexAnswer::Unknown);
    EXPECT_EQ(progress().unsure, 1U);
}

TEST_F(SearchIndex, memory_is_bounded_while_it_is_written) {
    // Each word is new: the worst there is for the terms in memory.
    for (int i = 0; i < 40; ++i) {
        std::string body;
        for (int word = 0; word < 20'000; ++word) {
            body += std::to_string(i * 20'000 + word) + "x ";
        }
        deliver("Subject: s\r\n\r\n" + body + "\r\n");
    }
    SegmentBuilder builder(1);
    std::size_t highest = 0;
    IndexRun run(store_.get(), account_);
    for (;;) {
        auto step = run.step(now_);
        ASSERT_TRUE(step.has_value());
        highest = std::max(highest, run.memory());
        if (step->is_done) {
            break;
        }
        if (step->plan) {
            const auto& change = std::get<ChangeIndex>(step->plan->steps.front());
            std::size_t octets = 0;
            for (const Batch::Entry& entry : change.entries) {
                octets += entry.key.size() + (entry.value ? entry.value->size() : 0);
            }
            EXPECT_LT(octets, 512U * 1024);
            commit(*std::move(step->plan));
        }
    }
    // One message more than the bound.
    EXPECT_LT(highest, kIndexMemoryMax + 8U * 1024 * 1024);
    EXPECT_GT(progress().octets, kIndexMemoryMax / 2);
    EXPECT_EQ(ask({.needle = "799999x"}).of(EmailId(40)), IndexAnswer::Yes);
}

TEST_F(SearchIndex, damage_makes_it_anew) {
    deliver("Subject: s\r\n\r\nword\r\n");
    index();
    const auto state = *read_index_state(*store_->snapshot(), ReadTier::Disk, account_);
    ASSERT_TRUE(state.has_value());
    const std::string key = segment_head_key(account_, state->segments.front().id);
    ChangeIndex step{.account = account_,
                     .state = *store_->snapshot()->get(index_state_key(account_), ReadTier::Disk),
                     .entries = {}};
    step.entries.push_back({.key = key, .value = std::nullopt});
    Plan plan;
    plan.steps.emplace_back(std::move(step));
    commit(std::move(plan));
    const IndexQuestion questions[] = {{.needle = "word"}};
    EXPECT_EQ(ask_index(*store_->snapshot(), account_, questions).error().code, ErrorCode::Corrupt);
    commit(*plan_index_anew(*store_->snapshot(), ReadTier::Disk, account_));
    EXPECT_EQ(ask({.needle = "word"}).of(EmailId(1)), IndexAnswer::Unknown);
    index();
    EXPECT_EQ(ask({.needle = "word"}).of(EmailId(1)), IndexAnswer::Yes);
}

TEST_F(SearchIndex, rows_of_work_that_was_broken_off_do_no_harm) {
    for (int i = 0; i < 3; ++i) {
        deliver("Subject: s\r\n\r\nword" + std::to_string(i) + "\r\n");
        index();
    }
    const std::string row =
        *store_->snapshot()->get(index_state_key(account_), ReadTier::Disk).value();
    const auto state = decode_index_state(row);
    ChangeIndex step{.account = account_, .state = row, .entries = {}};
    step.entries.push_back(
        {.key = terms_key(account_, SegmentId(state->next_segment), TermField::Body, "leftover"),
         .value = encode_terms(std::string_view("leftover\0", 9))});
    Plan plan;
    plan.steps.emplace_back(std::move(step));
    commit(std::move(plan));
    EXPECT_GT(rows_with("leftover"), 0U);
    deliver("Subject: s\r\n\r\nword3\r\n");
    index();
    EXPECT_EQ(rows_with("leftover"), 0U);
    EXPECT_EQ(ask({.needle = "word3"}).of(EmailId(4)), IndexAnswer::Yes);
}

TEST_F(SearchIndex, two_at_once_do_not_mix) {
    deliver("Subject: s\r\n\r\nword\r\n");
    IndexRun first(store_.get(), account_);
    auto step = first.step(now_);
    while (step && !step->plan) {
        step = first.step(now_);
    }
    index();
    const CommitResult done = fixture::commit(*store_, *std::move(step->plan), CommitDrive::Manual);
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().error.code, ErrorCode::Stale);
}

TEST_F(SearchIndex, goes_with_its_account) {
    deliver("Subject: s\r\n\r\nword\r\n");
    index();
    EXPECT_GT(rows_with("word"), 0U);
    IndexRun late(store_.get(), account_);
    auto plan = plan_remove_account(*store_->snapshot(), "user1@example.test");
    ASSERT_TRUE(plan.has_value()) << plan.error().text;
    commit(*std::move(plan));
    EXPECT_EQ(rows_with("word"), 0U);
    ChangeIndex step{.account = account_, .state = std::nullopt, .entries = {}};
    step.entries.push_back({.key = index_state_key(account_), .value = encode(IndexState{})});
    Plan again;
    again.steps.emplace_back(std::move(step));
    const CommitResult done = fixture::commit(*store_, std::move(again), CommitDrive::Manual);
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().error.code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace godwit::store
