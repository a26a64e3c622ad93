/* SPDX-License-Identifier: PostgreSQL */
#include "archive/probe.h"

#include <string.h>

static int
ask(struct probe *probe, const struct store_limits *limits, struct err *err)
{
    store_task_free(probe->task);
    probe->task = NULL;
    if (store_start_put(probe->store, probe->name, &probe->content, 1, limits, &probe->task, err) <
        0)
        return -1;
    return PROBE_PENDING;
}

int
probe_start(struct probe *probe, struct store *store, const char *cluster,
            const struct store_limits *limits, struct err *err)
{
    *probe = (struct probe){.store = store};
    if (store_creates_exclusively(store))
        return 0;
    object_name_probe(cluster, probe->name);
    probe->content.data = (const uint8_t *)OBJECT_PROBE_CONTENT;
    probe->content.size = strlen(OBJECT_PROBE_CONTENT);
    return ask(probe, limits, err);
}

int
probe_advance(struct probe *probe, const struct store_limits *limits, struct err *err)
{
    if (!store_task_ended(probe->task))
        return PROBE_PENDING;
    int rc = store_task_result(probe->task, err);
    if (rc < 0)
        return -1;
    if (rc == STORE_EXISTS) {
        probe_done(probe);
        return 0;
    }
    if (!probe->again) {
        probe->again = true;
        return ask(probe, limits, err);
    }
    (void)err_set(err, ERR_DENIED,
                  "store \"%s\" overwrites existing objects: it ignores If-None-Match",
                  store_name(probe->store));
    return err_hint(err, "Conditional create does not work on this bucket (a Ceph bucket must not "
                         "be versioned); \"seawall check\" tells more. Nothing was stored there.");
}

void
probe_done(struct probe *probe)
{
    store_task_free(probe->task);
    probe->task = NULL;
}
