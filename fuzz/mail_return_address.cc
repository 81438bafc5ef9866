// Return addresses (SRS, BATV) and the authors of a domain that has moved: what was signed comes
// back, what was not does not; a header keeps everything but the domain.
#include "input.h"
#include "mail/address/batv.h"
#include "mail/address/srs.h"
#include "mail/message/author_rewrite.h"

#include <vector>

using namespace godwit;
using namespace godwit::mail;

namespace {
constexpr std::int64_t kNow = 1'700'000'000;
const std::vector<std::string> kKeys = {"secret"};

void run_address(std::string_view text) {
    const Address given{.local = std::string(text), .domain = "us.test"};
    (void)srs_reverse(given, kKeys, kNow);
    (void)batv_holds(given, kKeys, kNow);
    const auto address = parse_address(text);
    if (!address) {
        return;
    }
    if (const auto ours = srs_rewrite(*address, "us.test", "secret", kNow)) {
        const auto back = srs_reverse(*ours, kKeys, kNow);
        check(back.has_value() || is_srs(address->local), "a signed sender does not come back");
        check(!back || is_srs(address->local) || *back == *address, "another sender comes back");
        const auto parsed = parse_address(ours->to_string());
        check(parsed && *parsed == *ours, "a rewritten sender is no address");
    }
    if (const auto tagged = batv_tag(*address, "secret", kNow)) {
        check(batv_holds(*tagged, kKeys, kNow), "our own tag does not hold");
        check(batv_untag(*tagged) == *address, "a tag is not taken off");
    }
}
}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text = fuzz::as_text(bytes, size);
    run_address(text);
    const std::vector<DomainMove> moves = {{.from = "old.test", .to = "new.test"}};
    const std::vector<DomainMove> none = {{.from = "old.test", .to = "old.test"}};
    const std::string moved = move_author_domains(text, moves);
    check(moved.size() <= text.size(), "the new domain is no longer than the old one");
    check(move_author_domains(moved, moves) == moved, "moving twice is moving once");
    (void)move_author_domains(text, none);
    return 0;
}
