#include "serve/imap/progress.h"

#include <algorithm>

namespace godwit::serve::imap_desk {

void Progress::begin(std::string_view tag, MonoTime now) {
    // A tag has neither quotes nor backslashes; a "]" would end the response code.
    tag_ = tag.find(']') == std::string_view::npos ? '"' + std::string(tag) + '"' : "NIL";
    next_ = now + kInterval;
    parts_ = 1;
    part_ = 0;
}

void Progress::divide(unsigned parts) {
    parts_ = parts;
    part_ = 0;
}

std::optional<std::string> Progress::due(std::size_t done, std::size_t goal, MonoTime now) {
    if (now < next_) {
        return std::nullopt;
    }
    next_ = now + kInterval;
    if (parts_ == 0 || goal == 0) {
        return "INPROGRESS (" + tag_ + " NIL NIL)";
    }
    // RFC 9585 4: the goal is greater than what is done.
    done = std::min(done, goal - 1);
    if (parts_ > 1) {
        done = (part_ * goal + done) * 100 / (parts_ * goal);
        goal = 100;
    }
    return "INPROGRESS (" + tag_ + ' ' + std::to_string(done) + ' ' + std::to_string(goal) + ')';
}

}  // namespace godwit::serve::imap_desk
