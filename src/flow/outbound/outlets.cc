#include "flow/outbound/outlets.h"

#include <utility>

namespace godwit::flow {

OutletBook::Answer Outlets::ask(const OutletUser& user) {
    const MonoTime at = now();
    return book_.with([&](OutletBook& book) {
        const OutletBook::Known* known = book.known(user.site);
        return known == nullptr || !known->is_only ? OutletBook::Answer{}
                                                   : book.ask(known->key, user, known->limit, at);
    });
}

OutletBook::Answer Outlets::enter(const OutletKey& key, const OutletUser& user, std::uint32_t limit,
                                  bool is_forced) {
    const MonoTime at = now();
    return book_.with(
        [&](OutletBook& book) { return book.enter(key, user, limit, at, is_forced); });
}

void Outlets::tell(const std::vector<OutletUser>& woken, const OutletKey& key) {
    for (const OutletUser& user : woken) {
        wake_(user, key);
    }
}

void Outlets::report(const OutletKey& key, const OutletReport& report) {
    const MonoTime at = now();
    tell(book_.with([&](OutletBook& book) { return book.report(key, report, at); }), key);
}

void Outlets::leave(const OutletKey& key) {
    const MonoTime at = now();
    tell(book_.with([&](OutletBook& book) { return book.leave(key, at); }), key);
}

void Outlets::nudge(const OutletKey& key) {
    const MonoTime at = now();
    tell(book_.with([&](OutletBook& book) { return book.wake_next(key, at); }), key);
}

bool Outlets::has_line(const OutletKey& key, const OutletUser& user) {
    return book_.with([&](const OutletBook& book) { return book.has_line(key, user); });
}

void Outlets::remember(const std::string& site, OutletKey key, std::uint32_t limit, bool is_only) {
    book_.with([&](OutletBook& book) {
        book.remember(site, {.key = std::move(key), .limit = limit, .is_only = is_only});
        return 0;
    });
}

void Outlets::end_pauses(const std::vector<std::string>& sites) {
    const MonoTime at = now();
    for (const std::string& site : sites) {
        for (const auto& [key, woken] :
             book_.with([&](OutletBook& book) { return book.end_pauses(site, at); })) {
            tell(woken, key);
        }
    }
}

std::vector<OutletState> Outlets::states() {
    const MonoTime at = now();
    return book_.with([at](const OutletBook& book) { return book.states(at); });
}

std::vector<OutletState> Outlets::states_of(const std::string& site) {
    const MonoTime at = now();
    return book_.with([&](OutletBook& book) { return book.states_of(site, at); });
}

std::string Outlets::hosts_of(const std::string& site) {
    return book_.with([&](OutletBook& book) {
        const OutletBook::Known* known = book.known(site);
        return known == nullptr ? std::string() : known->key.hosts;
    });
}

std::vector<DeadHost> Outlets::dead_hosts() {
    const MonoTime at = now();
    return hosts_.with([at](HostCache& hosts) { return hosts.dead(at); });
}

OutletBook::Answer OutletSlot::claim(OutletKey key, std::uint32_t limit, bool is_forced) {
    if (key_ == key) {
        return {};
    }
    leave();
    const OutletBook::Answer answer = outlets_->enter(key, user_, limit, is_forced);
    if (answer.kind == OutletBook::Answer::Kind::Granted) {
        key_ = std::move(key);
    }
    return answer;
}

void OutletSlot::report(const OutletReport& report) {
    if (key_) {
        outlets_->report(*key_, report);
    }
}

void OutletSlot::leave() {
    if (key_) {
        outlets_->leave(*std::exchange(key_, std::nullopt));
    }
}

}  // namespace godwit::flow
