/* SPDX-License-Identifier: PostgreSQL */
#include "store/s3_request.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/secret.h"
#include "store/s3_sign.h"
#include "store/s3_xml.h"

#define URL_MAX (8 * KIB)
#define NUMBER_TEXT_SIZE 24
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* The texts a request points to. */
struct request_texts {
    char path[S3_BUCKET_MAX + S3_ROOT_MAX + STORE_NAME_MAX + 8];
    char prefix[S3_ROOT_MAX + STORE_NAME_MAX + 2];
    char range[2 * NUMBER_TEXT_SIZE + 8];
    char max_keys[NUMBER_TEXT_SIZE];
};

int
s3_request_load_credentials(struct s3 *s3, struct err *err)
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
describe_list(const struct s3 *s3, const struct s3_ask *ask, struct request_texts *texts,
              struct s3_request *request)
{
    (void)snprintf(texts->path, sizeof(texts->path), "/%s",
                   s3->config.path_style ? s3->bucket : "");
    (void)snprintf(texts->prefix, sizeof(texts->prefix), "%s%s", s3->root, ask->name);
    (void)snprintf(texts->max_keys, sizeof(texts->max_keys), "%u", ask->max);
    add_query(request, "list-type", "2");
    add_query(request, "max-keys", texts->max_keys);
    if (texts->prefix[0] != '\0')
        add_query(request, "prefix", texts->prefix);
    if (ask->start_after[0] != '\0')
        add_query(request, "start-after", ask->start_after);
}

static void
describe_object(const struct s3 *s3, const struct s3_ask *ask, struct request_texts *texts,
                struct s3_request *request)
{
    (void)snprintf(texts->path, sizeof(texts->path), "/%s%s%s%s",
                   s3->config.path_style ? s3->bucket : "", s3->config.path_style ? "/" : "",
                   s3->root, ask->name);
    if (ask->verb == S3_PUT) {
        request->method = "PUT";
        request->payload_hash = ask->payload_hash;
        request->headers[request->n_headers++] = (struct s3_pair){"if-none-match", "*"};
    } else if (ask->verb == S3_DELETE) {
        request->method = "DELETE";
    }
    if (ask->range.size > 0) {
        (void)snprintf(texts->range, sizeof(texts->range), "bytes=%llu-%llu",
                       (unsigned long long)ask->range.offset,
                       (unsigned long long)(ask->range.offset + ask->range.size - 1));
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

int
s3_request_start(struct s3 *s3, const struct s3_ask *ask, const struct http_request *http,
                 struct http **ret_http, struct err *err)
{
    AUTO(buf) struct buf url = BUF_INIT(URL_MAX);
    AUTO(secret_buf) struct buf headers = BUF_INIT(HTTP_HEAD_MAX);
    struct request_texts texts = {0};
    struct s3_request request = {
        .method = "GET", .host = s3->host, .path = texts.path, .payload_hash = EMPTY_SHA256};
    char date[S3_SIGN_DATE_SIZE];

    if (!s3->credentials_loaded && s3_request_load_credentials(s3, err) < 0)
        return -1;
    if (ask->verb == S3_LIST)
        describe_list(s3, ask, &texts, &request);
    else
        describe_object(s3, ask, &texts, &request);

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
    struct http_request signed_http = *http;
    signed_http.method = request.method;
    signed_http.url = (const char *)url.data;
    signed_http.headers = header_lines;
    return http_start(s3->store.loop, &s3->http, &signed_http, ret_http, err);
}
