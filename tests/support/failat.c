/* SPDX-License-Identifier: PostgreSQL */
/*
 * failat: run a command and let one of its system calls fail.
 *
 *   failat --count -- COMMAND...                          count the calls of a whole run by name
 *   failat --call NAME --at K HOW [--ever] [--children] -- COMMAND...
 *     HOW: --error N   the K-th NAME is not made and fails with errno N
 *          --after N   it is made, and its success is reported as errno N
 *          --half      it is made for half of its bytes
 *     --ever           so does every later NAME of the process
 *
 * Counted is what the program itself does: from its first instruction on, which is after the loader
 * has brought its libraries, and again so in a program it becomes by execve. --loader counts from
 * the beginning. Children are left alone unless --children is given; those that outlive COMMAND are
 * killed. No signal is involved, so a call that fails with EINTR is not restarted by the kernel.
 *
 * The last lines on stderr say what was counted (only with --count) and how it ended:
 *   failat: calls NAME=N NAME=N ...
 *   failat: hit=0|1 exit=CODE|signal=N
 * The exit status is 0 after a hit, 1 if COMMAND ended before call K, 2 if failat failed. It knows
 * the registers of x86-64 only.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traced.h"

enum { FAILAT_HIT = 0, FAILAT_ENDED = 1, FAILAT_FAILED = 2 };

#define THREADS_MAX 4096
#define BREAKPOINT 0xCCUL
#define HALVED_FROM 9 /* what reads 8 bytes reads a counter, which has no halves */

/* size: the register with the number of bytes, where half of them make sense; -1: none. */
enum size_register { SIZE_NONE = -1, SIZE_RSI, SIZE_RDX };

struct call {
    const char *name;
    long number;
    enum size_register size;
};

#define PLAIN(name) {#name, SYS_##name, SIZE_NONE}
#define SIZED(name) {#name, SYS_##name, SIZE_RDX}

static const struct call calls[] = {
    SIZED(read), SIZED(pread64), SIZED(write), SIZED(pwrite64), SIZED(recvfrom), SIZED(sendto),
    {"getrandom", SYS_getrandom, SIZE_RSI},
    PLAIN(readv), PLAIN(writev), PLAIN(recvmsg), PLAIN(sendmsg), PLAIN(getdents64),
    PLAIN(open), PLAIN(openat), PLAIN(close), PLAIN(newfstatat), PLAIN(fstat), PLAIN(lseek),
    PLAIN(fsync), PLAIN(fdatasync), PLAIN(syncfs), PLAIN(sync_file_range), PLAIN(ftruncate),
    PLAIN(fallocate), PLAIN(fstatfs), PLAIN(statfs), PLAIN(fchmod), PLAIN(fchmodat),
    PLAIN(utimensat), PLAIN(mkdirat), PLAIN(mkdir), PLAIN(linkat), PLAIN(link), PLAIN(symlinkat),
    PLAIN(rename), PLAIN(renameat), PLAIN(renameat2), PLAIN(unlink), PLAIN(unlinkat),
    PLAIN(readlink), PLAIN(readlinkat), PLAIN(faccessat2), PLAIN(access), PLAIN(flock),
    PLAIN(fcntl), PLAIN(dup), PLAIN(dup2), PLAIN(dup3), PLAIN(pipe2), PLAIN(eventfd2),
    PLAIN(epoll_create1), PLAIN(epoll_ctl), PLAIN(epoll_wait), PLAIN(poll), PLAIN(ppoll),
    PLAIN(select), PLAIN(socket), PLAIN(socketpair), PLAIN(connect), PLAIN(bind), PLAIN(listen),
    PLAIN(accept4), PLAIN(getsockopt), PLAIN(setsockopt), PLAIN(clone), PLAIN(clone3),
    PLAIN(fork), PLAIN(vfork), PLAIN(execve), PLAIN(wait4), PLAIN(setsid), PLAIN(mmap),
    PLAIN(mprotect), PLAIN(munmap), PLAIN(mremap), PLAIN(madvise), PLAIN(memfd_create),
    PLAIN(timer_create), PLAIN(timer_settime), PLAIN(timerfd_create), PLAIN(timerfd_settime),
    PLAIN(clock_nanosleep), PLAIN(rt_sigaction), PLAIN(rt_sigprocmask), PLAIN(sigaltstack),
    PLAIN(prctl), PLAIN(prlimit64), PLAIN(close_range), PLAIN(chdir), PLAIN(fchdir),
    PLAIN(fadvise64), PLAIN(getcwd), PLAIN(inotify_init1), PLAIN(inotify_add_watch), PLAIN(kill),
    PLAIN(getsid), PLAIN(copy_file_range), PLAIN(sendfile),
};

#define N_CALLS (sizeof(calls) / sizeof(calls[0]))

enum how { HOW_COUNT, HOW_ERROR, HOW_AFTER, HOW_HALF };

struct thread {
    pid_t tid;
    bool loading;             /* its program's first instruction is still to come */
    unsigned long entry;      /* where that is */
    unsigned long word;       /* what stands there */
    const struct call *fault; /* the call it is in is to fail */
    unsigned long long size;  /* its number of bytes before it was halved */
};

struct failat {
    const struct call *call;
    unsigned long at;
    enum how how;
    int error;
    bool ever;
    bool children;
    bool loader;
    char **argv;

    pid_t command;
    struct thread threads[THREADS_MAX];
    size_t n_threads;
    bool executed;
    bool hit;
    unsigned long counted;
    unsigned long counts[N_CALLS];
};

static const struct call *
find_call(const char *name)
{
    for (size_t i = 0; i < N_CALLS; i++)
        if (strcmp(calls[i].name, name) == 0)
            return &calls[i];
    return NULL;
}

static bool
parse_how(struct failat *f, const char *option, const char *value)
{
    unsigned long number;

    if (!traced_number(value, 4095, &number) || number == 0 || f->how != HOW_COUNT)
        return false;
    f->how = strcmp(option, "--error") == 0 ? HOW_ERROR : HOW_AFTER;
    f->error = (int)number;
    return true;
}

static bool
parse_option(struct failat *f, char **argv, int *i)
{
    const char *option = argv[*i];
    const char *value = argv[*i + 1];

    if (strcmp(option, "--ever") == 0)
        f->ever = true;
    else if (strcmp(option, "--children") == 0)
        f->children = true;
    else if (strcmp(option, "--loader") == 0)
        f->loader = true;
    else if (strcmp(option, "--half") == 0 && f->how == HOW_COUNT)
        f->how = HOW_HALF;
    else {
        if (value == NULL)
            return false;
        ++*i;
        if (strcmp(option, "--call") == 0)
            return (f->call = find_call(value)) != NULL;
        if (strcmp(option, "--at") == 0)
            return traced_number(value, 1000000000, &f->at);
        if (strcmp(option, "--error") == 0 || strcmp(option, "--after") == 0)
            return parse_how(f, option, value);
        return false;
    }
    return true;
}

static bool
parse_arguments(struct failat *f, int argc, char **argv)
{
    bool count = false;
    int i = 1;

    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--count") == 0)
            count = true;
        else if (!parse_option(f, argv, &i))
            return false;
    }
    f->argv = argv + i + 1;
    if (i + 1 >= argc || count != (f->how == HOW_COUNT))
        return false;
    if (f->how == HOW_HALF && (f->call == NULL || f->call->size == SIZE_NONE))
        return false;
    return count ? f->call == NULL && f->at == 0 : f->call != NULL && f->at > 0;
}

/* A thread that is not known yet was made by one that runs its program already. */
static struct thread *
thread_of(struct failat *f, pid_t tid)
{
    for (size_t i = 0; i < f->n_threads; i++)
        if (f->threads[i].tid == tid)
            return &f->threads[i];
    if (f->n_threads == THREADS_MAX)
        exit(FAILAT_FAILED);
    f->threads[f->n_threads] = (struct thread){.tid = tid};
    return &f->threads[f->n_threads++];
}

static void
forget_thread(void *context, pid_t tid)
{
    struct failat *f = context;
    struct thread *thread = thread_of(f, tid);

    *thread = f->threads[--f->n_threads];
}

/* The address of the program's first instruction, or 0. */
static unsigned long
entry_of(pid_t pid)
{
    char path[64];
    Elf64_auxv_t pairs[64];

    snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, pairs, sizeof(pairs));
    close(fd);
    for (ssize_t i = 0; i < n / (ssize_t)sizeof(pairs[0]); i++)
        if (pairs[i].a_type == AT_ENTRY)
            return pairs[i].a_un.a_val;
    return 0;
}

/* A program begins: let it come to its first instruction. */
static void
begin_program(struct failat *f, struct thread *thread)
{
    f->executed = true;
    thread->fault = NULL;
    if (f->loader)
        return;
    thread->entry = entry_of(thread->tid);
    errno = 0;
    thread->word = (unsigned long)ptrace(PTRACE_PEEKTEXT, thread->tid, (void *)thread->entry, NULL);
    if (errno != 0 || ptrace(PTRACE_POKETEXT, thread->tid, (void *)thread->entry,
                             (void *)((thread->word & ~0xFFUL) | BREAKPOINT)) < 0) {
        fprintf(stderr, "failat: no breakpoint: %s\n", strerror(errno));
        exit(FAILAT_FAILED);
    }
    thread->loading = true;
}

/* Whether this trap is that of the first instruction; then the program is as if it had not been. */
static bool
reached_entry(struct thread *thread)
{
    struct user_regs_struct regs;

    if (!thread->loading || ptrace(PTRACE_GETREGS, thread->tid, NULL, &regs) < 0
        || regs.rip != thread->entry + 1)
        return false;
    regs.rip = thread->entry;
    ptrace(PTRACE_SETREGS, thread->tid, NULL, &regs);
    ptrace(PTRACE_POKETEXT, thread->tid, (void *)thread->entry, (void *)thread->word);
    thread->loading = false;
    return true;
}

/* ---- system calls ---- */

static unsigned long long *
size_of(const struct call *call, struct user_regs_struct *regs)
{
    return call->size == SIZE_RSI ? &regs->rsi : &regs->rdx;
}

static void
enter_call(struct failat *f, struct thread *thread, long number)
{
    const struct call *call = NULL;
    struct user_regs_struct regs;

    for (size_t i = 0; i < N_CALLS && call == NULL; i++)
        if (calls[i].number == number)
            call = &calls[i];
    if (call == NULL)
        return;
    f->counts[call - calls]++;
    if (call != f->call || ++f->counted < f->at || (f->counted > f->at && !f->ever))
        return;
    f->hit = true;
    thread->fault = call;
    if (f->how == HOW_AFTER || ptrace(PTRACE_GETREGS, thread->tid, NULL, &regs) < 0)
        return;
    if (f->how == HOW_ERROR)
        regs.orig_rax = (unsigned long long)-1;
    else {
        unsigned long long *size = size_of(call, &regs);

        thread->size = *size;
        if (*size >= HALVED_FROM)
            *size /= 2;
    }
    ptrace(PTRACE_SETREGS, thread->tid, NULL, &regs);
}

static void
leave_call(struct failat *f, struct thread *thread)
{
    const struct call *call = thread->fault;
    struct user_regs_struct regs;

    if (call == NULL)
        return;
    thread->fault = NULL;
    if (ptrace(PTRACE_GETREGS, thread->tid, NULL, &regs) < 0)
        return;
    if (f->how == HOW_HALF)
        *size_of(call, &regs) = thread->size;
    else if (f->how == HOW_ERROR || (long long)regs.rax >= 0)
        regs.rax = (unsigned long long)-f->error;
    ptrace(PTRACE_SETREGS, thread->tid, NULL, &regs);
}

static void
handle_call(struct failat *f, struct thread *thread)
{
    struct __ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread->tid, (void *)sizeof(info), &info) <= 0)
        return;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        enter_call(f, thread, (long)info.entry.nr);
    else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
        leave_call(f, thread);
}

/* ---- the run ---- */

/* Look at one stop and let the thread go on. */
static void
handle_stop(void *context, pid_t tid, int status)
{
    struct failat *f = context;
    struct thread *thread = thread_of(f, tid);
    int event = status >> 16;
    int signal = WSTOPSIG(status);
    int deliver = 0;

    if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
        ptrace(PTRACE_LISTEN, tid, NULL, NULL);
        return;
    }
    if (event == PTRACE_EVENT_EXEC)
        begin_program(f, thread);
    else if (event == 0 && signal == (SIGTRAP | 0x80))
        handle_call(f, thread);
    else if (event == 0 && !(signal == SIGTRAP && reached_entry(thread)))
        deliver = signal;

    bool calls_matter = f->executed && !thread->loading && (!f->hit || f->ever);
    /* ESRCH: it was killed meanwhile, and waitpid will say so */
    ptrace(calls_matter || thread->fault != NULL ? PTRACE_SYSCALL : PTRACE_CONT, tid, NULL,
           (void *)(long)deliver);
}

static void
print_counts(const struct failat *f)
{
    fprintf(stderr, "failat: calls");
    for (size_t i = 0; i < N_CALLS; i++)
        if (f->counts[i] > 0)
            fprintf(stderr, " %s=%lu", calls[i].name, f->counts[i]);
    fprintf(stderr, "\n");
}

int
main(int argc, char **argv)
{
    static struct failat f;
    int options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE;
    int status;

    if (!parse_arguments(&f, argc, argv)) {
        fprintf(stderr, "usage: failat --count | --call NAME --at K --error N|--after N|--half "
                        "[--ever] [--children] [--loader] -- COMMAND...\n");
        return FAILAT_FAILED;
    }
    if (f.children)
        options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
    if (!traced_start("failat", f.argv, options, &f.command) ||
        !traced_wait(f.command, handle_stop, forget_thread, &f, &status)) {
        fprintf(stderr, "failat: could not trace \"%s\": %s\n", f.argv[0], strerror(errno));
        return FAILAT_FAILED;
    }
    if (!f.executed)
        return FAILAT_FAILED; /* the child has said why */
    if (f.how == HOW_COUNT)
        print_counts(&f);
    fprintf(stderr, "failat: hit=%d ", f.hit);
    traced_print_end(status);
    return f.hit ? FAILAT_HIT : FAILAT_ENDED;
}
