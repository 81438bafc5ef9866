// godwit import imap: pulls an account's mail from another server, several folders at once. What
// was taken is told by UIDVALIDITY and UID, so that a run goes on where an earlier one, or a
// connection that broke, ended.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include "app/commands.h"
#include "app/file.h"
#include "app/imap_source.h"
#include "app/import_desk.h"
#include "app/import_options.h"
#include "base/ascii.h"
#include "base/encoding.h"
#include "base/limits.h"
#include "net/io/endpoint.h"

namespace godwit::app {
namespace {

constexpr std::uint32_t kFactsAtOnce = 400;
constexpr std::size_t kBodiesAtOnce = 64;
constexpr std::uint64_t kBodyOctetsAtOnce = 4ULL * 1024 * 1024;
constexpr std::size_t kConnectionsDefault = 4;
constexpr std::size_t kConnectionsMax = 8;
/// Connections that break one after the other without a message between.
constexpr int kRetriesMax = 5;

/// Of one thread: a connection there, made when it is needed and again when it broke.
class ImapWorker {
public:
    ImapWorker(ImportDesk* desk, const ImapLogin* login, std::string source)
        : desk_(desk), login_(login), source_(std::move(source)) {}

    /// The whole folder. Errors: of the server here, or of one there that stays away.
    Result<> take_folder(const ImapFolder& folder) {
        for (int attempt = 0;;) {
            const std::uint64_t before = taken_;
            const Result<> done = try_folder(folder);
            if (there_ && there_->is_dead()) {
                there_.reset();  // The next folder has a new one.
            }
            if (done || !is_broken_) {
                return done;
            }
            there_.reset();
            attempt = taken_ > before ? 0 : attempt;
            if (++attempt > kRetriesMax || done.error().kind != ErrorKind::Temporary) {
                return done;
            }
            std::this_thread::sleep_for(std::chrono::seconds(1 << (attempt - 1)));
        }
    }
    void log_out() {
        if (there_ && !there_->is_dead()) {
            there_->log_out();
        }
    }

private:
    /// Marks errors of the connection there, which a new one may mend.
    template <class T>
    Result<T> watched(Result<T> result) {
        is_broken_ = is_broken_ || (!result && result.error().kind == ErrorKind::Temporary);
        return result;
    }

    Result<> try_folder(const ImapFolder& folder) {
        is_broken_ = false;
        if (!there_) {
            there_ = TRY(watched(ImapSource::open(*login_)));
        }
        const auto state = watched(there_->examine(folder));
        if (!state && state.error().kind == ErrorKind::Peer) {
            desk_->report().add_problem(
                {.folder = folder.name, .message = "", .reason = state.error().text});
            return {};
        }
        TRY(state);
        if (!opened_.contains(folder.name)) {
            opened_[folder.name] = TRY(desk_->open(
                {.source = folder.name, .role = folder.role, .subscribed = folder.is_subscribed}));
            desk_->report().expect(state->messages);
        }
        const auto& opened = opened_[folder.name];
        if (!opened) {
            return {};
        }
        const bool has_numbers = desk_->rules().uids && state->uid_validity != 0;
        if (has_numbers && !TRY(desk_->take_numbers(*opened, state->uid_validity, 0))) {
            return {};
        }
        ImportGroup group(desk_, *opened);
        for (;;) {
            auto facts = watched(there_->facts(kFactsAtOnce));
            if (!facts && facts.error().kind == ErrorKind::Peer) {
                // The others are not to stay behind for it.
                desk_->report().add_problem(
                    {.folder = folder.name, .message = "", .reason = facts.error().text});
                break;
            }
            TRY(facts);
            if (facts->empty()) {
                break;
            }
            TRY(take_facts(folder, *state, *std::move(facts), group));
        }
        TRY(group.flush());
        if (has_numbers && state->uid_next != 0) {
            TRY(desk_->take_numbers(*opened, 0, state->uid_next));
        }
        return {};
    }

    Result<> take_facts(const ImapFolder& folder, const ImapFolderState& state,
                        std::vector<ImapFacts> facts, ImportGroup& group) {
        std::vector<std::string> origins;
        for (const ImapFacts& one : facts) {
            origins.push_back(
                origin_of(source_, folder.wire,
                          std::to_string(state.uid_validity) + "." + std::to_string(one.uid)));
        }
        const std::vector<bool> known = TRY(desk_->known(origins));
        std::map<std::uint32_t, ImportMessage> wanted;
        std::uint64_t octets = 0;
        for (std::size_t i = 0; i < facts.size(); ++i) {
            // What this run took before a connection broke is no news.
            const bool is_news = facts[i].uid > seen_[folder.name];
            seen_[folder.name] = std::max(seen_[folder.name], facts[i].uid);
            if (known[i]) {
                desk_->report().add_known(is_news ? 1 : 0);
                continue;
            }
            if (facts[i].size > imap::response_literal_max) {
                desk_->report().add_failed(
                    {.folder = folder.name,
                     .message = "UID " + std::to_string(facts[i].uid),
                     .reason = std::to_string(facts[i].size) + " octets are too many"});
                continue;
            }
            octets += facts[i].size;
            ImportMessage& message = wanted[facts[i].uid];
            message.label = "UID " + std::to_string(facts[i].uid);
            message.origin = std::move(origins[i]);
            message.date = facts[i].date;
            message.flags = std::move(facts[i].flags);
            message.uid = desk_->rules().uids ? facts[i].uid : 0;
            if (wanted.size() == kBodiesAtOnce || octets >= kBodyOctetsAtOnce) {
                TRY(take_bodies(folder, wanted, group));
                octets = 0;
            }
        }
        return wanted.empty() ? Result<>() : take_bodies(folder, wanted, group);
    }

    Result<> take_bodies(const ImapFolder& folder, std::map<std::uint32_t, ImportMessage>& wanted,
                         ImportGroup& group) {
        std::vector<std::uint32_t> uids;
        for (const auto& [uid, message] : wanted) {
            uids.push_back(uid);
        }
        Result<> added;
        const Result<> done =
            watched(there_->bodies(uids, [&](std::uint32_t uid, Spool octets) -> Result<> {
                const auto found = wanted.find(uid);
                if (found != wanted.end() && added) {
                    found->second.octets = std::move(octets);
                    added = group.add(std::move(found->second));
                    wanted.erase(found);
                    ++taken_;
                }
                return {};
            }));
        TRY(added);
        // A message that the server cannot give must not end the others.
        const bool is_hopeless = !done && done.error().kind == ErrorKind::Peer && there_->is_dead();
        if (!done && !is_hopeless && (done.error().kind != ErrorKind::Peer || uids.size() > 1)) {
            return is_broken_ ? done : one_by_one(folder, wanted, group);
        }
        for (const auto& [uid, message] : wanted) {
            desk_->report().add_failed(
                {.folder = folder.name,
                 .message = message.label,
                 .reason = done ? "the server does not give it" : done.error().text});
        }
        wanted.clear();
        return {};
    }

    // No recursion but this step: each call has one message.
    Result<> one_by_one(const ImapFolder& folder, std::map<std::uint32_t, ImportMessage>& wanted,
                        ImportGroup& group) {
        while (!wanted.empty()) {
            std::map<std::uint32_t, ImportMessage> one;
            one.insert(wanted.extract(wanted.begin()));
            TRY(take_bodies(folder, one, group));
        }
        return {};
    }

    ImportDesk* desk_;
    const ImapLogin* login_;
    std::string source_;
    std::unique_ptr<ImapSource> there_;
    std::map<std::string, std::optional<ImportFolder>> opened_;
    std::map<std::string, std::uint32_t> seen_;  ///< The last UID that was looked at.
    std::uint64_t taken_ = 0;
    bool is_broken_ = false;
};

/// Folders are taken in turn by as many threads as there are connections.
class ImapImport {
public:
    ImapImport(ImportDesk* desk, const ImapLogin* login, std::size_t connections)
        : desk_(desk), login_(login), connections_(connections) {
        const std::string& named = desk->rules().source;
        source_ =
            named.empty() ? "imap " + login->credentials.name + "@" + to_lower(login->host) : named;
    }

    Result<> run() {
        {
            auto there = TRY(ImapSource::open(*login_));
            folders_ = TRY(there->folders());
            there->log_out();
        }
        std::erase_if(folders_, [this](const ImapFolder& folder) {
            return !desk_->rules().takes(folder.name);
        });
        // Parents first; the widest names last.
        std::ranges::sort(folders_, {}, &ImapFolder::name);
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < std::min(connections_, folders_.size()); ++i) {
            threads.emplace_back([this] { work(); });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        const std::lock_guard lock(mutex_);
        return failure_ ? Result<>(std::unexpected(*failure_)) : Result<>();
    }

private:
    void work() {
        ImapWorker worker(desk_, login_, source_);
        while (!has_failed_) {
            const std::size_t index = next_++;
            if (index >= folders_.size()) {
                break;
            }
            if (const auto done = worker.take_folder(folders_[index]); !done) {
                has_failed_ = true;
                const std::lock_guard lock(mutex_);
                failure_ = failure_ ? failure_ : done.error();
            }
        }
        worker.log_out();
    }

    ImportDesk* desk_;
    const ImapLogin* login_;
    std::size_t connections_;
    std::string source_;
    std::vector<ImapFolder> folders_;
    std::atomic<std::size_t> next_ = 0;
    std::atomic<bool> has_failed_ = false;
    std::mutex mutex_;
    std::optional<Error> failure_;
};

Result<std::string> first_line(const std::string& path) {
    const std::string text = TRY(read_file(path, limits::admin_request_size_max));
    return std::string(std::string_view(text).substr(0, text.find_first_of("\r\n")));
}

Result<> read_secret(const Invocation& call, ImapLogin& login) {
    if (const auto file = call.value("--token-file")) {
        login.credentials.token = TRY(first_line(*file));
        login.is_token = true;
    } else if (const auto password = call.value("--password-file")) {
        login.credentials.password = TRY(first_line(*password));
    } else {
        login.credentials.password = TRY(call.console().password(
            "Password of " + login.credentials.name + " on " + login.host + ": "));
    }
    return {};
}

Result<ImapLogin> read_login(const Invocation& call) {
    ImapLogin login;
    login.security = call.has("--starttls") ? ImapSecurity::StartTls
                     : call.has("--no-tls") ? ImapSecurity::None
                                            : ImapSecurity::Tls;
    login.port = login.security == ImapSecurity::Tls ? 993 : 143;
    const std::string& given = call.arguments()[1];
    const std::size_t colon = given.rfind(':');
    login.host = given;
    // An IPv6 address has more than one, and no port.
    if (colon != std::string::npos && given.find(':') == colon) {
        const auto port = parse_u32(std::string_view(given).substr(colon + 1));
        if (!port || *port == 0 || *port > 65535) {
            return peer_error(ErrorCode::Invalid, "'" + given + "' has no port from 1 to 65535");
        }
        login.host = given.substr(0, colon);
        login.port = static_cast<std::uint16_t>(*port);
    }
    const auto address = net::IpAddress::parse(login.host);
    const bool is_here = login.host == "localhost" || (address && address->is_loopback());
    if (login.security == ImapSecurity::None && !is_here) {
        return peer_error(ErrorCode::Invalid,
                          "--no-tls would show the password to whoever listens: only for servers "
                          "on this machine");
    }
    if (const auto text = call.value("--fingerprint")) {
        std::string digits = *text;
        std::erase(digits, ':');
        login.fingerprint = hex_decode(digits).value_or("");
        if (login.fingerprint.size() != 32) {
            return peer_error(ErrorCode::Invalid, "--fingerprint: expected 64 hexadecimal digits");
        }
    }
    login.credentials.name = call.value_or("--user", "");
    login.credentials.host = login.host;
    login.credentials.port = login.port;
    return login;
}

}  // namespace

int run_import_imap(const Invocation& call) {
    auto login = read_login(call);
    if (!login) {
        return call.fail_usage(login.error().text);
    }
    const auto connections =
        parse_u32(call.value_or("--connections", std::to_string(kConnectionsDefault)));
    if (!connections || *connections == 0 || *connections > kConnectionsMax) {
        return call.fail_usage("--connections is a number from 1 to " +
                               std::to_string(kConnectionsMax));
    }
    if (const auto done = read_secret(call, *login); !done) {
        return call.fail(done.error());
    }
    const auto trust = net::TlsClientContext::create({.ca_file = call.value_or("--ca-file", "")});
    if (!trust) {
        return call.fail(trust.error());
    }
    login->trust = trust->get();
    return run_import(
        call, [&](ImportDesk& desk) { return ImapImport(&desk, &*login, *connections).run(); });
}

}  // namespace godwit::app
