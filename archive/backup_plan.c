/* SPDX-License-Identifier: PostgreSQL */
#include "archive/backup_plan.h"

#include "base/process.h"

/* A smaller file that does not fit waits for the next part, a larger one is divided. */
#define DIVIDE_FROM ((off_t)4 << 20)

/* The pieces of the open file. 0: all of it is in parts; PART_FULL; -1. */
static int
add_pieces(struct backup_plan *plan, struct part *part, struct err *err)
{
    int rc = part_add_piece(part, &plan->entry, plan->source, &plan->offset, err);

    if (rc != 0)
        return rc;
    part_source_release(plan->source);
    plan->source = NULL;
    plan->has_entry = false;
    return 0;
}

/* 0: the entry is in the part, gone, or open now; PART_FULL; -1. */
static int
add_entry(struct backup_plan *plan, struct part *part, struct err *err)
{
    int rc = part_add(part, &plan->entry, err);

    if (rc == PART_FULL && !plan->entry.is_directory && plan->entry.st.st_size >= DIVIDE_FROM) {
        plan->offset = 0;
        rc = part_source_open(&plan->entry, &plan->source, err);
        if (rc == 0)
            return 0;
    }
    if (rc == PART_GONE)
        rc = 0;
    if (rc == 0)
        plan->has_entry = false;
    return rc;
}

int
backup_plan_fill(struct backup_plan *plan, struct part *part, struct err *err)
{
    for (;;) {
        int rc = 0;

        if (!plan->has_entry) {
            rc = backup_walk_next(plan->walk, &plan->entry, err);
            if (rc != 0)
                return rc == WALK_END ? PLAN_END : -1;
            plan->has_entry = true;
        }
        rc = plan->source != NULL ? add_pieces(plan, part, err) : add_entry(plan, part, err);
        if (rc != 0)
            return rc == PART_FULL ? 0 : -1;
    }
}

void
backup_plan_done(struct backup_plan *plan)
{
    part_source_release(plan->source);
    backup_walk_free(plan->walk);
    *plan = (struct backup_plan){.walk = NULL};
}

static void
ignore_notice(struct notices *notices UNUSED, enum log_level level UNUSED, const char *text UNUSED)
{
}

uint64_t
backup_plan_estimate(const struct walk_options *options)
{
    struct notices silent = {ignore_notice};
    struct walk_options quiet = *options;
    AUTO(backup_walk) struct backup_walk *walk = NULL;
    struct walk_entry entry;
    struct err ignored = ERR_INIT;
    uint64_t total = 0;

    quiet.notices = &silent;
    if (backup_walk_new(&quiet, &walk, &ignored) < 0)
        return 0;
    while (process_stop_requested() == 0) {
        if (backup_walk_next(walk, &entry, &ignored) != 0)
            break;
        if (!entry.is_directory)
            total += (uint64_t)entry.st.st_size;
    }
    return total;
}
