#include "serve/admin/quota.h"

#include "base/ascii.h"

namespace godwit::serve {

namespace {
constexpr std::uint64_t kMost = 1ULL << 62;

Result<std::uint64_t> read_size(const AdminArguments& arguments, const std::string& name,
                                std::uint64_t before) {
    if (!arguments.has(name)) {
        return before;
    }
    const std::string text = arguments.text_or(name, "");
    struct Suffix {
        std::string_view word;
        std::uint64_t factor;
    };
    constexpr Suffix kSuffixes[] = {{"gib", 1ULL << 30}, {"mib", 1ULL << 20}, {"kib", 1ULL << 10}};
    std::string lower = to_lower(trim(text));
    std::uint64_t factor = 1;
    for (const Suffix& suffix : kSuffixes) {
        if (lower.ends_with(suffix.word)) {
            factor = suffix.factor;
            lower.resize(lower.size() - suffix.word.size());
        }
    }
    const auto number = parse_u64(trim(lower));
    if (!number || *number > kMost / factor) {
        return peer_error(ErrorCode::Invalid,
                          name + ": expected a size such as \"2 GiB\", found \"" + text + "\"");
    }
    return *number * factor;
}

Result<std::uint64_t> read_count(const AdminArguments& arguments, const std::string& name,
                                 std::uint64_t before) {
    if (!arguments.has(name)) {
        return before;
    }
    const std::string text = arguments.text_or(name, "");
    const auto number = parse_u64(trim(text));
    if (!number || *number > kMost) {
        return peer_error(ErrorCode::Invalid, name + ": expected a number, found \"" + text + "\"");
    }
    return *number;
}
}  // namespace

Result<store::Quota> read_quota(const AdminArguments& arguments, std::string_view prefix,
                                store::Quota before) {
    const std::string name = std::string(prefix) + "quota";
    before.bytes = TRY(read_size(arguments, name, before.bytes));
    before.messages = TRY(read_count(arguments, name + "_messages", before.messages));
    before.mailboxes = TRY(read_count(arguments, name + "_mailboxes", before.mailboxes));
    return before;
}

}  // namespace godwit::serve
