# SPDX-License-Identifier: PostgreSQL
"""Restoring through the agent from two S3 regions (Ceph radosgw) over TLS."""
import contextlib
import json
import pathlib
import tempfile

import radosgw
import seawall
import tap
from agents import XLOG
from archived import MIB, push_all


@contextlib.contextmanager
def two_services():
    with tempfile.TemporaryDirectory(prefix="rgw", dir="/tmp", ignore_cleanup_errors=True) as d:
        with radosgw.Radosgw(pathlib.Path(d) / "a", region="eu-west-3") as a, \
                radosgw.Radosgw(pathlib.Path(d) / "b", region="eu-central-1") as b:
            yield a, b


services = tap.shared(two_services)
numbers = iter(range(1, 1000))


def regions(t, last, count=2, **settings):
    """A Setup with a fresh bucket in each region that has segments 1 to `last`."""
    name = "fetch-%d" % next(numbers)
    places, stores = [], []
    for label, gw in list(zip("ab", services()))[:count]:
        gw.create_bucket(name)
        places.append((gw, name))
        stores.append(gw.store(label, name, "pg/root"))
    setup = seawall.Setup(t.dir, stores, connect_timeout=2, stall_timeout=2, **settings)
    pgdata = seawall.Pgdata(t.dir / "data", segment_size=MIB)
    push_all(t, setup, pgdata, range(1, last + 1))
    return setup, pgdata, places


def key(pgdata, number):
    name = pgdata.name(number)
    return "pg/root/main/%d/wal/%s/%s/%s" % (seawall.SYSTEM_ID, name[:8], name[8:16], name)


def status(setup, pgdata):
    result = tap.run([seawall.program("seawall-agent"), "--config", setup.config, "status"],
                     cwd=pgdata.dir)
    return json.loads(result.out)["fetch"]


def fetch(setup, pgdata, name):
    """(code, bytes at %p or None, stderr)."""
    target = pgdata.dir / XLOG
    target.unlink(missing_ok=True)
    result = setup.fetch(pgdata, name, XLOG, agent=True)
    return result.code, target.read_bytes() if target.exists() else None, result.err


def recover(t, setup, pgdata, wanted, what=""):
    said = ""
    for number in wanted:
        code, data, err = fetch(setup, pgdata, pgdata.name(number))
        t.equal(code, 0, "%s segment %d: %s" % (what, number, err))
        t.true(data == pgdata.segment(number), "%s segment %d: bytes" % (what, number))
        said += err
    return said


@tap.check("a recovery to the proven end")
def _(t):
    setup, pgdata, _places = regions(t, 20)
    t.equal(fetch(setup, pgdata, "00000002.history")[0], 1, "no second timeline")
    recover(t, setup, pgdata, range(1, 21))
    for _ in range(2):
        t.equal(fetch(setup, pgdata, pgdata.name(21))[:2], (1, None), "the end")
    recover(t, setup, pgdata, [20])
    t.true(status(setup, pgdata)["served_ahead"] > 0, "ahead: %s" % status(setup, pgdata))


@tap.check("a region that hangs, then is gone, while segments are fetched ahead: the other one serves")
def _(t):
    setup, pgdata, places = regions(t, 24)
    recover(t, setup, pgdata, range(1, 4))
    with places[0][0].paused("osd"):
        recover(t, setup, pgdata, range(4, 12), "hanging")
    recover(t, setup, pgdata, range(12, 16), "again")
    places[0][0].pause("rgw")
    try:
        recover(t, setup, pgdata, range(16, 20), "stopped")
    finally:
        places[0][0].resume("rgw")
    recover(t, setup, pgdata, range(20, 25), "afterwards")
    t.equal(fetch(setup, pgdata, pgdata.name(25))[:2], (1, None), "the end")


@tap.check("one region hangs: the end cannot be proven, so 200")
def _(t):
    setup, pgdata, places = regions(t, 4, fetch_timeout=8)
    recover(t, setup, pgdata, range(1, 5))
    with places[1][0].paused("osd"):
        code, data, err = fetch(setup, pgdata, pgdata.name(5))
        t.equal((code, data), (200, None), err)
    t.equal(fetch(setup, pgdata, pgdata.name(5))[:2], (1, None), "both say so")


@tap.check("silent corruption in one region is a warning and the other's copy; in both 201")
def _(t):
    setup, pgdata, places = regions(t, 6)
    for gw, bucket in places:
        gw.corrupt(bucket, key(pgdata, 6), offset=2000)
    gw, bucket = places[0]
    gw.corrupt(bucket, key(pgdata, 3), offset=2000)
    said = recover(t, setup, pgdata, range(1, 6))
    t.equal(said.count('could not restore "%s"' % pgdata.name(3)), 1, said)
    code, data, err = fetch(setup, pgdata, pgdata.name(6))
    t.equal((code, data), (201, None), err)


@tap.check("refused credentials are 202, and what is ready is served before")
def _(t):
    setup, pgdata, places = regions(t, 12, count=1, fetch_timeout=8)
    gw = places[0][0]
    recover(t, setup, pgdata, [1])
    tap.wait_for(lambda: status(setup, pgdata)["ready"] >= 4, 60, "files ahead")
    gw.suspend()
    try:
        recover(t, setup, pgdata, range(2, 6), "ready")
        code, data, err = fetch(setup, pgdata, pgdata.name(6))
        t.equal((code, data), (202, None), err)
    finally:
        gw.enable()
    recover(t, setup, pgdata, range(6, 13), "afterwards")


tap.main()
