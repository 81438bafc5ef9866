// The MIME structure of a message as a flat tree: parts in order, each knowing its parent.
// RFC 2045, RFC 2046. Offsets are absolute in the stored message. parent < own index, always (T63).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/message/envelope.h"
#include "mail/text/parameter.h"
#include "mail/text/transfer_encoding.h"

namespace godwit::mail {

inline constexpr std::uint32_t kNoParent = std::numeric_limits<std::uint32_t>::max();

struct Part {
    enum class Kind : std::uint8_t {
        /// Anything without parts; also a multipart or message that could not be opened (no
        /// boundary,
        /// no part found, limits): BODYSTRUCTURE shows such a one as application/octet-stream.
        Leaf,
        Multipart,  ///< Has at least one child.
        Message,    ///< message/rfc822 or message/global: exactly one child, and an envelope.
    };
    Kind kind = Kind::Leaf;
    std::uint32_t parent = kNoParent;
    std::uint64_t header_offset = 0;
    std::uint64_t body_offset = 0;
    std::uint64_t body_size =
        0;  ///< Octets as stored (encoded); the line end before a boundary is not in it.
    std::uint64_t lines = 0;  ///< Line ends in the body.

    std::string type = "text";      ///< Lower case; defaults of RFC 2045 5.2 and RFC 2046 5.1.5.
    std::string subtype = "plain";  ///< Lower case.
    std::vector<Parameter>
        parameters;           ///< As written (RFC 2231 not decoded); default has charset us-ascii.
    std::string id;           ///< Content-ID, raw. Empty: NIL. So the following.
    std::string description;  ///< Content-Description, unfolded raw octets.
    TransferEncoding encoding = TransferEncoding::SevenBit;
    std::string encoding_name;  ///< As written when `encoding` is Other, else empty.
    std::string md5;
    std::string disposition;  ///< "attachment", "inline", ...: lower case.
    std::vector<Parameter> disposition_parameters;
    std::vector<std::string> languages;
    std::string location;
    std::optional<Envelope> envelope;  ///< Kind Message only: of the message inside.

    [[nodiscard]] std::uint64_t header_size() const { return body_offset - header_offset; }
    [[nodiscard]] bool is(std::string_view wanted_type, std::string_view wanted_subtype) const {
        return type == wanted_type && subtype == wanted_subtype;
    }
    /// The name a download would have, UTF-8, decoded: filename, else name. nullopt if none.
    [[nodiscard]] std::optional<std::string> file_name() const;
    bool operator==(const Part&) const = default;
};

/// The tree; element 0 is the message itself. Never empty once parsed.
using PartTree = std::vector<Part>;

/// Indices of the children of `index`, in order.
std::vector<std::uint32_t> children_of(const PartTree& parts, std::uint32_t index);

/// The part that an IMAP section number names, e.g. {1,2}; nullopt if there is none (RFC
/// 3501 6.4.5). A message whose root is no multipart has part 1 = its body (the root). Inside a
/// Message part the numbers go on in the message it holds.
std::optional<std::uint32_t> find_section(const PartTree& parts,
                                          const std::vector<std::uint32_t>& numbers);

}  // namespace godwit::mail
