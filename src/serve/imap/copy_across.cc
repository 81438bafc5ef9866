#include "serve/imap/copy_across.h"

#include "base/probe.h"
#include "flow/commit.h"
#include "serve/imap/message_source.h"

namespace godwit::serve::imap_desk {

namespace {

store::FlagNames names_of(const store::MessageFlags& flags, const KeywordTable& keywords) {
    store::FlagNames names;
    names.system = flags.system;
    for (std::size_t id = 0; id < KeywordTable::kCapacity; ++id) {
        const auto number = static_cast<std::uint8_t>(id);
        if (flags.keywords.has(number) && !keywords.name(number).empty()) {
            names.keywords.push_back(keywords.name(number));
        }
    }
    return names;
}

store::ExpungeMessages removal(const store::MailboxView& view, const std::vector<Uid>& uids) {
    store::ExpungeMessages step;
    step.account = view.account();
    step.mailbox = view.mailbox();
    step.uids = uids;
    step.only_deleted = false;
    step.must_be_there = true;  // Else one that somebody removed meanwhile would come back.
    return step;
}

}  // namespace

store::FlagNames permitted(store::FlagNames flags, store::Rights rights) {
    const store::FlagMask may = flag_mask(rights);
    constexpr auto kSeen = static_cast<unsigned>(store::SystemFlag::Seen);
    constexpr auto kDeleted = static_cast<unsigned>(store::SystemFlag::Deleted);
    const unsigned mask = (may.seen ? kSeen : 0U) | (may.deleted ? kDeleted : 0U) |
                          (may.others ? 31U & ~(kSeen | kDeleted) : 0U);
    flags.system = static_cast<std::uint8_t>(flags.system & mask);
    if (!may.others) {
        flags.keywords.clear();
    }
    return flags;
}

net::Task<Result<store::Copied>> copy_across(Conversation* c, const Place* target,
                                             std::vector<Uid> uids, Kind kind) {
    CO_TRY(co_await c->selected()->room().refresh_keywords());
    const store::MailboxView& view = c->selected()->view();
    store::Copied copied;
    std::vector<store::MessageRow> rows;
    std::vector<EmailId> emails;
    for (const Uid uid : uids) {
        if (const store::MessageRow* row = view.find(uid)) {
            rows.push_back(*row);
            emails.push_back(row->email);
        }
    }
    auto records = CO_TRY(co_await read_records(c->services(), view.account(), std::move(emails)));
    store::Plan plan;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (!records[i]) {
            continue;  // Gone meanwhile.
        }
        if (records[i]->is_damaged) {
            co_return internal_error(ErrorCode::Corrupt, "the record of a message is damaged");
        }
        store::AppendMessage step;
        step.account = target->account;
        step.mailbox = target->state.id;
        step.user = c->account();
        step.record = *std::move(records[i]);
        step.internal_date = rows[i].internal_date;
        step.flags =
            permitted(names_of(rows[i].flags, c->selected()->room().keywords()), target->rights);
        plan.steps.emplace_back(std::move(step));
        copied.source.push_back(rows[i].uid);
    }
    if (copied.source.empty()) {
        co_return copied;
    }
    if (kind == Kind::Move) {
        plan.steps.emplace_back(removal(c->selected()->view(), copied.source));
    }
    crash_point<"imap.copy_across_planned">();
    store::CommitResult result = co_await flow::commit(c->services()->store, std::move(plan));
    if (!result) {
        co_return std::unexpected(std::move(result.error().error));
    }
    crash_point<"imap.copy_across_committed">();
    for (const store::StepResult& one : result->results) {
        if (const auto* appended = std::get_if<store::Appended>(&one)) {
            copied.uid_validity = appended->uid_validity;
            copied.target.push_back(appended->uid);
        }
    }
    co_return copied;
}

}  // namespace godwit::serve::imap_desk
