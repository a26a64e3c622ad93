/* SPDX-License-Identifier: PostgreSQL */
#include "archive/copy_object.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum step {
    STEP_GET,     /* the source's object is on its way */
    STEP_PUT,
    STEP_COMPARE, /* what the target has is on its way */
    STEP_ENDED,
};

struct copy_object {
    struct copy_object_request request; /* its name is our own copy */
    char name[STORE_NAME_MAX + 1];
    enum step step;
    struct store_task *source; /* kept until the end: the object's bytes are its body */
    struct store_task *target;
    struct object object; /* valid from STEP_PUT on */
    uint64_t size;
    int result;
    struct err err;
    struct store *failed;
};

/* ---- ends ---- */

/* The bytes are not needed any more; the result is kept. */
static void
end(struct copy_object *copy, int result, const struct err *err)
{
    copy->step = STEP_ENDED;
    copy->result = result;
    if (err != NULL)
        copy->err = *err;
    store_task_free(TAKE_PTR(copy->source));
    store_task_free(TAKE_PTR(copy->target));
}

static void
end_failed(struct copy_object *copy, struct store *store, const struct err *err)
{
    copy->failed = err->kind == ERR_INTERNAL ? NULL : store;
    end(copy, -1, err);
}

/* ---- what is in two objects ---- */

/*
 * Equal fingerprints of one writer prove equal files. Different writers have different keys for
 * it, and then only who can decrypt both can tell. 0 or COPY_OBJECT_DIFFERENT.
 */
static int
compare_content(const struct copy_object *copy, const struct object *theirs, struct err *err)
{
    const struct object *ours = &copy->object;
    const char *store = store_name(copy->request.to);
    uint8_t our_digest[DIGEST_SIZE];
    uint8_t their_digest[DIGEST_SIZE];
    char our_text[SEAL_TEXT_SIZE];
    char their_text[SEAL_TEXT_SIZE];
    struct err why = ERR_INIT;
    enum seal_content content = seal_compare(&ours->seal, &theirs->seal);

    if (content == SEAL_SAME)
        return 0;
    if (content == SEAL_UNKNOWN) {
        if (object_unpack(ours, copy->request.keyring, NULL, NULL, our_digest, &why) < 0 ||
            object_unpack(theirs, copy->request.keyring, NULL, NULL, their_digest, &why) < 0) {
            (void)err_set(err, why.kind == ERR_CONFIG ? ERR_CONFLICT : why.kind,
                          "stores \"%s\" and \"%s\" have \"%s\" by different writer keys, and its "
                          "content could not be compared: %s",
                          store_name(copy->request.from), store, copy->name, why.text);
            (void)err_hint(err, "Where the identity is, \"seawall sync --deep\" can compare them.");
            return COPY_OBJECT_DIFFERENT;
        }
        if (digest_equal(our_digest, their_digest))
            return 0;
    }
    (void)err_set(err, ERR_CONFLICT,
                  "stores \"%s\" and \"%s\" have \"%s\" with different content: by %s; and by %s",
                  store_name(copy->request.from), store, copy->name,
                  seal_text(&ours->seal, our_text), seal_text(&theirs->seal, their_text));
    (void)err_hint(err, "Two servers archived under one cluster name and timeline. Nothing was "
                        "overwritten; find out which server was the right one.");
    return COPY_OBJECT_DIFFERENT;
}

static void
compare(struct copy_object *copy)
{
    struct span body = store_task_body(copy->target);
    struct span source = store_task_body(copy->source);
    struct object theirs;
    struct err err = ERR_INIT;

    if (body.size == source.size && memcmp(body.data, source.data, body.size) == 0) {
        end(copy, COPY_OBJECT_SAME, NULL);
        return;
    }
    if (object_open(body.data, body.size, copy->name, copy->request.system_id,
                    copy->request.keyring, &theirs, &err) < 0) {
        if (err.kind == ERR_INTERNAL)
            end_failed(copy, NULL, &err);
        else
            end(copy, COPY_OBJECT_DIFFERENT, &err);
        return;
    }
    int rc = compare_content(copy, &theirs, &err);
    if (rc != 0 && err.kind == ERR_INTERNAL)
        end_failed(copy, NULL, &err);
    else
        end(copy, rc == 0 ? COPY_OBJECT_SAME : rc, &err);
}

/* ---- requests ---- */

static void
start_put(struct copy_object *copy)
{
    struct span spans[] = {copy->object.header, copy->object.payload};
    struct err err = ERR_INIT;

    copy->step = STEP_PUT;
    if (store_start_put(copy->request.to, copy->name, spans, ARRAY_SIZE(spans),
                        &copy->request.limits, &copy->target, &err) < 0)
        end_failed(copy, copy->request.to, &err);
}

static void
start_compare(struct copy_object *copy)
{
    struct store_range whole = {
        .max_size = object_size_bound(MAX_OF(copy->object.seal.file_size, MIB)),
    };
    struct err err = ERR_INIT;

    store_task_free(TAKE_PTR(copy->target));
    copy->step = STEP_COMPARE;
    if (store_start_get(copy->request.to, copy->name, &whole, &copy->request.limits, &copy->target,
                        &err) < 0)
        end_failed(copy, copy->request.to, &err);
}

/* ---- answers ---- */

static void
take_source(struct copy_object *copy)
{
    const struct copy_object_request *request = &copy->request;
    const char *store = store_name(request->from);
    struct err err = ERR_INIT;
    int rc = store_task_result(copy->source, &err);

    if (rc > 0)
        (void)err_set(&err, ERR_CONFLICT, "store \"%s\" %s \"%s\"", store,
                      rc == STORE_DELETED ? "has a deleted" : "does not have", copy->name);
    if (rc > 0 || (rc < 0 && err.kind == ERR_CORRUPT)) {
        end(copy, COPY_OBJECT_UNFIT, &err);
        return;
    }
    if (rc < 0) {
        end_failed(copy, request->from, &err);
        return;
    }
    struct span body = store_task_body(copy->source);
    if (object_open(body.data, body.size, copy->name, request->system_id, request->keyring,
                    &copy->object, &err) < 0) {
        if (err.kind == ERR_INTERNAL)
            end_failed(copy, NULL, &err);
        else
            end(copy, COPY_OBJECT_UNFIT, &err);
        return;
    }
    copy->size = body.size;
    if (request->compare_only)
        start_compare(copy);
    else
        start_put(copy);
}

static void
take_put(struct copy_object *copy)
{
    struct err err = ERR_INIT;
    int rc = store_task_result(copy->target, &err);

    if (rc < 0)
        end_failed(copy, copy->request.to, &err);
    else if (rc == STORE_EXISTS)
        start_compare(copy);
    else
        end(copy, 0, NULL);
}

static void
take_compared(struct copy_object *copy)
{
    const char *store = store_name(copy->request.to);
    struct err err = ERR_INIT;
    int rc = store_task_result(copy->target, &err);

    if (rc == 0) {
        compare(copy);
    } else if (rc == STORE_DELETED) {
        (void)err_set(&err, ERR_CONFLICT,
                      "store \"%s\" has a deleted \"%s\" and takes no new one: %s hides it", store,
                      copy->name, store_task_deletion(copy->target));
        end(copy, COPY_OBJECT_DIFFERENT, &err);
    } else if (rc > 0) {
        (void)err_set(&err, ERR_TRANSIENT, "store \"%s\" said that it has \"%s\", and then that "
                      "it has not", store, copy->name);
        end_failed(copy, copy->request.to, &err);
    } else if (err.kind == ERR_CORRUPT) {
        end(copy, COPY_OBJECT_DIFFERENT, &err);
    } else {
        end_failed(copy, copy->request.to, &err);
    }
}

bool
copy_object_advance(struct copy_object *copy)
{
    /* An answer may start a request that has its answer at once. */
    while (copy->step != STEP_ENDED &&
           store_task_ended(copy->step == STEP_GET ? copy->source : copy->target)) {
        if (copy->step == STEP_GET)
            take_source(copy);
        else if (copy->step == STEP_PUT)
            take_put(copy);
        else
            take_compared(copy);
    }
    return copy->step == STEP_ENDED;
}

/* ---- life ---- */

int
copy_object_start(const struct copy_object_request *request, struct copy_object **ret_copy,
                  struct err *err)
{
    AUTO(copy_object) struct copy_object *copy = calloc(1, sizeof(*copy));
    struct store_range whole = {.max_size = request->max_size};

    if (copy == NULL)
        return err_memory(err, "copy");
    if (strlen(request->name) >= sizeof(copy->name))
        return err_set(err, ERR_INTERNAL, "the name of an object is too long");
    copy->request = *request;
    (void)snprintf(copy->name, sizeof(copy->name), "%s", request->name);
    copy->request.name = copy->name;
    if (store_start_get(request->from, copy->name, &whole, &request->limits, &copy->source, err) <
        0)
        return -1;
    *ret_copy = TAKE_PTR(copy);
    return 0;
}

int
copy_object_result(const struct copy_object *copy, struct err *err)
{
    if (copy->result < 0 || copy->result > COPY_OBJECT_SAME)
        *err = copy->err;
    return copy->result;
}

struct store *
copy_object_failed(const struct copy_object *copy)
{
    return copy->failed;
}

uint64_t
copy_object_size(const struct copy_object *copy)
{
    return copy->size;
}

void
copy_object_free(struct copy_object *copy)
{
    if (copy == NULL)
        return;
    store_task_free(copy->source);
    store_task_free(copy->target);
    free(copy);
}
