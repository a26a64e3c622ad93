# SPDX-License-Identifier: PostgreSQL
"""The commands of docs/runbook.md that use curl, on a real S3 service."""
import radosgw
import runbook
import seawall
import tap
from archived import MIB

service = tap.shared(lambda: radosgw.Radosgw(tap.temporary("rgw"), region="eu-west-3"))


def archive(t, root, **settings):
    """A bucket with two segments and a history file, and what the page says to set first."""
    gw = service()
    bucket = gw.create_bucket(t.dir.name.replace("_", "x").lower() + "wal")
    setup = seawall.Setup(t.dir, [gw.store("a", bucket, root)], **settings)
    pgdata = seawall.Pgdata(t.dir / "data", segment_size=MIB)
    files = {}
    for path in (pgdata.write_segment(1), pgdata.write_segment(2),
                 pgdata.write_history(2, [(1, "0/2000000", "no recovery target specified")])):
        result = setup.push(pgdata, path)
        t.equal(result.code, 0, result.err)
        files[path.rpartition("/")[2]] = (pgdata.dir / path).read_bytes()
    host = "%s/%s" % (gw.endpoint, bucket)
    variables = dict(
        cluster="main", system_id=seawall.SYSTEM_ID, identity=setup.dir / "identity.txt",
        region=gw.region, bucket_host=host, bucket_url=host + ("/" + root if root else ""),
        root=root, AWS_ACCESS_KEY_ID=gw.access_key, AWS_SECRET_ACCESS_KEY=gw.secret_key,
        CURL_CA_BUNDLE=gw.ca_file)
    return gw, bucket, files, variables


for compression, encryption in (("lz4", True), ("zstd", True), ("lz4", False), ("zstd", False)):
    @tap.check("%s, %s: curl, %szstd give the file back" % (
        compression, "encrypted" if encryption else "not encrypted", "age, " if encryption else ""))
    def _(t, compression=compression, encryption=encryption):
        _, _, files, variables = archive(t, "pg" if encryption else "", compression=compression,
                                         encryption=encryption)
        for name, content in files.items():
            result = runbook.do(t, ["path", "s3-curl", "get-s3", "open-encrypted" if encryption
                                    else "open-plain", "decode"], t.dir / name,
                                file=name, **variables)
            t.equal(result.code, 0, result.err)
            t.equal((t.dir / name / name).read_bytes() == content, True, name)


for root in ("", "pg"):
    @tap.check("the lists name the system identifier and every object, root \"%s\"" % root)
    def _(t, root=root):
        _, _, files, variables = archive(t, root)
        result = runbook.do(t, ["s3-curl", "list-s3"], t.dir / "work", **variables)
        t.equal(result.code, 0, result.err)
        t.contains(result.out, "/%d/</Prefix>" % seawall.SYSTEM_ID, "system identifiers")
        for name in files:
            t.contains(result.out, "/%s</Key>" % name, "objects")


@tap.check("the script for restore_command: 0 and the file, 1 for NoSuchKey alone, 255 for all else")
def _(t):
    gw, bucket, files, variables = archive(t, "pg")
    work = t.dir / "work"
    t.equal(runbook.do(t, ["s3-curl"], work, **variables).code, 0, "s3.curl")
    script = work / "emergency.sh"
    script.write_text(runbook.block("restore-script"))

    def fetch(name, **changes):
        target = work / "RECOVERYXLOG"
        target.unlink(missing_ok=True)
        result = t.run(["sh", script, name, target],
                       env={k: str(v) for k, v in dict(variables, **changes).items()})
        return result.code, target.read_bytes() if target.exists() else None

    for name, content in files.items():
        t.equal(fetch(name) == (0, content), True, name)
    missing = seawall.segment_name(1, 3, MIB)
    t.equal(fetch(missing), (1, None), "a segment that was never archived")
    name = next(iter(files))
    url = variables["bucket_url"]
    t.equal(fetch(name, bucket_url=url.replace(bucket, bucket + "x")), (255, None), "no bucket")
    t.equal(fetch(name, bucket_url="https://127.0.0.1:1"), (255, None), "nobody listens")
    t.equal(fetch(name, CURL_CA_BUNDLE="/dev/null"), (255, None), "no trust")
    other = work / "other.txt"
    other.write_text(tap.run(["age-keygen"]).out)
    t.equal(fetch(name, identity=other), (255, None), "a wrong identity")
    wrong = dict(variables, AWS_SECRET_ACCESS_KEY="x" * 40)
    t.equal(runbook.do(t, ["s3-curl"], work, **wrong).code, 0, "s3.curl with a wrong secret")
    t.equal(fetch(name), (255, None), "a wrong secret")
    t.equal(fetch(missing), (255, None), "a wrong secret and a missing segment")


tap.main()
