// The commands that are one call to the server: domain, account, alias, queue, message, status,
// fsck, reload. A row's words are the call's name, its arguments and options the call's arguments.
#include <algorithm>

#include "app/admin_client.h"
#include "app/commands.h"
#include "app/json_text.h"
#include "app/places.h"
#include "base/ascii.h"

namespace godwit::app {
namespace {

constexpr Column kDomainColumns[] = {{"domain", "DOMAIN"},
                                     {"catch_all", "CATCH-ALL"},
                                     {"subaddress_delimiter", "SUB"},
                                     {"created_at", "CREATED"}};
constexpr Column kAccountColumns[] = {
    {"address", "ADDRESS"}, {"full_name", "NAME"},    {"messages", "MESSAGES"}, {"bytes", "BYTES"},
    {"quota", "QUOTA"},     {"disabled", "DISABLED"}, {"created_at", "CREATED"}};
constexpr Column kAppPasswordColumns[] = {{"name", "NAME"}, {"created_at", "CREATED"}};
constexpr Column kAliasColumns[] = {{"address", "ADDRESS"}, {"targets", "TARGETS"}};
constexpr Column kQueueColumns[] = {
    {"id", "ID"},         {"state", "STATE"},      {"attempts", "TRIES"},
    {"due", "DUE"},       {"size", "SIZE"},        {"sender", "FROM"},
    {"recipients", "TO"}, {"held_reason", "HELD"}, {"last_reply", "LAST REPLY"}};

struct ListView {
    std::string_view call;
    std::span<const Column> columns;
    std::string_view nothing;  ///< Said of an empty list.
};
constexpr ListView kListViews[] = {
    {"domain.list", kDomainColumns, "There are no domains."},
    {"account.list", kAccountColumns, "There are no accounts."},
    {"account.app_password.list", kAppPasswordColumns, "There are no app passwords."},
    {"alias.list", kAliasColumns, "There are no aliases."},
    {"queue.list", kQueueColumns, "The queue is empty."},
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
    return option == kDirOption.name || option == kConfigOption.name || option == kJsonOption.name;
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
        if (call.has(row.name)) {
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

/// All pages of a list.
Result<std::vector<JsonValue>> fetch_rows(AdminClient& client, const std::string& name,
                                          const Invocation& call) {
    std::vector<JsonValue> rows;
    std::string after;
    do {
        JsonWriter json;
        json.begin_object();
        TRY(write_arguments(call, json));
        if (!after.empty()) {
            json.field("after", after);
        }
        json.end_object();
        const JsonValue page = TRY(client.call(name, json.view()));
        const JsonValue* found = page.find("rows");
        if (found != nullptr && found->array() != nullptr) {
            rows.insert(rows.end(), found->array()->begin(), found->array()->end());
        }
        after = page.string_or("next", "");
    } while (!after.empty());
    return rows;
}

Result<std::string> show_list(AdminClient& client, const ListView& view, const Invocation& call) {
    std::vector<JsonValue> rows = TRY(fetch_rows(client, std::string(view.call), call));
    if (call.has("--json")) {
        return show_json(JsonValue{std::move(rows)}) + "\n";
    }
    return rows.empty() ? std::string(view.nothing) + "\n" : show_table(rows, view.columns);
}

std::string past_of(std::string_view verb) {
    std::string word(verb.substr(verb.rfind(' ') + 1));
    if (word == "passwd") {
        return "password changed";
    }
    if (word == "hold") {
        return "held";
    }
    if (word == "retry") {
        return "due now";
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
    std::string out = call.arguments().empty() ? "" : call.arguments().front() + ": ";
    out.append(past_of(call.row().verb)).append("\n");
    if (const JsonValue* password = result.find("password")) {
        out.append("password: ").append(show_plain(password)).append("\n");
    }
    return out;
}

Result<std::string> run_call(AdminClient& client, const Invocation& call, bool is_change) {
    const std::string name = call_name(call.row());
    for (const ListView& view : kListViews) {
        if (view.call == name) {
            return show_list(client, view, call);
        }
    }
    JsonWriter json;
    json.begin_object();
    TRY(write_arguments(call, json));
    json.end_object();
    const JsonValue result = TRY(client.call(name, json.view()));
    if (call.has("--json")) {
        return show_json(result) + "\n";
    }
    return is_change ? show_change(call, result) : show_object(result);
}

JsonValue::Array rows_of(const JsonValue& result, std::string_view name) {
    const JsonValue* rows = result.find(name);
    return rows != nullptr && rows->array() != nullptr ? *rows->array() : JsonValue::Array{};
}

Result<AdminClient> open_client(const Invocation& call) {
    const flow::Settings settings = TRY(find_server(call));
    return AdminClient::open(settings);
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

int run_admin_change(const Invocation& call) {
    return run(call, true);
}
int run_admin_view(const Invocation& call) {
    return run(call, false);
}

int run_fsck(const Invocation& call) {
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
