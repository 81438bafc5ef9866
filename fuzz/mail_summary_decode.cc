// Stored summaries: any bytes give an error, or a summary that its readers can walk.
#include "input.h"
#include "mail/message/summary.h"

using namespace godwit;
using namespace godwit::mail;

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const auto summary = MessageSummary::decode(fuzz::as_text(bytes, size));
    if (!summary) {
        return 0;
    }
    (void)summary->envelope();
    (void)summary->references();
    for (std::uint32_t i = 0; i < summary->parts.size(); ++i) {
        (void)children_of(summary->parts, i);
        (void)summary->parts[i].file_name();
    }
    (void)find_section(summary->parts, {1, 1, 1});
    const auto again = MessageSummary::decode(summary->encode());
    check(again && again->parts == summary->parts, "a decoded summary changed when written again");
    return 0;
}
