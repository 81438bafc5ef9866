// `godwit test-route`: what would happen to mail for an address.
#include <string>

#include "app/admin_pages.h"
#include "app/commands.h"
#include "app/json_text.h"

namespace godwit::app {
namespace {

/// "; NAME: VALUE" for what is not empty.
void add(std::string& line, std::string_view name, const JsonValue& object,
         std::string_view field) {
    const std::string value = text_of(object, field);
    if (!value.empty()) {
        line.append("; ").append(name).append(value);
    }
}

std::string tell_probe(const JsonValue& probe) {
    std::string line = text_of(probe, "verdict") + " at " + text_of(probe, "stage") + ": " +
                       text_of(probe, "reply");
    const std::string version = text_of(probe, "tls_version");
    if (version.empty()) {
        return line + "; no TLS";
    }
    line.append("; ").append(version).append(" ").append(text_of(probe, "tls_cipher"));
    line.append(probe.bool_or("tls_verified", false) ? ", verified" : ", not verified");
    const std::string error = text_of(probe, "tls_error");
    return error.empty() ? line : line.append(": ").append(error);
}

std::string tell_host(const JsonValue& host) {
    std::string text = "    " + show_plain(host.find("preference")) + " " + text_of(host, "host") +
                       ":" + show_plain(host.find("port"));
    text.append(host.bool_or("is_fallback", false) ? " (fallback)" : "");
    text.append("; TLS ").append(text_of(host, "tls_policy"));
    text.append(" by ").append(text_of(host, "tls_origin"));
    add(text, "", host, "tls_refusal");
    for (const JsonValue& record : rows_of(host, "tlsa")) {
        text.append("; TLSA ").append(show_plain(&record));
    }
    const JsonValue::Array addresses = rows_of(host, "addresses");
    text.append(addresses.empty() ? "; none of its addresses would be tried\n" : "\n");
    for (const JsonValue& address : addresses) {
        text.append("      ").append(text_of(address, "address"));
        const JsonValue* const probe = address.find("probe");
        text.append(probe != nullptr ? ": " + tell_probe(*probe) : "").append("\n");
    }
    return text;
}

std::string tell_route(const JsonValue& route) {
    std::string line = text_of(route, "address") + ": " + text_of(route, "decision");
    add(line, "to ", route, "next_hop");
    const std::string name = text_of(route, "route");
    line.append(name.empty() ? "; no route says otherwise" : "; by the route for " + name);
    add(line, "", route, "held_reason");
    add(line, "from ", route, "source");
    add(line, "EHLO ", route, "hello");
    if (text_of(route, "decision") == "relay") {
        line.append("; at most ").append(show_plain(route.find("connections_max")));
        line.append(" connections");
        const std::string provider = text_of(route, "provider");
        line.append(provider.empty() ? "" : " (" + provider + ")");
    }
    line.append("\n");
    line.append(route.bool_or("kept_for_request", false)
                    ? "  kept until its own server asks for it (ETRN, ATRN)\n"
                    : "");
    const std::string suspended = text_of(route, "suspended");
    line.append(suspended.empty() ? "" : "  suspended: " + suspended + "\n");
    const std::string until = text_of(route, "paused_until");
    line.append(until.empty()
                    ? ""
                    : "  paused until " + until + ": " + text_of(route, "pause_reason") + "\n");
    for (const JsonValue& host : rows_of(route, "hosts")) {
        line.append(tell_host(host));
    }
    const std::string dead_end = text_of(route, "dead_end");
    return dead_end.empty() ? line : line.append("  nowhere to go: ").append(dead_end + "\n");
}

std::string tell(const JsonValue& found) {
    std::string text = text_of(found, "address") + ": " + text_of(found, "verdict") + "\n";
    for (const JsonValue& account : rows_of(found, "accounts")) {
        text.append("to the account ").append(show_plain(&account)).append("\n");
    }
    for (const JsonValue& route : rows_of(found, "remote")) {
        text.append(tell_route(route));
    }
    const auto shown = static_cast<std::int64_t>(rows_of(found, "remote").size());
    const std::int64_t all = found.int_or("remote_count", 0);
    return all > shown ? text + "and " + std::to_string(all - shown) + " more\n" : text;
}

}  // namespace

int run_test_route(const Invocation& call) {
    auto client = open_client(call);
    if (!client) {
        return call.fail(client.error());
    }
    JsonWriter json;
    json.begin_object().field("address", call.arguments().front());
    json.field("from", call.value_or("--from", "")).field("probe", call.has("--probe"));
    json.end_object();
    const auto found = client->call("route.test", json.view());
    if (!found) {
        return call.fail(found.error());
    }
    call.console().out(call.has("--json") ? show_json(*found) + "\n" : tell(*found));
    return kExitDone;
}

}  // namespace godwit::app
