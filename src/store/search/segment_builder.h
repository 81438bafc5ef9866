// Gathers the terms of emails in memory until they become a segment.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

#include "store/search/segment_writer.h"

namespace godwit::store {

/// The caller looks at memory() between emails and ends in time.
class SegmentBuilder {
public:
    /// Emails from `first` on.
    explicit SegmentBuilder(std::uint32_t first) : first_(first) {}

    /// Rising. What follows is of this email.
    void begin_email(EmailId email);
    /// `folded` by fold_for_search.
    void add_text(TermField field, std::string_view folded);
    /// The email could not be read whole.
    void mark_unsure() { unsure_.add(email_); }

    [[nodiscard]] bool is_empty() const { return emails_.is_empty(); }
    /// Octets, about.
    [[nodiscard]] std::size_t memory() const { return memory_; }
    /// Makes the segment of all emails from the first to `last`; this is empty then.
    [[nodiscard]] IndexSegment write(AccountId account, SegmentId id, std::uint32_t last,
                                     std::vector<Batch::Entry>& rows);

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>()(text);
        }
    };
    std::uint32_t first_;
    std::uint32_t email_ = 0;
    /// By field and term.
    std::unordered_map<std::string, PostingsWriter, Hash, std::equal_to<>> terms_;
    std::string scratch_;
    EmailSet emails_;
    EmailSet unsure_;
    std::size_t memory_ = 0;
};

}  // namespace godwit::store
