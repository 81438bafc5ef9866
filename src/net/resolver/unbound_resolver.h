// The production Resolver: libunbound with its own cache and DNSSEC validation. The one door of
// libunbound.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/io/shard.h"
#include "net/resolver/resolver.h"

namespace godwit::net {

class DescriptorWatch;

/// The keys the root zone is signed with (IANA, root-anchors.xml), as DS records: what validation
/// starts from when the system has no newer file. They change every few years, announced for at
/// least one: the file of the package dns-root-data, or a new release, brings the next.
std::vector<std::string> root_trust_anchors();

/// One context, one cache; answers come in on `home`'s loop and go to the shard that asked.
class UnboundResolver final : public Resolver {
public:
    struct Stub {
        std::string zone;    ///< "example.test"
        std::string server;  ///< "127.0.0.1@5300"
    };
    struct Options {
        std::vector<std::string> forwarders{};  ///< "IP" or "IP@PORT": all questions go there.
        std::vector<Stub> stubs{};              ///< Zones with servers of their own.
        bool use_resolv_conf = false;           ///< Forward to the system's resolvers.
        /// What validation starts from; without any, nothing is validated and nothing is secure.
        std::vector<std::string> trust_anchors{};       ///< DS or DNSKEY records as text.
        std::vector<std::string> trust_anchor_files{};  ///< Of such records.
        std::vector<std::string> insecure_zones{};      ///< Never validated.
        std::string root_hints_file{};
        bool query_localhost = false;  ///< Needed for servers on 127.0.0.1.
    };
    /// Nothing of forwarders, stubs, resolv.conf: asks the root servers itself. `home` outlives it
    /// and must be a shard of a ShardPool. Internal/Invalid names the option libunbound refused.
    static Result<std::unique_ptr<UnboundResolver>> create(Shard* home, const Options& options);
    /// After the shards have stopped, or on `home`. Unanswered lookups end with Cancelled.
    ~UnboundResolver() override;

    Task<Result<RecordSet>> lookup(std::string name, RecordType type) override;

private:
    struct State;
    explicit UnboundResolver(std::shared_ptr<State> state);
    static Task<void> pump(std::shared_ptr<State> state, std::unique_ptr<DescriptorWatch> watch);
    // Two lifetimes: this object, and work posted to the home shard.
    std::shared_ptr<State> state_;
};

}  // namespace godwit::net
