/* SPDX-License-Identifier: PostgreSQL */
#include "s3_scenario.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "cmocka_all.h"

#define TESTS_MAX 100

static int
start(const struct scenario *scenario, struct store *store, struct store_task **ret_task,
      struct err *err)
{
    static const struct span spans[] = {
        {(const uint8_t *)"hello ", 6}, {(const uint8_t *)"", 0}, {(const uint8_t *)"world", 5}};
    struct store_limits limits = {.deadline_ms = clock_boot_ms() + 60000,
                                  .retry_ms = scenario->patient ? 50000 : 1000};
    struct store_range whole = {.max_size = 100};
    struct store_range part = {.offset = 2, .size = 4, .max_size = 100};

    switch (scenario->asked) {
    case GET:
        return store_start_get(store, "wal/x", &whole, &limits, ret_task, err);
    case RANGE:
        return store_start_get(store, "wal/x", &part, &limits, ret_task, err);
    case PUT:
        return store_start_put(store, "wal/x", spans, ARRAY_SIZE(spans), &limits, ret_task, err);
    case LIST:
        return store_start_list(store, "wal/", "wal/0", 3, &limits, ret_task, err);
    case DELETE:
        return store_start_delete(store, "wal/x", &limits, ret_task, err);
    }
    return -1;
}

static void
check_content(const struct scenario *scenario, const struct store_task *task)
{
    char text[300] = "";

    if (scenario->text == NULL || scenario->asked == PUT || scenario->asked == DELETE)
        return;
    if (scenario->asked == LIST) {
        const struct store_page *page = store_task_page(task);

        for (size_t i = 0; i < page->n_entries; i++) {
            assert_int_equal(page->entries[i].size, 5);
            (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
                           i > 0 ? " " : "", page->entries[i].name);
        }
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s",
                       page->more ? " ..." : "");
    } else {
        struct span body = store_task_body(task);

        assert_true(body.size < sizeof(text));
        if (body.size > 0)
            memcpy(text, body.data, body.size);
    }
    assert_string_equal(text, scenario->text);
}

static void
check_requests(const struct scenario *scenario, const struct fake_seen *seen)
{
    unsigned n = seen->n;

    if (scenario->n_requests == 99)
        assert_true(n >= 2);
    else
        assert_int_equal(n, scenario->n_requests > 0 ? scenario->n_requests : 1);
    for (unsigned i = 0; i < n && i < FAKE_SEEN_MAX; i++) {
        const char *head = seen->requests[i].head;

        assert_null(strcasestr(head, "\r\nexpect:"));
        assert_null(strcasestr(head, "\r\naccept-encoding:"));
        assert_null(strcasestr(head, "\r\ncookie:"));
        assert_non_null(strstr(head, "uthorization: AWS4-HMAC-SHA256 Credential=AKIATEST/"));
        assert_int_equal(seen->requests[i].body_size,
                         strncmp(head, "PUT ", 4) == 0 ? strlen(BODY) : 0);
    }
    if (scenario->last != NULL)
        assert_non_null(strcasestr(seen->requests[n - 1].head, scenario->last));
}

static void
run_scenario(void **state)
{
    const struct scenario *scenario = *state;
    struct fake_server server;
    size_t n_steps = 0;

    for (size_t i = 0; i < ARRAY_SIZE(scenario->steps); i++) {
        const struct fake_step *step = &scenario->steps[i];

        if (step->status != 0 || step->raw != NULL || step->way != FAKE_WHOLE)
            n_steps = i + 1;
    }
    fake_server_start(&server, scenario->steps, n_steps);

    char endpoint[64];
    (void)snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", server.port);
    struct store_config config = {.name = "paris",
                                  .url = "s3://bucket/root",
                                  .endpoint = endpoint,
                                  .path_style = true,
                                  .allow_http = true,
                                  .access_key_id = "AKIATEST",
                                  .secret_access_key = "secret",
                                  .connect_timeout_ms = 5000,
                                  .stall_timeout_ms = scenario->patient ? 1000 : 20000};
    struct store_loop *loop = NULL;
    struct store *store = NULL;
    struct store_task *task = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(store_loop_new(&loop, &err), 0);
    assert_int_equal(store_open(loop, &config, &store, &err), 0);
    assert_int_equal(start(scenario, store, &task, &err), 0);
    int outcome = store_task_wait(loop, task, &err);
    if (outcome != scenario->outcome && outcome < 0)
        print_error("%s\n", err.text);
    assert_int_equal(outcome, scenario->outcome);
    if (outcome < 0) {
        assert_int_equal(err.kind, scenario->kind);
        if (strstr(err.text, scenario->text) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", scenario->text, err.text);
        if (scenario->hint != NULL && strstr(err.hint, scenario->hint) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", scenario->hint, err.hint);
    } else if (outcome == 0) {
        check_content(scenario, task);
    }
    check_requests(scenario, server.seen);
    store_task_free(task);
    store_close(store);
    store_loop_free(loop);
    fake_server_stop(&server);
}

int
scenarios_run(const char *group, const struct scenarios *tables, size_t n_tables)
{
    static struct scenario copies[TESTS_MAX];
    static struct CMUnitTest tests[TESTS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < n_tables; i++) {
        for (size_t j = 0; j < tables[i].n && n < TESTS_MAX; j++, n++) {
            copies[n] = tables[i].rows[j];
            tests[n] = (struct CMUnitTest){
                .name = copies[n].name, .test_func = run_scenario, .initial_state = &copies[n]};
        }
    }
    return _cmocka_run_group_tests(group, tests, n, NULL, NULL);
}
