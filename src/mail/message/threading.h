// Messages as trees of replies. RFC 5256 3 (BASE.6.4.THREAD). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mail/text/keyed_hash.h"

namespace godwit::mail {

/// An id or a subject, by its keyed_hash(): equal numbers are taken for equal texts. Among a
/// quarter of a million that errs once in 10^9 mailboxes, and nobody without the key can bring it
/// about. Exists so that no text is kept or compared.
using ThreadKey = std::uint64_t;
inline constexpr ThreadKey no_thread_key = 0;
/// Of an id with its brackets, or of a base subject that is folded.
ThreadKey thread_key(HashKey key, std::string_view text);

/// What threading needs to know of a message. All keys are of one HashKey.
struct ThreadedMessage {
    ThreadKey id = no_thread_key;
    std::vector<ThreadKey> references;  ///< References, or else the first of In-Reply-To.
    ThreadKey subject = no_thread_key;  ///< Of the base subject; none where that is empty.
    bool is_reply = false;              ///< By its subject.
    std::int64_t sent = 0;              ///< Unix seconds; the internal date where it has none.
    std::int64_t arrived = 0;           ///< Unix seconds: the internal date.
};

/// Trees of messages, by index. A node without a message is a parent that is not among them; only
/// roots are without.
struct ThreadForest {
    struct Node {
        std::optional<std::uint32_t> message;
        std::vector<std::uint32_t> children;  ///< Nodes.
    };
    std::vector<Node> nodes;
    std::vector<std::uint32_t> roots;
};

/// A link that would make a thread deeper than this, as the search for loops sees it, is not made.
inline constexpr std::size_t thread_depth_max = 1000;
/// Steps of that search in all: some tenths of a second. Past it no further reference is followed.
inline constexpr std::size_t thread_steps_max = 100'000'000;

/// REFERENCES. `messages` are in the order of the mailbox.
ThreadForest thread_by_references(std::span<const ThreadedMessage> messages);
/// REFS: the same, but equal subjects bring no threads together, and the thread that mail came to
/// last is the last. Its draft (draft-ietf-morg-inthread) was not at hand; this is what servers and
/// clients that know it say of it.
ThreadForest thread_by_references_alone(std::span<const ThreadedMessage> messages);
/// ORDEREDSUBJECT.
ThreadForest thread_by_subject(std::span<const ThreadedMessage> messages);

/// "(2)(3 6 (4 23)(44 7 96))" with numbers[i] for message i. RFC 5256 4 (BASE.7.2.THREAD).
std::string write_threads(const ThreadForest& forest, std::span<const std::uint32_t> numbers);

}  // namespace godwit::mail
