/* SPDX-License-Identifier: PostgreSQL */
/*
 * cleanup.h: owners release what they hold when their scope ends.
 *
 *      AUTO(fd) int fd = -1;
 *      AUTO(ptr) char *text = NULL;
 *      AUTO(buf) struct buf body = BUF_INIT;          any type with `x_done(struct x *)`
 *
 * AUTO(name) calls cleanup_name(&variable). Ownership leaves the scope through
 * take_fd() and TAKE_PTR(), which leave an empty owner behind. A module whose
 * type is used with AUTO defines its cleanup function beside the type with
 * DEFINE_CLEANUP(). close() of a descriptor that was written to is a result:
 * the success path closes and checks, cleanup only drops.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define AUTO(name) __attribute__((cleanup(cleanup_##name)))

/* For a pointer type released by `function`, which must accept NULL. */
#define DEFINE_POINTER_CLEANUP(name, type, function)                                               \
    static inline void cleanup_##name(type **pointer)                                              \
    {                                                                                              \
        function(*pointer);                                                                        \
    }                                                                                              \
    struct cleanup_needs_semicolon

/* For a struct held in place, released by `function(&it)`. */
#define DEFINE_CLEANUP(name, type, function)                                                       \
    static inline void cleanup_##name(type *place)                                                 \
    {                                                                                              \
        function(place);                                                                           \
    }                                                                                              \
    struct cleanup_needs_semicolon

#define TAKE_PTR(pointer)                                                                          \
    __extension__({                                                                                \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

static inline void
cleanup_ptr(void *place)
{
    free(*(void **)place);
}

static inline void
cleanup_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static inline void
cleanup_dir(DIR **dir)
{
    if (*dir != NULL)
        (void)closedir(*dir);
}

static inline int
take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

#endif
