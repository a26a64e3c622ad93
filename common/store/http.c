/* SPDX-License-Identifier: PostgreSQL */
#include "store/http.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "store/http_lane.h"
#include "store/loop.h"
#include "store/spans.h"

#define CONNECT_TIMEOUT_MS 5000
#define STALL_TIMEOUT_MS 20000
#define STALL_BYTES_PER_S 1024
/* Each request under way has one of each. TLS cuts what is sent into 16 KiB anyway. */
#define RECEIVE_BUFFER (256L * 1024)
#define SMALL_BUFFER (16L * 1024)
#define SEND_BUFFER (128L * 1024)

struct http {
    struct loop_transfer transfer;
    struct store_loop *loop;
    bool under_way;
    CURLcode set; /* the first option that libcurl refused */
    struct curl_slist *headers;
    struct span spans[STORE_SPANS_MAX];
    size_t n_spans;
    uint64_t sent;
    struct store_sending *sending;
    struct span expect[STORE_SPANS_MAX];
    size_t n_expect;
    size_t max_body;
    bool need_length;
    bool dropped; /* an error body beyond its ceiling: the status is the answer */
    void (*done)(void *context);
    void *context;
    struct http_response response;
    char detail[CURL_ERROR_SIZE];
};

/* ---- what libcurl calls ---- */

/* What was handed out is noted for who looks. */
static void
note_sending(struct http *http)
{
    struct store_sending *sending = http->sending;

    if (sending == NULL)
        return;
    if (sending->bytes == 0)
        sending->first_ms = clock_boot_ms();
    sending->bytes = http->sent;
    sending->last_ms =
        http->sent == spans_size(http->spans, http->n_spans) ? clock_boot_ms() : 0;
}

static size_t
on_read(char *place, size_t unit, size_t n, void *context)
{
    struct http *http = context;
    size_t room = unit * n;
    size_t used = 0;

    while (used < room) {
        struct span piece = spans_at(http->spans, http->n_spans, http->sent);
        size_t size = MIN_OF(piece.size, room - used);

        if (size == 0)
            break;
        memcpy(place + used, piece.data, size);
        used += size;
        http->sent += size;
    }
    note_sending(http);
    return used;
}

/* A kept connection turned out to be closed: libcurl begins again on a new one. */
static int
on_seek(void *context, curl_off_t offset, int origin)
{
    struct http *http = context;

    if (origin != SEEK_SET || offset < 0 ||
        (uint64_t)offset > spans_size(http->spans, http->n_spans))
        return CURL_SEEKFUNC_FAIL;
    http->sent = (uint64_t)offset;
    if (http->sending != NULL)
        *http->sending = (struct store_sending){.bytes = http->sent};
    return CURL_SEEKFUNC_OK;
}

static size_t
refuse(struct http *http, enum http_failure failure, const char *reason)
{
    http->response.failure = failure;
    (void)snprintf(http->response.reason, sizeof(http->response.reason), "%.*s",
                   HTTP_REASON_SIZE - 1, reason);
    return 0; /* libcurl gives the transfer up */
}

static bool
is_success(const struct http_head *head)
{
    return head->status >= 200 && head->status <= 299;
}

/* The head of a success is whole: is the body one that we want to read? */
static const char *
body_is_unusable(const struct http *http)
{
    const struct http_head *head = &http->response.head;

    if (head->coded)
        return "answered with an encoding that was not asked for";
    if (head->chunked && head->length_known)
        return "answered with two different framings";
    if (http->need_length && !head->length_known && (head->status == 200 || head->status == 206))
        return "answered without a Content-Length";
    return NULL;
}

static size_t
on_header(char *line, size_t unit, size_t n, void *context)
{
    struct http *http = context;
    struct http_response *response = &http->response;
    struct http_head *head = &response->head;
    bool was_complete = head->complete;
    size_t size = unit * n;
    char reason[HTTP_REASON_SIZE];

    const char *wrong = http_head_line(head, line, size);
    if (wrong != NULL) {
        (void)snprintf(reason, sizeof(reason), "answered with %s", wrong);
        return refuse(http, HTTP_PROTOCOL, reason);
    }
    if (!head->complete || was_complete || !is_success(head))
        return size;

    const char *unusable = body_is_unusable(http);
    if (unusable != NULL)
        return refuse(http, HTTP_PROTOCOL, unusable);
    if (head->length_known && head->length > http->max_body)
        return refuse(http, HTTP_TOO_LARGE, "answered with more bytes than there may be");
    /* The ceiling is now known exactly, so the buffer never grows past it. */
    if (head->length_known)
        response->body.limit = (size_t)head->length;
    else
        response->body.limit = http->max_body;
    return size;
}

static size_t
on_write(char *bytes, size_t unit, size_t n, void *context)
{
    struct http *http = context;
    struct http_response *response = &http->response;
    size_t size = unit * n;
    struct err err = ERR_INIT;
    struct span piece = {(const uint8_t *)bytes, size};
    bool success = is_success(&response->head);

    if (success && http->n_expect > 0) {
        if (!spans_equal(http->expect, http->n_expect, response->received, piece))
            response->differs = true;
        response->received += size;
        return size;
    }
    response->received += size;
    /* The whole of it at once: the length was announced and is below the ceiling. */
    if (success && response->head.length_known && response->body.data == NULL &&
        buf_reserve(&response->body, response->body.limit, &err) < 0)
        return refuse(http, HTTP_INTERNAL, err.text);

    int rc = buf_append(&response->body, bytes, size, &err);
    if (rc == 0)
        return size;
    if (rc < 0)
        return refuse(http, HTTP_INTERNAL, err.text);
    if (success)
        return refuse(http, HTTP_TOO_LARGE, "answered with more bytes than there may be");
    http->dropped = true;
    return 0;
}

/* ---- the end ---- */

/* TLS versions that cannot meet come as a failed connection like any reset; only the text tells. */
static bool
tls_cannot_meet(const char *detail)
{
    static const char *const signs[] = {"unsupported protocol", "protocol version",
                                        "wrong version number"};

    for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
        if (strstr(detail, signs[i]) != NULL)
            return true;
    }
    return false;
}

static enum http_failure
failure_of(CURLcode code, const char *detail)
{
    static const CURLcode untrusted[] = {
        CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
        CURLE_SSL_CERTPROBLEM,          CURLE_SSL_CIPHER,
        CURLE_SSL_CRL_BADFILE,          CURLE_SSL_ISSUER_ERROR,
        CURLE_SSL_INVALIDCERTSTATUS,    CURLE_USE_SSL_FAILED,
        CURLE_SSL_PINNEDPUBKEYNOTMATCH,
    };
    /* No answer can bring these about: "unsupported protocol" and "out of memory" can be. */
    static const CURLcode internal[] = {
        CURLE_FAILED_INIT,           CURLE_URL_MALFORMAT,       CURLE_NOT_BUILT_IN,
        CURLE_BAD_FUNCTION_ARGUMENT, CURLE_SSL_ENGINE_NOTFOUND, CURLE_READ_ERROR,
        CURLE_ABORTED_BY_CALLBACK,
    };

    for (size_t i = 0; i < ARRAY_SIZE(untrusted); i++) {
        if (code == untrusted[i])
            return HTTP_UNTRUSTED;
    }
    for (size_t i = 0; i < ARRAY_SIZE(internal); i++) {
        if (code == internal[i])
            return HTTP_INTERNAL;
    }
    if (code == CURLE_SSL_CONNECT_ERROR && tls_cannot_meet(detail))
        return HTTP_UNTRUSTED;
    return HTTP_NETWORK;
}

static void
judge(struct http *http, CURLcode code)
{
    struct http_response *response = &http->response;
    const struct http_head *head = &response->head;

    if (response->failure != HTTP_WHOLE)
        return;
    if (http->dropped) {
        buf_clear(&response->body);
    } else if (code != CURLE_OK) {
        const char *detail = http->detail[0] != '\0' ? http->detail : curl_easy_strerror(code);

        /* What libcurl 7.88 says of a header line beyond 100 KiB. */
        if (code == CURLE_OUT_OF_MEMORY)
            detail = "out of memory, or answered with an endless header line";

        (void)err_quote(detail, strlen(detail), response->reason, sizeof(response->reason));
        response->failure = failure_of(code, detail);
    } else if (head->status < 200 || !head->complete) {
        (void)refuse(http, HTTP_PROTOCOL, "answered without a final status");
    } else if (http->n_expect > 0 &&
               response->received != spans_size(http->expect, http->n_expect)) {
        response->differs = true;
    } else if ((head->status == 200 || head->status == 206) && head->length_known &&
               head->length != response->received) {
        (void)refuse(http, HTTP_PROTOCOL, "answered with a length that is not the body's");
    }
}

static void
on_end(struct loop_transfer *transfer, CURLcode code)
{
    struct http *http = (struct http *)(void *)transfer;
    long n_connects = 0;

    (void)curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &n_connects);
    http->response.reused = n_connects == 0;
    http->under_way = false;
    judge(http, code);
    http->done(http->context);
}

/* ---- the beginning ---- */

static void
set_long(struct http *http, CURLoption option, long value)
{
    if (http->set == CURLE_OK)
        http->set = curl_easy_setopt(http->transfer.easy, option, value);
}

static void
set_pointer(struct http *http, CURLoption option, const void *value)
{
    if (http->set == CURLE_OK)
        http->set = curl_easy_setopt(http->transfer.easy, option, value);
}

static void
set_connection(struct http *http, const struct http_settings *settings)
{
    static const struct {
        CURLoption option;
        long value;
    } fixed[] = {
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
        {CURLOPT_HTTP09_ALLOWED, 0},
        {CURLOPT_HTTP_CONTENT_DECODING, 0},
        {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_NETRC, CURL_NETRC_IGNORED},
        {CURLOPT_PATH_AS_IS, 1},
        {CURLOPT_DISALLOW_USERNAME_IN_URL, 1},
        {CURLOPT_TCP_NODELAY, 1},
        {CURLOPT_BUFFERSIZE, RECEIVE_BUFFER},
        {CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER},
        {CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES_PER_S},
        /* Giving up must not wait for a name lookup that hangs. */
        {CURLOPT_QUICK_EXIT, 1},
    };
    uint32_t connect_ms = settings->connect_timeout_ms;
    uint32_t stall_ms = settings->stall_timeout_ms;

    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
        set_long(http, fixed[i].option, fixed[i].value);
    set_long(http, CURLOPT_CONNECTTIMEOUT_MS, connect_ms > 0 ? connect_ms : CONNECT_TIMEOUT_MS);
    set_long(http, CURLOPT_LOW_SPEED_TIME,
             (long)(((stall_ms > 0 ? stall_ms : STALL_TIMEOUT_MS) + 999L) / 1000));
    set_pointer(http, CURLOPT_PROTOCOLS_STR, settings->allow_http ? "http,https" : "https");
    set_pointer(http, CURLOPT_PROXY, "");
    set_pointer(http, CURLOPT_USERAGENT, "seawall/" SEAWALL_VERSION);
    if (settings->ca_file != NULL) {
        set_pointer(http, CURLOPT_CAINFO, settings->ca_file);
        set_pointer(http, CURLOPT_CAPATH, NULL);
    }
}

static void
set_callbacks(struct http *http)
{
    CURL *easy = http->transfer.easy;
    const CURLcode codes[] = {
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read),
        curl_easy_setopt(easy, CURLOPT_READDATA, (void *)http),
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek),
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, (void *)http),
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header),
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, (void *)http),
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write),
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, (void *)http),
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->detail),
    };

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        if (http->set == CURLE_OK)
            http->set = codes[i];
    }
}

static int
add_header(struct http *http, const char *line, size_t length, struct err *err)
{
    AUTO(secret_buf) struct buf copy = BUF_INIT(HTTP_HEAD_MAX);

    if (buf_append(&copy, line, length, err) != 0)
        return err_set(err, ERR_INTERNAL, "a request header is too long");
    const char *text = buf_text(&copy, err);
    if (text == NULL)
        return -1;
    struct curl_slist *longer = curl_slist_append(http->headers, text);
    if (longer == NULL)
        return err_memory(err, "request headers");
    http->headers = longer;
    return 0;
}

static int
set_request(struct http *http, const struct http_request *request, struct err *err)
{
    /* The body is sent at once; waiting for "100 Continue" gains nothing here. */
    static const char no_expect[] = "Expect:";

    for (const char *line = request->headers, *end; *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        if (end == NULL)
            return err_set(err, ERR_INTERNAL, "a request header without an end");
        if (add_header(http, line, (size_t)(end - line), err) < 0)
            return -1;
    }
    if (add_header(http, no_expect, sizeof(no_expect) - 1, err) < 0)
        return -1;
    set_pointer(http, CURLOPT_HTTPHEADER, http->headers);
    set_pointer(http, CURLOPT_URL, request->url);

    if (strcmp(request->method, "PUT") == 0) {
        curl_off_t size = (curl_off_t)spans_size(http->spans, http->n_spans);

        set_long(http, CURLOPT_UPLOAD, 1);
        set_long(http, CURLOPT_BUFFERSIZE, SMALL_BUFFER);
        if (http->set == CURLE_OK)
            http->set = curl_easy_setopt(http->transfer.easy, CURLOPT_INFILESIZE_LARGE, size);
    } else {
        set_long(http, CURLOPT_HTTPGET, 1);
        set_pointer(http, CURLOPT_CUSTOMREQUEST, request->method);
    }
    if (http->set != CURLE_OK)
        return err_set(err, ERR_INTERNAL, "libcurl refused an option: %s",
                       curl_easy_strerror(http->set));
    return 0;
}

static void
cleanup_http(struct http **http)
{
    http_free(*http);
}

int
http_start(struct store_loop *loop, const struct http_settings *settings,
           const struct http_request *request, struct http **ret_http, struct err *err)
{
    AUTO(http) struct http *http = calloc(1, sizeof(*http));

    if (http == NULL)
        return err_memory(err, "request");
    http->transfer.done = on_end;
    http->loop = loop;
    http->n_spans = request->n_spans;
    for (size_t i = 0; i < request->n_spans; i++)
        http->spans[i] = request->spans[i];
    http->sending = request->sending;
    http->n_expect = request->n_expect;
    for (size_t i = 0; i < request->n_expect; i++)
        http->expect[i] = request->expect[i];
    http->max_body = request->max_body;
    http->need_length = request->need_length;
    http->done = request->done;
    http->context = request->context;
    http->response.body = BUF_INIT(HTTP_ERROR_BODY_MAX);

    if (loop_transfer_init(loop, &http->transfer, err) < 0)
        return -1;
    set_connection(http, settings);
    set_long(http, CURLOPT_FRESH_CONNECT, request->fresh);
    if (request->lane != NULL)
        set_pointer(http, CURLOPT_SHARE, request->lane->share);
    set_callbacks(http);
    if (set_request(http, request, err) < 0)
        return -1;
    if (loop_transfer_start(loop, &http->transfer, err) < 0)
        return -1;
    http->under_way = true;
    *ret_http = TAKE_PTR(http);
    return 0;
}

struct http_response *
http_response(struct http *http)
{
    return &http->response;
}

void
http_free(struct http *http)
{
    if (http == NULL)
        return;
    if (http->under_way)
        loop_transfer_stop(http->loop, &http->transfer);
    if (http->transfer.easy != NULL)
        curl_easy_cleanup(http->transfer.easy);
    /* A session token is among them. */
    for (struct curl_slist *line = http->headers; line != NULL; line = line->next)
        secret_wipe(line->data, strlen(line->data));
    curl_slist_free_all(http->headers);
    buf_done(&http->response.body);
    free(http);
}
