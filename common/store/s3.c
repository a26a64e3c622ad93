/* SPDX-License-Identifier: PostgreSQL */
#include "store/s3.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "base/secret.h"
#include "store/s3_spare.h"

/* ---- the url: s3://bucket/root ---- */

static bool
is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
is_host_character(char c)
{
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '-';
}

static bool
bucket_is_good(const char *bucket, size_t length)
{
    if (length < 3 || length > S3_BUCKET_MAX || !is_lower_or_digit(bucket[0]) ||
        !is_lower_or_digit(bucket[length - 1]))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!is_lower_or_digit(bucket[i]) && bucket[i] != '-' && bucket[i] != '.')
            return false;
        if (bucket[i] == '.' && bucket[i + 1] == '.')
            return false;
    }
    return true;
}

static bool
root_is_good(const char *root, size_t length)
{
    size_t begin = 0;

    if (length > S3_ROOT_MAX)
        return false;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && root[i] != '/') {
            if (!is_host_character(root[i]) && root[i] != '_')
                return false;
            continue;
        }
        size_t size = i - begin;
        if (size == 0 || (size == 1 && root[begin] == '.') ||
            (size == 2 && root[begin] == '.' && root[begin + 1] == '.'))
            return false;
        begin = i + 1;
    }
    return true;
}

static int
take_url(struct s3 *s3, const char *url, struct err *err)
{
    static const char scheme[] = "s3://";
    char quoted[200];

    if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
        return err_set(err, ERR_INTERNAL, "not an s3 url");
    const char *bucket = url + sizeof(scheme) - 1;
    size_t length = strcspn(bucket, "/");
    const char *root = bucket[length] == '/' ? bucket + length + 1 : bucket + length;
    size_t root_length = strlen(root);

    if (root_length > 0 && root[root_length - 1] == '/')
        root_length--;
    (void)err_quote(url, strlen(url), quoted, sizeof(quoted));
    if (!bucket_is_good(bucket, length)) {
        (void)err_set(err, ERR_CONFIG, "bad bucket name in url \"%s\"", quoted);
        return err_hint(err, "A bucket's name has 3 to 63 lower-case letters, digits, \"-\" and "
                             "\".\"; write \"s3://bucket/root\".");
    }
    if (root_length > 0 && !root_is_good(root, root_length)) {
        (void)err_set(err, ERR_CONFIG, "bad root in url \"%s\"", quoted);
        return err_hint(err,
                        "The root behind the bucket is a path of at most %d letters, digits, "
                        "\".\", \"_\" and \"-\", without empty, \".\" and \"..\" parts.",
                        S3_ROOT_MAX);
    }
    memcpy(s3->bucket, bucket, length);
    if (root_length > 0) {
        memcpy(s3->root, root, root_length);
        s3->root[root_length] = '/';
    }
    return 0;
}

/* ---- the endpoint: https://host[:port] ---- */

/* host, host:port, [v6] or [v6]:port. The scheme's own port is left out, as in Host. */
static bool
take_authority(struct s3 *s3, const char *text, size_t length, uint64_t own_port)
{
    size_t host = 0;
    uint64_t port = own_port;

    if (length > 0 && text[0] == '[') {
        const char *end = memchr(text, ']', length);

        host = end != NULL ? (size_t)(end - text) + 1 : 0;
        if (host < 4 || strspn(text + 1, "0123456789abcdefABCDEF:.") != host - 2)
            return false;
    } else {
        while (host < length && is_host_character(text[host]))
            host++;
    }
    if (host == 0 || host > S3_HOST_MAX || text[0] == '.' || text[0] == '-')
        return false;
    if (host < length &&
        (text[host] != ':' || !decimal_read(text + host + 1, length - host - 1, 65535, &port) ||
         port == 0))
        return false;

    for (size_t i = 0; i < host; i++)
        s3->authority[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    if (port != own_port)
        (void)snprintf(s3->authority + host, sizeof(s3->authority) - host, ":%u", (unsigned)port);
    return true;
}

/* Nothing but digits and dots, or brackets: a bucket cannot stand in front of it. */
static bool
is_address(const char *authority)
{
    size_t digits = strspn(authority, "0123456789.");

    return authority[0] == '[' || authority[digits] == '\0' || authority[digits] == ':';
}

static int
bad_endpoint(const char *endpoint, struct err *err)
{
    char quoted[200];

    (void)err_set(err, ERR_CONFIG, "bad endpoint \"%s\"",
                  err_quote(endpoint, strlen(endpoint), quoted, sizeof(quoted)));
    return err_hint(err, "Write endpoint = \"https://host\" or \"https://host:port\".");
}

static int
take_endpoint(struct s3 *s3, const struct store_config *config, struct err *err)
{
    char amazon[128];
    const char *endpoint = config->endpoint;
    bool tls = true;

    (void)snprintf(amazon, sizeof(amazon), "https://s3.%s.amazonaws.com", s3->config.region);
    if (endpoint == NULL)
        endpoint = amazon;
    if (strncasecmp(endpoint, "http://", 7) == 0)
        tls = false;
    else if (strncasecmp(endpoint, "https://", 8) != 0)
        return bad_endpoint(endpoint, err);
    if (!tls && !config->allow_http) {
        (void)err_set(err, ERR_CONFIG, "the endpoint uses http, which is not encrypted");
        return err_hint(err, "Use https://, or set allow_http = true if the endpoint is on this "
                             "machine.");
    }

    const char *authority = endpoint + (tls ? 8 : 7);
    size_t length = strlen(authority);
    if (length > 0 && authority[length - 1] == '/')
        length--;
    if (!take_authority(s3, authority, length, tls ? 443 : 80))
        return bad_endpoint(endpoint, err);
    (void)snprintf(s3->scheme, sizeof(s3->scheme), "%s", tls ? "https" : "http");
    (void)snprintf(s3->endpoint, sizeof(s3->endpoint), "%s://%s", s3->scheme, s3->authority);

    if (config->path_style) {
        (void)snprintf(s3->host, sizeof(s3->host), "%s", s3->authority);
    } else if (is_address(s3->authority)) {
        (void)err_set(err, ERR_CONFIG, "the bucket cannot stand in front of the address in \"%s\"",
                      s3->endpoint);
        return err_hint(err, "Set path_style = true for this store.");
    } else {
        (void)snprintf(s3->host, sizeof(s3->host), "%s.%s", s3->bucket, s3->authority);
    }
    return 0;
}

/* ---- opening and closing ---- */

static int
keep(struct s3 *s3, const char *text, const char **ret_text, struct err *err)
{
    if (text == NULL)
        return 0;
    char *copy = strdup(text);
    if (copy == NULL)
        return err_memory(err, "store");
    s3->owned[s3->n_owned++] = copy;
    *ret_text = copy;
    return 0;
}

static int
take_config(struct s3 *s3, const struct store_config *config, struct err *err)
{
    const char *region = config->region != NULL ? config->region : "us-east-1";
    size_t length = strlen(region);

    if (length == 0 || length > 63 ||
        strspn(region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") !=
            length)
        return err_set(err, ERR_CONFIG, "bad region");
    if ((config->access_key_id == NULL) != (config->secret_access_key == NULL))
        return err_set(err, ERR_CONFIG,
                       "access_key_id and secret_access_key are given both or not at all");

    struct store_config *own = &s3->config;
    *own = (struct store_config){.path_style = config->path_style,
                                 .allow_http = config->allow_http,
                                 .connect_timeout_ms = config->connect_timeout_ms,
                                 .stall_timeout_ms = config->stall_timeout_ms};
    if (keep(s3, config->name, &own->name, err) < 0 || keep(s3, config->url, &own->url, err) < 0 ||
        keep(s3, region, &own->region, err) < 0 ||
        keep(s3, config->ca_file, &own->ca_file, err) < 0 ||
        keep(s3, config->access_key_id, &own->access_key_id, err) < 0 ||
        keep(s3, config->secret_access_key, &own->secret_access_key, err) < 0 ||
        keep(s3, config->credentials_file, &own->credentials_file, err) < 0 ||
        keep(s3, config->profile, &own->profile, err) < 0)
        return -1;
    s3->http = (struct http_settings){.ca_file = own->ca_file,
                                      .allow_http = own->allow_http,
                                      .connect_timeout_ms = own->connect_timeout_ms,
                                      .stall_timeout_ms = own->stall_timeout_ms};
    return 0;
}

static void
s3_free(struct s3 *s3)
{
    if (s3 == NULL)
        return;
    s3_spares_done(s3);
    s3_credentials_done(&s3->credentials);
    for (size_t i = 0; i < s3->n_owned; i++) {
        secret_wipe(s3->owned[i], strlen(s3->owned[i]));
        free(s3->owned[i]);
    }
    free(s3->store.place);
    free(s3);
}

static void
s3_close(struct store *store)
{
    s3_free((struct s3 *)(void *)store);
}

static void
s3_expect_absence(struct store *store)
{
    s3_spares_fill((struct s3 *)(void *)store);
}

DEFINE_POINTER_CLEANUP(s3, struct s3, s3_free);

int
s3_open(struct store_loop *loop, const struct store_config *config, struct store **ret_store,
        struct err *err)
{
    static const struct store_ops ops = {
        .start = s3_task_start,
        .abandon = s3_task_abandon,
        .wake = s3_task_wake,
        .expect_absence = s3_expect_absence,
        .close = s3_close,
    };
    AUTO(s3) struct s3 *s3 = calloc(1, sizeof(*s3));

    if (s3 == NULL)
        return err_memory(err, "store");
    s3->store.ops = &ops;
    s3->store.loop = loop;
    if (take_config(s3, config, err) < 0 || take_url(s3, config->url, err) < 0 ||
        take_endpoint(s3, config, err) < 0)
        return -1;

    size_t root = strlen(s3->root);
    if (asprintf(&s3->store.place, "s3://%s%s%.*s (%s)", s3->bucket, root > 0 ? "/" : "",
                 (int)(root > 0 ? root - 1 : 0), s3->root, s3->endpoint) < 0) {
        s3->store.place = NULL;
        return err_memory(err, "store");
    }
    struct s3 *taken = TAKE_PTR(s3);
    *ret_store = &taken->store;
    return 0;
}
