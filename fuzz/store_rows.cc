// Every decoder of the store's rows: any payload under a good seal gives a value or an Error, and a
// value that is encoded and decoded again stays what it is. The first octet chooses the decoder.
#include <cstddef>
#include <cstdint>
#include <string>

#include "store/directory/address_keys.h"
#include "store/directory/schema.h"
#include "store/kv/record.h"
#include "store/mailbox/schema.h"
#include "store/queue/queue.h"
#include "store/search/postings.h"
#include "store/search/rows.h"

namespace {
using namespace godwit;
using namespace godwit::store;

template <class Decode, class Encode>
void round_trip(const std::string& value, Decode decode, Encode encode_again) {
    const auto decoded = decode(value);
    if (!decoded) {
        return;
    }
    const std::string again = encode_again(*decoded);
    const auto twice = decode(again);
    check(twice.has_value(), "what was encoded must decode");
    check(encode_again(*twice) == again, "encoding must be stable");
}

constexpr auto kEncode = [](const auto& value) { return encode(value); };

// Postings have no seal of their own: the payload is what stands behind it.
void read_runs(const std::string& value) {
    const auto payload = open_record(value);
    if (!payload) {
        return;
    }
    constexpr EmailRange kRange{10, 5000};
    std::uint64_t behind = kRange.first;
    const Result<> read =
        each_run(payload->payload, kRange, [&](std::uint32_t first, std::uint32_t size) {
            check(first >= behind && size > 0, "runs rise");
            behind = std::uint64_t{first} + size;
            check(behind <= std::uint64_t{kRange.last} + 1, "no email is outside the segment");
        });
    (void)read;
}

void run(std::uint8_t kind, const std::string& value) {
    switch (kind) {
        case 0: return round_trip(value, decode_head, kEncode);
        case 1: return round_trip(value, decode_fixed, kEncode);
        case 2: return round_trip(value, decode_counters, kEncode);
        case 3:
            return round_trip(
                value, [](std::string_view v) { return decode_row(Uid(1), v); }, kEncode);
        case 4: return round_trip(value, decode_email, kEncode);
        case 5: return round_trip(value, decode_places, kEncode);
        case 6:
            return round_trip(
                value, [](std::string_view v) { return decode_log(ModSeq(1), v); }, kEncode);
        case 7: return round_trip(value, decode_thread_reference, kEncode);
        case 8: return round_trip(value, decode_keywords, encode_keywords);
        case 9:
            return round_trip(
                value, [](std::string_view v) { return decode_trace(MailId(1), v); }, kEncode);
        case 10: return round_trip(value, decode_once, kEncode);
        case 11: return round_trip(value, decode_domain, kEncode);
        case 12: return round_trip(value, decode_account, kEncode);
        case 13: return round_trip(value, decode_alias, kEncode);
        case 14: return round_trip(value, decode_queue_message, kEncode);
        case 15: return round_trip(value, decode_queue_delivery, kEncode);
        case 16: return round_trip(value, decode_address_keys, kEncode);
        case 17: return round_trip(value, decode_index_state, kEncode);
        case 18: return round_trip(value, decode_segment_head, kEncode);
        case 19:
            return round_trip(
                value,
                [](std::string_view v) -> Result<std::string> {
                    return std::string(TRY(decode_terms(v)));
                },
                encode_terms);
        case 20:
            return round_trip(
                value,
                [](std::string_view v) -> Result<std::vector<std::string>> {
                    const std::vector<std::string_view> views = TRY(decode_postings(v));
                    return std::vector<std::string>(views.begin(), views.end());
                },
                encode_postings);
        case 21: return read_runs(value);
        default: (void)decode_email_head(value);
    }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(bytes), size);
    if (input.empty()) {
        return 0;
    }
    run(bytes[0], seal(1, input.substr(1)));
    // Deliveries of crashes, and what came with an SMTP extension.
    run(bytes[0], seal(2, input.substr(1)));
    run(bytes[0], seal(3, input.substr(1)));
    run(bytes[0], std::string(input.substr(1)));
    (void)parse_due_key(input);
    (void)parse_link_key(input);
    (void)mailbox_name(input);
    return 0;
}
