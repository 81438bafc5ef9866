// The stored summaries of many messages, one after the other: what SORT and THREAD work on.
#pragma once

#include <vector>

#include "base/log.h"
#include "mail/message/summary.h"
#include "serve/imap/changes.h"
#include "serve/imap/message_source.h"

namespace godwit::serve::imap_desk {

/// Calls take(row, summary) for each of `uids` that is still there, in bounded steps; a damaged
/// summary is logged and given as an empty one, so that its message is not lost from the answer.
/// `uids` must outlive the task. Errors are the store's.
template <class Take>
net::Task<Result<>> each_summary(Conversation* c, const std::vector<Uid>* uids, Take take) {
    const AccountId account = c->selected()->view().account();
    for (std::size_t at = 0; at < uids->size(); at += kRecordBatch) {
        std::vector<store::MessageRow> rows;
        std::vector<EmailId> emails;
        for (const Uid uid : slice(*uids, at, kRecordBatch)) {
            if (const store::MessageRow* row = c->selected()->view().find(uid)) {
                rows.push_back(*row);
                emails.push_back(row->email);
            }
        }
        const auto records =
            CO_TRY(co_await read_records(c->services(), account, std::move(emails)));
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (!records[i]) {
                continue;  // Gone meanwhile.
            }
            Result<mail::MessageSummary> summary =
                mail::MessageSummary::decode(records[i]->summary);
            if (!summary) {
                log::error("imap.search_failed", {{"account", account.value()},
                                                  {"uid", rows[i].uid.value()},
                                                  {"error", summary.error().text}});
            }
            take(rows[i], summary ? *summary : mail::MessageSummary());
        }
        co_await net::yield_now();
    }
    co_return Result<>();
}

/// RFC 5256 2.2: when it was sent, or else when it came. Unix seconds.
inline std::int64_t sent_at(const store::MessageRow& row, const mail::MessageSummary& summary) {
    return summary.sent ? summary.sent->unix_seconds : row.internal_date;
}

}  // namespace godwit::serve::imap_desk
