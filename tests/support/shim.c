/* SPDX-License-Identifier: PostgreSQL */
/*
 * shim: a library for LD_PRELOAD that takes away what a program relies on: memory, the clock,
 * randomness. The environment says what; without it everything is as ever.
 *
 *   SHIM_PROGRAM=NAME        only programs of this name
 *   SHIM_REPORT=FILE         at its end the process writes its number of allocations there
 *   SHIM_FAIL=N              the N-th allocation from main() on fails (malloc, calloc,
 *                            realloc, what they are called by, and aligned ones)
 *   SHIM_EVER=1              and so does every later one
 *   SHIM_CLOCK=S[,T@K]       real time is S seconds off, and T seconds after it was read K times;
 *                            the clocks for deadlines are left alone
 *   SHIM_RANDOM=1            every random byte is 0x42
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CONSTANT 0x42

/* What glibc's allocator is called when its usual names are taken. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static struct {
    bool active;
    bool ever;
    bool constant;
    unsigned long fail;
    long offset;
    long offset_then;
    unsigned long readings;
} shim;

static _Atomic bool running; /* main() is about to begin */
static atomic_ulong allocations;
static atomic_ulong readings;

/* The number that text begins with; *text is behind it. */
static long
read_number(const char **text)
{
    long sign = **text == '-' ? -1 : 1;
    long value = 0;

    for (*text += **text == '-'; **text >= '0' && **text <= '9'; ++*text)
        value = value * 10 + (**text - '0');
    return sign * value;
}

static long
number_of(const char *name)
{
    const char *text = getenv(name);

    return text != NULL ? read_number(&text) : 0;
}

static void
read_clock(const char *text)
{
    shim.offset = read_number(&text);
    if (*text != ',')
        return;
    text++;
    shim.offset_then = read_number(&text);
    if (*text == '@') {
        text++;
        shim.readings = (unsigned long)read_number(&text);
    }
}

/* A preloaded library is made ready last, when all others are. */
__attribute__((constructor)) static void
read_environment(void)
{
    const char *program = getenv("SHIM_PROGRAM");

    if (program != NULL && strcmp(program, program_invocation_short_name) != 0)
        return;
    shim.fail = (unsigned long)number_of("SHIM_FAIL");
    shim.ever = number_of("SHIM_EVER") != 0;
    shim.constant = number_of("SHIM_RANDOM") != 0;
    if (getenv("SHIM_CLOCK") != NULL)
        read_clock(getenv("SHIM_CLOCK"));
    shim.active = true;
    atomic_store(&running, true);
}

__attribute__((destructor)) static void
report(void)
{
    const char *path = shim.active ? getenv("SHIM_REPORT") : NULL;
    char text[32];

    atomic_store(&running, false);
    if (path == NULL)
        return;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    snprintf(text, sizeof(text), "%lu\n", atomic_load(&allocations));
    if (write(fd, text, strlen(text)) < 0)
        abort();
    close(fd);
}

/* ---- memory ---- */

static bool
fails(void)
{
    if (!shim.active || !atomic_load(&running))
        return false;
    unsigned long n = atomic_fetch_add(&allocations, 1) + 1;
    if (shim.fail == 0 || n < shim.fail || (n > shim.fail && !shim.ever))
        return false;
    errno = ENOMEM;
    return true;
}

void *
malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *memory, size_t size)
{
    return fails() ? NULL : __libc_realloc(memory, size);
}

void *
reallocarray(void *memory, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(memory, bytes);
}

void *
memalign(size_t alignment, size_t size)
{
    return fails() ? NULL : __libc_memalign(alignment, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int
posix_memalign(void **ret, size_t alignment, size_t size)
{
    void *memory = memalign(alignment, size);

    if (memory == NULL)
        return ENOMEM;
    *ret = memory;
    return 0;
}

/* ---- the clock ---- */

static long
offset(void)
{
    unsigned long n = atomic_fetch_add(&readings, 1);

    return shim.readings > 0 && n >= shim.readings ? shim.offset_then : shim.offset;
}

int
clock_gettime(clockid_t clock, struct timespec *ret)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, ret);

    if (rc == 0 && shim.active && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        ret->tv_sec += offset();
    return rc;
}

int
gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) < 0)
        return -1;
    ret->tv_sec = now.tv_sec;
    ret->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t
time(time_t *ret)
{
    struct timespec now;

    if (clock_gettime(CLOCK_REALTIME, &now) < 0)
        return -1;
    if (ret != NULL)
        *ret = now.tv_sec;
    return now.tv_sec;
}

/* ---- randomness ---- */

ssize_t
getrandom(void *bytes, size_t size, unsigned flags)
{
    if (!shim.constant)
        return syscall(SYS_getrandom, bytes, size, flags);
    memset(bytes, CONSTANT, size);
    return (ssize_t)size;
}

int
getentropy(void *bytes, size_t size)
{
    return getrandom(bytes, size, 0) == (ssize_t)size ? 0 : -1;
}

/* libcrypto's generator stirs in the time and the process; constant means constant. */
static int
random_of(const char *name, unsigned char *bytes, int size)
{
    int (*real)(unsigned char *, int);
    void *found;

    if (shim.constant) {
        memset(bytes, CONSTANT, (size_t)size);
        return 1;
    }
    found = dlsym(RTLD_NEXT, name);
    memcpy(&real, &found, sizeof(real));
    return found != NULL ? real(bytes, size) : 0;
}

int
RAND_bytes(unsigned char *bytes, int size)
{
    return random_of("RAND_bytes", bytes, size);
}

int
RAND_priv_bytes(unsigned char *bytes, int size)
{
    return random_of("RAND_priv_bytes", bytes, size);
}
