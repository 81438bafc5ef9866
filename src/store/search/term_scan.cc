#include "store/search/term_scan.h"

#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/kv/key.h"

namespace godwit::store {
namespace {

/// Terms of one block that match, by their number in it.
class BlockScanView {
public:
    BlockScanView(std::string_view terms, std::string_view piece, TermMatch match)
        : terms_(terms), piece_(piece), match_(match) {}

    /// The number of the next term that matches.
    std::optional<std::size_t> next() {
        while (at_ < terms_.size()) {
            const void* found =
                memmem(terms_.data() + at_, terms_.size() - at_, piece_.data(), piece_.size());
            if (found == nullptr) {
                return std::nullopt;
            }
            const auto hit =
                static_cast<std::size_t>(static_cast<const char*>(found) - terms_.data());
            pass_to(hit);
            const std::size_t end = hit + piece_.size();
            const bool begins = hit == term_begin_;
            const bool ends = terms_[end] == '\0';
            const bool fits =
                match_ == TermMatch::Contains || ((begins || match_ == TermMatch::EndsWith) &&
                                                  (ends || match_ == TermMatch::StartsWith));
            if (fits) {
                at_ = terms_.find('\0', end) + 1;
                const std::size_t number = number_;
                term_begin_ = at_;
                ++number_;
                return number;
            }
            at_ = hit + 1;
        }
        return std::nullopt;
    }

private:
    /// Counts the terms that end before `hit`.
    void pass_to(std::size_t hit) {
        for (;;) {
            const std::size_t end = terms_.find('\0', term_begin_);
            if (end >= hit) {
                return;
            }
            term_begin_ = end + 1;
            ++number_;
        }
    }

    std::string_view terms_;
    std::string_view piece_;
    TermMatch match_;
    std::size_t at_ = 0;
    std::size_t term_begin_ = 0;
    std::size_t number_ = 0;
};

Result<> scan_block(const TermScan& scan, const Cursor& block, std::string_view piece,
                    TermMatch match, EmailSet& emails) {
    const std::string_view terms = TRY(decode_terms(block.value()));
    if (*scan.budget < terms.size()) {
        return temporary_error(ErrorCode::LimitExceeded, "a search looks at too many terms");
    }
    *scan.budget -= terms.size();
    BlockScanView found(terms, piece, match);
    std::optional<std::size_t> number = found.next();
    if (!number) {
        return {};
    }
    const auto row = TRY(scan.snapshot->get(postings_key_of(block.key()), ReadTier::Disk));
    if (!row) {
        return internal_error(ErrorCode::Corrupt, "terms of the search index have no postings");
    }
    const auto postings = TRY(decode_postings(*row));
    for (; number; number = found.next()) {
        if (*number >= postings.size()) {
            return internal_error(ErrorCode::Corrupt, "terms and postings differ in number");
        }
        TRY(read_postings(postings[*number], scan.segment.range, emails));
    }
    return {};
}

Result<> sort_block(const TermScan& scan, const Cursor& block, std::string_view beginning,
                    const std::function<EmailSet*(std::string_view term)>& judge) {
    std::string_view terms = TRY(decode_terms(block.value()));
    if (*scan.budget < terms.size()) {
        return temporary_error(ErrorCode::LimitExceeded, "a search looks at too many terms");
    }
    *scan.budget -= terms.size();
    std::optional<std::string> row;
    std::vector<std::string_view> postings;
    for (std::size_t number = 0; !terms.empty(); ++number) {
        const std::string_view term = terms.substr(0, terms.find('\0'));
        terms.remove_prefix(term.size() + 1);
        EmailSet* const emails = term.starts_with(beginning) ? judge(term) : nullptr;
        if (emails == nullptr) {
            continue;
        }
        if (!row) {
            row = TRY(scan.snapshot->get(postings_key_of(block.key()), ReadTier::Disk));
            if (!row) {
                return internal_error(ErrorCode::Corrupt,
                                      "terms of the search index have no postings");
            }
            postings = TRY(decode_postings(*row));
        }
        if (number >= postings.size()) {
            return internal_error(ErrorCode::Corrupt, "terms and postings differ in number");
        }
        TRY(read_postings(postings[number], scan.segment.range, *emails));
    }
    return {};
}

/// Calls visit(cursor) for each block that may have terms with that beginning, or be the one that
/// `beginning` would be in.
template <class Visit>
Result<> each_block(const TermScan& scan, TermField field, std::string_view beginning,
                    bool is_whole, Visit visit) {
    const std::string prefix = terms_key(scan.account, scan.segment.id, field, "");
    const std::string upper = prefix_end(prefix);
    const auto cursor = scan.snapshot->cursor(ReadTier::Disk, upper);
    // The block that begins at or before it, and those that begin with it.
    cursor->seek_back(terms_key(scan.account, scan.segment.id, field, beginning));
    TRY(cursor->status());
    if (!cursor->is_valid() || !cursor->key().starts_with(prefix)) {
        cursor->seek(prefix);
    }
    for (; cursor->is_valid(); cursor->next()) {
        const std::string_view first = cursor->key().substr(prefix.size());
        if (first > beginning && (is_whole || !first.starts_with(beginning))) {
            break;
        }
        TRY(visit(*cursor));
    }
    return cursor->status();
}

}  // namespace

Result<> sort_terms(const TermScan& scan, TermField field, std::string_view beginning,
                    const std::function<EmailSet*(std::string_view term)>& judge) {
    return each_block(scan, field, beginning, false, [&](const Cursor& block) {
        return sort_block(scan, block, beginning, judge);
    });
}

Result<> find_terms(const TermScan& scan, TermField field, std::string_view piece, TermMatch match,
                    EmailSet& emails) {
    const std::string prefix = terms_key(scan.account, scan.segment.id, field, "");
    const std::string upper = prefix_end(prefix);
    const auto cursor = scan.snapshot->cursor(ReadTier::Disk, upper);
    if (looks_at_all(match)) {
        std::uint32_t blocks = 0;
        for (cursor->seek(prefix); cursor->is_valid(); cursor->next(), ++blocks) {
            TRY(scan_block(scan, *cursor, piece, match, emails));
        }
        TRY(cursor->status());
        return blocks == scan.head->blocks[std::to_underlying(field) - 1U]
                   ? Result<>()
                   : internal_error(ErrorCode::Corrupt, "a segment of the search index lacks rows");
    }
    return each_block(scan, field, piece, match != TermMatch::StartsWith, [&](const Cursor& block) {
        return scan_block(scan, block, piece, match, emails);
    });
}

}  // namespace godwit::store
