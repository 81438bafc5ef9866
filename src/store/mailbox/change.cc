#include "store/mailbox/change.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <unordered_map>

namespace godwit::store {
namespace {

// Shared between the bus and a publish that is under way when it is unsubscribed.
struct Listener {
    ChangeBus::Token token = 0;
    AccountId account;
    ChangeBus::AccountListener on_account;
    ChangeBus::QueueListener on_queue;
    std::atomic<bool> is_on = true;
};
using Listeners = std::vector<std::shared_ptr<Listener>>;

}  // namespace

struct ChangeBus::Inner {
    std::mutex mutex;
    Token last = 0;
    std::unordered_map<AccountId, Listeners> accounts;
    Listeners queue;
    std::unordered_map<Token, std::shared_ptr<Listener>> by_token;

    Token add(std::shared_ptr<Listener> listener, Listeners& to) {
        listener->token = ++last;
        to.push_back(listener);
        by_token.emplace(last, std::move(listener));
        return last;
    }
};

ChangeBus::ChangeBus() : inner_(std::make_unique<Inner>()) {}
ChangeBus::~ChangeBus() = default;

ChangeBus::Token ChangeBus::subscribe(AccountId account, AccountListener listener) {
    auto entry = std::make_shared<Listener>();
    entry->account = account;
    entry->on_account = std::move(listener);
    const std::scoped_lock lock(inner_->mutex);
    return inner_->add(std::move(entry), inner_->accounts[account]);
}

ChangeBus::Token ChangeBus::subscribe_queue(QueueListener listener) {
    auto entry = std::make_shared<Listener>();
    entry->on_queue = std::move(listener);
    const std::scoped_lock lock(inner_->mutex);
    return inner_->add(std::move(entry), inner_->queue);
}

void ChangeBus::unsubscribe(Token token) {
    const std::scoped_lock lock(inner_->mutex);
    const auto found = inner_->by_token.find(token);
    if (found == inner_->by_token.end()) {
        return;
    }
    const std::shared_ptr<Listener> gone = std::move(found->second);
    inner_->by_token.erase(found);
    gone->is_on.store(false);
    const auto is_gone = [&](const std::shared_ptr<Listener>& listener) {
        return listener == gone;
    };
    if (gone->on_queue) {
        std::erase_if(inner_->queue, is_gone);
        return;
    }
    const auto account = inner_->accounts.find(gone->account);
    std::erase_if(account->second, is_gone);
    if (account->second.empty()) {
        inner_->accounts.erase(account);
    }
}

// Listeners are called without the lock: they may subscribe and unsubscribe.
void ChangeBus::publish(std::shared_ptr<const AccountChange> change) {
    Listeners told;
    {
        const std::scoped_lock lock(inner_->mutex);
        const auto found = inner_->accounts.find(change->account);
        if (found == inner_->accounts.end()) {
            return;
        }
        told = found->second;
    }
    for (const auto& listener : told) {
        if (listener->is_on.load()) {
            listener->on_account(change);
        }
    }
}

void ChangeBus::publish(std::shared_ptr<const QueueChange> change) {
    Listeners told;
    {
        const std::scoped_lock lock(inner_->mutex);
        told = inner_->queue;
    }
    for (const auto& listener : told) {
        if (listener->is_on.load()) {
            listener->on_queue(change);
        }
    }
}

}  // namespace godwit::store
