// What an administrator may ask of a server: one JSON object in, one out. The command line, through
// <data>/admin.sock or on the store itself when no server runs.
//     {"call":"account.add","arguments":{"address":"a@example.org","password":"..."}}
//     {"ok":true,"result":{...}}   or   {"ok":false,"error":{"code":"not_found","text":"..."}}
// Lists come in pages: {"rows":[...],"next":"KEY"}; "next" goes back as "after" until it is absent.
// Blocking: disk, password hashing, commits. Runs on the offload pool, never on a shard.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/random.h"
#include "base/result.h"
#include "store/commit/plan.h"
#include "store/kv/kv.h"

namespace godwit::store {
class Store;
}

namespace godwit::serve {

/// What the calls work on. Pointers outlive it. May be used by several threads at once.
struct AdminHost {
    store::Store* store = nullptr;
    Clock* clock = nullptr;
    Random* random = nullptr;
    /// What hashing a new password costs, as of now.
    std::function<Argon2Cost()> argon2;
    std::string default_domain;
    /// Submits a plan and waits until it is durable or dropped.
    std::function<store::CommitResult(store::Plan)> commit;
    /// Re-reads the configuration; gives the result as JSON. Empty when no server runs.
    std::function<Result<std::string>()> reload;
    /// Adds fields to the answer of `status`. Empty when no server runs.
    std::function<void(JsonWriter&)> describe_server;
};

/// One call's arguments, with readers that say what was expected.
class AdminArguments {
public:
    explicit AdminArguments(const JsonValue& value) : value_(value) {}
    /// Peer error when it is missing, empty or no text.
    Result<std::string> text(std::string_view name) const;
    [[nodiscard]] std::string text_or(std::string_view name, std::string_view fallback) const;
    [[nodiscard]] bool flag(std::string_view name) const;
    [[nodiscard]] bool has(std::string_view name) const { return value_.find(name) != nullptr; }
    /// A list of texts, or one text; empty when absent.
    Result<std::vector<std::string>> texts(std::string_view name) const;

private:
    const JsonValue& value_;
};

/// The result as JSON text.
using AdminFunction = Result<std::string> (*)(const AdminHost& host,
                                              const AdminArguments& arguments);
struct AdminCall {
    std::string_view name;  ///< "queue.list".
    AdminFunction run;
};
/// All calls, sorted by name.
std::span<const AdminCall> admin_calls();

/// Answers one request line. Both without line ends; the answer is one line whatever came.
std::string answer_admin(const AdminHost& host, std::string_view request);

/// Text of an answer when the call did not come to run.
std::string admin_error(const Error& error);

/// "not_found" and so on: the stable name of a code.
std::string_view to_string(ErrorCode code);

}  // namespace godwit::serve
