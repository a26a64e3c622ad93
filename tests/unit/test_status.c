/* SPDX-License-Identifier: PostgreSQL */
#include "agent/status.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

static const char *const config =
    "cluster = \"main\"; encryption = \"none\"; objectives = { rpo = \"1h\"; };\n"
    "stores = ( { name = \"a\"; url = \"file:///a\"; },\n"
    "           { name = \"b\"; url = \"file:///b\"; } );\n";

#define HOUR_US ((int64_t)3600 * 1000000)

struct bench {
    struct settings *settings;
    struct status status;
};

static int
setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct err err = ERR_INIT;

    assert_non_null(bench);
    if (settings_parse(config, strlen(config), "/conf", &bench->settings, &err) < 0)
        fail_msg("%s", err.text);
    status_init(&bench->status, bench->settings, "/data");
    *state = bench;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *bench = *state;

    settings_free(bench->settings);
    free(bench);
    return 0;
}

static void
take(struct bench *bench, const char *text, int rc)
{
    struct err err = ERR_INIT;

    assert_int_equal(status_take_answer(&bench->status, text, strlen(text), &err), rc);
    if (rc < 0)
        assert_int_equal(err.kind, ERR_CORRUPT);
}

static void
an_agents_answer_is_taken_over(void **state)
{
    struct bench *bench = *state;
    const struct status *status = &bench->status;

    take(bench,
         "{\"pid\": 42, \"version\": \"9.9\", \"since\": 1000, \"foreground\": true, "
         "\"push\": {\"open\": true, \"archived\": 7, \"last\": null, \"last_error\": \"away\", "
         "\"last_error_time\": 2000, \"stores\": [{\"name\": \"b\", \"lag_files\": 3, "
         "\"lag_since\": 1500, \"error\": \"no answer\"}, {\"name\": \"elsewhere\"}]}, "
         "\"fetch\": {\"open\": false}, \"news\": [1, 2]}",
         0);
    assert_int_equal(status->agent.state, STATUS_AGENT_RUNS);
    assert_int_equal(status->agent.pid, 42);
    assert_string_equal(status->agent.version, "9.9");
    assert_int_equal(status->agent.since_us, 1000 * (int64_t)1000000);
    assert_true(status->agent.foreground);
    assert_int_equal(status->push.archived, 7);
    assert_string_equal(status->push.last, "");
    assert_string_equal(status->push.last_error, "away");
    assert_int_equal(status->stores[0].lag_files, 0);
    assert_int_equal(status->stores[1].lag_files, 3);
    assert_string_equal(status->stores[1].error, "no answer");
}

static void
what_an_agent_does_not_say_or_says_strangely_is_passed_over(void **state)
{
    struct bench *bench = *state;

    take(bench, "{\"pid\": \"x\", \"push\": [], \"fetch\": 5, \"since\": -1}", 0);
    assert_int_equal(bench->status.agent.pid, 0);
    assert_false(bench->status.push.open);
    take(bench, "{}", 0);
    take(bench, "", -1);
    take(bench, "[]", -1);
    take(bench, "{\"pid\": 1", -1);
}

static void
the_verdict_is_the_gravest(void **state)
{
    struct bench *bench = *state;
    struct status *status = &bench->status;

    status_judge(status);
    assert_int_equal(status->verdict, STATUS_OK);
    status->queue.ready = 1;
    status->queue.oldest_us = status->now_us - HOUR_US / 2;
    status->push.last_us = 1;
    status->push.last_error_us = 2;
    status_judge(status);
    assert_int_equal(status->verdict, STATUS_FAILING);
    (void)snprintf(status->stores[1].look_error, sizeof(status->stores[1].look_error), "away");
    status_judge(status);
    assert_int_equal(status->verdict, STATUS_AWAY);
    status->stores[0].lag_files = 1;
    status->stores[0].lag_us = status->now_us - 2 * HOUR_US;
    status_judge(status);
    assert_int_equal(status->verdict, STATUS_BEHIND);
}

static void
the_queue_alone_can_be_behind_and_the_future_is_no_age(void **state)
{
    struct bench *bench = *state;
    struct status *status = &bench->status;

    status->queue.ready = 1;
    status->queue.oldest_us = status->now_us + HOUR_US;
    status_judge(status);
    assert_int_equal(status->verdict, STATUS_OK);
    status->queue.oldest_us = status->now_us - HOUR_US - 2000000;
    status_judge(status);
    assert_int_equal(status->verdict, STATUS_BEHIND);
    assert_non_null(strstr(status->why, "the objective is"));
}

static void
labels_are_escaped(void **state)
{
    struct bench *bench = *state;
    AUTO(buf) struct buf text = BUF_INIT(BUF_LIMIT_DEFAULT);
    struct err err = ERR_INIT;

    bench->status.agent.state = STATUS_AGENT_RUNS;
    (void)snprintf(bench->status.agent.version, sizeof(bench->status.agent.version), "a\"b\\c\nd");
    assert_int_equal(status_prometheus(&bench->status, &text, &err), 0);
    assert_non_null(strstr(buf_text(&text, &err), "version=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_agents_answer_is_taken_over, setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_an_agent_does_not_say_or_says_strangely_is_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(the_verdict_is_the_gravest, setup, teardown),
        cmocka_unit_test_setup_teardown(the_queue_alone_can_be_behind_and_the_future_is_no_age,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(labels_are_escaped, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
