/* SPDX-License-Identifier: PostgreSQL */
/*
 * S3 stores: what may be configured, and what reaches beyond a single answer.
 * test_http.c, test_s3_answer.c and test_s3_list.c have the answers.
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/process.h"
#include "cmocka_all.h"
#include "fake_server.h"
#include "scratch.h"
#include "store/s3_digest.h"
#include "store/store.h"

#define REFUSED(number, code)                                              \
    {                                                                      \
        .status = (number), .body = "<Error><Code>" code "</Code></Error>" \
    }
#define GOOD                           \
    {                                  \
        .status = 200, .body = "hello" \
    }

static unsigned n_digests;

/* Stands in front of the library's, and counts. */
int
s3_digest(const char *algorithm, const struct span *spans UNUSED, size_t n_spans UNUSED,
          char *ret_hex, struct err *err UNUSED)
{
    size_t size = strcmp(algorithm, "MD5") == 0 ? 32 : 64;

    n_digests++;
    memset(ret_hex, 'a', size);
    ret_hex[size] = '\0';
    return 0;
}

/* ---- one store at a fake server ---- */

struct site {
    struct fake_server server;
    struct store_loop *loop;
    struct store *store;
};

static void
site_open(struct site *site, const struct fake_step *steps, size_t n_steps,
          const char *credentials_file)
{
    struct err err = ERR_INIT;
    char endpoint[64];

    fake_server_start(&site->server, steps, n_steps);
    (void)snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", site->server.port);
    struct store_config config = {.name = "paris",
                                  .url = "s3://bucket",
                                  .endpoint = endpoint,
                                  .path_style = true,
                                  .allow_http = true};
    if (credentials_file != NULL) {
        config.credentials_file = credentials_file;
    } else {
        config.access_key_id = "AKIATEST";
        config.secret_access_key = "secret";
    }
    assert_int_equal(store_loop_new(&site->loop, &err), 0);
    assert_int_equal(store_open(site->loop, &config, &site->store, &err), 0);
}

static void
site_close(struct site *site)
{
    store_close(site->store);
    store_loop_free(site->loop);
    fake_server_stop(&site->server);
}

static struct store_task *
begin_get(struct site *site, const char *name, int64_t time_ms, int64_t retry_ms)
{
    struct store_range range = {.max_size = 100};
    struct store_limits limits = {.deadline_ms = clock_boot_ms() + time_ms, .retry_ms = retry_ms};
    struct store_task *task = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(store_start_get(site->store, name, &range, &limits, &task, &err), 0);
    return task;
}

static int
get(struct site *site, struct err *err)
{
    AUTO(store_task) struct store_task *task = begin_get(site, "x", 30000, 0);

    return store_task_wait(site->loop, task, err);
}

static bool
request_has(const struct site *site, unsigned i, const char *text)
{
    return i < site->server.seen->n &&
           strcasestr(site->server.seen->requests[i].head, text) != NULL;
}

/* ---- credentials and clocks ---- */

static void
credentials_are_loaded_anew_when_they_are_refused(void **state)
{
    static const struct fake_step steps[] = {GOOD, REFUSED(403, "InvalidAccessKeyId"), GOOD, GOOD};
    const struct scratch *scratch = *state;
    char path[SCRATCH_SIZE + 16];
    struct err err = ERR_INIT;
    struct site site;

    (void)snprintf(path, sizeof(path), "%s/keys", scratch->path);
    scratch_text(scratch, "keys",
                 "[default]\naws_access_key_id = OLD\naws_secret_access_key = a\n");
    assert_int_equal(chmod(path, 0600), 0);
    site_open(&site, steps, ARRAY_SIZE(steps), path);
    assert_int_equal(get(&site, &err), 0);
    scratch_text(scratch, "keys",
                 "[default]\naws_access_key_id = NEW\naws_secret_access_key = b\n"
                 "aws_session_token = token\n");
    assert_int_equal(get(&site, &err), 0);
    assert_int_equal(get(&site, &err), 0);
    assert_true(request_has(&site, 0, "Credential=OLD/"));
    assert_true(request_has(&site, 1, "Credential=OLD/"));
    assert_true(request_has(&site, 2, "Credential=NEW/"));
    assert_true(request_has(&site, 2, "x-amz-security-token: token\r\n"));
    assert_true(request_has(&site, 3, "Credential=NEW/"));
    site_close(&site);
}

static void
missing_credentials_fail_the_request_and_send_nothing(void **state)
{
    static const struct fake_step steps[] = {GOOD};
    const struct scratch *scratch = *state;
    char path[SCRATCH_SIZE + 16];
    struct err err = ERR_INIT;
    struct site site;

    (void)snprintf(path, sizeof(path), "%s/none", scratch->path);
    site_open(&site, steps, ARRAY_SIZE(steps), path);
    assert_int_equal(get(&site, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "store \"paris\": could not read \"x\": "));
    assert_int_equal(site.server.seen->n, 0);
    site_close(&site);
}

static void
what_a_store_tells_of_a_delete_marker_is_kept(void **state UNUSED)
{
    static const char body[] = "<Error><Code>NoSuchKey</Code></Error>";
    static const struct fake_step steps[] = {
        {.status = 404,
         .headers = "x-amz-delete-marker: true\r\nx-amz-version-id: 3HL4kqtJ\r\n"
                    "Last-Modified: Sun, 22 Nov 2020 15:36:00 GMT\r\n",
         .body = body},
        {.status = 404, .headers = "x-amz-delete-marker: true\r\n", .body = body},
    };
    static const char *const told[] = {"the delete marker \"3HL4kqtJ\" of 2020-11-22T15:36:00Z",
                                       "a delete marker"};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
        struct site site;

        site_open(&site, &steps[i], 1, NULL);
        struct store_task *task = begin_get(&site, "x", 30000, 0);
        assert_int_equal(store_task_wait(site.loop, task, &err), STORE_DELETED);
        assert_string_equal(store_task_deletion(task), told[i]);
        store_task_free(task);
        site_close(&site);
    }
}

static void
the_stores_clock_is_taken_once_and_remembered(void **state UNUSED)
{
    static const char date[] = "Date: Sun, 22 Nov 2020 15:36:00 GMT\r\n";
    static const struct fake_step steps[] = {
        {.status = 403,
         .headers = date,
         .body = "<Error><Code>RequestTimeTooSkewed</Code></Error>"},
        {.status = 200, .headers = date, .body = "hello"},
        GOOD,
    };
    struct err err = ERR_INIT;
    struct site site;
    int64_t skew_s = 0;
    int64_t ours_us = 0;
    int64_t theirs_us = 0;

    site_open(&site, steps, ARRAY_SIZE(steps), NULL);
    assert_false(store_clock_taken(site.store, &ours_us, &theirs_us));
    AUTO(store_task) struct store_task *task = begin_get(&site, "x", 30000, 0);
    assert_int_equal(store_task_wait(site.loop, task, &err), 0);
    assert_int_equal(store_task_attempts(task), 2);
    assert_true(store_task_clock_skew(task, &skew_s));
    assert_true(skew_s < -86400);
    assert_true(store_clock_taken(site.store, &ours_us, &theirs_us));
    assert_true(theirs_us == INT64_C(1606059360) * 1000000);
    assert_true(ours_us > theirs_us);
    assert_false(store_clock_taken(site.store, &ours_us, &theirs_us));
    store_task_free(TAKE_PTR(task));
    assert_int_equal(get(&site, &err), 0);
    assert_false(request_has(&site, 0, "x-amz-date: 20201122T15"));
    assert_true(request_has(&site, 1, "x-amz-date: 20201122T15"));
    assert_true(request_has(&site, 2, "x-amz-date: 20201122T15"));
    site_close(&site);
}

static void
a_clock_that_stays_wrong_is_refused(void **state UNUSED)
{
    static const struct fake_step steps[] = {
        {.status = 403,
         .headers = "Date: Sun, 22 Nov 2020 15:36:00 GMT\r\n",
         .body = "<Error><Code>RequestTimeTooSkewed</Code></Error>"}};
    struct err err = ERR_INIT;
    struct site site;

    site_open(&site, steps, ARRAY_SIZE(steps), NULL);
    assert_int_equal(get(&site, &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    assert_int_equal(site.server.seen->n, 2);
    site_close(&site);
}

/* ---- time and signals ---- */

static void
a_deadline_ends_a_request_that_is_not_answered(void **state UNUSED)
{
    static const struct fake_step steps[] = {{.way = FAKE_HANG}};
    struct err err = ERR_INIT;
    struct site site;

    site_open(&site, steps, ARRAY_SIZE(steps), NULL);
    AUTO(store_task) struct store_task *task = begin_get(&site, "x", 300, 30000);
    assert_int_equal(store_task_wait(site.loop, task, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_string_equal(err.text,
                        "store \"paris\": could not read \"x\": no answer before the deadline");
    store_task_free(TAKE_PTR(task));
    site_close(&site);
}

static void
a_deadline_during_retries_tells_what_failed_before(void **state UNUSED)
{
    static const struct fake_step steps[] = {REFUSED(503, "SlowDown"), {.way = FAKE_HANG}};
    struct err err = ERR_INIT;
    struct site site;

    site_open(&site, steps, ARRAY_SIZE(steps), NULL);
    AUTO(store_task) struct store_task *task = begin_get(&site, "x", 1500, 30000);
    assert_int_equal(store_task_wait(site.loop, task, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_non_null(strstr(err.text, "(attempts: 2): answered 503 SlowDown"));
    store_task_free(TAKE_PTR(task));
    site_close(&site);
}

static void
without_time_for_retries_there_is_one_attempt(void **state UNUSED)
{
    static const struct fake_step steps[] = {REFUSED(503, "SlowDown")};
    struct err err = ERR_INIT;
    struct site site;

    site_open(&site, steps, ARRAY_SIZE(steps), NULL);
    assert_int_equal(get(&site, &err), -1);
    assert_string_equal(err.text, "store \"paris\": could not read \"x\": answered 503 SlowDown");
    assert_int_equal(site.server.seen->n, 1);
    site_close(&site);
}

static void
a_stop_request_ends_every_request(void **state UNUSED)
{
    static const struct fake_step steps[] = {{.way = FAKE_HANG}};
    struct err err = ERR_INIT;
    struct site site;

    site_open(&site, steps, ARRAY_SIZE(steps), NULL);
    AUTO(store_task) struct store_task *first = begin_get(&site, "x", 30000, 30000);
    AUTO(store_task) struct store_task *second = begin_get(&site, "y", 30000, 30000);
    assert_int_equal(store_loop_run(site.loop, clock_boot_ms() + 100, &err), 0);
    assert_false(store_task_ended(first));
    process_request_stop(SIGTERM);
    assert_int_equal(store_task_wait(site.loop, first, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_non_null(strstr(err.text, "store \"paris\": "));
    assert_true(store_task_ended(second));
    assert_int_equal(store_task_result(second, &err), -1);
    process_request_stop(0);
    store_task_free(TAKE_PTR(first));
    store_task_free(TAKE_PTR(second));
    site_close(&site);
}

static void
a_request_under_way_may_be_dropped(void **state UNUSED)
{
    static const struct fake_step steps[] = {{.way = FAKE_HANG}, GOOD};
    struct err err = ERR_INIT;
    struct site site;

    site_open(&site, steps, ARRAY_SIZE(steps), NULL);
    struct store_task *task = begin_get(&site, "x", 30000, 30000);
    assert_int_equal(store_loop_run(site.loop, clock_boot_ms() + 200, &err), 0);
    store_task_free(task);
    assert_int_equal(get(&site, &err), 0);
    site_close(&site);
}

/* ---- a name lookup that hangs ---- */

static sem_t lookup_may_end;
static volatile bool lookup_ended;

/* Ours is found before libc's, by libcurl too. No other test looks up a name. */
int
getaddrinfo(const char *node, const char *service UNUSED, const struct addrinfo *hints UNUSED,
            struct addrinfo **ret UNUSED)
{
    if (strstr(node, "hang") == NULL)
        return EAI_NONAME;
    while (sem_wait(&lookup_may_end) != 0 && errno == EINTR)
        continue;
    lookup_ended = true;
    return EAI_AGAIN;
}

static void
a_deadline_does_not_wait_for_a_name_lookup(void **state UNUSED)
{
    struct store_config config = {.name = "paris",
                                  .url = "s3://bucket",
                                  .endpoint = "https://hang.invalid",
                                  .access_key_id = "AKIATEST",
                                  .secret_access_key = "secret",
                                  .connect_timeout_ms = 60000};
    struct site site = {0};
    struct err err = ERR_INIT;

    assert_int_equal(sem_init(&lookup_may_end, 0, 0), 0);
    assert_int_equal(store_loop_new(&site.loop, &err), 0);
    assert_int_equal(store_open(site.loop, &config, &site.store, &err), 0);
    AUTO(store_task) struct store_task *task = begin_get(&site, "x", 300, 0);
    assert_int_equal(store_task_wait(site.loop, task, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    store_task_free(TAKE_PTR(task));
    store_close(site.store);
    store_loop_free(site.loop);
    assert_false(lookup_ended);
    assert_int_equal(sem_post(&lookup_may_end), 0);
}

/* ---- configuration ---- */

static const struct {
    struct store_config config;
    const char *place; /* NULL: it is an error */
} configurations[] = {
    {{.url = "s3://bucket"}, "s3://bucket (https://s3.us-east-1.amazonaws.com)"},
    {{.url = "s3://bucket/a/b/", .region = "eu-west-3"},
     "s3://bucket/a/b (https://s3.eu-west-3.amazonaws.com)"},
    {{.url = "s3://bucket", .endpoint = "https://S3.Example:9000/", .path_style = true},
     "s3://bucket (https://s3.example:9000)"},
    {{.url = "s3://bucket", .endpoint = "HTTPS://s3.example:443"},
     "s3://bucket (https://s3.example)"},
    {{.url = "s3://bucket", .endpoint = "https://[::1]:9000", .path_style = true},
     "s3://bucket (https://[::1]:9000)"},
    {{.url = "s3://bucket",
      .endpoint = "http://127.0.0.1:80",
      .path_style = true,
      .allow_http = true},
     "s3://bucket (http://127.0.0.1)"},
    {{.url = "s3://bucket", .endpoint = "http://127.0.0.1", .path_style = true}, NULL},
    {{.url = "s3://bucket", .endpoint = "https://127.0.0.1"}, NULL},
    {{.url = "s3://bucket", .endpoint = "https://[::1]"}, NULL},
    {{.url = "s3://bucket", .endpoint = "ftp://s3.example"}, NULL},
    {{.url = "s3://bucket", .endpoint = "https://"}, NULL},
    {{.url = "s3://bucket", .endpoint = "https://me@s3.example"}, NULL},
    {{.url = "s3://bucket", .endpoint = "https://s3.example/path"}, NULL},
    {{.url = "s3://bucket", .endpoint = "https://s3.example?query"}, NULL},
    {{.url = "s3://bucket", .endpoint = "https://s3.example:"}, NULL},
    {{.url = "s3://bucket", .endpoint = "https://s3.example:0"}, NULL},
    {{.url = "s3://bucket", .endpoint = "https://s3.example:65536"}, NULL},
    {{.url = "s3://bucket", .endpoint = "https://s3.ex ample"}, NULL},
    {{.url = "s3://bucket", .endpoint = "https://[zz]", .path_style = true}, NULL},
    {{.url = "s3://bucket", .region = ""}, NULL},
    {{.url = "s3://bucket", .region = "eu/west"}, NULL},
    {{.url = "s3://bucket", .access_key_id = "half"}, NULL},
    {{.url = "s3://"}, NULL},
    {{.url = "s3://ab"}, NULL},
    {{.url = "s3://Bucket"}, NULL},
    {{.url = "s3://buc_ket"}, NULL},
    {{.url = "s3://buc..ket"}, NULL},
    {{.url = "s3://-bucket"}, NULL},
    {{.url = "s3://bucket."}, NULL},
    {{.url = "s3://bucket//a"}, NULL},
    {{.url = "s3://bucket/a//b"}, NULL},
    {{.url = "s3://bucket/a/../b"}, NULL},
    {{.url = "s3://bucket/."}, NULL},
    {{.url = "s3://bucket/a b"}, NULL},
    {{.url = "s3://bucket/a?b"}, NULL},
    {{.url = "gs://bucket"}, NULL},
};

static void
configurations_are_checked(void **state UNUSED)
{
    struct store_loop *loop = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(store_loop_new(&loop, &err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(configurations); i++) {
        struct store_config config = configurations[i].config;
        struct store *store = NULL;

        config.name = "paris";
        if (configurations[i].place != NULL) {
            assert_int_equal(store_open(loop, &config, &store, &err), 0);
            assert_string_equal(store_place(store), configurations[i].place);
            assert_string_equal(store_name(store), "paris");
        } else {
            if (store_open(loop, &config, &store, &err) != -1)
                fail_msg("\"%s\" at \"%s\" was taken", config.url, config.endpoint);
            assert_int_equal(err.kind, ERR_CONFIG);
            assert_memory_equal(err.text, "store \"paris\": ", 15);
        }
        store_close(store);
    }
    store_loop_free(loop);
}

static struct store_task *
start_put(struct store *store, const struct span *spans, size_t n_spans)
{
    struct store_limits limits = {clock_boot_ms() + 60000, 1000};
    struct store_task *task = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(store_start_put(store, "x", spans, n_spans, &limits, &task, &err), 0);
    return task;
}

static void
what_goes_to_several_stores_is_digested_once(void **state)
{
    static const uint8_t bytes[] = "hello world";
    static const struct fake_step steps[] = {GOOD};
    const struct span spans[] = {{bytes, 5}, {bytes + 5, 6}};
    const struct span shorter[] = {{bytes, 5}, {bytes + 5, 5}};
    struct site site;
    struct store *second = NULL;
    struct err err = ERR_INIT;
    struct store_task *tasks[5] = {NULL};

    (void)state;
    site_open(&site, steps, ARRAY_SIZE(steps), NULL);
    const struct store_config config = {.name = "rome",
                                        .url = "s3://bucket",
                                        .endpoint = "http://127.0.0.1:9",
                                        .path_style = true,
                                        .allow_http = true,
                                        .access_key_id = "AKIATEST",
                                        .secret_access_key = "secret"};
    assert_int_equal(store_open(site.loop, &config, &second, &err), 0);
    n_digests = 0;
    tasks[0] = start_put(site.store, spans, 2);
    tasks[1] = start_put(second, spans, 2);
    assert_int_equal(n_digests, 2); /* SHA-256 and MD5 */
    tasks[2] = start_put(second, spans, 1);
    tasks[3] = start_put(second, shorter, 2);
    assert_int_equal(n_digests, 6);
    /* When no request with these bytes is under way, they may have become others. */
    store_task_free(tasks[0]);
    store_task_free(tasks[1]);
    tasks[4] = start_put(second, spans, 2);
    assert_int_equal(n_digests, 8);
    for (size_t i = 2; i < ARRAY_SIZE(tasks); i++)
        store_task_free(tasks[i]);
    store_close(second);
    site_close(&site);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(credentials_are_loaded_anew_when_they_are_refused,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(missing_credentials_fail_the_request_and_send_nothing,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test(what_a_store_tells_of_a_delete_marker_is_kept),
        cmocka_unit_test(the_stores_clock_is_taken_once_and_remembered),
        cmocka_unit_test(a_clock_that_stays_wrong_is_refused),
        cmocka_unit_test(a_deadline_ends_a_request_that_is_not_answered),
        cmocka_unit_test(a_deadline_during_retries_tells_what_failed_before),
        cmocka_unit_test(without_time_for_retries_there_is_one_attempt),
        cmocka_unit_test(a_stop_request_ends_every_request),
        cmocka_unit_test(a_request_under_way_may_be_dropped),
        cmocka_unit_test(a_deadline_does_not_wait_for_a_name_lookup),
        cmocka_unit_test(what_goes_to_several_stores_is_digested_once),
        cmocka_unit_test(configurations_are_checked),
    };

    return cmocka_run_group_tests_name("s3", tests, NULL, NULL);
}
