// GZIP compression of small texts: the door of zlib. RFC 1952. Pure: the same text gives the same
// octets, without a name and without a time.
#pragma once

#include <string>
#include <string_view>

namespace godwit::mail {

/// `text` as one member of a GZIP file. The text is in memory anyway; so is the result.
std::string gzip(std::string_view text);

}  // namespace godwit::mail
