// Does a stored message hold a text: headers decoded, text parts decoded, case ignored.
// RFC 3501 6.4.4 (BODY, TEXT, HEADER); RFC 6203 3. Synchronous and slow: runs on the offload pool.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "mail/message/summary.h"
#include "mail/text/fuzzy.h"
#include "serve/imap/message_source.h"
#include "store/search/ask.h"

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
    /// How near the words of a needle are found in that place; the name with Header only.
    Result<mail::FuzzyTally> tally(store::IndexedPlace place, std::string_view header_name,
                                   const mail::FuzzyNeedle& needle, const mail::Stemmers& stemmers);

private:
    /// Calls look(folded text) for each piece of a part until it says true; what is no longer than
    /// `overlap` octets is whole in some piece.
    template <class Look>
    Result<bool> look_through(const mail::Part& part, std::size_t overlap, Look&& look);

    store::Store* store_;
    const store::MessageRecord* record_;
    const mail::MessageSummary* summary_;
    std::string header_;
    bool has_header_ = false;
};

}  // namespace godwit::serve::imap_desk
