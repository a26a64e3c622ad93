/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/retry.h"
#include "base/secret.h"
#include "store/loop.h"
#include "store/s3.h"
#include "store/s3_answer.h"
#include "store/s3_digest.h"
#include "store/s3_list.h"
#include "store/s3_sign.h"

#define LIST_BODY_MAX (8 * MIB)
#define OTHER_BODY_MAX HTTP_ERROR_BODY_MAX
#define URL_MAX (8 * KIB)
#define NUMBER_TEXT_SIZE 24
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

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
    bool reading_back;             /* put: the answer was good, the bytes are being proven */
    char last_key[S3_KEY_MAX + 1]; /* list: the keys asked for next sort after it */
};

/* The texts a request points to. */
struct request_texts {
    char path[S3_BUCKET_MAX + S3_ROOT_MAX + STORE_NAME_MAX + 8];
    char prefix[S3_ROOT_MAX + STORE_NAME_MAX + 2];
    char range[2 * NUMBER_TEXT_SIZE + 8];
    char max_keys[NUMBER_TEXT_SIZE];
};

static void on_answer(void *context);

/* ---- the end of a task ---- */

static void
release(struct s3_task *at)
{
    at->task->backend = NULL;
    at->task->wake_ms = 0;
    http_free(at->http);
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

static int
load_credentials(struct s3 *s3, struct err *err)
{
    AUTO(s3_credentials) struct s3_credentials fresh = {0};

    if (s3_credentials_load(&s3->config, &fresh, err) < 0)
        return -1;
    s3->credentials = fresh;
    s3->credentials_loaded = true;
    return 0;
}

static void
add_query(struct s3_request *request, const char *name, const char *value)
{
    request->query[request->n_query++] = (struct s3_pair){name, value};
}

static void
describe_list(const struct s3_task *at, struct request_texts *texts, struct s3_request *request)
{
    const struct s3 *s3 = at->s3;

    (void)snprintf(texts->path, sizeof(texts->path), "/%s",
                   s3->config.path_style ? s3->bucket : "");
    (void)snprintf(texts->prefix, sizeof(texts->prefix), "%s%s", s3->root, at->task->name);
    (void)snprintf(texts->max_keys, sizeof(texts->max_keys), "%u", at->task->max);
    add_query(request, "list-type", "2");
    add_query(request, "max-keys", texts->max_keys);
    if (texts->prefix[0] != '\0')
        add_query(request, "prefix", texts->prefix);
    if (at->last_key[0] != '\0')
        add_query(request, "start-after", at->last_key);
}

static void
describe_object(const struct s3_task *at, struct request_texts *texts, struct s3_request *request)
{
    const struct s3 *s3 = at->s3;
    const struct store_range *range = &at->task->range;

    (void)snprintf(texts->path, sizeof(texts->path), "/%s%s%s%s",
                   s3->config.path_style ? s3->bucket : "", s3->config.path_style ? "/" : "",
                   s3->root, at->task->name);
    if (at->task->kind == TASK_PUT && !at->reading_back) {
        request->method = "PUT";
        request->payload_hash = at->payload_hash;
        request->headers[request->n_headers++] = (struct s3_pair){"if-none-match", "*"};
    } else if (at->task->kind == TASK_DELETE) {
        request->method = "DELETE";
    }
    if (range->size > 0) {
        (void)snprintf(texts->range, sizeof(texts->range), "bytes=%llu-%llu",
                       (unsigned long long)range->offset,
                       (unsigned long long)(range->offset + range->size - 1));
        request->headers[request->n_headers++] = (struct s3_pair){"range", texts->range};
    }
}

static int
make_url(const struct s3 *s3, const struct s3_request *request, struct buf *ret_url,
         struct err *err)
{
    if (buf_printf(ret_url, err, "%s://%s", s3->scheme, s3->host) != 0 ||
        s3_encode(ret_url, request->path, true, err) < 0 ||
        s3_encode_query(ret_url, request, err) < 0 || buf_text(ret_url, err) == NULL)
        return err_set(err, ERR_INTERNAL, "could not write the url");
    return 0;
}

static size_t
put_size(const struct store_task *task)
{
    size_t size = 0;

    for (size_t i = 0; i < task->n_spans; i++)
        size += task->spans[i].size;
    return size;
}

static void
describe_http(struct s3_task *at, struct http_request *ret)
{
    const struct store_task *task = at->task;

    if (at->s3->at_the_end && (task->kind == TASK_GET || task->kind == TASK_LIST))
        at->fresh = true;
    ret->fresh = at->fresh;
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
    struct s3 *s3 = at->s3;
    AUTO(buf) struct buf url = BUF_INIT(URL_MAX);
    AUTO(secret_buf) struct buf headers = BUF_INIT(HTTP_HEAD_MAX);
    struct request_texts texts = {0};
    struct s3_request request = {
        .method = "GET", .host = s3->host, .path = texts.path, .payload_hash = EMPTY_SHA256};
    char date[S3_SIGN_DATE_SIZE];

    if (!s3->credentials_loaded && load_credentials(s3, err) < 0)
        return -1;
    if (at->task->kind == TASK_LIST)
        describe_list(at, &texts, &request);
    else
        describe_object(at, &texts, &request);

    struct s3_identity identity = {
        .access_key_id = s3->credentials.access_key_id,
        .secret_access_key = s3->credentials.secret_access_key,
        .session_token =
            s3->credentials.session_token[0] != '\0' ? s3->credentials.session_token : NULL,
        .region = s3->config.region,
        .service = "s3",
    };
    s3_sign_date(clock_real_us() + s3->clock_offset_us, date);
    if (make_url(s3, &request, &url, err) < 0 ||
        s3_sign(&request, &identity, date, &headers, err) < 0)
        return -1;

    const char *header_lines = buf_text(&headers, err);
    if (header_lines == NULL)
        return -1;
    struct http_request http = {
        .method = request.method, .url = (const char *)url.data, .headers = header_lines};
    describe_http(at, &http);
    return http_start(s3->store.loop, &s3->http, &http, &at->http, err);
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
take_list(struct s3_task *at, const struct buf *body, int64_t retry_after_ms, bool doubtful)
{
    struct err err = ERR_INIT;
    bool more = false;

    if (s3_list_read(at->task, at->s3->root, body, at->last_key, &more, &err) < 0) {
        if (err.kind == ERR_TRANSIENT)
            ask_later(at, &err, retry_after_ms);
        else
            finish_failed(at, &err);
    } else if (at->task->page.n_entries == 0 && (more || doubtful)) {
        /* None of these keys was ours: the names asked for are further behind. */
        at->fresh = at->fresh || !more;
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
    if (at->reloaded || load_credentials(at->s3, &err) < 0) {
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

static void
finish_good(struct s3_task *at, struct http_response *response, int outcome)
{
    int64_t retry_after_ms = response->head.retry_after_ms;

    task_note_deletion(at->task, response->head.version_id, response->head.modified_s);
    bool doubtful = response->reused && !at->fresh;

    if (at->task->kind == TASK_LIST) {
        AUTO(buf) struct buf body = response->body;

        response->body = BUF_INIT(0);
        http_free(TAKE_PTR(at->http));
        take_list(at, &body, retry_after_ms, doubtful);
        return;
    }
    if (at->task->kind == TASK_GET) {
        /* "Nothing" may be the answer to an earlier request, come twice or late. */
        at->s3->at_the_end = outcome != 0;
        if (outcome != 0 && doubtful) {
            http_free(TAKE_PTR(at->http));
            at->fresh = true;
            ask_or_fail(at);
            return;
        }
    }
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
    http_free(TAKE_PTR(at->http));
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
