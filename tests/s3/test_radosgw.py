# SPDX-License-Identifier: PostgreSQL
"""The S3 service of the tests: what the other suites rely on, and the faults it can make."""
import contextlib
import ssl
import sys

import radosgw
import seawall
import sigv4
import tap


# a place of its own: it outlives every check's directory
service = tap.shared(lambda: radosgw.Radosgw(tap.temporary("rgw"), region="eu-west-3"))


def bucket(t, **options):
    gw = service()
    name = t.dir.name.replace("_", "x").lower() + "wal"
    return gw, gw.s3(), gw.create_bucket(name, **options)


@tap.check("an object comes back over TLS, and a missing one has the right code")
def _(t):
    gw, s3, name = bucket(t)
    body = seawall.segment(1, size=seawall.MIB)
    t.equal(s3.put(name, "a/b c+d", body).status, 200, "put")
    answer = s3.get(name, "a/b c+d")
    t.equal((answer.status, answer.body == body), (200, True), "get")
    t.equal(s3.get(name, "a/b c+d", range="bytes=8-15").body, body[8:16], "range")
    missing = s3.get(name, "x")
    t.equal((missing.status, sigv4.error_code(missing)), (404, "NoSuchKey"), "missing key")
    missing = s3.get(name + "-not", "x")
    t.equal((missing.status, sigv4.error_code(missing)), (404, "NoSuchBucket"), "missing bucket")


@tap.check("a conditional create is refused when the key exists")
def _(t):
    gw, s3, name = bucket(t)
    t.equal(s3.put(name, "k", b"one", if_none_match="*").status, 200, "first")
    second = s3.put(name, "k", b"two", if_none_match="*")
    t.equal((second.status, sigv4.error_code(second)), (412, "PreconditionFailed"), "second")
    t.equal(s3.get(name, "k").body, b"one", "content")


@tap.check("a bucket with versioning ignores the condition: a second version is stored")
def _(t):
    gw, s3, name = bucket(t, versioned=True)
    t.equal(s3.put(name, "k", b"one", if_none_match="*").status, 200, "first")
    t.equal(s3.put(name, "k", b"other", if_none_match="*").status, 200, "second")
    versions = s3.versions(name)
    t.equal(sorted(v.size for v in versions), [3, 5], "versions")
    t.equal(s3.delete(name, "k").status, 204, "delete")
    t.true(s3.versions(name)[0].marker, "delete marker")


@tap.check("lists have every key, over pages")
def _(t):
    gw, s3, name = bucket(t)
    keys = ["p/%04d" % i for i in range(30)]
    for key in keys:
        s3.put(name, key, b"")
    t.equal(s3.keys(name, "p/"), keys, "keys")
    pages = s3._pages(name, {"list-type": "2", "max-keys": "7"},
                      lambda root: [c.findtext("Key") for c in root.iter("Contents")])
    t.equal(list(pages), keys, "keys by pages")
    t.equal(len({v.key for v in s3.versions(name)}), 30, "versions")


@tap.check("a wrong secret, an unknown key and a suspended user are refused")
def _(t):
    gw, s3, name = bucket(t)
    for access, secret, code in ((gw.access_key, "x" * 40, "SignatureDoesNotMatch"),
                                 ("NOBODYKNOWSTHISKEY00", "x" * 40, "InvalidAccessKeyId")):
        bad = sigv4.S3(gw.endpoint, access, secret, gw.region, gw.ca_file).get(name, "k")
        t.equal((bad.status, sigv4.error_code(bad)), (403, code), code)
    t.equal(s3.request("GET", name, anonymous=True).status, 403, "anonymous")
    gw.suspend()
    t.defer(gw.enable)
    bad = s3.get(name, "k")
    t.equal((bad.status, sigv4.error_code(bad)), (403, "UserSuspended"), "suspended")


@tap.check("certificates: a stranger's, an expired and another host's are refused")
def _(t):
    gw, s3, name = bucket(t)

    def reason(endpoint, ca_file=gw.ca_file):
        client = sigv4.S3(endpoint, gw.access_key, gw.secret_key, gw.region, ca_file)
        try:
            return client.get(name, "x").status
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
    t.equal(reason(gw.endpoint), 404, "good")
    t.equal(reason(gw.endpoint.replace("127.0.0.1", "localhost")), 404, "good by name")
    t.true("unable to get local issuer" in str(reason(gw.endpoint, None)), "stranger")
    with gw.tls_proxy() as proxy:
        t.equal(reason(proxy.endpoint), 404, "good proxy")
    with gw.tls_proxy(days=-1) as proxy:
        t.equal(reason(proxy.endpoint), "certificate has expired", "expired")
    with gw.tls_proxy(names="DNS:elsewhere.example") as proxy:
        t.contains(str(reason(proxy.endpoint)), "IP address mismatch", "other host")


@tap.check("corruption below the gateway is served with the old ETag")
def _(t):
    gw, s3, name = bucket(t)
    s3.put(name, "dir/k", b"0123456789" * 1000)
    before = s3.get(name, "dir/k")
    gw.corrupt(name, "dir/k", 5000)
    after = s3.get(name, "dir/k")
    t.equal(after.headers["etag"], before.headers["etag"], "etag")
    t.equal([i for i in range(10000) if after.body[i] != before.body[i]], [5000], "changed bytes")


@tap.check("a paused gateway hangs and a killed one refuses; both come back with the data")
def _(t):
    gw, s3, name = bucket(t)
    s3.put(name, "k", b"one")
    impatient = gw.s3(timeout=0.5)
    for what in ("rgw", "osd"):
        with gw.paused(what):
            with contextlib.suppress(TimeoutError):
                t.fail("%s paused: %r" % (what, impatient.get(name, "k")))
    t.equal(s3.get(name, "k").body, b"one", "after the pause")
    gw.crash()
    with contextlib.suppress(ConnectionRefusedError):
        t.fail("killed: %r" % (s3.get(name, "k"),))
    gw.start_gateway()
    t.equal(s3.get(name, "k").body, b"one", "after the restart")


@tap.check("a stop in order keeps the data, and two regions are strangers")
def _(t):
    gw, s3, name = bucket(t)
    other = t.enter(radosgw.Radosgw(t.dir / "b", region="eu-central-1"))
    other.create_bucket(name)
    other.s3().put(name, "k", b"other")
    t.equal(s3.get(name, "k").status, 404, "in the first region")
    other.stop()
    other.start()
    t.equal(other.s3().get(name, "k").body, b"other", "after a restart")


@tap.check("by hand: up and down")
def _(t):
    argv = [sys.executable, radosgw.__file__]
    place = t.dir / "c"
    t.defer(tap.run, argv + ["down", "--dir", place])
    out = t.run(argv + ["up", "--dir", place, "--bucket", "wal"], code=0, timeout=120).out
    facts = dict(line.split("=", 1) for line in out.splitlines())
    s3 = sigv4.S3(facts["endpoint"], facts["access_key_id"], facts["secret_access_key"],
                  facts["region"], facts["ca_file"])
    t.equal(s3.put("wal", "k", b"1").status, 200, "put")
    pid = int((place / "rgw.pid").read_text())
    t.run(argv + ["down", "--dir", place], code=0)
    t.true(not seawall.alive(pid) and not place.exists(), "gone")


tap.main()
