// What a SEARCH asks for: a flat tree of keys. RFC 3501 6.4.4, RFC 3501 9 (search); RFC 6203 7.
// T78: parsed with an explicit stack of at most limits::imap_nesting_max levels, at most
// limits::imap_search_keys_max keys, needles of at most limits::search_needle_size_max octets.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "wire/imap/flags.h"
#include "wire/imap/lexer.h"
#include "wire/imap/search_return.h"
#include "wire/imap/seqset.h"

namespace godwit::imap {

enum class SearchOp : std::uint8_t {
    And,  ///< All children; none at all is true.
    Or,   ///< Any child. "OR a OR b c" is one node with three.
    Not,  ///< Not its one child.
    All,
    SequenceNumbers,  ///< set
    Uids,             ///< set
    Flag,             ///< flag; `wanted` false for UNSEEN and the like.
    Keyword,          ///< text; `wanted` false for UNKEYWORD.
    Recent,           ///< `wanted` false for OLD.
    Header,  ///< name and text; BCC CC FROM SUBJECT TO are headers too. Empty text: present.
    Body,    ///< text
    Text,    ///< text, in header or body
    Before,  ///< day: internal date earlier than that day, UTC.
    On,
    Since,
    SentBefore,  ///< day: by the Date header, without time and zone.
    SentOn,
    SentSince,
    Larger,    ///< number
    Smaller,   ///< number
    UidAfter,  ///< number; RFC 9738 3.2.
    UidBefore,
    ModSeq,  ///< number: at least that; RFC 7162 3.1.5.
    Older,   ///< number: seconds since the internal date, that many or more; RFC 5032 3.
    Younger,
    SavedBefore,  ///< day: of the date it was saved, UTC; RFC 8514 4.3.
    SavedOn,
    SavedSince,
    EmailId,   ///< text: an ObjectID; RFC 8474 6.
    ThreadId,  ///< text
};

/// One node. Nodes stand in prefix order: a node's subtree is [its index, end), its first child is
/// the next index, its next sibling is at `end`.
struct SearchNode {
    SearchOp op = SearchOp::All;
    std::uint32_t end = 0;
    bool wanted = true;
    SystemFlag flag = SystemFlag::Seen;
    std::uint64_t number = 0;
    std::uint32_t set = 0;  ///< Index into SearchProgram::sets.
    std::chrono::sys_days day{};
    std::string name = {};  ///< Header name, as written.
    std::string text = {};  ///< Needle or keyword, UTF-8.
    bool fuzzy = false;     ///< FUZZY is around it. RFC 6203 3.
};

/// A parsed SEARCH. nodes[0] is an And over the keys of the command.
struct SearchProgram {
    std::vector<SearchNode> nodes;
    std::vector<SequenceSet> sets;
    SearchReturns returns{};
    bool has_charset = false;  ///< A CHARSET was named.
    /// Some key needs sequence numbers: RFC 3501 5.5.
    [[nodiscard]] bool uses_sequence_numbers() const;
    /// Some key is MODSEQ: the answer says the highest one found (RFC 7162 3.1.6).
    [[nodiscard]] bool uses_mod_seqs() const;
    /// Some key is FUZZY: only then messages have scores (RFC 6203 4).
    [[nodiscard]] bool is_fuzzy() const;
};

/// All of SEARCH's arguments, from the SP after its name to the end. CHARSET may be US-ASCII or
/// UTF-8 in any case; another gives ErrorCode::Unsupported: answer NO [BADCHARSET (US-ASCII
/// UTF-8)].
Result<SearchProgram> parse_search(Lexer& lexer);

/// The end of SORT and THREAD, from the SP before the charset, which they must name (RFC 5256 5).
Result<SearchProgram> parse_search_criteria(Lexer& lexer);

/// What a key says of a message: Unknown where more must be read first.
enum class Truth : std::uint8_t { No, Yes, Unknown };

/// The program's answer, with leaf(node) -> Truth for each key that is needed for it. Keys after a
/// decided one are not asked. Unknown only if some asked leaf was Unknown and decides. No
/// recursion.
template <class Leaf>
Truth evaluate(const SearchProgram& program, Leaf&& leaf) {
    struct Frame {
        std::uint32_t node;
        Truth value;
    };
    // Nesting is bounded by the parser; one more level for the root.
    Frame stack[2 * limits::imap_nesting_max + 2];
    std::size_t depth = 0;
    std::uint32_t at = 0;
    for (;;) {
        // Go down to a leaf, or to an operator without children.
        const SearchNode& node = program.nodes[at];
        Truth value = Truth::Yes;
        if (node.op == SearchOp::And || node.op == SearchOp::Or || node.op == SearchOp::Not) {
            if (node.end > at + 1) {
                stack[depth++] = {at, node.op == SearchOp::Or ? Truth::No : Truth::Yes};
                ++at;
                continue;
            }
        } else {
            value = leaf(node);
        }
        // Go up as long as what was found ends its parent.
        std::uint32_t next = node.end;
        for (;;) {
            if (depth == 0) {
                return value;
            }
            Frame& frame = stack[depth - 1];
            const SearchNode& parent = program.nodes[frame.node];
            bool decided = false;
            if (parent.op == SearchOp::Not) {
                frame.value = value == Truth::Yes  ? Truth::No
                              : value == Truth::No ? Truth::Yes
                                                   : Truth::Unknown;
            } else {
                const Truth deciding = parent.op == SearchOp::And ? Truth::No : Truth::Yes;
                if (value == deciding) {
                    frame.value = deciding;
                    decided = true;
                } else if (value == Truth::Unknown) {
                    frame.value = Truth::Unknown;
                }
            }
            if (!decided && next < parent.end) {
                at = next;
                break;
            }
            value = frame.value;
            next = parent.end;
            --depth;
        }
    }
}

}  // namespace godwit::imap
