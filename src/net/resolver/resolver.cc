#include "net/resolver/resolver.h"

#include <algorithm>

#include "net/io/task_group.h"
#include "net/resolver/rdata.h"

namespace godwit::net {

namespace {

std::unexpected<Error> malformed(std::string_view name, std::string_view type) {
    return temporary_error(ErrorCode::Corrupt, std::string(type) + " of " + std::string(name) +
                                                   ": no record can be read");
}

/// Parses each record, leaving out those that cannot be read.
template <class Record, class Parse>
std::vector<Record> parse_all(const RecordSet& set, Parse parse) {
    std::vector<Record> records;
    for (const std::string& rdata : set.rdata) {
        if (auto record = parse(rdata)) {
            records.push_back(std::move(*record));
        }
    }
    return records;
}

}  // namespace

Task<Result<MxAnswer>> Resolver::mx(std::string domain) {
    RecordSet set = CO_TRY(co_await lookup(domain, RecordType::Mx));
    MxAnswer answer{static_cast<const DnsFacts&>(set), {}, false};
    answer.hosts = parse_all<MxHost>(set, mx_from_wire);
    if (set.outcome == DnsOutcome::Found && answer.hosts.empty()) {
        co_return malformed(domain, "MX");
    }
    // RFC 7505: a lone record with an empty name. Beside others such a record says nothing.
    answer.is_null_mx = answer.hosts.size() == 1 && answer.hosts.front().host.empty();
    std::erase_if(answer.hosts, [](const MxHost& mx) { return mx.host.empty(); });
    std::sort(answer.hosts.begin(), answer.hosts.end());
    co_return answer;
}

namespace {

Task<void> look_up_into(Resolver* resolver, std::string host, RecordType type,
                        std::optional<Result<RecordSet>>* out) {
    out->emplace(co_await resolver->lookup(std::move(host), type));
}

void add_addresses(AddressAnswer& answer, const RecordSet& set) {
    for (const std::string& rdata : set.rdata) {
        if (auto address = IpAddress::from_bytes(rdata)) {
            answer.addresses.push_back(*address);
        }
    }
}

AddressAnswer merge(const RecordSet& six, const RecordSet& four) {
    AddressAnswer answer{static_cast<const DnsFacts&>(four), {}};
    add_addresses(answer, six);
    add_addresses(answer, four);
    answer.is_secure = six.is_secure && four.is_secure;
    answer.ttl_seconds = std::min(six.ttl_seconds, four.ttl_seconds);
    if (!answer.addresses.empty()) {
        answer.outcome = DnsOutcome::Found;
    } else if (six.outcome == DnsOutcome::NxDomain && four.outcome == DnsOutcome::NxDomain) {
        answer.outcome = DnsOutcome::NxDomain;
    } else {
        answer.outcome = DnsOutcome::NoData;
    }
    return answer;
}

AddressAnswer only(const RecordSet& set) {
    AddressAnswer answer{static_cast<const DnsFacts&>(set), {}};
    add_addresses(answer, set);
    return answer;
}

}  // namespace

Task<Result<AddressAnswer>> Resolver::addresses(std::string host, AddressFamilies families) {
    if (families != AddressFamilies::Both) {
        RecordType type = families == AddressFamilies::V4 ? RecordType::A : RecordType::Aaaa;
        RecordSet set = CO_TRY(co_await lookup(std::move(host), type));
        co_return only(set);
    }
    std::optional<Result<RecordSet>> six;
    std::optional<Result<RecordSet>> four;
    TaskGroup group(2);
    group.try_spawn("dns.aaaa", look_up_into(this, host, RecordType::Aaaa, &six));
    group.try_spawn("dns.a", look_up_into(this, host, RecordType::A, &four));
    co_await group.join();
    if (*six && *four) {
        co_return merge(**six, **four);
    }
    // Half an answer is one only when it has addresses: absence must be known of both.
    for (const auto* half : {&six, &four}) {
        if (**half && !(**half)->rdata.empty()) {
            co_return only(***half);
        }
    }
    co_return std::unexpected(*six ? std::move(*four).error() : std::move(*six).error());
}

Task<Result<SrvAnswer>> Resolver::srv(std::string name) {
    RecordSet set = CO_TRY(co_await lookup(name, RecordType::Srv));
    SrvAnswer answer{static_cast<const DnsFacts&>(set), {}};
    answer.hosts = parse_all<SrvHost>(set, srv_from_wire);
    if (set.outcome == DnsOutcome::Found && answer.hosts.empty()) {
        co_return malformed(name, "SRV");
    }
    co_return answer;
}

Task<Result<NamesAnswer>> Resolver::ptr(IpAddress address) {
    std::string name = reverse_name(address);
    RecordSet set = CO_TRY(co_await lookup(name, RecordType::Ptr));
    NamesAnswer answer{static_cast<const DnsFacts&>(set), {}};
    answer.names = parse_all<std::string>(set, name_from_wire);
    std::erase(answer.names, std::string());
    if (set.outcome == DnsOutcome::Found && answer.names.empty()) {
        // Whoever runs the address wrote nothing a host could be called: as good as none.
        answer.outcome = DnsOutcome::NoData;
    }
    co_return answer;
}

Task<Result<TextAnswer>> Resolver::txt(std::string name) {
    RecordSet set = CO_TRY(co_await lookup(name, RecordType::Txt));
    TextAnswer answer{static_cast<const DnsFacts&>(set), {}};
    answer.texts = parse_all<std::string>(set, text_from_wire);
    if (set.outcome == DnsOutcome::Found && answer.texts.empty()) {
        co_return malformed(name, "TXT");
    }
    co_return answer;
}

Task<Result<TlsaAnswer>> Resolver::tlsa(std::string name) {
    RecordSet set = CO_TRY(co_await lookup(std::move(name), RecordType::Tlsa));
    TlsaAnswer answer{static_cast<const DnsFacts&>(set), {}};
    answer.records = parse_all<TlsaRecord>(set, tlsa_from_wire);
    co_return answer;
}

std::string reverse_name(IpAddress address) {
    std::string_view bytes = address.bytes();
    std::string name;
    for (std::size_t i = bytes.size(); i-- > 0;) {
        auto byte = static_cast<std::uint8_t>(bytes[i]);
        if (address.is_v4()) {
            name += std::to_string(byte) + ".";  // RFC 1035 3.5
        } else {
            // RFC 3596: nibbles, the last first.
            constexpr std::string_view kDigits = "0123456789abcdef";
            name += {kDigits[byte & 0xF], '.', kDigits[byte >> 4], '.'};
        }
    }
    return name + (address.is_v4() ? "in-addr.arpa" : "ip6.arpa");
}

}  // namespace godwit::net
