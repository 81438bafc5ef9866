#include "sim/names.h"

#include "base/limits.h"
#include "net/resolver/rdata.h"
#include "sim/peers/peer.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

using std::chrono::hours;
using std::chrono::minutes;

enum class Lie : std::uint8_t { NoDomain, NullMx, NoRecords, Loop, Nowhere, Private, kCount };

std::vector<std::string> lines_of(Lie lie, const std::string& domain) {
    switch (lie) {
        case Lie::NoDomain: return {domain + " nxdomain"};
        case Lie::NullMx: return {domain + " MX 0 ."};
        case Lie::NoRecords: return {domain + " * nodata"};
        case Lie::Loop:
            return {domain + " CNAME loop." + domain, "loop." + domain + " CNAME " + domain};
        case Lie::Nowhere: return {domain + " MX 10 nowhere." + domain};
        case Lie::Private: return {domain + " MX 10 inside." + domain};
        case Lie::kCount: break;
    }
    return {};
}

std::string_view name_of(Lie lie) {
    switch (lie) {
        case Lie::NoDomain: return "no such domain";
        case Lie::NullMx: return "null MX";
        case Lie::NoRecords: return "no records";
        case Lie::Loop: return "a loop of CNAME";
        case Lie::Nowhere: return "an MX without address";
        case Lie::Private: return "an MX with a private address";
        case Lie::kCount: break;
    }
    return "";
}

std::string first_word(const std::string& line) {
    return line.substr(0, line.find(' '));
}

}  // namespace

/// What one node hears.
class Names::View final : public net::Resolver {
public:
    View(Names* names, unsigned node)
        : names_(names),
          who_("names for node" + std::to_string(node)),
          dice_(names->world_->dice(who_)) {}

    net::Task<Result<net::RecordSet>> lookup(std::string name, net::RecordType type) override {
        World* const world = names_->world_;
        if (world->is_calm()) {
            co_return co_await names_->truth_.lookup(std::move(name), type);
        }
        const Swarm& swarm = world->swarm();
        const bool is_lost = dice_.chance(swarm.dns_timeout);
        const bool is_failed = dice_.chance(swarm.dns_fails);
        const bool is_lie = is_lied_about(net::plain_name(name));
        if (swarm.dns_slow > Duration{}) {
            co_await net::sleep_for(dice_.between(Duration{}, swarm.dns_slow));
        }
        if (is_lost || names_->has_outage_) {
            co_await net::sleep_for(limits::dns_lookup_timeout);
            world->count("names: timeouts");
            co_return temporary_error(ErrorCode::Timeout, name + ": no answer");
        }
        if (is_failed) {
            world->count("names: SERVFAIL");
            co_return temporary_error(ErrorCode::Unavailable, name + ": SERVFAIL");
        }
        if (is_lie) {
            co_return co_await lies_.lookup(std::move(name), type);
        }
        co_return co_await names_->truth_.lookup(std::move(name), type);
    }

private:
    struct Episode {
        MonoTime until{};
        std::vector<std::string> names;
    };

    // Names that belong to a lie that is told now; one about a peer's domain may begin here.
    bool is_lied_about(const std::string& name) {
        World* const world = names_->world_;
        const MonoTime now = world->now();
        for (auto at = episodes_.begin(); at != episodes_.end();) {
            if (now < at->second.until) {
                ++at;
                continue;
            }
            for (const std::string& old : at->second.names) {
                lies_.remove(old);
                lied_.erase(old);
            }
            at = episodes_.erase(at);
        }
        const bool is_peer = name.starts_with("peer") && names_->names_of_.contains(name);
        if (is_peer && !episodes_.contains(name) && dice_.chance(world->swarm().dns_lies)) {
            begin_lie(name);
        }
        return lied_.contains(name);
    }

    void begin_lie(const std::string& domain) {
        World* const world = names_->world_;
        const auto lie = static_cast<Lie>(dice_.below(static_cast<std::uint64_t>(Lie::kCount)));
        Episode episode;
        episode.until = world->now() + dice_.between(minutes(1), hours(3));
        std::vector<std::string> lines = lines_of(lie, domain);
        if (lie == Lie::Private) {
            lines.push_back("inside." + domain + " A 10.1.2.3");
        }
        for (const std::string& line : lines) {
            const Result<> added = lies_.add(line);
            check(added.has_value(), "a lie that the resolver can read");
            episode.names.push_back(first_word(line));
            lied_.insert(first_word(line));
        }
        episodes_.emplace(domain, std::move(episode));
        world->trace().note(who_, domain + ": " + std::string(name_of(lie)));
        world->count("names: lies");
    }

    Names* names_;
    std::string who_;
    Dice dice_;
    net::ScriptedResolver lies_;
    std::map<std::string, Episode> episodes_;  // By domain.
    std::set<std::string> lied_;
};

Names::Names(World* world)
    : world_(world), dice_(world->dice("names")), moves_(world->dice("names.moves")) {}
Names::~Names() = default;

net::Resolver& Names::for_node(unsigned node) {
    std::unique_ptr<View>& view = views_[node];
    if (view == nullptr) {
        view = std::make_unique<View>(this, node);
    }
    return *view;
}

void Names::set(const std::string& domain, const std::vector<std::string>& lines) {
    std::vector<std::string>& known = names_of_[domain];
    for (const std::string& name : known) {
        truth_.remove(name);
    }
    known.clear();
    for (const std::string& line : lines) {
        const Result<> added = truth_.add(line);
        check(added.has_value(), "a name that the resolver can read");
        known.push_back(first_word(line));
    }
}

void Names::start() {
    const Swarm& swarm = world_->swarm();
    if (swarm.dns_outage_every > Duration{}) {
        net::spawn(world_->outside(), "names.outages", have_outages());
    }
    if (swarm.dns_change_every > Duration{}) {
        net::spawn(world_->outside(), "names.moves", move_peers());
    }
}

net::Task<void> Names::have_outages() {
    while (!world_->is_calm()) {
        co_await net::sleep_for(dice_.about(world_->swarm().dns_outage_every));
        if (world_->is_calm()) {
            break;
        }
        has_outage_ = true;
        world_->trace().note("names", "nobody answers");
        world_->count("names: outages");
        co_await net::sleep_for(dice_.between(minutes(30), hours(8)));
        has_outage_ = false;
        world_->trace().note("names", "answers again");
    }
}

net::Task<void> Names::move_peers() {
    while (!world_->is_calm()) {
        co_await net::sleep_for(moves_.about(world_->swarm().dns_change_every));
        const auto& peers = world_->peers();
        if (!world_->is_calm() && !peers.empty()) {
            peers[moves_.below(peers.size())]->move();
        }
    }
}

}  // namespace godwit::sim
