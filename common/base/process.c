/* SPDX-License-Identifier: PostgreSQL */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"

static volatile sig_atomic_t stop_signal;
static volatile sig_atomic_t watchdog_exit_code;
static timer_t watchdog_timer;
static bool watchdog_made;

static void
on_stop_signal(int number)
{
    stop_signal = number;
}

static void
on_watchdog(int number UNUSED)
{
    static const char text[] = "seawall: error: deadline passed while a system call or library did "
                               "not return; giving up\n";

    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(watchdog_exit_code);
}

int
process_stop_requested(void)
{
    return stop_signal;
}

void
process_request_stop(int number)
{
    stop_signal = number;
}

static void
set_handler(int number, void (*handler)(int))
{
    /* No SA_RESTART: a blocking call should notice. */
    struct sigaction action = {.sa_handler = handler};

    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
}

static int
open_standard_descriptors(struct err *err)
{
    for (;;) {
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (fd < 0)
            return err_sys(err, errno, "could not open \"/dev/null\"");
        if (fd > STDERR_FILENO) {
            (void)close(fd);
            return 0;
        }
        /* It fills a hole among 0 to 2 and stays; those are not closed by exec. */
        (void)fcntl(fd, F_SETFD, 0);
    }
}

/* What could redirect, weaken or log our traffic, or change how text is read. */
static const char *const foreign_environment[] = {
    "http_proxy",   "https_proxy",    "HTTP_PROXY",   "HTTPS_PROXY",     "all_proxy",
    "ALL_PROXY",    "no_proxy",       "NO_PROXY",     "SSLKEYLOGFILE",   "SSL_CERT_FILE",
    "SSL_CERT_DIR", "CURL_CA_BUNDLE", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES",
    "CURL_HOME",    "NETRC",          "LC_ALL",       "LC_NUMERIC",      "LC_TIME",
};

int
process_init(struct err *err)
{
    struct rlimit no_core = {0, 0};

    if (open_standard_descriptors(err) < 0)
        return -1;
    /* Descriptors PostgreSQL leaks must not be held by us; old kernels lack the call. */
    (void)syscall(SYS_close_range, 3U, ~0U, 0U);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)umask(077);

    for (size_t i = 0; i < ARRAY_SIZE(foreign_environment); i++)
        (void)unsetenv(foreign_environment[i]);

    set_handler(SIGPIPE, SIG_IGN);
    set_handler(SIGXFSZ, SIG_IGN);
    set_handler(SIGINT, on_stop_signal);
    set_handler(SIGTERM, on_stop_signal);
    set_handler(SIGHUP, on_stop_signal);
    set_handler(SIGQUIT, on_stop_signal);

    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    return 0;
}

void
process_die_by(int signal_number)
{
    set_handler(signal_number, SIG_DFL);
    (void)raise(signal_number);
    /* Only reached if the signal is blocked or ignored by force. */
    _exit(255);
}

int
process_watchdog(int64_t after_ms, int exit_code, struct err *err)
{
    /* A real-time signal of our own: ALRM may come ignored and belongs to nobody. */
    int number = SIGRTMIN + 4;

    watchdog_exit_code = exit_code;
    if (!watchdog_made) {
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = number};

        if (after_ms == 0)
            return 0;
        set_handler(number, on_watchdog);
        if (timer_create(CLOCK_BOOTTIME, &event, &watchdog_timer) < 0)
            return err_sys(err, errno, "could not create a timer");
        watchdog_made = true;
    }

    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(after_ms / 1000),
                     .tv_nsec = (long)(after_ms % 1000) * 1000000},
    };
    if (timer_settime(watchdog_timer, 0, &when, NULL) < 0)
        return err_sys(err, errno, "could not set a timer");
    return 0;
}

/* The one-letter state of a process in /proc, or 0. A zombie has ended, and waits to be reaped. */
static char
process_state(pid_t pid)
{
    char path[64];
    char line[512];

    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, line, sizeof(line) - 1);
    (void)close(fd);
    if (n <= 0)
        return 0;
    line[n] = '\0';
    /* "pid (name) S ...": the name may contain anything, so look for the last parenthesis. */
    const char *end = strrchr(line, ')');
    return end != NULL && end[1] == ' ' ? end[2] : '\0';
}

bool
process_session_alive(void)
{
    pid_t leader = getsid(0);

    if (leader <= 0)
        return true;
    if (kill(leader, 0) < 0 && errno == ESRCH)
        return false;

    char state = process_state(leader);
    return state != 'Z' && state != 'X';
}

int
process_directory(char *ret_path, size_t size, struct err *err)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (n < 0)
        return err_sys(err, errno, "could not read \"/proc/self/exe\"");
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return err_set(err, ERR_INTERNAL, "could not tell the program's own directory");
    *slash = '\0';
    if (strlen(path) >= size)
        return err_set(err, ERR_INTERNAL, "the program's directory name is too long");
    (void)snprintf(ret_path, size, "%s", path);
    return 0;
}
