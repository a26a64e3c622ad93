# SPDX-License-Identifier: PostgreSQL
"""s3faults.py: what can go wrong between a client and models3.Bucket.

    s3.fault(s3faults.reset_request(at=65536), kind="put", times=1)
    s3.fault(s3faults.status(503, "SlowDown", headers=[("Retry-After", "1")]), times=3)

Each function here makes an act: it takes the Exchange and does with it what it likes, out of
read_body(), perform(), send(), reply(), stall(), reset() and hang_up(). An act that sends nothing
leaves the answer to the model. Positions below 0 count from the end.
"""
import functools
import gzip
import hashlib
import threading
import time

import models3

PAGE = b"<html><head><title>Welcome</title></head><body>Please log in.</body></html>"


def act(make):
    """Name what make() returns after make() itself."""
    @functools.wraps(make)
    def made(*args, **options):
        function = make(*args, **options)
        function.__name__ = make.__name__
        return function
    return made


def place(at, size):
    return max(0, min(size, at if at >= 0 else size + at))


def flipped(data, bit):
    """The same with one bit changed; what is empty stays so."""
    data = bytearray(data)
    if data:
        data[place(bit // 8, len(data) - 1)] ^= 1 << bit % 8
    return bytes(data)


# connections

@act
def mute():
    """Accept, and never read or say anything; with kind="connect" not even TLS."""
    return lambda x: x.stall()


@act
def reset():
    """RST instead of an answer; nothing is done. With kind="connect": at once."""
    return lambda x: x.reset()


@act
def hang_up():
    """The same in order."""
    return lambda x: x.hang_up()


# the request on its way

@act
def reset_request(at=0, fin=False):
    """RST (or FIN) when so many bytes of the request's body have come; nothing is done."""
    def run(x):
        x.read_body(place(at, x.length))
        x.hang_up() if fin else x.reset()
    return run


@act
def stall_request(at=0, seconds=None):
    """Stop reading after so many bytes."""
    def run(x):
        x.read_body(place(at, x.length))
        x.stall(seconds)
    return run


@act
def trickle_request(rate=100):
    """Read so many bytes a second. What the kernel buffers is out of reach."""
    def run(x):
        while len(x.body) < x.length:
            x.read_body(len(x.body) + max(1, rate // 20))
            x.stall(0.05)
    return run


@act
def spoil_request(bit=0):
    """The store gets, and keeps, another byte than was sent, and does not look at digests."""
    def run(x):
        data = flipped(x.read_body(), bit)
        with x.bucket.lock:
            x.version = x.bucket.keep(x.key, data, True, "link")
        x.reply(models3.Answer(200, b"", [("ETag", '"%s"' % hashlib.md5(data).hexdigest()),
                                          ("Content-Length", "0")]))
    return run


@act
def change_request(bit=0):
    """Another byte arrives than was sent; the store looks at digests."""
    def run(x):
        x.body = flipped(x.read_body(), bit)
    return run


# the answer on its way

@act
def lose_answer(fin=False):
    """Everything is done, nothing is said."""
    def run(x):
        x.perform()
        x.hang_up() if fin else x.reset()
    return run


@act
def withhold_answer(seconds=None):
    """Everything is done; the answer comes so much later, or when the rule is lifted."""
    def run(x):
        x.perform()
        x.stall(seconds)
    return run


@act
def delay(seconds):
    """Think first."""
    return lambda x: x.stall(seconds)


@act
def late(seconds=None, until=None):
    """The connection breaks when the request has come; it is done later all the same: after some
    seconds, or once until(bucket, exchange) is true."""
    def run(x):
        body = x.read_body()
        x.rule.pending = getattr(x.rule, "pending", 0) + 1

        def finish():
            begin = time.monotonic()
            while not x.bucket.closed and not (
                    until(x.bucket, x) if until else time.monotonic() >= begin + seconds):
                time.sleep(0.01)
            x.body = body
            x.answer = x.bucket.perform(x)
            x.end()
            x.rule.pending -= 1
        threading.Thread(target=finish, daemon=True).start()
        x.reset()
    return run


@act
def cut(at, framing="length", fin=True):
    """The body ends at this byte. framing: "length" has announced more, "chunked" lacks the end,
    "close" announces nothing."""
    def run(x):
        answer = x.perform()
        body = answer.body[:place(at, len(answer.body))]
        if framing != "length":
            answer.set("Content-Length", None)
            answer.set("Connection", "close")
        if framing == "chunked":
            answer.set("Transfer-Encoding", "chunked")
            body = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
        x.send(answer.head() + body)
        x.hang_up() if fin else x.reset()
    return run


@act
def cut_bytes(at, fin=False):
    """Only so many bytes of the answer go out, its head counted."""
    def run(x):
        raw = x.perform().raw()
        data = raw[:place(at, len(raw))]
        if data:
            x.send(data)
        # what is in flight would be discarded by the RST
        x.stall(0.05)
        x.hang_up() if fin else x.reset()
    return run


@act
def trickle(rate=20, at=0):
    """The answer comes so many bytes a second, after `at` bytes at once."""
    def run(x):
        raw = x.perform().raw()
        at_once = place(at, len(raw))
        if at_once:
            x.send(raw[:at_once])
        step = max(1, rate // 20)
        for i in range(at_once, len(raw), step):
            if x.rule.lifted:
                x.send(raw[i:])
                break
            x.send(raw[i:i + step])
            x.stall(step / rate)
    return run


@act
def stall_answer(at=0, seconds=None):
    """The answer stops after so many bytes."""
    def run(x):
        raw = x.perform().raw()
        x.send(raw[:max(1, place(at, len(raw)))])
        x.stall(seconds)
        x.send(raw[max(1, place(at, len(raw))):])
    return run


# other answers than the model's

@act
def status(number, code=None, message="no", headers=(), perform=False, body=None):
    """This answer instead; the request is done only with perform."""
    def run(x):
        if perform:
            x.perform()
        else:
            x.read_body()
        answer = models3.error(number, code, message) if code else models3.Answer(number)
        if body is not None:
            answer.body = body
        answer.headers += [("Date", x.bucket.date())] + list(headers)
        if not any(name.lower() == "content-length" for name, _ in answer.headers):
            answer.set("Content-Length", str(len(answer.body)))
        answer.entity = x.kind != "head" and number not in (204, 304)
        x.reply(answer)
    return run


@act
def page(number=200, body=PAGE, perform=False):
    """An HTML page of something in between."""
    return status(number, headers=[("Content-Type", "text/html")], body=body, perform=perform)


@act
def raw(data, perform=False, close=True):
    """Exactly these bytes; may be a function of the model's answer."""
    def run(x):
        if callable(data):
            out = data(x.perform())
        else:
            out = data
            x.perform() if perform else x.read_body()
        x.send(out)
        if close:
            x.hang_up()
    return run


@act
def alter(change, recount=True):
    """The model's answer after change(answer); Content-Length follows unless recount is False."""
    def run(x):
        answer = x.perform()
        change(answer)
        if recount:
            answer.set("Content-Length", str(len(answer.body)))
        x.reply(answer)
    return run


@act
def append(data):
    """A good answer with bytes behind its length."""
    def run(x):
        x.reply()
        x.whole = True
        x.send(data)
    return run


@act
def repeat(dice, way="same"):
    """The answer comes once, twice or three times, the later ones some milliseconds late: if the
    connection is kept, they stand before the answer to the next request. way: "same" to the byte;
    "anew": the request is done each time, with an id of its own; "without ids"; "older": any answer
    that this connection has had comes again."""
    def run(x):
        answer = x.perform()
        if way == "without ids":
            answer.set("x-amz-request-id", None)
        x.send(answer.raw())
        x.connection.past.append(answer.raw())
        x.whole = True      # whoever has it may close the connection
        for i in range(dice.choice([0, 1, 1, 2])):
            time.sleep(dice.choice([0, 0.001, 0.003, 0.01]))
            again = answer.raw()
            if way == "anew":
                other = x.bucket.perform(x)
                other.set("x-amz-request-id", "%08X-%d" % (x.number, i))
                again = other.raw()
            elif way == "older":
                again = dice.choice(x.connection.past)
            x.connection.send(again)
    return run


@act
def flip(bit):
    """One bit of the body is another."""
    def change(answer):
        answer.body = flipped(answer.body, bit)
    return alter(change)


@act
def add_header(name, value):
    return alter(lambda answer: answer.headers.append((name, value)))


@act
def zip_answer(data=None):
    """Content-Encoding: gzip, of the body or of other data."""
    def change(answer):
        answer.body = gzip.compress(answer.body if data is None else data)
        answer.headers.append(("Content-Encoding", "gzip"))
    return alter(change)


@act
def interim(count, then=True):
    """So many 1xx answers first."""
    def run(x):
        answer = x.perform()
        x.send(b"HTTP/1.1 102 Processing\r\n\r\n" * count)
        if not then:
            x.hang_up()
        x.send(answer.raw())
        x.whole = True
    return run


@act
def close_behind():
    """A good answer, and then the connection ends without a word."""
    def run(x):
        x.reply()
        x.connection.over = True
    return run


@act
def flood(size, what="line"):
    """Endless headers: one long line, many of them, or a body."""
    def run(x):
        x.read_body()
        if what == "body":
            x.send(b"HTTP/1.1 500 Model\r\nContent-Length: %d\r\n\r\n" % size)
        elif what == "line":
            x.send(b"HTTP/1.1 200 OK\r\nx-long: ")
        else:
            x.send(b"HTTP/1.1 200 OK\r\n")
        piece = b"x-header: 0123456789\r\n" * 1000 if what == "many" else b"a" * 20000
        for _ in range(0, size, len(piece)):
            x.send(piece)
        x.hang_up()
    return run


@act
def redirect(number, location, region=None):
    headers = [("Location", location)] + ([("x-amz-bucket-region", region)] if region else [])
    return status(number, "TemporaryRedirect", headers=headers)


@act
def absent():
    """NoSuchKey, whatever is there: a store that has not heard of it yet."""
    return status(404, "NoSuchKey")


@act
def watch(function):
    """Call function(exchange) before the model answers."""
    return lambda x: function(x) and None


# lists

@act
def list_rows(change):
    """change(rows) gives the rows of the list instead: [(key, size)]."""
    def run(x):
        x.perform()
        if x.answer.status == 200:
            rows = [(k, len(x.bucket.get(k))) for k in x.bucket.keys(x.key)
                    if k > x.query.get("start-after", "")]
            new = models3.list_answer(x.bucket.name, x.key, change(rows), False)
            new.headers.append(("Content-Length", str(len(new.body))))
            x.reply(new)
    return run


@act
def cut_in_half():
    """Whatever has a body of some size ends in the middle."""
    def run(x):
        body = x.perform().body
        if len(body) > 1000:
            x.send(x.answer.head() + body[:len(body) // 2])
            x.hang_up()
    return run


def standing(way):
    """The acts of Bucket.behave()."""
    return {"busy": status(503, "SlowDown"), "closes": reset_request(1 << 62, fin=True),
            "hangs": mute(), "cuts": cut_in_half()}[way]


def random_acts():
    """{name: function of a random.Random that gives an act} of faults that pass by themselves."""
    return {
        "reset": lambda dice: reset(),
        "hang_up": lambda dice: hang_up(),
        "reset_request": lambda dice: reset_request(at=dice.randrange(1 << 20)),
        "lose_answer": lambda dice: lose_answer(fin=dice.random() < 0.5),
        "late": lambda dice: late(dice.uniform(0.01, 1.5)),
        "cut_bytes": lambda dice: cut_bytes(dice.randrange(1 << 16)),
        "cut": lambda dice: cut(dice.randrange(1 << 16),
                                dice.choice(["length", "chunked", "close"])),
        "delay": lambda dice: delay(dice.uniform(0.01, 0.5)),
        "withhold": lambda dice: withhold_answer(dice.uniform(0.1, 2)),
        "status": lambda dice: status(*dice.choice([
            (500, "InternalError"), (503, "SlowDown"), (503, "ServiceUnavailable"), (504, None),
            (429, "TooManyRequests"), (408, None), (400, "RequestTimeout"), (502, None)])),
        "done_but": lambda dice: status(*dice.choice([
            (500, "InternalError"), (503, "SlowDown")]), perform=True),
        "error_with_200": lambda dice: status(200, "InternalError"),
        "page": lambda dice: page(dice.choice([200, 404, 502])),
        "flip": lambda dice: flip(dice.randrange(1 << 16)),
        "change_request": lambda dice: change_request(dice.randrange(1 << 16)),
        "interim": lambda dice: interim(dice.randrange(1, 4)),
    }
