#include "mail/message/threading.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <limits>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace godwit::mail {

namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
using Nodes = std::vector<ThreadForest::Node>;

// Nodes by key. Open addressing, at most half full; the keys are spread already.
class KeyTable {
public:
    explicit KeyTable(std::size_t expected) { places_.resize(std::bit_ceil(2 * expected + 2)); }
    /// kNone when it is new. Dies with the next call.
    std::uint32_t& operator[](ThreadKey key) {
        if (2 * (size_ + 1) > places_.size()) {
            grow();
        }
        Place& place = find(key);
        size_ += place.key == no_thread_key ? 1 : 0;
        place.key = key;
        return place.node;
    }

private:
    struct Place {
        ThreadKey key = no_thread_key;
        std::uint32_t node = kNone;
    };
    // The key's place, or the free one where it would be.
    Place& find(ThreadKey key) {
        std::size_t at = key & (places_.size() - 1);
        while (places_[at].key != key && places_[at].key != no_thread_key) {
            at = (at + 1) & (places_.size() - 1);
        }
        return places_[at];
    }
    void grow() {
        std::vector<Place> before(2 * places_.size());
        before.swap(places_);
        for (const Place& place : before) {
            if (place.key != no_thread_key) {
                find(place.key) = place;
            }
        }
    }

    std::vector<Place> places_;
    std::size_t size_ = 0;
};

// Steps 1 to 6 of REFERENCES, each a method.
class Threading {
public:
    // Some messages refer to one that is not there.
    explicit Threading(std::span<const ThreadedMessage> messages)
        : messages_(messages),
          ids_(messages.size() + messages.size() / 2),
          subjects_(messages.size()) {}
    ThreadForest run();
    ThreadForest run_without_subjects();

private:
    std::uint32_t add_node();
    std::uint32_t node_of(ThreadKey id);
    void place_messages();
    [[nodiscard]] bool may_link(std::uint32_t parent, std::uint32_t child);
    void link_references(std::size_t index);
    void gather_children();
    [[nodiscard]] std::vector<std::uint32_t> parents_first() const;
    void prune();
    [[nodiscard]] std::vector<std::uint32_t> without_dummies(
        const std::vector<std::uint32_t>& nodes, bool is_root) const;
    void sort_by_date(std::vector<std::uint32_t>* nodes);
    void sort_siblings();
    void sort_by_arrival();
    void link();
    [[nodiscard]] bool is_dummy(std::uint32_t node) const { return !forest_.nodes[node].message; }
    [[nodiscard]] ThreadKey subject(std::uint32_t root) const;
    [[nodiscard]] bool is_reply(std::uint32_t root) const;
    void fill_subjects();
    void merge_subjects();
    void merge(std::uint32_t* held, std::uint32_t root);

    std::span<const ThreadedMessage> messages_;
    ThreadForest forest_;
    std::size_t steps_left_ = thread_steps_max;
    std::vector<std::uint32_t> parents_;  // By node.
    std::vector<std::uint32_t> nodes_;    // By message.
    KeyTable ids_;
    KeyTable subjects_;
};

std::uint32_t Threading::add_node() {
    forest_.nodes.emplace_back();
    parents_.push_back(kNone);
    return static_cast<std::uint32_t>(forest_.nodes.size() - 1);
}

std::uint32_t Threading::node_of(ThreadKey id) {
    std::uint32_t& node = ids_[id];
    if (node == kNone) {
        node = add_node();
    }
    return node;
}

// The first message with an id has it; others with the same, and those without, are found by
// nobody's references.
void Threading::place_messages() {
    for (std::size_t i = 0; i < messages_.size(); ++i) {
        std::uint32_t node =
            messages_[i].id == no_thread_key ? add_node() : node_of(messages_[i].id);
        if (forest_.nodes[node].message) {
            node = add_node();
        }
        forest_.nodes[node].message = static_cast<std::uint32_t>(i);
        nodes_.push_back(node);
    }
}

// No loop, and no end of a chain that is too long to be looked through.
bool Threading::may_link(std::uint32_t parent, std::uint32_t child) {
    std::uint32_t at = parent;
    for (std::size_t depth = 0; at != kNone; ++depth) {
        if (at == child || depth == thread_depth_max || steps_left_ == 0) {
            return false;
        }
        --steps_left_;
        at = parents_[at];
    }
    return true;
}

void Threading::link_references(std::size_t index) {
    std::uint32_t before = kNone;
    for (const ThreadKey id : messages_[index].references) {
        const std::uint32_t node = node_of(id);
        if (before != kNone && parents_[node] == kNone && may_link(before, node)) {
            parents_[node] = before;
        }
        before = node;
    }
    // 1 (B): the last reference is the parent, whatever was there.
    const std::uint32_t own = nodes_[index];
    parents_[own] = kNone;
    if (before != kNone && may_link(before, own)) {
        parents_[own] = before;
    }
}

void Threading::gather_children() {
    for (std::uint32_t node = 0; node < forest_.nodes.size(); ++node) {
        if (parents_[node] == kNone) {
            forest_.roots.push_back(node);
        } else {
            forest_.nodes[parents_[node]].children.push_back(node);
        }
    }
}

std::vector<std::uint32_t> Threading::parents_first() const {
    std::vector<std::uint32_t> order = forest_.roots;
    for (std::size_t at = 0; at < order.size(); ++at) {
        const std::vector<std::uint32_t>& children = forest_.nodes[order[at]].children;
        order.insert(order.end(), children.begin(), children.end());
    }
    return order;
}

std::vector<std::uint32_t> Threading::without_dummies(const std::vector<std::uint32_t>& nodes,
                                                      bool is_root) const {
    std::vector<std::uint32_t> kept;
    for (const std::uint32_t node : nodes) {
        const std::vector<std::uint32_t>& children = forest_.nodes[node].children;
        if (!is_dummy(node) || (is_root && children.size() > 1)) {
            kept.push_back(node);
        } else {
            kept.insert(kept.end(), children.begin(), children.end());
        }
    }
    return kept;
}

// Step 3, the deepest first.
void Threading::prune() {
    const std::vector<std::uint32_t> order = parents_first();
    for (auto node = order.rbegin(); node != order.rend(); ++node) {
        forest_.nodes[*node].children = without_dummies(forest_.nodes[*node].children, false);
    }
    forest_.roots = without_dummies(forest_.roots, true);
}

void Threading::sort_by_date(std::vector<std::uint32_t>* nodes) {
    if (nodes->size() < 2) {
        return;
    }
    struct Place {
        std::int64_t sent = 0;
        std::uint32_t first = 0;
        std::uint32_t node = 0;
        auto operator<=>(const Place&) const = default;
    };
    std::vector<Place> places;
    places.reserve(nodes->size());
    for (const std::uint32_t node : *nodes) {
        const ThreadForest::Node& at = forest_.nodes[node];
        const std::uint32_t first =
            at.message ? *at.message : *forest_.nodes[at.children.front()].message;
        places.push_back({.sent = messages_[first].sent, .first = first, .node = node});
    }
    // Mail mostly comes in the order in which it was sent; and the roots are sorted twice.
    if (!std::ranges::is_sorted(places)) {
        std::ranges::sort(places);
    }
    std::ranges::transform(places, nodes->begin(), &Place::node);
}

// Steps 4 and 6: the children first, since a dummy stands where its first child does.
void Threading::sort_siblings() {
    for (ThreadForest::Node& node : forest_.nodes) {
        const bool has_dummy = std::ranges::any_of(
            node.children, [this](std::uint32_t child) { return is_dummy(child); });
        if (!has_dummy) {
            sort_by_date(&node.children);
        }
    }
    sort_by_date(&forest_.roots);
}

ThreadKey Threading::subject(std::uint32_t root) const {
    const ThreadForest::Node& at = forest_.nodes[root];
    return messages_[at.message ? *at.message : *forest_.nodes[at.children.front()].message]
        .subject;
}

bool Threading::is_reply(std::uint32_t root) const {
    return !is_dummy(root) && messages_[*forest_.nodes[root].message].is_reply;
}

// Step 5 (B).
void Threading::fill_subjects() {
    for (const std::uint32_t root : forest_.roots) {
        const ThreadKey key = subject(root);
        if (key == no_thread_key) {
            continue;
        }
        std::uint32_t& held = subjects_[key];
        if (held == kNone ||
            (!is_dummy(held) && (is_dummy(root) || (is_reply(held) && !is_reply(root))))) {
            held = root;
        }
    }
}

// Step 5 (C) for one: `root` goes below `*held`, which is a new dummy then where neither can be the
// other's parent. (A table that has met a dummy holds one: a dummy never goes below a message.)
void Threading::merge(std::uint32_t* held, std::uint32_t root) {
    if (is_dummy(*held) && is_dummy(root)) {
        std::vector<std::uint32_t> moved = std::move(forest_.nodes[root].children);
        forest_.nodes[root].children.clear();
        std::ranges::copy(moved, std::back_inserter(forest_.nodes[*held].children));
        return;
    }
    if (is_dummy(*held) || (is_reply(root) && !is_reply(*held))) {
        forest_.nodes[*held].children.push_back(root);
        return;
    }
    const std::uint32_t dummy = add_node();
    forest_.nodes[dummy].children = {*held, root};
    *held = dummy;
}

void Threading::merge_subjects() {
    fill_subjects();
    std::vector<std::uint32_t> kept;
    std::unordered_map<std::uint32_t, std::uint32_t> replaced;  // A root by the dummy above it.
    for (const std::uint32_t root : std::vector(forest_.roots)) {
        const ThreadKey key = subject(root);
        if (key == no_thread_key) {
            kept.push_back(root);
            continue;
        }
        std::uint32_t& held = subjects_[key];
        if (held == root) {
            kept.push_back(root);
            continue;
        }
        const std::uint32_t before = held;
        merge(&held, root);
        if (held != before) {
            replaced.emplace(before, held);
        }
    }
    for (std::uint32_t& root : kept) {
        if (const auto dummy = replaced.find(root); dummy != replaced.end()) {
            root = dummy->second;
        }
    }
    forest_.roots = std::move(kept);
}

// By the latest arrival in each, and then by its last message.
void Threading::sort_by_arrival() {
    using Latest = std::pair<std::int64_t, std::uint32_t>;
    std::vector<Latest> latest(forest_.nodes.size());
    const std::vector<std::uint32_t> order = parents_first();
    for (auto node = order.rbegin(); node != order.rend(); ++node) {
        const ThreadForest::Node& at = forest_.nodes[*node];
        Latest& last = latest[*node];
        if (at.message) {
            last = {messages_[*at.message].arrived, *at.message};
        }
        for (const std::uint32_t child : at.children) {
            last = std::max(last, latest[child]);
        }
    }
    std::ranges::sort(forest_.roots, {}, [&latest](std::uint32_t root) { return latest[root]; });
}

void Threading::link() {
    const std::size_t expected = messages_.size() + messages_.size() / 2;
    forest_.nodes.reserve(expected);
    parents_.reserve(expected);
    nodes_.reserve(messages_.size());
    place_messages();
    for (std::size_t i = 0; i < messages_.size(); ++i) {
        link_references(i);
    }
    gather_children();
    prune();
    sort_siblings();
}

ThreadForest Threading::run() {
    link();
    merge_subjects();
    sort_siblings();
    return std::move(forest_);
}

ThreadForest Threading::run_without_subjects() {
    link();
    sort_by_arrival();
    return std::move(forest_);
}

// One step of writing: a node, or text that goes between.
struct Step {
    std::uint32_t node = kNone;
    std::string_view text;
};

}  // namespace

ThreadKey thread_key(HashKey key, std::string_view text) {
    const std::uint64_t hash = keyed_hash(key, text);
    return hash == no_thread_key ? 1 : hash;
}

ThreadForest thread_by_references(std::span<const ThreadedMessage> messages) {
    return Threading(messages).run();
}

ThreadForest thread_by_references_alone(std::span<const ThreadedMessage> messages) {
    return Threading(messages).run_without_subjects();
}

ThreadForest thread_by_subject(std::span<const ThreadedMessage> messages) {
    std::vector<std::uint32_t> order(messages.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, [messages](std::uint32_t left, std::uint32_t right) {
        const ThreadedMessage& a = messages[left];
        const ThreadedMessage& b = messages[right];
        return a.subject != b.subject ? a.subject < b.subject : a.sent < b.sent;
    });
    ThreadForest forest;
    for (const std::uint32_t message : order) {
        const auto node = static_cast<std::uint32_t>(forest.nodes.size());
        forest.nodes.push_back({.message = message, .children = {}});
        const bool begins =
            forest.roots.empty() || messages[*forest.nodes[forest.roots.back()].message].subject !=
                                        messages[message].subject;
        if (begins) {
            forest.roots.push_back(node);
        } else {
            forest.nodes[forest.roots.back()].children.push_back(node);
        }
    }
    // RFC 5256 2.2: of those sent at once the first in the mailbox is in front.
    std::ranges::sort(forest.roots, {}, [&](std::uint32_t root) {
        const std::uint32_t first = *forest.nodes[root].message;
        return std::pair(messages[first].sent, first);
    });
    return forest;
}

std::string write_threads(const ThreadForest& forest, std::span<const std::uint32_t> numbers) {
    std::string out;
    std::vector<Step> steps;
    for (auto root = forest.roots.rbegin(); root != forest.roots.rend(); ++root) {
        steps.push_back({.node = kNone, .text = ")"});
        steps.push_back({.node = *root, .text = "("});
    }
    while (!steps.empty()) {
        const Step step = steps.back();
        steps.pop_back();
        out += step.text;
        if (step.node == kNone) {
            continue;
        }
        const ThreadForest::Node& node = forest.nodes[step.node];
        if (node.message) {
            std::array<char, std::numeric_limits<std::uint32_t>::digits10 + 1> digits{};
            const auto end =
                std::to_chars(digits.data(), digits.data() + digits.size(), numbers[*node.message]);
            out.append(digits.data(), end.ptr);
        }
        if (node.children.size() == 1) {
            steps.push_back({.node = node.children.front(), .text = node.message ? " " : ""});
            continue;
        }
        for (std::size_t i = node.children.size(); i > 0; --i) {
            steps.push_back({.node = kNone, .text = ")"});
            steps.push_back(
                {.node = node.children[i - 1], .text = i == 1 && node.message ? " (" : "("});
        }
    }
    return out;
}

}  // namespace godwit::mail
