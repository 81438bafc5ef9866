// The door of ICU's stringprep.
#include "wire/sasl/saslprep.h"

#include <unicode/usprep.h>
#include <unicode/ustring.h>

#include "base/ascii.h"
#include "base/limits.h"

namespace godwit::sasl {

namespace {

struct ProfileCloser {
    void operator()(UStringPrepProfile* profile) const { usprep_close(profile); }
};
using Profile = std::unique_ptr<UStringPrepProfile, ProfileCloser>;

bool is_printable_ascii(std::string_view text) {
    for (const char c : text) {
        if (c != ' ' && !is_vchar(c)) {
            return false;
        }
    }
    return true;
}

Result<std::u16string> to_utf16(std::string_view text) {
    std::u16string wide(text.size(), u'\0');
    std::int32_t size = 0;
    UErrorCode status = U_ZERO_ERROR;
    u_strFromUTF8(wide.data(), static_cast<std::int32_t>(wide.size()), &size, text.data(),
                  static_cast<std::int32_t>(text.size()), &status);
    if (U_FAILURE(status) != 0) {
        return peer_error(ErrorCode::Invalid, "SASLprep: not UTF-8");
    }
    wide.resize(static_cast<std::size_t>(size));
    return wide;
}

Result<std::string> to_utf8(std::u16string_view wide) {
    std::string text(wide.size() * 3, '\0');
    std::int32_t size = 0;
    UErrorCode status = U_ZERO_ERROR;
    u_strToUTF8(text.data(), static_cast<std::int32_t>(text.size()), &size, wide.data(),
                static_cast<std::int32_t>(wide.size()), &status);
    if (U_FAILURE(status) != 0) {
        return internal_error(ErrorCode::Invalid, "SASLprep: result does not convert");
    }
    text.resize(static_cast<std::size_t>(size));
    return text;
}

/// NFKC grows a code unit to at most 18 (U+FDFA); the input is bounded, so this is too.
constexpr std::size_t kGrowthMax = 18;

}  // namespace

Result<std::string> prepare(std::string_view text, Preparation preparation) {
    if (text.empty()) {
        return peer_error(ErrorCode::Invalid, "SASLprep: empty");
    }
    if (text.size() > limits::password_size_max) {
        return peer_error(ErrorCode::LimitExceeded,
                          "SASLprep: longer than limits.h: password_size_max");
    }
    if (is_printable_ascii(text)) {
        return std::string(text);
    }
    if (!is_utf8(text)) {
        return peer_error(ErrorCode::Invalid, "SASLprep: not UTF-8");
    }
    UErrorCode status = U_ZERO_ERROR;
    const Profile profile(usprep_openByType(USPREP_RFC4013_SASLPREP, &status));
    if (U_FAILURE(status) != 0) {
        return internal_error(ErrorCode::Unavailable, "SASLprep: ICU has no RFC 4013 profile");
    }
    const std::u16string wide = TRY(to_utf16(text));
    std::u16string prepared(wide.size() * kGrowthMax, u'\0');
    const std::int32_t options =
        preparation == Preparation::Query ? USPREP_ALLOW_UNASSIGNED : USPREP_DEFAULT;
    UParseError where{};
    const std::int32_t size = usprep_prepare(
        profile.get(), wide.data(), static_cast<std::int32_t>(wide.size()), prepared.data(),
        static_cast<std::int32_t>(prepared.size()), options, &where, &status);
    if (U_FAILURE(status) != 0) {
        return peer_error(ErrorCode::Invalid,
                          "SASLprep: a character is prohibited (RFC 4013 2.3, 2.4)");
    }
    if (size == 0) {
        return peer_error(ErrorCode::Invalid, "SASLprep: nothing is left");  // RFC 4616 2
    }
    return to_utf8(std::u16string_view(prepared).substr(0, static_cast<std::size_t>(size)));
}

Result<std::string> prepare_password(std::string_view password, Preparation preparation) {
    auto prepared = prepare(password, preparation);
    const bool may_stay = !password.empty() && password.size() <= limits::password_size_max &&
                          is_utf8(password) && password.find('\0') == std::string_view::npos;
    if (!prepared && may_stay) {
        return std::string(password);
    }
    return prepared;
}

}  // namespace godwit::sasl
