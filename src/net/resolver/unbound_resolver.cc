// libunbound works in a thread of its own; its descriptor becomes readable in the home shard's loop
// when there are answers, and ub_process() calls back there.
#include "net/resolver/unbound_resolver.h"

#include <unbound.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/limits.h"
#include "base/metrics.h"
#include "net/io/completion.h"
#include "net/io/descriptor_watch.h"
#include "net/resolver/rdata.h"

namespace godwit::net {

namespace {

struct DeleteContext {
    void operator()(ub_ctx* context) const { ub_ctx_delete(context); }
};
struct DeleteAnswer {
    void operator()(ub_result* answer) const { ub_resolve_free(answer); }
};
using Completer = Completion<Result<RecordSet>>::Completer;

constexpr int kClassIn = 1;
constexpr int kNoError = 0;
constexpr int kNxDomain = 3;

}  // namespace

struct UnboundResolver::State {
    struct Lookup {
        State* state;
        std::uint64_t number;
        int async_id = 0;
        Completer completer;
        Timer timeout;
    };

    Shard* home = nullptr;
    std::map<std::uint64_t, std::unique_ptr<Lookup>> lookups;
    std::uint64_t next_number = 1;
    DescriptorWatch* watch = nullptr;  // While the pump runs.
    bool is_closed = false;
    std::unique_ptr<ub_ctx, DeleteContext> context;  // Dies before the lookups it points at.

    void start(const std::string& name, RecordType type, Completer completer);
    void finish(std::uint64_t number, Result<RecordSet> result);
    static void answered(void* argument, int error, ub_result* answer);
};

namespace {

Result<RecordSet> read_answer(const ub_result& answer) {
    std::string name = answer.qname;
    if (answer.bogus != 0) {
        return temporary_error(
            ErrorCode::Corrupt,
            name + ": " + (answer.why_bogus != nullptr ? answer.why_bogus : "bogus"));
    }
    if (answer.rcode != kNoError && answer.rcode != kNxDomain) {
        return temporary_error(ErrorCode::Unavailable,
                               name + ": DNS answers with code " + std::to_string(answer.rcode));
    }
    RecordSet set;
    set.outcome = answer.havedata != 0   ? DnsOutcome::Found
                  : answer.nxdomain != 0 ? DnsOutcome::NxDomain
                                         : DnsOutcome::NoData;
    set.is_secure = answer.secure != 0;
    set.ttl_seconds = answer.ttl > 0 ? static_cast<std::uint32_t>(answer.ttl) : 0;
    set.canonical_name = plain_name(answer.canonname != nullptr ? answer.canonname : answer.qname);
    std::size_t total = 0;
    for (std::size_t i = 0; answer.havedata != 0 && answer.data[i] != nullptr; ++i) {
        auto size = static_cast<std::size_t>(answer.len[i]);
        total += size;
        if (i >= limits::dns_records_max || total > limits::dns_answer_size_max) {
            return temporary_error(ErrorCode::LimitExceeded,
                                   name + ": more than " + std::to_string(limits::dns_records_max) +
                                       " records (limits.h: dns_records_max)");
        }
        set.rdata.emplace_back(answer.data[i], size);
    }
    return set;
}

}  // namespace

void UnboundResolver::State::answered(void* argument, int error, ub_result* raw) {
    std::unique_ptr<ub_result, DeleteAnswer> answer(raw);
    auto* lookup = static_cast<Lookup*>(argument);
    if (error != 0 || !answer) {
        lookup->state->finish(lookup->number,
                              temporary_error(ErrorCode::Unavailable, ub_strerror(error)));
        return;
    }
    lookup->state->finish(lookup->number, read_answer(*answer));
}

void UnboundResolver::State::finish(std::uint64_t number, Result<RecordSet> result) {
    if (auto found = lookups.extract(number)) {
        found.mapped()->completer.complete(std::move(result));
    }
}

void UnboundResolver::State::start(const std::string& name, RecordType type, Completer completer) {
    if (is_closed) {
        return;  // The completer says Cancelled.
    }
    if (lookups.size() >= limits::dns_lookups_max) {
        completer.complete(
            temporary_error(ErrorCode::Unavailable, "too many DNS questions at once"));
        return;
    }
    std::uint64_t number = next_number++;
    auto owned = std::make_unique<Lookup>(this, number, 0, std::move(completer), Timer());
    Lookup& lookup = *owned;
    lookups.emplace(number, std::move(owned));
    int error = ub_resolve_async(context.get(), name.c_str(), static_cast<int>(type), kClassIn,
                                 &lookup, &State::answered, &lookup.async_id);
    if (error != 0) {
        finish(number, temporary_error(ErrorCode::Unavailable, name + ": " + ub_strerror(error)));
        return;
    }
    // Answers come through ub_process() alone, so `lookup` still stands.
    lookup.timeout =
        home->call_after(limits::dns_lookup_timeout, [this, number, id = lookup.async_id] {
            ub_cancel(context.get(), id);
            finish(number, temporary_error(ErrorCode::Timeout, "no DNS answer in time"));
        });
}

namespace {

Error option_error(std::string_view option, int error) {
    return Error{ErrorKind::Internal, ErrorCode::Invalid,
                 "DNS option " + std::string(option) + ": " + ub_strerror(error)};
}

Result<> set(ub_ctx* context, const char* option, const char* value) {
    int error = ub_ctx_set_option(context, option, value);
    if (error != 0) {
        return std::unexpected(option_error(option, error));
    }
    return {};
}

Result<> configure(ub_ctx* context, const UnboundResolver::Options& options) {
    // Its own log lines are no JSON; what matters comes back as errors.
    ub_ctx_debugout(context, nullptr);
    TRY(set(context, "qname-minimisation:", "yes"));
    TRY(set(context, "harden-below-nxdomain:", "yes"));
    if (options.query_localhost) {
        TRY(set(context, "do-not-query-localhost:", "no"));
    }
    // libunbound answers for "test" and the reverse zones of private addresses itself; servers that
    // the administrator named may know better (RFC 6761, RFC 6303).
    bool has_own_servers =
        !options.forwarders.empty() || !options.stubs.empty() || options.use_resolv_conf;
    if (has_own_servers) {
        TRY(set(context, "unblock-lan-zones:", "yes"));
    }
    for (const std::string& server : options.forwarders) {
        if (int error = ub_ctx_set_fwd(context, server.c_str()); error != 0) {
            return std::unexpected(option_error("forwarder " + server, error));
        }
    }
    for (const auto& stub : options.stubs) {
        if (int error = ub_ctx_set_stub(context, stub.zone.c_str(), stub.server.c_str(), 0);
            error != 0) {
            return std::unexpected(option_error("stub " + stub.zone, error));
        }
    }
    if (options.use_resolv_conf) {
        if (int error = ub_ctx_resolvconf(context, nullptr); error != 0) {
            return std::unexpected(option_error("resolv.conf", error));
        }
    }
    for (const std::string& anchor : options.trust_anchors) {
        if (int error = ub_ctx_add_ta(context, anchor.c_str()); error != 0) {
            return std::unexpected(option_error("trust anchor " + anchor, error));
        }
    }
    for (const std::string& file : options.trust_anchor_files) {
        if (int error = ub_ctx_add_ta_file(context, file.c_str()); error != 0) {
            return std::unexpected(option_error("trust anchor " + file, error));
        }
    }
    for (const std::string& zone : options.insecure_zones) {
        TRY(set(context, "domain-insecure:", zone.c_str()));
    }
    if (!options.root_hints_file.empty()) {
        TRY(set(context, "root-hints:", options.root_hints_file.c_str()));
    }
    // A thread, not a forked process.
    if (int error = ub_ctx_async(context, 1); error != 0) {
        return std::unexpected(option_error("async", error));
    }
    // The last, since it settles the options: only now are files read. Removing data that is not
    // there does nothing else.
    int error = has_own_servers ? ub_ctx_zone_remove(context, "test.")
                                : ub_ctx_data_remove(context, "localhost.invalid.");
    if (error != 0) {
        return std::unexpected(option_error("trust anchor or root hints", error));
    }
    return {};
}

// Its thread starts with the first question, and none is told when it does not: so one is asked
// now that it answers from its own zones (RFC 6761), while the system has threads to give.
Result<> start_thread(ub_ctx* context) {
    const int error = ub_resolve_async(
        context, "localhost", static_cast<int>(RecordType::A), kClassIn, nullptr,
        [](void*, int, ub_result* answer) { ub_resolve_free(answer); }, nullptr);
    if (error != 0) {
        return std::unexpected(option_error("thread", error));
    }
    return {};
}

}  // namespace

std::vector<std::string> root_trust_anchors() {
    return {". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
            ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16"};
}

UnboundResolver::UnboundResolver(std::shared_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<UnboundResolver>> UnboundResolver::create(Shard* home,
                                                                 const Options& options) {
    auto state = std::make_shared<State>();
    state->home = home;
    state->context.reset(ub_ctx_create());
    if (!state->context) {
        return internal_error(ErrorCode::Invalid, "libunbound did not start");
    }
    TRY(configure(state->context.get(), options));
    TRY(start_thread(state->context.get()));
    Descriptor answers(dup(ub_fd(state->context.get())));
    if (!answers) {
        return internal_error(ErrorCode::Io, "libunbound has no descriptor");
    }
    spawn(*home, "resolver", pump(state, std::make_unique<DescriptorWatch>(std::move(answers))));
    return std::unique_ptr<UnboundResolver>(new UnboundResolver(std::move(state)));
}

Task<void> UnboundResolver::pump(std::shared_ptr<State> state,
                                 std::unique_ptr<DescriptorWatch> watch) {
    if (!watch->attach(*state->home)) {
        co_return;
    }
    state->watch = watch.get();
    while (!state->is_closed) {
        co_await until_ready(watch.get(), Direction::Read);
        if (!state->is_closed) {
            ub_process(state->context.get());
        }
    }
    state->watch = nullptr;
}

UnboundResolver::~UnboundResolver() {
    state_->is_closed = true;
    // On the home shard the pump still runs; elsewhere the shards have stopped and it is gone.
    if (Shard::current() == state_->home && state_->watch != nullptr) {
        state_->watch->wake();
    }
    state_->context.reset();
    state_->lookups.clear();
}

Task<Result<RecordSet>> UnboundResolver::lookup(std::string name, RecordType type) {
    if (!name_to_wire(name)) {
        // Not a name: it cannot exist, and asking would only say so.
        RecordSet none;
        none.outcome = DnsOutcome::NxDomain;
        none.canonical_name = plain_name(name);
        co_return none;
    }
    count(Metric::DnsQueries);
    Completion<Result<RecordSet>> done;
    if (Shard::current() == state_->home) {
        state_->start(name, type, done.completer());
    } else {
        state_->home->post([state = state_, name, type, completer = done.completer()]() mutable {
            state->start(name, type, std::move(completer));
        });
    }
    co_return co_await done;
}

}  // namespace godwit::net
