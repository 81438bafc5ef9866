// The stored summaries of many messages, one after the other: what SORT and THREAD work on.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/log.h"
#include "mail/message/summary.h"
#include "serve/imap/record_stream.h"

namespace godwit::serve::imap_desk {

/// make(row, const mail::SummaryView&) of each of `uids` that is still there, in their order, made
/// on the offload pool: `make` holds values only. A damaged summary is logged and given as an
/// empty one, so that its message is not lost from the answer. `uids` must outlive the task. Errors
/// are the store's.
template <class Made, class Make>
net::Task<Result<std::vector<Made>>> each_summary(Conversation* c, const std::vector<Uid>* uids,
                                                  Make make) {
    struct Batch {
        std::vector<Made> made;
        std::size_t done = 0;
    };
    const AccountId account = c->selected()->view().account();
    RecordStream<Batch> stream(
        c, uids,
        [account, make = std::move(make)](const std::vector<store::MessageRow>& rows,
                                          store::RecordWalk& walk) -> Result<Batch> {
            Batch batch;
            batch.made.reserve(rows.size());
            for (const store::MessageRow& row : rows) {
                ++batch.done;
                const auto record = TRY(walk.find(row.email));
                if (!record) {
                    continue;  // Gone meanwhile.
                }
                const Result<mail::SummaryView> summary = mail::SummaryView::open(record->summary);
                if (!summary) {
                    log::error("imap.search_failed", {{"account", account.value()},
                                                      {"uid", row.uid.value()},
                                                      {"error", summary.error().text}});
                }
                batch.made.push_back(make(row, summary ? *summary : mail::SummaryView()));
            }
            return batch;
        });
    std::vector<Made> all;
    all.reserve(uids->size());
    while (auto next = CO_TRY(co_await stream.next())) {
        std::move(next->batch.made.begin(), next->batch.made.end(), std::back_inserter(all));
        co_await c->tell_progress(all.size(), uids->size());
    }
    co_return all;
}

/// RFC 5256 2.2: when it was sent, or else when it came. Unix seconds.
inline std::int64_t sent_at(const store::MessageRow& row, const mail::SummaryView& summary) {
    return summary.sent ? summary.sent->unix_seconds : row.internal_date;
}

}  // namespace godwit::serve::imap_desk
