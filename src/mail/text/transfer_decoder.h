// Content-Transfer-Encodings decoded piece by piece, for parts that are not held as a whole.
// RFC 2045 6.
#pragma once

#include <string>
#include <string_view>

#include "mail/text/transfer_encoding.h"

namespace godwit::mail {

/// All that feed() gave, and finish() at the end, is decode_transfer() of all that was fed. Holds
/// back a few octets only, except where an encoder put nothing but blanks.
class TransferDecoder {
public:
    explicit TransferDecoder(TransferEncoding encoding) : encoding_(encoding) {}

    std::string feed(std::string_view encoded);
    std::string finish();

private:
    TransferEncoding encoding_;
    std::string held_;
    bool has_ended_ = false;  ///< Padding ends base64, whatever follows.
};

}  // namespace godwit::mail
