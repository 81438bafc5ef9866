// Preloaded into the real program: its wall clock is CLOCK_AHEAD seconds ahead, and its clocks and
// timers run CLOCK_SPEED times as fast as they should. What takes days or ten minutes comes in the
// test.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static long long number(const char* name) {
    const char* text = getenv(name);
    return text != NULL ? atoll(text) : 0;
}

// Seconds since `begin` pass `speed` times as fast.
static void hurry(struct timespec* at, long long begin, long long speed) {
    const long long nanoseconds = at->tv_nsec * speed;
    at->tv_sec = begin + (at->tv_sec - begin) * speed + nanoseconds / 1000000000;
    at->tv_nsec = nanoseconds % 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec* at) {
    static long long ahead = -1;
    static long long speed;
    static long long begin;
    if (ahead < 0) {
        struct timespec now;
        syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
        begin = now.tv_sec;
        speed = number("CLOCK_SPEED");
        ahead = number("CLOCK_AHEAD");
    }
    const long failed = syscall(SYS_clock_gettime, clock, at);
    if (failed == 0 && speed > 1 && clock == CLOCK_REALTIME) {
        hurry(at, begin, speed);
    }
    if (failed == 0 && speed > 1 && clock == CLOCK_MONOTONIC) {
        hurry(at, 0, speed);
    }
    if (failed == 0 && clock == CLOCK_REALTIME) {
        at->tv_sec += ahead;
    }
    return (int)failed;
}

int timerfd_settime(int timer, int flags, const struct itimerspec* at, struct itimerspec* before) {
    struct itimerspec sooner = *at;
    const long long speed = number("CLOCK_SPEED");
    if (speed > 1 && (flags & TFD_TIMER_ABSTIME) == 0) {
        const long long nanoseconds =
            (at->it_value.tv_sec * 1000000000LL + at->it_value.tv_nsec) / speed;
        sooner.it_value.tv_sec = nanoseconds / 1000000000;
        sooner.it_value.tv_nsec = nanoseconds % 1000000000;
    }
    return (int)syscall(SYS_timerfd_settime, timer, flags, &sooner, before);
}
