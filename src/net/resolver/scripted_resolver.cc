#include "net/resolver/scripted_resolver.h"

#include <array>
#include <optional>

#include "base/ascii.h"
#include "base/encoding.h"
#include "base/limits.h"
#include "net/resolver/rdata.h"

namespace godwit::net {

namespace {

constexpr std::uint32_t kScriptTtlSeconds = 300;

struct TypeName {
    std::string_view name;
    RecordType type;
};
constexpr std::array<TypeName, 9> kTypes = {{{"A", RecordType::A},
                                             {"NS", RecordType::Ns},
                                             {"CNAME", RecordType::Cname},
                                             {"PTR", RecordType::Ptr},
                                             {"MX", RecordType::Mx},
                                             {"TXT", RecordType::Txt},
                                             {"AAAA", RecordType::Aaaa},
                                             {"SRV", RecordType::Srv},
                                             {"TLSA", RecordType::Tlsa}}};

std::optional<RecordType> type_of(std::string_view word) {
    for (const TypeName& row : kTypes) {
        if (equals_ignore_case(word, row.name)) {
            return row.type;
        }
    }
    return std::nullopt;
}

/// The first word, which is taken off `rest` with the spaces around it.
std::string_view take_word(std::string_view& rest) {
    rest = trim(rest);
    std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    std::string_view word = rest.substr(0, end);
    rest = trim(rest.substr(end));
    return word;
}

std::optional<std::string> address_rdata(std::string_view value, bool is_v4) {
    auto address = IpAddress::parse(value);
    if (!address || address->is_v4() != is_v4) {
        return std::nullopt;
    }
    return std::string(address->bytes());
}

std::optional<std::string> tlsa_rdata(std::string_view value) {
    std::string wire;
    for (int i = 0; i < 3; ++i) {
        auto number = parse_u32(take_word(value));
        if (!number || *number > 255) {
            return std::nullopt;
        }
        wire += static_cast<char>(*number);
    }
    auto data = hex_decode(value);
    return data ? std::optional(wire + *data) : std::nullopt;
}

std::optional<std::string> srv_rdata(std::string_view value) {
    std::array<std::uint16_t, 3> numbers{};
    for (std::uint16_t& number : numbers) {
        const auto parsed = parse_u32(take_word(value));
        if (!parsed || *parsed > 65535) {
            return std::nullopt;
        }
        number = static_cast<std::uint16_t>(*parsed);
    }
    const auto name = name_to_wire(value);
    const SrvHost host{
        .priority = numbers[0], .weight = numbers[1], .port = numbers[2], .host = ""};
    return value.empty() || !name ? std::nullopt : std::optional(srv_to_wire(host, *name));
}

std::optional<std::string> rdata_of(RecordType type, std::string_view value) {
    switch (type) {
        case RecordType::A: return address_rdata(value, true);
        case RecordType::Aaaa: return address_rdata(value, false);
        case RecordType::Txt: return text_to_wire(value);
        case RecordType::Tlsa: return tlsa_rdata(value);
        case RecordType::Mx: {
            auto preference = parse_u32(take_word(value));
            auto name = name_to_wire(value);
            if (!preference || *preference > 65535 || value.empty() || !name) {
                return std::nullopt;
            }
            return mx_to_wire(static_cast<std::uint16_t>(*preference), *name);
        }
        case RecordType::Srv: return srv_rdata(value);
        case RecordType::Ns:
        case RecordType::Cname:
        case RecordType::Ptr: return name_to_wire(value);
    }
    return std::nullopt;
}

std::unexpected<Error> unreadable(std::string_view line) {
    return peer_error(ErrorCode::Invalid,
                      "not a line of DNS: \"" + std::string(line.substr(0, 128)) + "\"");
}

}  // namespace

Result<> ScriptedResolver::add(std::string_view line) {
    std::string_view rest = line;
    std::string name = plain_name(take_word(rest));
    std::string_view kind = take_word(rest);
    if (name.empty() || kind.empty()) {
        return unreadable(line);
    }
    Entry& entry = names_[name];
    if (kind == "nxdomain") {
        entry.any = Failure::NxDomain;
        return {};
    }
    if (kind == "secure") {
        entry.is_secure = true;
        return {};
    }
    static const std::map<std::string, Failure, std::less<>> failures = {
        {"servfail", Failure::ServFail},
        {"timeout", Failure::Timeout},
        {"bogus", Failure::Bogus},
        {"nodata", Failure::NoData},
    };
    auto failure = failures.find(rest);
    if (kind == "*" && failure != failures.end()) {
        entry.any = failure->second;
        return {};
    }
    auto type = type_of(kind);
    if (!type) {
        return unreadable(line);
    }
    if (failure != failures.end()) {
        entry.failures[*type] = failure->second;
        return {};
    }
    auto rdata = rdata_of(*type, rest);
    if (!rdata) {
        return unreadable(line);
    }
    entry.records[*type].push_back(std::move(*rdata));
    return {};
}

Result<> ScriptedResolver::add_lines(std::string_view text) {
    for (std::string_view line : split(text, '\n')) {
        line = trim(line);
        if (!line.empty() && !line.starts_with('#')) {
            TRY(add(line));
        }
    }
    return {};
}

void ScriptedResolver::remove(std::string_view name) {
    names_.erase(plain_name(name));
}
void ScriptedResolver::clear() {
    names_.clear();
}

void ScriptedResolver::fail_lookup(std::uint64_t nth) {
    fail_at_ = nth == 0 ? 0 : lookups_ + nth;
}

Result<RecordSet> ScriptedResolver::answer(const std::string& asked, RecordType type) const {
    RecordSet set;
    set.canonical_name = asked;
    set.ttl_seconds = kScriptTtlSeconds;
    set.is_secure = true;
    for (std::size_t hops = 0; hops <= limits::dns_cname_max; ++hops) {
        auto found = names_.find(set.canonical_name);
        if (found == names_.end()) {
            set.outcome = DnsOutcome::NxDomain;
            set.is_secure = false;
            return set;
        }
        const Entry& entry = found->second;
        set.is_secure = set.is_secure && entry.is_secure;
        auto failure = entry.failures.find(type);
        switch (failure == entry.failures.end() ? entry.any : failure->second) {
            case Failure::ServFail:
                return temporary_error(ErrorCode::Unavailable, asked + ": SERVFAIL");
            case Failure::Timeout:
                return temporary_error(ErrorCode::Timeout, asked + ": no answer");
            case Failure::Bogus:
                return temporary_error(ErrorCode::Corrupt, asked + ": DNSSEC validation failed");
            case Failure::NxDomain: set.outcome = DnsOutcome::NxDomain; return set;
            case Failure::NoData: return set;
            case Failure::None: break;
        }
        auto records = entry.records.find(type);
        auto alias = entry.records.find(RecordType::Cname);
        if (records != entry.records.end()) {
            if (records->second.size() > limits::dns_records_max) {
                return temporary_error(ErrorCode::LimitExceeded, asked + ": too many records");
            }
            set.outcome = DnsOutcome::Found;
            set.rdata = records->second;
            return set;
        }
        if (alias == entry.records.end()) {
            return set;
        }
        set.canonical_name = name_from_wire(alias->second.front()).value_or("");
    }
    return temporary_error(ErrorCode::LimitExceeded, asked + ": CNAME chain too long");
}

Task<Result<RecordSet>> ScriptedResolver::lookup(std::string name, RecordType type) {
    std::uint64_t number = ++lookups_;
    Result<RecordSet> result = answer(plain_name(name), type);
    bool is_timeout = !result && result.error().code == ErrorCode::Timeout;
    Duration delay = is_timeout ? Duration(limits::dns_lookup_timeout) : latency_;
    if (delay > Duration(0)) {
        co_await sleep_for(delay);
    }
    if (number == fail_at_) {
        co_return temporary_error(ErrorCode::Unavailable, name + ": failed on purpose");
    }
    co_return result;
}

}  // namespace godwit::net
