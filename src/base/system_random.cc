// The kernel's randomness; a file of its own, so that the simulator need not link it.
#include <sys/random.h>

#include "base/random.h"
#include "base/result.h"

namespace godwit {

namespace {
class SystemRandom final : public Random {
public:
    std::string bytes(std::size_t count) override {
        std::string out(count, '\0');
        std::size_t have = 0;
        while (have < count) {
            const ssize_t got = ::getrandom(out.data() + have, count - have, 0);
            check(got > 0, "getrandom failed: no randomness, no service");
            have += static_cast<std::size_t>(got);
        }
        return out;
    }
};
}  // namespace

Random& system_random() {
    static SystemRandom random;
    return random;
}

}  // namespace godwit
