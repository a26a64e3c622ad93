/* SPDX-License-Identifier: PostgreSQL */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/wire.h"
#include "cmocka_all.h"

#define HEAD "seawall 1 push\nversion 0.1.0\nelapsed 12\ntimeout 30000\n"

static struct wire_message
message_of(const char *text)
{
    struct wire_message message = {.size = strlen(text)};

    assert_true(message.size <= sizeof(message.text));
    memcpy(message.text, text, message.size);
    return message;
}

static void
requests_are_read_as_they_were_written(void **state UNUSED)
{
    static const enum wire_verb verbs[] = {WIRE_PUSH, WIRE_FETCH, WIRE_STATUS, WIRE_STOP};

    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        struct wire_request request = {.verb = verbs[i],
                                       .version = "0.1.0",
                                       .elapsed_ms = 12,
                                       .timeout_ms = 30000,
                                       .name = "name with \"blanks\" \xc3\xa4",
                                       .path = "pg_wal/x"};
        struct wire_request read;
        struct wire_message message;
        struct err err = ERR_INIT;

        assert_int_equal(wire_write_request(&request, &message, &err), 0);
        assert_int_equal(wire_read_request(&message, &read, &err), 0);
        assert_int_equal(read.verb, verbs[i]);
        assert_string_equal(read.version, "0.1.0");
        assert_int_equal(read.elapsed_ms, 12);
        assert_int_equal(read.timeout_ms, 30000);
        assert_string_equal(read.name, verbs[i] == WIRE_FETCH ? request.name : "");
        assert_string_equal(read.path, i < 2 ? request.path : "");
    }
}

static void
what_cannot_be_said_is_refused(void **state UNUSED)
{
    struct wire_request request = {.verb = WIRE_FETCH, .name = "a\nb", .path = "p"};
    struct wire_message message;
    struct err err = ERR_INIT;

    assert_int_equal(wire_write_request(&request, &message, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    request.name[0] = '\0';
    assert_int_equal(wire_write_request(&request, &message, &err), -1);
    memset(request.name, 'x', sizeof(request.name));
    assert_int_equal(wire_write_request(&request, &message, &err), -1);
    assert_string_equal(err.text, "the name is too long");
    request = (struct wire_request){.verb = WIRE_PUSH, .path = "\x7f"};
    assert_int_equal(wire_write_request(&request, &message, &err), -1);
}

static void
the_longest_request_fits(void **state UNUSED)
{
    struct wire_request request = {.verb = WIRE_FETCH,
                                   .elapsed_ms = WIRE_TIME_MAX_MS,
                                   .timeout_ms = WIRE_TIME_MAX_MS};
    struct wire_request read;
    struct wire_message message;
    struct err err = ERR_INIT;

    memset(request.version, 'v', sizeof(request.version) - 1);
    memset(request.name, 'n', sizeof(request.name) - 1);
    memset(request.path, 'p', sizeof(request.path) - 1);
    assert_int_equal(wire_write_request(&request, &message, &err), 0);
    assert_int_equal(wire_read_request(&message, &read, &err), 0);
    assert_memory_equal(&read.path, &request.path, sizeof(read.path));
    assert_memory_equal(&read.name, &request.name, sizeof(read.name));
}

static void
requests_that_are_none_are_refused(void **state UNUSED)
{
    static const char *const texts[] = {
        "",
        "\n",
        "x",
        "seawall",
        "seawall 1",
        "seawall 1 push",
        "seawall 1 push\n",
        HEAD,
        HEAD "path \n",
        HEAD "path a",
        HEAD "path a\npath b\n",
        HEAD "name a\n",
        HEAD "name a\npath b\n",
        HEAD "path a\n\n",
        HEAD "path a\tb\n",
        "seawall 1 pull\nversion 1\nelapsed 0\ntimeout 0\npath a\n",
        "seawall 1 push\nelapsed 0\nversion 1\ntimeout 0\npath a\n",
        "seawall 1 push\nversion 1\nelapsed 01\ntimeout 0\npath a\n",
        "seawall 1 push\nversion 1\nelapsed -1\ntimeout 0\npath a\n",
        "seawall 1 push\nversion 1\nelapsed 0\ntimeout 86400001\npath a\n",
        "seawall 1 push\nversion 12345678901234567890123456789012\nelapsed 0\ntimeout 0\npath a\n",
        "seawall 1 stop\nversion 1\nelapsed 0\ntimeout 0\npath a\n",
        "seawall 1 fetch\nversion 1\nelapsed 0\ntimeout 0\npath a\nname b\n",
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct wire_message message = message_of(texts[i]);
        struct wire_request request;
        struct err err = ERR_INIT;

        assert_int_equal(wire_read_request(&message, &request, &err), -1);
        assert_int_equal(err.kind, ERR_INTERNAL);
    }
}

static void
another_protocol_is_known_as_such(void **state UNUSED)
{
    struct wire_message message = message_of("seawall 2 push\n");
    struct wire_request request;
    struct err err = ERR_INIT;

    assert_int_equal(wire_read_request(&message, &request, &err), WIRE_FOREIGN);
}

static void
answers_are_read_as_they_were_written(void **state UNUSED)
{
    static const struct wire_answer answers[] = {
        {.kind = WIRE_ANSWER_WAIT, .wait_ms = 45000},
        {.kind = WIRE_ANSWER_NOTE, .level = LOG_WARNING, .text = "store \"a\": away"},
        {.kind = WIRE_ANSWER_NOTE, .level = LOG_DEBUG, .text = ""},
        {.kind = WIRE_ANSWER_DATA, .text = "{\"a\": 1}"},
        {.kind = WIRE_ANSWER_OK},
        {.kind = WIRE_ANSWER_ABSENT},
        {.kind = WIRE_ANSWER_AGAIN},
        {.kind = WIRE_ANSWER_READY},
        {.kind = WIRE_ANSWER_LOCKED},
        {.kind = WIRE_ANSWER_OFF},
        {.kind = WIRE_ANSWER_FAILED, .err = {.kind = ERR_CONFLICT, .text = "why", .hint = "how"}},
        {.kind = WIRE_ANSWER_FAILED, .err = {.kind = ERR_TRANSIENT, .text = "why"}},
    };

    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        struct wire_message message;
        struct wire_answer read;
        struct err err = ERR_INIT;

        wire_write_answer(&answers[i], &message);
        assert_int_equal(wire_read_answer(&message, &read, &err), 0);
        assert_int_equal(read.kind, answers[i].kind);
        assert_int_equal(read.wait_ms, answers[i].wait_ms);
        assert_int_equal(read.level, answers[i].level);
        assert_string_equal(read.text, answers[i].text);
        assert_int_equal(read.err.kind, answers[i].err.kind);
        assert_string_equal(read.err.text, answers[i].err.text);
        assert_string_equal(read.err.hint, answers[i].err.hint);
    }
}

static void
every_kind_of_error_survives(void **state UNUSED)
{
    for (int kind = ERR_TRANSIENT; kind <= ERR_INTERNAL; kind++) {
        struct wire_answer answer = {.kind = WIRE_ANSWER_FAILED, .err = {.text = "x"}};
        struct wire_answer read;
        struct wire_message message;
        struct err err = ERR_INIT;

        answer.err.kind = (enum err_kind)kind;
        wire_write_answer(&answer, &message);
        assert_int_equal(wire_read_answer(&message, &read, &err), 0);
        assert_int_equal(read.err.kind, kind);
    }
}

static void
a_failure_without_a_kind_is_internal_and_control_bytes_do_not_break_lines(void **state UNUSED)
{
    struct wire_answer answer = {.kind = WIRE_ANSWER_FAILED, .err = {.text = "a\nb\x7f"}};
    struct wire_answer read;
    struct wire_message message;
    struct err err = ERR_INIT;

    wire_write_answer(&answer, &message);
    assert_int_equal(wire_read_answer(&message, &read, &err), 0);
    assert_int_equal(read.err.kind, ERR_INTERNAL);
    assert_string_equal(read.err.text, "a?b?");
}

static void
answers_that_are_none_are_refused(void **state UNUSED)
{
    static const char *const texts[] = {
        "",          "\n",         "done",           "done ok",       "done ok\n\n",
        "done fine\n", "wait\n",   "wait 1",         "wait x\n",      "wait 1\nwait 2\n",
        "note loud x\n", "note warning\n", "note\n", "again\nagain\n", "data\n",
        "done denied\n", "done denied\nerror a\n",   "done denied\nhint a\nerror b\n",
        "done ok\nerror a\nhint b\n",
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct wire_message message = message_of(texts[i]);
        struct wire_answer answer;
        struct err err = ERR_INIT;

        assert_int_equal(wire_read_answer(&message, &answer, &err), -1);
        assert_int_equal(err.kind, ERR_INTERNAL);
    }
}

static void
packets_and_descriptors_arrive_and_an_end_is_told(void **state UNUSED)
{
    struct wire_message message = message_of("again\n");
    struct wire_message read;
    struct err err = ERR_INIT;
    int ends[2];
    int fd = 7;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(wire_receive(ends[1], &read, &fd, &err), WIRE_NOTHING);
    assert_int_equal(wire_send(ends[0], &message, STDOUT_FILENO, &err), 0);
    assert_int_equal(wire_receive(ends[1], &read, &fd, &err), 0);
    assert_int_equal(read.size, 6);
    assert_true(fd > STDERR_FILENO && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    (void)close(fd);
    assert_int_equal(wire_send(ends[0], &message, -1, &err), 0);
    assert_int_equal(wire_receive(ends[1], &read, &fd, &err), 0);
    assert_int_equal(fd, -1);
    (void)close(ends[0]);
    assert_int_equal(wire_receive(ends[1], &read, &fd, &err), WIRE_ENDED);
    assert_int_equal(wire_send(ends[1], &message, -1, &err), WIRE_ENDED);
    (void)close(ends[1]);
}

static void
who_does_not_read_does_not_stop_the_sender(void **state UNUSED)
{
    struct wire_message message = {.size = WIRE_MESSAGE_MAX};
    struct err err = ERR_INIT;
    int ends[2];
    int rc = 0;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    memset(message.text, 'x', sizeof(message.text));
    for (int i = 0; i < 10000 && rc == 0; i++)
        rc = wire_send(ends[0], &message, -1, &err);
    assert_int_equal(rc, WIRE_FULL);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read_as_they_were_written),
        cmocka_unit_test(what_cannot_be_said_is_refused),
        cmocka_unit_test(the_longest_request_fits),
        cmocka_unit_test(requests_that_are_none_are_refused),
        cmocka_unit_test(another_protocol_is_known_as_such),
        cmocka_unit_test(answers_are_read_as_they_were_written),
        cmocka_unit_test(every_kind_of_error_survives),
        cmocka_unit_test(a_failure_without_a_kind_is_internal_and_control_bytes_do_not_break_lines),
        cmocka_unit_test(answers_that_are_none_are_refused),
        cmocka_unit_test(packets_and_descriptors_arrive_and_an_end_is_told),
        cmocka_unit_test(who_does_not_read_does_not_stop_the_sender),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
