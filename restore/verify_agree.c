/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "restore/verify_parts.h"

#define FAILURES_MAX 5 /* in a row: the other store is not asked any more */

/* One pass over what was noted. */
struct pass {
    struct verify_work *work;
    struct verify_copies *copies;
    uint64_t max_file;
    bool whole; /* the second one: those whose seals do not tell */
    size_t at;
    unsigned failures[SETTINGS_STORES_MAX];
};

int
verify_copies_note(struct verify_copies *copies, const struct seal *seal, const uint8_t *digest,
                   struct err *err)
{
    if (copies->items == NULL)
        copies->items = calloc(VERIFY_COPIES, sizeof(*copies->items));
    if (copies->items == NULL)
        return err_memory(err, "verification");
    if (copies->n == VERIFY_COPIES)
        return err_set(err, ERR_INTERNAL, "more copies than are compared at a time");
    struct verify_copy *copy = &copies->items[copies->n++];
    *copy = (struct verify_copy){.seal = *seal, .decoded = digest != NULL};
    if (digest != NULL)
        memcpy(copy->digest, digest, DIGEST_SIZE);
    return 0;
}

void
verify_copies_done(struct verify_copies *copies)
{
    free(copies->items);
    *copies = (struct verify_copies){.items = NULL};
}

/* ---- which ---- */

/* Stores that were read before this one: each copy is compared with the first good one. */
static uint32_t
stores_before(const struct pass *pass)
{
    uint32_t stores = 0;

    for (size_t i = 0; i < pass->work->store; i++)
        if (pass->work->archive->stores[i].open_err.kind == ERR_NONE &&
            pass->failures[i] < FAILURES_MAX)
            stores |= (uint32_t)1 << i;
    return stores;
}

static int
next_copy(void *context, struct muster_item *ret, struct err *err UNUSED)
{
    struct pass *pass = context;

    while (pass->at < pass->copies->n) {
        const struct verify_copy *copy = &pass->copies->items[pass->at++];

        if (pass->whole && !copy->unknown)
            continue;
        memcpy(ret->name, copy->seal.name, strlen(copy->seal.name) + 1);
        ret->stores = pass->whole ? (uint32_t)1 << copy->other : stores_before(pass);
        ret->number = pass->at - 1;
        ret->first_bytes = pass->whole ? 0 : MUSTER_SEAL_BYTES;
        return 0;
    }
    return MUSTER_END;
}

/* ---- compared ---- */

static void
found(const struct pass *pass, const struct verify_copy *copy, size_t store,
      const struct seal *other, const char *how)
{
    char here[SEAL_TEXT_SIZE];
    char there[SEAL_TEXT_SIZE];
    struct err text = ERR_INIT;

    (void)err_set(&text, ERR_CONFLICT, "store \"%s\" has %s: there by %s; here by %s",
                  pass->work->archive->stores[store].settings->name, how,
                  seal_text(other, there), seal_text(&copy->seal, here));
    verify_found(pass->work, VERIFY_DISAGREEING, copy->seal.name, text.text);
}

static int
compare_seals(const struct pass *pass, struct verify_copy *copy, size_t store, struct span bytes,
              struct err *err)
{
    struct seal other;

    if (object_peek(bytes.data, bytes.size, &pass->work->archive->keyring, &other, err) < 0)
        return err->kind == ERR_INTERNAL ? -1 : MUSTER_REJECT;
    if (strcmp(other.name, copy->seal.name) != 0 || other.system_id != copy->seal.system_id) {
        (void)err_set(err, ERR_CORRUPT, "the seal of another object");
        return MUSTER_REJECT;
    }
    switch (seal_compare(&copy->seal, &other)) {
    case SEAL_SAME:
        break;
    case SEAL_OTHER:
        found(pass, copy, store, &other, "other content");
        break;
    case SEAL_UNKNOWN:
        copy->unknown = copy->decoded;
        copy->other = store;
        if (!copy->decoded)
            found(pass, copy, store, &other, "it by another writer key, and it was not decoded to "
                                             "compare the content");
        break;
    }
    return 0;
}

static int
compare_content(const struct pass *pass, const struct verify_copy *copy, size_t store,
                struct span bytes, struct err *err)
{
    const struct keyring *keyring = &pass->work->archive->keyring;
    uint8_t digest[DIGEST_SIZE];
    struct object object;

    if (object_open(bytes.data, bytes.size, copy->seal.name, copy->seal.system_id, keyring, &object,
                    err) < 0)
        return err->kind == ERR_INTERNAL ? -1 : MUSTER_REJECT;
    if (object_unpack(&object, keyring, NULL, NULL, digest, err) < 0) {
        if (err->kind != ERR_CONFIG)
            return err->kind == ERR_INTERNAL ? -1 : MUSTER_REJECT;
        found(pass, copy, store, &object.seal, "it by another writer key, and no identity here "
                                               "opens it");
    } else if (!digest_equal(digest, copy->digest)) {
        found(pass, copy, store, &object.seal, "other content");
    }
    return 0;
}

static int
judge_copy(void *context, const struct muster_item *item, size_t store, struct span bytes,
           struct err *err)
{
    struct pass *pass = context;
    struct verify_copy *copy = &pass->copies->items[item->number];

    pass->failures[store] = 0;
    return pass->whole ? compare_content(pass, copy, store, bytes, err)
                       : compare_seals(pass, copy, store, bytes, err);
}

static int
copy_failed(void *context, const struct muster_item *item UNUSED, size_t store, int outcome,
            const struct err *why UNUSED, struct err *err UNUSED)
{
    struct pass *pass = context;

    if (outcome < 0)
        pass->failures[store]++;
    return 0;
}

/* What no other store has, or none in good order, is told where that store is read. */
static int
copy_alone(void *context UNUSED, const struct muster_item *item UNUSED,
           const struct err *why UNUSED, struct err *err UNUSED)
{
    return 0;
}

static int
run_pass(struct pass *pass, struct err *err)
{
    const struct muster muster = {
        .archive = pass->work->archive,
        .deadline_ms = pass->work->request->deadline_ms,
        .max_bytes = object_size_bound(pass->max_file),
        .context = pass,
        .next = next_copy,
        .judge = judge_copy,
        .failed = copy_failed,
        .lost = copy_alone,
    };

    pass->at = 0;
    return muster_run(&muster, NULL, err);
}

int
verify_copies_compare(struct verify_copies *copies, struct verify_work *work, uint64_t max_file,
                      struct err *err)
{
    struct pass pass = {.work = work, .copies = copies, .max_file = max_file};

    if (copies->n == 0)
        return 0;
    int rc = run_pass(&pass, err);
    pass.whole = true;
    if (rc == 0)
        rc = run_pass(&pass, err);
    copies->n = 0;
    return rc;
}
