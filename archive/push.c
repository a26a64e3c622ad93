/* SPDX-License-Identifier: PostgreSQL */
#include "archive/push.h"

#include "archive/delivery.h"
#include "archive/wal_source.h"
#include "base/clock.h"

int
push_file(struct archive *archive, const struct pgdata *pgdata, const char *path,
          int64_t deadline_ms, struct notices *notices, struct err *err)
{
    struct wal_name wal;
    AUTO(wal_object) struct wal_object object = WAL_OBJECT_INIT;
    AUTO(gates) struct gates *gates = NULL;
    AUTO(delivery) struct delivery *delivery = NULL;

    /* Nothing is sent, not even a probe, for a name that is none. */
    if (wal_source_name(path, &wal, err) < 0 ||
        gates_new(archive, deadline_ms, &gates, err) < 0)
        return -1;
    /* Let the connections begin; packing takes longer than a handshake. */
    if (store_loop_run(archive->loop, clock_boot_ms(), err) < 0 && err->kind == ERR_INTERNAL)
        return -1;
    if (wal_source_pack(archive, pgdata, path, notices, &object, err) < 0)
        return -1;

    struct delivery_object packed = {
        .name = object.name,
        .file = object.wal.text,
        .system_id = pgdata->system_id,
        .spans = object.spans,
        .seal = &object.seal,
        .file_digest = object_packer_digest(object.packer),
    };
    if (delivery_new(archive, gates, DELIVERY_ALL, &packed, &delivery, err) < 0)
        return -1;
    int rc = delivery_run(delivery, deadline_ms, notices, err);
    archive_notice_clocks(archive, notices);
    return rc;
}
