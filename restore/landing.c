/* SPDX-License-Identifier: PostgreSQL */
#include "restore/landing.h"

#include "base/process.h"

/* The directory is looked for when there is something to put into it, not before. */
static int
create_beside(struct landing *landing, struct newfile *ret_file, struct err *err)
{
    struct landing_beside *beside = (struct landing_beside *)landing;

    if (beside->arrival.directory < 0 && arrival_open(beside->path, &beside->arrival, err) < 0)
        return -1;
    beside->arrival.orphan_at_start = beside->orphan_at_start;
    return newfile_create(ret_file, beside->arrival.directory, 0600, err);
}

void
landing_beside_init(struct landing_beside *beside, const char *path)
{
    *beside = (struct landing_beside){
        .landing = {.create = create_beside},
        .path = path,
        .orphan_at_start = !process_session_alive(),
        .arrival = ARRIVAL_INIT,
    };
}

int
landing_beside_commit(struct landing_beside *beside, struct newfile *file,
                      const struct wal_name *wal, struct err *err)
{
    int rc = arrival_put(&beside->arrival, file->fd, wal->text, err);

    newfile_done(file);
    return rc;
}

void
landing_beside_done(struct landing_beside *beside)
{
    arrival_done(&beside->arrival);
}
