# SPDX-License-Identifier: PostgreSQL
"""Name maps of a real server: seawall names, and the one every backup stores."""
import json

import pgserver
import seawall
import tap


def server(t, stores=("a", "b")):
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1))
    setup = seawall.Setup(t.dir, [seawall.dir_store(name, t.dir / name) for name in stores])
    setup.write(conninfo="host=%s user=postgres dbname=postgres" % pg.sockets,
                pgdata=str(pg.data))
    pg.archive(setup.archive_command())
    return pg.start(), setup


def maps(t, store="a"):
    return [name for name in seawall.stored(t.dir / store) if "/names/" in name]


def read_map(t, setup, name):
    """The lines of a map, with age and lz4 alone."""
    result = tap.run(["sh", "-c", "age -d -i '%s' '%s' | lz4 -d" % (
        setup.dir / "identity.txt", t.dir / "a" / name)])
    t.equal(result.code, 0, result.err)
    return [json.loads(line) for line in result.out.split("\n") if line]


@tap.check("a map has every database, its tables by file number, and what belongs to whom")
def _(t):
    pg, setup = server(t)
    pg.sql("create database \"od d\"\"x\"")
    pg.sql("create table users (id int primary key, doc text)")
    pg.sql("create schema s; create view s.v as select 1 x")
    pg.sql("truncate users")
    result = setup.run("seawall-names", "--json")
    t.equal(result.code, 0, result.err)
    told = json.loads(result.out)
    t.equal(maps(t), maps(t, "b"), "in both stores")
    t.equal(len(maps(t)), 1, "one map")
    lines = read_map(t, setup, maps(t)[0])
    t.equal(lines[0]["label"], told["label"], "label")
    t.equal([line["name"] for line in lines if "database" in line],
            ["template1", "postgres", 'od d"x'], "databases")
    users = next(line for line in lines if line.get("name") == "users")
    oid, node = pg.value("select oid || ' ' || pg_relation_filenode(oid) from pg_class"
                         " where relname = 'users'").split()
    t.true(oid != node, "truncate gave it a new file")
    t.equal((users["relation"], users["file"], users["schema"], users["kind"]),
            (int(oid), int(node), "public", "r"), "users")
    toast = next(line for line in lines if line.get("toast_of") == int(oid))
    t.equal(toast["kind"], "t", "toast")
    view = next(line for line in lines if line.get("name") == "v")
    t.equal((view["file"], view["schema"]), (0, "s"), "view")
    t.equal(lines[-1], {"type": "end", "databases": told["databases"],
                        "relations": told["relations"]}, "end")


@tap.check("a database that cannot be read is told, and the others have names")
def _(t):
    pg, setup = server(t)
    pg.sql("create table here (i int)")
    pg.sql("create database shut")
    pg.sql("alter database shut connection limit 0")
    pg.sql("create role reader login; grant pg_read_all_settings to reader")
    setup.write(conninfo="host=%s user=reader dbname=postgres" % pg.sockets)
    result = setup.run("seawall-names")
    t.equal(result.code, 0, result.err)
    t.contains(result.err, 'names of database "shut" are not known', "told")
    lines = read_map(t, setup, maps(t)[0])
    t.true(any(line.get("name") == "here" for line in lines), "the table is there")


@tap.check("no server, no configuration: exit codes")
def _(t):
    pg, setup = server(t)
    pg.stop()
    result = setup.run("seawall-names")
    t.equal(result.code, 10, result.err)
    t.contains(result.err, "could not connect to the server", "told")
    t.equal(maps(t), [], "nothing stored")
    setup.write(conninfo="nonsense")
    t.equal(setup.run("seawall-names").code, 14, "conninfo")


@tap.check("a backup stores a map under its label; verify reads maps and finds a damaged one")
def _(t):
    pg, setup = server(t)
    pg.sql("create table users (i int)")
    result = setup.run("seawall-backup", timeout=300)
    t.equal(result.code, 0, result.err)
    label = result.out.strip().split("\n")[-1]
    t.equal([name.rsplit("/", 1)[1] for name in maps(t)], [label], "the map")
    pg.stop()
    result = setup.run("seawall-verify")
    t.equal(result.code, 0, result.err)
    for store in "ab":
        path = t.dir / store / maps(t, store)[0]
        content = bytearray(path.read_bytes())
        content[-20] ^= 1
        path.chmod(0o600)
        path.write_bytes(content)
    result = setup.run("seawall-verify")
    t.equal(result.code, 15, result.out)
    t.contains(result.out, "names/" + label, "named")


tap.main()
