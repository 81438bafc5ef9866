// Finding the TLSA records of a mail exchanger. RFC 7672 (which names are asked, and what must be
// secure), RFC 7671.
#include <utility>

#include "base/ascii.h"
#include "base/probe.h"
#include "flow/outbound/tls_policy.h"
#include "net/resolver/resolver.h"

namespace godwit::flow {

namespace {

DaneAnswer failed(std::string_view what, const Error& error) {
    DaneAnswer answer;
    answer.kind = DaneAnswer::Kind::Failed;
    answer.text = std::string(what) + ": " + error.text;
    answer.is_bogus = error.code == ErrorCode::Corrupt;
    return answer;
}

DaneAnswer of_records(net::TlsaAnswer found, std::string base) {
    DaneAnswer answer;
    answer.base = std::move(base);
    for (const net::TlsaRecord& record : found.records) {
        answer.published.push_back(net::to_string(record));
    }
    std::erase_if(found.records,
                  [](const net::TlsaRecord& record) { return !net::is_usable_for_smtp(record); });
    answer.records = std::move(found.records);
    if (answer.records.empty()) {
        probe<"tls.tlsa_unusable">();
    }
    answer.kind = answer.records.empty() ? DaneAnswer::Kind::Unusable : DaneAnswer::Kind::Usable;
    return answer;
}

struct Bases {
    std::vector<std::string> names;
    std::optional<Error> error;
};

// TLSA base domains, the expanded name first. Where the addresses are insecure and the name is a
// secure alias, the name itself is the only one (RFC 7672).
net::Task<Bases> base_domains(net::Resolver* resolver, std::string host) {
    Bases bases;
    const Result<net::AddressAnswer> addresses = co_await resolver->addresses(host);
    if (!addresses) {
        bases.error = addresses.error();
        co_return bases;
    }
    if (addresses->outcome != net::DnsOutcome::Found) {
        co_return bases;
    }
    const bool is_alias = !equals_ignore_case(addresses->canonical_name, host);
    if (addresses->is_secure) {
        if (is_alias) {
            bases.names.push_back(addresses->canonical_name);
        }
        bases.names.push_back(std::move(host));
        co_return bases;
    }
    if (!is_alias) {
        co_return bases;
    }
    const Result<net::RecordSet> alias = co_await resolver->lookup(host, net::RecordType::Cname);
    if (!alias) {
        bases.error = alias.error();
    } else if (alias->is_secure && alias->outcome == net::DnsOutcome::Found) {
        bases.names.push_back(std::move(host));
    }
    co_return bases;
}

}  // namespace

net::Task<DaneAnswer> find_tlsa(net::Resolver* resolver, std::string domain, std::string host,
                                std::uint16_t port) {
    DaneAnswer none;
    if (!domain.empty()) {
        // Insecure: whoever forges the MX would forge the TLSA owner with it.
        const Result<net::MxAnswer> mx = co_await resolver->mx(domain);
        if (!mx) {
            co_return failed("MX of " + domain, mx.error());
        }
        if (!mx->is_secure) {
            co_return none;
        }
        none.is_name_secure = true;
    }
    const Bases bases = co_await base_domains(resolver, host);
    if (bases.error) {
        co_return failed("addresses of " + host, *bases.error);
    }
    for (const std::string& base : bases.names) {
        const std::string name = "_" + std::to_string(port) + "._tcp." + base;
        Result<net::TlsaAnswer> found = co_await resolver->tlsa(name);
        if (!found) {
            co_return failed("TLSA of " + name, found.error());
        }
        if (found->outcome == net::DnsOutcome::Found && found->is_secure) {
            DaneAnswer answer = of_records(*std::move(found), base);
            answer.is_name_secure = none.is_name_secure;
            co_return answer;
        }
    }
    co_return none;
}

}  // namespace godwit::flow
