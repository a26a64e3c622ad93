/* SPDX-License-Identifier: PostgreSQL */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "cmocka_all.h"
#include "scratch.h"

static char written[20000];

/* What `speak` writes to stderr, as packets: every write() ends with '|'. */
static const char *
listen_to(void (*speak)(void))
{
    int ends[2];
    int saved = dup(STDERR_FILENO);
    size_t used = 0;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    speak();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)close(ends[1]);
    for (;;) {
        ssize_t n = read(ends[0], written + used, sizeof(written) - used - 2);

        if (n <= 0)
            break;
        used += (size_t)n;
        written[used++] = '|';
    }
    written[used] = '\0';
    (void)close(ends[0]);
    return written;
}

static void
speak_every_level(void)
{
    log_init("seawall-test", false);
    log_line(LOG_DEBUG, "nobody %s", "asked");
    log_line(LOG_INFO, "it is %d", 1);
    log_line(LOG_WARNING, "it is %d", 2);
    log_line(LOG_ERROR, "it is %d", 3);
    log_init("seawall-test", true);
    log_line(LOG_DEBUG, "it is %d", 4);
}

static void
a_line_is_one_write_with_program_and_level(void **state UNUSED)
{
    assert_string_equal(listen_to(speak_every_level), "seawall-test: it is 1\n|"
                                                      "seawall-test: warning: it is 2\n|"
                                                      "seawall-test: error: it is 3\n|"
                                                      "seawall-test: debug: it is 4\n|");
}

static void
speak_errors(void)
{
    struct err err = ERR_INIT;

    log_init("seawall-test", false);
    (void)err_set(&err, ERR_LOCAL, "no hint 100%% %s", "%n");
    log_err(&err);
    (void)err_hint(&err, "Do this.");
    log_err(&err);
    notice(&log_notices, LOG_WARNING, "careful with %d", 7);
    notice_err(&log_notices, LOG_WARNING, &err, "store \"%s\"", "paris");
}

static void
errors_and_notices_bring_their_hints(void **state UNUSED)
{
    assert_string_equal(listen_to(speak_errors),
                        "seawall-test: error: no hint 100% %n\n|"
                        "seawall-test: error: no hint 100% %n\n|"
                        "seawall-test: hint: Do this.\n|"
                        "seawall-test: warning: careful with 7\n|"
                        "seawall-test: warning: store \"paris\": no hint 100% %n\n|"
                        "seawall-test: warning: hint: Do this.\n|");
}

static void
speak_strangely(void)
{
    log_init("seawall-test", false);
    log_line(LOG_INFO, "%s", "a\nb\r\033[31m\x7f\tend");
}

static void
control_bytes_never_reach_the_log(void **state UNUSED)
{
    assert_string_equal(listen_to(speak_strangely), "seawall-test: a?b??[31m??end\n|");
}

static void
speak_at_length(void)
{
    static char text[10000];

    memset(text, 'x', sizeof(text) - 1);
    log_init("seawall-test", false);
    log_line(LOG_ERROR, "%s", text);
    log_init(text, false);
    log_line(LOG_ERROR, "lost");
    log_init("seawall-test", false);
}

static void
a_long_line_is_cut_to_one_write(void **state UNUSED)
{
    const char *line = listen_to(speak_at_length);
    const char *second = strchr(line, '|') + 1;

    assert_int_equal(second - line, 4096 + 1);
    assert_memory_equal(second - 3, "x\n|", 3);
    assert_int_equal(strlen(second), 4096 + 1);
    assert_memory_equal(second + 4094, "x\n|", 3);
}

/* A child speaks into `fd` and must come to its end. */
static void
speak_into(int fd)
{
    pid_t child = fork();

    if (child == 0) {
        (void)signal(SIGPIPE, SIG_IGN);
        (void)dup2(fd, STDERR_FILENO);
        log_line(LOG_ERROR, "nobody hears this");
        _exit(0);
    }
    assert_int_equal(scratch_wait(child), 0);
}

static void
nobody_waits_for_a_reader_who_is_gone_or_asleep(void **state UNUSED)
{
    static const char filler[4096];
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(ends[1], filler, sizeof(filler)) > 0)
        continue;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    speak_into(ends[1]);
    (void)close(ends[0]);
    speak_into(ends[1]);
    (void)close(ends[1]);

    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    speak_into(full);
    (void)close(full);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_one_write_with_program_and_level),
        cmocka_unit_test(errors_and_notices_bring_their_hints),
        cmocka_unit_test(control_bytes_never_reach_the_log),
        cmocka_unit_test(a_long_line_is_cut_to_one_write),
        cmocka_unit_test(nobody_waits_for_a_reader_who_is_gone_or_asleep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
