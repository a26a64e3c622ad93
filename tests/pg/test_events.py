# SPDX-License-Identifier: PostgreSQL
"""seawall events on the WAL of a real server: what was done is what is told."""
import json
import re

import npmpg
import pgserver
import seawall
import tap


def server(t, **options):
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1, **options))
    setup = seawall.Setup(t.dir, [seawall.dir_store(name, t.dir / name) for name in "ab"])
    setup.write(conninfo="host=%s user=postgres dbname=postgres" % pg.sockets,
                pgdata=str(pg.data))
    pg.archive(setup.archive_command())
    return pg.start(), setup


def archive_all(pg):
    pg.wait_archived(pg.switch_wal())


def events(t, setup, *arguments):
    result = setup.run("seawall-events", "--json", *arguments)
    t.equal(result.code, 0, result.err)
    return json.loads(result.out)


def told(document, *kinds):
    return [e for e in document["events"] if not kinds or e["kind"] in kinds]


def xid_of(pg, *statements):
    """Run them in one transaction; its xid."""
    return int(pg.sql("begin; select pg_current_xact_id(); %s; commit" % "; ".join(statements))
               [0][0])


def names(setup):
    result = setup.run("seawall-names")
    if result.code != 0:
        raise tap.Failure(result.err)


def labelled(t, **options):
    """What is done is known by its transactions; exactly that is told."""
    pg, setup = server(t, **options)
    pg.sql("create table users (id int primary key, doc text)")
    # dropping it locks both
    pg.sql("create table customers (id int primary key)")
    pg.sql("create table orders (id int primary key, doc text,"
           " customer int references customers)")
    pg.sql("create table logs (id int, doc text)")
    pg.sql("insert into users select i, repeat('x', 100) from generate_series(1, 5000) i")
    pg.sql("insert into orders select i, repeat('x', 3000) from generate_series(1, 5000) i")
    pg.sql("insert into logs select i, 'x' from generate_series(1, 3000) i")
    pg.sql("create index logs_id on logs (id)")
    pg.sql("create schema sales; create table sales.a (i int); create table sales.b (i int)")
    names(setup)
    done = {
        "delete": xid_of(pg, "delete from users"),
        "update": xid_of(pg, "update orders set doc = 'y'"),
        "truncate": xid_of(pg, "truncate logs"),
        "drop_index": xid_of(pg, "drop index logs_id"),
        "drop_table": xid_of(pg, "drop table orders"),
        "drop_schema": xid_of(pg, "drop schema sales cascade"),
    }
    pg.sql("select pg_create_restore_point('before lunch')")
    # what is none
    pg.sql("begin; delete from users; drop table users; rollback")
    pg.sql("vacuum full users")
    pg.sql("reindex table users")
    pg.sql("create temp table tt (i int); drop table tt")
    pg.sql("insert into logs select i from generate_series(1, 5000) i")
    archive_all(pg)
    pg.stop()
    document = events(t, setup)
    t.equal({e["kind"]: e.get("xid") for e in told(document) if "xid" in e}, done, "transactions")
    t.equal([e["kind"] for e in told(document)].count("drop_table"), 1, "one drop")
    what = {e["kind"]: e for e in told(document)}
    t.equal((what["delete"]["rows"], what["delete"]["relations"]), (5000, ["public.users"]), "delete")
    t.equal((what["update"]["rows"], what["update"]["relations"]), (5000, ["public.orders"]), "update")
    t.equal(what["truncate"]["relations"], ["public.logs"], "truncate")
    t.equal(what["drop_table"]["relations"], ["public.orders"], "drop table")
    t.equal(sorted(what["drop_schema"]["relations"]), ["sales.a", "sales.b"], "drop schema")
    t.equal(what["drop_index"]["relations"], ["public.logs_id"], "drop index")
    t.equal([e["what"] for e in told(document, "restore_point")], ["before lunch", "switch"],
            "restore points")
    t.equal(what["delete"]["database"], "postgres", "database")
    t.true("shutdown" in what, "the shutdown")
    rewrites = told(events(t, setup, "--all"), "rewrite")
    t.equal([e["relations"] for e in rewrites], [["public.users"]], "VACUUM FULL")


@tap.check("each accident is one event with its transaction, names and rows")
def _(t):
    labelled(t)


def check_version(version):
    @tap.check("the same on PostgreSQL %d" % version)
    def _(t):
        labelled(t, bin=npmpg.bindir(version))


for _version in (13, 14, 16, 17, 18):
    check_version(_version)


tap.main()
