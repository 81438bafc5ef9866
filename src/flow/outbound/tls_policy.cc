#include "flow/outbound/tls_policy.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "base/probe.h"
#include "flow/outbound/outbound_tls.h"
#include "flow/outbound/sts.h"
#include "flow/policy/domain_pattern.h"
#include "mail/address/domain.h"
#include "net/io/endpoint.h"
#include "net/resolver/resolver.h"

namespace godwit::flow {

namespace {

using Level = TlsPolicy::Level;
using Mode = TlsPolicySettings::Mode;

TlsPolicy refused(smtp::EnhancedStatus status, std::string text) {
    TlsPolicy policy;
    policy.level = Level::Encrypt;
    policy.refusal =
        smtp::make_reply(status.status_class == 5 ? 550 : 451, status, std::move(text));
    return policy;
}

TlsPolicy dane_failed(const TlsQuestion& question, const DaneAnswer& dane) {
    probe<"tls.tlsa_unknown">();
    // RFC 7672: as if the host could not be reached.
    TlsPolicy policy = refused({4, 7, 5}, question.host + ": " + dane.text);
    policy.origin = "dane";
    return policy;
}

// RFC 7672: SNI is the TLSA base domain; for DANE-TA that name, and the domain that a secure MX led
// from, are looked for in the certificate.
TlsPolicy by_dane(const TlsQuestion& question, const DaneAnswer& dane) {
    TlsPolicy policy;
    policy.level = Level::Dane;
    policy.origin = "dane";
    policy.tlsa = dane.records;
    policy.server_name = dane.base;
    for (const std::string& name : {question.host, question.domain}) {
        if (!name.empty() && !equals_ignore_case(name, dane.base)) {
            policy.names.push_back(name);
        }
    }
    return policy;
}

TlsPolicy at_level(Level level, std::string_view origin) {
    TlsPolicy policy;
    policy.level = level;
    policy.origin = origin;
    return policy;
}

// RFC 8689 4.2.1: a way that is vouched for all along, or none.
TlsPolicy by_requiretls(const TlsQuestion& question, const DaneAnswer& dane,
                        const StsVerdict& sts) {
    TlsPolicy policy;
    if (dane.kind == DaneAnswer::Kind::Usable) {
        policy = by_dane(question, dane);
    } else if (sts.is_host_listed || dane.is_name_secure) {
        policy = at_level(Level::Verify, "requiretls");
    } else {
        probe<"tls.requiretls_without_a_way">();
        policy =
            refused({5, 7, 10}, question.host + ": neither DNSSEC nor MTA-STS vouches for it, " +
                                    "and the message requires TLS");
    }
    policy.wants_requiretls = true;
    return policy;
}

std::string fingerprint_octets(const std::string& hex) {
    return hex_decode(hex).value_or("");
}

bool asks_for_dane(const TlsPolicySettings* stated, const TlsQuestion& question) {
    if (stated != nullptr) {
        return stated->mode == Mode::Dane;
    }
    if (question.route) {
        return *question.route == RouteSettings::Tls::Opportunistic;
    }
    return question.wish != TlsWish::Optional;
}

}  // namespace

std::string_view to_string(TlsPolicy::Level level) {
    switch (level) {
        case Level::None: return "none";
        case Level::May: return "may";
        case Level::Encrypt: return "encrypt";
        case Level::Verify: return "verify";
        case Level::Dane: return "dane";
    }
    return "may";
}

std::string TlsPolicy::identity() const {
    if (level <= Level::Encrypt && server_name.empty() && !wants_requiretls) {
        return level == Level::None ? "none" : level == Level::May ? "may" : "encrypt";
    }
    std::string all = std::to_string(std::to_underlying(level)) + (wants_requiretls ? "R" : "-");
    all += server_name + "\n";
    for (const std::string& name : names) {
        all += name + "\n";
    }
    for (const net::TlsaRecord& record : tlsa) {
        all += net::to_string(record) + "\n";
    }
    return hex_encode(sha256_bytes(all));
}

const TlsPolicySettings* find_tls_policy(const Settings& settings, std::string_view domain) {
    return find_by_domain(settings.tls_policies, domain);
}

StsVerdict judge_sts(const StsPolicy& policy, std::string_view host) {
    StsVerdict verdict;
    const bool is_listed = lists_host(policy, host);
    switch (policy.mode) {
        case StsMode::None: return verdict;
        case StsMode::Testing: verdict.kind = StsVerdict::Kind::Testing; break;
        case StsMode::Enforce:
            verdict.kind = is_listed ? StsVerdict::Kind::Match : StsVerdict::Kind::NoMatch;
            break;
    }
    verdict.is_host_listed = is_listed;
    return verdict;
}

TlsPolicy combine_tls(const TlsQuestion& question, const DaneAnswer& dane, const StsVerdict& sts) {
    if (question.wish == TlsWish::Optional) {
        // RFC 8689 4.2.2: TLS where it can be had, and no failure for want of it.
        return at_level(Level::May, "tls-required-no");
    }
    if (dane.kind == DaneAnswer::Kind::Failed) {
        return dane_failed(question, dane);
    }
    if (question.wish == TlsWish::Required) {
        return by_requiretls(question, dane, sts);
    }
    if (dane.kind == DaneAnswer::Kind::Usable) {
        return by_dane(question, dane);
    }
    // RFC 8461: MTA-STS never overrides what DANE says, but stands where DANE has no say.
    if (sts.kind == StsVerdict::Kind::NoMatch) {
        TlsPolicy policy = refused(
            {4, 7, 5}, question.host + " is no host of the MTA-STS policy of " + question.domain);
        policy.origin = "mta-sts";
        return policy;
    }
    if (sts.kind == StsVerdict::Kind::Match) {
        return at_level(Level::Verify, "mta-sts");
    }
    if (dane.kind == DaneAnswer::Kind::Unusable) {
        return at_level(Level::Encrypt, "dane");
    }
    return at_level(Level::May, "default");
}

std::optional<TlsAccounting> account_for(const TlsQuestion& question, const DaneAnswer& dane,
                                         const std::optional<StsPolicy>& sts) {
    // RFC 8460, "Reporting Policy": sessions that carry reports are left out of the next one. They
    // are told by `TLS-Required: No`, which leaves out whatever else is sent so.
    if (question.wish == TlsWish::Optional || mail::is_address_literal(question.domain)) {
        return std::nullopt;
    }
    TlsAccounting accounting;
    mail::TlsFailureDetail standing;
    standing.receiving_host = question.host;
    if (dane.kind != DaneAnswer::Kind::None) {
        accounting.policy = {
            .type = mail::TlsPolicyType::Tlsa, .lines = dane.published, .hosts = {question.host}};
        if (dane.kind == DaneAnswer::Kind::Failed && !dane.is_bogus) {
            return std::nullopt;  // RFC 8460, "Transient Failures".
        }
        if (dane.kind != DaneAnswer::Kind::Usable) {
            const bool is_bogus = dane.kind == DaneAnswer::Kind::Failed;
            standing.failure =
                is_bogus ? mail::TlsFailure::DnssecInvalid : mail::TlsFailure::TlsaInvalid;
            standing.reason = dane.text;
            accounting.standing = std::move(standing);
        }
        return accounting;
    }
    if (sts && sts->mode != StsMode::None) {
        accounting.policy = {
            .type = mail::TlsPolicyType::Sts, .lines = to_lines(*sts), .hosts = sts->hosts};
        if (!lists_host(*sts, question.host)) {
            standing.failure = mail::TlsFailure::ValidationFailure;
            standing.reason = "the host is not one of the policy's";
            accounting.standing = std::move(standing);
        }
    }
    return accounting;
}

TlsPolicy policy_of(const TlsPolicySettings& settings, const DaneAnswer& dane,
                    const TlsQuestion& question) {
    switch (settings.mode) {
        case Mode::None: return at_level(Level::None, "config");
        case Mode::May: return at_level(Level::May, "config");
        case Mode::Encrypt: return at_level(Level::Encrypt, "config");
        case Mode::Verify: return at_level(Level::Verify, "config");
        case Mode::Dane: break;
        case Mode::Fingerprint: {
            TlsPolicy policy = at_level(Level::Dane, "config");
            // A fingerprint is a DANE-EE record that the administrator wrote.
            for (const std::string& print : settings.fingerprints) {
                policy.tlsa.push_back(net::tlsa_of_certificate(fingerprint_octets(print)));
                policy.tlsa.push_back(net::tlsa_of_key(fingerprint_octets(print)));
            }
            return policy;
        }
    }
    if (dane.kind == DaneAnswer::Kind::Failed) {
        return dane_failed(question, dane);
    }
    if (dane.kind == DaneAnswer::Kind::Usable) {
        return by_dane(question, dane);
    }
    TlsPolicy policy =
        refused({4, 7, 5}, question.host + " has no usable TLSA records, which the policy for " +
                               question.domain + " asks for");
    policy.origin = "config";
    return policy;
}

TlsPolicy policy_of(RouteSettings::Tls route, const DaneAnswer& dane, const TlsQuestion& question) {
    TlsPolicy policy;
    switch (route) {
        case RouteSettings::Tls::Never: policy = at_level(Level::None, "route"); break;
        case RouteSettings::Tls::Required:
        case RouteSettings::Tls::Implicit: policy = at_level(Level::Verify, "route"); break;
        case RouteSettings::Tls::Opportunistic:
            if (dane.kind == DaneAnswer::Kind::Failed) {
                return dane_failed(question, dane);
            }
            policy = dane.kind == DaneAnswer::Kind::Usable     ? by_dane(question, dane)
                     : dane.kind == DaneAnswer::Kind::Unusable ? at_level(Level::Encrypt, "dane")
                                                               : at_level(Level::May, "route");
            break;
    }
    if (question.wish != TlsWish::Required) {
        return policy;
    }
    if (policy.level == Level::None) {
        policy = refused({5, 7, 10},
                         question.host + ": its route has no TLS, " + "which the message requires");
    } else if (policy.level < Level::Verify) {
        // The administrator vouches for the name, the certificate for the host.
        policy = at_level(Level::Verify, "requiretls");
    }
    policy.wants_requiretls = true;
    return policy;
}

namespace {

// RFC 8689 4.2.1 holds for what the administrator states as well.
TlsPolicy required_of(TlsPolicy policy, const TlsQuestion& question) {
    if (question.wish != TlsWish::Required || policy.refusal) {
        return policy;
    }
    if (policy.level < Level::Verify) {
        policy = refused({5, 7, 10}, question.host + ": the policy for " + question.domain +
                                         " has no verified TLS, which the message requires");
    }
    policy.wants_requiretls = true;
    return policy;
}

// RFC 8460, "Result Types": dane-required is about what we ourselves ask of the domain.
std::optional<TlsAccounting> account_for_stated(const TlsPolicySettings& stated,
                                                const TlsQuestion& question,
                                                const DaneAnswer& dane) {
    if (stated.mode != Mode::Dane) {
        return std::nullopt;
    }
    std::optional<TlsAccounting> accounting = account_for(question, dane, std::nullopt);
    const bool is_missing =
        dane.kind == DaneAnswer::Kind::None || dane.kind == DaneAnswer::Kind::Unusable;
    if (accounting && is_missing) {
        accounting->policy.type = mail::TlsPolicyType::Tlsa;
        accounting->standing = mail::TlsFailureDetail{.failure = mail::TlsFailure::DaneRequired,
                                                      .receiving_host = question.host};
    }
    return accounting;
}

net::Task<TlsPolicy> ask_domain(const Services* services, TlsQuestion question, DaneAnswer dane) {
    StsVerdict sts;
    std::optional<StsPolicy> stated;
    if (question.wish != TlsWish::Optional && dane.kind != DaneAnswer::Kind::Usable &&
        !mail::is_address_literal(question.domain)) {
        std::optional<StsRow> row = co_await find_sts(services, question.domain);
        if (row) {
            sts = judge_sts(row->policy, question.host);
            stated = std::move(row->policy);
        }
    }
    TlsPolicy policy = combine_tls(question, dane, sts);
    policy.accounting = account_for(question, dane, stated);
    if (services->outbound_tls != nullptr && !policy.refusal) {
        services->outbound_tls->note_decision(question, policy, net::Shard::here().now());
    }
    co_return policy;
}

}  // namespace

net::Task<TlsPolicy> decide_tls(const Services* services, TlsQuestion question) {
    const SettingsPtr settings = services->settings();
    const TlsPolicySettings* const stated =
        question.route ? nullptr : find_tls_policy(*settings, question.domain);
    if (stated == nullptr && !question.route && services->outbound_tls != nullptr) {
        if (auto known = services->outbound_tls->decision(question, net::Shard::here().now())) {
            co_return *std::move(known);
        }
    }
    DaneAnswer dane;
    const bool is_name = !net::IpAddress::parse(question.host) &&
                         !mail::is_address_literal(question.domain) &&
                         !equals_ignore_case(question.host, "localhost");
    if (is_name && services->resolver != nullptr && asks_for_dane(stated, question)) {
        std::string domain = question.route ? std::string() : question.domain;
        dane =
            co_await find_tlsa(services->resolver, std::move(domain), question.host, question.port);
    }
    if (stated != nullptr) {
        TlsPolicy policy = required_of(policy_of(*stated, dane, question), question);
        policy.accounting = account_for_stated(*stated, question, dane);
        co_return policy;
    }
    if (question.route) {
        co_return policy_of(*question.route, dane, question);
    }
    co_return co_await ask_domain(services, std::move(question), std::move(dane));
}

}  // namespace godwit::flow
