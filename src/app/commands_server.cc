// godwit serve, dev, init.
#include <sys/stat.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "app/admin_client.h"
#include "app/commands.h"
#include "app/config_check.h"
#include "app/descriptors.h"
#include "app/dev.h"
#include "app/file.h"
#include "app/house.h"
#include "app/json_text.h"
#include "app/places.h"
#include "base/log.h"
#include "mail/address/domain.h"
#include "net/tls/certificate_maker.h"
#include "store/directory/directory.h"
#include "store/store.h"

namespace godwit::app {
namespace {

/// One call on a store of our own.
Result<JsonValue> ask(const serve::AdminHost& host, std::string_view name,
                      std::vector<std::pair<std::string_view, std::string>> arguments) {
    JsonWriter json;
    json.begin_object().field("call", name).key("arguments").begin_object();
    for (const auto& [field, value] : arguments) {
        value == "true" ? json.field(field, true) : json.field(field, value);
    }
    json.end_object().end_object();
    return read_admin_answer(serve::answer_admin(host, json.view()));
}

/// Nothing when it is there already.
Result<> ensure(const serve::AdminHost& host, std::string_view name,
                std::vector<std::pair<std::string_view, std::string>> arguments) {
    const auto done = ask(host, name, std::move(arguments));
    if (!done && done.error().code != ErrorCode::AlreadyExists) {
        return std::unexpected(done.error());
    }
    return {};
}

/// Domain and accounts of dev mode; those of a former start stay.
Result<> furnish(House& house, const DevPlan& plan) {
    const serve::AdminHost host = make_admin_host(&house.store(), plan.settings);
    TRY(ensure(host, "domain.add", {{"domain", plan.settings.default_domain}}));
    for (const DevAccount& account : plan.accounts) {
        const auto found = TRY(store::find_account(*house.store().snapshot(), store::ReadTier::Disk,
                                                   account.name, plan.settings.default_domain));
        if (found) {
            continue;
        }
        if (const std::size_t at = account.name.find('@'); at != std::string::npos) {
            TRY(ensure(host, "domain.add", {{"domain", account.name.substr(at + 1)}}));
        }
        TRY(ensure(host, "account.add",
                   {{"address", account.name}, {"password", account.password}}));
    }
    return {};
}

Result<int> run_dev_house(const Invocation& call, DevPlan plan) {
    flow::Settings& settings = plan.settings;
    // Absolute, so that the lines to paste work anywhere.
    std::error_code code;
    const auto absolute = std::filesystem::absolute(settings.data_folder, code);
    settings.data_folder = code ? settings.data_folder : absolute.lexically_normal().string();
    TRY(make_folder(settings.data_folder, 0711));
    const std::string tls_folder = join_path(settings.data_folder, "tls");
    TRY(make_folder(tls_folder, 0755));
    const net::DevCertificate certificate = TRY(net::make_dev_certificate(
        tls_folder, {settings.hostname, settings.default_domain, "localhost", "127.0.0.1", "::1"},
        system_clock().wall()));
    settings.certificates.push_back({certificate.cert_file, certificate.key_file});
    settings.ca_file = certificate.ca_file;
    auto house = TRY(House::build({.settings = std::make_shared<const flow::Settings>(settings),
                                   .reread = {},
                                   .may_make = true}));
    TRY(furnish(*house, plan));
    return run_house(*house, [&] {
        call.console().out(describe_dev(plan, certificate.ca_file));
        call.console().out("godwit ready\n");
    });
}

/// The settings of a configuration file that holds as a whole.
Result<flow::Settings> read_settings(const Invocation& call) {
    Config config = find_config(call);
    if (config.problems.empty()) {
        check_config(config);
    }
    if (!config.problems.empty()) {
        std::string text = show_problems(config);
        text.pop_back();
        return peer_error(ErrorCode::Invalid, std::move(text));
    }
    return std::move(config.settings);
}

struct InitPlaces {
    std::string config;
    std::string tls;
    std::string data;
};

InitPlaces init_places(const Invocation& call) {
    const auto dir = call.value("--dir");
    if (!dir) {
        return {std::string(kDefaultConfig), "/etc/godwit/tls", flow::Settings{}.data_folder};
    }
    std::error_code code;
    const std::string root = std::filesystem::absolute(*dir, code).lexically_normal().string();
    return {join_path(root, "godwit.toml"), join_path(root, "tls"), join_path(root, "data")};
}

std::string toml_text(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

std::string first_config(const flow::Settings& settings) {
    std::string out =
        "# Godwit's configuration, made by `godwit init`. All keys: `godwit config reference`.\n";
    out.append("hostname = " + toml_text(settings.hostname) + "\n");
    out.append("default_domain = " + toml_text(settings.default_domain) + "\n");
    out.append("data_folder = " + toml_text(settings.data_folder) + "\n");
    out.append(
        "\n# Self-signed to begin with: put a real one in its place, then `godwit reload`.\n");
    out.append("[[certificate]]\ncertificate_file = " +
               toml_text(settings.certificates[0].certificate_file) +
               "\nkey_file = " + toml_text(settings.certificates[0].key_file) + "\n");
    for (const flow::ListenerSettings& listener : settings.listeners) {
        out.append("\n[[listener]]\nprotocol = " + toml_text(to_string(listener.protocol)) +
                   "\naddress = " + toml_text(listener.address) + "\n");
    }
    return out;
}

Result<flow::Settings> first_settings(const Invocation& call, const InitPlaces& places) {
    using flow::Protocol;
    flow::Settings settings;
    settings.hostname = call.value_or("--hostname", "");
    settings.default_domain = call.value_or("--domain", "");
    settings.data_folder = places.data;
    settings.certificates.push_back(
        {join_path(places.tls, "cert.pem"), join_path(places.tls, "key.pem")});
    for (const auto& [protocol, port] :
         std::vector<std::pair<Protocol, int>>{{Protocol::Smtp, 25},
                                               {Protocol::Submission, 587},
                                               {Protocol::Submissions, 465},
                                               {Protocol::Imap, 143},
                                               {Protocol::Imaps, 993},
                                               {Protocol::Pop3, 110},
                                               {Protocol::Pop3s, 995}}) {
        settings.listeners.push_back(
            {.protocol = protocol, .address = "[::]:" + std::to_string(port)});
    }
    return settings;
}

Result<> write_certificate(const flow::Settings& settings) {
    const auto certificate = TRY(
        net::make_self_signed({settings.hostname}, system_clock().wall(), std::chrono::days(365)));
    TRY(write_file(settings.certificates[0].certificate_file, certificate.chain_pem, 0644));
    return write_file(settings.certificates[0].key_file, certificate.key_pem, 0600);
}

/// Root on another user's folder would leave files there that the user's own server cannot open.
Result<> check_owner(const std::string& folder) {
    struct stat facts{};
    if (::geteuid() != 0 || ::stat(folder.c_str(), &facts) != 0 || facts.st_uid == 0) {
        return {};
    }
    const passwd* owner = ::getpwuid(facts.st_uid);
    return peer_error(ErrorCode::Denied,
                      folder + " belongs to the user " +
                          (owner != nullptr ? owner->pw_name : std::to_string(facts.st_uid)) +
                          ": start the server as that user, not as root");
}

/// Before anything is made: a wrong name must not leave half a server behind.
Result<> check_full_name(const Invocation& call, std::string_view option) {
    const std::string name = call.value_or(option, "");
    const auto normal = mail::normalize_domain(name);
    if (!normal || normal->find('.') == std::string::npos) {
        return peer_error(ErrorCode::Invalid, std::string(option) +
                                                  ": expected a full domain name such as " +
                                                  "mx.example.org, found '" + name + "'");
    }
    return {};
}

/// Lines to paste; the last word of each comment is for whoever reads them.
std::string next_steps(const Invocation& call, const flow::Settings& settings,
                       const InitPlaces& places) {
    const std::string serve = "  godwit serve --config " + places.config;
    const std::string account = "  godwit account add NAME@" + settings.default_domain +
                                " --generate" +
                                (call.has("--dir") ? " --dir " + *call.value("--dir") : "");
    const std::size_t width = std::max(serve.size(), account.size()) + 3;
    const auto line = [&](std::string text, std::string_view comment) {
        text.append(width - text.size(), ' ');
        return text.append("# ").append(comment).append("\n");
    };
    return "\nnext:\n" + line(serve, "as a user that may bind ports below 1024; or change them") +
           line(account, "while it runs; prints the password it made");
}

Result<> run_init_steps(const Invocation& call) {
    const InitPlaces places = init_places(call);
    if (file_exists(places.config)) {
        return peer_error(ErrorCode::AlreadyExists, places.config + " is there already");
    }
    TRY(check_full_name(call, "--hostname"));
    TRY(check_full_name(call, "--domain"));
    flow::Settings settings = TRY(first_settings(call, places));
    TRY(make_folder(std::filesystem::path(places.config).parent_path().string(), 0755));
    TRY(make_folder(places.tls, 0755));
    TRY(make_folder(places.data, 0711));
    TRY(write_certificate(settings));
    const std::string text = first_config(settings);
    Config config = parse_config(text, places.config);
    check_config(config);
    if (!config.problems.empty()) {
        return peer_error(ErrorCode::Invalid, show_problems(config));
    }
    std::string password;
    {
        const auto store =
            TRY(open_store(settings, {.on_fatal = {}, .descriptors = {}, .may_make = true}));
        const serve::AdminHost host = make_admin_host(store.get(), settings);
        TRY(ensure(host, "domain.add", {{"domain", settings.default_domain}}));
        const auto account =
            ask(host, "account.add",
                {{"address", "postmaster@" + settings.default_domain}, {"generate", "true"}});
        if (account) {
            password = account->string_or("password", "");
        } else if (account.error().code != ErrorCode::AlreadyExists) {
            return std::unexpected(account.error());
        }
    }
    // Last, so that a half-made folder is not taken for a whole one.
    // Not for everybody: routes may hold passwords.
    TRY(write_file(places.config, text, 0640));
    const auto& out = call.console().out;
    out("configuration  " + places.config + "\ndata           " + places.data +
        "\ncertificate    " + settings.certificates[0].certificate_file + " (self-signed)\n");
    if (!password.empty()) {
        out("account        postmaster@" + settings.default_domain + "\npassword       " +
            password + "   (shown only now)\n");
    }
    out(next_steps(call, settings, places));
    return {};
}

/// For a configuration that is there already: the package's, a container's.
Result<> make_store(const Invocation& call) {
    const flow::Settings settings = TRY(read_settings(call));
    TRY(make_folder(settings.data_folder, 0711));
    TRY(become_owner(settings.data_folder));
    const auto found = open_store(settings);
    if (found) {
        return peer_error(ErrorCode::AlreadyExists, settings.data_folder + " has a store already");
    }
    if (found.error().code != ErrorCode::NotFound) {
        return std::unexpected(found.error());
    }
    TRY(open_store(settings, {.on_fatal = {}, .descriptors = {}, .may_make = true}));
    call.console().out("data           " + settings.data_folder + "\n");
    return {};
}

}  // namespace

int run_init_store(const Invocation& call) {
    const auto done = make_store(call);
    return done ? static_cast<int>(kExitDone) : call.fail(done.error());
}

int run_serve(const Invocation& call) {
    auto settings = read_settings(call);
    if (!settings) {
        call.console().err(settings.error().text + "\n");
        return kExitRefused;
    }
    if (auto fits = check_owner(settings->data_folder); !fits) {
        return call.fail(fits.error());
    }
    block_signals();
    raise_descriptor_limit();
    // `call` lives as long as the house: both end with this function.
    auto house =
        House::build({.settings = std::make_shared<const flow::Settings>(*std::move(settings)),
                      .reread = [&call] { return read_settings(call); },
                      .may_make = false});
    if (!house) {
        const int code = call.fail(house.error());
        return house.error().code == ErrorCode::NotFound ? kExitNoStore : code;
    }
    const auto code = run_house(**house, [] {});
    return code ? *code : call.fail(code.error());
}

int run_dev(const Invocation& call) {
    auto plan = read_dev_options(call);
    if (!plan) {
        return call.fail_usage(plan.error().text);
    }
    if (auto fits = check_owner(plan->settings.data_folder); !fits) {
        return call.fail(fits.error());
    }
    block_signals();
    raise_descriptor_limit();
    const auto code = run_dev_house(call, *std::move(plan));
    return code ? *code : call.fail(code.error());
}

int run_init(const Invocation& call) {
    const auto done = run_init_steps(call);
    if (!done && done.error().code == ErrorCode::Invalid) {
        return call.fail_usage(done.error().text);
    }
    return done ? static_cast<int>(kExitDone) : call.fail(done.error());
}

}  // namespace godwit::app
