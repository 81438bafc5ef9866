// `godwit site`: where mail goes, joined with what waits for it in the queue.
#include <map>
#include <string>
#include <utility>

#include "app/admin_pages.h"
#include "app/commands.h"
#include "app/json_text.h"
#include "base/ascii.h"

namespace godwit::app {
namespace {

constexpr Column kSiteColumns[] = {{"hosts", "HOSTS"},          {"source", "SOURCE"},
                                   {"connections", "OPEN"},     {"allowed", "ALLOWED"},
                                   {"limit", "LIMIT"},          {"waiting", "IN LINE"},
                                   {"deliveries", "QUEUED"},    {"held", "HELD"},
                                   {"domains", "DOMAINS"},      {"paused_until", "PAUSED UNTIL"},
                                   {"reason", "REASON"},        {"last_reply", "LAST REPLY"},
                                   {"dead_hosts", "DEAD HOSTS"}};
/// Domains a line of text names; JSON has all.
constexpr std::size_t kDomainsShown = 3;

JsonValue text(std::string value) {
    return JsonValue{std::move(value)};
}

/// All pages of site.list, as the server knows them; of one site when it is named.
Result<JsonValue::Array> read_outlets(AdminClient& client, const std::string& site) {
    JsonValue::Array all;
    std::string after;
    do {
        JsonWriter json;
        json.begin_object().field("after", after).field("site", site).end_object();
        const JsonValue page = TRY(client.call("site.list", json.view()));
        for (const JsonValue& row : rows_of(page, "rows")) {
            all.push_back(row);
        }
        after = page.string_or("next", "");
    } while (!after.empty());
    return all;
}

/// A site that mail waits for, and that nothing is known of.
JsonValue unknown_outlet() {
    JsonValue::Object row;
    row["hosts"] = row["source"] = row["reason"] = row["last_reply"] = text("");
    row["connections"] = row["allowed"] = row["limit"] = row["waiting"] =
        JsonValue{std::int64_t{0}};
    row["paused_until"] = JsonValue{};
    row["dead_hosts"] = JsonValue{JsonValue::Array{}};
    return JsonValue{std::move(row)};
}

/// What waits for one set of hosts.
struct Waiting {
    std::int64_t deliveries = 0;
    std::int64_t held = 0;
    JsonValue::Array domains;

    void add(const JsonValue& count) {
        deliveries += count.int_or("deliveries", 0);
        held += count.int_or("held", 0);
        domains.push_back(text(count.string_or("site", "")));
    }
    void write(JsonValue& row) const {
        auto& members = std::get<JsonValue::Object>(row.value);
        members["deliveries"] = JsonValue{deliveries};
        members["held"] = JsonValue{held};
        members["domains"] = JsonValue{domains};
    }
};

/// Each outlet with what waits for its hosts; what waits for no known ones, a row a site. The
/// counts are of the hosts: outlets that differ in their source alone have the same.
Result<JsonValue::Array> join_sites(AdminClient& client, const std::string& site) {
    JsonValue::Array rows = TRY(read_outlets(client, site));
    std::map<std::string, Waiting> by_hosts;
    for (const JsonValue& row : rows) {
        by_hosts.try_emplace(row.string_or("hosts", ""));
    }
    JsonValue::Array strangers;
    for (const JsonValue& count : TRY(summarize_queue(client))) {
        const auto known = by_hosts.find(count.string_or("hosts", ""));
        if (known != by_hosts.end()) {
            known->second.add(count);
        } else if (site.empty() || count.string_or("site", "") == site) {
            Waiting alone;
            alone.add(count);
            alone.write(strangers.emplace_back(unknown_outlet()));
        }
    }
    for (JsonValue& row : rows) {
        by_hosts.at(row.string_or("hosts", "")).write(row);
    }
    for (JsonValue& row : strangers) {
        rows.push_back(std::move(row));
    }
    return rows;
}

/// Lists as words, so that a row stays a line.
JsonValue for_table(JsonValue row) {
    auto& members = std::get<JsonValue::Object>(row.value);
    const JsonValue::Array domains = rows_of(row, "domains");
    std::string names;
    for (std::size_t i = 0; i < std::min(domains.size(), kDomainsShown); ++i) {
        names.append(names.empty() ? "" : ",").append(show_plain(&domains[i]));
    }
    if (domains.size() > kDomainsShown) {
        names.append(" +").append(std::to_string(domains.size() - kDomainsShown));
    }
    std::string dead;
    for (const JsonValue& one : rows_of(row, "dead_hosts")) {
        dead.append(dead.empty() ? "" : ",").append(one.string_or("address", ""));
    }
    members["domains"] = text(names.empty() ? "-" : names);
    members["dead_hosts"] = text(dead.empty() ? "-" : dead);
    return row;
}

/// Suspensions by operators that hold mail for the site back.
Result<JsonValue::Array> suspensions_of(AdminClient& client, const std::string& site) {
    JsonValue::Array found;
    const JsonValue all = TRY(client.call("queue.suspensions", "{}"));
    for (const JsonValue& row : rows_of(all, "rows")) {
        const std::string kind = row.string_or("kind", "");
        if (!row.bool_or("is_over", false) &&
            (kind == "all" || (kind == "site" && row.string_or("name", "") == site))) {
            found.push_back(row);
        }
    }
    return found;
}

Result<> list(const Invocation& call, AdminClient& client) {
    JsonValue::Array rows = TRY(join_sites(client, ""));
    if (call.has("--json")) {
        call.console().out(show_json(JsonValue{std::move(rows)}) + "\n");
        return {};
    }
    for (JsonValue& row : rows) {
        row = for_table(std::move(row));
    }
    call.console().out(rows.empty() ? "No mail has gone anywhere, and none waits.\n"
                                    : show_table(rows, kSiteColumns));
    return {};
}

Result<> show(const Invocation& call, AdminClient& client) {
    const std::string site = to_lower(call.arguments().front());
    JsonValue::Array rows = TRY(join_sites(client, site));
    JsonValue::Array suspensions = TRY(suspensions_of(client, site));
    if (rows.empty() && suspensions.empty()) {
        return peer_error(ErrorCode::NotFound, "no mail went to '" + site +
                                                   "' since the server started, and none waits "
                                                   "for it");
    }
    JsonValue::Object site_object;
    site_object["site"] = text(site);
    site_object["outlets"] = JsonValue{std::move(rows)};
    site_object["suspensions"] = JsonValue{std::move(suspensions)};
    const JsonValue shown{std::move(site_object)};
    call.console().out(call.has("--json") ? show_json(shown) + "\n" : show_object(shown));
    return {};
}

int run(const Invocation& call, Result<> (*work)(const Invocation&, AdminClient&)) {
    auto client = open_client(call);
    if (!client) {
        return call.fail(client.error());
    }
    const auto done = work(call, *client);
    return done ? kExitDone : call.fail(done.error());
}

}  // namespace

int run_site_list(const Invocation& call) {
    return run(call, list);
}
int run_site_show(const Invocation& call) {
    return run(call, show);
}

}  // namespace godwit::app
