// The two ways to an administrator's call: over the socket, or in this process.
#include "app/admin_client.h"

#include <algorithm>

#include <sys/stat.h>
#include <grp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <future>
#include <optional>

#include "app/backup_ground.h"
#include "app/file.h"
#include "app/places.h"
#include "app/unix_client.h"
#include "store/blob/file.h"
#include "store/folder.h"

namespace godwit::app {
namespace {

// An answer holds at most a page of rows; a fsck of a large store takes its time.
constexpr std::size_t kAnswerSizeMax = 16 * 1024 * 1024;
constexpr std::chrono::seconds kPatience = std::chrono::hours(1);
// For what is answered from memory and a few rows: an administrator asks it of a server that hangs.
constexpr std::chrono::seconds kStatusPatience(10);

ErrorCode code_of(std::string_view name) {
    for (int i = 0; i <= static_cast<int>(ErrorCode::Cancelled); ++i) {
        if (serve::to_string(static_cast<ErrorCode>(i)) == name) {
            return static_cast<ErrorCode>(i);
        }
    }
    return ErrorCode::Invalid;
}

}  // namespace

Result<> become_owner(const std::string& folder) {
    struct stat facts{};
    if (::geteuid() != 0 || ::stat(folder.c_str(), &facts) != 0 || facts.st_uid == 0) {
        return {};
    }
    if (::setgroups(0, nullptr) != 0 ||
        ::setresgid(facts.st_gid, facts.st_gid, facts.st_gid) != 0 ||
        ::setresuid(facts.st_uid, facts.st_uid, facts.st_uid) != 0) {
        return peer_error(ErrorCode::Denied, "cannot become the owner of " + folder + " (uid " +
                                                 std::to_string(facts.st_uid) +
                                                 "): " + std::strerror(errno));
    }
    return {};
}

namespace {

[[noreturn]] void end_on_fatal(const Error& error) {
    const std::string line =
        "godwit: the disk has failed, nothing more was changed: " + error.text + "\n";
    // Nobody may listen; the end comes all the same.
    (void)!::write(STDERR_FILENO, line.data(), line.size());
    std::_Exit(kExitTemporary);
}

}  // namespace

struct AdminClient::Inner {
    std::string path;
    std::optional<UnixClient> socket;
    std::unique_ptr<store::Store> store;
    serve::AdminHost host;
    serve::AdminVisit visit;  // Before the store in destruction.
};

AdminClient::AdminClient(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}
AdminClient::AdminClient(AdminClient&&) noexcept = default;
AdminClient::~AdminClient() = default;
Result<JsonValue> read_admin_answer(std::string_view line) {
    JsonValue answer = TRY(parse_json(line));
    if (answer.bool_or("ok", false)) {
        const JsonValue* result = answer.find("result");
        return result != nullptr ? *result : JsonValue{};
    }
    const JsonValue* error = answer.find("error");
    if (error == nullptr) {
        return internal_error(ErrorCode::Corrupt, "the server's answer makes no sense");
    }
    const bool is_temporary = error->bool_or("temporary", false);
    return fail(is_temporary ? ErrorKind::Temporary : ErrorKind::Peer,
                code_of(error->string_or("code", "")), error->string_or("text", ""));
}

Result<> AdminClient::reconnect() {
    if (inner_->socket) {
        auto socket = TRY(UnixClient::connect(inner_->path));
        inner_->socket.emplace(std::move(socket));
    }
    return {};
}

bool AdminClient::is_online() const {
    return inner_->socket.has_value();
}

Result<std::unique_ptr<store::Store>> open_store(const flow::Settings& settings,
                                                 OpenStoreOptions how) {
    constexpr std::uint64_t kMib = 1024 * 1024;
    // Others may pass through the data folder to submit.sock (0711), and see nothing in it.
    ::umask(0077);
    store::StoreOptions options;
    options.may_make = how.may_make;
    store::FolderOptions folder{.cache_bytes = settings.storage.cache_mib * kMib};
    if (how.descriptors) {
        folder.key_files_open_max = how.descriptors->key_files;
        options.blob_sizes.open_files_max = how.descriptors->body_files;
    }
    store::keep_in_folder(options, settings.data_folder, folder);
    options.disk_low_bytes = settings.storage.disk_low_mib * kMib;
    options.disk_critical_bytes = settings.storage.disk_critical_mib * kMib;
    options.on_fatal = [register_file = in_hand_file(settings),
                        end = how.on_fatal ? std::move(how.on_fatal)
                                           : end_on_fatal](const Error& error) {
        // The disk's fault: no message that is in hand has anything to do with it.
        (void)store::system_files().unlink(register_file);
        end(error);
    };
    return store::Store::open(std::move(options), &system_clock(), &system_random());
}

serve::AdminHost make_admin_host(store::Store* store, const flow::Settings& settings) {
    serve::AdminHost host;
    host.store = store;
    host.clock = &system_clock();
    host.random = &system_random();
    host.argon2 = [cost = settings.argon2] { return cost; };
    host.default_domain = settings.default_domain;
    host.backups = backup_ground();
    host.commit = [store](store::Plan plan) {
        std::promise<store::CommitResult> promise;
        auto future = promise.get_future();
        store->committer().submit(
            std::make_unique<store::Plan>(std::move(plan)),
            [promise = std::move(promise)](store::CommitResult result) mutable {
                promise.set_value(std::move(result));
            });
        return future.get();
    };
    return host;
}

Result<AdminClient> AdminClient::open(const flow::Settings& settings) {
    auto inner = std::make_unique<Inner>();
    inner->path = admin_socket(settings);
    auto socket = UnixClient::connect(inner->path);
    if (socket) {
        inner->socket.emplace(*std::move(socket));
        return AdminClient(std::move(inner));
    }
    if (socket.error().code == ErrorCode::Denied) {
        return std::unexpected(std::move(socket.error()));
    }
    if (!file_exists(settings.data_folder)) {
        return peer_error(ErrorCode::NotFound, "there is no data folder " + settings.data_folder +
                                                   "; `godwit init` makes one");
    }
    TRY(become_owner(settings.data_folder));
    inner->store = TRY(open_store(settings));
    inner->host = make_admin_host(inner->store.get(), settings);
    return AdminClient(std::move(inner));
}

namespace {

std::string request_line(std::string_view name, std::string_view arguments_json,
                         std::uint64_t octets) {
    JsonWriter request;
    request.begin_object().field("call", name);
    if (octets > 0) {
        request.field("octets", octets);
    }
    request.key("arguments").raw(arguments_json).end_object();
    return std::move(request).take();
}

}  // namespace

Result<JsonValue> AdminClient::call_giving(std::string_view name, std::string_view arguments_json,
                                           std::uint64_t count, const NextOctets& next) {
    const std::string request = request_line(name, arguments_json, count);
    std::string line;
    if (inner_->socket) {
        TRY(inner_->socket->write(request + "\n"));
    } else {
        line = serve::answer_admin(inner_->host, inner_->visit, request);
    }
    while (count > 0) {
        const std::string octets = TRY(next());
        if (octets.empty() || octets.size() > count) {
            return internal_error(ErrorCode::Invalid, "a message is not as long as was said");
        }
        count -= octets.size();
        if (inner_->socket) {
            TRY(inner_->socket->write(octets));
        } else if (inner_->visit.intake) {
            TRY(inner_->visit.intake->take(octets));
        }
    }
    if (inner_->socket) {
        line = TRY(inner_->socket->read_line(kAnswerSizeMax, kPatience));
    } else if (inner_->visit.intake) {
        line = serve::finish_admin(inner_->visit);
    }
    return read_admin_answer(line);
}

Result<JsonValue> AdminClient::call_taking(std::string_view name, std::string_view arguments_json,
                                           const OctetSink& sink) {
    const std::string request = request_line(name, arguments_json, 0);
    if (!inner_->socket) {
        JsonValue answer =
            TRY(read_admin_answer(serve::answer_admin(inner_->host, inner_->visit, request)));
        while (inner_->visit.outflow) {
            const std::string octets = TRY(inner_->visit.outflow->next());
            if (octets.empty()) {
                break;
            }
            TRY(sink(octets));
        }
        return answer;
    }
    TRY(inner_->socket->write(request + "\n"));
    const std::string line = TRY(inner_->socket->read_line(kAnswerSizeMax, kPatience));
    // The octets come whatever becomes of them, or the next answer could not be read.
    const auto facts = parse_json(line);
    const std::int64_t octets = facts ? facts->int_or("octets", 0) : 0;
    Result<> taken;
    TRY(inner_->socket->read_octets(static_cast<std::uint64_t>(std::max<std::int64_t>(octets, 0)),
                                    kPatience, [&](std::string_view piece) -> Result<> {
                                        if (taken) {
                                            taken = sink(piece);
                                        }
                                        return {};
                                    }));
    TRY(taken);
    return read_admin_answer(line);
}

Result<JsonValue> AdminClient::call(std::string_view name, std::string_view arguments_json) {
    JsonWriter request;
    request.begin_object().field("call", name).key("arguments").raw(arguments_json).end_object();
    if (!inner_->socket) {
        return read_admin_answer(serve::answer_admin(inner_->host, inner_->visit, request.view()));
    }
    TRY(inner_->socket->write(std::string(request.view()) + "\n"));
    return read_admin_answer(TRY(
        inner_->socket->read_line(kAnswerSizeMax, name == "status" ? kStatusPatience : kPatience)));
}

}  // namespace godwit::app
