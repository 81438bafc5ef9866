// The arguments of GETMETADATA and SETMETADATA. RFC 5464 3.2, 4.2, 4.3, 5.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "wire/imap/lexer.h"
#include "wire/imap/mailbox_name.h"

namespace godwit::imap {

/// Entries that one command may name.
inline constexpr std::size_t metadata_entries_max = 64;
/// Octets of an entry's name.
inline constexpr std::size_t metadata_entry_size_max = 256;

/// Reads the name of an entry and gives it in lower case, as names compare (RFC 5464 3.2). Peer
/// errors: not below /private or /shared, empty levels, wildcards, controls, no ASCII.
Result<std::string> read_metadata_entry(Lexer& lexer);
/// One entry, or several in parentheses.
Result<std::vector<std::string>> read_metadata_entries(Lexer& lexer);

enum class MetadataDepth : std::uint8_t { Zero, One, Infinity };
/// True when `name` is `entry` or below it within `depth`. RFC 5464 4.2.2.
bool is_within(std::string_view name, std::string_view entry, MetadataDepth depth);

struct GetMetadataArguments {
    std::optional<MailboxName> mailbox;  ///< None: the server's.
    std::vector<std::string> entries;    ///< At least one.
    std::optional<std::uint32_t> max_size;
    MetadataDepth depth = MetadataDepth::Zero;
};
/// Takes the options in front of the mailbox, where the grammar has them, and behind it, where the
/// examples have them.
Result<GetMetadataArguments> parse_get_metadata(Lexer& lexer, NameSpelling spelling);

struct SetMetadataArguments {
    std::optional<MailboxName> mailbox;
    /// Name and value; nullopt removes.
    std::vector<std::pair<std::string, std::optional<std::string>>> entries;
};
Result<SetMetadataArguments> parse_set_metadata(Lexer& lexer, NameSpelling spelling);

}  // namespace godwit::imap
