#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace godwit {

void check_failed(const char* condition, const char* why, const char* file, int line) {
    std::fprintf(stderr,
                 "{\"level\":\"fatal\",\"event\":\"%s_failed\",\"why\":\"%s\",\"at\":\"%s:%d\"}\n",
                 condition, why, file, line);
    std::fflush(stderr);
    std::abort();
}

}  // namespace godwit
