#include "flow/outbound/under_way.h"

#include <utility>

namespace godwit::flow {

bool UnderWay::begin(MailId mail, std::uint32_t number, UnderWayEntry entry) {
    return entries_.with([&](std::map<Key, UnderWayEntry>& entries) {
        return entries.try_emplace({mail, number}, std::move(entry)).second;
    });
}

bool UnderWay::end(MailId mail, std::uint32_t number) {
    return entries_.with([&](std::map<Key, UnderWayEntry>& entries) {
        const auto found = entries.find({mail, number});
        const bool is_awaited = found != entries.end() && found->second.is_awaited;
        entries.erase({mail, number});
        return is_awaited;
    });
}

bool UnderWay::await_end(MailId mail, std::uint32_t number) {
    return entries_.with([&](std::map<Key, UnderWayEntry>& entries) {
        const auto found = entries.find({mail, number});
        if (found != entries.end()) {
            found->second.is_awaited = true;
        }
        return found != entries.end();
    });
}

std::optional<UnderWayEntry> UnderWay::find(MailId mail, std::uint32_t number) {
    return entries_.with([&](std::map<Key, UnderWayEntry>& entries) {
        const auto found = entries.find({mail, number});
        return found == entries.end() ? std::nullopt : std::optional(found->second);
    });
}

std::map<std::string, std::uint32_t> UnderWay::by_site() {
    return entries_.with([](std::map<Key, UnderWayEntry>& entries) {
        std::map<std::string, std::uint32_t> sites;
        for (const auto& [key, entry] : entries) {
            ++sites[entry.site];
        }
        return sites;
    });
}

}  // namespace godwit::flow
