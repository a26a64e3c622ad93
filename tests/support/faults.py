# SPDX-License-Identifier: PostgreSQL
"""faults.py: programs whose system calls fail, by tests/support/failat.

    counts = faults.count(t, argv)                      # {"read": 20, ...}
    for fault in faults.of(counts):
        result = faults.failat(t, argv, fault)
"""
import collections
import errno
import os
import re

import seawall
import tap

Fault = collections.namedtuple("Fault", "call at how ever")     # how: "EIO", "after EIO", "half"
Failed = collections.namedtuple("Failed", "hit code out err")

# How calls fail in this world; "after": it was done, and the answer says otherwise.
HOWS = {
    "read": "EIO EINTR EAGAIN half", "pread64": "EIO EINTR half", "readv": "EIO EINTR",
    "write": "EIO ENOSPC EINTR EAGAIN EDQUOT half", "writev": "EIO ENOSPC EINTR",
    "pwrite64": "EIO ENOSPC EINTR EDQUOT half",
    "getrandom": "EINTR EAGAIN ENOSYS half",
    "recvfrom": "ECONNRESET EINTR half", "recvmsg": "ECONNRESET EINTR ENOMEM",
    "sendto": "EPIPE ECONNRESET EINTR half", "sendmsg": "EPIPE EINTR ENOBUFS",
    "getdents64": "EIO ENOMEM", "open": "EMFILE EACCES EIO ENOMEM EINTR",
    "openat": "EMFILE ENFILE EACCES EIO ENOMEM EINTR EROFS", "close": "after-EIO after-EINTR",
    "newfstatat": "EIO EACCES ENOMEM", "fstat": "EIO", "lseek": "EINVAL",
    "fsync": "EIO ENOSPC EINTR after-EIO", "fdatasync": "EIO ENOSPC EINTR",
    "syncfs": "EIO ENOSPC", "sync_file_range": "EIO ENOSPC", "ftruncate": "EIO EROFS EINTR",
    "fallocate": "ENOSPC EOPNOTSUPP EINTR", "fstatfs": "EIO EINTR", "statfs": "EIO",
    "fchmod": "EPERM EIO EROFS", "fchmodat": "EPERM EIO", "utimensat": "EPERM EIO EROFS",
    "mkdirat": "ENOSPC EROFS EACCES EIO after-EIO after-EEXIST", "mkdir": "ENOSPC EROFS EACCES",
    "linkat": "EIO ENOSPC EROFS EACCES EPERM after-EIO after-EEXIST", "symlinkat": "EIO ENOSPC",
    "rename": "EIO ENOSPC EROFS after-EIO", "renameat": "EIO ENOSPC EROFS EACCES after-EIO",
    "renameat2": "EIO EINVAL ENOSPC after-EEXIST", "unlink": "EIO EACCES after-EIO",
    "unlinkat": "EIO EACCES after-EIO after-ENOENT", "readlink": "EACCES EIO",
    "readlinkat": "EACCES EIO", "faccessat2": "EACCES EIO", "access": "EACCES",
    "flock": "EINTR ENOLCK", "fcntl": "EMFILE EINVAL", "dup2": "EINTR EMFILE",
    "pipe2": "EMFILE ENFILE", "eventfd2": "EMFILE", "socketpair": "EMFILE",
    "epoll_create1": "EMFILE ENOMEM", "epoll_ctl": "ENOMEM ENOSPC", "epoll_wait": "EINTR",
    "poll": "EINTR ENOMEM", "ppoll": "EINTR ENOMEM", "select": "EINTR ENOMEM",
    "socket": "EMFILE ENOBUFS EACCES", "connect": "ECONNREFUSED EINTR EAGAIN ETIMEDOUT",
    "bind": "EADDRINUSE EACCES EROFS", "listen": "EADDRINUSE", "accept4": "EMFILE ECONNABORTED EINTR",
    "getsockopt": "ENOMEM", "setsockopt": "ENOMEM",
    "clone": "EAGAIN ENOMEM", "clone3": "EAGAIN ENOMEM", "fork": "EAGAIN", "vfork": "EAGAIN",
    "execve": "EACCES ENOMEM ETXTBSY EIO", "setsid": "EPERM",
    "mmap": "ENOMEM EAGAIN", "mprotect": "ENOMEM", "mremap": "ENOMEM", "madvise": "ENOMEM",
    "timer_create": "EAGAIN ENOMEM", "timer_settime": "EINVAL", "timerfd_create": "EMFILE",
    "clock_nanosleep": "EINTR", "prctl": "EINVAL", "prlimit64": "EPERM", "close_range": "ENOSYS",
    "chdir": "EACCES", "fchdir": "EACCES", "fadvise64": "EINVAL", "getcwd": "ENOENT",
    "kill": "EPERM", "copy_file_range": "EIO EXDEV ENOSPC", "sendfile": "EIO",
}
# What a disk or a process that is at its end says for ever; what may pass is not among it.
FOR_EVER = {"EIO", "ENOSPC", "EROFS", "EACCES", "EMFILE", "ENOMEM", "half", "EDQUOT"}


def need():
    """failat knows one kind of processor; a sanitizer makes calls of its own and dies by them."""
    if not seawall.have("failat"):
        raise tap.Skip("failat is for x86-64")
    if os.environ.get("SEAWALL_SANITIZED"):
        raise tap.Skip("a sanitizer's runtime does not outlive failing calls of its own")


def _run(t, options, argv, env, cwd, timeout):
    argv = [seawall.program("failat")] + options + ["--"] + [str(a) for a in argv]
    result = tap.run(argv, env=dict(seawall.TRACED, **(env or {})), cwd=cwd or t.dir,
                     timeout=timeout)
    match = re.search(r"failat: hit=(\d) (exit|signal)=(\d+)\n\Z", result.err)
    if not match:
        raise tap.Failure("failat failed (%d): %s" % (result.code, result.err))
    code = int(match[3]) if match[2] == "exit" else -int(match[3])
    return Failed(match[1] == "1", code, result.out, result.err[:match.start()])


def counts_in(err):
    """The numbers of calls in what a counting failat said."""
    line = re.search(r"^failat: calls (.*)$", err, re.M)
    return {name: int(n) for name, n in re.findall(r"(\w+)=(\d+)", line[1])} if line else {}


def count(t, argv, code=0, loader=False, env=None, cwd=None, timeout=120):
    """How often the program makes each call when nothing fails; its exit code must be this."""
    result = _run(t, ["--count"] + ["--loader"] * loader, argv, env, cwd, timeout)
    if result.code != code:
        raise tap.Failure("without a fault: %s" % (result,))
    return counts_in(result.err)


def options(fault):
    """failat's options for a fault."""
    how = fault.how.replace("after-", "")
    return ["--call", fault.call, "--at", str(fault.at)] + (
        ["--half"] if how == "half" else
        ["--after" if how != fault.how else "--error", str(getattr(errno, how))]) + (
        ["--ever"] if fault.ever else [])


def failat(t, argv, fault, loader=False, env=None, cwd=None, timeout=120):
    return _run(t, options(fault) + ["--loader"] * loader, argv, env, cwd, timeout)


def of(counts, ever=False):
    """Every call of these, failing in every way it knows."""
    return [Fault(call, at, how, ever) for call, n in sorted(counts.items())
            for how in HOWS.get(call, "").split() if not ever or how in FOR_EVER
            for at in range(1, n + 1)]


def kind(fault):
    """What one sample at least is taken of."""
    return fault.call, fault.how
