// What ENABLE turns on, for one connection. RFC 5161; Q41: without it nothing a client sees differs
// from RFC 3501.
#pragma once

#include <cstdint>

namespace godwit::serve::imap_desk {

enum class Feature : std::uint8_t {
    Rev2 = 1,       ///< RFC 9051: ESEARCH answers, no RECENT, UTF-8 names.
    Condstore = 2,  ///< RFC 7162 3.1: FETCH responses carry MODSEQ. Other commands enable it too.
    Qresync = 4,    ///< RFC 7162 3.2: VANISHED instead of EXPUNGE. Brings Condstore.
    Utf8 = 8,       ///< UTF8=ACCEPT, RFC 6855 3.
    UidOnly = 16,   ///< RFC 9586: no sequence numbers.
};

class Features {
public:
    [[nodiscard]] bool has(Feature feature) const {
        return (bits_ & static_cast<std::uint8_t>(feature)) != 0;
    }
    void add(Feature feature) { bits_ |= static_cast<std::uint8_t>(feature); }
    void clear() { bits_ = 0; }

private:
    std::uint8_t bits_ = 0;
};

}  // namespace godwit::serve::imap_desk
