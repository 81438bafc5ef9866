// How keys are made: one family byte, then fixed big-endian parts, so that byte order is number
// order within a family. Rows of accounts, queue and directory are listed in mailbox/schema.h; here
// are the tools all of them share and the families of the store itself. Law: docs/storage.md.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace godwit::store {

/// Families of the store itself. No other row may begin with these bytes.
namespace family {
inline constexpr char blob_location = 'X';  ///< X hash32 -> BlobLocation
inline constexpr char link = 'R';           ///< R hash32 account u32 number u64 -> empty
inline constexpr char meta = 'Z';           ///< Z kind ... -> see kv/meta.h
}  // namespace family

template <std::unsigned_integral T>
void append_key(std::string& key, T part) {
    for (std::size_t shift = sizeof(T) * 8; shift != 0;) {
        shift -= 8;
        key.push_back(static_cast<char>(static_cast<std::uint8_t>(part >> shift)));
    }
}
template <class Tag, class Rep>
void append_key(std::string& key, StrongId<Tag, Rep> part) {
    append_key(key, part.value());
}
inline void append_key(std::string& key, std::string_view raw) {
    key.append(raw);
}
inline void append_key(std::string& key, const BlobId& blob) {
    key.append(blob.bytes());
}

/// make_key('U', account, mailbox, uid). A raw string part must be the last one or of fixed size.
/// Up to 15 bytes (every frequent row) need no allocation.
template <class... Parts>
std::string make_key(char family, const Parts&... parts) {
    std::string key(1, family);
    (append_key(key, parts), ...);
    return key;
}

/// The first key after all that begin with `prefix`; empty (no bound) when there is none.
inline std::string prefix_end(std::string_view prefix) {
    std::string end(prefix);
    while (!end.empty() && end.back() == '\xff') {
        end.pop_back();
    }
    if (!end.empty()) {
        end.back() = static_cast<char>(static_cast<std::uint8_t>(end.back()) + 1);
    }
    return end;
}

inline std::string blob_location_key(const BlobId& blob) {
    return make_key(family::blob_location, blob);
}
/// Who holds a body: an email of an account, or (account 0) a message in the queue.
inline std::string link_key(const BlobId& blob, AccountId account, EmailId email) {
    return make_key(family::link, blob, account, std::uint64_t{email.value()});
}
inline std::string link_key(const BlobId& blob, MailId queued) {
    return make_key(family::link, blob, AccountId{0}, queued);
}
inline std::string link_prefix(const BlobId& blob) {
    return make_key(family::link, blob);
}

inline constexpr std::size_t blob_location_key_size = 1 + 32;
inline constexpr std::size_t link_key_size = 1 + 32 + 4 + 8;

}  // namespace godwit::store
