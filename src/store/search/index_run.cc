#include "store/search/index_run.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

#include "base/bytes.h"
#include "base/log.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"
#include "store/search/email_terms.h"

namespace godwit::store {
namespace {

constexpr ReadTier kTier = ReadTier::Disk;
// Emails read, and octets of their bodies, in one step.
constexpr std::size_t kEmailsInStep = 64;
constexpr std::uint64_t kOctetsInStep = 2ULL * 1024 * 1024;
// Rows and octets of one plan: a small part of a commit group, so that deliveries do not wait.
constexpr std::size_t kRowsInPlan = 512;
constexpr std::size_t kOctetsInPlan = 256 * 1024;
// Rows of messages looked at in one step of finding those that are gone.
constexpr std::size_t kMessagesInStep = 16384;
// Segments of about one size that become one.
constexpr std::size_t kMergeAtOnce = 4;

unsigned level_of(const IndexSegment& segment) {
    return (std::bit_width(std::max(segment.emails, 1U)) - 1) / 2;
}

std::uint64_t emails_of(const IndexState& state) {
    std::uint64_t emails = 0;
    for (const IndexSegment& segment : state.segments) {
        emails += segment.emails;
    }
    return emails;
}

IndexState fresh_state(WallTime now) {
    IndexState state;
    state.rules = index_rules();
    state.cleaned = now;
    return state;
}

bool has_too_many_gone(const IndexState& state, const AccountHead& head) {
    constexpr std::uint64_t kFew = 64;
    return emails_of(state) > head.messages_used + head.messages_used / 4 + kFew;
}

}  // namespace

Result<IndexProgress> read_index_progress(const Snapshot& snapshot, ReadTier tier,
                                          AccountId account) {
    IndexProgress progress;
    const auto head = TRY(read_head(snapshot, tier, account));
    progress.next_email = head ? head->next_email : 1;
    progress.covered = 1;
    if (const auto state = TRY(read_index_state(snapshot, tier, account))) {
        progress.covered = state->next_email;
        progress.segments = state->segments.size();
        for (const IndexSegment& segment : state->segments) {
            const auto row = TRY(snapshot.get(segment_head_key(account, segment.id), tier));
            const auto decoded = row ? decode_segment_head(*row) : Result<SegmentHead>();
            progress.emails += segment.emails;
            progress.unsure += decoded ? decoded->unsure.count() : 0;
            progress.octets += segment.octets;
        }
    }
    return progress;
}

Result<bool> is_index_due(const Snapshot& snapshot, ReadTier tier, AccountId account,
                          WallTime now) {
    const auto head = TRY(read_head(snapshot, tier, account));
    if (!head) {
        return false;
    }
    const auto state = TRY(read_index_state(snapshot, tier, account));
    if (head->next_email - (state ? state->next_email : 1) >= kIndexAtOnce) {
        return true;
    }
    return state && (now - state->cleaned >= kIndexCleanEvery || has_too_many_gone(*state, *head));
}

Result<Plan> plan_index_anew(const Snapshot& snapshot, ReadTier tier, AccountId account) {
    ChangeIndex step;
    step.account = account;
    step.state = TRY(snapshot.get(index_state_key(account), tier));
    step.entries.push_back({.key = index_state_key(account), .value = std::nullopt});
    Plan plan;
    plan.steps.emplace_back(std::move(step));
    return plan;
}

Plan IndexRun::change(std::vector<Batch::Entry> entries) const {
    Plan plan;
    plan.may_wait = true;
    plan.steps.emplace_back(
        ChangeIndex{.account = account_, .state = row_, .entries = std::move(entries)});
    return plan;
}

Plan IndexRun::take_plan() {
    std::vector<Batch::Entry> entries;
    std::size_t octets = 0;
    while (rows_at_ < rows_.size() && entries.size() < kRowsInPlan && octets < kOctetsInPlan) {
        Batch::Entry& row = rows_[rows_at_++];
        octets += row.key.size() + (row.value ? row.value->size() : 0);
        entries.push_back(std::move(row));
    }
    if (rows_at_ == rows_.size()) {
        rows_.clear();
        rows_at_ = 0;
        if (next_state_) {
            // With the last row, so that what counts is whole.
            entries.push_back({.key = index_state_key(account_), .value = encode(*next_state_)});
            next_state_.reset();
            is_tidy_ = false;
        }
    }
    return change(std::move(entries));
}

// The rows say something that they cannot say: all is made anew from the emails.
Plan IndexRun::drop() {
    merge_.reset();
    builder_.reset();
    cleaning_.reset();
    rows_.clear();
    rows_at_ = 0;
    next_state_.reset();
    is_tidy_ = false;
    return change({{.key = index_state_key(account_), .value = std::nullopt}});
}

std::size_t IndexRun::memory() const {
    std::size_t octets = builder_ ? builder_->memory() : 0;
    for (std::size_t at = rows_at_; at < rows_.size(); ++at) {
        octets += rows_[at].key.size() + (rows_[at].value ? rows_[at].value->size() : 0);
    }
    return octets;
}

Result<IndexStep> IndexRun::step(WallTime now) {
    if (!rows_.empty() || next_state_) {
        return IndexStep{.plan = take_plan()};
    }
    const auto snapshot = store_->snapshot();
    auto chosen = choose(*snapshot, now);
    if (!chosen && is_damage(chosen.error())) {
        log::error("search_index.damaged",
                   {{"account", account_.value()}, {"error", chosen.error().text}});
        return IndexStep{.plan = drop()};
    }
    return chosen;
}

Result<IndexStep> IndexRun::choose(const Snapshot& snapshot, WallTime now) {
    if (merge_) {
        TRY(merge_some(snapshot));
        return IndexStep{};
    }
    if (builder_) {
        TRY(read_emails(snapshot));
        return IndexStep{};
    }
    const auto head = TRY(read_head(snapshot, kTier, account_));
    if (!head) {
        return IndexStep{.is_done = true};
    }
    row_ = TRY(snapshot.get(index_state_key(account_), kTier));
    const auto state = TRY(read_index_state(snapshot, kTier, account_));
    state_ = state.value_or(fresh_state(now));
    if (row_ && !state) {
        return IndexStep{.plan = drop()};
    }
    if (!is_tidy_) {
        auto removal = TRY(remove_leftovers(snapshot));
        if (removal) {
            return IndexStep{.plan = std::move(removal)};
        }
        is_tidy_ = true;
    }
    end_ = head->next_email;
    if (state_.next_email < end_) {
        builder_ = std::make_unique<SegmentBuilder>(state_.next_email);
        next_email_ = state_.next_email;
        return IndexStep{};
    }
    auto sources = merge_candidates();
    if (!sources.empty()) {
        merge_ = std::make_unique<SegmentMerge>(account_, SegmentId(state_.next_segment),
                                                std::move(sources), nullptr);
        return IndexStep{};
    }
    if (cleaning_ || is_clean_due(*head, now)) {
        TRY(begin_cleaning(snapshot, now));
        return IndexStep{};
    }
    return IndexStep{.is_done = true};
}

Result<std::optional<Plan>> IndexRun::remove_leftovers(const Snapshot& snapshot) {
    const std::string all = index_state_key(account_);
    const auto cursor = snapshot.cursor(kTier, prefix_end(all));
    std::vector<Batch::Entry> entries;
    std::string at = all + '\0';
    for (cursor->seek(at); cursor->is_valid() && entries.size() < kRowsInPlan;) {
        const auto segment = segment_of(cursor->key());
        const bool is_counted =
            segment && std::ranges::any_of(state_.segments, [&](const IndexSegment& known) {
                return known.id == *segment;
            });
        if (is_counted) {
            at = prefix_end(index_segment_prefix(account_, *segment));
            cursor->seek(at);
            continue;
        }
        entries.push_back({.key = std::string(cursor->key()), .value = std::nullopt});
        cursor->next();
    }
    TRY(cursor->status());
    return entries.empty() ? std::optional<Plan>() : std::optional(change(std::move(entries)));
}

Result<> IndexRun::read_emails(const Snapshot& snapshot) {
    const auto cursor = snapshot.cursor(kTier, prefix_end(account_prefix(Family::Email, account_)));
    std::uint64_t octets = 0;
    std::size_t count = 0;
    cursor->seek(email_key(Family::Email, account_, EmailId(next_email_)));
    bool is_full = false;
    for (; cursor->is_valid() && count < kEmailsInStep && octets < kOctetsInStep && !is_full;
         cursor->next(), ++count) {
        const EmailId email(key_tail_u32(cursor->key()));
        if (email.value() >= end_) {
            break;
        }
        next_email_ = email.value() + 1;
        // One whose row is damaged is found by nothing, also when it is read directly; a repair
        // has all made anew.
        if (const auto row = TRY(if_sound(cursor->key(), decode_email(cursor->value())))) {
            add_email_terms(*builder_, store_->blobs(), email, *row);
            octets += row->blob_size;
        }
        is_full = builder_->memory() >= kIndexMemoryMax;
    }
    TRY(cursor->status());
    const bool is_end = !cursor->is_valid() || key_tail_u32(cursor->key()) >= end_;
    if (is_end) {
        next_email_ = end_;
    }
    if (is_end || is_full) {
        end_batch();
    }
    return {};
}

void IndexRun::end_batch() {
    IndexState next = state_;
    next.next_email = next_email_;
    if (!builder_->is_empty()) {
        const IndexSegment segment =
            builder_->write(account_, SegmentId(next.next_segment), next_email_ - 1, rows_);
        ++next.next_segment;
        next.segments.push_back(segment);
    }
    builder_.reset();
    next_state_ = std::move(next);
}

// The longest row of newest segments that are no larger than some level and of which enough are of
// it.
std::vector<IndexSegment> IndexRun::merge_candidates() const {
    const auto& all = state_.segments;
    std::size_t best = all.size();
    unsigned highest = 0;
    std::size_t of_highest = 0;
    std::uint64_t emails = 0;
    for (std::size_t at = all.size(); at-- > 0;) {
        emails += all[at].emails;
        if (emails > kSegmentEmailsMax) {
            break;
        }
        const unsigned level = level_of(all[at]);
        if (level > highest) {
            highest = level;
            of_highest = 0;
        }
        of_highest += level == highest ? 1 : 0;
        if (of_highest >= kMergeAtOnce) {
            best = at;
        }
    }
    return {all.begin() + static_cast<std::ptrdiff_t>(best), all.end()};
}

Result<> IndexRun::merge_some(const Snapshot& snapshot) {
    const bool is_whole = TRY(merge_->step(snapshot, rows_));
    if (!is_whole) {
        return {};
    }
    IndexState next = state_;
    const auto begin =
        std::ranges::find(next.segments, merge_->sources().front().id, &IndexSegment::id);
    const auto at =
        next.segments.erase(begin, begin + static_cast<std::ptrdiff_t>(merge_->sources().size()));
    if (const auto merged = merge_->merged()) {
        next.segments.insert(at, *merged);
    }
    ++next.next_segment;
    merge_.reset();
    next_state_ = std::move(next);
    return {};
}

bool IndexRun::is_clean_due(const AccountHead& head, WallTime now) const {
    return row_ && (now - state_.cleaned >= kIndexCleanEvery || has_too_many_gone(state_, head));
}

Result<> IndexRun::note_living(const Snapshot& snapshot) {
    const auto cursor =
        snapshot.cursor(kTier, prefix_end(account_prefix(Family::Message, account_)));
    std::size_t count = 0;
    for (cursor->seek(cleaning_->next_key); cursor->is_valid() && count < kMessagesInStep;
         cursor->next(), ++count) {
        const auto row = TRY(
            if_sound(cursor->key(), decode_row(Uid(key_tail_u32(cursor->key())), cursor->value())));
        if (row) {
            cleaning_->living.add(row->email.value());
        }
    }
    TRY(cursor->status());
    cleaning_->knows_all = !cursor->is_valid();
    cleaning_->next_key = cursor->is_valid() ? std::string(cursor->key()) : std::string();
    return {};
}

// Looks for the next segment with emails that are gone, and has it made anew without them.
Result<bool> IndexRun::begin_cleaning(const Snapshot& snapshot, WallTime now) {
    if (!cleaning_) {
        cleaning_ = std::make_unique<Cleaning>();
        cleaning_->next_key = account_prefix(Family::Message, account_);
        // What comes after this lives, and is not asked about.
        cleaning_->end = state_.next_email;
    }
    if (!cleaning_->knows_all) {
        TRY(note_living(snapshot));
        return false;
    }
    while (cleaning_->segment < state_.segments.size()) {
        const IndexSegment& segment = state_.segments[cleaning_->segment];
        const auto row = TRY(snapshot.get(segment_head_key(account_, segment.id), kTier));
        const SegmentHead head = row ? TRY(decode_segment_head(*row)) : SegmentHead();
        cleaning_->gone = EmailSet();
        head.emails.each([&](std::uint32_t email) {
            if (email < cleaning_->end && !cleaning_->living.contains(email)) {
                cleaning_->gone.add(email);
            }
        });
        if (!cleaning_->gone.is_empty()) {
            const bool is_all = cleaning_->gone.count() == head.emails.count();
            cleaning_->segment += is_all ? 0 : 1;
            merge_ = std::make_unique<SegmentMerge>(account_, SegmentId(state_.next_segment),
                                                    std::vector{segment}, &cleaning_->gone);
            return true;
        }
        ++cleaning_->segment;
    }
    cleaning_.reset();
    next_state_ = state_;
    next_state_->cleaned = now;
    return true;
}

}  // namespace godwit::store
