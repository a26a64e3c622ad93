# SPDX-License-Identifier: PostgreSQL
"""What networks do: refused, lost, cut, slow, late, altered, led astray. Both hooks must end in
what is true, or say that they do not know."""
import contextlib
import random
import socket
import ssl

import faultbench
import models3
import radosgw
import s3faults
import tap
from faultbench import AMPLE, LONG, Bench, scenario

KIB = 1024


def both(row, name, act, kinds=("put", "get"), push=0, fetch=0, says=None, for_ever=None,
         agent=False, **options):
    """Register: the act meets the first request for the object, once, from either hook. With
    for_ever=(push code, fetch code) a second check has it meet every request. agent: through the
    agent as well."""
    push_kind, fetch_kind = kinds

    def once(side, agent):
        def run(t):
            bench = Bench(t, agent=agent, **dict(AMPLE, **options))
            prepare(bench)
            if side == "push":
                rule = bench.s3.fault(act(), kind=push_kind, key=bench.WAL, times=1)
                bench.push(2, code=push, says=says)
            else:
                rule = bench.s3.fault(act(), kind=fetch_kind, key=bench.WAL, times=1)
                bench.fetch(1, code=fetch, says=says)
            t.equal(len(rule.hits), 1, "hits")
            bench.finish()
        return run

    def ever(side, code):
        def run(t):
            bench = Bench(t, **options)
            prepare(bench)
            rule = bench.s3.fault(act(), kind=push_kind if side == "push" else fetch_kind,
                                  key=bench.WAL)
            if side == "push":
                bench.push(2, code=code)
            else:
                bench.fetch(1, code=code)
            t.true(rule.hits, "hits")
            bench.finish()
        return run

    for side in ("push", "fetch"):
        if (push_kind if side == "push" else fetch_kind) is None:
            continue
        for through in (False, True)[:1 + agent]:
            scenario("%s: %s, %s%s" % (row, name, side, " through the agent" if through else ""))(
                once(side, through))
        if for_ever:
            scenario("%s: %s, for ever, %s" % (row, name, side))(
                ever(side, for_ever[side == "fetch"]))


def prepare(bench):
    """Segments 1 and 3 are archived: 2 is to be pushed, 1 to be fetched."""
    for number in (1, 3):
        bench.push(number, code=0, agent=False)


def doubt(row, name, make, says=None, push=10, fetch=200, **options):
    """Register a check of each side where make(bench) makes the service unreachable."""
    def run(side):
        def check(t):
            bench = Bench(t, **options)
            prepare(bench)
            with contextlib.ExitStack() as stack:
                make(bench, stack)
                if side == "push":
                    bench.push(2, code=push, says=says)
                else:
                    bench.fetch(1, code=fetch, says=says)
            bench.setup.write(stores=bench.stores)
            bench.finish()
        return check
    for side in ("push", "fetch"):
        scenario("%s: %s, %s" % (row, name, side))(run(side))


def lead(bench, endpoint, **settings):
    """Point the only store elsewhere."""
    bench.setup.write(stores=[dict(bench.stores[0], endpoint=endpoint, **settings)])


@contextlib.contextmanager
def black_hole(host="127.0.0.1", port=0):
    """A port that drops every SYN: its queue of connections nobody accepts is full."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.bind((host, port))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            s = stack.enter_context(socket.socket(family))
            s.setblocking(False)
            s.connect_ex((host, port))
        yield port


# C1, C2: no way there

doubt("C1", "a name that does not exist",
      lambda bench, stack: lead(bench, "http://no-such-host.invalid:9"), "esolv")
doubt("C2", "refused", lambda bench, stack: bench.s3.down(), "onnect")
doubt("C2", "a black hole",
      lambda bench, stack: lead(bench, "http://127.0.0.1:%d" % stack.enter_context(black_hole())),
      "imeout")


@scenario("C2: no route: 10 and 200")
def _(t):
    if tap.run(["unshare", "-rn", "true"]).code != 0:
        t.skip("no network namespaces here")
    bench = Bench(t)
    prepare(bench)
    bench.prefix = ["unshare", "-rn"]
    bench.push(2, code=10, says="onnect")
    bench.fetch(1, code=200, says="onnect")
    bench.fetch(4, code=200)
    bench.prefix = []
    bench.finish()



@scenario("C2: one address is dead and the other alive: the other is used")
def _(t):
    bench = Bench(t)
    try:
        t.enter(black_hole("::1", bench.s3.port))
    except OSError as error:
        t.skip("no IPv6: %s" % error)
    lead(bench, "http://localhost:%d" % bench.s3.port)
    bench.push(1, code=0)
    bench.fetch(1, code=0)
    bench.finish()


@scenario("C2: one store refuses, the other one is alive: both hooks succeed and name it")
def _(t):
    bench = Bench(t, stores=2)
    bench.push(1, code=0)
    bench["a"].down()
    bench.push(2, code=0, says='"a"')
    bench.fetch(1, code=0)
    bench.fetch(3, code=200)
    bench.finish()


# C3, C8: silence

doubt("C3", "connections are accepted and never read",
      lambda bench, stack: bench.s3.fault(s3faults.mute(), kind="connect"))
# libcurl notices silence behind a burst some five seconds later than stall_timeout says
both("C3", "a request is never answered", s3faults.mute, agent=True)
doubt("C3", "no request is ever answered", lambda bench, stack: bench.s3.fault(s3faults.mute()))
both("C3", "the answer comes long after the commit", s3faults.withhold_answer, kinds=("put", None),
     says="already in store", agent=True)
both("C8", "the request is read slowly", lambda: s3faults.trickle_request(20), kinds=("put", None),
     bucket=dict(receive_buffer=16 * KIB), compression="none")
both("C8", "the answer trickles", lambda: s3faults.trickle(20, at=10))


# C4: TLS

def tls(t, certificate="good", minimum=None, maximum=None, **options):
    """A bench whose bucket has certificates by openssl: good, expired, elsewhere."""
    place = t.dir / "ca"
    place.mkdir()
    ca = radosgw.Authority(place)
    ca.certificate("good")
    ca.certificate("expired", days=-1)
    ca.certificate("elsewhere", names="DNS:elsewhere.example")
    bench = Bench(t, bucket=dict(certificate=(place / "good.pem", place / "good.key"),
                                 ca_file=ca.file), **options)
    prepare(bench)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if maximum is not None:
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.minimum_version, context.maximum_version = minimum, maximum
    context.load_cert_chain(place / (certificate + ".pem"), place / (certificate + ".key"))
    context.set_alpn_protocols(["h2", "http/1.1"])
    return bench, context


def untrusted(name, certificate="good", says=None, change=None, **versions):
    def run(t):
        bench, context = tls(t, certificate, **versions)
        good, bench.s3.context = bench.s3.context, context
        bench.s3.drop()
        n = len(bench.s3.exchanges)
        if change:
            change(t, bench)
        bench.push(2, code=11 if not change else (11, 14), says=says)
        bench.fetch(1, code=202, says=says)
        bench.fetch(4, code=202)
        t.equal(len(bench.s3.exchanges), n, "no request without verification")
        bench.s3.context = good
        bench.setup.write(stores=bench.stores)
        bench.finish()
    scenario("C4: %s: 11 and 202, and no request goes out" % name)(run)


def stranger(t, bench):
    """Trust another authority than the one that signed."""
    place = t.dir / "other"
    place.mkdir()
    bench.setup.write(stores=[dict(bench.stores[0], ca_file=str(radosgw.Authority(place).file))])


def no_ca(t, bench):
    bench.setup.write(stores=[dict(bench.stores[0], ca_file=str(t.dir / "nowhere.pem"))])


untrusted("an expired certificate", "expired", "expired")
untrusted("another host's certificate", "elsewhere", "127.0.0.1")
untrusted("an unknown authority", change=stranger, says="certificate")
untrusted("a missing file of authorities", change=no_ca, says="nowhere.pem")
untrusted("TLS 1.0", minimum=ssl.TLSVersion.TLSv1, maximum=ssl.TLSVersion.TLSv1, says="TLS")
untrusted("TLS 1.1", minimum=ssl.TLSVersion.TLSv1_1, maximum=ssl.TLSVersion.TLSv1_1, says="TLS")


@scenario("C4: a handshake that stalls is doubt; C18: HTTP/1.1 is asked for, whatever is offered")
def _(t):
    bench, context = tls(t)
    rule = bench.s3.fault(s3faults.mute(), kind="connect")
    bench.s3.drop()
    bench.push(2, code=10)
    bench.fetch(1, code=200)
    t.true(rule.hits, "hits")
    bench.s3.lift()
    bench.s3.context = context
    chosen = []
    bench.s3.fault(s3faults.watch(lambda x: chosen.append(x.connection.sock.selected_alpn_protocol())))
    bench.push(2, code=0)
    bench.fetch(1, code=0)
    t.true(chosen and set(chosen) <= {"http/1.1", None}, "protocol: %s" % chosen)
    bench.finish()


# C5, C6, C7: the connection breaks

def places(size):
    """Where to break off: at the ends and every 64 KiB, or at every 1,000th byte."""
    step = 1000 if LONG else 64 * KIB
    return sorted({0, 1, 100, 300, size} | set(range(0, size, step))) + [-1, 1 << 40]


def broken(row, name, act, side, size):
    """Break off at every place, each time another segment. The object has `size` bytes or more."""
    @scenario("%s: %s, %s" % (row, name, side))
    def _(t):
        bench = Bench(t, compression="none", **AMPLE)
        bench.push(200, code=0)
        for i, at in enumerate(places(size)):
            if side == "fetch":
                bench.push(i + 1, code=0)
            rule = bench.s3.fault(act(at), kind="put" if side == "push" else "get",
                                  key=bench.key(i + 1), times=1)
            (bench.push if side == "push" else bench.fetch)(i + 1, code=0)
            t.equal(len(rule.hits), 1, "at %d" % at)
            t.equal(len(bench.s3.versions(bench.key(i + 1))), 1, "versions, at %d" % at)
        bench.check()


OBJECT = 1 << 20        # without compression an object has a little more than its segment

broken("C5", "RST at byte k of the request", lambda at: s3faults.reset_request(at), "push", OBJECT)
broken("C5", "FIN at byte k of the request", lambda at: s3faults.reset_request(at, fin=True), "push",
       OBJECT)
broken("C5", "RST at byte k of the answer", s3faults.cut_bytes, "fetch", OBJECT)
broken("C5", "FIN at byte k of the answer", lambda at: s3faults.cut_bytes(at, fin=True), "fetch",
       OBJECT)
broken("C5", "RST at byte k of the answer", s3faults.cut_bytes, "push", 120)
broken("C5", "FIN at byte k of the answer", lambda at: s3faults.cut_bytes(at, fin=True), "push", 120)
both("C5", "the connection is reset before the request", s3faults.reset, for_ever=(10, 200),
     agent=True)
both("C5", "the connection is closed before the answer", s3faults.hang_up, for_ever=(10, 200))
doubt("C5", "connections are reset as soon as they are made",
      lambda bench, stack: bench.s3.fault(s3faults.reset(), kind="connect"))


def lost(agent, fin):
    def run(t):
        bench = Bench(t, agent=agent)
        rule = bench.s3.fault(s3faults.lose_answer(fin), kind="put", key=bench.WAL, times=1)
        bench.push(1, code=0, says="already in store")
        t.equal(len(rule.hits), 1, "hits")
        t.equal(len(bench.s3.versions(bench.key(1))), 1, "versions")
        t.true(any(x.kind == "get" and x.is_success() for x in bench.s3.exchanges), "read back")
        bench.s3.fault(s3faults.lose_answer(fin), kind="put", key=bench.WAL)
        bench.push(2, code=10)
        bench.finish()
    return run


for _agent in (False, True):
    for _fin in (False, True):
        scenario("C6: lost acknowledgement, %s%s: stored once, read back, 0" % (
            "FIN" if _fin else "RST", ", through the agent" if _agent else ""))(lost(_agent, _fin))


@scenario("C6: a lost acknowledgement of other content is a conflict, and nothing is overwritten")
def _(t):
    bench = Bench(t)
    bench.push(1, code=0)
    rule = bench.s3.fault(s3faults.lose_answer(), kind="put", key=bench.WAL, times=1)
    bench.push(1, code=12, data=faultbench.segment(1, seed=7))
    t.equal(len(rule.hits), 1, "hits")
    bench.finish(again=False)


@scenario("C7: a put that is done after its own retry: write-once holds, 0, one version")
def _(t):
    for agent in (False, True):
        place = t.dir / ("agent" if agent else "alone")
        place.mkdir()
        bench = Bench(sub(t, place), agent=agent)
        rule = bench.s3.fault(s3faults.late(until=lambda s3, x: len(s3.versions(x.key)) > 0),
                              kind="put", key=bench.WAL, times=1)
        bench.push(1, code=0)
        tap.wait_for(lambda rule=rule: rule.pending == 0, what="the late one")
        t.equal(rule.hits[0].answer.status, 412, "the late one")
        t.equal(len(bench.s3.versions(bench.key(1))), 1, "versions")
        bench.finish()


@scenario("C7: a put that is done late, between the retry's put and its answer, is found to be ours")
def _(t):
    bench = Bench(t)
    bench.s3.fault(s3faults.late(0.2), kind="put", key=bench.WAL, times=3)
    bench.push(1, code=0)
    bench.finish()
    t.equal(len(bench.s3.versions(bench.key(1))), 1, "versions")


def sub(t, place):
    """The same check in a directory of its own."""
    other = tap.Check(t.name, place)
    t.defer(other.close)
    return other


# C9

both("C9", "417 instead of 100 Continue", lambda: s3faults.status(417), kinds=("put", None), push=11,
     says="417")


@scenario("C9: no request waits for 100 Continue")
def _(t):
    bench = Bench(t, compression="none")
    prepare(bench)
    bench.fetch(1, code=0)
    t.equal([x for x in bench.s3.exchanges if "expect" in x.headers], [], "requests with Expect")
    bench.finish()


# C10 to C12: bodies and heads that are not what they say

for _at in (0, 1, 5000, -1):
    for _framing in ("length", "chunked", "close"):
        both("C10", "a body cut at %d, framing by %s" % (_at, _framing),
             lambda at=_at, framing=_framing: s3faults.cut(at, framing), kinds=(None, "get"),
             agent=_at == 5000)
for _framing in ("length", "chunked", "close"):
    both("C10", "a body that is always cut, framing by %s" % _framing,
         lambda framing=_framing: s3faults.cut(-1, framing), kinds=(None, "get"), for_ever=(10, 200))


def longer(answer):
    answer.body += b"more"


def second_length(delta):
    def change(answer):
        answer.headers.append(("Content-Length", str(len(answer.body) + delta)))
    return lambda: s3faults.alter(change, recount=False)


both("C11", "bytes behind the announced length, which belong to no answer",
     lambda: s3faults.append(b"HTTP/1.1 404 Not Found\r\n\r\n"), for_ever=(0, 0))
both("C11", "a longer object", lambda: s3faults.alter(longer), kinds=(None, "get"), fetch=(0, 201),
     for_ever=(0, 201))
for _delta in (0, 4, -4):
    both("C11", "two lengths, the second %+d" % _delta, second_length(_delta), for_ever=(10, 200))

def again(way, echoes, seeds):
    """Fetches through an agent whose stores give some answers again."""
    @scenario("C11: answers that come again, late (%s; lists echo %s): what is there is never called "
              "absent" % (way, echoes))
    def _(t):
        for seed in seeds:
            dice = random.Random("%s %s %d" % (way, echoes, seed))
            bench = Bench(sub(t, make(t, "agent-%d" % seed)), agent=True,
                          spool_max=dice.choice([0, "16MiB"]), bucket=dict(echoes=echoes),
                          **AMPLE)
            prepare(bench)
            bench.s3.fault(s3faults.repeat(dice, way), kind="get list")
            newest = 3
            for _ in range(25):
                bench.fetch(dice.choice([newest + 1, newest + 1, newest, "00000002.history"]))
                if dice.random() < 0.15:
                    newest += 1
                    bench.push(newest, agent=False)
            bench.check()


for _way in ("same", "anew", "without ids", "older"):
    again(_way, "what was asked", range(40 if LONG else 3))
again("same", "nothing", range(40 if LONG else 2))
again("same", "others", range(40 if LONG else 2))


@scenario("C11: answers that come again, late: what is there is never called absent")
def _(t):
    bench = Bench(sub(t, make(t, "alone")), **AMPLE)
    prepare(bench)
    rule = bench.s3.fault(s3faults.repeat(random.Random(5)))
    for number in (3, 4, 3, 4):
        bench.fetch(number)
        bench.push(number + 2)
    t.true(rule.hits, "hits")
    bench.finish()


for _number in (204, 206, 304, 201, 202, 205, 226):
    both("C12", "%d, which nobody asked for" % _number,
         lambda number=_number: s3faults.status(number, body=b""),
         for_ever=(10, 200) if _number in (206, 204, 304) else None)
both("C12", "endless 1xx", lambda: s3faults.interim(100000, then=False), for_ever=(10, 200))
both("C12", "a few 1xx", lambda: s3faults.interim(3), for_ever=(0, 0))
both("C12", "a status of another kind", lambda: s3faults.raw(
    b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"), for_ever=(10, 200))
both("C12", "something that is not HTTP", lambda: s3faults.raw(b"SSH-2.0-OpenSSH_9.2\r\n"))


# C13, C14: other bytes

def flips(t, number, bits, name=None):
    """Every one of these bits: 201, and with a second store that has it 0 with a warning."""
    alone = Bench(sub(t, make(t, "alone")))
    pair = Bench(sub(t, make(t, "pair")), stores=2)
    data = b"1\t0/780000\tno recovery target specified\n" if name else None
    for bench in (alone, pair):
        bench.push(name or number, code=0, data=data)
        size = len(bench.s3.get(bench.key(name or number))) * 8
        for i, bit in enumerate(bits(size)):
            rule = bench.s3.fault(s3faults.flip(bit), kind="get", key=bench.key(name or number))
            if bench is alone:
                # a bit of the format's version or of a key's id reads as a newer one or another
                said = bench.fetch(name or number, code=(201, 202))
                t.true(bench.calls[-1].code == 201 or "version" in said or "key" in said
                       or "identit" in said, "bit %d: %s" % (bit, said))
            elif i % 8 == 0:
                said = bench.fetch(name or number, code=0)
                t.contains(said, "WARNING" if "WARNING" in said else "could not restore", "warning")
            rule.lift()
        bench.finish()


def make(t, name):
    place = t.dir / name
    place.mkdir()
    return place


@scenario("C13: bits of a small object flipped, all over it: 201, or the other store's with a warning")
def _(t):
    flips(t, None, lambda size: range(0, size, 1 if LONG else 61), name="00000002.history")


@scenario("C13: bits of a segment's object flipped: 201, or the other store's with a warning")
def _(t):
    flips(t, 1, lambda size: range(3, size, size // (4000 if LONG else 40)))


@scenario("C14: the store gets other bytes than were sent and keeps them: noticed, never 0")
def _(t):
    for agent in (False, True):
        bench = Bench(sub(t, make(t, "agent" if agent else "alone")), agent=agent)
        rule = bench.s3.fault(s3faults.spoil_request(80000), kind="put", key=bench.WAL)
        bench.push(1, code=15)
        t.true(rule.hits, "hits")
        bench.lift()
        bench.push(1, code=(12, 15))
        bench.fetch(1, code=201)
        bench.check()


both("C14", "the store notices that the digest is not the body's", lambda: s3faults.change_request(
    80000), kinds=("put", None), for_ever=(10, 200))


@scenario("C14: a store that spoils what it keeps behind a good hash: nobody could know, fetch is 201")
def _(t):
    bench = Bench(t, bucket=dict(spoils=True))
    bench.push(1, code=0)
    bench.fetch(1, code=201)
    bench.push(1, code=15)


# C15, C16: too much

for _what, _size, _name in (("line", 1 << 20, "a header line of 1 MiB"),
                            ("many", 100000 * 22, "100,000 headers"),
                            ("body", 1 << 30, "an error body of 1 GiB")):
    both("C15", _name,
         lambda what=_what, size=_size: s3faults.flood(size, what),
         for_ever=(10, 200) if _what != "body" else None, measure=True)
both("C16", "a body in gzip", s3faults.zip_answer, kinds=(None, "get"), for_ever=(0, 200))
both("C16", "10 MB in a few bytes of gzip", lambda: s3faults.zip_answer(bytes(10 << 20)),
     for_ever=(10, 200), kinds=(None, "get"), measure=True)


@scenario("C15: a list larger than a page may be: an error in bounded memory")
def _(t):
    bench = Bench(t, measure=True)
    prepare(bench)
    rule = bench.s3.fault(s3faults.status(200, body=b"<ListBucketResult>" + b" " * (20 << 20)),
                          kind="list")
    bench.fetch(4, code=(200, 201))
    t.true(rule.hits, "hits")
    bench.finish()


@scenario("C16: no encoding is ever asked for")
def _(t):
    bench = Bench(t)
    prepare(bench)
    bench.fetch(1, code=0)
    bench.fetch(4, code=1)
    t.equal([x for x in bench.s3.exchanges if "accept-encoding" in x.headers], [], "requests")
    bench.finish()


# C17, C20, C21: led astray

def redirected(number, location):
    def run(t):
        bench = Bench(t)
        prepare(bench)
        other = t.enter(models3.Bucket("region-a"))
        there = {"host": other.endpoint(), "file": "file:///etc/passwd",
                 "s3": "https://s3.eu-west-3.example"}[location] + "/region-a"
        bench.s3.fault(s3faults.redirect(number, there, "eu-west-3" if location == "s3" else None))
        says = 'region = "eu-west-3"' if location == "s3" else str(number)
        bench.push(2, code=11, says=says)
        bench.fetch(1, code=202, says=says)
        bench.fetch(4, code=202)
        t.equal((other.exchanges, other.n_connections), ([], 0), "the other host")
        bench.finish()
    scenario("C17: %d to %s is not followed" % (number, {
        "host": "another host", "file": "a file",
        "s3": "another region (the hint names it)"}[location]))(run)


for _number in (301, 302, 303, 307, 308):
    redirected(_number, "host")
redirected(302, "file")
redirected(301, "s3")


@scenario("C20: a captive portal answers everything with 200 and a page: no 0, no 1")
def _(t):
    for agent in (False, True):
        bench = Bench(sub(t, make(t, "agent" if agent else "alone")), agent=agent)
        prepare(bench)
        bench.s3.fault(s3faults.page())
        bench.push(2, code=(10, 11, 15))
        bench.fetch(1, code=(200, 201))
        bench.fetch(4, code=(200, 201))
        bench.finish()


def plain_404(body, kind="text/html"):
    return lambda: s3faults.status(404, headers=[("Content-Type", kind)], body=body)


for _what, _act in (("a page", plain_404(s3faults.PAGE)), ("nothing", plain_404(b"")),
                    ("JSON", plain_404(b'{"Code": "NoSuchKey"}', "application/json")),
                    ("a page that says NoSuchKey", plain_404(b"<html><Code>NoSuchKey</Code></html>"))):
    both("C21", "a 404 of something in between: %s" % _what, _act, for_ever=(10, 200))


# C19

@scenario("C19: kept connections that are closed between requests: one transparent retry each")
def _(t):
    for agent in (False, True):
        bench = Bench(sub(t, make(t, "agent" if agent else "alone")), agent=agent)
        bench.s3.fault(s3faults.close_behind())
        for number in range(1, 6):
            bench.push(number, code=0)
        for number in range(1, 6):
            bench.fetch(number, code=0)
        bench.finish()


# C22: clocks

def clocks(clock_s, name, agent):
    def run(t):
        bench = Bench(t, agent=agent)
        prepare(bench)
        bench.s3.clock_s = clock_s
        # the first digits: a second may have passed
        differ = "differ by %d" % (abs(clock_s) // 10000 or 3)
        bench.push(2, code=0, says=["warning: the clocks of this machine (20", differ,
                                    "until they had its time"])
        bench.fetch(1, code=0, says="differ by ")
        bench.fetch(4, code=1)
        bench.finish()
    scenario("C22: %s%s" % (name, ", through the agent" if agent else ""))(run)


YEAR = 31557600
for _agent in (False, True):
    for _clock, _name in ((3600, "the store's clock is an hour ahead"),
                          (-3600, "the store's clock is an hour behind"),
                          (74 * YEAR, "the store's clock is in 2100"),
                          (-56 * YEAR, "the store's clock is in 1970")):
        clocks(_clock, _name, _agent)


@scenario("C22: the store's clock jumps from one request to the next; for ever it is refused")
def _(t):
    bench = Bench(t, agent=True)
    prepare(bench)
    for i, clock in enumerate((3600, -3600, 0, 7200, -86400)):
        bench.s3.clock_s = clock
        bench.push(10 + i, code=0)
        bench.fetch(10 + i, code=0)
    def jump(x):
        x.bucket.clock_s += 3600
    bench.s3.fault(s3faults.watch(jump))
    bench.push(20, code=11, says="clock", agent=False)
    bench.fetch(1, code=202, says="clock", agent=False)
    bench.s3.clock_s = 0
    bench.finish()


tap.main()
