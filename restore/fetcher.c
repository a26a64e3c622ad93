/* SPDX-License-Identifier: PostgreSQL */
#include "restore/fetcher.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"

#define ASKED_MAX 64
#define NAME_MAX_SIZE 256
#define PATH_SIZE 80

struct asked {
    uint64_t ticket; /* 0: a free place */
    int64_t deadline_ms;
    char name[NAME_MAX_SIZE];
};

struct fetcher {
    struct fetcher_options options;
    struct fetcher_status status;
    struct asked asked[ASKED_MAX];
};

int
fetcher_new(const struct fetcher_options *options, struct fetcher **ret_fetcher, struct err *err)
{
    struct fetcher *fetcher = calloc(1, sizeof(*fetcher));

    if (fetcher == NULL)
        return err_memory(err, "fetcher");
    fetcher->options = *options;
    *ret_fetcher = fetcher;
    return 0;
}

void
fetcher_free(struct fetcher *fetcher)
{
    free(fetcher);
}

int
fetcher_ask(struct fetcher *fetcher, uint64_t ticket, const char *name, int64_t deadline_ms,
            struct err *err)
{
    if (strlen(name) >= NAME_MAX_SIZE)
        return err_set(err, ERR_INTERNAL, "the name is too long");
    for (size_t i = 0; i < ASKED_MAX; i++) {
        struct asked *asked = &fetcher->asked[i];

        if (asked->ticket != 0)
            continue;
        asked->ticket = ticket;
        asked->deadline_ms = deadline_ms;
        (void)snprintf(asked->name, sizeof(asked->name), "%s", name);
        return 0;
    }
    return err_set(err, ERR_INTERNAL, "too many ask at once");
}

void
fetcher_withdraw(struct fetcher *fetcher, uint64_t ticket)
{
    for (size_t i = 0; i < ASKED_MAX; i++)
        if (fetcher->asked[i].ticket == ticket)
            fetcher->asked[i].ticket = 0;
}

void
fetcher_advance(struct fetcher *fetcher UNUSED)
{
}

static int
fetch_open(struct fetcher *fetcher, const struct asked *asked, struct answer *ret)
{
    char path[PATH_SIZE];
    struct fetch_request request = {
        .name = asked->name, .path = path, .deadline_ms = asked->deadline_ms};

    (void)snprintf(path, sizeof(path), FS_TEMPORARY_PREFIX "%ld.%016llx", (long)getpid(),
                   (unsigned long long)asked->ticket);
    int rc = fetch_file(fetcher->options.archive, fetcher->options.pgdata, &request,
                        &ret->notices.notices, &ret->err);
    if (rc != 0)
        return rc;
    ret->file = open(path, O_RDWR | O_CLOEXEC);
    (void)unlink(path);
    return ret->file < 0 ? err_set(&ret->err, ERR_LOCAL, "could not open \"%s\"", path) : 0;
}

bool
fetcher_take_answer(struct fetcher *fetcher, struct answer *ret)
{
    for (size_t i = 0; i < ASKED_MAX; i++) {
        struct asked *asked = &fetcher->asked[i];

        if (asked->ticket == 0)
            continue;
        answer_init(ret, asked->ticket);
        ret->rc = fetch_open(fetcher, asked, ret);
        asked->ticket = 0;
        fetcher->status.served += ret->rc == 0;
        return true;
    }
    return false;
}

int64_t
fetcher_due_ms(const struct fetcher *fetcher)
{
    return fetcher_idle(fetcher) ? INT64_MAX : clock_boot_ms();
}

bool
fetcher_idle(const struct fetcher *fetcher)
{
    for (size_t i = 0; i < ASKED_MAX; i++)
        if (fetcher->asked[i].ticket != 0)
            return false;
    return true;
}

void
fetcher_status(const struct fetcher *fetcher, struct fetcher_status *ret)
{
    *ret = fetcher->status;
}
