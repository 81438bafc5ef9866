#include "sim/ends.h"

#include <algorithm>
#include <deque>
#include <set>

#include "sim/ledger.h"

namespace godwit::sim {

namespace {

// Nodes that one recipient may be passed on by before it counts as going round.
constexpr std::size_t kHopsMax = 8;

std::string local_of(const std::string& address) {
    return address.substr(0, address.rfind('@'));
}

// Follows one address through the aliases of nodes, as a directory should.
class Walk {
public:
    explicit Walk(const std::map<std::string, Directory>& nodes) : nodes_(nodes) {}

    std::vector<End> run(const std::string& node, const std::string& address) {
        arrive({.node = node, .address = address_key(address)});
        while (!steps_.empty()) {
            const Step step = std::move(steps_.front());
            steps_.pop_front();
            follow(step);
        }
        return std::move(ends_);
    }

private:
    struct Step {
        std::string node;
        std::string address;
        std::string arrived{};  // The address under which it came to this node.
        std::vector<std::string> path{};
        std::vector<std::string> nodes{};
    };

    void arrive(Step step) {
        step.arrived = step.address;
        step.nodes.push_back(step.node);
        step.path.push_back(step.address);
        steps_.push_back(std::move(step));
    }

    void end(End::Kind kind, const Step& step, std::string where, std::string detail = "") {
        // Several ways within one node to one mailbox are one.
        if (kind == End::Kind::Mailbox && !seen_.insert(step.arrived + " " + where).second) {
            return;
        }
        ends_.push_back({.kind = kind,
                         .where = std::move(where),
                         .detail = std::move(detail),
                         .path = step.path,
                         .nodes = step.nodes});
    }

    // Passed on to another system.
    void leave(const Step& step) {
        const std::string domain = domain_of(step.address);
        if (!nodes_.contains(domain)) {
            end(End::Kind::Abroad, step, step.address);
        } else if (step.nodes.size() > kHopsMax) {
            end(End::Kind::Nobody, step, step.address);
        } else {
            Step there = step;
            there.node = domain;
            there.path.pop_back();
            arrive(std::move(there));
        }
    }

    void follow(const Step& step) {
        if (domain_of(step.address) != step.node) {
            leave(step);
            return;
        }
        const Directory& directory = nodes_.at(step.node);
        const std::string local = local_of(step.address);
        const std::size_t plus = local.find('+');
        if (match(directory, step, step.address, "")) {
            return;
        }
        if (plus != std::string::npos && plus > 0 &&
            match(directory, step, local.substr(0, plus) + "@" + step.node,
                  local.substr(plus + 1))) {
            return;
        }
        // RFC 5321 4.5.1, RFC 2142 2.
        if ((local == "postmaster" || local == "abuse") && !directory.accounts.empty()) {
            end(End::Kind::Mailbox, step, directory.accounts.front());
            return;
        }
        // An alias is good for those of its targets that are there.
        if (step.address == step.arrived) {
            end(End::Kind::Nobody, step, step.address);
        }
    }

    bool match(const Directory& directory, const Step& step, const std::string& name,
               const std::string& detail) {
        if (std::ranges::find(directory.accounts, name) != directory.accounts.end()) {
            end(End::Kind::Mailbox, step, name, detail);
            return true;
        }
        const auto alias = directory.aliases.find(name);
        if (alias == directory.aliases.end()) {
            return false;
        }
        for (const std::string& target : alias->second) {
            Step next = step;
            next.address = address_key(target);
            if (std::ranges::find(next.path, next.address) == next.path.end()) {
                next.path.push_back(next.address);
                steps_.push_back(std::move(next));
            }
        }
        return true;
    }

    const std::map<std::string, Directory>& nodes_;
    std::deque<Step> steps_;
    std::vector<End> ends_;
    std::set<std::string> seen_;
};

}  // namespace

std::string domain_of(const std::string& address) {
    const std::size_t at = address.rfind('@');
    return at == std::string::npos ? "" : address.substr(at + 1);
}

std::vector<End> ends_of(const std::map<std::string, Directory>& nodes, const std::string& node,
                         const std::string& address) {
    return Walk(nodes).run(node, address);
}

}  // namespace godwit::sim
