# SPDX-License-Identifier: PostgreSQL
"""The model of a bucket itself, asked by the suite's own client (sigv4.S3)."""
import errno
import socket
import time

import models3
import s3faults
import sigv4
import tap


def client(s3, secret=models3.SECRET, region=None, **options):
    return sigv4.S3(s3.endpoint(), models3.ACCESS, secret, region or s3.region, timeout=10,
                    **options)


def ask(s3, key="k", **options):
    """The answer to a get, or the name of what went wrong."""
    try:
        return client(s3).get(s3.name, key, **options)
    except Exception as error:
        return type(error).__name__


@tap.check("put if absent, ranged get, head, delete, and a list in pages")
def _(t):
    s3 = t.enter(models3.Bucket("paris", region="eu-west-3"))
    c = client(s3)
    t.equal(c.put("paris", "k", b"abc", if_none_match="*").status, 200, "created")
    again = c.put("paris", "k", b"xyz", if_none_match="*")
    t.equal((again.status, sigv4.error_code(again)), (412, "PreconditionFailed"), "again")
    t.equal(c.get("paris", "k").body, b"abc", "get")
    part = c.get("paris", "k", range="bytes=1-9")
    t.equal((part.status, part.body, part.headers["content-range"]), (206, b"bc", "bytes 1-2/3"),
            "range")
    t.equal(c.get("paris", "k", range="bytes=3-9").status, 416, "behind the end")
    t.equal(c.head("paris", "k").headers["content-length"], "3", "head")
    names = ["a/%04d" % i for i in range(1200)]
    for name in names:
        s3.put(name, b"x")
    t.equal(c.keys("paris", "a/"), names, "list")
    t.equal(c.delete("paris", "k").status, 204, "delete")
    gone = c.get("paris", "k")
    t.equal((gone.status, sigv4.error_code(gone)), (404, "NoSuchKey"), "gone")


@tap.check("signature, region, clock, digest, bucket and rights are looked at")
def _(t):
    s3 = t.enter(models3.Bucket("paris", region="eu-west-3", forbids=("list", "absent")))

    def code(response):
        return response.status, sigv4.error_code(response)
    t.equal(code(client(s3, secret="x").get("paris", "k")), (403, "SignatureDoesNotMatch"), "secret")
    t.equal(code(client(s3, region="us-east-1").get("paris", "k")),
            (400, "AuthorizationHeaderMalformed"), "region")
    t.equal(code(client(s3).get("rome", "k")), (404, "NoSuchBucket"), "bucket")
    t.equal(code(client(s3).request("GET", "paris", "k", anonymous=True)), (403, "AccessDenied"),
            "anonymous")
    t.equal(code(client(s3).get("paris", "k")), (403, "AccessDenied"), "absent without list")
    s3.clock_s = 3600
    t.equal(code(client(s3).get("paris", "k")), (403, "RequestTimeTooSkewed"), "clock")
    s3.clock_s = 0
    s3.fault(s3faults.change_request(8), kind="put")
    t.equal(code(client(s3).put("paris", "k", b"abc")), (400, "XAmzContentSHA256Mismatch"), "digest")
    t.equal(s3.journal, [], "nothing was stored")


@tap.check("the journal keeps every version: markers, what was replaced, what was erased")
def _(t):
    s3 = t.enter(models3.Bucket(versioned=True))
    c = client(s3)
    c.put("bucket", "k", b"one", if_none_match="*")
    c.delete("bucket", "k")
    t.equal(c.get("bucket", "k").headers.get("x-amz-delete-marker"), "true", "marker")
    t.equal(c.put("bucket", "k", b"two", if_none_match="*").status, 200, "a marker frees the key")
    s3.put("k", b"three")
    versions = s3.versions("k")
    t.equal([(v.marker, v.conditional, v.by) for v in versions],
            [(False, True, "client"), (True, False, "client"), (False, True, "client"),
             (False, False, "test")], "journal")
    t.equal([s3.data(v) for v in versions if not v.marker], [b"one", b"two", b"three"], "bytes")
    s3.hide("k")
    t.equal(s3.keys(), [], "hidden")
    s3.restore("k")
    t.equal(s3.get("k"), b"three", "restored")
    s3.rollback(versions[0].time)
    t.equal(s3.get("k"), b"one", "rolled back")
    s3.erase("k")
    t.equal((s3.get("k"), len(s3.versions("k"))), (None, 5), "erased")
    t.true(all(v.gone for v in s3.versions("k")), "gone")


@tap.check("a scripted act meets the requests it is for, and no others")
def _(t):
    s3 = t.enter(models3.Bucket())
    for key in ("a", "b"):
        s3.put(key, b"abcdef")
    rule = s3.fault(s3faults.status(503, "SlowDown"), kind="get", key="a", skip=1, times=2)
    t.equal([ask(s3, "a").status for _ in range(4)], [200, 503, 503, 200], "a")
    t.equal(ask(s3, "b").status, 200, "b")
    t.equal(len(rule.hits), 2, "hits")
    t.equal([x.fault for x in s3.exchanges], [None, "status", "status", None, None], "journal")
    for act, want in ((s3faults.cut(3), "IncompleteRead"), (s3faults.reset(), "ConnectionResetError"),
                      (s3faults.hang_up(), "RemoteDisconnected"), (s3faults.cut_bytes(9), None),
                      (s3faults.cut(3, "chunked"), "IncompleteRead")):
        rule = s3.fault(act, times=1)
        got = ask(s3, "a")
        t.true(got == want or (want is None and isinstance(got, str)), "%s: %s" % (act.__name__, got))
        t.equal(len(rule.hits), 1, "hits")
    s3.fault(s3faults.flip(1), times=1)
    t.equal(ask(s3, "a").body, b"cbcdef", "flip")
    s3.fault(s3faults.cut(3, "close"), times=1)
    t.equal(ask(s3, "a").body, b"abc", "a body that only the close ends")
    t.true(s3.exchanges[-1].lost and not s3.exchanges[-1].is_success(), "not whole")


@tap.check("a lost answer has been done, a late request is done later, and each is in the journal once")
def _(t):
    s3 = t.enter(models3.Bucket())
    s3.fault(s3faults.lose_answer(), kind="put", times=1)
    for _ in range(2):
        try:
            last = client(s3).put("bucket", "k", b"x", if_none_match="*").status
        except OSError:
            last = None
    t.equal((last, len(s3.journal)), (412, 1), "lost")
    rule = s3.fault(s3faults.late(until=lambda s3, x: len(s3.versions("l")) > 0), kind="put", times=1)
    for _ in range(2):
        try:
            last = client(s3).put("bucket", "l", b"y", if_none_match="*").status
        except OSError:
            last = None
    t.equal(last, 200, "the second one")
    tap.wait_for(lambda: rule.pending == 0, what="late")
    t.equal((rule.hits[0].answer.status, len(s3.versions("l"))), (412, 1), "late")


@tap.check("an act may stop the clock: what stalls goes on when the rule is lifted")
def _(t):
    s3 = t.enter(models3.Bucket())
    s3.put("k", b"x")
    rule = s3.fault(s3faults.mute(), kind="get")
    sock = t.enter(socket.create_connection(("127.0.0.1", s3.port)))
    sock.sendall(b"GET /bucket/k HTTP/1.1\r\nHost: x\r\n\r\n")
    tap.wait_for(lambda: rule.hits, what="request")
    time.sleep(0.1)
    t.equal(rule.hits[0].n_sent, 0, "silent")
    rule.lift()
    t.true(sock.recv(100).startswith(b"HTTP/1.1 403"), "answered")


@tap.check("refused, and back on the same port")
def _(t):
    s3 = t.enter(models3.Bucket())
    s3.put("k", b"x")
    s3.down()
    t.equal(ask(s3), "ConnectionRefusedError", "down")
    with socket.socket() as other:
        try:
            other.bind(("127.0.0.1", s3.port))
            t.fail("somebody else got its port")
        except OSError as error:
            t.equal(error.errno, errno.EADDRINUSE, "for somebody else")
    s3.down()
    s3.up()
    t.equal(ask(s3).body, b"x", "up")


@tap.check("random faults are the same for the same seed")
def _(t):
    rows = []
    for _ in range(2):
        s3 = t.enter(models3.Bucket())
        s3.put("k", b"x")
        s3.random_faults(7, 0.5, {n: a for n, a in s3faults.random_acts().items()
                                  if n not in ("delay", "withhold", "late")})
        for _ in range(40):
            ask(s3)
        rows.append([x.fault for x in s3.exchanges])
        s3.lift()
        t.equal(ask(s3).status, 200, "lifted")
    t.equal(rows[0], rows[1], "the same")
    t.true(len(set(rows[0])) > 5, "several kinds: %s" % set(rows[0]))


tap.main()
