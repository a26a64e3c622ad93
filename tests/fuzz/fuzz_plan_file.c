/* SPDX-License-Identifier: PostgreSQL */
/* A plan that was read holds what it promises, and written again it reads the same. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "restore/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool property)
{
    if (!property)
        abort();
}

static void
write_plan(const struct plan *plan, struct buf *text)
{
    struct err err = ERR_INIT;
    AUTO(json) struct json *json = json_new();

    require(json != NULL);
    plan_json(plan, json);
    require(json_write(json, text, &err) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct plan plan;
    static struct plan again;
    struct err err = ERR_INIT;
    AUTO(buf) struct buf text = BUF_INIT(PLAN_FILE_MAX * 2);
    AUTO(buf) struct buf text_again = BUF_INIT(PLAN_FILE_MAX * 2);

    if (plan_parse(data, size, &plan, &err) != 0) {
        require((err.kind == ERR_CORRUPT || err.kind == ERR_CONFIG) && err.text[0] != '\0');
        return 0;
    }
    require(plan.n_path > 0 && plan.n_path <= PLAN_TIMELINES_MAX);
    require(plan.n_stores > 0 && plan.n_stores <= SETTINGS_STORES_MAX);
    require(plan.path[0].timeline == plan.backup_timeline && plan.system_id != 0);
    require(plan.path[plan.n_path - 1].timeline == plan.timeline);
    require(plan.path[plan.n_path - 1].end_lsn == UINT64_MAX);
    require(wal_segment_size_valid(plan.segment_size) && plan.n_segments > 0);
    require(backup_label_valid(plan.label, strlen(plan.label)));
    write_plan(&plan, &text);
    require(plan_parse(text.data, text.size, &again, &err) == 0);
    write_plan(&again, &text_again);
    require(text.size == text_again.size && memcmp(text.data, text_again.data, text.size) == 0);
    return 0;
}
