# SPDX-License-Identifier: PostgreSQL
"""Push, fetch and a real PostgreSQL on two S3 regions (Ceph radosgw) over TLS."""
import contextlib
import os
import pathlib
import subprocess
import tempfile
import time

import pgserver
import radosgw
import seawall
import tap
from archived import MIB, bring_back, push_all

XLOG = "pg_wal/RECOVERYXLOG"


@contextlib.contextmanager
def two_services():
    with tempfile.TemporaryDirectory(prefix="rgw", dir="/tmp", ignore_cleanup_errors=True) as d:
        with radosgw.Radosgw(pathlib.Path(d) / "a", region="eu-west-3") as a, \
                radosgw.Radosgw(pathlib.Path(d) / "b", region="eu-central-1") as b:
            yield a, b


services = tap.shared(two_services)
numbers = iter(range(1, 1000))


def regions(t, count=2, versioned=False, **settings):
    """A Setup with a fresh bucket in each region; returns setup, pgdata, [(service, bucket)]."""
    name = "wal-%d" % next(numbers)
    places = []
    stores = []
    for label, gw in list(zip("ab", services()))[:count]:
        gw.create_bucket(name, versioned=versioned)
        places.append((gw, name))
        stores.append(gw.store(label, name, "pg/root"))
    setup = seawall.Setup(t.dir, stores, **settings)
    return setup, seawall.Pgdata(t.dir / "data", segment_size=MIB), places


def key(pgdata, number):
    name = pgdata.name(number)
    return "pg/root/main/%d/wal/%s/%s/%s" % (seawall.SYSTEM_ID, name[:8], name[8:16], name)


@tap.check("segments go to both regions and come back from each")
def _(t):
    setup, pgdata, places = regions(t)
    push_all(t, setup, pgdata, [1, 2])
    for gw, bucket in places:
        t.equal(gw.s3().get(bucket, key(pgdata, 1)).status, 200, "object in " + gw.region)
    for store in list(setup.settings["stores"]):
        stores = setup.settings["stores"]
        setup.write(stores=[store])
        t.equal(bring_back(t, setup, pgdata, pgdata.name(2)), pgdata.segment(2), store["name"])
        setup.write(stores=stores)


@tap.check("again is 0 and one version, other content 12, the end 1, a gap 203")
def _(t):
    setup, pgdata, places = regions(t)
    push_all(t, setup, pgdata, [1, 2, 3])
    gw, bucket = places[0]
    before = gw.s3().get(bucket, key(pgdata, 2)).body
    t.equal(setup.push(pgdata, pgdata.write_segment(2)).code, 0, "again")
    t.equal(setup.push(pgdata, pgdata.write_segment(2, seed=1)).code, 12, "other content")
    t.equal(gw.s3().get(bucket, key(pgdata, 2)).body, before, "object")
    t.equal(setup.fetch(pgdata, pgdata.name(4), XLOG).code, 1, "end")
    t.equal(setup.fetch(pgdata, "00000002.history", XLOG).code, 1, "history")
    os.unlink(pgdata.wal / pgdata.name(2))
    for gw, bucket in places:
        gw.s3().delete(bucket, key(pgdata, 2))
    t.equal(setup.fetch(pgdata, pgdata.name(2), XLOG).code, 203, "gap")


@tap.check("10 parallel pushes of two contents: one wins, its writers 0, the others 12")
def _(t):
    setup, pgdata, places = regions(t, count=1)
    other = seawall.Pgdata(t.dir / "other", segment_size=MIB)
    paths = [(pgdata, pgdata.write_segment(7)), (other, other.write_segment(7, seed=5))]
    running = [subprocess.Popen(setup.argv("seawall-push", paths[i % 2][1]),
                                cwd=str(paths[i % 2][0].dir), stderr=subprocess.DEVNULL)
               for i in range(10)]
    codes = [process.wait(timeout=120) for process in running]
    t.equal(sorted([set(codes[0::2]), set(codes[1::2])], key=max), [{0}, {12}], "exit codes")


@tap.check("a region that is down: a warning with acknowledge = 1, exit 10 with 2; reads use the other")
def _(t):
    setup, pgdata, places = regions(t, push_timeout=8, lag_wait=2, fetch_timeout=8)
    push_all(t, setup, pgdata, [1])
    services()[0].pause()
    try:
        result = setup.push(pgdata, pgdata.write_segment(2))
        t.equal(result.code, 0, "acknowledge 1: " + result.err)
        t.contains(result.err, 'store "a"', "warning")
        t.equal(bring_back(t, setup, pgdata, pgdata.name(1)), pgdata.segment(1), "fetch")
        t.equal(setup.fetch(pgdata, pgdata.name(3), XLOG).code, 200, "no proof of the end")
        setup.write(acknowledge=2)
        t.equal(setup.push(pgdata, pgdata.write_segment(3)).code, 10, "acknowledge 2")
    finally:
        services()[0].resume()
    t.equal(setup.push(pgdata, "pg_wal/" + pgdata.name(3)).code, 0, "again")


@tap.check("a versioned bucket of this service ignores the condition: nothing is stored there, exit 11")
def _(t):
    setup, pgdata, places = regions(t, count=1, versioned=True)
    result = setup.push(pgdata, pgdata.write_segment(1))
    t.equal(result.code, 11, result.err)
    t.contains(result.err, "If-None-Match", "message")
    gw, bucket = places[0]
    t.equal(gw.s3().get(bucket, key(pgdata, 1)).status, 404, "object")
    # here a deleted object would look like one that never was: 404 without a delete marker
    check = setup.seawall("check", "--no-server", cwd=str(pgdata.dir))
    t.equal(check.code, 11, "seawall check: " + check.out + check.err)
    t.contains(check.out, "FAILED", "seawall check")


@tap.check("silent damage in the service: 201, or a warning and the other region's copy")
def _(t):
    setup, pgdata, places = regions(t)
    push_all(t, setup, pgdata, [1])
    places[0][0].corrupt(places[0][1], key(pgdata, 1), offset=2000)
    result = setup.fetch(pgdata, pgdata.name(1), XLOG)
    t.equal(result.code, 0, result.err)
    t.contains(result.err, "warning:", "warning")
    (pgdata.dir / XLOG).unlink()
    setup.write(stores=setup.settings["stores"][:1])
    t.equal(setup.fetch(pgdata, pgdata.name(1), XLOG).code, 201, "alone")


@tap.check("missing bucket, wrong secret, unknown key, suspended user: 11 and 202 with a hint, never 1")
def _(t):
    setup, pgdata, places = regions(t, count=1)
    push_all(t, setup, pgdata, [1])
    good = setup.settings["stores"][0]

    def refused(what, piece, **change):
        setup.write(stores=[dict(good, **change)])
        push = setup.push(pgdata, pgdata.write_segment(2))
        fetch = setup.fetch(pgdata, pgdata.name(1), XLOG)
        t.equal((push.code, fetch.code), (11, 202), "%s: %s%s" % (what, push.err, fetch.err))
        t.contains(push.err + fetch.err, piece, what)
        t.contains(push.err, "hint:", what)

    refused("missing bucket", "no-such-bucket", url="s3://no-such-bucket/pg")
    refused("wrong secret", "SignatureDoesNotMatch", secret_access_key="x" * 40)
    refused("unknown key", "InvalidAccessKeyId", access_key_id="AKIAUNKNOWN000000001")
    gw = places[0][0]
    gw.suspend()
    try:
        refused("suspended user", "")
    finally:
        gw.enable()


@tap.check("certificates: unknown authority, expired, wrong host: 11 and 202, never without verification")
def _(t):
    setup, pgdata, places = regions(t, count=1)
    push_all(t, setup, pgdata, [1])
    gw = places[0][0]
    good = setup.settings["stores"][0]

    def refused(what, **change):
        setup.write(stores=[dict(good, **change)])
        push = setup.push(pgdata, pgdata.write_segment(2))
        fetch = setup.fetch(pgdata, pgdata.name(1), XLOG)
        t.equal((push.code, fetch.code), (11, 202), "%s: %s%s" % (what, push.err, fetch.err))
        t.contains(push.err, "certificate", what)

    refused("system's authorities only", ca_file=None)
    expired = t.enter(gw.tls_proxy(days=-1))
    refused("expired", endpoint=expired.endpoint)
    stranger = t.enter(gw.tls_proxy(names="DNS:elsewhere.example"))
    refused("wrong host", endpoint=stranger.endpoint)
    # an authority's file that is not there is the configuration's fault
    setup.write(stores=[dict(good, ca_file=str(t.dir / "missing.pem"))])
    t.true(setup.push(pgdata, pgdata.write_segment(2)).code in (11, 14), "missing ca_file")


@tap.check("credentials from the environment, a shared file with profile, and virtual-host addressing")
def _(t):
    setup, pgdata, places = regions(t, count=1)
    gw, bucket = places[0]
    good = dict(setup.settings["stores"][0])
    access, secret = good.pop("access_key_id"), good.pop("secret_access_key")
    setup.write(stores=[good])
    env = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
    t.equal(setup.push(pgdata, pgdata.write_segment(1), env=env).code, 0, "environment")
    file = t.dir / "credentials"
    file.touch(mode=0o600)
    file.write_text("[default]\naws_access_key_id = x\naws_secret_access_key = y\n"
                    "[wal]\naws_access_key_id = %s\naws_secret_access_key = %s\n" % (access, secret))
    setup.write(stores=[dict(good, credentials_file=str(file), profile="wal")])
    t.equal(setup.push(pgdata, pgdata.write_segment(2)).code, 0, "file and profile")
    setup.write(stores=[dict(good, credentials_file=str(file), profile="nobody")])
    t.true(setup.push(pgdata, pgdata.write_segment(3)).code in (11, 14), "unknown profile")
    # a certificate for *.localhost would not do: OpenSSL wants two labels behind the star
    front = t.enter(gw.tls_proxy(names="DNS:%s.localhost" % bucket))
    port = front.endpoint.rpartition(":")[2]
    virtual = dict(good, credentials_file=str(file), profile="wal", path_style=False,
                   endpoint="https://localhost:" + port)
    setup.write(stores=[virtual])
    result = setup.push(pgdata, pgdata.write_segment(3))
    t.equal(result.code, 0, "virtual host: " + result.err)
    t.equal(bring_back(t, setup, pgdata, pgdata.name(3)), pgdata.segment(3), "virtual host")


@tap.check("a real server archives to both regions under load, one crashes, recovery from the other")
def _(t):
    setup, _, places = regions(t)
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1))
    pg.archive(setup.archive_command())
    pg.start()
    pg.psql("create table t (i int)")
    copy = t.enter(pg.base_backup(t.dir / "copy"))
    for i in range(10):
        pg.psql("insert into t select generate_series(%d, %d)" % (i * 100 + 1, i * 100 + 100))
        last = pg.switch_wal()
    pg.wait_archived(last)
    t.equal(pg.archive_stats()["failed_count"], "0", "failures")
    pg.stop("immediate")
    setup.write(stores=setup.settings["stores"][1:])
    copy.recover(setup.restore_command(), action="promote")
    copy.start()
    copy.wait_promoted()
    t.equal(copy.value("select count(*) from t"), "1000", "rows")


@tap.check("a hanging store does not keep the server from a fast stop beyond the deadline")
def _(t):
    setup, _, places = regions(t, count=1, push_timeout=6)
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1))
    pg.archive(setup.archive_command())
    pg.start()
    services()[0].pause()
    try:
        pg.psql("create table t as select 1 i")
        pg.psql("select pg_switch_wal()")
        time.sleep(1)
        pg.stop("fast", timeout=60)
    finally:
        services()[0].resume()


tap.main()
