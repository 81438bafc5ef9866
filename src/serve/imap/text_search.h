// Does a stored message hold a text: headers decoded, text parts decoded, case ignored.
// RFC 3501 6.4.4 (BODY, TEXT, HEADER). Synchronous and slow: runs on the offload pool.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "mail/message/summary.h"
#include "serve/imap/message_source.h"

namespace godwit::serve::imap_desk {

/// A needle in the form in which texts are compared.
std::string fold_needle(std::string_view needle);
/// Some field of that name in the header block has `needle` (folded) in its decoded body; with an
/// empty needle: some field of that name is there.
bool has_header_text(std::string_view block, std::string_view name, std::string_view needle);
/// Some field of the block has it, in name or body.
bool has_any_header_text(std::string_view block, std::string_view needle);

/// A stored message being searched. Memory: one window of limits::search_window_size and what it
/// decodes to.
class MessageSearch {
public:
    /// Both outlive it.
    MessageSearch(store::Store* store, const store::MessageRecord* record,
                  const mail::MessageSummary* summary)
        : store_(store), record_(record), summary_(summary) {}

    /// The header with its prefix, read once.
    Result<std::string_view> header();
    /// Some text part has `needle` (folded).
    Result<bool> has_body_text(std::string_view needle);

private:
    Result<bool> has_part_text(const mail::Part& part, std::string_view needle);

    store::Store* store_;
    const store::MessageRecord* record_;
    const mail::MessageSummary* summary_;
    std::string header_;
    bool has_header_ = false;
};

}  // namespace godwit::serve::imap_desk
