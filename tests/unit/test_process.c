/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/process.h"
#include "cmocka_all.h"
#include "scratch.h"

/* process_init() changes the whole process, so every check runs in a child. 0: fine. */
static int
in_child(int (*check)(void))
{
    pid_t child = fork();

    if (child == 0)
        _exit(check());
    return scratch_wait(child);
}

static int
init(void)
{
    struct err err = ERR_INIT;

    return process_init(&err);
}

static int
check_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        (void)close(fd);
    if (init() < 0)
        return 10;
    for (int fd = 0; fd <= 2; fd++) {
        struct stat st;

        if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
            return 11 + fd;
        if (fcntl(fd, F_GETFD) != 0)
            return 21 + fd;
    }
    return fcntl(3, F_GETFD) < 0 && errno == EBADF ? 0 : 30;
}

static int
check_one_hole(void)
{
    struct stat before;
    struct stat after;

    (void)close(1);
    if (fstat(2, &before) < 0 || init() < 0 || fstat(2, &after) < 0)
        return 10;
    if (before.st_ino != after.st_ino || before.st_dev != after.st_dev)
        return 11;
    return fstat(1, &after) == 0 && S_ISCHR(after.st_mode) ? 0 : 12;
}

static void
closed_standard_descriptors_are_opened(void **state UNUSED)
{
    assert_int_equal(in_child(check_standard_descriptors), 0);
    assert_int_equal(in_child(check_one_hole), 0);
}

static int
check_inherited(void)
{
    int low = dup(0);
    int high = fcntl(0, F_DUPFD, 500);

    if (low < 3 || high < 500 || init() < 0)
        return 10;
    if (fcntl(low, F_GETFD) >= 0 || fcntl(high, F_GETFD) >= 0)
        return 11;
    return fcntl(0, F_GETFD) < 0 || fcntl(2, F_GETFD) < 0 ? 12 : 0;
}

static void
inherited_descriptors_are_closed(void **state UNUSED)
{
    assert_int_equal(in_child(check_inherited), 0);
}

static int
check_signals(void)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t all;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(stops); i++)
        (void)signal(stops[i], SIG_IGN);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGXFSZ, SIG_DFL);
    if (init() < 0 || process_stop_requested() != 0)
        return 10;
    (void)raise(SIGPIPE);
    (void)raise(SIGXFSZ);
    if (process_stop_requested() != 0)
        return 11;
    for (size_t i = 0; i < ARRAY_SIZE(stops); i++) {
        (void)raise(stops[i]);
        if (process_stop_requested() != stops[i])
            return 12;
        process_request_stop(0);
    }
    return process_stop_requested() == 0 ? 0 : 13;
}

static void
signals_mean_the_same_however_they_were_inherited(void **state UNUSED)
{
    assert_int_equal(in_child(check_signals), 0);
}

static int
check_manners(void)
{
    struct rlimit core;

    (void)setenv("https_proxy", "http://evil", 1);
    (void)setenv("SSLKEYLOGFILE", "/tmp/keys", 1);
    (void)setenv("OPENSSL_CONF", "/tmp/conf", 1);
    (void)setenv("LC_ALL", "de_DE.UTF-8", 1);
    (void)setenv("HOME", "/kept", 1);
    if (init() < 0)
        return 10;
    if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur != 0 || core.rlim_max != 0)
        return 11;
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
        return 12;
    if (umask(0) != 077)
        return 13;
    if (getenv("https_proxy") != NULL || getenv("SSLKEYLOGFILE") != NULL ||
        getenv("OPENSSL_CONF") != NULL || getenv("LC_ALL") != NULL)
        return 14;
    return strcmp(getenv("HOME"), "/kept") == 0 ? 0 : 15;
}

static void
no_core_no_foreign_settings_and_private_files(void **state UNUSED)
{
    assert_int_equal(in_child(check_manners), 0);
}

static int
check_die(void)
{
    if (init() < 0)
        return 10;
    (void)raise(SIGTERM);
    process_die_by(process_stop_requested());
}

static int
check_die_blocked(void)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    process_die_by(SIGTERM);
}

static void
a_process_dies_by_the_signal_that_stopped_it(void **state UNUSED)
{
    assert_int_equal(in_child(check_die), 1000 + SIGTERM);
    assert_int_equal(in_child(check_die_blocked), 255);
}

static int
check_watchdog(void)
{
    struct err err = ERR_INIT;
    int null = open("/dev/null", O_WRONLY);

    (void)dup2(null, STDERR_FILENO);
    if (init() < 0 || process_watchdog(0, 1, &err) < 0 || process_watchdog(3600000, 1, &err) < 0 ||
        process_watchdog(20, 201, &err) < 0)
        return 10;
    for (;;)
        (void)pause();
}

static int
check_watchdog_disarmed(void)
{
    struct err err = ERR_INIT;
    struct timespec nap = {.tv_nsec = 100000000};

    if (init() < 0 || process_watchdog(50, 201, &err) < 0 || process_watchdog(0, 201, &err) < 0)
        return 10;
    (void)nanosleep(&nap, NULL);
    return 0;
}

static void
the_watchdog_ends_what_hangs_with_its_code(void **state UNUSED)
{
    assert_int_equal(in_child(check_watchdog), 201);
    assert_int_equal(in_child(check_watchdog_disarmed), 0);
}

/* The member of a session answers every byte with what it thinks of its leader. */
static void
answer(int in, int out)
{
    char byte = 0;

    while (read(in, &byte, 1) == 1) {
        byte = process_session_alive() ? 'y' : 'n';
        (void)!write(out, &byte, 1);
    }
    _exit(0);
}

static char
ask(int in, int out)
{
    char byte = '?';

    assert_int_equal(write(in, &byte, 1), 1);
    assert_int_equal(read(out, &byte, 1), 1);
    return byte;
}

static void
the_death_of_the_session_leader_is_noticed(void **state UNUSED)
{
    int questions[2];
    int answers[2];
    int last[2];
    siginfo_t info;

    assert_int_equal(pipe2(questions, O_CLOEXEC), 0);
    assert_int_equal(pipe2(answers, O_CLOEXEC), 0);
    assert_int_equal(pipe2(last, O_CLOEXEC), 0);
    pid_t leader = fork();
    if (leader == 0) {
        char byte = 0;

        (void)close(questions[1]);
        (void)close(last[1]);
        if (setsid() < 0)
            _exit(1);
        if (fork() == 0)
            answer(questions[0], answers[1]);
        _exit(read(last[0], &byte, 1) == 0 ? 0 : 1);
    }
    assert_true(leader > 0);
    assert_int_equal(ask(questions[1], answers[0]), 'y');
    (void)close(last[1]);
    /* Dead, but not yet reaped. */
    assert_int_equal(waitid(P_PID, (id_t)leader, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(ask(questions[1], answers[0]), 'n');
    assert_int_equal(scratch_wait(leader), 0);
    assert_int_equal(ask(questions[1], answers[0]), 'n');
    for (int i = 0; i < 2; i++)
        (void)close(answers[i]);
    (void)close(questions[0]);
    (void)close(questions[1]);
    (void)close(last[0]);
}

static void
the_program_knows_its_directory(void **state UNUSED)
{
    char path[4096];
    char small[4];
    char self[8192];
    struct err err = ERR_INIT;

    assert_int_equal(process_directory(path, sizeof(path), &err), 0);
    assert_int_equal(path[0], '/');
    (void)snprintf(self, sizeof(self), "%s/test_process", path);
    assert_int_equal(access(self, X_OK), 0);
    memcpy(small, "old", 4);
    assert_int_equal(process_directory(small, sizeof(small), &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    assert_string_equal(small, "old");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_standard_descriptors_are_opened),
        cmocka_unit_test(inherited_descriptors_are_closed),
        cmocka_unit_test(signals_mean_the_same_however_they_were_inherited),
        cmocka_unit_test(no_core_no_foreign_settings_and_private_files),
        cmocka_unit_test(a_process_dies_by_the_signal_that_stopped_it),
        cmocka_unit_test(the_watchdog_ends_what_hangs_with_its_code),
        cmocka_unit_test(the_death_of_the_session_leader_is_noticed),
        cmocka_unit_test(the_program_knows_its_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
