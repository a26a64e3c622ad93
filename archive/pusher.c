/* SPDX-License-Identifier: PostgreSQL */
#include "archive/pusher.h"

#include <stdio.h>
#include <string.h>

#include "archive/push.h"
#include "base/clock.h"

#define ASKED_MAX 64
#define PATH_SIZE 4096

struct asked {
    uint64_t ticket; /* 0: a free place */
    int64_t deadline_ms;
    char path[PATH_SIZE];
};

struct pusher {
    struct pusher_options options;
    struct pusher_status status;
    struct asked asked[ASKED_MAX];
};

int
pusher_new(const struct pusher_options *options, struct pusher **ret_pusher, struct err *err)
{
    struct pusher *pusher = calloc(1, sizeof(*pusher));

    if (pusher == NULL)
        return err_memory(err, "pusher");
    pusher->options = *options;
    *ret_pusher = pusher;
    return 0;
}

void
pusher_free(struct pusher *pusher)
{
    free(pusher);
}

int
pusher_ask(struct pusher *pusher, uint64_t ticket, const char *path, int64_t deadline_ms,
           struct err *err)
{
    if (strlen(path) >= PATH_SIZE)
        return err_set(err, ERR_INTERNAL, "the path is too long");
    for (size_t i = 0; i < ASKED_MAX; i++) {
        struct asked *asked = &pusher->asked[i];

        if (asked->ticket != 0)
            continue;
        asked->ticket = ticket;
        asked->deadline_ms = deadline_ms;
        (void)snprintf(asked->path, sizeof(asked->path), "%s", path);
        return 0;
    }
    return err_set(err, ERR_INTERNAL, "too many ask at once");
}

void
pusher_withdraw(struct pusher *pusher, uint64_t ticket)
{
    for (size_t i = 0; i < ASKED_MAX; i++)
        if (pusher->asked[i].ticket == ticket)
            pusher->asked[i].ticket = 0;
}

void
pusher_advance(struct pusher *pusher UNUSED)
{
}

bool
pusher_take_answer(struct pusher *pusher, struct answer *ret)
{
    for (size_t i = 0; i < ASKED_MAX; i++) {
        struct asked *asked = &pusher->asked[i];

        if (asked->ticket == 0)
            continue;
        answer_init(ret, asked->ticket);
        ret->rc = push_file(pusher->options.archive, pusher->options.pgdata, asked->path,
                            asked->deadline_ms, &ret->notices.notices, &ret->err);
        asked->ticket = 0;
        pusher->status.archived += ret->rc == 0;
        return true;
    }
    return false;
}

int64_t
pusher_due_ms(const struct pusher *pusher)
{
    return pusher_idle(pusher) ? INT64_MAX : clock_boot_ms();
}

bool
pusher_idle(const struct pusher *pusher)
{
    for (size_t i = 0; i < ASKED_MAX; i++)
        if (pusher->asked[i].ticket != 0)
            return false;
    return true;
}

void
pusher_status(const struct pusher *pusher, struct pusher_status *ret)
{
    *ret = pusher->status;
}
