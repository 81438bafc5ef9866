#include "store/search/rows.h"

#include <utility>

#include "base/bytes.h"
#include "mail/text/charset.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"

namespace godwit::store {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr char kHead = 'd';
constexpr char kTerms = 't';
constexpr char kPostings = 'p';
constexpr std::size_t kKindAt = 1 + 4 + 4;
// Merges keep them below fifty.
constexpr std::size_t kSegmentsMax = 4096;

std::string postings_of(const EmailSet& emails, EmailRange range) {
    PostingsWriter writer(range.first);
    emails.each([&](std::uint32_t email) { writer.add(email); });
    return std::move(writer).take();
}

void write_range(ByteWriter& out, EmailRange range) {
    out.u32(range.first).u32(range.last);
}
Result<EmailRange> read_range(ByteReader& in) {
    EmailRange range;
    range.first = in.u32();
    range.last = in.u32();
    if (!in.ok() || range.first > range.last) {
        return internal_error(ErrorCode::Corrupt, "a segment's emails end before they begin");
    }
    return range;
}

}  // namespace

std::uint64_t index_rules() {
    return std::uint64_t{kIndexRules} << 32 | mail::unicode_version();
}

std::string encode(const IndexState& state) {
    ByteWriter out = begin_record(kVersion);
    out.varint(state.rules).varint(state.next_email).varint(state.next_segment);
    out.svarint(unix_seconds(state.cleaned)).varint(state.segments.size());
    for (const IndexSegment& segment : state.segments) {
        out.u32(std::to_underlying(segment.id));
        write_range(out, segment.range);
        out.varint(segment.emails).varint(segment.octets);
    }
    return seal(std::move(out));
}

Result<IndexState> decode_index_state(std::string_view value) {
    ByteReader in = TRY(read_record(value, kVersion, "index state"));
    IndexState state;
    state.rules = in.varint();
    state.next_email = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    state.next_segment = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    constexpr std::int64_t kYear9999 = 253'402'300'799;
    const std::int64_t cleaned = in.svarint();
    if (cleaned < 0 || cleaned > kYear9999) {
        return internal_error(ErrorCode::Corrupt, "index state: a time that is none");
    }
    state.cleaned = WallTime(std::chrono::seconds(cleaned));
    const std::uint64_t count = in.varint_at_most(kSegmentsMax);
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        IndexSegment segment;
        segment.id = SegmentId(in.u32());
        segment.range = TRY(read_range(in));
        segment.emails = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
        segment.octets = in.varint();
        const bool is_next =
            state.segments.empty() || state.segments.back().range.last < segment.range.first;
        if (!is_next || segment.range.last >= state.next_email ||
            std::to_underlying(segment.id) >= state.next_segment) {
            return internal_error(ErrorCode::Corrupt, "index state: segments in disorder");
        }
        state.segments.push_back(segment);
    }
    TRY(in.finish("index state"));
    return state;
}

std::string encode(const SegmentHead& head) {
    ByteWriter out = begin_record(kVersion);
    write_range(out, head.range);
    out.bytes(postings_of(head.emails, head.range));
    out.bytes(postings_of(head.unsure, head.range));
    for (const std::uint32_t blocks : head.blocks) {
        out.varint(blocks);
    }
    return seal(std::move(out));
}

Result<SegmentHead> decode_segment_head(std::string_view value) {
    ByteReader in = TRY(read_record(value, kVersion, "segment head"));
    SegmentHead head;
    head.range = TRY(read_range(in));
    TRY(read_postings(in.bytes(), head.range, head.emails));
    TRY(read_postings(in.bytes(), head.range, head.unsure));
    for (std::uint32_t& blocks : head.blocks) {
        blocks = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    }
    TRY(in.finish("segment head"));
    return head;
}

std::string encode_terms(std::string_view terms) {
    return seal(kVersion, terms);
}

Result<std::string_view> decode_terms(std::string_view value) {
    const OpenedView record = TRY(open_record(value));
    if (record.version != kVersion || record.payload.empty() || record.payload.back() != '\0') {
        return internal_error(ErrorCode::Corrupt, "terms without an end");
    }
    return record.payload;
}

std::string encode_postings(const std::vector<std::string>& postings) {
    ByteWriter out = begin_record(kVersion);
    out.varint(postings.size());
    for (const std::string& one : postings) {
        out.varint(one.size());
    }
    for (const std::string& one : postings) {
        out.raw(one);
    }
    return seal(std::move(out));
}

Result<std::vector<std::string_view>> decode_postings(std::string_view value) {
    ByteReader in = TRY(read_record(value, kVersion, "postings"));
    const std::uint64_t count = in.varint_at_most(in.remaining());
    std::vector<std::size_t> sizes;
    sizes.reserve(count);
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        sizes.push_back(in.varint_at_most(value.size()));
    }
    std::vector<std::string_view> postings;
    postings.reserve(sizes.size());
    for (const std::size_t size : sizes) {
        postings.push_back(in.raw(size));
    }
    TRY(in.finish("postings"));
    return postings;
}

std::string index_state_key(AccountId account) {
    return account_prefix(Family::SearchIndex, account);
}
std::string index_segment_prefix(AccountId account, SegmentId segment) {
    return make_key(static_cast<char>(Family::SearchIndex), account, std::to_underlying(segment));
}
std::string segment_head_key(AccountId account, SegmentId segment) {
    return index_segment_prefix(account, segment) + kHead;
}
namespace {
std::string block_key(AccountId account, SegmentId segment, char kind, TermField field,
                      std::string_view term) {
    std::string key = index_segment_prefix(account, segment) + kind;
    key.push_back(static_cast<char>(std::to_underlying(field)));
    key.append(term);
    return key;
}
}  // namespace
std::string terms_key(AccountId account, SegmentId segment, TermField field,
                      std::string_view first_term) {
    return block_key(account, segment, kTerms, field, first_term);
}
std::string postings_key(AccountId account, SegmentId segment, TermField field,
                         std::string_view first_term) {
    return block_key(account, segment, kPostings, field, first_term);
}
std::string postings_key_of(std::string_view terms_key) {
    std::string key(terms_key);
    key[kKindAt] = kPostings;
    return key;
}
std::optional<SegmentId> segment_of(std::string_view key) {
    return key.size() < kKindAt ? std::nullopt
                                : std::optional(SegmentId(ByteReader(key.substr(1 + 4)).u32()));
}

Result<std::optional<IndexState>> read_index_state(const Snapshot& snapshot, ReadTier tier,
                                                   AccountId account) {
    const std::string key = index_state_key(account);
    const auto row = TRY(snapshot.get(key, tier));
    auto state = row ? TRY(if_sound(key, decode_index_state(*row))) : std::nullopt;
    if (state && state->rules != index_rules()) {
        state.reset();
    }
    return state;
}

}  // namespace godwit::store
