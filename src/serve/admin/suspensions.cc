// Administrators' calls that suspend sending, as a whole, to a site or of a sender, and resume it.
#include <utility>

#include "base/ascii.h"
#include "base/limits.h"
#include "base/log.h"
#include "flow/outbound/operator_desk.h"
#include "serve/admin/queue_selection.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

using flow::Suspension;
using flow::SuspensionKind;

constexpr std::size_t kPauseMax = std::size_t{366} * 86400;

/// Kind and name; exactly one of site, sender and all must be given.
Result<Suspension> read_what(const AdminArguments& arguments) {
    Suspension what;
    const bool has_site = arguments.has("site");
    const bool has_sender = arguments.has("sender");
    if ((has_site ? 1 : 0) + (has_sender ? 1 : 0) + (arguments.flag("all") ? 1 : 0) != 1) {
        return peer_error(ErrorCode::Invalid, "say one of: a site, a sender, or all");
    }
    if (has_site) {
        what.kind = SuspensionKind::Site;
        what.name = to_lower(TRY(arguments.text("site")));
    } else if (has_sender) {
        what.kind = SuspensionKind::Sender;
        what.name = normalize_sender(arguments.text_or("sender", ""));
    }
    if (what.name.size() > limits::address_size_max || what.name.find('\0') != std::string::npos) {
        return peer_error(ErrorCode::Invalid, "that is no site and no sender");
    }
    return what;
}

Result<> take_up(const AdminHost& host) {
    if (host.services == nullptr || host.services->operators == nullptr) {
        return {};
    }
    return host.services->operators->take_up();
}

void write(JsonWriter& json, const Suspension& one, WallTime now) {
    constexpr std::string_view kKinds[] = {"all", "site", "sender"};
    json.begin_object();
    json.field("kind", kKinds[one.kind == SuspensionKind::All    ? 0
                              : one.kind == SuspensionKind::Site ? 1
                                                                 : 2]);
    json.field("name", one.name).field("since", show_time(one.since)).key("until");
    one.until ? json.string(show_time(*one.until)) : json.null();
    json.field("reason", one.reason).field("is_over", one.until && *one.until <= now).end_object();
}

}  // namespace

Result<std::string> suspend_queue(const AdminHost& host, const AdminArguments& arguments) {
    Suspension what = TRY(read_what(arguments));
    what.since = host.clock->wall();
    what.reason = arguments.text_or("reason", "");
    if (what.reason.size() > flow::suspension_reason_size_max) {
        return peer_error(
            ErrorCode::LimitExceeded,
            "the reason exceeds " + std::to_string(flow::suspension_reason_size_max) + " octets");
    }
    if (arguments.has("until")) {
        what.until = TRY(parse_time(TRY(arguments.text("until"))));
    } else if (arguments.has("for")) {
        what.until =
            what.since + std::chrono::seconds(TRY(arguments.count_or("for", 1, kPauseMax)));
    }
    if (what.until && *what.until <= what.since) {
        return peer_error(ErrorCode::Invalid, "that time is over");
    }
    const std::string key = flow::suspension_key(what.kind, what.name);
    TRY(change_store(host, [&](const store::Snapshot& snapshot) -> Result<store::Plan> {
        const auto all = TRY(flow::read_suspensions(snapshot, store::ReadTier::Disk));
        const auto before = TRY(snapshot.get(key, store::ReadTier::Disk));
        if (!before && all.size() >= flow::suspensions_max) {
            return peer_error(ErrorCode::LimitExceeded,
                              std::to_string(flow::suspensions_max) + " suspensions are enough");
        }
        store::Plan plan;
        store::ChangeRows rows;
        rows.expects.push_back({.key = key, .value = before});
        rows.entries.push_back({.key = key, .value = flow::encode(what)});
        plan.steps.emplace_back(std::move(rows));
        return plan;
    }));
    log::info("queue.suspended",
              {{"what", flow::what_is_suspended(what)}, {"reason", what.reason}});
    TRY(take_up(host));
    return one_field("suspended", flow::what_is_suspended(what));
}

Result<std::string> resume_queue(const AdminHost& host, const AdminArguments& arguments) {
    const Suspension what = TRY(read_what(arguments));
    const std::string key = flow::suspension_key(what.kind, what.name);
    if (!arguments.has("after")) {
        TRY(change_store(host, [&](const store::Snapshot& snapshot) -> Result<store::Plan> {
            const auto before = TRY(snapshot.get(key, store::ReadTier::Disk));
            if (!before) {
                return peer_error(ErrorCode::NotFound,
                                  flow::what_is_suspended(what) + " is not suspended");
            }
            store::Plan plan;
            store::ChangeRows rows;
            rows.expects.push_back({.key = key, .value = before});
            rows.entries.push_back({.key = key, .value = std::nullopt});
            plan.steps.emplace_back(std::move(rows));
            return plan;
        }));
        log::info("queue.resumed", {{"what", flow::what_is_suspended(what)}});
        TRY(take_up(host));
    }
    if (what.kind == SuspensionKind::Sender) {
        return make_sender_due(host, arguments, what.name);
    }
    return one_field("resumed", flow::what_is_suspended(what));
}

Result<std::string> list_suspensions(const AdminHost& host, const AdminArguments&) {
    const WallTime now = host.clock->wall();
    JsonWriter json;
    json.begin_object().key("rows").begin_array();
    for (const Suspension& one :
         TRY(flow::read_suspensions(*host.store->snapshot(), store::ReadTier::Disk))) {
        write(json, one, now);
    }
    json.end_array().end_object();
    return std::move(json).take();
}

}  // namespace godwit::serve
