/* SPDX-License-Identifier: PostgreSQL */
#include "restore/fetch.h"

#include "base/clock.h"
#include "restore/fetch_task.h"

/* Drive the task to its end. 0 or -1 (ERR_INTERNAL). */
static int
drive(struct store_loop *loop, struct fetch_task *task, struct err *err)
{
    while (!fetch_task_advance(task)) {
        int64_t due_ms = fetch_task_due_ms(task);

        /* A stop request ends the requests, and so the task. */
        if (!fetch_task_asks(task))
            clock_sleep_until(due_ms);
        else if (store_loop_run(loop, due_ms, err) < 0 && err->kind == ERR_INTERNAL)
            return -1;
    }
    return 0;
}

int
fetch_file(struct archive *archive, const struct pgdata *pgdata,
           const struct fetch_request *request, struct notices *notices, struct err *err)
{
    AUTO(landing_beside) struct landing_beside beside;
    AUTO(fetch_task) struct fetch_task *task = NULL;
    struct fetch_task_options options = {
        .archive = archive,
        .pgdata = pgdata,
        .landing = &beside.landing,
        .notices = notices,
        .name = request->name,
        .deadline_ms = request->deadline_ms,
    };

    landing_beside_init(&beside, request->path);
    if (fetch_task_new(&options, &task, err) < 0 || drive(archive->loop, task, err) < 0)
        return -1;

    int rc = fetch_task_result(task, err);
    archive_notice_clocks(archive, notices);
    if (rc != 0)
        return rc;
    struct newfile file = fetch_task_take_file(task);
    if (landing_beside_commit(&beside, &file, fetch_task_name(task), err) < 0)
        return fetch_task_wrap(task, err);
    return 0;
}
