// What the mail room remembers of a message, so that lists never open the body: the headers that
// clients ask for, the MIME tree, dates, a preview (docs/storage.md, metadata record).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mail/message/envelope.h"
#include "mail/message/parser.h"
#include "mail/message/part.h"
#include "mail/text/date.h"

namespace godwit::mail {

/// Whether fields of that name are kept in MessageSummary::headers (any case).
bool is_hot_header(std::string_view name);

struct MessageSummary {
    std::uint64_t size = 0;         ///< Octets of the message.
    std::uint64_t header_size = 0;  ///< With the blank line.
    std::optional<DateTime> sent;   ///< Date field, if it is a date.
    bool has_attachment = false;
    bool structure_truncated = false;  ///< Parser limits were passed.
    /// Some hot header did not fit (limits::summary_headers_size_max) or was not indexed: read the
    /// header from the message instead of `headers` (its first header_size octets).
    bool headers_truncated = false;
    bool header_has_8bit = false;  ///< RFC 6532 header: UTF8 clients only get it as it is.
    std::string headers;  ///< The hot fields, raw, in order, each with its line end; no blank line.
    PartTree parts;       ///< parts[0] is the message.
    std::string preview;  ///< UTF-8, one line, at most limits::preview_size_max code points.

    /// Over `headers`, for lookups. Cheap: about one memchr a line.
    [[nodiscard]] HeaderIndex index() const { return split_header(headers); }
    [[nodiscard]] Envelope envelope() const { return read_envelope(headers, index()); }
    /// With angle brackets; empty if there is none.
    [[nodiscard]] std::string message_id() const;
    /// References, then In-Reply-To ids that are not among them; at most limits::references_max.
    [[nodiscard]] std::vector<std::string> references() const;

    /// Binary, versioned, compact. No checksum: the store adds it.
    [[nodiscard]] std::string encode() const;
    /// Total: any bytes give a valid summary or a Corrupt error.
    static Result<MessageSummary> decode(std::string_view record);
};

/// An encoded summary, looked at where it lies: `record` must outlive it.
class SummaryView {
public:
    /// Corrupt where the head cannot be one of ours; the parts are not looked at.
    static Result<SummaryView> open(std::string_view record);
    std::uint64_t size = 0;
    std::uint64_t header_size = 0;
    std::optional<DateTime> sent;
    bool has_attachment = false;
    bool structure_truncated = false;
    bool headers_truncated = false;
    bool header_has_8bit = false;
    std::string_view headers;
    std::string_view preview;
    /// Decodes the tree. Total, as MessageSummary::decode().
    [[nodiscard]] Result<PartTree> parts() const;

private:
    std::uint64_t part_count_ = 0;
    std::string_view encoded_parts_;
};

/// From a parse. Linear in the header and the samples.
MessageSummary summarize(const ParsedMessage& message);

}  // namespace godwit::mail
