// The commands that are one call to the server: domain, account, alias, queue, message, status,
// fsck, reload. A row's words are the call's name, its arguments and options the call's arguments.
#include <algorithm>
#include <map>
#include <utility>

#include "app/admin_client.h"
#include "app/admin_pages.h"
#include "app/commands.h"
#include "app/config_keys.h"
#include "app/json_text.h"
#include "app/places.h"
#include "base/ascii.h"
#include "base/clock.h"
#include "base/limits.h"

namespace godwit::app {
namespace {

constexpr Column kDomainColumns[] = {{"domain", "DOMAIN"},
                                     {"catch_all", "CATCH-ALL"},
                                     {"subaddress_delimiter", "SUB"},
                                     {"alias_of", "ALIAS OF"},
                                     {"created_at", "CREATED"}};
constexpr Column kAccountColumns[] = {{"address", "ADDRESS"},    {"full_name", "NAME"},
                                      {"messages", "MESSAGES"},  {"bytes", "BYTES"},
                                      {"quota", "QUOTA"},        {"disabled", "DISABLED"},
                                      {"forward_to", "FORWARD"}, {"created_at", "CREATED"}};
constexpr Column kIndexColumns[] = {{"address", "ADDRESS"},
                                    {"state", "STATE"},
                                    {"messages", "MESSAGES"},
                                    {"waiting", "WAITING"},
                                    {"read_each_time", "READ EACH TIME"},
                                    {"bytes", "BYTES"}};
constexpr Column kAppPasswordColumns[] = {{"name", "NAME"}, {"created_at", "CREATED"}};
constexpr Column kAclColumns[] = {{"mailbox", "MAILBOX"}, {"who", "WHO"}, {"rights", "RIGHTS"}};
constexpr Column kAliasColumns[] = {
    {"address", "ADDRESS"}, {"targets", "TARGETS"}, {"owner", "OWNER"}};
constexpr Column kQueueColumns[] = {
    {"id", "ID"},         {"state", "STATE"},      {"attempts", "TRIES"},
    {"due", "DUE"},       {"size", "SIZE"},        {"sender", "FROM"},
    {"recipients", "TO"}, {"held_reason", "HELD"}, {"last_reply", "LAST REPLY"}};

constexpr Column kSuspensionColumns[] = {{"kind", "WHAT"},
                                         {"name", "NAME"},
                                         {"since", "SINCE"},
                                         {"until", "UNTIL"},
                                         {"reason", "REASON"}};
constexpr Column kTlsReportColumns[] = {{"domain", "DOMAIN"},       {"state", "STATE"},
                                        {"succeeded", "SUCCEEDED"}, {"failed", "FAILED"},
                                        {"attempts", "ATTEMPTS"},   {"next_attempt", "NEXT"}};
constexpr Column kSummaryColumns[] = {
    {"site", "SITE"},       {"deliveries", "ALL"},  {"held", "HELD"},
    {"under_5m", "<5"},     {"under_10m", "<10"},   {"under_20m", "<20"},
    {"under_40m", "<40"},   {"under_80m", "<80"},   {"under_160m", "<160"},
    {"under_320m", "<320"}, {"under_640m", "<640"}, {"under_1280m", "<1280"},
    {"older", "1280+"}};

struct ListView {
    std::string_view call;
    std::span<const Column> columns;
    std::string_view nothing;  ///< Said of an empty list.
};
/// Said where only a part was asked for: there may be others.
constexpr std::string_view kNothingChosen = "There are none like that.";
constexpr ListView kListViews[] = {
    {"domain.list", kDomainColumns, "There are no domains."},
    {"account.list", kAccountColumns, "There are no accounts."},
    {"account.app_password.list", kAppPasswordColumns, "There are no app passwords."},
    {"index.list", kIndexColumns, "There are no accounts."},
    {"acl.list", kAclColumns, "Nobody else has rights to its mailboxes."},
    {"alias.list", kAliasColumns, "There are no aliases."},
    {"queue.list", kQueueColumns, "The queue is empty."},
    {"queue.suspensions", kSuspensionColumns, "Nothing is suspended."},
    {"tls_report.list", kTlsReportColumns, "No session was counted on that day."},
};

std::string call_name(const CommandRow& row) {
    std::string name = full_name(row);
    std::ranges::replace(name, ' ', '.');
    std::ranges::replace(name, '-', '_');
    return name;
}

/// "--catch-all" as "catch_all", "ADDRESS" as "address".
std::string field_name(std::string_view word) {
    std::string name = to_lower(word.starts_with("--") ? word.substr(2) : word);
    std::ranges::replace(name, '-', '_');
    return name;
}

bool is_ours(std::string_view option) {
    return option == kDirOption.name || option == kConfigOption.name ||
           option == kJsonOption.name || option == "--limit" || option == "--after";
}

/// Only a part of a list was asked for.
bool is_chosen(const Invocation& call) {
    return call.has("--after") ||
           std::ranges::any_of(call.row().options, [&](const OptionRow& option) {
               return !is_ours(option.name) && call.has(option.name);
           });
}

void write_texts(JsonWriter& json, std::span<const std::string> texts) {
    json.begin_array();
    for (const std::string& text : texts) {
        json.string(text);
    }
    json.end_array();
}

/// The fields of the call's arguments, into an open object.
Result<> write_arguments(const Invocation& call, JsonWriter& json) {
    std::span<const std::string> left = call.arguments();
    for (const ArgumentRow& row : call.row().arguments) {
        if (row.occurs == Occurs::Many || row.occurs == Occurs::Any) {
            write_texts(json.key(field_name(row.name)), left);
            break;
        }
        if (!left.empty()) {
            json.field(field_name(row.name), left.front());
            left = left.subspan(1);
        }
    }
    bool wants_password = false;
    for (const OptionRow& row : call.row().options) {
        if (is_ours(row.name)) {
            continue;
        }
        wants_password = wants_password || row.name == "--password";
        if (row.value == "DURATION" && call.has(row.name)) {
            const auto seconds = TRY(parse_duration(call.value_or(row.name, "")));
            json.field(field_name(row.name), std::int64_t{seconds.count()});
        } else if (row.occurs == Occurs::Many) {
            if (call.has(row.name)) {
                write_texts(json.key(field_name(row.name)), call.values(row.name));
            }
        } else if (call.has(row.name)) {
            const auto value = call.value(row.name);
            row.value.empty() ? json.field(field_name(row.name), true)
                              : json.field(field_name(row.name), value.value_or(""));
        }
    }
    if (wants_password && !call.has("--password") && !call.has("--generate")) {
        json.field("password", TRY(call.console().password("Password")));
    }
    return {};
}

/// The arguments of the command line, and where the next page begins.
Result<std::string> page_arguments(const Invocation& call, std::string_view after,
                                   std::optional<std::size_t> limit) {
    JsonWriter json;
    json.begin_object();
    TRY(write_arguments(call, json));
    if (!after.empty()) {
        json.field("after", after);
    }
    if (limit) {
        json.field("limit", std::uint64_t{std::min(*limit, limits::admin_page_rows_max)});
    }
    json.end_object();
    return std::move(json).take();
}

/// Writes a list while its pages come: as many rows as there are need no memory.
class ListPrinter {
public:
    ListPrinter(const Invocation& call, const ListView& view)
        : call_(call), view_(view), table_(view.columns), is_json_(call.has("--json")) {}

    void begin(bool is_page) {
        is_page_ = is_page;
        print_json(is_page_ ? R"({"rows":[)" : "[");
    }
    void rows(const JsonValue::Array& rows) {
        if (!is_json_ && !rows.empty()) {
            call_.console().out(table_.rows(rows));
        }
        for (const JsonValue& row : rows) {
            print_json((count_++ == 0 ? "" : ",") + show_json(row));
        }
    }
    void end(const std::string& next) {
        std::string tail = "]";
        if (is_page_ && !next.empty()) {
            tail.append(R"(,"next":)");
            append_json_string(tail, next);
        }
        print_json(tail.append(is_page_ ? "}" : "").append("\n"));
        if (!is_json_ && count_ == 0) {
            call_.console().out(std::string(is_chosen(call_) ? kNothingChosen : view_.nothing) +
                                "\n");
        }
        if (!is_json_ && !next.empty()) {
            call_.console().out("There is more: --after " + next + "\n");
        }
    }
    [[nodiscard]] std::size_t count() const { return count_; }

private:
    void print_json(std::string_view text) {
        if (is_json_) {
            call_.console().out(text);
        }
    }

    const Invocation& call_;
    const ListView& view_;
    TableText table_;
    bool is_json_;
    bool is_page_ = false;
    std::size_t count_ = 0;
};

Result<std::optional<std::size_t>> read_limit(const Invocation& call) {
    const auto text = call.value("--limit");
    if (!text) {
        return std::nullopt;
    }
    const auto limit = parse_u32(*text);
    if (!limit || *limit == 0) {
        return peer_error(ErrorCode::Invalid,
                          "--limit: expected a number from 1, found '" + *text + "'");
    }
    return std::size_t{*limit};
}

/// All pages of a list, or as many as hold --limit rows.
Result<> show_list(AdminClient& client, const ListView& view, const Invocation& call) {
    const auto limit = TRY(read_limit(call));
    ListPrinter printer(call, view);
    std::string after = call.value_or("--after", "");
    bool is_first = true;
    do {
        const auto left = limit ? std::optional(*limit - printer.count()) : std::nullopt;
        const std::string arguments = TRY(page_arguments(call, after, left));
        const JsonValue page = TRY(client.call(view.call, arguments));
        if (std::exchange(is_first, false)) {
            printer.begin(limit.has_value());
        }
        printer.rows(rows_of(page, "rows"));
        after = page.string_or("next", "");
    } while (!after.empty() && (!limit || printer.count() < *limit));
    printer.end(after);
    return {};
}

/// Adds the numbers of a further piece to those of the same names; what is no number stays, and
/// where to go on is not part of it.
void add_piece(JsonValue& sum, const JsonValue& piece) {
    auto* members = std::get_if<JsonValue::Object>(&sum.value);
    if (members == nullptr || piece.object() == nullptr) {
        return;
    }
    for (const auto& [name, value] : *piece.object()) {
        if (const auto* number = std::get_if<std::int64_t>(&value.value)) {
            (*members)[name] = JsonValue{sum.int_or(name, 0) + *number};
        }
    }
    members->erase("next");
}

std::string past_of(std::string_view verb) {
    std::string word(verb.substr(verb.rfind(' ') + 1));
    if (word == "passwd") {
        return "password changed";
    }
    if (word == "forward") {
        return "forwarding changed";
    }
    if (word == "allow-sender" || word == "deny-sender") {
        return word == "allow-sender" ? "sender allowed" : "sender denied";
    }
    if (word == "hold") {
        return "held";
    }
    if (word == "retry") {
        return "due now";
    }
    if (word == "expire") {
        return "given up";
    }
    return word.append(word.ends_with('e') ? "d" : "ed");
}

/// One line on what was done.
std::string show_change(const Invocation& call, const JsonValue& result) {
    if (result.find("deliveries") != nullptr && result.find("messages") != nullptr) {
        return show_plain(result.find("messages")) + " messages, " +
               show_plain(result.find("deliveries")) + " deliveries " + past_of(call.row().verb) +
               "\n";
    }
    for (const std::string_view what : {"suspended", "resumed"}) {
        if (const JsonValue* name = result.find(what)) {
            return show_plain(name) + ": " + std::string(what) + "\n";
        }
    }
    if (call.row().noun == "acl") {
        const std::string rights = result.string_or("rights", "");
        return call.arguments()[0] + ", " + call.arguments()[1] + ": " +
               result.string_or("who", "") + " has " + (rights.empty() ? "no rights" : rights) +
               "\n";
    }
    std::string out = call.arguments().empty() ? call.row().noun == "srs" ? "keys: " : ""
                                               : call.arguments().front() + ": ";
    out.append(past_of(call.row().verb)).append("\n");
    if (const JsonValue* password = result.find("password")) {
        out.append("password: ").append(show_plain(password)).append("\n");
    }
    return out;
}

/// A change of many deliveries goes piece by piece; says how far it is now and then.
Result<JsonValue> run_change(AdminClient& client, const std::string& name, const Invocation& call) {
    JsonValue result = TRY(client.call(name, TRY(page_arguments(call, "", std::nullopt))));
    constexpr std::chrono::seconds kSayEvery(2);
    MonoTime said_at = system_clock().mono();
    std::string after = result.string_or("next", "");
    while (!after.empty()) {
        const JsonValue piece =
            TRY(client.call(name, TRY(page_arguments(call, after, std::nullopt))));
        add_piece(result, piece);
        after = piece.string_or("next", "");
        if (system_clock().mono() - said_at > kSayEvery) {
            said_at = system_clock().mono();
            call.console().err(show_plain(result.find("deliveries")) + " deliveries so far\n");
        }
    }
    return result;
}

Result<std::string> run_call(AdminClient& client, const Invocation& call, bool is_change) {
    const std::string name = call_name(call.row());
    for (const ListView& view : kListViews) {
        if (view.call == name) {
            TRY(show_list(client, view, call));
            return std::string();
        }
    }
    const JsonValue result = TRY(run_change(client, name, call));
    if (call.has("--json")) {
        return show_json(result) + "\n";
    }
    return is_change ? show_change(call, result) : show_object(result);
}

JsonValue total_of(const JsonValue::Array& rows) {
    JsonValue total{JsonValue::Object{}};
    for (const JsonValue& row : rows) {
        add_piece(total, row);
    }
    std::get<JsonValue::Object>(total.value)["site"] = JsonValue{std::string("TOTAL")};
    return total;
}

int run(const Invocation& call, bool is_change) {
    auto client = open_client(call);
    if (!client) {
        return call.fail(client.error());
    }
    const auto text = run_call(*client, call, is_change);
    if (!text) {
        return call.fail(text.error());
    }
    call.console().out(*text);
    return kExitDone;
}

}  // namespace

JsonValue::Array rows_of(const JsonValue& result, std::string_view name) {
    const JsonValue* rows = result.find(name);
    return rows != nullptr && rows->array() != nullptr ? *rows->array() : JsonValue::Array{};
}

Result<AdminClient> open_client(const Invocation& call) {
    const flow::Settings settings = TRY(find_server(call));
    return AdminClient::open(settings);
}

Result<JsonValue::Array> summarize_queue(AdminClient& client) {
    std::map<std::string, JsonValue> sites;
    std::string after;
    do {
        JsonWriter json;
        json.begin_object();
        if (!after.empty()) {
            json.field("after", after);
        }
        json.end_object();
        const JsonValue page = TRY(client.call("queue.summary", json.view()));
        for (const JsonValue& row : rows_of(page, "rows")) {
            const auto [site, is_new] = sites.try_emplace(row.string_or("site", ""), row);
            if (!is_new) {
                add_piece(site->second, row);
            }
        }
        after = page.string_or("next", "");
    } while (!after.empty());
    JsonValue::Array rows;
    for (auto& [name, row] : sites) {
        rows.push_back(std::move(row));
    }
    std::ranges::sort(rows, {}, [](const JsonValue& row) {
        return std::pair(-row.int_or("deliveries", 0), row.string_or("site", ""));
    });
    return rows;
}

int run_admin_change(const Invocation& call) {
    return run(call, true);
}
int run_admin_view(const Invocation& call) {
    return run(call, false);
}

int run_queue_summary(const Invocation& call) {
    auto client = open_client(call);
    if (!client) {
        return call.fail(client.error());
    }
    auto rows = summarize_queue(*client);
    if (!rows) {
        return call.fail(rows.error());
    }
    if (call.has("--json")) {
        call.console().out(show_json(JsonValue{std::move(*rows)}) + "\n");
        return kExitDone;
    }
    rows->insert(rows->begin(), total_of(*rows));
    call.console().out(show_table(*rows, kSummaryColumns));
    return kExitDone;
}

// One line a delivery.
int run_queue_why(const Invocation& call) {
    auto client = open_client(call);
    if (!client) {
        return call.fail(client.error());
    }
    JsonWriter json;
    json.begin_object().field("id", call.arguments().front()).end_object();
    const auto result = client->call("queue.why", json.view());
    if (!result) {
        return call.fail(result.error());
    }
    if (call.has("--json")) {
        call.console().out(show_json(*result) + "\n");
        return kExitDone;
    }
    for (const JsonValue& row : rows_of(*result, "rows")) {
        call.console().out(show_plain(row.find("recipients")) + ": " + text_of(row, "why") + "\n");
    }
    return kExitDone;
}

int run_fsck(const Invocation& call) {
    for (const std::string_view option : {"--repair", "--quick"}) {
        if (call.has("--damaged") && call.has(option)) {
            return call.fail_usage("--damaged lists what is known and goes without " +
                                   std::string(option));
        }
    }
    if (call.has("--drop-lost") && call.has("--recover-to")) {
        return call.fail_usage("--recover-to first, then --drop-lost: what is dropped is gone");
    }
    if (call.has("--repair")) {
        return run_repair(call);
    }
    for (const std::string_view option : {"--drop-lost", "--recover-to"}) {
        if (call.has(option)) {
            return call.fail_usage(std::string(option) + " goes with --repair");
        }
    }
    auto client = open_client(call);
    if (!client) {
        return call.fail(client.error());
    }
    const bool is_list = call.has("--damaged");
    const auto result = client->call("fsck", is_list               ? R"({"damaged":true})"
                                             : call.has("--quick") ? R"({"quick":true})"
                                                                   : "{}");
    if (!result) {
        return call.fail(result.error());
    }
    const bool is_good = result->bool_or("good", false);
    if (call.has("--json")) {
        call.console().out(show_json(*result) + "\n");
        return is_good ? kExitDone : kExitRefused;
    }
    if (is_list) {
        constexpr Column kDamaged[] = {{"found", "FOUND"}, {"row", "ROW"}, {"error", "ERROR"}};
        const JsonValue::Array found = rows_of(*result, "damaged");
        call.console().out(found.empty() ? "Nothing is known to be damaged.\n"
                                         : show_table(found, kDamaged));
        return is_good ? kExitDone : kExitRefused;
    }
    constexpr Column kColumns[] = {
        {"checked", "CHECKED"}, {"violations", "BROKEN"}, {"invariant", "INVARIANT"}};
    const JsonValue::Array rows = rows_of(*result, "invariants");
    std::string text = show_table(rows, kColumns);
    for (const JsonValue& row : rows) {
        for (const JsonValue& example : rows_of(row, "examples")) {
            text.append(row.string_or("invariant", "") + ": " + show_plain(&example) + "\n");
        }
    }
    call.console().out(text + (is_good ? "good\n" : "BROKEN\n"));
    return is_good ? kExitDone : kExitRefused;
}

}  // namespace godwit::app
