// Makes the system fail the program under test: LD_PRELOAD it, with GODWIT_FAULTS naming a file of
// one page (cases/exhaust.py, class Faults) that says what fails next, and GODWIT_FAULTS_FOLDER the
// folder whose files are meant. Each countdown that reaches 0 fails that one call; the next succeeds.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct page {
    int64_t sync_left, write_left, thread_left, allocation_left;  // Countdowns; 0 and below: off.
    int64_t failed_at;                                            // CLOCK_MONOTONIC, ns.
    int64_t syncs, writes, threads, allocations;                  // Counted while armed or not.
    char failed_path[256];
};

static struct page idle;
static struct page* page = &idle;
static char folder[512];

__attribute__((constructor)) static void begin(void) {
    const char* name = getenv("GODWIT_FAULTS");
    const char* where = getenv("GODWIT_FAULTS_FOLDER");
    int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0 || !where || strlen(where) >= sizeof folder) {
        return;
    }
    void* map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) {
        strcpy(folder, where);
        page = map;
    }
}

static int is_due(int64_t* left) {
    return __atomic_load_n(left, __ATOMIC_RELAXED) > 0 && __atomic_fetch_sub(left, 1, __ATOMIC_SEQ_CST) == 1;
}

static void note(const char* path) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    strncpy(page->failed_path, path, sizeof page->failed_path - 1);
    __atomic_store_n(&page->failed_at, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec, __ATOMIC_SEQ_CST);
}

// True when this call on `fd` is the one that fails.
static int fails(int fd, int64_t* left, int64_t* count) {
    if (page == &idle || fd < 3) {
        return 0;
    }
    char link[64], path[512];
    strcpy(link, "/proc/self/fd/");
    char digits[16];
    int n = 0, value = fd;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    char* out = link + strlen(link);
    while (n) {
        *out++ = digits[--n];
    }
    *out = 0;
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0) {
        return 0;
    }
    path[size] = 0;
    if (strncmp(path, folder, strlen(folder)) != 0) {
        return 0;
    }
    __atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
    if (!is_due(left)) {
        return 0;
    }
    note(path);
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_SYNC(name)                                     \
    int name(int fd) {                                      \
        if (fails(fd, &page->sync_left, &page->syncs)) {    \
            errno = EIO;                                    \
            return -1;                                      \
        }                                                   \
        return REAL(name)(fd);                              \
    }
#define FAIL_WRITE(name, parameters, arguments)             \
    ssize_t name parameters {                               \
        if (fails(fd, &page->write_left, &page->writes)) {  \
            errno = EIO;                                    \
            return -1;                                      \
        }                                                   \
        return REAL(name) arguments;                        \
    }
FAIL_SYNC(fsync)
FAIL_SYNC(fdatasync)
FAIL_WRITE(write, (int fd, const void* bytes, size_t size), (fd, bytes, size))
FAIL_WRITE(pwrite, (int fd, const void* bytes, size_t size, off_t at), (fd, bytes, size, at))
FAIL_WRITE(pwrite64, (int fd, const void* bytes, size_t size, off64_t at), (fd, bytes, size, at))
FAIL_WRITE(pwritev, (int fd, const struct iovec* pieces, int count, off_t at), (fd, pieces, count, at))
FAIL_WRITE(pwritev64, (int fd, const struct iovec* pieces, int count, off64_t at), (fd, pieces, count, at))

int pthread_create(pthread_t* thread, const pthread_attr_t* how, void* (*run)(void*), void* with) {
    __atomic_fetch_add(&page->threads, 1, __ATOMIC_RELAXED);
    if (is_due(&page->thread_left)) {
        note("pthread_create");
        return EAGAIN;
    }
    return REAL(pthread_create)(thread, how, run, with);
}

// A program built with the address sanitiser has its own allocator, which stands before this one.
extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);

static int is_out_of_memory(void) {
    __atomic_fetch_add(&page->allocations, 1, __ATOMIC_RELAXED);
    if (!is_due(&page->allocation_left)) {
        return 0;
    }
    note("malloc");
    errno = ENOMEM;
    return 1;
}
void* malloc(size_t size) { return is_out_of_memory() ? NULL : __libc_malloc(size); }
void* calloc(size_t count, size_t size) { return is_out_of_memory() ? NULL : __libc_calloc(count, size); }
void* realloc(void* at, size_t size) { return is_out_of_memory() ? NULL : __libc_realloc(at, size); }
void* aligned_alloc(size_t to, size_t size) { return is_out_of_memory() ? NULL : __libc_memalign(to, size); }
int posix_memalign(void** out, size_t to, size_t size) {
    if (is_out_of_memory()) {
        return ENOMEM;
    }
    *out = __libc_memalign(to, size);
    return *out ? 0 : ENOMEM;
}
