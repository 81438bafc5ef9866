// Makes it later for the program under test: LD_PRELOAD it, with GODWIT_LATER saying by how many
// seconds the wall clock is ahead. What is monotonic stays.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t later(void) {
    const char* seconds = getenv("GODWIT_LATER");
    return seconds ? (time_t)atoll(seconds) : 0;
}

int clock_gettime(clockid_t clock, struct timespec* at) {
    int result = (int)syscall(SYS_clock_gettime, clock, at);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        at->tv_sec += later();
    }
    return result;
}

time_t time(time_t* out) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (out) {
        *out = at.tv_sec;
    }
    return at.tv_sec;
}

int gettimeofday(struct timeval* restrict out, void* restrict zone) {
    struct timespec at;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &at);
    out->tv_sec = at.tv_sec;
    out->tv_usec = at.tv_nsec / 1000;
    return 0;
}
