// Options of `godwit dev` to settings, and what it prints.
#include "app/dev.h"

#include <array>

#include "app/config.h"
#include "app/places.h"
#include "base/ascii.h"
#include "mail/address/address.h"
#include "mail/address/domain.h"
#include "net/io/endpoint.h"

namespace godwit::app {
namespace {

using flow::Protocol;

struct StandardPort {
    Protocol protocol;
    std::uint16_t port;
};
// LMTP has no number of its own (RFC 2033 5 wants any but 25): 24, "any private mail system".
constexpr auto kPorts = std::to_array<StandardPort>({{Protocol::Smtp, 25},
                                                     {Protocol::Submissions, 465},
                                                     {Protocol::Submission, 587},
                                                     {Protocol::Lmtp, 24},
                                                     {Protocol::Imap, 143},
                                                     {Protocol::Imaps, 993},
                                                     {Protocol::Pop3, 110},
                                                     {Protocol::Pop3s, 995},
                                                     {Protocol::Http, 80}});

Result<DevAccount> read_account(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) {
        return peer_error(ErrorCode::Invalid,
                          "--account: expected NAME:PASSWORD, found '" + std::string(text) + "'");
    }
    const std::string_view name = text.substr(0, colon);
    if (auto address = mail::parse_address(name, mail::Domainless::Allow); !address) {
        return std::unexpected(std::move(address.error()).within("--account " + std::string(name)));
    }
    return DevAccount{.name = std::string(name), .password = std::string(text.substr(colon + 1))};
}

/// "DOMAIN=discard", "DOMAIN=HOST:PORT".
Result<flow::RouteSettings> read_route(std::string_view text) {
    const auto wrong = [&](std::string_view why) {
        return peer_error(ErrorCode::Invalid,
                          "--route " + std::string(text) + ": " + std::string(why));
    };
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) {
        return wrong("expected DOMAIN=HOST:PORT or DOMAIN=discard");
    }
    flow::RouteSettings route;
    const std::string_view domain = text.substr(0, equals);
    const std::string_view to = text.substr(equals + 1);
    const std::string_view name = domain.starts_with("*.") ? domain.substr(2) : domain;
    if (domain != "*") {
        route.domain = std::string(domain.substr(0, domain.size() - name.size()));
        route.domain.append(TRY(mail::normalize_domain(name)));
    } else {
        route.domain = "*";
    }
    // On a developer's machine a route is an invitation: port 25 takes mail for its domain too.
    route.accepts_from_outside = true;
    if (to == "discard") {
        route.kind = flow::RouteSettings::Kind::Discard;
        return route;
    }
    const std::size_t colon = to.rfind(':');
    const auto port =
        colon == std::string_view::npos ? std::nullopt : parse_u32(to.substr(colon + 1));
    std::string_view host = to.substr(0, colon);
    if (!port || *port == 0 || *port > 65535 || host.empty()) {
        return wrong("expected HOST:PORT or discard behind '='");
    }
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    // No look-ups here: the one name that everybody uses is known.
    route.host = host == "localhost" ? "127.0.0.1" : std::string(host);
    route.port = static_cast<std::uint16_t>(*port);
    return route;
}

Result<std::uint16_t> read_base_port(const Invocation& call) {
    const std::string text = call.value_or("--base-port", "20000");
    const auto port = parse_u32(text);
    if (!port || *port == 0 || *port > 65535 - 995) {
        return peer_error(ErrorCode::Invalid,
                          "--base-port: expected a number from 1 to 64540, found '" + text + "'");
    }
    return static_cast<std::uint16_t>(*port);
}

std::string full_address(const DevPlan& plan, const DevAccount& account) {
    return account.name.find('@') != std::string::npos
               ? account.name
               : account.name + "@" + plan.settings.default_domain;
}

}  // namespace

Result<DevPlan> read_dev_options(const Invocation& call) {
    DevPlan plan;
    flow::Settings& settings = plan.settings;
    plan.base_port = TRY(read_base_port(call));
    settings.data_folder = call.value_or("--dir", kDefaultDevFolder);
    if (settings.data_folder.empty()) {
        return peer_error(ErrorCode::Invalid, "--dir: expected a folder, found ''");
    }
    const std::string domain = call.value_or("--domain", "example.test");
    auto normal = mail::normalize_domain(domain);
    if (!normal) {
        return std::unexpected(std::move(normal.error()).within("--domain " + domain));
    }
    settings.default_domain = *std::move(normal);
    settings.hostname = "mx." + settings.default_domain;
    settings.is_development = true;
    settings.allow_plaintext_login = true;
    for (const StandardPort& row : kPorts) {
        settings.listeners.push_back(
            {.protocol = row.protocol,
             .address = "127.0.0.1:" + std::to_string(plan.base_port + row.port)});
    }
    for (const std::string& text : call.values("--account")) {
        plan.accounts.push_back(TRY(read_account(text)));
    }
    if (plan.accounts.empty()) {
        plan.accounts = {{"alice", "alice"}, {"bob", "bob"}};
    }
    for (const std::string& text : call.values("--route")) {
        settings.routes.push_back(TRY(read_route(text)));
    }
    settings.resolver.is_off = !call.has("--resolver");
    if (const auto server = call.value("--resolver")) {
        if (auto endpoint = net::Endpoint::parse(*server); !endpoint || endpoint->is_unix()) {
            return peer_error(ErrorCode::Invalid,
                              "--resolver: expected IP:PORT, found '" + *server + "'");
        }
        settings.resolver.forward_to.push_back(*server);
        // It answers for names of a test, which no key vouches for.
        settings.resolver.dnssec = flow::ResolverSettings::Dnssec::Off;
    }
    return plan;
}

std::string describe_dev(const DevPlan& plan, const std::string& ca_file) {
    const auto port = [&](unsigned standard) { return std::to_string(plan.base_port + standard); };
    std::string out = "ports     ";
    for (const StandardPort& row : kPorts) {
        out.append(std::string(to_string(row.protocol)) + " " + port(row.port) + "  ");
    }
    out.append("(127.0.0.1)\n");
    for (const DevAccount& account : plan.accounts) {
        out.append("account   " + full_address(plan, account) + "   password " + account.password +
                   "\n");
    }
    const DevAccount& first = plan.accounts.front();
    const std::string address = full_address(plan, first);
    out.append("folder    " + plan.settings.data_folder + "\nCA file   " + ca_file + "\n\n");
    out.append("swaks --server 127.0.0.1:" + port(587) + " --tls --auth-user " + first.name +
               " --auth-password " + first.password + " --from " + address + " --to " + address +
               "\n");
    out.append("curl --cacert " + ca_file + " --user " + first.name + ":" + first.password +
               " 'imaps://localhost:" + port(993) + "/INBOX;MAILINDEX=*'\n");
    // Not in the URL: neomutt takes passwords out of it and asks.
    out.append("mutt -e 'set ssl_ca_certificates_file=" + ca_file + " imap_pass=" + first.password +
               "' -f imaps://" + first.name + "@localhost:" + port(993) + "/INBOX\n");
    return out;
}

}  // namespace godwit::app
