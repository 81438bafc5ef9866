// What an administrator may ask of a server: one JSON object in, one out. The command line, through
// <data>/admin.sock or on the store itself when no server runs.
//     {"call":"account.add","arguments":{"address":"a@example.org","password":"..."}}
//     {"ok":true,"result":{...}}   or   {"ok":false,"error":{"code":"not_found","text":"..."}}
// A request that says "octets":N beside its call is followed by that many raw octets; an answer
// that says so, too (bodies of messages: import.*, export.*). Lists come in pages:
// {"rows":[...],"next":"KEY"}; "next" goes back as "after" until it is absent. So do changes to
// many deliveries of the queue: each answer tells what its piece changed. Blocking: disk, password
// hashing, commits. Runs on the offload pool, never on a shard.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/random.h"
#include "base/result.h"
#include "flow/outbound/survey.h"
#include "flow/services.h"
#include "store/commit/plan.h"
#include "store/kv/kv.h"

namespace godwit::store {
class FileSystem;
class Store;
}  // namespace godwit::store

namespace godwit::serve {

/// Where backups lie. Without files, calls of backups are refused.
struct BackupGround {
    store::FileSystem* files = nullptr;
    /// The one name of a folder, without links and "..". Null: names are taken as they are.
    std::function<Result<std::string>(const std::string& path)> real_path;
    /// True for a folder that holds something and is no backup's. Null: none does.
    std::function<bool(const std::string& folder)> is_taken;
};

/// What the calls work on. Pointers outlive it. May be used by several threads at once.
struct AdminHost {
    store::Store* store = nullptr;
    Clock* clock = nullptr;
    Random* random = nullptr;
    /// What hashing a new password costs, as of now.
    std::function<Argon2Cost()> argon2;
    std::string default_domain;
    /// What the running server works with; null when none runs.
    const flow::Services* services = nullptr;
    BackupGround backups;
    /// Submits a plan and waits until it is durable or dropped.
    std::function<store::CommitResult(store::Plan)> commit;
    /// Re-reads the configuration; gives the result as JSON. Empty when no server runs.
    std::function<Result<std::string>()> reload;
    /// What would happen to mail for an address; waits for it. Empty when no server runs.
    std::function<Result<flow::Survey>(flow::SurveyQuestion)> survey;
    /// A pass of the scrubber was asked for. Empty when no server runs.
    std::function<void()> wake_scrubber;
    /// Adds fields to the answer of `status`. Empty when no server runs.
    std::function<void(JsonWriter&)> describe_server;
};

/// Work of many calls: one that begins it and those that go on with it. It ends with its visit, so
/// that whoever goes away holds nothing back.
class AdminWork {
public:
    virtual ~AdminWork() = default;
    /// One bounded step; the answer of the call, with "done" in it.
    virtual Result<std::string> step() = 0;
};

/// Takes the octets behind a request line, then gives the call's answer. Dropped when they do not
/// come whole.
class AdminIntake {
public:
    virtual ~AdminIntake() = default;
    virtual Result<> take(std::string_view octets) = 0;
    /// All of them were taken.
    virtual Result<std::string> finish() = 0;
};

/// The octets behind an answer line.
class AdminOutflow {
public:
    virtual ~AdminOutflow() = default;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    /// The next of them, in pieces of bounded size; none at the end.
    virtual Result<std::string> next() = 0;
};

/// What one connection has under way: one work at most. One call at a time.
struct AdminVisit {
    std::unique_ptr<AdminWork> work;
    /// How many octets follow the request that is being answered; see admin_octets().
    std::uint64_t octets = 0;
    /// Set by a call whose answer comes from finish_admin(), when its octets have been taken.
    std::unique_ptr<AdminIntake> intake;
    /// Set by a call whose answer is followed by octets.
    std::unique_ptr<AdminOutflow> outflow;
};

/// One call's arguments, with readers that say what was expected.
class AdminArguments {
public:
    AdminArguments(const JsonValue& value, AdminVisit* visit) : value_(value), visit_(visit) {}
    /// Peer error when it is missing, empty or no text.
    Result<std::string> text(std::string_view name) const;
    [[nodiscard]] std::string text_or(std::string_view name, std::string_view fallback) const;
    [[nodiscard]] bool flag(std::string_view name) const;
    /// A number from 1 to `most`, also as a text of digits; `fallback` when absent.
    Result<std::size_t> count_or(std::string_view name, std::size_t fallback,
                                 std::size_t most) const;
    [[nodiscard]] bool has(std::string_view name) const { return value_.find(name) != nullptr; }
    /// A list of texts, or one text; empty when absent.
    Result<std::vector<std::string>> texts(std::string_view name) const;
    /// As it came; null when absent.
    [[nodiscard]] const JsonValue* find(std::string_view name) const { return value_.find(name); }

    /// Whose call it is.
    [[nodiscard]] AdminVisit& visit() const { return *visit_; }

private:
    const JsonValue& value_;
    AdminVisit* visit_;
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

/// How many octets follow a request line; 0 for one that makes no sense.
std::uint64_t admin_octets(std::string_view request);
/// Answers one request line. Both without line ends; the answer is one line whatever came. Where
/// the visit has an intake afterwards, it is no answer yet.
std::string answer_admin(const AdminHost& host, AdminVisit& visit, std::string_view request);
/// The answer of the call whose intake has taken its octets; the intake is gone then.
std::string finish_admin(AdminVisit& visit);
/// The same as answer_admin for a visit of one call.
std::string answer_admin(const AdminHost& host, std::string_view request);

/// Text of an answer when the call did not come to run.
std::string admin_error(const Error& error);

/// "not_found" and so on: the stable name of a code.
std::string_view to_string(ErrorCode code);

}  // namespace godwit::serve
