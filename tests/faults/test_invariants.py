# SPDX-License-Identifier: PostgreSQL
"""The checker of histories: each of its checks passes a good history and fails a broken one."""
import time

import campaign
import invariants
import models3
import tap

KEY = "root/main/1/wal/00000001/00000000/00000001000000000000000%d"


class History:
    """Two buckets, and calls that are written down by hand. Contents are texts."""

    def __init__(self, t, stores=1, acknowledge=1):
        self.buckets = [t.enter(models3.Bucket("b%d" % i, versioned=True)) for i in range(stores)]
        self.calls = []
        self.checker = invariants.Checker(self.buckets, acknowledge, lambda n: KEY % n,
                                          lambda b, v: b.data(v).decode() if b.data(v) else None)

    def exchange(self, i, kind, number, answer, whole=True, key=None):
        """A request that is answered like this now."""
        bucket = self.buckets[i]
        x = models3.Exchange(bucket, None, len(bucket.exchanges))
        x.kind, x.key, x.whole = kind, key or KEY % number, whole
        x.headers, x.sent, x.ended = {"if-none-match": "*"}, bytearray(answer.raw()), time.monotonic()
        bucket.exchanges.append(x)
        return x

    def store(self, i, number, text, conditional=True, by="client", answered=True):
        self.buckets[i].keep(KEY % number, text.encode(), conditional, by)
        if answered:
            self.exchange(i, "put", number, models3.Answer(200))

    def call(self, side, number, code, content=None, act=None, deadline=5, took=0.0, **facts):
        """A call in which act() happened."""
        start = time.monotonic()
        if act:
            act()
        end = time.monotonic() + took
        self.calls.append(invariants.Call(side, number, code, start, end, content, deadline, **facts))

    def push(self, number, text, code=0, **facts):
        self.call("push", number, code, text, lambda: self.store(0, number, text), **facts)

    def absent(self, i, number, later=()):
        """What proves an absence at a store."""
        self.exchange(i, "get", number, models3.error(404, "NoSuchKey"))
        self.exchange(i, "list", None, models3.list_answer(
            "b", "", [(KEY % n, 1) for n in later], False), key="root/main/1/wal/00000001/")

    def problems(self):
        return sorted({p.partition(":")[0] for p in self.checker.problems(self.calls)})


def good(t, **options):
    history = History(t, **options)
    history.push(1, "one")
    history.call("fetch", 1, 0, "one",
                 lambda: history.exchange(0, "get", 1, models3.Answer(200)), quiet=True)
    history.call("fetch", 2, 1, None, lambda: history.absent(0, 2))
    return history


def broken(name, want, make, **options):
    @tap.check("%s: %s" % (want, name))
    def _(t):
        history = good(t, **options)
        t.equal(history.problems(), [], "the good history")
        make(history)
        t.true(want in history.problems(), "found: %s" % history.checker.problems(history.calls))


def erase(history, by):
    def act():
        for version in history.buckets[0].versions(KEY % 1):
            version.remove(by)
    return act


broken("what was acknowledged was removed by a client", "I1",
       lambda h: h.call("push", 5, 10, "five", erase(h, "client")))
broken("what was acknowledged does not come back", "I1",
       lambda h: h.call("fetch", 1, 200, None, quiet=True))
broken("what was acknowledged comes back as something else", "I1",
       lambda h: h.call("fetch", 1, 0, "other", quiet=True))
broken("success without the file", "I2", lambda h: h.call("push", 5, 0, "five"))
broken("success without an answer", "I2", lambda h: h.call(
    "push", 5, 0, "five", lambda: h.store(0, 5, "five", answered=False)))
broken("success before the file is there", "I2", lambda h: (
    h.call("push", 5, 0, "five"), h.store(0, 5, "five")))
broken("success with other bytes", "I2", lambda h: h.call(
    "push", 5, 0, "five", lambda: h.store(0, 5, "four")))
broken("two contents", "I3", lambda h: (h.store(0, 5, "five"), h.store(0, 5, "four")))
broken("bytes that are no object", "I3", lambda h: h.store(0, 5, ""))
broken("a version without a condition", "I3", lambda h: h.store(0, 5, "five", conditional=False))
broken("a request without a condition", "I3", lambda h: h.exchange(
    0, "put", 5, models3.Answer(412)).headers.clear())
broken("the same again is a conflict", "I4", lambda h: h.call("push", 1, 12, "one"))
broken("the same again fails though nothing else does", "I4",
       lambda h: h.call("push", 1, 10, "one", quiet=True))
broken("the same is stored twice", "I4", lambda h: h.push(1, "one"))
broken("other content is a success", "I5", lambda h: h.call("push", 1, 0, "other"))
broken("other content ends by a signal", "I5", lambda h: h.call("push", 1, -9, "other", killed=True))
broken("other content is stored as well", "I5", lambda h: h.push(1, "other", code=12))
broken("absent, though it was acknowledged", "I6",
       lambda h: h.call("fetch", 1, 1, None, lambda: h.absent(0, 1)))
broken("absent, and nobody was asked", "I6", lambda h: h.call("fetch", 7, 1))
broken("absent, by a page of something else", "I6", lambda h: h.call(
    "fetch", 7, 1, None, lambda: h.exchange(0, "get", 7, models3.Answer(404, b"<html>"))))
broken("absent, with a later file in the list", "I6",
       lambda h: h.call("fetch", 7, 1, None, lambda: h.absent(0, 7, later=[8])))
broken("absent, without a list", "I6", lambda h: h.call(
    "fetch", 7, 1, None, lambda: h.exchange(0, "get", 7, models3.error(404, "NoSuchKey"))))


def marker(h):
    answer = models3.error(404, "NoSuchKey")
    answer.headers.append(("x-amz-delete-marker", "true"))
    h.absent(0, 7)
    h.buckets[0].exchanges[-2].sent = bytearray(answer.raw())


broken("absent, where a delete marker is", "I6",
       lambda h: h.call("fetch", 7, 1, None, lambda: marker(h)))
broken("wrong bytes", "I7", lambda h: h.call("fetch", 1, 0, "other"))
broken("success and no file", "I7", lambda h: h.call("fetch", 1, 0, None))
broken("failure and a file", "I7", lambda h: h.call("fetch", 1, 200, "half"))
broken("a link", "I7", lambda h: h.call("fetch", 1, 0, "one", regular=False))
for _side, _code in (("push", 1), ("push", 126), ("push", -6), ("fetch", 2), ("fetch", 125),
                     ("fetch", 139), ("fetch", -11)):
    broken("%s ends with %d" % (_side, _code), "I9", lambda h, side=_side, code=_code: h.call(
        side, 6, code, "six" if side == "push" else None))
broken("a call that does not end", "I11", lambda h: h.call("push", 6, 10, "six", took=100))
broken("a call that takes all memory", "I11", lambda h: h.call("push", 6, 10, "six", rss=1 << 30))
broken("a storm of requests", "I11", lambda h: h.call("push", 6, 10, "six", lambda: [
    h.exchange(0, "put", 6, models3.error(503, "SlowDown")) for _ in range(1000)]))
broken("a push believes what nobody understands", "I17", lambda h: h.call(
    "push", 6, 0, "six", lambda: h.exchange(0, "put", 6, models3.Answer(299), whole=False)))
broken("a fetch believes what nobody understands", "I17", lambda h: h.call(
    "fetch", 7, 1, None, lambda: h.exchange(0, "get", 7, models3.Answer(299), whole=False)))


@tap.check("with two stores, enough is what acknowledge says, and absence needs the others")
def _(t):
    for acknowledge, want in ((1, ["I6", "I17"]), (2, ["I1", "I17", "I2"])):
        history = good(t, stores=2, acknowledge=acknowledge)
        t.equal(sorted(history.problems()), sorted(want), "acknowledge = %d" % acknowledge)
    history = History(t, stores=2)
    history.push(1, "one")
    history.call("fetch", 2, 1, None, lambda: (history.absent(0, 2), history.absent(1, 2)))
    t.equal(history.problems(), [], "both said so")


@tap.check("what others took away, or a standby is told, is not held against the hooks")
def _(t):
    history = good(t)
    history.call("push", 5, 10, "five", erase(history, "test"))
    history.call("fetch", 1, 1, None, lambda: history.absent(0, 1))
    history.call("fetch", 9, 1, None, standby=True)
    t.equal(history.problems(), [], "problems")


@tap.check("in random histories an absence is proven by what a store truly said, also if it was cut")
def _(t):
    def history():
        h = good(t, stores=2)
        h.calls = []
        h.checker = campaign.Checker(h.buckets, 1, lambda n: KEY % n, lambda b, v: "any")
        return h

    def said(h, change=lambda x: None):
        """Both stores say that 7 is not there; what the second sent is changed."""
        for i in (0, 1):
            h.absent(i, 7)
            for x in h.buckets[i].exchanges[-2:]:
                x.answer = models3.error(404, "NoSuchKey") if x.kind == "get" else \
                    models3.list_answer("b", "", [], False)
        change(h.buckets[1].exchanges[-2])

    def proven(change=lambda x: None):
        h = history()
        h.call("fetch", 7, 1, None, lambda: said(h, change))
        return list(h.checker.i6(h.calls)) == []

    def cut(x):
        x.lost, x.whole, x.sent = True, False, x.sent[:-9]

    def marked(x):
        x.answer.headers.append(("x-amz-delete-marker", "true"))

    t.true(proven(), "said whole")
    t.true(proven(cut), "said, and cut behind what matters")
    t.true(not proven(lambda x: setattr(x, "sent", bytearray(b"HTTP/1.1 503 no"))), "something else")
    t.true(not proven(lambda x: setattr(x, "sent", bytearray())), "nothing was sent")
    t.true(not proven(lambda x: setattr(x, "answer", models3.Answer(404, b"<html>"))), "a page")
    t.true(not proven(marked), "a delete marker")
    t.true(not proven(lambda x: setattr(x, "key", KEY % 8)), "another file")


def away(history, *numbers):
    """Somebody else takes these away."""
    for number in numbers:
        history.buckets[0].erase(KEY % number)


@tap.check("what others took away was away then, whatever is archived again or taken later")
def _(t):
    history = good(t)
    away(history, 1)
    history.call("fetch", 1, 1, None, lambda: history.absent(0, 1))
    history.push(1, "one")
    t.equal(history.problems(), [], "taken away, and archived again")

    history = good(t)
    history.push(3, "three")
    away(history, 1, 3)
    history.call("fetch", 1, 1, None, lambda: history.absent(0, 1))
    history.push(3, "three")
    t.equal(history.problems(), [], "taken away with all behind it, of which some came back")

    history = good(t)
    history.call("fetch", 1, 1, None, lambda: (away(history, 1), history.absent(0, 1)))
    t.equal(history.problems(), [], "taken away meanwhile")

    history = good(t)
    history.call("fetch", 1, 1, None, lambda: history.absent(0, 1))
    away(history, 1)
    t.equal(history.problems(), ["I6"], "it was there, and was taken away later")

    history = good(t)
    history.push(3, "three")
    away(history, 1)
    history.call("fetch", 1, 1, None, lambda: history.absent(0, 1))
    away(history, 3)
    t.equal(history.problems(), ["I6"], "what was behind it was taken away later")

    history = good(t)
    history.buckets[0].hide(KEY % 1)
    history.buckets[0].restore(KEY % 1)
    history.call("fetch", 1, 1, None, lambda: history.absent(0, 1))
    t.equal(history.problems(), ["I6"], "it had been hidden before")


tap.main()
