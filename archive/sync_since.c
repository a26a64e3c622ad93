/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "archive/sync_parts.h"
#include "base/clock.h"

#define SEAL_READ 1024
#define READ_MS ((int64_t)60 * 1000)

bool
sync_since_parse(const char *text, struct sync_since *ret)
{
    struct wal_name wal;

    *ret = (struct sync_since){.given = true};
    if (wal_name_parse(text, strlen(text), &wal) && wal.kind == WAL_NAME_SEGMENT) {
        ret->by_name = true;
        ret->log = wal.log;
        ret->seg = wal.seg;
        return true;
    }
    if (!wal_lsn_parse(text, strlen(text), &ret->lsn))
        return false;
    ret->log = (uint32_t)(ret->lsn >> 32);
    return true;
}

/* The seal of a segment says how large the server's segments are. */
static void
learn_segment_size(struct sync_work *work, const struct object_owner *owner,
                   const struct sync_name *name)
{
    struct store_limits limits = {clock_boot_ms() + READ_MS, READ_MS / 2};
    struct store_range range = {.size = SEAL_READ, .max_size = SEAL_READ};

    if (work->segment_system != owner->system_id)
        work->segment_size = 0;
    work->segment_system = owner->system_id;
    for (size_t i = 0; i < work->archive->n_stores && work->segment_size == 0; i++) {
        AUTO(store_task) struct store_task *task = NULL;
        struct err ignored = ERR_INIT;
        struct seal seal;

        if ((name->has & (uint32_t)1 << i) == 0 ||
            store_start_get(work->archive->stores[i].store, name->name, &range, &limits, &task,
                            &ignored) < 0 ||
            store_task_wait(work->archive->loop, task, &ignored) != 0)
            continue;
        struct span body = store_task_body(task);
        if (object_peek(body.data, body.size, &work->archive->keyring, &seal, &ignored) == 0 &&
            wal_segment_size_valid(seal.file_size))
            work->segment_size = (uint32_t)seal.file_size;
    }
}

bool
sync_since_wants(struct sync_work *work, const struct object_owner *owner,
                 const struct sync_name *name)
{
    const struct sync_since *since = &work->request->since;
    struct wal_name wal;

    if (!since->given)
        return true;
    if (!object_name_parse_wal(owner, name->name, &wal))
        return false;
    if (wal.kind == WAL_NAME_HISTORY)
        return true;
    if (wal.log != since->log)
        return wal.log > since->log;
    if (since->by_name)
        return wal.seg >= since->seg;
    if (wal.kind == WAL_NAME_SEGMENT &&
        (work->segment_size == 0 || work->segment_system != owner->system_id))
        learn_segment_size(work, owner, name);
    /* A size nobody could learn: rather too much than too little. */
    return work->segment_size == 0 || work->segment_system != owner->system_id ||
           !wal_name_fits(&wal, work->segment_size) ||
           wal_name_segment_number(&wal, work->segment_size) >= since->lsn / work->segment_size;
}
