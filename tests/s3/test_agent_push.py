# SPDX-License-Identifier: PostgreSQL
"""Archiving through the agent into two regions of a real S3 service: outages, hangs, a long link."""
import contextlib
import json
import os
import signal

import radosgw
import seawall
import tap
import wan
from archived import MIB

WAN = wan.try_link()        # before tap.main() becomes another user


@contextlib.contextmanager
def make_regions():
    names = [] if isinstance(WAN, str) else ["IP:" + WAN.there]
    base = tap.temporary("swgw-")
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(radosgw.Radosgw(base / name, region="eu-%s-1" % name,
                                                   names=names)) for name in ("west", "east")]


regions = tap.shared(make_regions)
made = []


def two_regions(t, **settings):
    """Both regions with a bucket nobody has used, a configuration and a data directory."""
    west, east = regions()
    made.append(1)
    bucket = "push%d" % len(made)
    for gw in (west, east):
        gw.create_bucket(bucket)
    stores = [west.store("west", bucket, "root"), east.store("east", bucket, "root")]
    setup = seawall.Setup(t.dir, stores, **dict(dict(stall_timeout=3, connect_timeout=2),
                                                **settings))
    return west, east, bucket, setup, seawall.Pgdata(t.dir / "data", segment_size=MIB)


def push(t, setup, pgdata, numbers, code=0):
    for i in numbers:
        pgdata.write_segment(i)
        result = setup.push(pgdata, "pg_wal/" + pgdata.name(i), agent=True)
        t.equal(result.code, code, "segment %d: %s" % (i, result.err))


def has(gw, bucket, pgdata, numbers):
    have = {v.key.rpartition("/")[2]: v for v in gw.s3().versions(bucket) if v.latest}
    return all(pgdata.name(i) in have for i in numbers)


def lag(setup, pgdata):
    result = tap.run([seawall.program("seawall-agent"), "--config", setup.config, "status"],
                     cwd=pgdata.dir)
    return {s["name"]: s["lag_files"] for s in json.loads(result.out)["push"]["stores"]}


def fetch_all(t, setup, pgdata, numbers):
    for i in numbers:
        result = setup.fetch(pgdata, pgdata.name(i), "pg_wal/RECOVERYXLOG")
        t.equal(result.code, 0, "fetch %d: %s" % (i, result.err))
        t.true((pgdata.wal / "RECOVERYXLOG").read_bytes() == pgdata.segment(i), "bytes of %d" % i)


@tap.check("both regions get everything, once, and each of them gives it back")
def _(t):
    west, east, bucket, setup, pgdata = two_regions(t)
    push(t, setup, pgdata, range(1, 21))
    tap.wait_for(lambda: has(west, bucket, pgdata, range(1, 21)) and
                 has(east, bucket, pgdata, range(1, 21)), 60, "both have all")
    for gw in (west, east):
        versions = [v.key for v in gw.s3().versions(bucket)]
        t.equal(len(versions), len(set(versions)), "one version of each")
    for i, gw in enumerate((west, east)):
        setup.write(stores=[gw.store("only%d" % i, bucket, "root")])
        fetch_all(t, setup, pgdata, (1, 10, 20))


@tap.check("a region that is down lags and is healed when it is back, from here and from there")
def _(t):
    west, east, bucket, setup, pgdata = two_regions(t)
    push(t, setup, pgdata, [1])
    tap.wait_for(lambda: has(east, bucket, pgdata, [1]), 60, "both have the first")
    os.kill(east.pid("rgw"), signal.SIGKILL)
    tap.wait_for(lambda: not east.pid("rgw"), 30, "end of the gateway")
    try:
        push(t, setup, pgdata, range(2, 12))
        tap.wait_for(lambda: lag(setup, pgdata)["east"] == 10, 60, "lag")
        for i in range(2, 7):
            (pgdata.wal / pgdata.name(i)).unlink()
    finally:
        east.start_gateway()
    tap.wait_for(lambda: lag(setup, pgdata)["east"] == 0, 90, "healed")
    t.true(has(east, bucket, pgdata, range(1, 12)), "all in the east")
    setup.write(stores=[east.store("east", bucket, "root")])
    fetch_all(t, setup, pgdata, range(1, 12))


@tap.check("a region that hangs does not hold the other one back; both hanging is 10")
def _(t):
    west, east, bucket, setup, pgdata = two_regions(t, push_timeout=8)
    push(t, setup, pgdata, [1])
    os.kill(east.pid("osd"), signal.SIGSTOP)
    try:
        push(t, setup, pgdata, range(2, 6))
        os.kill(west.pid("osd"), signal.SIGSTOP)
        try:
            push(t, setup, pgdata, [6], code=10)
        finally:
            os.kill(west.pid("osd"), signal.SIGCONT)
    finally:
        os.kill(east.pid("osd"), signal.SIGCONT)
    tap.wait_for(lambda: setup.push(pgdata, "pg_wal/" + pgdata.name(6), agent=True).code == 0, 60,
                 "six")
    tap.wait_for(lambda: has(west, bucket, pgdata, range(1, 7)) and
                 has(east, bucket, pgdata, range(1, 7)), 90, "both have all")


@tap.check("a link that breaks in the middle of a backlog: 10, then everything, once")
def _(t):
    link = wan.need(WAN)
    west, east, bucket, setup, pgdata = two_regions(t)
    host, port = link.listen(west.tls_port)
    far = dict(west.store("west", bucket, "root"), endpoint="https://%s:%d" % (host, port))
    setup.write(stores=[far], push_timeout=6)
    link.set(rtt_ms=60, mbit=40)
    for i in range(1, 41):
        pgdata.write_segment(i)
    push(t, setup, pgdata, [1])
    link.set(loss=100)
    push(t, setup, pgdata, [41], code=10)
    link.set(loss=1)
    tap.wait_for(lambda: setup.push(pgdata, "pg_wal/" + pgdata.name(41), agent=True).code == 0,
                 90, "the link is back")
    link.set(loss=0)
    push(t, setup, pgdata, range(1, 42))
    t.true(has(west, bucket, pgdata, range(1, 42)), "all are there")
    versions = [v.key for v in west.s3().versions(bucket)]
    t.equal(len(versions), len(set(versions)), "one version of each")


if __name__ == "__main__":
    tap.main()
