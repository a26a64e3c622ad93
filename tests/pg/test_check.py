# SPDX-License-Identifier: PostgreSQL
"""seawall check with a real server: its settings, and one segment all the way into the stores."""
import json

import pgserver
import seawall
import tap


def make(t, stores="a", command=True, **settings):
    """A server and a configuration that knows it; archive_command as it must be."""
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1))
    setup = seawall.Setup(t.dir, [seawall.dir_store(s, t.dir / s) for s in stores],
                          pgdata=str(pg.data),
                          conninfo="host=%s user=postgres dbname=postgres" % pg.sockets,
                          **settings)
    if command:
        pg.archive(setup.archive_command(), archive_timeout="60")
    return setup, pg


def check(setup, *args, **options):
    """The exit code, and the rows by name (several of one name: a list of all rows)."""
    result = setup.run("seawall-check", "--json", *args, timeout=200, **options)
    document = json.loads(result.out)
    return result.code, document, {row["name"]: row for row in document["checks"]}


def server_rows(document):
    return {row["name"]: row["status"] for row in document["checks"] if row["group"] == "server"}


@tap.check("a server that archives passes every check, and its segment is found in all stores")
def _(t):
    setup, pg = make(t, "ab", acknowledge=2)
    pg.start()
    code, document, rows = check(setup)
    t.equal([row for row in document["checks"] if row["status"] != "ok"
             and row["name"] != "space"], [], "rows")
    t.equal((code, document["ok"]), (0, True), "verdict")
    t.equal(sorted(server_rows(document)),
            ["archive-command", "archive-mode", "archive-timeout", "archiver", "data-directory",
             "full-page-writes", "switch", "system-identifier", "version", "wal-level"], "names")
    found = [name.split("/")[-1] for name in seawall.stored(t.dir / "a")]
    t.true(any(name in rows["switch"]["detail"] for name in found), "segment %r" % found)
    for store in "ab":
        t.contains(rows["switch"]["detail"], '"%s" (' % store, "stores")
    # what is said for a person is the same
    result = setup.run("seawall-check", timeout=200)
    t.equal(result.code, 0, "for a person")
    t.contains(result.out, "ok      the server archived ", "lines")
    t.contains(result.out, "\nNothing failed: ", "last line")


@tap.check("every switch is found under the name of the segment that was finished")
def _(t):
    setup, pg = make(t)
    pg.start()
    for _ in range(3):
        # on a segment's boundary the server itself would name the one before
        pg.psql("select pg_create_restore_point('test')")
        current = pg.value("select pg_walfile_name(pg_current_wal_insert_lsn())")
        code, document, rows = check(setup)
        t.equal(code, 0, "exit code")
        t.contains(rows["switch"]["detail"], current, "segment")
        t.contains("\n".join(seawall.stored(t.dir / "a")), "/" + current, "object")
        pg.switch_wal()


@tap.check("archive_mode off is a failure with its cure, and nothing is switched")
def _(t):
    setup, pg = make(t, command=False)
    pg.start()
    before = pg.current_wal()
    code, document, rows = check(setup)
    t.equal(code, 14, "exit code")
    t.equal(rows["archive-mode"]["status"], "failed", "status")
    t.contains(rows["archive-mode"]["hint"], "archive_mode = on", "hint")
    t.true("switch" not in rows, "no switch")
    t.equal(pg.current_wal(), before, "segment")


@tap.check("an archive_command without Seawall or %p is a failure with the line to set")
def _(t):
    setup, pg = make(t, command=False)
    pg.archive("cp %p /nonexistent/%f")
    pg.start()
    push = seawall.program("seawall-push")
    for command in ("cp %p /nonexistent/%f", "", "seawall-push %f", "seawall-push %%p"):
        pg.configure(archive_command=command)
        pg.reload()
        pg.wait_for(lambda: pg.value("show archive_command") == command, what="reload")
        code, document, rows = check(setup)
        t.equal((code, rows["archive-command"]["status"]), (14, "failed"), repr(command))
        t.contains(rows["archive-command"]["hint"], "archive_command = '", "hint")
        t.contains(rows["archive-command"]["hint"], " --config %s %%p'" % setup.config, "hint")
        t.true("switch" not in rows, "no switch")
    t.true(push, "program")


@tap.check("a segment that does not arrive is a failure that names it, after the deadline")
def _(t):
    setup, pg = make(t, command=False, push_timeout=5)
    pg.archive("false seawall-push %p", archive_timeout="0")
    pg.start()
    current = pg.current_wal()
    code, document, rows = check(setup)
    t.equal((code, rows["switch"]["status"]), (10, "failed"), "switch")
    t.contains(rows["switch"]["detail"], current, "segment")
    t.contains(rows["switch"]["detail"], "0 of the 1 stores", "count")
    t.equal(rows["archive-timeout"]["status"], "warning", "archive_timeout = 0")
    t.contains(rows["archive-timeout"]["detail"], "rpo", "relation")
    # by now the archiver has failed and says so
    code, document, rows = check(setup)
    t.equal(rows["archiver"]["status"], "warning", "archiver")
    t.contains(rows["archiver"]["detail"], current, "name of the failure")


@tap.check("one store that lacks the segment is a warning when the others suffice")
def _(t):
    setup, pg = make(t, "ab", lag_wait=1)
    (t.dir / "b").rmdir()
    pg.start()
    code, document, rows = check(setup)
    t.equal(code, 10, "the missing store itself")
    t.equal([row["status"] for row in document["checks"] if row["name"] == "switch"], ["ok"],
            "switch")
    t.contains(rows["switch"]["detail"], '"a" (', "store")


@tap.check("a server that cannot be reached is a failure, unless it is not asked")
def _(t):
    setup, pg = make(t)
    code, document, rows = check(setup)
    t.equal((code, rows["connection"]["status"]), (10, "failed"), "no server")
    t.contains(rows["connection"]["hint"], "--no-server", "hint")
    code, document, rows = check(setup, "--no-server")
    t.equal((code, server_rows(document)), (0, {}), "not asked")


@tap.check("a malformed conninfo is named without a word of it")
def _(t):
    setup, pg = make(t)
    setup.write(conninfo="host=localhost password=hunter2 secondword")
    result = setup.run("seawall-check", "--json")
    t.equal(result.code, 14, "exit code")
    t.true("hunter2" not in result.out + result.err and "secondword" not in result.out
           + result.err, "leak")


@tap.check("another server than the configured one is an integrity failure")
def _(t):
    setup, pg = make(t)
    pg.start()
    setup.write(pgdata=None, system_id="1234567890")
    code, document, rows = check(setup)
    t.equal((code, rows["system-identifier"]["status"]), (15, "failed"), "system id")
    t.true("switch" not in rows, "no switch")
    # without anything to compare the server's own is taken
    setup.write(system_id=None)
    code, document, rows = check(setup)
    t.equal((code, rows["switch"]["status"]), (0, "ok"), "nothing to compare")


@tap.check("a role without rights is told what it lacks")
def _(t):
    setup, pg = make(t)
    pg.start()
    pg.psql("create role plain login")
    setup.write(conninfo="host=%s user=plain dbname=postgres" % pg.sockets)
    code, document, rows = check(setup)
    t.equal((code, rows["switch"]["status"]), (11, "failed"), "switch")
    t.contains(rows["switch"]["hint"], "pg_switch_wal", "hint")
    pg.psql("grant execute on function pg_switch_wal() to plain")
    code, document, rows = check(setup)
    t.equal((code, rows["switch"]["status"]), (0, "ok"), "switch")


@tap.check("names a user put into the way are not called")
def _(t):
    setup, pg = make(t)
    pg.start()
    pg.psql("create schema evil; create function evil.lpad(text, int, text) returns text "
            "language plpgsql as $$ begin raise exception 'called'; end $$; "
            "create view evil.pg_settings as select 'archive_mode' as name, 'off' as setting; "
            "alter role postgres set search_path = evil, pg_catalog")
    code, document, rows = check(setup)
    t.equal((code, rows["archive-mode"]["status"]), (0, "ok"), "verdict")


@tap.check("a standby is not asked to switch")
def _(t):
    setup, pg = make(t)
    pg.start()
    standby = t.enter(pg.standby(t.dir / "standby", restore_command=setup.restore_command()))
    standby.configure(archive_mode="on", archive_command=setup.archive_command())
    standby.start()
    setup.write(pgdata=str(standby.data), conninfo="host=%s user=postgres dbname=postgres"
                % standby.sockets)
    code, document, rows = check(setup)
    t.equal(code, 0, "exit code")
    t.contains(rows["standby"]["detail"], "does not archive", "standby")
    t.true("switch" not in rows, "no switch")
    # after a promotion the new timeline's segment is looked for, at once
    standby.promote()
    code, document, rows = check(setup)
    t.equal((code, rows["switch"]["status"]), (0, "ok"), "switch")
    t.contains(rows["switch"]["detail"], "archived 00000002", "timeline")


tap.main()
