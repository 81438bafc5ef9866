// The rows of an account's search index, and their codecs. Law: docs/storage.md.
// Rows of a segment never change. The state names the segments that count; rows of others are left
// from work that was broken off and go with the next one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "store/kv/kv.h"
#include "store/search/email_set.h"
#include "store/search/postings.h"

namespace godwit::store {

/// Where in an email a term is. The numbers are on disk.
enum class TermField : std::uint8_t {
    Subject = 1,
    From = 2,
    To = 3,
    Cc = 4,
    Bcc = 5,
    OtherHeader = 6,
    HeaderName = 7,
    Body = 8,
};
inline constexpr std::size_t kTermFields = 8;

/// How the index reads and cuts text; another number means that it is made anew. Goes up with each
/// change to what terms a message has.
inline constexpr std::uint32_t kIndexRules = 1;
/// kIndexRules and the version of Unicode in one.
std::uint64_t index_rules();

enum class SegmentId : std::uint32_t {};

struct IndexSegment {
    SegmentId id{};
    EmailRange range;          ///< Those it speaks of: segments' ranges follow each other.
    std::uint32_t emails = 0;  ///< Of these, how many it knows.
    std::uint64_t octets = 0;  ///< Of its rows.
};

/// Row F account: what the index covers.
struct IndexState {
    std::uint64_t rules = 0;
    std::uint32_t next_email = 1;  ///< Emails below are covered.
    std::uint32_t next_segment = 1;
    WallTime cleaned{};                  ///< When emails that are gone were last looked for.
    std::vector<IndexSegment> segments;  ///< By range.
};
std::string encode(const IndexState& state);
Result<IndexState> decode_index_state(std::string_view value);

/// Row F account segment 'd': what there is of a segment.
struct SegmentHead {
    EmailRange range;
    EmailSet emails;
    /// Of these, those that could not be read whole: only the message itself tells.
    EmailSet unsure;
    std::array<std::uint32_t, kTermFields> blocks{};  ///< Rows 't', by field.
};
std::string encode(const SegmentHead& head);
Result<SegmentHead> decode_segment_head(std::string_view value);

/// Row F account segment 't' field term: terms, rising, each with a NUL behind it; the first is in
/// the key.
std::string encode_terms(std::string_view terms);
/// A view into the row.
Result<std::string_view> decode_terms(std::string_view value);
/// Row F account segment 'p' field term: the postings of the terms of the 't' of the same name.
std::string encode_postings(const std::vector<std::string>& postings);
/// Views into the row, one a term.
Result<std::vector<std::string_view>> decode_postings(std::string_view value);

std::string index_state_key(AccountId account);
std::string index_segment_prefix(AccountId account, SegmentId segment);
std::string segment_head_key(AccountId account, SegmentId segment);
std::string terms_key(AccountId account, SegmentId segment, TermField field,
                      std::string_view first_term);
std::string postings_key(AccountId account, SegmentId segment, TermField field,
                         std::string_view first_term);
/// The 'p' to a 't'.
std::string postings_key_of(std::string_view terms_key);
/// Octets of a terms key before its term.
inline constexpr std::size_t kTermsKeyHead = 1 + 4 + 4 + 1 + 1;
/// The segment that a row is of; nullopt for the state's.
std::optional<SegmentId> segment_of(std::string_view key);

/// nullopt: there is none, it is damaged, or made by other rules. All the same: it is to be made.
Result<std::optional<IndexState>> read_index_state(const Snapshot& snapshot, ReadTier tier,
                                                   AccountId account);

}  // namespace godwit::store
