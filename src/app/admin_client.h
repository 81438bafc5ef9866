// Asks the running server, or the store itself when none runs, by the calls of serve/admin/api.h.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "app/descriptors.h"
#include "base/json.h"
#include "base/result.h"
#include "flow/settings.h"
#include "serve/admin/api.h"

namespace godwit::app {

class AdminClient {
public:
    /// Connects to <data>/admin.sock, or opens the store when nobody listens there. Denied when the
    /// socket may not be used by this user.
    static Result<AdminClient> open(const flow::Settings& settings);
    AdminClient(AdminClient&&) noexcept;
    AdminClient& operator=(AdminClient&&) = delete;
    ~AdminClient();

    /// The call's result. Errors as the server gave them.
    Result<JsonValue> call(std::string_view name, std::string_view arguments_json);
    /// A call with octets behind it: just `count` of them, as `next` gives them.
    using NextOctets = std::function<Result<std::string>()>;
    Result<JsonValue> call_giving(std::string_view name, std::string_view arguments_json,
                                  std::uint64_t count, const NextOctets& next);
    /// A call whose answer has octets behind it; they go to `sink` in pieces, before this returns.
    using OctetSink = std::function<Result<>(std::string_view)>;
    Result<JsonValue> call_taking(std::string_view name, std::string_view arguments_json,
                                  const OctetSink& sink);
    /// Where a server was asked, connects to it anew: it ends connections that are silent for
    /// limits::admin_idle_timeout. Else nothing.
    Result<> reconnect();
    /// True: a server answered the connection.
    [[nodiscard]] bool is_online() const;

private:
    struct Inner;
    explicit AdminClient(std::unique_ptr<Inner> inner);
    std::unique_ptr<Inner> inner_;
};

/// The result in an answer line of serve::answer_admin, or its error.
Result<JsonValue> read_admin_answer(std::string_view line);

/// A host of calls over `store`, whose commits wait on the calling thread. `store`, `clock` and
/// `random` outlive it; the store is driven by its own thread.
serve::AdminHost make_admin_host(store::Store* store, const flow::Settings& settings);

/// Root goes on as the owner of `folder`, for good: a file that root left there would stop the
/// server, which runs as that user. Nothing for others.
Result<> become_owner(const std::string& folder);

struct OpenStoreOptions {
    /// See StoreOptions. The default is for commands: says it, and ends the process with
    /// kExitTemporary, since nobody else waits for an answer.
    std::function<void(const Error&)> on_fatal;
    std::optional<DescriptorPlan> descriptors;
    /// Only who sets up a server makes a store: a disk that is not mounted must not look like a
    /// server without accounts, which turns all mail away for good.
    bool may_make = false;
};

/// Opens the store of `settings` as this process's own.
Result<std::unique_ptr<store::Store>> open_store(const flow::Settings& settings,
                                                 OpenStoreOptions how = {});

}  // namespace godwit::app
