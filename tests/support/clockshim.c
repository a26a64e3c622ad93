/* SPDX-License-Identifier: PostgreSQL */
/*
 * clockshim.c: a wall clock that jumps, for programs that are started with this library in
 * LD_PRELOAD. The file CLOCKSHIM_FILE says by how many seconds it is wrong ("-3600"), and is read
 * with every look at the clock: so it can jump while a program runs. No other clock is touched.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define TEXT_SIZE 32

static long long
offset_s(void)
{
    const char *path = getenv("CLOCKSHIM_FILE");
    char text[TEXT_SIZE] = "";
    long long value = 0;
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    for (ssize_t i = text[0] == '-'; i < size && text[i] >= '0' && text[i] <= '9'; i++)
        value = value * 10 + (text[i] - '0');
    return text[0] == '-' ? -value : value;
}

typedef int clock_function(clockid_t, struct timespec *);

int
clock_gettime(clockid_t clock, struct timespec *ret)
{
    static clock_function *genuine;

    if (genuine == NULL)
        genuine = (clock_function *)dlsym(RTLD_NEXT, "clock_gettime");
    int rc = genuine(clock, ret);
    if (rc == 0 && clock == CLOCK_REALTIME)
        ret->tv_sec += (time_t)offset_s();
    return rc;
}

int
gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) < 0)
        return -1;
    *ret = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

time_t
time(time_t *ret)
{
    struct timespec now = {.tv_sec = -1};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret != NULL)
        *ret = now.tv_sec;
    return now.tv_sec;
}
