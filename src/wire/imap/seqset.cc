#include "wire/imap/seqset.h"

#include <algorithm>
#include <limits>

#include "base/ascii.h"
#include "base/limits.h"

namespace godwit::imap {

namespace {

void append_range(std::string& out, std::uint32_t first, std::uint32_t last) {
    if (!out.empty()) {
        out.push_back(',');
    }
    out.append(std::to_string(first));
    if (last != first) {
        out.push_back(':');
        out.append(std::to_string(last));
    }
}

}  // namespace

NumberSet NumberSet::from_ranges(std::vector<NumberRange> ranges) {
    for (NumberRange& range : ranges) {
        if (range.first > range.last) {
            std::swap(range.first, range.last);
        }
        range.first = std::max<std::uint32_t>(range.first, 1);
    }
    std::erase_if(ranges, [](const NumberRange& range) { return range.last == 0; });
    std::ranges::sort(ranges, {}, &NumberRange::first);
    NumberSet out;
    for (const NumberRange& range : ranges) {
        // 64 bits: the number after 2^32-1 must not be 0 (T78).
        if (!out.ranges_.empty() && range.first <= std::uint64_t{out.ranges_.back().last} + 1) {
            out.ranges_.back().last = std::max(out.ranges_.back().last, range.last);
        } else {
            out.ranges_.push_back(range);
        }
    }
    return out;
}

void NumberSet::add(std::uint32_t first, std::uint32_t last) {
    if (first > last) {
        std::swap(first, last);
    }
    if (last == 0) {
        return;
    }
    first = std::max<std::uint32_t>(first, 1);
    // The first range that touches or follows what is added, and the first one beyond it.
    const auto begin = std::ranges::lower_bound(
        ranges_, std::uint64_t{first}, {},
        [](const NumberRange& range) { return std::uint64_t{range.last} + 1; });
    auto end = begin;
    while (end != ranges_.end() && end->first <= std::uint64_t{last} + 1) {
        first = std::min(first, end->first);
        last = std::max(last, end->last);
        ++end;
    }
    if (begin == end) {
        ranges_.insert(begin, {first, last});
        return;
    }
    *begin = {first, last};
    ranges_.erase(begin + 1, end);
}

bool NumberSet::contains(std::uint32_t number) const {
    const auto at = std::ranges::lower_bound(ranges_, number, {}, &NumberRange::last);
    return at != ranges_.end() && at->first <= number && number != 0;
}

std::uint64_t NumberSet::count() const {
    std::uint64_t out = 0;
    for (const NumberRange& range : ranges_) {
        out += std::uint64_t{range.last} - range.first + 1;
    }
    return out;
}

NumberSet NumberSet::united(const NumberSet& other) const {
    std::vector<NumberRange> all = ranges_;
    all.insert(all.end(), other.ranges_.begin(), other.ranges_.end());
    return from_ranges(std::move(all));
}

NumberSet NumberSet::intersected(const NumberSet& other) const {
    NumberSet out;
    std::size_t a = 0;
    std::size_t b = 0;
    while (a < ranges_.size() && b < other.ranges_.size()) {
        const NumberRange& left = ranges_[a];
        const NumberRange& right = other.ranges_[b];
        const std::uint32_t first = std::max(left.first, right.first);
        const std::uint32_t last = std::min(left.last, right.last);
        if (first <= last) {
            out.ranges_.push_back({first, last});
        }
        if (left.last < right.last) {
            ++a;
        } else {
            ++b;
        }
    }
    return out;
}

NumberSet NumberSet::without(const NumberSet& other) const {
    NumberSet out;
    std::size_t b = 0;
    for (const NumberRange& range : ranges_) {
        std::uint64_t from = range.first;
        while (b < other.ranges_.size() && other.ranges_[b].last < from) {
            ++b;
        }
        std::size_t at = b;
        while (at < other.ranges_.size() && other.ranges_[at].first <= range.last) {
            if (other.ranges_[at].first > from) {
                out.ranges_.push_back(
                    {static_cast<std::uint32_t>(from), other.ranges_[at].first - 1});
            }
            from = std::uint64_t{other.ranges_[at].last} + 1;
            ++at;
        }
        b = at > b ? at - 1 : b;  // The last one may reach into the next range.
        if (from <= range.last) {
            out.ranges_.push_back({static_cast<std::uint32_t>(from), range.last});
        }
    }
    return out;
}

std::string NumberSet::to_string() const {
    std::string out;
    for (const NumberRange& range : ranges_) {
        append_range(out, range.first, range.last);
    }
    return out;
}

Result<SequenceSet> SequenceSet::parse(std::string_view text) {
    const auto number = [](std::string_view word) -> Result<std::uint64_t> {
        if (word == "*") {
            return kStar;
        }
        const auto value = parse_u32(word);
        if (!value || *value == 0) {
            return peer_error(ErrorCode::Invalid, "Expected a sequence set");
        }
        return std::uint64_t{*value};
    };
    SequenceSet out;
    if (text == "$") {
        return out;
    }
    std::size_t at = 0;
    for (;;) {
        if (out.members_.size() == limits::imap_sequence_ranges_max) {
            return peer_error(ErrorCode::LimitExceeded, "Too many members in a sequence set");
        }
        const std::size_t comma = std::min(text.find(',', at), text.size());
        const std::string_view member = text.substr(at, comma - at);
        const std::size_t colon = member.find(':');
        const std::uint64_t first = TRY(number(member.substr(0, colon)));
        const std::uint64_t last =
            colon == std::string_view::npos ? first : TRY(number(member.substr(colon + 1)));
        out.members_.push_back({first, last});
        if (comma == text.size()) {
            return out;
        }
        at = comma + 1;
    }
}

NumberSet SequenceSet::resolve(std::uint32_t largest) const {
    std::vector<NumberRange> ranges;
    ranges.reserve(members_.size());
    const auto value = [largest](std::uint64_t number) {
        return number == kStar ? largest : static_cast<std::uint32_t>(number);
    };
    for (const Member& member : members_) {
        if (largest == 0 && (member.first == kStar || member.last == kStar)) {
            continue;
        }
        ranges.push_back({value(member.first), value(member.last)});
    }
    return NumberSet::from_ranges(std::move(ranges));
}

std::uint32_t SequenceSet::largest_written() const {
    std::uint64_t out = 0;
    for (const Member& member : members_) {
        for (const std::uint64_t number : {member.first, member.last}) {
            if (number != kStar) {
                out = std::max(out, number);
            }
        }
    }
    return static_cast<std::uint32_t>(out);
}

bool SequenceSet::has_star() const {
    return std::ranges::any_of(members_, [](const Member& member) {
        return member.first == kStar || member.last == kStar;
    });
}

bool SequenceSet::is_ascending() const {
    std::uint64_t last = 0;
    for (const Member& member : members_) {
        if (member.first <= last || member.last < member.first) {
            return false;
        }
        last = member.last;
    }
    return last != kStar;
}

std::string write_uid_set(std::span<const Uid> uids) {
    std::string out;
    std::size_t at = 0;
    while (at < uids.size()) {
        std::size_t last = at;
        while (last + 1 < uids.size() &&
               uids[last + 1].value() == std::uint64_t{uids[last].value()} + 1) {
            ++last;
        }
        append_range(out, uids[at].value(), uids[last].value());
        at = last + 1;
    }
    return out;
}

}  // namespace godwit::imap
