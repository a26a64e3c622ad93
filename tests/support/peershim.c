/* SPDX-License-Identifier: PostgreSQL */
/*
 * peershim.c: for programs that are started with this library in LD_PRELOAD, whoever is at the
 * other end of a Unix socket is the user PEERSHIM_UID: a foreign one, without being root to make
 * one.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/socket.h>

typedef int option_function(int, int, int, void *restrict, socklen_t *restrict);

int
getsockopt(int fd, int level, int option, void *restrict ret, socklen_t *restrict size)
{
    option_function *genuine = (option_function *)dlsym(RTLD_NEXT, "getsockopt");
    const char *text = getenv("PEERSHIM_UID");
    int rc = genuine(fd, level, option, ret, size);

    if (rc == 0 && level == SOL_SOCKET && option == SO_PEERCRED && text != NULL) {
        struct ucred *peer = ret;

        peer->uid = 0;
        for (; *text >= '0' && *text <= '9'; text++)
            peer->uid = peer->uid * 10 + (uid_t)(*text - '0');
    }
    return rc;
}
