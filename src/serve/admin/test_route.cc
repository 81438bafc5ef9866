// Administrators' question what would happen to mail for an address.
#include <string>
#include <utility>

#include "flow/outbound/survey.h"
#include "serve/admin/calls.h"

namespace godwit::serve {
namespace {

using flow::SurveyedHost;
using flow::SurveyedRoute;
using flow::SurveyProbe;

std::string_view to_string(store::RecipientVerdict verdict) {
    switch (verdict) {
        case store::RecipientVerdict::Local: return "local";
        case store::RecipientVerdict::NoSuchUser: return "no_such_user";
        case store::RecipientVerdict::NotLocal: return "remote";
        case store::RecipientVerdict::Disabled: return "disabled";
        case store::RecipientVerdict::Loop: return "loop";
    }
    return "remote";
}

std::string_view to_string(smtp::Stage stage) {
    switch (stage) {
        case smtp::Stage::Greeting: return "connect";
        case smtp::Stage::Hello: return "ehlo";
        case smtp::Stage::Tls: return "tls";
        case smtp::Stage::Auth: return "auth";
        case smtp::Stage::Mail: return "mail";
        case smtp::Stage::Rcpt: return "rcpt";
        case smtp::Stage::DataStart:
        case smtp::Stage::Body:
        case smtp::Stage::DataEnd:
        case smtp::Stage::Idle:
        case smtp::Stage::Quit: break;
    }
    return "session";
}

std::string_view to_string(smtp::OutcomeKind kind) {
    switch (kind) {
        case smtp::OutcomeKind::Delivered: return "accepted";
        case smtp::OutcomeKind::Temporary: return "put_off";
        case smtp::OutcomeKind::Permanent: return "refused";
    }
    return "put_off";
}

void write_probe(JsonWriter& json, const SurveyProbe& probe) {
    json.key("probe").begin_object();
    json.field("verdict", to_string(probe.outcome.kind));
    json.field("stage", to_string(probe.outcome.stage));
    json.field("reply", smtp::to_string(probe.outcome.reply));
    json.field("is_ours", probe.outcome.is_local);
    json.field("tls_version", probe.tls.version).field("tls_cipher", probe.tls.cipher);
    json.field("tls_verified", probe.tls.is_verified).field("tls_error", probe.tls.error);
    json.end_object();
}

void write_host(JsonWriter& json, const SurveyedHost& host) {
    json.begin_object().field("host", host.hop.host).field("port", host.hop.port);
    json.field("preference", host.preference).field("is_fallback", host.is_fallback);
    const flow::AttemptTls tls = flow::wanted_tls(host.hop);
    json.field("tls_policy", tls.policy).field("tls_origin", tls.origin);
    json.key("tls_refusal");
    const bool is_refused = host.hop.policy && host.hop.policy->refusal;
    is_refused ? json.string(smtp::to_string(*host.hop.policy->refusal)) : json.null();
    json.key("tlsa").begin_array();
    if (host.hop.policy) {
        for (const net::TlsaRecord& record : host.hop.policy->tlsa) {
            json.string(net::to_string(record));
        }
    }
    json.end_array().key("addresses").begin_array();
    for (const flow::SurveyedAddress& address : host.addresses) {
        json.begin_object().field("address", address.at.to_string());
        if (address.probe) {
            write_probe(json, *address.probe);
        }
        json.end_object();
    }
    json.end_array().end_object();
}

void write_next_hop(JsonWriter& json, const flow::NextHop& hop) {
    std::string decision = "relay";
    std::string way;
    std::string held;
    if (const auto* relay = std::get_if<flow::RelayHop>(&hop)) {
        using Lookup = flow::RouteSettings::Lookup;
        way = relay->lookup == Lookup::Mx ? "mx of " : relay->lookup == Lookup::Srv ? "srv " : "";
        way += relay->host;
        way += relay->lookup == Lookup::Address && !relay->host.starts_with("unix:")
                   ? ":" + std::to_string(relay->port)
                   : "";
        way += relay->is_lmtp ? " (lmtp)" : "";
    } else if (const auto* hold = std::get_if<flow::HoldHop>(&hop)) {
        decision = "hold";
        held = hold->reason;
    } else {
        decision = "discard";
    }
    json.field("decision", decision).field("next_hop", way).field("held_reason", held);
}

void write_route(JsonWriter& json, const SurveyedRoute& route, WallTime now) {
    json.begin_object().field("address", route.address.to_string()).field("route", route.route);
    write_next_hop(json, route.hop);
    json.field("kept_for_request", route.is_kept_for_request);
    json.field("source", route.source).field("hello", route.hello);
    json.field("provider", route.provider).field("connections_max", route.connections_max);
    json.key("suspended");
    route.suspension
        ? json.string(flow::what_is_suspended(*route.suspension) +
                      (route.suspension->reason.empty() ? "" : ": " + route.suspension->reason))
        : json.null();
    const bool is_paused = route.outlet && route.outlet->paused_for;
    json.key("paused_until");
    is_paused ? json.string(show_time(now + std::chrono::duration_cast<WallTime::duration>(
                                                *route.outlet->paused_for)))
              : json.null();
    json.field("pause_reason", is_paused ? route.outlet->reason : std::string());
    json.key("dead_end");
    route.dead_end ? json.string(smtp::to_string(*route.dead_end)) : json.null();
    json.key("hosts").begin_array();
    for (const SurveyedHost& host : route.hosts) {
        write_host(json, host);
    }
    json.end_array().end_object();
}

}  // namespace

Result<std::string> test_route(const AdminHost& host, const AdminArguments& arguments) {
    flow::SurveyQuestion question;
    question.address =
        TRY(mail::parse_address(TRY(arguments.text("address")), mail::Domainless::Allow));
    if (question.address.domain.empty()) {
        question.address.domain = host.default_domain;
    }
    const std::string sender = arguments.text_or("from", "");
    if (!sender.empty() && sender != "<>") {
        question.sender = TRY(mail::parse_address(sender)).to_string();
    }
    question.probes = arguments.flag("probe");
    if (!host.survey) {
        return temporary_error(ErrorCode::Unavailable, "no server runs");
    }
    const mail::Address address = question.address;
    const flow::Survey found = TRY(host.survey(std::move(question)));
    JsonWriter json;
    json.begin_object().field("address", address.to_string());
    json.field("verdict", to_string(found.verdict)).key("accounts").begin_array();
    for (const store::LocalTarget& local : found.local) {
        json.string(local.account_name);
    }
    json.end_array().field("remote_count", std::uint64_t{found.remote_count});
    json.key("remote").begin_array();
    for (const SurveyedRoute& route : found.remote) {
        write_route(json, route, host.clock->wall());
    }
    json.end_array().end_object();
    return std::move(json).take();
}

}  // namespace godwit::serve
