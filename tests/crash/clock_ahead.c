// Preloaded into the real program: its wall clock is CLOCK_AHEAD seconds ahead, its monotonic clock
// runs CLOCK_SPEED times as fast as it should. What takes days or ten minutes comes in the test.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long number(const char* name) {
    const char* text = getenv(name);
    return text != NULL ? atoll(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec* at) {
    static long long ahead = -1;
    static long long speed;
    if (ahead < 0) {
        speed = number("CLOCK_SPEED");
        ahead = number("CLOCK_AHEAD");
    }
    const long failed = syscall(SYS_clock_gettime, clock, at);
    if (failed == 0 && clock == CLOCK_REALTIME) {
        at->tv_sec += ahead;
    }
    if (failed == 0 && clock == CLOCK_MONOTONIC && speed > 1) {
        const long long nanoseconds = at->tv_nsec * speed;
        at->tv_sec = at->tv_sec * speed + nanoseconds / 1000000000;
        at->tv_nsec = nanoseconds % 1000000000;
    }
    return (int)failed;
}
