# SPDX-License-Identifier: PostgreSQL
"""sandbox.py: a program in a place of its own: a private directory, small file systems that can be
filled, and a root outside that counts what agents hold open, which their own user may not see.

    sys.exit(sandbox.run(main, disks={"spool": "16m"}, keep=True))      main(directory) -> exit code
"""
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import traceback

import tap

CLONE_NEWNS = 0x20000


def run(main, disks, keep_failed=True):
    """Call main in a child that is another user; returns its exit code. Without root there are no
    disks and no counts. The directory is removed, after a failure only if it is not to be kept."""
    base = tap.temporary("soak-")
    if os.geteuid() == 0:
        shutil.chown(base, tap.user())
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.environ["SEAWALL_RUNTIME_DIR"] = str(base / "run")
            if os.geteuid() == 0:
                mount(base, disks)
            for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(sig, lambda number, frame: sys.exit(128 + number))
            code = main(base)
        except SystemExit as left:
            code = left.code
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                tap.stop_agents(base / "run")
            os._exit(code or 0)
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sig, lambda number, frame: os.kill(pid, signal.SIGTERM))
    code = watch(pid, base)
    if code == 0 or not keep_failed:
        shutil.rmtree(base, ignore_errors=True)
    else:
        print("kept: %s" % base, flush=True)
    return code


def mount(base, disks):
    """Small file systems in a mount namespace that ends with its processes; then another user."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) == 0:
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            subprocess.run(["mount", "--make-rprivate", "/"], check=True)
            for name, size in disks.items():
                (base / name).mkdir()
                subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%s,mode=0777" % size, "none",
                                str(base / name)], check=True)
    tap.become_user()


def watch(pid, base):
    """Wait for the child; meanwhile write to base/agents.json what agents hold, by process:
    [seconds seen, most descriptors, last descriptors, most KiB, last KiB, threads]."""
    seen, started = {}, time.monotonic()
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        for agent in tap.agents(base / "run"):
            with contextlib.suppress(OSError, IndexError):
                files = len(os.listdir("/proc/%d/fd" % agent))
                text = pathlib.Path("/proc/%d/status" % agent).read_text(encoding="ascii")
                words = text.split()
                memory = int(words[words.index("VmRSS:") + 1])
                old = seen.get(agent, [time.monotonic() - started, 0, 0, 0, 0, 0])
                seen[agent] = [old[0], max(old[1], files), files, max(old[3], memory), memory,
                               int(words[words.index("Threads:") + 1])]
        if seen and os.geteuid() == 0:
            new = base / "agents.json.new"
            new.write_text(json.dumps(seen), encoding="ascii")
            new.chmod(0o644)
            new.rename(base / "agents.json")
        time.sleep(1)
