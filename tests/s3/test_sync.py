# SPDX-License-Identifier: PostgreSQL
"""seawall sync between two S3 regions (Ceph radosgw) over TLS."""
import contextlib
import json
import os
import pathlib
import sys
import tempfile

import radosgw
import seawall
import tap
from archived import MIB, push_all

ROOT = "pg/root/"
SANITIZED = bool(os.environ.get("SEAWALL_SANITIZED"))
OBJECTS_KIB = 192 << 10   # 64 MiB under way, twice while buffers grow, libraries
RSS = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=2)
_, status, usage = os.wait4(child.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


@contextlib.contextmanager
def two_services():
    with tempfile.TemporaryDirectory(prefix="rgw", dir="/tmp", ignore_cleanup_errors=True) as d:
        with radosgw.Radosgw(pathlib.Path(d) / "a", region="eu-west-3") as a, \
                radosgw.Radosgw(pathlib.Path(d) / "b", region="eu-central-1") as b:
            yield a, b


services = tap.shared(two_services)
numbers = iter(range(1, 1000))


def regions(t, **settings):
    """A Setup with a fresh bucket in each region; returns setup, pgdata, [(service, bucket)]."""
    name = "sync-%d" % next(numbers)
    places = []
    stores = []
    for label, gw in zip("ab", services()):
        gw.create_bucket(name)
        places.append((gw, name))
        stores.append(gw.store(label, name, "pg/root"))
    setup = seawall.Setup(t.dir, stores, **settings)
    return setup, seawall.Pgdata(t.dir / "data", segment_size=MIB), places


def key(pgdata, number):
    name = pgdata.name(number)
    return ROOT + "main/%d/wal/%s/%s/%s" % (seawall.SYSTEM_ID, name[:8], name[8:16], name)


def get(place, path):
    gw, bucket = place
    answer = gw.s3().get(bucket, path)
    return answer.body if answer.status == 200 else None


def sync(t, setup, code, *args):
    result = setup.run("seawall-sync", "--json", *args)
    t.equal(result.code, code, "exit code: %s%s" % (result.out, result.err))
    return json.loads(result.out)


def counts(document, what):
    return [store[what] for store in document["stores"]]


@tap.check("a region that lost objects, and one that never had any, are healed")
def _(t):
    setup, pgdata, places = regions(t)
    push_all(t, setup, pgdata, range(1, 7))
    for number in (2, 5):
        places[1][0].s3().delete(places[1][1], key(pgdata, number))
    places[0][0].s3().delete(places[0][1], key(pgdata, 3))
    document = sync(t, setup, 0)
    t.equal((counts(document, "copied"), counts(document, "lacking")), ([1, 2], [1, 2]), "healed")
    for number in range(1, 7):
        t.equal(get(places[0], key(pgdata, number)), get(places[1], key(pgdata, number)),
                "segment %d" % number)
    t.equal(sync(t, setup, 0, "--deep")["copied"], 0, "in step")
    gw = places[1][0]
    gw.create_bucket("fresh")
    setup.write(stores=[setup.settings["stores"][0], gw.store("b", "fresh", "pg/root")])
    t.equal(counts(sync(t, setup, 0), "copied"), [0, 6], "a new bucket")
    t.equal(get((gw, "fresh"), key(pgdata, 4)), get(places[0], key(pgdata, 4)), "bytes")
    t.equal(setup.run("seawall-verify").code, 0, "verify")


@tap.check("a lagging region: the push was acknowledged by one, sync completes the other")
def _(t):
    setup, pgdata, places = regions(t, acknowledge=1, lag_wait=1, push_timeout=20)
    push_all(t, setup, pgdata, [1])
    places[1][0].crash()
    t.defer(places[1][0].start_gateway)
    push_all(t, setup, pgdata, [2, 3])
    places[1][0].start_gateway()
    t.equal(get(places[1], key(pgdata, 3)), None, "not there")
    t.equal(counts(sync(t, setup, 0), "copied"), [0, 2], "healed")
    t.equal(get(places[1], key(pgdata, 3)), get(places[0], key(pgdata, 3)), "bytes")


@tap.check("other content stays, damaged copies stay, both are named")
def _(t):
    setup, pgdata, places = regions(t)
    push_all(t, setup, pgdata, [1, 2, 3])
    gw, bucket = places[1]
    bad = bytearray(get(places[1], key(pgdata, 1)))
    bad[-10] ^= 1
    gw.s3().delete(bucket, key(pgdata, 1))
    gw.s3().put(bucket, key(pgdata, 1), bytes(bad))
    t.equal(sync(t, setup, 0)["findings"], [], "equal sizes are not read")
    found = sync(t, setup, 15, "--deep")["findings"]
    t.equal([(f["kind"], f["store"]) for f in found], [("damaged", "b")], "damaged")
    t.equal(get(places[1], key(pgdata, 1)), bytes(bad), "as it was")
    gw.s3().delete(bucket, key(pgdata, 1))
    gw.s3().delete(bucket, key(pgdata, 2))
    stores = setup.settings["stores"]
    setup.write(stores=stores[1:])
    t.equal(setup.push(pgdata, pgdata.write_segment(2, seed=1)).code, 0, "another server's")
    setup.write(stores=stores)
    found = sync(t, setup, 12, "--deep")["findings"]
    t.equal([(f["kind"], f["store"]) for f in found], [("conflict", "b")], "conflict")


@tap.check("1,200 names, more than a page, and several copies at a time")
def _(t):
    setup, pgdata, places = regions(t, encryption=False)
    push_all(t, setup, pgdata, [1])
    body = get(places[0], key(pgdata, 1))
    for gw, bucket in places:
        s3 = gw.s3()
        for number in range(2, 1201):
            if number % 400 or gw is places[0][0]:
                s3.put(bucket, key(pgdata, number), body)
    document = sync(t, setup, 15)
    t.equal((counts(document, "objects"), counts(document, "lacking")), ([1200, 1197], [0, 3]),
            "counts")
    t.equal(counts(document, "damaged"), [3, 0], "renamed objects are not spread")
    push_all(t, setup, pgdata, range(1300, 1330))
    for number in range(1300, 1330):
        places[1][0].s3().delete(places[1][1], key(pgdata, number))
    t.equal(counts(sync(t, setup, 15), "copied"), [0, 30], "copied")


@tap.check("memory stays bounded whatever is missing")
def _(t):
    setup, pgdata, places = regions(t, encryption=False)
    pgdata = seawall.Pgdata(t.dir / "large", segment_size=16 * MIB)
    for number in range(12):
        data = pgdata.segment(number + 1)[:8192] + os.urandom(16 * MIB - 8192)
        result = setup.push(pgdata, pgdata.write(pgdata.name(number + 1), data))
        t.equal(result.code, 0, result.err)
        (pgdata.wal / pgdata.name(number + 1)).unlink()
        places[1][0].s3().delete(places[1][1], key(pgdata, number + 1))
    result = tap.run([sys.executable, "-c", RSS] + setup.argv("seawall-sync"), timeout=300)
    code, rss = (int(word) for word in result.out.split())
    t.equal(code, 0, result.err)
    t.diag("%d KiB for 12 objects of 16 MiB" % rss)
    if not SANITIZED:
        t.true(rss < OBJECTS_KIB, "memory: %d KiB" % rss)
    t.equal(get(places[1], key(pgdata, 12)), get(places[0], key(pgdata, 12)), "bytes")


@tap.check("refused credentials are exit 11, a region that is away 10")
def _(t):
    setup, pgdata, places = regions(t)
    push_all(t, setup, pgdata, [1])
    good = setup.settings["stores"]
    setup.write(stores=[good[0], dict(good[1], secret_access_key="wrong")])
    t.equal(setup.run("seawall-sync").code, 11, "refused")
    setup.write(stores=[good[0], dict(good[1], endpoint="https://127.0.0.1:1")])
    t.equal(setup.run("seawall-sync").code, 10, "away")


tap.main()
