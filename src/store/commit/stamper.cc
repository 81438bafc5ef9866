#include "store/commit/stamper.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "store/commit/stamper_steps.h"
#include "store/kv/key.h"
#include "store/kv/meta.h"

namespace godwit::store {

namespace {
/// How long the group's lists were when a plan began.
struct Mark {
    std::size_t changes;
    std::size_t credentials;
    std::size_t queue;
    std::size_t linked;
    std::size_t unlinked;
    std::uint32_t trace_ordinal;
};

Mark mark_of(const StampContext& context) {
    return {.changes = context.changes.size(),
            .credentials = context.credentials.size(),
            .queue = context.queue.size(),
            .linked = context.linked.size(),
            .unlinked = context.unlinked.size(),
            .trace_ordinal = context.trace_ordinal};
}

void begin_plan(StampContext& context, const Plan& plan) {
    context.plan = &plan;
    context.rows.begin_plan();
    context.accounts.begin_plan();
    context.fresh.clear();
    for (const PlanStep& step : plan.steps) {
        if (const auto* append = std::get_if<AppendMessage>(&step)) {
            context.fresh.push_back(append->mail);
        } else if (const auto* add = std::get_if<AddToQueue>(&step)) {
            context.fresh.push_back(add->message.mail);
        }
    }
    std::ranges::sort(context.fresh);
    const auto doubles = std::ranges::unique(context.fresh);
    context.fresh.erase(doubles.begin(), doubles.end());
}

void roll_back(StampContext& context, const Mark& mark) {
    context.accounts.roll_back();
    context.rows.roll_back();
    context.changes.erase(context.changes.begin() + static_cast<std::ptrdiff_t>(mark.changes),
                          context.changes.end());
    context.credentials.resize(mark.credentials);
    context.queue.resize(mark.queue);
    context.linked.resize(mark.linked);
    context.unlinked.resize(mark.unlinked);
    context.trace_ordinal = mark.trace_ordinal;
}

/// What a group does to the links of one body.
struct LinkChange {
    std::size_t made = 0;
    std::size_t dropped = 0;
    bool is_judged = false;
    bool is_listed = false;
    bool is_gone = false;  ///< No link is left.
};
using LinkChanges = std::unordered_map<BlobId, LinkChange>;

/// Appends to one mailbox that follow each other are told as one.
void add_change(AccountChange& account, MailboxChange change) {
    if (!account.mailboxes.empty() && account.mailboxes.back().mailbox == change.mailbox) {
        auto* last = std::get_if<MessagesAppended>(&account.mailboxes.back().what);
        auto* next = std::get_if<MessagesAppended>(&change.what);
        if (last != nullptr && next != nullptr) {
            last->rows.insert(last->rows.end(), next->rows.begin(), next->rows.end());
            return;
        }
    }
    account.mailboxes.push_back(std::move(change));
}

std::vector<std::shared_ptr<const AccountChange>> account_changes(StampContext& context) {
    std::vector<std::shared_ptr<AccountChange>> changes;
    std::unordered_map<AccountId, AccountChange*> by_account;
    const auto of = [&](AccountId account) -> AccountChange& {
        AccountChange*& entry = by_account[account];
        if (entry == nullptr) {
            auto made = std::make_shared<AccountChange>();
            made->account = account;
            made->seq = context.seq;
            entry = made.get();
            changes.push_back(std::move(made));
        }
        return *entry;
    };
    for (auto& [account, change] : context.changes) {
        add_change(of(account), std::move(change));
    }
    for (const AccountId account : context.credentials) {
        of(account).credentials_changed = true;
    }
    return {changes.begin(), changes.end()};
}
}  // namespace

struct Stamper::Inner {
    explicit Inner(const Kv* kv) : context(kv) {}

    void clear_lists() {
        context.changes.clear();
        context.credentials.clear();
        context.queue.clear();
        context.linked.clear();
        context.unlinked.clear();
        context.trace_ordinal = 0;
        context.plan = nullptr;
    }

    bool judge_dropped(const BlobId& id, LinkChange& change);
    void settle_links(GroupOutcome& outcome);

    StampContext context;
    LinkChanges links;  // Of the last finished group.
};

/// Finds out whether a body that lost a link has one left; true when it was stored before the group
/// and has none.
bool Stamper::Inner::judge_dropped(const BlobId& id, LinkChange& change) {
    if (const std::size_t* known = context.body_links.find(id)) {
        change.is_gone = *known + change.made == change.dropped;
        return change.is_gone && *known != 0;
    }
    const std::string prefix = link_prefix(id);
    const Result<bool> has = context.rows.has_any(prefix);
    const Result<bool> had = context.rows.had_any(prefix);
    // When the links cannot be read the body stays: fsck finds it, a lost one nobody does.
    if (!has || !had) {
        const Error& error = !has ? has.error() : had.error();
        log::error("store.links_unread", {{"body", id.to_hex()}, {"error", error.text}});
    }
    change.is_gone = has && !*has;
    return change.is_gone && had && *had;
}

void Stamper::Inner::settle_links(GroupOutcome& outcome) {
    links.clear();
    for (const BlobId& id : context.linked) {
        ++links[id].made;
    }
    for (const BlobId& id : context.unlinked) {
        ++links[id].dropped;
    }
    for (const BlobId& id : context.unlinked) {
        LinkChange& change = links[id];
        if (!std::exchange(change.is_judged, true) && judge_dropped(id, change)) {
            outcome.unlinked.push_back(id);
        }
    }
    for (const BlobId& id : context.linked) {
        LinkChange& change = links[id];
        if (!change.is_gone && !std::exchange(change.is_listed, true)) {
            outcome.linked.push_back(id);
        }
    }
    for (const auto& [id, change] : links) {
        if (std::size_t* known = context.body_links.find(id)) {
            *known += change.made - change.dropped;
            if (*known == 0) {
                context.body_links.erase(id);
            }
        }
    }
}

Stamper::Stamper(const Kv* kv) : inner_(std::make_unique<Inner>(kv)) {}
Stamper::~Stamper() = default;

void Stamper::begin_group(CommitSeq seq, WallTime now) {
    StampContext& context = inner_->context;
    inner_->clear_lists();
    context.rows.clear();
    context.accounts.trim();
    context.seq = seq;
    context.now = now;
}

std::expected<std::vector<StepResult>, PlanFailure> Stamper::stamp(const Plan& plan) {
    StampContext& context = inner_->context;
    const Mark mark = mark_of(context);
    begin_plan(context, plan);
    std::vector<StepResult> results;
    results.reserve(plan.steps.size());
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
        Result<StepResult> result = std::visit(
            [&context](const auto& step) { return stamp_step(context, step); }, plan.steps[i]);
        if (!result) {
            roll_back(context, mark);
            context.plan = nullptr;
            return std::unexpected(PlanFailure{.error = std::move(result).error(), .step = i});
        }
        results.push_back(*std::move(result));
    }
    context.plan = nullptr;
    return results;
}

std::size_t Stamper::group_size() const {
    return inner_->context.rows.size();
}

GroupOutcome Stamper::finish_group(Batch& batch) {
    StampContext& context = inner_->context;
    context.accounts.finish();
    GroupOutcome outcome;
    inner_->settle_links(outcome);
    outcome.accounts = account_changes(context);
    if (!context.queue.empty()) {
        auto queue = std::make_shared<QueueChange>();
        queue->seq = context.seq;
        queue->items = std::move(context.queue);
        outcome.queue = std::move(queue);
    }
    context.rows.take(batch);
    batch.put(commit_seq_key(), encode_commit_seq(context.seq));
    inner_->clear_lists();
    return outcome;
}

void Stamper::body_is_new(const BlobId& body) {
    const auto change = inner_->links.find(body);
    check(change != inner_->links.end(), "a new body is one of the finished group");
    inner_->context.body_links.set(body, change->second.made - change->second.dropped);
}

void Stamper::abandon_group() {
    inner_->clear_lists();
    inner_->links.clear();
    inner_->context.body_links.clear();
    inner_->context.trails.clear();
    inner_->context.rows.clear();
    inner_->context.accounts.clear();
}

}  // namespace godwit::store
