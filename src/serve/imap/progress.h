// How far the running command has come, for a client that would give up waiting. RFC 9585 3, 4.
// Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace godwit::serve::imap_desk {

class Progress {
public:
    /// RFC 9585 4 recommends 10 to 15 seconds.
    static constexpr std::chrono::seconds kInterval{10};

    /// A command begins, which goes once over its messages unless divide() says otherwise.
    void begin(std::string_view tag, MonoTime now);
    /// The command goes over its messages in several ways, one after the other: what is told is
    /// per cent of the whole. 0: nobody knows how much there is, and only the tag is told.
    void divide(unsigned parts);
    void enter_part(unsigned part) { part_ = part; }
    /// The command's work is done: nothing is told any more.
    void end() { next_ = MonoTime::max(); }
    /// What is to be told now, after `done` of `goal` messages of the part: the response code, or
    /// nullopt when it is not time yet.
    std::optional<std::string> due(std::size_t done, std::size_t goal, MonoTime now);

private:
    std::string tag_;  ///< As it is written: quoted, or NIL.
    MonoTime next_{};
    unsigned parts_ = 1;
    unsigned part_ = 0;
};

}  // namespace godwit::serve::imap_desk
