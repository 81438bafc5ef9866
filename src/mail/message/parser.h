// The streaming MIME parser: structure, offsets, sizes and the header, in one pass over each octet.
// RFC 5322 2.1, RFC 2045, RFC 2046 5.1. One parser for delivery, IMAP, JMAP, POP3, filters (T67).
// Memory is bounded whatever comes: header blocks up to limits::header_block_size_max (parts:
// mime_part_header_size_max), the first octets of text for a preview, the part tree. No recursion.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "mail/message/header.h"
#include "mail/message/part.h"

namespace godwit::mail {

struct ParsedMessage {
    std::uint64_t size = 0;         ///< Octets fed.
    std::uint64_t header_size = 0;  ///< With the blank line: where the body begins.
    std::string header;             ///< The raw header block, up to limits::header_block_size_max.
    HeaderIndex index;              ///< Over `header`.
    PartTree parts;                 ///< parts[0] is the message.
    std::string plain_sample;  ///< First raw octets of the first text/plain leaf (not decoded).
    std::string html_sample;   ///< The same of the first text/html leaf.
    std::uint32_t plain_part = kNoParent;  ///< Whose they are.
    std::uint32_t html_part = kNoParent;
    bool truncated = false;  ///< Depth, parts or header limits were passed: structure is partial.
    bool has_8bit = false;   ///< Some octet >= 0x80 was in the message.
    bool header_has_8bit = false;  ///< Some octet >= 0x80 was in the header: SMTPUTF8 content.
};

/// Feed the message in pieces of any size, then finish() once. Any octets are taken; parsing cannot
/// fail. Splitting the input differently never changes the outcome. Movable, not copyable.
class MessageParser {
public:
    MessageParser();
    ~MessageParser();
    MessageParser(MessageParser&&) noexcept;
    MessageParser& operator=(MessageParser&&) noexcept;

    void feed(std::string_view bytes);
    /// Ends the message and gives what was found; the parser is spent.
    ParsedMessage finish();

private:
    class Machine;
    std::unique_ptr<Machine> machine_;
};

/// A whole message at once.
ParsedMessage parse_message(std::string_view bytes);

}  // namespace godwit::mail
