// TLS reports: the record that asks for them, its URIs, and what of counts is stored.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "flow/report/tls_report_row.h"
#include "mail/report/tls_report_record.h"
#include "store/kv/record.h"

using namespace godwit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string input(reinterpret_cast<const char*>(bytes), size);
    const auto uris = mail::parse_tls_report_record({input});
    if (uris.size() > mail::tls_report_places_max) {
        std::abort();
    }
    for (const std::string& uri : uris) {
        // What is sent in a request line breaks none.
        const auto place = mail::parse_tls_report_place(uri);
        if (!place || place->path.find_first_of(" \r\n") != std::string::npos) {
            std::abort();
        }
    }
    static_cast<void>(mail::parse_tls_report_place(input));
    if (const auto row = flow::decode_tls_report_row(store::seal(1, input))) {
        const auto again = flow::decode_tls_report_row(flow::encode(*row));
        if (!again || *again != *row) {
            std::abort();
        }
    }
    return 0;
}
