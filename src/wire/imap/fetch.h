// What a FETCH asks for. RFC 3501 6.4.5, RFC 3501 9 (fetch); RFC 4466 2.4 (modifiers);
// RFC 7162 3.1.4, 3.2.6; RFC 9394 3.3.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "wire/imap/lexer.h"
#include "wire/imap/partial_range.h"
#include "wire/imap/section.h"
#include "wire/imap/seqset.h"

namespace godwit::imap {

/// <origin.count>: octets of a section, count at least 1. RFC 9051 9 (partial): 63 bits.
struct Partial {
    std::uint64_t origin = 0;
    std::uint64_t count = 1;
    bool operator==(const Partial&) const = default;
};

/// How an item was named, which is how its answer is named.
enum class BodyItemName : std::uint8_t {
    Body,          ///< BODY[section]; sets \Seen unless peek.
    Rfc822,        ///< RFC822: as BODY[].
    Rfc822Header,  ///< RFC822.HEADER: as BODY.PEEK[HEADER].
    Rfc822Text,    ///< RFC822.TEXT: as BODY[TEXT].
    Binary,        ///< BINARY[part]: decoded; RFC 3516 4.2.
    BinarySize,    ///< BINARY.SIZE[part]: how many octets that is.
};

/// One piece of a message to send.
struct BodyItem {
    BodyItemName name = BodyItemName::Body;
    Section section;
    bool peek = false;  ///< Does not set \Seen.
    std::optional<Partial> partial;
    bool operator==(const BodyItem&) const = default;
};

/// Everything asked of each message. Macros are resolved; repeated items are held once.
struct FetchAttributes {
    bool uid = false;
    bool flags = false;
    bool internal_date = false;
    bool size = false;       ///< RFC822.SIZE
    bool mod_seq = false;    ///< RFC 7162 3.1.4.2.
    bool save_date = false;  ///< RFC 8514 4.2.
    bool email_id = false;   ///< RFC 8474 5.3.
    bool thread_id = false;
    bool preview = false;  ///< RFC 8970 3; LAZY or not: it is always at hand.
    bool envelope = false;
    bool body = false;  ///< BODY without a section: structure without extension data.
    bool body_structure = false;
    std::vector<BodyItem> bodies;  ///< At most limits::imap_fetch_items_max.

    /// Some item sets \Seen.
    [[nodiscard]] bool sets_seen() const;
};

/// What stands in parentheses behind the attributes. RFC 4466 2.4.
struct FetchModifiers {
    std::optional<std::uint64_t> changed_since;  ///< RFC 7162 3.1.4.1; 0 is all (Q2).
    bool vanished = false;                       ///< RFC 7162 3.2.6.
    std::optional<PartialRange> partial;         ///< RFC 9394 3.3.
};

struct FetchArguments {
    SequenceSet set;
    FetchAttributes attributes;
    FetchModifiers modifiers;
};

/// All of FETCH's arguments, from the SP after its name to the end.
Result<FetchArguments> parse_fetch(Lexer& lexer);
/// The attributes alone: a macro, one item, or a list in parentheses.
Result<FetchAttributes> read_fetch_attributes(Lexer& lexer);

}  // namespace godwit::imap
