// MTA-STS: the record, the policy, and what of it is stored.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "flow/outbound/sts.h"
#include "store/kv/record.h"

using namespace godwit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(bytes), size);
    static_cast<void>(flow::parse_sts_record({std::string(input)}));
    if (const auto policy = flow::parse_sts_policy(input)) {
        // A policy that is taken comes back from its row.
        flow::StsRow row;
        row.id = "1";
        row.policy = *policy;
        const auto again = flow::decode_sts_row(flow::encode(row));
        if (!again || *again != row) {
            std::abort();
        }
        static_cast<void>(flow::lists_host(*policy, input.substr(0, 255)));
    }
    static_cast<void>(flow::decode_sts_row(store::seal(1, input)));
    return 0;
}
