# SPDX-License-Identifier: PostgreSQL
"""seawall backup of real servers, restored by hand with age, lz4 and tar."""
import contextlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import threading
import time

import pgserver
import seawall
import tap

ODD = [b"new\nline", b"back\\slash", b"spa ce", b"\xff\xfe\xc3(", b"a=b#[c]", b"-rf", b"'quote\"",
       "grün".encode(), b"x" * 255]
LEFT_OUT = ["postmaster.pid", "postmaster.opts", "backup_label.old", "current_logfiles.tmp"]


def setup_of(t, pg, stores=("a", "b"), **settings):
    setup = seawall.Setup(t.dir, [seawall.dir_store(name, t.dir / name) for name in stores])
    settings = dict(dict(workers=2), **settings)
    setup.write(conninfo="host=%s user=postgres dbname=postgres" % pg.sockets,
                pgdata=str(pg.data), **settings)
    return setup


def primary(t, name="primary", start=True, **options):
    pg = t.enter(pgserver.Cluster(t.dir / name, wal_segsize=1, **options))
    return pg.start() if start else pg


def archived_primary(t, stores=("a", "b"), settings=None, **options):
    """A running server that archives into the stores, and the configuration."""
    pg = primary(t, start=False, **options)
    setup = setup_of(t, pg, stores, **(settings or {}))
    pg.archive(setup.archive_command())
    return pg.start(), setup


def pgbench(pg, *arguments):
    result = tap.run([pgserver.tool("pgbench"), *arguments, "postgres"], env=pg.env, timeout=300)
    if result.code != 0:
        raise tap.Failure(result.err)


def backup(setup, *arguments, code=0, **options):
    result = setup.run("seawall-backup", *arguments, timeout=300, **options)
    if result.code != code:
        raise tap.Failure("backup: exit code %d, want %d\n%s%s" % (result.code, code, result.out,
                                                                    result.err))
    return result


def label_of(result):
    label = result.out.rstrip("\n").split("\n")[-1]
    if not re.fullmatch(r"\d{8}T\d{6}Z", label):
        raise tap.Failure("the last line is no label: %r" % result.out)
    return label


def place(t, pg, store, label=None):
    path = t.dir / store / "main" / str(pg.system_id() if pg.running() else pg.id) / "backup"
    return path / label if label else path


def labels(path):
    return sorted(p.name for p in path.iterdir()) if path.exists() else []


def complete_labels(path):
    return [name for name in labels(path) if (path / name / "complete").exists()]


def unpacked(setup, path):
    """The file in an object, by age and lz4 alone."""
    result = tap.run(["sh", "-c", 'age -d -i "$1" "$2" | lz4 -dc', "-", setup.dir / "identity.txt",
                      path], text=False, timeout=120)
    if result.code != 0:
        raise tap.Failure(result.err.decode())
    return result.out


def manifest_of(setup, path):
    """(the lines as objects, complete)"""
    lines = b"".join(unpacked(setup, p) for p in sorted(path.glob("manifest-*")))
    return ([json.loads(line) for line in lines.decode().splitlines()],
            json.loads(unpacked(setup, path / "complete")))


def path_of(line):
    return bytes.fromhex(line["path_hex"]) if "path_hex" in line else line["path"].encode()


def restore(setup, path, target):
    """What docs/format.md says: parts, age, lz4, tar."""
    target.mkdir(mode=0o700)
    script = 'for p in "$1"/part-*; do age -d -i "$2" "$p" | lz4 -dc || exit 1; done | tar -xC "$3"'
    result = tap.run(["sh", "-c", script, "-", path, setup.dir / "identity.txt", target],
                     timeout=300)
    if result.code != 0 or result.err:
        raise tap.Failure("tar: %d %s" % (result.code, result.err))
    return target


def move_tablespaces(target, where):
    """Directories of tablespaces to their new places, and links instead."""
    text = (target / "tablespace_map").read_text()
    lines = []
    for line in text.splitlines():
        oid = line.split(" ")[0]
        (where / oid).parent.mkdir(exist_ok=True)
        shutil.move(target / "pg_tblspc" / oid, where / oid)
        lines.append("%s %s\n" % (oid, where / oid))
    (target / "tablespace_map").write_text("".join(lines))


def recover(t, setup, target, **options):
    copy = t.enter(pgserver.Cluster(target, create=False))
    copy.configure(archive_mode="off", archive_command="")
    copy.recover(setup.restore_command(), action="promote", **options)
    copy.start()
    copy.wait_promoted()
    return copy


@contextlib.contextmanager
def under_load(pg):
    """pgbench and a checkpoint every now and then, until the end of the block."""
    load = subprocess.Popen([pgserver.tool("pgbench"), "-n", "-c", "2", "-T", "600", "postgres"],
                            env=dict(os.environ, **{k: v for k, v in pg.env.items() if v}),
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    over = threading.Event()

    def checkpoints():
        while not over.wait(0.2):
            pg.psql("checkpoint", code=None)

    thread = threading.Thread(target=checkpoints)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        load.send_signal(signal.SIGINT)
        load.wait()


SUMS = ("select (select count(*) from pgbench_history), (select sum(abalance) from "
        "pgbench_accounts), (select sum(bbalance) from pgbench_branches), "
        "(select sum(tbalance) from pgbench_tellers)")


def write_odd_files(data):
    odd = os.fsencode(data) + b"/odd dir"
    os.mkdir(odd)
    for i, name in enumerate(ODD):
        with open(odd + b"/" + name, "wb") as f:
            f.write(os.urandom(i * 1000))
    deep = odd
    for _ in range(6):
        deep += b"/" + b"d" * 60
        os.mkdir(deep)
    with open(deep + b"/file", "wb") as f:
        f.write(b"deep\n")
    os.mkdir(odd + b"/empty")
    with open(odd + b"/sparse", "wb") as f:
        f.seek(70 << 20)
        f.write(b"end")
    os.chmod(odd + b"/sparse", 0o640)
    os.symlink("/etc/passwd", odd + b"/link")
    os.mkfifo(odd + b"/fifo")
    (data / "pgsql_tmp.user").write_text("no")
    (data / "postgresql.auto.conf.tmp").write_text("no")
    (data / "base" / "pgsql_tmp").mkdir(exist_ok=True)
    (data / "base" / "pgsql_tmp" / "pgsql_tmp1.1").write_text("no")
    return odd


def check_odd_files(t, odd, copied):
    for name in ODD + [b"/".join([b"d" * 60] * 6) + b"/file", b"sparse"]:
        with open(odd + b"/" + name, "rb") as a, open(copied + b"/" + name, "rb") as b:
            t.equal(b.read() == a.read(), True, "content of %r" % name)
    t.equal(stat.S_IMODE(os.stat(copied + b"/sparse").st_mode), 0o640, "mode")
    t.true(os.path.isdir(copied + b"/empty"), "an empty directory")
    t.equal(sorted(set(os.listdir(odd)) - set(os.listdir(copied))), [b"fifo", b"link"],
            "what is left out")


def check_left_out(t, pg, target, lines, temporary, unlogged):
    paths = {path_of(line).decode("utf-8", "replace") for line in lines if "type" in line
             and line["type"] != "end"}
    for name in LEFT_OUT + ["pgsql_tmp.user", "postgresql.auto.conf.tmp", "base/pgsql_tmp"]:
        t.true(name not in paths, name)
    for name in ("pg_wal", "pg_wal/archive_status", "pg_notify", "pg_replslot", "pg_stat_tmp",
                 "pg_subtrans", "pg_dynshmem", "pg_snapshots", "pg_serial", "pg_twophase",
                 "pg_commit_ts", "pg_tblspc", "pg_logical/snapshots", "pg_logical/mappings"):
        t.true((target / name).is_dir(), "directory " + name)
    for name in ("pg_wal", "pg_notify", "pg_subtrans", "pg_replslot"):
        t.true(not any(p.is_file() for p in (target / name).rglob("*")), name + " is empty")
    t.true(temporary and not [p for p in paths if re.search(r"/t\d+_\d+", p)], "no temporary files")
    t.true(unlogged not in paths and unlogged + "_init" in paths, "an unlogged relation's init fork")
    t.true(not [p for p in paths if "pg_internal.init" in p], "no caches")


def check_manifest(t, setup, path, lines, complete, target):
    """Every run of every file leads to the file's bytes; counts and digests agree."""
    parts = {}
    files = dirs = size = 0
    for line in lines[1:-1]:
        name = path_of(line)
        place = os.fsencode(target) + b"/" + name
        if line["type"] == "dir":
            dirs += 1
            t.true(os.path.isdir(place), "directory %r" % name)
            continue
        files, size = files + 1, size + line["size"]
        content = b""
        for offset, length, label, part, part_offset in line["runs"]:
            t.equal((label, offset), (path.name, len(content)), "run of %r" % name)
            if part not in parts:
                parts = {part: unpacked(setup, path / ("part-%08d" % part))}
            content += parts[part][part_offset:part_offset + length]
        with open(place, "rb") as f:
            t.equal(content == f.read(), True, "runs of %r" % name)
        t.equal(len(content), line["size"], "size of %r" % name)
        if line["size"] <= 8192 and files % 20 == 0:
            t.equal("%08x" % seawall.crc32c(content), line["crc32c"], "CRC of %r" % name)
    end = lines[-1]
    t.equal((end["files"], end["dirs"], end["bytes"]), (files, dirs, size), "the end line")
    t.equal((complete["files"], complete["bytes"]), (files, size), "counts of complete")
    t.equal(complete["parts"], len(list(path.glob("part-*"))), "number of parts")
    t.equal(path_of(lines[-2]), b"global/pg_control", "what comes last")


@tap.check("under load, with everything a data directory can have: restored by hand, it recovers")
def _(t):
    pg, setup = archived_primary(t, checksums=True)
    (t.dir / "ts").mkdir()
    pg.psql("create extension amcheck")
    pg.psql("create tablespace ts location '%s'" % (t.dir / "ts"))
    pg.psql("create table in_ts tablespace ts as select i, repeat('x', 100) x "
            "from generate_series(1, 20000) i")
    pg.psql("create unlogged table volatile as select generate_series(1, 1000) i")
    pgbench(pg, "-i", "-q", "-s", "6")
    unlogged = pg.value("select pg_relation_filepath('volatile')")
    odd = write_odd_files(pg.data)
    # a session with a temporary table, for as long as the backup takes
    session = subprocess.Popen([pgserver.tool("psql"), "-qX", "-d", "postgres"],
                               env=dict(os.environ, **{k: v for k, v in pg.env.items() if v}),
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    t.defer(session.kill)
    session.stdin.write(b"create temp table tt as select generate_series(1, 1000) i;\n")
    session.stdin.flush()
    tap.wait_for(lambda: list(pg.data.glob("base/*/t[0-9]*_*")), what="the temporary table")

    with under_load(pg):
        result = backup(setup)
    pg.psql("insert into in_ts values (0, 'after')")
    want = pg.sql(SUMS)
    pg.wait_archived(pg.switch_wal())
    t.contains(result.err, '"odd dir/link" is a symbolic link and not in the backup', "a warning")
    label = label_of(result)
    path = place(t, pg, "a", label)
    t.equal(seawall.stored(path), seawall.stored(place(t, pg, "b", label)), "both stores")
    lines, complete = manifest_of(setup, path)
    t.equal(complete["damage_count"], 0, "damage under load: torn pages are not damage")
    t.equal([x["path"] for x in complete["tablespaces"]], [str(t.dir / "ts")], "tablespaces")

    target = restore(setup, path, t.dir / "restored")
    check_odd_files(t, odd, os.fsencode(target) + b"/odd dir")
    check_left_out(t, pg, target, lines, True, unlogged)
    check_manifest(t, setup, path, lines, complete, target)
    pg.stop()
    move_tablespaces(target, t.dir / "moved")
    copy = recover(t, setup, target)
    t.equal(copy.sql(SUMS), want, "data")
    t.equal(copy.value("select count(*) from in_ts"), "20001", "rows in the tablespace")
    t.equal(copy.value("select count(*) from volatile"), "0", "rows of the unlogged table")
    check = tap.run([pgserver.tool("pg_amcheck"), "--heapallindexed", "-d", "postgres"],
                    env=copy.env, timeout=300)
    t.equal((check.code, check.err), (0, ""), "pg_amcheck")


@tap.check("of a standby: the primary archives the WAL, and what is restored recovers")
def _(t):
    pg, setup = archived_primary(t, checksums=True)
    pgbench(pg, "-i", "-q", "-s", "2")
    standby = t.enter(pg.standby(t.dir / "standby", restore_command=setup.restore_command()))
    standby.start()
    standby.wait_replayed(pg.lsn())
    setup.write(conninfo="host=%s user=postgres dbname=postgres" % standby.sockets,
                pgdata=str(standby.data))
    over = threading.Event()

    def switches():
        while not over.wait(0.5):
            pg.switch_wal()

    thread = threading.Thread(target=switches)
    with under_load(pg):
        thread.start()
        try:
            result = backup(setup)
        except BaseException:
            over.set()
            raise
    # without load, and once more from the same restart point perhaps
    idle = [label_of(backup(setup)) for _ in range(2)]
    over.set()
    thread.join()
    t.equal(complete_labels(place(t, pg, "b"))[1:], idle, "labels without load")
    want = pg.sql(SUMS)
    pg.wait_archived(pg.switch_wal())
    path = place(t, pg, "a", label_of(result))
    lines, complete = manifest_of(setup, path)
    t.true(complete["from_standby"], "from_standby")
    standby.stop()
    pg.stop()
    target = restore(setup, path, t.dir / "restored")
    (target / "standby.signal").unlink()
    copy = recover(t, setup, target)
    t.equal(copy.sql(SUMS), want, "data")


@tap.check("a standby that is promoted in the middle ends the backup")
def _(t):
    pg, setup = archived_primary(t, settings=dict(workers=1, compression="zstd",
                                                  compression_level=9))
    pgbench(pg, "-i", "-q", "-s", "8")
    standby = t.enter(pg.standby(t.dir / "standby", restore_command=setup.restore_command()))
    standby.start()
    standby.wait_replayed(pg.lsn())
    setup.write(conninfo="host=%s user=postgres dbname=postgres" % standby.sockets,
                pgdata=str(standby.data))
    running = start(setup)
    halt_in_the_middle(t, pg, running)
    standby.promote()
    running.send_signal(signal.SIGCONT)
    code, _, text = ended(running)
    t.equal(code, 10, "exit code")
    t.contains(text, "promoted", "the reason")
    t.equal(complete_labels(place(t, pg, "a")), [], "complete backups")


def start(setup, *arguments):
    running = subprocess.Popen(setup.argv("seawall-backup", *arguments), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return running


def ended(running, timeout=120):
    out, err = running.communicate(timeout=timeout)
    return running.returncode, out, err


def halt_in_the_middle(t, pg, running, store="a", before=()):
    """Stop the program when its second part is there; returns the backup's directory. The caller
    lets it go on with SIGCONT."""
    t.defer(running.kill)
    path = tap.wait_for(lambda: next((p for p in place(t, pg, store).glob("*/part-00000002")
                                      if p.parent.name not in before), None),
                        what="the second part", interval=0.005).parent
    running.send_signal(signal.SIGSTOP)
    t.true(running.poll() is None, "it is in the middle")
    return path


def slow_primary(t, **options):
    """A backup of it takes some seconds."""
    pg, setup = archived_primary(t, settings=dict(dict(workers=1, compression="zstd",
                                                       compression_level=9),
                                                  **options.pop("settings", {})), **options)
    pg.id = pg.system_id()
    pgbench(pg, "-i", "-q", "-s", "8")
    return pg, setup


@tap.check("killed in the middle: invisible, and the next one works")
def _(t):
    pg, setup = slow_primary(t)
    running = start(setup)
    path = halt_in_the_middle(t, pg, running)
    running.kill()
    ended(running)
    t.true(not (path / "complete").exists(), "there is no completion object")
    setup.write(compression="lz4", compression_level=None)
    label = label_of(backup(setup))
    t.equal(complete_labels(place(t, pg, "a")), [label], "complete backups")
    # a day later the leftovers are told
    old = path.parent / "20010101T000000Z"
    path.rename(old)
    result = backup(setup)
    t.contains(result.err, "leftovers of backup 20010101T000000Z", "leftovers")


@tap.check("TERM in the middle ends it at once")
def _(t):
    pg, setup = slow_primary(t)
    running = start(setup)
    halt_in_the_middle(t, pg, running)
    running.terminate()
    running.send_signal(signal.SIGCONT)
    code, _, text = ended(running, timeout=30)
    t.equal(code, 10, "exit code")
    t.contains(text, "interrupted", "the reason")
    t.equal(complete_labels(place(t, pg, "a")), [], "complete backups")
    t.equal(pg.value("select count(*) from pg_stat_activity where application_name = 'seawall'"),
            "0", "sessions")


@tap.check("the server is stopped in the middle: failed, with the reason")
def _(t):
    pg, setup = slow_primary(t)
    running = start(setup)
    halt_in_the_middle(t, pg, running)
    pg.stop("immediate")
    running.send_signal(signal.SIGCONT)
    code, out, text = ended(running)
    t.equal((code, out), (10, ""), "exit code and output")
    t.contains(text, "lost the connection to the server", "the reason")
    t.equal(complete_labels(place(t, pg, "a")), [], "complete backups")


@tap.check("the session is ended in the middle: failed, and the next backup works")
def _(t):
    pg, setup = slow_primary(t)
    running = start(setup)
    halt_in_the_middle(t, pg, running)
    t.equal(pg.value("select pg_terminate_backend(pid) from pg_stat_activity "
                     "where application_name = 'seawall'"), "t", "terminated")
    running.send_signal(signal.SIGCONT)
    code, out, text = ended(running)
    t.equal((code, out), (10, ""), "exit code and output")
    t.contains(text, "lost the connection to the server", "the reason")
    t.equal(complete_labels(place(t, pg, "a")), [], "complete backups")
    setup.write(compression="lz4", compression_level=None)
    label_of(backup(setup))


@tap.check("a store that fails in the middle is dropped; with acknowledge = 2 the backup fails")
def _(t):
    pg, setup = slow_primary(t, settings=dict(acknowledge=1))
    for acknowledge, code in ((1, 0), (2, 11)):
        setup.write(acknowledge=acknowledge)
        before = labels(place(t, pg, "b"))
        running = start(setup)
        path = halt_in_the_middle(t, pg, running, "b", before)
        path.chmod(0o500)
        running.send_signal(signal.SIGCONT)
        got, out, text = ended(running)
        path.chmod(0o700)
        t.equal(got, code, "exit code\n" + text)
        t.true(not (path / "complete").exists(), "nothing in the store that failed")
        t.equal((place(t, pg, "a", path.name) / "complete").exists(), code == 0, "the other store")
        t.contains(text, 'store "b"', "the store's name")
        t.equal(pg.value("select count(*) from pg_stat_activity where application_name = 'seawall'"),
                "0", "sessions")
        if code == 0:
            t.contains(text, 'warning: store "b" gets no complete backup this time', "the warning")


@tap.check("no completion before the WAL is archived; after backup_wal_wait it has failed")
def _(t):
    pg, setup = archived_primary(t, settings=dict(backup_wal_wait=3))
    pg.configure(archive_command="false")
    pg.reload()
    tap.wait_for(lambda: pg.value("show archive_command") == "false", what="the setting")
    result = backup(setup, code=10)
    t.contains(result.err, "is not in the 1 stores that must hold it", "the reason")
    t.contains(result.err, "archive_command", "the hint")
    t.equal(complete_labels(place(t, pg, "a")), [], "complete backups")
    t.equal(len(labels(place(t, pg, "a"))), 1, "begun backups")
    # it waits as long as it must
    setup.write(backup_wal_wait=300)
    running = start(setup, "--json")
    t.defer(running.kill)
    event = {}
    while event.get("event") != "waiting":
        event = json.loads(running.stdout.readline())
    pg.configure(archive_command=setup.archive_command())
    pg.reload()
    code, _, text = ended(running)
    t.equal(code, 0, text)
    t.equal(len(complete_labels(place(t, pg, "a"))), 1, "complete backups")


def corrupt(path, offset):
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)
        f.seek(offset)
        f.write(bytes([byte[0] ^ 0xFF]))


@tap.check("damaged pages are found and listed, and the backup is kept")
def _(t):
    pg, setup = archived_primary(t, checksums=True)
    pg.psql("create table victim as select i, repeat('y', 50) y from generate_series(1, 20000) i")
    pg.psql("create index victims on victim (i)")
    path = pg.value("select pg_relation_filepath('victim')")
    index = pg.value("select pg_relation_filepath('victims')")
    pg.stop()
    for block in (3, 7):
        corrupt(pg.data / path, block * 8192 + 5000)
    corrupt(pg.data / index, 8192 + 100)
    pg.start()
    result = backup(setup, "--json", code=17)
    events = [json.loads(line) for line in result.out.splitlines()]
    t.equal({(e["path"], e["block"]) for e in events if e["event"] == "damage"},
            {(path, 3), (path, 7), (index, 1)}, "damage in the events")
    t.equal([e["event"] for e in events][0], "start", "the first event")
    t.equal((events[-1]["event"], events[-1]["damage_count"]), ("complete", 3), "the last event")
    t.contains(result.err, '"%s": page 7 has a wrong checksum' % path, "on the standard error")
    _, complete = manifest_of(setup, place(t, pg, "a", events[-1]["label"]))
    t.equal({(d["path"], d["block"]) for d in complete["damage"]},
            {(path, 3), (path, 7), (index, 1)}, "damage in the backup")
    t.equal(complete["damage_count"], 3, "count")


@tap.check("without data checksums nothing is verified")
def _(t):
    pg, setup = archived_primary(t)
    pg.psql("create table victim as select i from generate_series(1, 20000) i")
    path = pg.value("select pg_relation_filepath('victim')")
    pg.psql("checkpoint")
    corrupt(pg.data / path, 3 * 8192 + 5000)
    label = label_of(backup(setup))
    _, complete = manifest_of(setup, place(t, pg, "a", label))
    t.equal((complete["data_checksums"], complete["damage_count"]), (False, 0), "complete")


@tap.check("two at once have two labels")
def _(t):
    pg, setup = archived_primary(t)
    running = [start(setup) for _ in range(3)]
    results = [ended(r) for r in running]
    t.equal([r[0] for r in results], [0, 0, 0], "exit codes\n" + "".join(r[2] for r in results))
    t.equal(sorted({r[1].strip() for r in results}), complete_labels(place(t, pg, "a")), "labels")
    t.equal(len(complete_labels(place(t, pg, "b"))), 3, "complete in the other store")


@tap.check("a role with just the rights it needs; each missing right is named")
def _(t):
    pg, setup = archived_primary(t)
    pg.psql("create role saver login")
    setup.write(conninfo="host=%s user=saver dbname=postgres" % pg.sockets)
    result = backup(setup, code=11)
    t.contains(result.err, "GRANT pg_read_all_settings", "the hint")
    pg.psql("grant pg_read_all_settings to saver")
    result = backup(setup, code=11)
    t.contains(result.err, "GRANT EXECUTE ON FUNCTION", "the hint")
    functions = (("pg_backup_start(text, boolean)", "pg_backup_stop(boolean)")
                 if int(pg.value("show server_version_num")) >= 150000 else
                 ("pg_start_backup(text, boolean, boolean)", "pg_stop_backup(boolean, boolean)"))
    for function in functions:
        pg.psql("grant execute on function %s to saver" % function)
    # the role's own settings do not matter: a spread checkpoint takes a nap for every page
    pg.psql("alter role saver set statement_timeout = '500ms'")
    pg.psql("alter role saver set search_path = nonsense")
    pg.psql("checkpoint")
    pg.psql("create table dirty as select i, repeat('z', 1000) z from generate_series(1, 100) i")
    label_of(backup(setup, "--checkpoint", "spread"))


@tap.check("what cannot work is refused at once, and nothing is stored")
def _(t):
    pg, setup = archived_primary(t)
    other = t.enter(pgserver.Cluster(t.dir / "other", wal_segsize=1)).start()

    setup.write(pgdata=str(other.data))
    result = backup(setup, code=14)
    t.contains(result.err, "system identifier", "another server's directory")
    shutil.copytree(pg.data, t.dir / "clone", ignore=shutil.ignore_patterns("postmaster.pid"))
    setup.write(pgdata=str(t.dir / "clone"))
    result = backup(setup, code=14)
    t.contains(result.err, "does not run in pgdata", "a clone's directory")
    shutil.copy(pg.data / "postmaster.pid", t.dir / "clone" / "postmaster.pid")
    setup.write(pgdata=str(pg.data), conninfo="host=%s user=postgres" % other.sockets)
    backup(setup, code=14)
    setup.write(conninfo="host=/nonexistent user=postgres")
    backup(setup, code=10)
    setup.write(conninfo="host=%s user=postgres" % pg.sockets)
    t.equal(backup(setup, "--checkpoint", "never", code=14).out, "", "output")
    # without the setting pgdata the server says where it is
    setup.write(pgdata=None)
    t.equal(labels(place(t, pg, "a")), [], "what is stored")
    label_of(backup(setup, "--full", "--checkpoint=fast"))
    other.stop()

    pg.configure(archive_mode="off")
    pg.restart()
    result = backup(setup, code=14)
    t.contains(result.err, "archive_mode is off", "the reason")


@tap.check("a file that cannot be read fails the backup")
def _(t):
    pg, setup = archived_primary(t)
    secret = pg.data / "secret"
    secret.write_text("x")
    secret.chmod(0)
    result = backup(setup, code=13)
    t.contains(result.err, 'could not open "secret"', "the reason")
    t.equal(complete_labels(place(t, pg, "a")), [], "complete backups")


if __name__ == "__main__":
    tap.main()
