# SPDX-License-Identifier: PostgreSQL
"""What S3 services answer: errors that pass and errors that stay, conditions, deletions, stale
reads, strange lists and documents."""
import faultbench
import models3
import s3faults
import tap
from faultbench import AMPLE, Bench, scenario

XML = "<?xml version=\"1.0\"?>"


def prepare(bench):
    for number in (1, 3):
        bench.push(number, code=0, agent=False)


def scene(name, **options):
    """Register a check that gets a bench with segments 1 and 3, and is finished afterwards."""
    def register(function):
        def run(t):
            bench = Bench(t, **options)
            prepare(bench)
            function(t, bench)
            bench.finish()
        scenario(name)(run)
        return function
    return register


def requests(bench, function, *args, **options):
    """How many requests a call made."""
    before = len(bench.s3.exchanges)
    function(*args, **options)
    return len(bench.s3.exchanges) - before


# D1, D2: trouble that passes

TROUBLE = [(500, "InternalError"), (500, None), (502, None), (503, "SlowDown"),
           (503, "ServiceUnavailable"), (504, None), (429, "TooManyRequests"), (429, None),
           (408, None), (400, "RequestTimeout"), (400, "IncompleteBody")]


def passes(status, code, agent):
    @scene("D1: %d%s three times, then good: both hooks end in 0%s" % (
        status, " " + code if code else "", ", through the agent" if agent else ""), agent=agent,
           **AMPLE)
    def _(t, bench):
        for kind, call, number in (("put", bench.push, 2), ("get", bench.fetch, 1)):
            rule = bench.s3.fault(s3faults.status(status, code), kind=kind, key=bench.WAL, times=3)
            said = call(number, code=0)
            t.true(len(rule.hits) == 3, "hits")
            t.true(agent or len(said.splitlines()) <= 2, "lines: %s" % said)


def stays(status, code):
    @scene("D2: %d%s for ever: 10 and 200 by the deadline, no storm" % (
        status, " " + code if code else ""))
    def _(t, bench):
        rule = bench.s3.fault(s3faults.status(status, code))
        t.true(requests(bench, bench.push, 2, code=10, says=str(status)) < 30, "requests of a push")
        t.true(requests(bench, bench.fetch, 1, code=200, says=str(status)) < 40, "of a fetch")
        t.true(requests(bench, bench.fetch, 4, code=200) < 40, "of a fetch of what is absent")
        t.true(rule.hits, "hits")


for _status, _code in TROUBLE:
    passes(_status, _code, False)
for _status, _code in ((503, "SlowDown"), (500, None), (408, None)):
    passes(_status, _code, True)
    stays(_status, _code)


@scene("D1: Retry-After is honoured, and capped by the deadline")
def _(t, bench):
    for number, after, code in ((11, "1", 0), (12, "86400", 10),
                                (13, "Thu, 01 Jan 2099 00:00:00 GMT", 10)):
        rule = bench.s3.fault(s3faults.status(503, "SlowDown", headers=[("Retry-After", after)]),
                              kind="put", key=bench.WAL, times=1)
        bench.push(number, code=code)
        put = [x for x in bench.s3.exchanges if x.kind == "put" and x.number > rule.hits[0].number]
        t.true(not put or put[0].started - rule.hits[0].ended > 0.9, "waited: %s" % after)
        t.equal(bool(put), code == 0, "asked again: %s" % after)


# D3, D4: refused

REFUSED = [(403, "AccessDenied"), (403, "InvalidAccessKeyId"), (403, "SignatureDoesNotMatch"),
           (403, None), (401, None), (400, "InvalidToken"), (403, "AccountProblem")]


def refused(status, code):
    @scene("D3: %d%s: 11 and 202, asked twice at most" % (status, " " + code if code else ""))
    def _(t, bench):
        bench.s3.fault(s3faults.status(status, code))
        hint = "hint"
        t.true(requests(bench, bench.push, 2, code=11, says=hint) <= 2, "requests of a push")
        t.true(requests(bench, bench.fetch, 1, code=202, says=hint) <= 2, "of a fetch")
        t.true(requests(bench, bench.fetch, 4, code=202) <= 2, "of a fetch of what is absent")


for _status, _code in REFUSED:
    refused(_status, _code)


@scene("D3: refused through the agent: 11 and 202", agent=True)
def _(t, bench):
    bench.s3.forbids = ("put", "get", "list")
    bench.push(2, code=11)
    bench.fetch(1, code=202)
    bench.fetch(4, code=202)
    bench.s3.forbids = ()


def credentials(bench, token):
    path = bench.setup.dir / "credentials"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text("[default]\naws_access_key_id = fake\naws_secret_access_key = fakesecret\n"
                    "aws_session_token = %s\n" % token)
    return path


def expires(agent):
    @scenario("D4: a token that expires in mid-sequence is replaced, and the call goes on%s" % (
        ", through the agent" if agent else ""))
    def _(t):
        bench = Bench(t, agent=agent, **AMPLE)
        bench.env = {}
        path = credentials(bench, "old")
        bench.stores[0]["credentials_file"] = str(path)
        bench.setup.write(stores=bench.stores)
        bench.s3.credentials = {models3.ACCESS: (models3.SECRET, "old")}
        bench.push(1, code=0)

        def expire(x):
            x.bucket.credentials = {models3.ACCESS: (models3.SECRET, "new")}
            credentials(bench, "new")
        bench.s3.fault(s3faults.watch(expire), kind="put", key=bench.WAL, times=1)
        bench.push(2, code=0)
        bench.fetch(2, code=0)
        t.true(any(x.answer and x.answer.code == "ExpiredToken" for x in bench.s3.exchanges)
               or agent, "expired once")
        bench.s3.credentials = {models3.ACCESS: (models3.SECRET, "newer")}
        bench.push(3, code=11, agent=False)
        bench.fetch(1, code=202, agent=False)
        credentials(bench, "newer")
        bench.finish()


expires(False)
expires(True)


# D5 to D9: conditions

@scene("D5: what is already there with the same content is 0, after it was read back")
def _(t, bench):
    said = bench.push(1, code=0, says="already in store")
    t.true("same content" in said, said)
    last = bench.s3.exchanges[-1]
    t.true(last.kind == "get" and last.is_success(), "read back: %r" % last)


@scene("D5: what is already there but cannot be read is no success: 10, 11 or 15")
def _(t, bench):
    for act, code in ((s3faults.status(503, "SlowDown"), 10), (s3faults.absent(), 10),
                      (s3faults.status(403, "AccessDenied"), 11), (s3faults.flip(90000), 15),
                      (s3faults.page(), (10, 12, 15))):
        rule = bench.s3.fault(act, kind="get", key=bench.WAL)
        bench.push(1, code=code)
        t.true(rule.hits, "hits")
        rule.lift()


def conflicts(agent):
    @scene("D6: what is already there with other content is 12, and stays%s" % (
        ", through the agent" if agent else ""), agent=agent)
    def _(t, bench):
        before = bench.s3.get(bench.key(1))
        bench.push(1, code=12, data=faultbench.segment(1, seed=9), says=["other content", "created", "writer", "fingerprint"])
        t.equal(bench.s3.get(bench.key(1)), before, "what is stored")


conflicts(False)
conflicts(True)


@scenario("D6: the loser's copy in a store that had missed the winner's: 12, named by sync, removed")
def _(t):
    bench = Bench(t, stores=3, acknowledge=2,
                  **dict(AMPLE, connect_timeout=30, stall_timeout=30))
    bench["a"].down()
    bench.push(1, code=0)
    bench["a"].up()
    bench.push(1, code=12, data=faultbench.segment(1, seed=9), says=['store "b"', 'store "c"'])
    result = bench.setup.run("seawall-sync", env=bench.env)
    t.equal(result.code, 12, result.err)
    t.contains(result.out + result.err, bench.name(1), "what sync names")
    rule = bench.hold_back("a", "b")
    bench.fetch(1, code=203, says=["stores disagree", '"a"'])
    rule.lift()
    bench["a"].erase(bench.key(1))
    bench.push(1, code=0)
    bench.fetch(1, code=0)
    t.equal(bench.calls[-1].content, bench.calls[0].content, "the winner's")
    t.true(all(len(b.versions(bench.key(1))) == 1 for n, b in bench.buckets.items() if n != "a"),
           "versions")


@scene("D7: 409 ConditionalRequestConflict is tried again, and is not \"exists\"")
def _(t, bench):
    for code in ("ConditionalRequestConflict", "OperationAborted", None):
        rule = bench.s3.fault(s3faults.status(409, code), kind="put", key=bench.WAL, times=2)
        number = 10 + len(bench.pushed)
        bench.push(number, code=0)
        t.equal((len(rule.hits), len(bench.s3.versions(bench.key(number)))), (2, 1), "hits, versions")
    bench.s3.fault(s3faults.status(409, "ConditionalRequestConflict"), kind="put", key=bench.WAL)
    bench.push(30, code=10)


def ignores(agent):
    @scenario("D8: a store that ignores If-None-Match gets nothing: 11%s" % (
        ", through the agent" if agent else ""))
    def _(t):
        bench = Bench(t, agent=agent, bucket=dict(condition="ignored"))
        bench.push(1, code=11, says="If-None-Match")
        t.equal(bench.s3.keys(), ["root/main/probe/conditional"], "what is stored")
        bench.finish(again=False)


ignores(False)
ignores(True)


@scene("D8: a store that begins to ignore If-None-Match gets nothing more")
def _(t, bench):
    bench.s3.condition = "ignored"
    bench.push(1, code=11, data=faultbench.segment(1, seed=9), says="If-None-Match")
    bench.push(2, code=11)
    bench.s3.condition = "kept"


@scene("D9: a header that is not supported is named: 11")
def _(t, bench):
    for status, code, message in (
            (501, "NotImplemented", "A header you provided implies functionality"),
            (400, "InvalidArgument", "If-None-Match is not allowed here")):
        rule = bench.s3.fault(s3faults.status(status, code, message), kind="put")
        bench.push(2, code=11, says="If-None-Match")
        rule.lift()


@scene("D9: no header is sent that only some stores know")
def _(t, bench):
    known = {"host", "user-agent", "accept", "authorization", "content-length", "if-none-match",
             "x-amz-content-sha256", "x-amz-date", "range"}
    bench.fetch(1, code=0)
    bench.fetch(4, code=1)
    sent = {name for x in bench.s3.exchanges for name in x.headers}
    t.true(sent <= known, "headers: %s" % sorted(sent - known))


# D10: success that is none

def hollow(name, act):
    @scene("D10: %s: tried again, then 0; for ever never 0" % name)
    def _(t, bench):
        rule = bench.s3.fault(act(), kind="put", key=bench.WAL, times=1)
        bench.push(2, code=0)
        t.equal(len(rule.hits), 1, "hits")
        bench.s3.fault(act(), kind="put", key=bench.WAL)
        bench.push(5, code=10)


ERROR = "<Error><Code>InternalError</Code><Message>We encountered an error</Message></Error>"
hollow("200 with an error document", lambda: s3faults.status(200, body=(XML + ERROR).encode()))
hollow("200 with blanks and an error document", lambda: s3faults.status(
    200, body=b"  \r\n\r\n  " + ERROR.encode()))
hollow("200 with nothing", lambda: s3faults.status(200, body=b""))


@scene("D10: an object that is an error document is corrupt, and no answer of the store: 201")
def _(t, bench):
    bench.s3.fault(s3faults.status(200, body=(XML + ERROR).encode()), kind="get", key=bench.WAL)
    bench.fetch(1, code=201)


@scene("D10: a list that is an error document, or nothing, is no list: 200")
def _(t, bench):
    for body in ((XML + ERROR).encode(), b"", b"   "):
        rule = bench.s3.fault(s3faults.status(200, body=body), kind="list")
        bench.fetch(4, code=200)
        rule.lift()


# D12, D13

def no_bucket(agent):
    @scene("D12: NoSuchBucket is 11 and 202, never 1%s" % (", through the agent" if agent else ""),
           agent=agent)
    def _(t, bench):
        bench.s3.exists = False
        bench.push(2, code=11, says="NoSuchBucket")
        bench.fetch(1, code=202, says="NoSuchBucket")
        bench.fetch(4, code=202)
        bench.s3.exists = True


no_bucket(False)
no_bucket(True)


@scene("D13: without ListBucket what is absent is 202, and the permission is named")
def _(t, bench):
    bench.s3.forbids = ("absent", "list")
    bench.fetch(1, code=0)
    bench.fetch(4, code=202, says="s3:ListBucket")
    bench.s3.forbids = ("list",)
    bench.fetch(4, code=202, says="s3:ListBucket")
    bench.s3.forbids = ()


# D14, D15: deleted

def deleted(agent):
    @scene("D14: what a delete marker hides is 203, never 1; pushed again it is there%s" % (
        ", through the agent" if agent else ""), agent=agent, bucket=dict(versioned=True), spool_max=0)
    def _(t, bench):
        for number in (1, 3):
            bench.s3.delete(bench.key(number))
            bench.fetch(number, code=203, says=["the delete marker \"v", "\" of 20"])
            bench.push(number, code=0)
            bench.fetch(number, code=0)
        bench.s3.delete(bench.key(3))
        bench.fetch(3, code=203)
        bench.s3.restore(bench.key(3))
        bench.fetch(3, code=0)


deleted(False)
deleted(True)


@scenario("D14: a delete marker in one store of two: the other's copy")
def _(t):
    bench = Bench(t, stores=2, bucket=dict(versioned=True), acknowledge=2)
    bench.push(1, code=0)
    bench["a"].delete(bench.key(1))
    bench.fetch(1, code=0, says="delete marker")
    bench.check()


@scenario("D14: a store where a marker keeps the name taken: 10, 12 or 11, never 0 for what is hidden")
def _(t):
    bench = Bench(t, bucket=dict(versioned=True, keeps_hidden=True))
    bench.push(1, code=0)
    bench.s3.delete(bench.key(1))
    bench.push(1, code=(10, 11, 12))
    bench.fetch(1, code=203)
    bench.check()


@scene("D15: an attacker's version over a delete marker is never restored: 201",
       bucket=dict(versioned=True))
def _(t, bench):
    for forged in (b"", b"x" * 4096, bench.s3.get(bench.key(1))):
        bench.s3.delete(bench.key(3))
        bench.s3.put(bench.key(3), forged)
        bench.fetch(3, code=201)
        bench.push(3, code=(12, 15))
    bench.s3.put(bench.key(3), bench.s3.data(bench.s3.versions(bench.key(3))[0]))


# D16: stale

@scene("D16: stale answers behind a put that had to be read back: 0 in the end", **AMPLE)
def _(t, bench):
    bench.s3.fault(s3faults.alter(lambda answer: answer.set("ETag", None)), kind="put",
                   key=bench.WAL, times=1)
    rule = bench.s3.fault(s3faults.absent(), kind="get", key=bench.WAL, times=1)
    bench.push(2, code=0)
    t.equal(len(rule.hits), 1, "hits")


def stale(agent):
    @scenario("D16: a store marked eventually consistent: a stale 404 is not believed%s" % (
        ", through the agent" if agent else ""))
    def _(t):
        bench = Bench(t, agent=agent, store=dict(eventually_consistent=True), **AMPLE)
        bench.push(1, code=0)
        rule = bench.s3.fault(s3faults.absent(), kind="get", key=bench.WAL, times=1)
        bench.fetch(1, code=0)
        t.equal(len(rule.hits), 1, "hits")
        bench.fetch(2, code=1)
        gets = [x for x in bench.s3.exchanges if x.key == bench.key(2) and x.kind == "get"]
        t.true(len(gets) >= 2 and gets[-1].started - gets[0].started >= 1.9, "asked twice: %s" % gets)
        bench.finish()


stale(False)
stale(True)


@scene("D16: a stale 404 for a file with a later one behind it is a gap at most, never 1")
def _(t, bench):
    bench.s3.fault(s3faults.absent(), kind="get", key=bench.WAL)
    bench.fetch(1, code=203, says=bench.name(3))


# D17: lists

def rows(name, change, code, **options):
    @scene("D17: a list %s: %s" % (name, "200 or 201" if code == (200, 201) else code), **options)
    def _(t, bench):
        base = "root/main/%d/wal/00000001/" % bench.pgdata.system_id
        rule = bench.s3.fault(change(base), kind="list")
        bench.fetch(4, code=code)
        t.true(rule.hits, "hits")


def listed(make, more=False):
    """change(base) for rows(): the rows that make(base) gives, whatever was asked for."""
    def change(base):
        def act(x):
            x.read_body()
            answer = models3.list_answer(x.bucket.name, x.key, make(base), more)
            answer.headers.append(("Content-Length", str(len(answer.body))))
            x.reply(answer)
        act.__name__ = "listed"
        return act
    return change


ODD = [
    ("with a key outside the prefix", lambda base: [("elsewhere/x", 1)]),
    ("with a key above it", lambda base: [(base + "../../x", 1)]),
    ("with keys in disorder", lambda base: [(base + "Z", 1), (base + "A", 1)]),
    ("with a key twice", lambda base: [(base + "Z", 1), (base + "Z", 1)]),
    ("with an empty key", lambda base: [("", 1)]),
    ("with a key of 5,000 bytes", lambda base: [(base + "x" * 5000, 1)]),
    ("with more keys than were asked for", lambda base: [(base + "%08d" % i, 1)
                                                         for i in range(100000)]),
]
for _name, _make in ODD:
    rows(_name, listed(_make), (200, 201))
rows("that always shows what was asked for already", listed(
    lambda base: [(base + "00000000/000000010000000000000001", 1)]), (200, 201))
rows("that never ends and never has anything", listed(lambda base: [], more=True), 200)
rows("with a later file: a gap", listed(
    lambda base: [(base + "00000000/000000010000000000000009", 1)]), 203)
for _name, _body in (("that is not said to be whole", "<Name>b</Name>"),
                     ("that is cut off without a token", "<IsTruncated>true</IsTruncated>"),
                     ("with control bytes", "<IsTruncated>false</IsTruncated><Contents><Key>a&#1;"
                                            "</Key><Size>1</Size></Contents>"),
                     ("with entities", "<IsTruncated>false</IsTruncated><Contents><Key>&x;</Key>"
                                       "<Size>1</Size></Contents>"),
                     ("of 10,000,000 keys, says it", "<KeyCount>10000000</KeyCount>")):
    rows(_name, lambda base, body=_body: s3faults.status(
        200, body=("<ListBucketResult>%s</ListBucketResult>" % body).encode()), 200)


# D18

def etag(name, value):
    @scene("D18: an ETag %s: accepted because the bytes were read back" % name)
    def _(t, bench):
        bench.s3.fault(s3faults.alter(lambda answer: answer.set("ETag", value)), kind="put",
                       key=bench.WAL)
        bench.push(2, code=0)
        last = bench.s3.exchanges[-1]
        t.true(last.kind == "get" and last.is_success(), "read back: %r" % last)
        bench.s3.fault(s3faults.flip(40000), kind="get", key=bench.WAL)
        bench.push(5, code=15)


etag("that is missing", None)
etag("without quotes", "0123456789abcdef0123456789abcdef")
etag("of several parts", '"0123456789abcdef0123456789abcdef-2"')
etag("of other bytes", '"0123456789abcdef0123456789abcdef"')
etag("of 1,000 characters", '"%s"' % ("a" * 1000))


# D19, D20: policies

POLICY = [("D19", 400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required"),
          ("D19", 403, "AccessDenied", "retention"),
          ("D20", 400, "KMS.DisabledException", "the key is disabled"),
          ("D20", 400, "KMS.NotFoundException", "no key"),
          ("D20", 403, "InvalidObjectState", "not valid for the object's storage class"),
          ("D20", 403, "QuotaExceeded", "quota"),
          ("D20", 507, None, None), ("D20", 507, "InsufficientStorage", "full")]


def policy(row, status, code, message):
    @scene("%s: %d%s: 11 and 202 with the cause, never 1" % (
        row, status, " " + code if code else ""))
    def _(t, bench):
        says = message or str(status)
        bench.s3.fault(s3faults.status(status, code, message), kind="put get", key=bench.WAL)
        bench.push(2, code=11, says=says)
        bench.fetch(1, code=202, says=says)
        bench.fetch(4, code=202, says=says)


for _row in POLICY:
    policy(*_row)


# D21

def foreign(agent):
    @scene("D21: an empty object, or a stranger's, under the right name: 201, and 12 or 15%s" % (
        ", through the agent" if agent else ""), agent=agent)
    def _(t, bench):
        good = bench.s3.get(bench.key(1))
        for data in (b"", b"\0", bytes(1 << 20), b"age-encryption.org/v1\n", faultbench.segment(1),
                     b"<Error><Code>NoSuchKey</Code></Error>"):
            bench.s3.put(bench.key(1), data)
            bench.fetch(1, code=201)
            bench.push(1, code=(12, 15))
            t.equal(bench.s3.get(bench.key(1)), data, "nothing was overwritten")
        bench.s3.put(bench.key(1), good)


foreign(False)
foreign(True)


# D22, D23: documents

DOCUMENTS = [
    ("a DOCTYPE", "<!DOCTYPE Error><Error><Code>NoSuchKey</Code></Error>"),
    ("an entity", "<!DOCTYPE Error [<!ENTITY a 'NoSuchKey'>]><Error><Code>&a;</Code></Error>"),
    ("an external entity", "<!DOCTYPE Error [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
                           "<Error><Code>NoSuchKey</Code><Message>&a;</Message></Error>"),
    ("a million laughs", "<!DOCTYPE Error [<!ENTITY a 'aaaaaaaaaa'>%s]><Error><Code>NoSuchKey"
                         "</Code><Message>&i;</Message></Error>" % "".join(
                             "<!ENTITY %s '%s'>" % (chr(98 + i), ("&%s;" % chr(97 + i)) * 10)
                             for i in range(8))),
    ("a thousand levels", "<Error><Code>NoSuchKey</Code>%s%s</Error>" % ("<a>" * 1000, "</a>" * 1000)),
    ("another root", "<Errors><Code>NoSuchKey</Code></Errors>"),
    ("another case", "<error><code>NoSuchKey</code></error>"),
    ("markup in the code", "<Error><Code>NoSuch<b/>Key</Code></Error>"),
    ("two codes", "<Error><Code>AccessDenied</Code><Code>NoSuchKey</Code></Error>"),
    ("UTF-16", ("<?xml version=\"1.0\" encoding=\"UTF-16\"?><Error><Code>NoSuchKey</Code>"
                "</Error>").encode("utf-16")),
    ("a NUL", "<Error><Code>NoSuchKey\0</Code></Error>"),
    ("a cut in half", "<Error><Code>NoSuchKey</Code><Mess"),
    ("text behind", "<Error><Code>NoSuchKey</Code></Error>x"),
    ("a blank in the code", "<Error><Code> NoSuchKey </Code></Error>"),
]


def document(name, text, code=200):
    @scene("D22: an error document with %s: %d" % (name, code))
    def _(t, bench):
        body = text if isinstance(text, bytes) else text.encode()
        rule = bench.s3.fault(s3faults.status(404, body=body), kind="get", key=bench.key(4))
        bench.fetch(4, code=code)
        t.true(rule.hits, "hits")


for _name, _text in DOCUMENTS:
    document(_name, _text)


def understood(name, text):
    @scene("D22: an error document with %s is understood" % name)
    def _(t, bench):
        bench.s3.fault(s3faults.status(403, body=text), kind="get", key=bench.key(4))
        bench.fetch(4, code=202, says="AccessDenied")


understood("a byte order mark", b"\xef\xbb\xbf<Error><Code>AccessDenied</Code></Error>")
understood("CDATA", b"<Error><Code><![CDATA[AccessDenied]]></Code></Error>")
understood("a namespace", b"<Error xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Code>"
                          b"AccessDenied</Code></Error>")


@scene("D23: what a store says is one escaped line of bounded length", measure=True)
def _(t, bench):
    for message in ("two\nlines\r\nand more", "\x1b[31mred\x1b[0m", "%n%s%x" * 20, "x" * (1 << 20),
                    "\u202eesrever \U0001f600", "tab\tquote\"back\\slash"):
        body = models3.error(403, "AccessDenied", message.replace("\x1b", "&#27;")).body
        rule = bench.s3.fault(s3faults.status(403, body=body), kind="put get", key=bench.WAL)
        for said in (bench.push(2, code=11), bench.fetch(1, code=202)):
            for line in said.splitlines():
                t.true(len(line) < 1200 and line.isascii() or len(line) < 700, "length %d" % len(line))
                t.true(line.startswith("seawall-"), "a line of its own: %r" % line)
            t.true("\x1b" not in said and "\r" not in said, "escaped: %r" % said)
        rule.lift()


tap.main()
