// Stored messages of the selected mailbox, worked up in jobs of the offload pool, ahead of whoever
// takes what they made. Few messages are worked up on the shard, from memory, when they are there.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "net/io/completion.h"
#include "net/io/offload.h"
#include "serve/imap/conversation.h"
#include "serve/imap/message_source.h"
#include "store/mailbox/mailbox.h"
#include "store/store.h"

namespace godwit::serve::imap_desk {

/// Messages of one job: some hundred microseconds to some milliseconds.
inline constexpr std::size_t kRecordsInJob = 512;
/// Jobs of one command that are under way or wait to be taken.
inline constexpr std::size_t kJobsAhead = 4;

/// `Batch` has a member `done`: how many of the rows it was made of, at least one. The rest comes
/// with the next.
template <class Batch>
class RecordStream {
public:
    using Rows = std::vector<store::MessageRow>;
    /// Pure but for what it reads from the walk; holds values only, as it may outlive the session.
    using Work = std::function<Result<Batch>(const Rows& rows, store::RecordWalk& walk)>;

    /// `uids` are rising and outlive this.
    RecordStream(Conversation* conversation, const std::vector<Uid>* uids, Work work)
        : c_(conversation), uids_(uids), work_(std::move(work)) {}

    struct Next {
        std::shared_ptr<const Rows> rows;  ///< As they were when the job began.
        Batch batch;
    };
    /// nullopt at the end. Errors are the store's.
    net::Task<Result<std::optional<Next>>> next() {
        look_ahead();
        if (jobs_.empty()) {
            co_return std::nullopt;
        }
        Result<Batch> made = co_await run(jobs_.front().get());
        if (!made) {
            co_return std::unexpected(std::move(made.error()));
        }
        const std::unique_ptr<Job> job = std::move(jobs_.front());
        jobs_.pop_front();
        check(made->done > 0 && made->done <= job->rows->size(), "a job of the pool gets on");
        if (made->done < job->rows->size()) {
            // Those behind it began too far ahead.
            jobs_.clear();
            at_ = job->places[made->done];
        }
        look_ahead();
        co_return Next{job->rows, *std::move(made)};
    }
    /// Some of the messages that were asked for were not there any more.
    [[nodiscard]] bool has_gone() const { return has_gone_; }

private:
    struct Job {
        std::shared_ptr<const Rows> rows;
        std::vector<std::size_t> places;                     ///< Of the rows in `uids`.
        std::optional<net::Completion<Result<Batch>>> done;  ///< Once it is submitted.
        Result<> refused{};
    };
    [[nodiscard]] bool is_small() const { return uids_->size() <= kRecordBatch; }

    void look_ahead() {
        while (jobs_.size() < kJobsAhead && begin()) {
            if (!is_small()) {
                submit(jobs_.back().get());
            }
        }
    }

    // The view stands still meanwhile. False when there is nothing more.
    bool begin() {
        const store::MailboxView& view = c_->selected()->view();
        Rows rows;
        std::vector<std::size_t> places;
        std::size_t at = at_;
        std::size_t index = at < uids_->size() ? view.lower_bound((*uids_)[at]) : 0;
        for (; at < uids_->size() && rows.size() < kRecordsInJob; ++at) {
            const Uid uid = (*uids_)[at];
            // Most follow each other.
            if (index < view.rows().size() && view.rows()[index].uid < uid) {
                index = view.lower_bound(uid);
            }
            if (index < view.rows().size() && view.rows()[index].uid == uid) {
                places.push_back(at);
                rows.push_back(view.rows()[index++]);
            } else {
                has_gone_ = true;
            }
        }
        at_ = at;
        if (rows.empty()) {
            return false;
        }
        jobs_.push_back(std::make_unique<Job>());
        jobs_.back()->rows = std::make_shared<const Rows>(std::move(rows));
        jobs_.back()->places = std::move(places);
        return true;
    }

    static Result<Batch> work(store::Store* store, store::ReadTier tier, AccountId account,
                              const Rows& rows, const Work& work) {
        const std::unique_ptr<store::Snapshot> snapshot = store->snapshot();
        store::RecordWalk walk(*snapshot, tier, account);
        return work(rows, walk);
    }

    void submit(Job* job) {
        job->done.emplace();
        job->refused = c_->services()->offload->submit([store = c_->services()->store,
                                                        account = c_->selected()->view().account(),
                                                        rows = job->rows, work = work_,
                                                        answer = job->done->completer()]() mutable {
            answer.complete(RecordStream::work(store, store::ReadTier::Disk, account, *rows, work));
        });
    }

    net::Task<Result<Batch>> run(Job* job) {
        if (is_small()) {
            Result<Batch> near = work(c_->services()->store, store::ReadTier::Cached,
                                      c_->selected()->view().account(), *job->rows, work_);
            if (near || near.error().code != ErrorCode::WouldBlock) {
                co_return near;
            }
        }
        if (!job->done || !job->refused) {
            submit(job);  // There may have been no place for it while it was looked ahead to.
        }
        CO_TRY(Result<>(job->refused));
        co_return co_await *job->done;
    }

    Conversation* c_;
    const std::vector<Uid>* uids_;
    Work work_;
    std::size_t at_ = 0;
    std::deque<std::unique_ptr<Job>> jobs_;
    bool has_gone_ = false;
};

}  // namespace godwit::serve::imap_desk
