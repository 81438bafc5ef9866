// The whole check of a configuration.
#include "app/config_check.h"

#include <set>

#include "app/config_oauth.h"
#include "base/ascii.h"
#include "base/encoding.h"
#include "flow/outbound/route.h"
#include "flow/policy/domain_pattern.h"
#include "flow/policy/networks.h"
#include "flow/policy/relay_domains.h"
#include "mail/address/address.h"
#include "mail/address/domain.h"
#include "net/io/endpoint.h"
#include "net/tls/context.h"
#include "wire/smtp/extension.h"

namespace godwit::app {
namespace {

using flow::Protocol;
using flow::RouteSettings;

class Check {
public:
    explicit Check(Config& config) : config_(config), settings_(config.settings) {}

    void run() {
        check_names();
        check_listeners();
        check_trust();
        check_inbound();
        check_certificates();
        check_routes();
        check_relay_domains();
        check_egress();
        check_outbound();
        check_providers();
        check_resolver();
        check_tls();
        check_forwarding();
        check_oauth();
        if (settings_.storage.disk_critical_mib > settings_.storage.disk_low_mib) {
            problem("storage.disk_critical", "must not be more than storage.disk_low");
        }
        if (settings_.retry.delay_notice_after > settings_.retry.lifetime) {
            problem("retry.delay_notice_after", "must not be more than retry.lifetime");
        }
        if (!settings_.data_folder.starts_with('/') && !settings_.is_development) {
            problem("data_folder",
                    "must be an absolute path, found \"" + settings_.data_folder + "\"");
        }
    }

private:
    void problem(const std::string& path, std::string_view text) {
        const std::string_view key = std::string_view(path).substr(path.find('.') + 1);
        const bool in_row = path.find('[') != std::string::npos;
        config_.problems.push_back(
            {line_of(path), "'" + (in_row ? std::string(key) : path) + "': " + std::string(text)});
    }

    /// Of the key, or else of the [[table]] it is missing from.
    std::uint32_t line_of(const std::string& path) const {
        const Origin own = config_.origin(path);
        if (own.kind != OriginKind::Default || path.find('[') == std::string::npos) {
            return own.line;
        }
        return config_.origin(path.substr(0, path.find('.'))).line;
    }

    void check_domain(const std::string& path, std::string_view value) {
        auto normal = mail::normalize_domain(value);
        if (value.empty()) {
            problem(path, "is missing");
        } else if (!normal) {
            problem(path, normal.error().text);
        } else if (normal->find('.') == std::string::npos && !settings_.is_development) {
            problem(path, "expected a full domain name such as \"mx.example.org\", found \"" +
                              std::string(value) + "\"");
        }
    }

    void check_names() {
        check_domain("hostname", settings_.hostname);
        check_domain("default_domain", settings_.default_domain);
    }

    void check_forwarding() {
        if (!settings_.forwarding.srs_domain.empty()) {
            check_domain("forwarding.srs_domain", settings_.forwarding.srs_domain);
        }
        check_mailbox("archive.inbound", settings_.archive.inbound);
        check_mailbox("archive.outbound", settings_.archive.outbound);
        check_mailbox("tls_reports.contact", settings_.tls_reports.contact);
        check_mailbox("tls_reports.from", settings_.tls_reports.from);
    }
    void check_mailbox(const std::string& path, const std::string& value) {
        const auto address = mail::parse_address(value);
        if (!value.empty() && !address) {
            problem(path, address.error().text);
        }
    }

    void check_networks(const std::string& path, const std::vector<std::string>& networks) {
        for (const std::string& network : networks) {
            if (auto parsed = flow::parse_network(network); !parsed) {
                problem(path, parsed.error().text);
            }
        }
    }
    void check_trust() {
        check_networks("trust.answer", settings_.trust.answer);
        check_networks("trust.xclient", settings_.trust.xclient);
        check_networks("trust.xforward", settings_.trust.xforward);
        check_networks("trust.proxy", settings_.trust.proxy);
    }

    void check_inbound() {
        std::string all;
        for (const std::string& keyword : settings_.inbound.refused_solicitation) {
            all += (all.empty() ? "" : ",") + keyword;
            const auto parsed = smtp::parse_solicitation(keyword);
            if (!parsed || parsed->size() != 1) {
                problem("inbound.refused_solicitation",
                        "\"" + keyword + "\" is no keyword such as \"net.example:ADV\"");
            }
        }
        if (all.size() > smtp::solicitation_size_max) {
            problem("inbound.refused_solicitation",
                    "must not be more than " + std::to_string(smtp::solicitation_size_max) +
                        " octets with commas between");
        }
    }

    void check_listeners() {
        std::set<std::string> seen;
        bool needs_certificate = false;
        for (std::size_t i = 0; i < settings_.listeners.size(); ++i) {
            const flow::ListenerSettings& listener = settings_.listeners[i];
            const std::string path = "listener[" + std::to_string(i) + "]";
            if (config_.origin(path).kind == OriginKind::File &&
                config_.origin(path + ".protocol").kind == OriginKind::Default) {
                problem(path + ".protocol", "is missing");
            }
            if (auto endpoint = net::Endpoint::parse(listener.address); !endpoint) {
                problem(path + ".address",
                        listener.address.empty() ? "is missing" : endpoint.error().text);
            } else if (listener.proxy && endpoint->is_unix()) {
                problem(path + ".proxy", "is only possible with an IP address");
            } else if (listener.proxy && settings_.trust.proxy.empty()) {
                problem(path + ".proxy", "needs trust.proxy: nobody could connect");
            } else if (!seen.insert(endpoint->to_string()).second) {
                problem(path + ".address", "is listened on twice: " + endpoint->to_string());
            }
            check_client_cas(path + ".client_ca_files", listener);
            if (!listener.takes_mail && listener.protocol != Protocol::Smtp) {
                problem(path + ".takes_mail", "is only for the protocol smtp");
            }
            needs_certificate =
                needs_certificate || listener.protocol == Protocol::Submission ||
                listener.protocol == Protocol::Submissions || listener.protocol == Protocol::Imap ||
                listener.protocol == Protocol::Imaps || listener.protocol == Protocol::Pop3 ||
                listener.protocol == Protocol::Pop3s;
        }
        if (settings_.listeners.empty()) {
            config_.problems.push_back(
                {0, "there is no [[listener]]: nothing would be listened on"});
        }
        if (needs_certificate && settings_.certificates.empty()) {
            config_.problems.push_back(
                {0, "there is no [[certificate]], and logins are only taken over TLS"});
        }
    }

    void check_client_cas(const std::string& path, const flow::ListenerSettings& listener) {
        if (listener.client_ca_files.empty()) {
            return;
        }
        if (listener.protocol == Protocol::Smtp || listener.protocol == Protocol::Lmtp ||
            listener.protocol == Protocol::Http) {
            problem(path, "nobody logs in there");
        }
        const net::TlsCertificates none;
        for (const std::string& file : listener.client_ca_files) {
            auto pem = net::read_pem_file(file);
            if (!pem) {
                problem(path, pem.error().text);
            } else if (auto fits = net::TlsServerContext::create(
                           &none, {.service = "check", .alpn = {}, .client_ca_pem = *pem + "\n"});
                       !fits) {
                problem(path, file + ": " + fits.error().text);
            }
        }
    }

    void check_oauth() {
        for (const OauthProblem& found : oauth_problems(settings_)) {
            problem("oauth[" + std::to_string(found.row) + "]." + found.key, found.text);
        }
    }

    void check_certificates() {
        for (std::size_t i = 0; i < settings_.certificates.size(); ++i) {
            const flow::CertificateSettings& row = settings_.certificates[i];
            const std::string path = "certificate[" + std::to_string(i) + "]";
            if (row.certificate_file.empty() || row.key_file.empty()) {
                problem(path + (row.key_file.empty() ? ".key_file" : ".certificate_file"),
                        "is missing");
                continue;
            }
            auto certificate = net::read_tls_certificate(row.certificate_file, row.key_file);
            if (!certificate) {
                problem(path + ".certificate_file", certificate.error().text);
                continue;
            }
            net::TlsCertificates probe;
            if (auto fits = probe.replace({*certificate}); !fits) {
                problem(path + ".certificate_file", fits.error().text);
            }
        }
    }

    void check_routes() {
        std::set<std::string> seen;
        for (std::size_t i = 0; i < settings_.routes.size(); ++i) {
            const RouteSettings& route = settings_.routes[i];
            const std::string path = "route[" + std::to_string(i) + "]";
            check_route_match(path, route);
            const std::string match = route.domain + "\n" + route.recipient + "\n" + route.sender;
            if (!seen.insert(match).second) {
                const bool is_domain = route.recipient.empty() && route.sender.empty();
                problem(path + ".domain",
                        is_domain
                            ? "has two routes: \"" + route.domain + "\""
                            : std::string("has two routes for the same recipient and sender"));
            }
            const bool goes_out =
                route.kind == RouteSettings::Kind::Smtp || route.kind == RouteSettings::Kind::Lmtp;
            if (goes_out) {
                check_route_host(path, route);
                check_fallback(path + ".fallback", route.fallback);
            } else if (!route.host.empty() || !route.fallback.empty()) {
                problem(path + (route.host.empty() ? ".fallback" : ".host"),
                        "has no meaning for this kind of route");
            }
            check_route_login(path, route);
            check_route_egress(path, route);
        }
    }

    void check_relay_domains() {
        std::set<std::string> seen;
        for (std::size_t i = 0; i < settings_.relay_domains.size(); ++i) {
            const flow::RelayDomainSettings& relay = settings_.relay_domains[i];
            const std::string path = "relay_domain[" + std::to_string(i) + "]";
            if (relay.domain == "*") {
                problem(path + ".domain", "must not be \"*\": that would be an open relay");
            } else {
                check_pattern(path + ".domain", relay.domain, "*");
            }
            if (!seen.insert(to_lower(relay.domain)).second) {
                problem(path + ".domain", "is there twice: \"" + relay.domain + "\"");
            }
            check_networks(path + ".networks", relay.networks);
            if (relay.verify && relay.hold) {
                problem(path + ".verify", "does not go with hold: its server is not always there");
            }
            if (relay.queue.find_first_of(" \t") != std::string::npos ||
                relay.queue.size() > limits::domain_size_max) {
                problem(path + ".queue", "expected a word, found \"" + relay.queue + "\"");
            }
            if (relay.recipients.size() > flow::relay_recipients_max) {
                problem(path + ".recipients",
                        "has more than " + std::to_string(flow::relay_recipients_max));
            }
            for (const std::string& recipient : relay.recipients) {
                const auto address = mail::parse_address(recipient);
                if (!address || flow::domain_fitness(relay.domain, address->domain) == 0) {
                    problem(path + ".recipients", "expected addresses of " + relay.domain +
                                                      ", found \"" + recipient + "\"");
                }
            }
        }
    }

    void check_route_match(const std::string& path, const RouteSettings& route) {
        const bool is_open = !route.recipient.empty() || !route.sender.empty();
        if (!route.domain.empty() || !is_open) {
            check_pattern(path + ".domain", route.domain, "*");
        }
        if (!route.recipient.empty() && !route.domain.empty()) {
            problem(path + ".recipient", "takes the place of domain: give one of them");
        }
        if (!route.recipient.empty() && !mail::parse_address(route.recipient)) {
            problem(path + ".recipient", "expected an address, found \"" + route.recipient + "\"");
        }
        if (route.sender.find('@') != std::string::npos) {
            if (!mail::parse_address(route.sender)) {
                problem(path + ".sender", "expected an address, found \"" + route.sender + "\"");
            }
        } else if (!route.sender.empty()) {
            check_pattern(path + ".sender", route.sender, "<>");
        }
        if (route.accepts_from_outside && is_open) {
            problem(path + ".accepts_from_outside", "is only possible with a domain alone");
        }
        if (route.domain == "*" && route.accepts_from_outside && !settings_.is_development) {
            problem(path + ".accepts_from_outside",
                    "must not be set for \"*\": that would be an open relay");
        }
    }

    void check_route_login(const std::string& path, const RouteSettings& route) {
        if (!route.password.empty() && !route.token_file.empty()) {
            problem(path + ".token_file", "must not stand beside a password");
        }
        if (route.username.empty() != (route.password.empty() && route.token_file.empty())) {
            problem(path + ".username", "username and password (or token_file) belong together");
        }
        if (!route.token_file.empty() && !route.token_file.starts_with('/')) {
            problem(path + ".token_file", "must be an absolute path");
        }
        const bool is_private =
            route.tls == RouteSettings::Tls::Required || route.tls == RouteSettings::Tls::Implicit;
        if (!route.username.empty() && !is_private) {
            problem(path + ".tls", "must be \"required\" or \"implicit\" where a password is sent");
        }
        if (!route.username.empty() && route.host.empty()) {
            problem(path + ".username", "would be sent to the servers of every domain: set host");
        }
    }

    void check_route_egress(const std::string& path, const RouteSettings& route) {
        for (const std::string& name : route.egress) {
            const auto found =
                std::ranges::find(settings_.egress, name, &flow::EgressSettings::name);
            if (found == settings_.egress.end()) {
                problem(path + ".egress", "there is no [[egress]] \"" + name + "\"");
            } else if ((route.families == flow::Families::Ipv4 && found->ipv4.empty() &&
                        !found->ipv6.empty()) ||
                       (route.families == flow::Families::Ipv6 && found->ipv6.empty() &&
                        !found->ipv4.empty())) {
                problem(path + ".families", "leaves no address of [[egress]] \"" + name + "\"");
            }
        }
    }

    /// "x", "*.x" or the word `also`.
    void check_pattern(const std::string& path, std::string_view pattern, std::string_view also) {
        const std::string_view name = pattern.starts_with("*.") ? pattern.substr(2) : pattern;
        if (pattern == also) {
            return;
        }
        if (auto normal = mail::normalize_domain(name); !normal) {
            problem(path, pattern.empty() ? "is missing" : normal.error().text);
        }
    }

    void check_route_host(const std::string& path, const RouteSettings& route) {
        const std::string& host = route.host;
        const bool is_literal = mail::is_ipv4(host) || mail::is_ipv6(host);
        const bool is_unix = host.starts_with("unix:");
        const bool is_looked_up = route.lookup != RouteSettings::Lookup::Address;
        if (host.empty()) {
            if (route.lookup != RouteSettings::Lookup::Mx) {
                problem(path + ".host", "is missing");
            }
        } else if (is_unix) {
            if (route.kind != RouteSettings::Kind::Lmtp || !host.starts_with("unix:/")) {
                problem(path + ".host", "a socket is \"unix:/path\", and for kind \"lmtp\" alone");
            }
        } else if (!is_literal && !mail::normalize_domain(host)) {
            problem(path + ".host", "expected a host name or address, found \"" + host + "\"");
        }
        if (is_looked_up && (is_literal || is_unix)) {
            problem(path + ".lookup", "an address is not looked up");
        }
        if (route.lookup == RouteSettings::Lookup::Mx && route.kind == RouteSettings::Kind::Lmtp) {
            problem(path + ".lookup", "MX names SMTP servers, not LMTP ones");
        }
        if (route.lookup == RouteSettings::Lookup::Srv &&
            config_.origin(path + ".port").kind != OriginKind::Default) {
            problem(path + ".port", "comes with the SRV records");
        }
        if (is_looked_up && settings_.resolver.is_off) {
            problem(path + ".lookup", "needs DNS, and resolver.off is set");
        }
    }

    void check_fallback(const std::string& path, const std::vector<std::string>& hosts) {
        for (const std::string& host : hosts) {
            if (!flow::parse_host_port(host, 25)) {
                problem(path, "expected \"host\" or \"host:port\", found \"" + host + "\"");
            }
        }
    }

    void check_egress() {
        std::set<std::string> seen;
        for (std::size_t i = 0; i < settings_.egress.size(); ++i) {
            const flow::EgressSettings& egress = settings_.egress[i];
            const std::string path = "egress[" + std::to_string(i) + "]";
            if (egress.name.empty()) {
                problem(path + ".name", "is missing");
            } else if (!seen.insert(egress.name).second) {
                problem(path + ".name", "is there twice: \"" + egress.name + "\"");
            }
            if (!egress.ipv4.empty() && !mail::is_ipv4(egress.ipv4)) {
                problem(path + ".ipv4", "expected an IPv4 address, found \"" + egress.ipv4 + "\"");
            }
            if (!egress.ipv6.empty() && !mail::is_ipv6(egress.ipv6)) {
                problem(path + ".ipv6", "expected an IPv6 address, found \"" + egress.ipv6 + "\"");
            }
            if (!egress.hello.empty()) {
                check_domain(path + ".hello", egress.hello);
            }
            if (egress.ipv4.empty() && egress.ipv6.empty() && egress.hello.empty()) {
                problem(path + ".name", "says neither an address nor a hello name");
            }
            for (const std::string& domain : egress.sender_domains) {
                check_pattern(path + ".sender_domains", domain, "");
            }
        }
    }

    void check_providers() {
        std::set<std::string> seen;
        for (std::size_t i = 0; i < settings_.providers.size(); ++i) {
            const flow::ProviderSettings& provider = settings_.providers[i];
            const std::string path = "provider[" + std::to_string(i) + "]";
            if (provider.name.empty()) {
                problem(path + ".name", "is missing");
            } else if (!seen.insert(provider.name).second) {
                problem(path + ".name", "is there twice: \"" + provider.name + "\"");
            }
            if (provider.mx.empty()) {
                problem(path + ".mx", "is missing");
            }
            for (const std::string& name : provider.mx) {
                if (!mail::normalize_domain(name)) {
                    problem(path + ".mx", "expected a host name, found \"" + name + "\"");
                }
            }
        }
    }

    void check_outbound() {
        check_fallback("outbound.fallback", settings_.outbound.fallback);
        for (const std::string& address : settings_.outbound.own_addresses) {
            if (!mail::is_ipv4(address) && !mail::is_ipv6(address)) {
                problem("outbound.own_addresses",
                        "expected an IP address, found \"" + address + "\"");
            }
        }
    }

    void check_resolver() {
        for (const std::string& server : settings_.resolver.forward_to) {
            if (auto endpoint = net::Endpoint::parse(server); !endpoint || endpoint->is_unix()) {
                problem("resolver.forward_to",
                        "expected \"address:port\", found \"" + server + "\"");
            }
        }
        if (settings_.resolver.is_recursive && !settings_.resolver.forward_to.empty()) {
            problem("resolver.recursive", "has no meaning together with resolver.forward_to");
        }
        for (std::size_t i = 0; i < settings_.zones.size(); ++i) {
            check_zone("zone[" + std::to_string(i) + "]", settings_.zones[i]);
        }
    }

    void check_zone(const std::string& path, const flow::ZoneSettings& zone) {
        if (!mail::normalize_domain(zone.domain)) {
            problem(path + ".domain", "expected a domain, found \"" + zone.domain + "\"");
        }
        if (zone.servers.empty()) {
            problem(path + ".servers", "is missing");
        }
        for (const std::string& server : zone.servers) {
            check_address(path + ".servers", server);
        }
    }

    void check_address(const std::string& path, const std::string& text) {
        if (auto endpoint = net::Endpoint::parse(text); !endpoint || endpoint->is_unix()) {
            problem(path, "expected \"address:port\", found \"" + text + "\"");
        }
    }

    void check_tls() {
        std::set<std::string> seen;
        for (std::size_t i = 0; i < settings_.tls_policies.size(); ++i) {
            const flow::TlsPolicySettings& policy = settings_.tls_policies[i];
            const std::string path = "tls_policy[" + std::to_string(i) + "]";
            check_pattern(path + ".domain", policy.domain, "*");
            if (!seen.insert(policy.domain).second) {
                problem(path + ".domain", "has two policies: \"" + policy.domain + "\"");
            }
            const bool is_by_fingerprint =
                policy.mode == flow::TlsPolicySettings::Mode::Fingerprint;
            if (is_by_fingerprint == policy.fingerprints.empty()) {
                problem(path + ".fingerprints",
                        is_by_fingerprint ? "is missing" : "has no meaning for this mode");
            }
            for (const std::string& print : policy.fingerprints) {
                if (const auto octets = hex_decode(print); !octets || octets->size() != 32) {
                    problem(path + ".fingerprints",
                            "expected 64 hexadecimal digits, found \"" + print + "\"");
                }
            }
        }
        for (std::size_t i = 0; i < settings_.web_hosts.size(); ++i) {
            const std::string path = "web_host[" + std::to_string(i) + "]";
            const std::string& host = settings_.web_hosts[i].host;
            if (!mail::normalize_domain(host)) {
                problem(path + ".host", "expected a host name, found \"" + host + "\"");
            }
            check_address(path + ".address", settings_.web_hosts[i].address);
        }
    }

    Config& config_;
    const flow::Settings& settings_;
};

}  // namespace

void check_config(Config& config) {
    Check(config).run();
}

}  // namespace godwit::app
