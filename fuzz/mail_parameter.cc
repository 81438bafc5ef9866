// Parameters: bounded; what we write reads back as the same value.
#include "mail/text/parameter.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/limits.h"
#include "input.h"
#include "mail/text/charset.h"

using namespace godwit;
using namespace godwit::mail;

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text = fuzz::as_text(bytes, size);
    const ParameterizedValue value = parse_parameterized(text);
    check(value.parameters.size() <= limits::mime_parameters_max, "too many parameters");
    for (const Parameter& parameter : value.parameters) {
        check(parameter.value.size() <= limits::mime_parameter_size_max, "a parameter is too long");
    }
    (void)find_parameter(value.parameters, "filename");
    std::string clean = scrub_utf8(text.substr(0, 1000));
    std::erase_if(clean, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
    if (clean.find("=?") == std::string::npos && clean == trim(clean)) {
        const auto again = parse_parameterized("attachment" + write_parameter("filename", clean));
        check(find_parameter(again.parameters, "filename") == clean, "a written parameter changed");
    }
    return 0;
}
