// Dates: what parses is written as the same moment.
#include "input.h"
#include "mail/text/date.h"

using namespace godwit;
using namespace godwit::mail;

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const auto date = parse_date(fuzz::as_text(bytes, size));
    if (!date) {
        return 0;
    }
    const CivilTime civil = to_civil(date->unix_seconds);
    check(from_civil(civil) == date->unix_seconds, "calendar arithmetic is wrong");
    if (civil.year >= 1900 && civil.year < 9999) {
        check(parse_date(format_date(date->unix_seconds, date->offset_minutes)) == date,
              "a date changed when written");
    }
    return 0;
}
