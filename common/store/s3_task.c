/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/retry.h"
#include "store/http_lane.h"
#include "store/loop.h"
#include "store/s3.h"
#include "store/s3_answer.h"
#include "store/s3_digest.h"
#include "store/s3_list.h"
#include "store/s3_request.h"
#include "store/s3_spare.h"

#define LIST_BODY_MAX (8 * MIB)
#define OTHER_BODY_MAX HTTP_ERROR_BODY_MAX

/* A task under way at an S3 store. */
struct s3_task {
    struct store_task *task;
    struct s3 *s3;
    struct http *http; /* NULL while waiting for the next attempt */
    char payload_hash[S3_DIGEST_HEX_SIZE];
    char etag[S3_DIGEST_HEX_SIZE + 2]; /* put: MD5 in quotes, or empty */
    unsigned n_delays;
    bool reloaded;                 /* credentials were loaded anew once */
    bool clock_fixed;              /* the store's time was taken once */
    bool fresh;                    /* on a new connection: nothing else's answer comes there */
    struct http_lane *lane;        /* on a spare one, where such an answer is known; or NULL */
    bool lost_lane;                /* a spare one brought nothing of use: no other one */
    bool reading_back;             /* put: the answer was good, the bytes are being proven */
    char last_key[S3_KEY_MAX + 1]; /* list: the keys asked for next sort after it */
    char mark[S3_KEY_MAX + 1];     /* list: of the attempt under way; empty: none */
};

static void on_answer(void *context);

/* ---- the end of a task ---- */

static void
end_attempt(struct s3_task *at)
{
    http_free(TAKE_PTR(at->http));
    http_lane_free(TAKE_PTR(at->lane));
}

static void
release(struct s3_task *at)
{
    at->task->backend = NULL;
    at->task->wake_ms = 0;
    end_attempt(at);
    free(at);
}

void
s3_task_abandon(struct store_task *task)
{
    if (task->backend != NULL)
        release(task->backend);
}

static void
finish(struct s3_task *at, int outcome)
{
    struct store_task *task = at->task;

    release(at);
    task_end(task, outcome);
}

/* "could not read "x": <reason> (4 attempts)" */
static void
finish_failed(struct s3_task *at, const struct err *reason)
{
    struct store_task *task = at->task;
    struct err err = *reason;
    size_t length = strlen(err.text);

    if (task->attempts > 1)
        (void)snprintf(err.text + length, sizeof(err.text) - length, " (%u attempts)",
                       task->attempts);
    char text[TASK_TEXT_SIZE];
    (void)err_wrap(&err, "%s", task_text(task, text));
    release(at);
    task_fail(task, &err);
}

/* ---- asking ---- */

static size_t
put_size(const struct store_task *task)
{
    size_t size = 0;

    for (size_t i = 0; i < task->n_spans; i++)
        size += task->spans[i].size;
    return size;
}

/* Where absences are to be expected, the answer had better be one that is believed at once. */
static void
choose_connection(struct s3_task *at)
{
    struct s3 *s3 = at->s3;

    enum store_hope hope = at->task->range.hope;

    if (at->task->kind == TASK_GET && hope != STORE_HOPE_GUESS &&
        (at->fresh || s3->at_the_end || hope == STORE_HOPE_ABSENT)) {
        at->lane = at->lost_lane ? NULL : s3_spare_take(s3);
        at->fresh = true;
    }
    if (at->task->kind == TASK_LIST && s3->at_the_end && s3->unmarked)
        at->fresh = true;
}

static void
describe_http(struct s3_task *at, struct http_request *ret)
{
    const struct store_task *task = at->task;

    choose_connection(at);
    ret->fresh = at->fresh && at->lane == NULL;
    ret->lane = at->lane;
    ret->max_body = OTHER_BODY_MAX;
    ret->done = on_answer;
    ret->context = at;
    switch (task->kind) {
    case TASK_PUT:
        ret->need_length = true;
        if (at->reading_back) {
            ret->expect = task->spans;
            ret->n_expect = task->n_spans;
            ret->max_body = put_size(task);
        } else {
            ret->spans = task->spans;
            ret->n_spans = task->n_spans;
            at->task->sending = (struct store_sending){0};
            ret->sending = &at->task->sending;
        }
        break;
    case TASK_GET:
        ret->need_length = true;
        ret->max_body = task->body.limit;
        break;
    case TASK_LIST:
        ret->max_body = LIST_BODY_MAX;
        break;
    case TASK_DELETE:
        break;
    }
}

static int
ask(struct s3_task *at, struct err *err)
{
    struct store_task *task = at->task;
    struct http_request http = {0};
    struct s3_ask ask = {.verb = S3_GET, .name = task->name};

    describe_http(at, &http);
    at->mark[0] = '\0';
    switch (task->kind) {
    case TASK_PUT:
        ask.verb = at->reading_back ? S3_GET : S3_PUT;
        ask.payload_hash = at->payload_hash;
        break;
    case TASK_GET:
        ask.range = task->range;
        break;
    case TASK_LIST:
        s3_list_mark(at->s3, at->last_key, task->name, at->mark);
        ask.verb = S3_LIST;
        ask.max = task->max;
        ask.start_after = at->mark[0] != '\0' ? at->mark : at->last_key;
        break;
    case TASK_DELETE:
        ask.verb = S3_DELETE;
        break;
    }
    return s3_request_start(at->s3, &ask, &http, &at->http, err);
}

static void
ask_or_fail(struct s3_task *at)
{
    struct err err = ERR_INIT;

    task_page_reset(at->task);
    if (ask(at, &err) < 0)
        finish_failed(at, &err);
}

static void
ask_again(struct s3_task *at)
{
    at->task->attempts++;
    ask_or_fail(at);
}

void
s3_task_wake(struct store_task *task)
{
    ask_again(task->backend);
}

/* Wait and ask again, if the task's time allows. */
static void
ask_later(struct s3_task *at, const struct err *reason, int64_t retry_after_ms)
{
    struct store_task *task = at->task;
    int64_t now = clock_boot_ms();
    int64_t then = now + retry_delay_ms(at->n_delays++, retry_random(), retry_after_ms);

    if (then - task->started_ms > task->limits.retry_ms || then >= task->limits.deadline_ms) {
        finish_failed(at, reason);
        return;
    }
    task->err = *reason;
    task->wake_ms = then;
}

/* ---- lists ---- */

static void
set_list_start(struct s3_task *at)
{
    if (at->task->start_after[0] != '\0')
        (void)snprintf(at->last_key, sizeof(at->last_key), "%s%s", at->s3->root,
                       at->task->start_after);
    else
        at->last_key[0] = '\0';
}

static void
take_list(struct s3_task *at, const struct buf *body, int64_t retry_after_ms, bool trusted)
{
    struct s3_list_asked asked = {.root = at->s3->root, .mark = at->mark, .trusted = trusted};
    struct err err = ERR_INIT;
    bool more = false, marked = false;
    int rc = s3_list_read(at->task, &asked, body, at->last_key, &more, &marked, &err);

    if (rc >= 0 && at->mark[0] != '\0')
        at->s3->unmarked = !marked;
    if (rc == S3_LIST_DOUBTED) {
        at->fresh = true;
        ask_or_fail(at);
    } else if (rc < 0) {
        if (err.kind == ERR_TRANSIENT)
            ask_later(at, &err, retry_after_ms);
        else
            finish_failed(at, &err);
    } else if (at->task->page.n_entries == 0 && more) {
        /* None of these keys was ours: the names asked for are further behind. */
        ask_or_fail(at);
    } else if (task_page_finish(at->task, more, &err) < 0) {
        finish_failed(at, &err);
    } else {
        finish(at, 0);
    }
}

/* ---- answers ---- */

/* The middle of the answer's second is as good a guess as there is. */
static void
note_clock(struct s3_task *at, const struct http_head *head)
{
    if (!head->date_known)
        return;
    at->task->skew_known = true;
    at->task->skew_s = head->date_s - clock_real_us() / 1000000;
}

static void
reload_and_ask(struct s3_task *at, const struct err *reason)
{
    struct err err = ERR_INIT;

    /* If nothing can be loaded any more, what the store said is still the cause to report. */
    if (at->reloaded || s3_request_load_credentials(at->s3, &err) < 0) {
        finish_failed(at, reason);
        return;
    }
    at->reloaded = true;
    at->task->err = *reason;
    ask_again(at);
}

static void
fix_clock_and_ask(struct s3_task *at, const struct http_head *head, const struct err *reason)
{
    if (at->clock_fixed || !head->date_known) {
        finish_failed(at, reason);
        return;
    }
    at->clock_fixed = true;
    at->s3->store.clock_taken = true;
    at->s3->store.clock_ours_us = clock_real_us();
    at->s3->store.clock_theirs_us = head->date_s * 1000000;
    at->s3->clock_offset_us = at->s3->store.clock_theirs_us - at->s3->store.clock_ours_us;
    at->task->err = *reason;
    ask_again(at);
}

/*
 * Is it known that the answer belongs to the request? "Nothing" may be the answer to an earlier
 * one, come twice or late. On a spare connection that can only be a list, which has no ETag.
 */
static bool
is_ours(struct s3_task *at, const struct http_response *response, int outcome)
{
    if (outcome == STORE_ABSENT && at->task->range.hope == STORE_HOPE_GUESS)
        return true;
    if (!response->reused)
        return true;
    if (at->lane == NULL)
        return at->fresh || outcome == 0;
    at->lost_lane = response->head.status < 300 && response->head.etag[0] == '\0';
    return !at->lost_lane;
}

static void
finish_good(struct s3_task *at, struct http_response *response, int outcome)
{
    int64_t retry_after_ms = response->head.retry_after_ms;

    if (at->task->kind == TASK_LIST) {
        AUTO(buf) struct buf body = response->body;
        bool trusted = at->fresh || !response->reused;

        response->body = BUF_INIT(0);
        end_attempt(at);
        take_list(at, &body, retry_after_ms, trusted);
        return;
    }
    if (at->task->kind == TASK_GET) {
        if (at->task->range.hope != STORE_HOPE_GUESS)
            at->s3->at_the_end = outcome != 0;
        if (!is_ours(at, response, outcome)) {
            end_attempt(at);
            at->fresh = true;
            ask_or_fail(at);
            return;
        }
    }
    task_note_deletion(at->task, response->head.version_id, response->head.modified_s);
    /* Only the answer that carries the object has its bytes; 416 and 404 have an explanation. */
    if (at->task->kind == TASK_GET && outcome == 0 && response->head.status < 300) {
        at->task->body = response->body;
        response->body = BUF_INIT(0);
    }
    finish(at, outcome);
}

static void
judge(struct s3_task *at, const struct http_response *response, struct s3_verdict *ret_verdict)
{
    const struct s3 *s3 = at->s3;
    struct s3_question question = {
        .kind = at->task->kind,
        .reading_back = at->reading_back,
        .range = at->task->range,
        .etag = at->etag,
        .bucket = s3->bucket,
        .region = s3->config.region,
        .endpoint = s3->endpoint,
        .ca_file = s3->config.ca_file,
        .credentials_source = s3->credentials.source,
    };

    s3_answer_judge(&question, response, ret_verdict);
}

static void
on_answer(void *context)
{
    struct s3_task *at = context;
    struct http_response *response = http_response(at->http);
    struct http_head head = response->head;
    struct s3_verdict verdict;

    note_clock(at, &head);
    judge(at, response, &verdict);
    if (verdict.next == S3_NEXT_END) {
        finish_good(at, response, verdict.outcome);
        return;
    }
    at->lost_lane = at->lost_lane || at->lane != NULL;
    end_attempt(at);
    switch (verdict.next) {
    case S3_NEXT_READ_BACK:
        at->reading_back = true;
        ask_or_fail(at);
        return;
    case S3_NEXT_RELOAD:
        reload_and_ask(at, &verdict.err);
        return;
    case S3_NEXT_FIX_CLOCK:
        fix_clock_and_ask(at, &head, &verdict.err);
        return;
    case S3_NEXT_PUT_AGAIN:
        at->reading_back = false;
        ask_later(at, &verdict.err, head.retry_after_ms);
        return;
    case S3_NEXT_RETRY:
        ask_later(at, &verdict.err, head.retry_after_ms);
        return;
    case S3_NEXT_END:
    case S3_NEXT_FAIL:
        break;
    }
    finish_failed(at, &verdict.err);
}

/* ---- the beginning ---- */

static int
compute_digests(struct s3_task *at, struct err *err)
{
    const struct store_task *task = at->task;
    const struct store_task *same = loop_same_put(task->store->loop, task);
    char md5[S3_DIGEST_HEX_SIZE];

    /* Several stores get the same object at once. */
    if (same != NULL) {
        const struct s3_task *twin = same->backend;

        memcpy(at->payload_hash, twin->payload_hash, sizeof(at->payload_hash));
        memcpy(at->etag, twin->etag, sizeof(at->etag));
        return 0;
    }
    int rc = s3_digest("SHA256", task->spans, task->n_spans, at->payload_hash, err);
    if (rc > 0)
        return err_set(err, ERR_INTERNAL, "this OpenSSL has no SHA-256");
    if (rc < 0)
        return -1;
    rc = s3_digest("MD5", task->spans, task->n_spans, md5, err);
    if (rc == 0)
        (void)snprintf(at->etag, sizeof(at->etag), "\"%s\"", md5);
    return rc < 0 ? -1 : 0;
}

int
s3_task_start(struct store_task *task, struct err *err)
{
    AUTO(ptr) struct s3_task *at = calloc(1, sizeof(*at));

    if (at == NULL)
        return err_memory(err, "request");
    at->task = task;
    at->s3 = (struct s3 *)(void *)task->store;
    if (task->kind == TASK_PUT && compute_digests(at, err) < 0)
        return -1;
    if (task->kind == TASK_LIST)
        set_list_start(at);
    task->backend = at;
    ask_again(TAKE_PTR(at));
    return 0;
}
