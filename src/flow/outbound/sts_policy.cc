#include "flow/outbound/sts_policy.h"

#include <algorithm>

#include "base/ascii.h"
#include "mail/address/domain.h"

namespace godwit::flow {

namespace {

constexpr std::string_view kRecordStart = "v=STSv1;";

bool is_id(std::string_view id) {
    return !id.empty() && id.size() <= sts_id_size_max && std::ranges::all_of(id, is_alnum);
}

std::optional<std::string> id_of(std::string_view record) {
    record.remove_prefix(kRecordStart.size());
    std::optional<std::string> id;
    for (std::string_view field : split(record, ';')) {
        field = trim(field);
        if (!field.starts_with("id=")) {
            continue;
        }
        if (id || !is_id(field.substr(3))) {
            return std::nullopt;
        }
        id = std::string(field.substr(3));
    }
    return id;
}

std::unexpected<Error> invalid(std::string_view what, std::string_view found) {
    return peer_error(ErrorCode::Invalid, "MTA-STS policy: " + std::string(what) + ", found \"" +
                                              std::string(found.substr(0, 128)) + "\"");
}

// "mx.example.com" or "*.example.com", in lower case.
std::optional<std::string> host_pattern(std::string_view text) {
    const bool is_wild = text.starts_with("*.");
    const auto name = mail::normalize_domain(is_wild ? text.substr(2) : text);
    if (!name) {
        return std::nullopt;
    }
    return (is_wild ? "*." : "") + to_lower(*name);
}

// What a policy says, field by field.
struct Reading {
    StsPolicy policy;
    bool has_version = false;
    bool has_mode = false;
    bool has_max_age = false;

    Result<> take(std::string_view name, std::string_view value) {
        if (name == "version") {
            // RFC 8461 3.2: the first of a field that comes twice counts, but for mx.
            if (!has_version && value != "STSv1") {
                return invalid("expected version STSv1", value);
            }
            has_version = true;
        } else if (name == "mode" && !has_mode) {
            return take_mode(value);
        } else if (name == "max_age" && !has_max_age) {
            const auto seconds = parse_u64(value);
            if (!seconds || value.size() > 10) {
                return invalid("expected seconds as max_age", value);
            }
            has_max_age = true;
            policy.max_age_seconds =
                static_cast<std::uint32_t>(std::min<std::uint64_t>(*seconds, sts_max_age_max));
        } else if (name == "mx") {
            return take_host(value);
        }
        return {};
    }

    Result<> take_mode(std::string_view value) {
        has_mode = true;
        if (value == "enforce") {
            policy.mode = StsMode::Enforce;
        } else if (value == "testing") {
            policy.mode = StsMode::Testing;
        } else if (value == "none") {
            policy.mode = StsMode::None;
        } else {
            return invalid("expected enforce, testing or none as mode", value);
        }
        return {};
    }

    Result<> take_host(std::string_view value) {
        auto pattern = host_pattern(value);
        if (!pattern) {
            return invalid("expected a host name as mx", value);
        }
        if (policy.hosts.size() >= sts_policy_hosts_max) {
            return invalid("expected fewer hosts (sts_policy_hosts_max)", value);
        }
        policy.hosts.push_back(*std::move(pattern));
        return {};
    }
};

}  // namespace

std::optional<std::string> parse_sts_record(const std::vector<std::string>& texts) {
    const std::string* only = nullptr;
    for (const std::string& text : texts) {
        if (!text.starts_with(kRecordStart)) {
            continue;
        }
        if (only != nullptr) {
            return std::nullopt;
        }
        only = &text;
    }
    return only == nullptr ? std::nullopt : id_of(*only);
}

Result<StsPolicy> parse_sts_policy(std::string_view text) {
    if (text.size() > sts_policy_size_max) {
        return invalid("expected at most 64 KiB", std::to_string(text.size()));
    }
    Reading reading;
    for (std::string_view line : split(text, '\n')) {
        line = trim(line);
        if (line.ends_with('\r')) {
            line = trim(line.substr(0, line.size() - 1));
        }
        if (line.empty()) {
            continue;
        }
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) {
            return invalid("expected \"name: value\"", line);
        }
        TRY(reading.take(trim(line.substr(0, colon)), trim(line.substr(colon + 1))));
    }
    if (!reading.has_version || !reading.has_mode || !reading.has_max_age) {
        return invalid("expected version, mode and max_age", "not all of them");
    }
    if (reading.policy.mode != StsMode::None && reading.policy.hosts.empty()) {
        return invalid("expected an mx", "none");
    }
    return std::move(reading.policy);
}

bool lists_host(const StsPolicy& policy, std::string_view host) {
    const std::string name = to_lower(host.ends_with('.') ? host.substr(0, host.size() - 1) : host);
    const std::size_t dot = name.find('.');
    const std::string wild = dot == std::string::npos ? "" : "*" + name.substr(dot);
    return std::ranges::any_of(policy.hosts, [&](const std::string& pattern) {
        return pattern == name || pattern == wild;
    });
}

std::string_view to_string(StsMode mode) {
    switch (mode) {
        case StsMode::Enforce: return "enforce";
        case StsMode::Testing: return "testing";
        case StsMode::None: return "none";
    }
    return "";
}

std::vector<std::string> to_lines(const StsPolicy& policy) {
    std::vector<std::string> lines = {"version: STSv1",
                                      "mode: " + std::string(to_string(policy.mode))};
    for (const std::string& host : policy.hosts) {
        lines.push_back("mx: " + host);
    }
    lines.push_back("max_age: " + std::to_string(policy.max_age_seconds));
    return lines;
}

}  // namespace godwit::flow
