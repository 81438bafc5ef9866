// The whole check of a configuration.
#include "app/config_check.h"

#include <set>

#include "mail/address/address.h"
#include "mail/address/domain.h"
#include "net/io/endpoint.h"
#include "net/tls/context.h"

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
        check_certificates();
        check_routes();
        check_resolver();
        check_forwarding();
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
        check_archive("archive.inbound", settings_.archive.inbound);
        check_archive("archive.outbound", settings_.archive.outbound);
    }
    void check_archive(const std::string& path, const std::string& value) {
        const auto address = mail::parse_address(value);
        if (!value.empty() && !address) {
            problem(path, address.error().text);
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
            } else if (!seen.insert(endpoint->to_string()).second) {
                problem(path + ".address", "is listened on twice: " + endpoint->to_string());
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
            check_route_domain(path + ".domain", route.domain);
            if (!seen.insert(route.domain).second) {
                problem(path + ".domain", "has two routes: \"" + route.domain + "\"");
            }
            const bool goes_out =
                route.kind == RouteSettings::Kind::Smtp || route.kind == RouteSettings::Kind::Lmtp;
            if (goes_out) {
                check_route_host(path + ".host", route.host);
            } else if (!route.host.empty()) {
                problem(path + ".host", "has no meaning for this kind of route");
            }
            if (route.domain == "*" && route.accepts_from_outside && !settings_.is_development) {
                problem(path + ".accepts_from_outside",
                        "must not be set for \"*\": that would be an open relay");
            }
            if (route.username.empty() != route.password.empty()) {
                problem(path + ".username", "username and password belong together");
            }
            const bool is_private = route.tls == RouteSettings::Tls::Required ||
                                    route.tls == RouteSettings::Tls::Implicit;
            if (!route.username.empty() && !is_private) {
                problem(path + ".tls",
                        "must be \"required\" or \"implicit\" where a password is sent");
            }
        }
    }

    void check_route_domain(const std::string& path, std::string_view domain) {
        const std::string_view name = domain.starts_with("*.") ? domain.substr(2) : domain;
        if (domain == "*") {
            return;
        }
        if (auto normal = mail::normalize_domain(name); !normal) {
            problem(path, domain.empty() ? "is missing" : normal.error().text);
        }
    }

    void check_route_host(const std::string& path, std::string_view host) {
        if (host.empty()) {
            problem(path, "is missing");
        } else if (!mail::is_ipv4(host) && !mail::is_ipv6(host) && !mail::normalize_domain(host)) {
            problem(path, "expected a host name or address, found \"" + std::string(host) + "\"");
        }
    }

    void check_resolver() {
        for (const std::string& server : settings_.resolver.forward_to) {
            if (auto endpoint = net::Endpoint::parse(server); !endpoint || endpoint->is_unix()) {
                problem("resolver.forward_to",
                        "expected \"address:port\", found \"" + server + "\"");
            }
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
