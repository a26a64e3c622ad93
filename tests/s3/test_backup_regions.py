# SPDX-License-Identifier: PostgreSQL
"""A base backup of a real server into two S3 regions (Ceph radosgw) over TLS."""
import contextlib
import json
import pathlib
import tempfile

import pgserver
import radosgw
import seawall
import tap


@contextlib.contextmanager
def two_services():
    with tempfile.TemporaryDirectory(prefix="rgw", dir="/tmp", ignore_cleanup_errors=True) as d:
        with radosgw.Radosgw(pathlib.Path(d) / "a", region="eu-west-3") as a, \
                radosgw.Radosgw(pathlib.Path(d) / "b", region="eu-central-1") as b:
            yield a, b


services = tap.shared(two_services)


def archived_primary(t, bucket, versioned=(), **settings):
    """A server that archives into a fresh bucket in each region."""
    stores = []
    for name, gw in zip("ab", services()):
        gw.create_bucket(bucket, versioned=name in versioned)
        stores.append(gw.store(name, bucket, "pg/root"))
    pg = t.enter(pgserver.Cluster(t.dir / "primary", wal_segsize=1, checksums=True))
    setup = seawall.Setup(t.dir, stores, pgdata=str(pg.data), workers=2,
                          conninfo="host=%s user=postgres dbname=postgres" % pg.sockets, **settings)
    pg.archive(setup.archive_command())
    pg.start()
    return pg, setup


def keys(gw, bucket, pg):
    return gw.s3().keys(bucket, "pg/root/main/%d/backup/" % pg.system_id())


def recovered(t, setup, gw, bucket, label_keys, target):
    """Restored with the S3 client, age, lz4 and tar; the server after recovery."""
    target.mkdir(mode=0o700)
    objects = t.dir / "objects"
    objects.mkdir()
    for key in label_keys:
        (objects / key.split("/")[-1]).write_bytes(gw.s3().get(bucket, key).body)
    script = 'for p in "$1"/part-*; do age -d -i "$2" "$p" | lz4 -dc || exit 1; done | tar -xC "$3"'
    t.run(["sh", "-c", script, "-", objects, setup.dir / "identity.txt", target], code=0,
          timeout=300)
    copy = t.enter(pgserver.Cluster(target, create=False))
    copy.configure(archive_mode="off")
    copy.recover(setup.restore_command(), action="promote")
    copy.start()
    copy.wait_promoted()
    return copy


@tap.check("into both regions at once; restored by hand from one of them")
def _(t):
    pg, setup = archived_primary(t, "backup-1", acknowledge=2)
    pg.psql("create table t as select i, md5(i::text) m from generate_series(1, 300000) i")
    result = setup.run("seawall-backup", "--json", timeout=300)
    t.equal(result.code, 0, result.err)
    label = json.loads(result.out.splitlines()[-1])["label"]
    a, b = services()
    found = keys(a, "backup-1", pg)
    t.equal(found, keys(b, "backup-1", pg), "objects in both regions")
    t.equal({key.split("/")[-2] for key in found}, {label}, "labels")
    t.true(found[0].endswith("/complete") and len(found) >= 5, found)
    pg.psql("insert into t values (0, 'later')")
    pg.wait_archived(pg.switch_wal())
    pg.stop()
    copy = recovered(t, setup, b, "backup-1", found, t.dir / "restored")
    t.equal(copy.value("select count(*) from t"), "300001", "rows")


@tap.check("a bucket that replaces objects gets nothing; it is a failure if it is needed")
def _(t):
    pg, setup = archived_primary(t, "backup-2", versioned="b")
    result = setup.run("seawall-backup", timeout=300)
    t.equal(result.code, 0, result.err)
    t.contains(result.err, "If-None-Match", "the warning")
    a, b = services()
    t.true(keys(a, "backup-2", pg)[0].endswith("/complete"), "complete in the other")
    t.equal(keys(b, "backup-2", pg), [], "objects in the bucket")
    setup.write(acknowledge=2)
    result = setup.run("seawall-backup", timeout=300)
    t.equal(result.code, 11, result.err)
    t.equal(keys(b, "backup-2", pg), [], "objects in the bucket")


tap.main()
