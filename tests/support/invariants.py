# SPDX-License-Identifier: PostgreSQL
"""invariants.py: what must be true of every history of archiving and restoring, whatever failed.

    checker = invariants.Checker(buckets, acknowledge=1, key_of=key_of, decode=decode)
    problems = checker.problems(calls)          # ["I2: ...", ...]

The history is the journals of the buckets (models3.Bucket: every stored version, every exchange)
and the recorded calls of the hooks (Call). key_of(name) is the key of a WAL file's object;
decode(bucket, version) gives the digest of the file that a stored version decodes to, or None.

    I1  what was acknowledged stays in enough stores and comes back
    I2  no success without the file in enough stores, proven by answers to this call
    I3  one content per key, and every put conditional
    I4  the same file again is never a conflict, and stored once
    I5  other content is never a success, and changes nothing
    I6  exit 1 of a fetch is a proven absence, never of what was acknowledged
    I7  a fetched file is exact, a failed fetch leaves what was there
    I9  exit codes are those of the contract
    I11 every call ends by its deadline, in bounded memory, with a bounded number of requests
    I17 what nobody understands is neither 0 nor 1
"""
import re

PUSH_CODES = {0, 10, 11, 12, 13, 14, 15, 16}
FETCH_CODES = {0, 1, 200, 201, 202, 203, 204, 205}
LATE_S = 2              # the watchdog's patience
SLACK_S = 15            # of a machine under load
RSS_MAX = 96 << 20
REQUESTS_MAX = 120      # of one call at one store


class Call:
    """One call of a hook. content: the digest of the file that was pushed, or of what stands at
    %p after a fetch (None: nothing); before: the same before a fetch; quiet: nothing failed
    meanwhile; standby: a server that follows was told, so that 1 means "not now"; killed: by the
    test; rss in bytes."""

    def __init__(self, side, name, code, start, end, content, deadline_s, **facts):
        self.side, self.name, self.code, self.start, self.end = side, name, code, start, end
        self.content, self.deadline_s = content, deadline_s
        self.before, self.regular, self.rss = None, True, 0
        self.agent = self.quiet = self.standby = self.killed = False
        for fact, value in facts.items():
            if not hasattr(self, fact):
                raise TypeError("no fact %s" % fact)
            setattr(self, fact, value)

    def __str__(self):
        return "%s %s = %s" % (self.side, self.name, self.code)


class Checker:
    def __init__(self, buckets, acknowledge, key_of, decode):
        self.buckets, self.acknowledge, self.key_of = list(buckets), acknowledge, key_of
        self.quorum = len(self.buckets) - acknowledge + 1   # absence is proven by so many
        self._decode, self._known = decode, {}

    def problems(self, calls):
        """Everything that is wrong with this history."""
        found = []
        for check in (self.i1, self.i2, self.i3, self.i4, self.i5, self.i6, self.i7, self.i9,
                      self.i11, self.i17):
            found += ["%s: %s" % (check.__name__.upper(), problem) for problem in check(calls)]
        return found

    # what the journals say

    def content(self, bucket, version):
        if version.sha256 not in self._known:
            self._known[version.sha256] = self._decode(bucket, version)
        return self._known[version.sha256]

    def versions(self, bucket, name):
        return [v for v in bucket.versions(self.key_of(name)) if not v.marker]

    def holders(self, name, content, moment):
        """The buckets that hold this content at a moment. What somebody else took away counts as
        held: no client can prevent that."""
        return [b for b in self.buckets if any(
            v.time <= moment and (v.gone is None or v.gone > moment or v.gone_by != "client")
            and self.content(b, v) == content for v in self.versions(b, name))]

    def exchanges(self, bucket, call, since=None):
        """What a call asked for its key. Through the agent some of it was asked before."""
        key = self.key_of(call.name)
        since = since if since is not None else call.start
        return [x for x in list(bucket.exchanges)
                if x.key == key and since <= x.started <= call.end]

    def touched(self, name):
        """Whether somebody else meddled with a key, or a link altered it."""
        return any(v.by != "client" or v.gone_by == "test" for b in self.buckets
                   for v in b.versions(self.key_of(name)))

    # the invariants

    def i1(self, calls):
        good = [c for c in calls if c.side == "push" and c.code == 0]
        for call in good:
            moments = [call.end] + [v.gone for b in self.buckets for v in self.versions(b, call.name)
                                    if v.gone is not None and v.gone > call.end]
            for moment in moments:
                n = len(self.holders(call.name, call.content, moment))
                if n < self.acknowledge:
                    yield "%s, and then %d of %d stores hold it" % (call, n, self.acknowledge)
        for call in calls:
            if call.side != "fetch" or not call.quiet or self.touched(call.name):
                continue
            if not any(c.name == call.name and c.end <= call.start for c in good):
                continue
            known = self.contents(calls, call.name)
            if known and (call.code != 0 or call.content not in known):
                yield "%s, although it was acknowledged and nothing fails" % call

    def i2(self, calls):
        first = min((c.start for c in calls), default=0)
        for call in calls:
            if call.side != "push" or call.code != 0:
                continue
            proven = 0
            for bucket in self.holders(call.name, call.content, call.end):
                proven += any(x.kind in ("put", "get") and x.is_success() for x in
                              self.exchanges(bucket, call, first if call.agent else None))
            if proven < self.acknowledge:
                yield "%s, and %d of %d stores said so" % (call, proven, self.acknowledge)

    def i3(self, calls):
        for bucket in self.buckets:
            contents = {}
            for version in list(bucket.journal):
                if version.marker or version.by != "client":
                    continue
                contents.setdefault(version.key, set()).add(self.content(bucket, version))
                if not version.conditional:
                    yield "%r in %s was put without a condition" % (version, bucket.name)
            for key, known in contents.items():
                if len(known) > 1:
                    yield "%s in %s has %d contents" % (key, bucket.name, len(known))
                if None in known:
                    yield "%s in %s is no object" % (key, bucket.name)
            for x in list(bucket.exchanges):
                if x.kind == "put" and x.headers.get("if-none-match") != "*":
                    yield "%r in %s has no condition" % (x, bucket.name)

    def i4(self, calls):
        for name in sorted({c.name for c in calls if c.side == "push"}):
            pushes = [c for c in calls if c.side == "push" and c.name == name]
            if len({c.content for c in pushes}) > 1 or self.touched(name):
                continue
            for call in pushes:
                if call.code == 12:
                    yield "%s, although it is the only content" % call
                if call.quiet and call.code != 0:
                    yield "%s, although nothing fails" % call
            for bucket in self.buckets:
                n = len(self.versions(bucket, name))
                if n > 1 and not any(v.marker for v in bucket.versions(self.key_of(name))):
                    yield "%s was stored %d times in %s" % (name, n, bucket.name)

    def i5(self, calls):
        for call in calls:
            if call.side != "push":
                continue
            other = [b for b in self.buckets if self.shows_other(b, call)]
            if len(other) > len(self.buckets) - self.acknowledge and not 1 <= call.code <= 125:
                yield "%s, although %d stores hold other content" % (call, len(other))
            for bucket in other:
                added = [v for v in self.versions(bucket, call.name)
                         if call.start < v.time <= call.end and v.by == "client"]
                if added and bucket.condition == "kept":
                    yield "%s stored %r over other content" % (call, added[0])

    def shows_other(self, bucket, call):
        """Whether the bucket shows other content throughout the call."""
        known = bucket.versions(self.key_of(call.name))
        there = [v for v in known if v.time <= call.start and (v.gone is None or v.gone > call.start)]
        if not there or there[-1].marker or (there[-1].gone or call.end + 1) <= call.end:
            return False
        hidden = any(v.marker and call.start < v.time <= call.end for v in known)
        return not hidden and self.content(bucket, there[-1]) != call.content

    def i6(self, calls):
        for call in calls:
            if call.side != "fetch" or call.code != 1 or call.standby:
                continue
            if any(c.side == "push" and c.code == 0 and c.name == call.name
                   and c.end <= call.start for c in calls) and not self.destroyed(call):
                yield "%s, although it was acknowledged before" % call
            n = sum(self.proves(bucket, call) for bucket in self.buckets)
            if n < self.quorum:
                yield "%s, and %d of %d stores proved it" % (call, n, self.quorum)

    def destroyed(self, call):
        """Somebody had taken it away, and everything behind it, from as many stores as prove
        absence: no reader of these stores can tell that from the end. What counts is the time of
        the call: before and after it the file may have been there."""
        return sum(self.lacked(bucket, call) for bucket in self.buckets) >= self.quorum

    def lacked(self, bucket, call):
        """Whether at some moment of a call the store had neither its file nor one behind it."""
        key = self.key_of(call.name)
        keys = [key] + self.later(key, {v.key for v in list(bucket.journal)})
        known = [v for k in keys for v in bucket.versions(k)]
        moments = [call.start] + [m for v in known for m in (v.time, v.gone)
                                  if m is not None and call.start < m <= call.end]
        return any(not any(self.shown(bucket, k, m) for k in keys) for m in moments)

    @staticmethod
    def shown(bucket, key, moment):
        """Whether a get at this moment would have brought something."""
        there = [v for v in bucket.versions(key)
                 if v.time <= moment and (v.gone is None or v.gone > moment)]
        return bool(there) and not there[-1].marker

    @staticmethod
    def later(key, keys):
        """Those of the keys that are WAL behind this one on its timeline."""
        head, _, tail = key.rpartition("/wal/")
        timeline = "%s/wal/%s/" % (head, tail[:8])
        return [k for k in keys if k.startswith(timeline) and k > key] if tail else []

    def proves(self, bucket, call):
        """The store said NoSuchKey within this call, and its list showed nothing later."""
        if not any(x.proves_absence() for x in self.exchanges(bucket, call)):
            return False
        lists = [x for x in list(bucket.exchanges)
                 if x.kind == "list" and call.start <= x.started <= call.end and x.is_success()]
        shown = [k.decode() for x in lists for k in re.findall(rb"<Key>([^<]*)</Key>", x.sent)]
        return bool(lists) and not self.later(self.key_of(call.name), shown)

    @staticmethod
    def contents(calls, name):
        """What may come back under a name: what was acknowledged, if that was all that was tried.
        Where two servers archive different files under one name, each of them may be in a store
        that the other did not reach; the push that sees both says conflict."""
        tried = {c.content for c in calls if c.side == "push" and c.name == name}
        good = {c.content for c in calls if c.side == "push" and c.name == name and c.code == 0}
        return tried if len(tried) > 1 else good

    def archived(self, calls, name):
        """What may come back under a name; None: nobody said what it is."""
        return self.contents(calls, name) or None

    def i7(self, calls):
        for call in calls:
            if call.side != "fetch":
                continue
            true = self.archived(calls, call.name)
            changed = call.code == 0 or call.content != call.before
            if not call.regular:
                yield "%s left something that is no file" % call
            if call.code == 0 and call.content is None:
                yield "%s brought nothing" % call
            elif changed and call.code != 0 and not call.killed:
                yield "%s, but there is another file now" % call
            elif changed and call.content is not None and true is not None and (
                    call.content not in true):
                yield "%s brought other bytes" % call

    def i9(self, calls):
        for call in calls:
            allowed = PUSH_CODES if call.side == "push" else FETCH_CODES
            if call.code not in allowed and not call.killed:
                yield "%s" % call

    def i11(self, calls):
        for call in calls:
            took = call.end - call.start
            if took > call.deadline_s + LATE_S + SLACK_S:
                yield "%s took %.1f s of %d" % (call, took, call.deadline_s)
            if call.rss > RSS_MAX:
                yield "%s took %d MiB" % (call, call.rss >> 20)
            for bucket in self.buckets:
                n = len(self.exchanges(bucket, call))
                if n > REQUESTS_MAX:
                    yield "%s made %d requests to %s" % (call, n, bucket.name)

    def i17(self, calls):
        first = min((c.start for c in calls), default=0)
        for call in calls:
            if call.code not in (0, 1) or call.standby:
                continue
            since = first if call.agent else None
            need = 1 if call.code == 0 and call.side == "fetch" else (
                self.acknowledge if call.code == 0 else self.quorum)
            n = sum(any(x.whole for x in self.exchanges(b, call, since)) for b in self.buckets)
            if n < need:
                yield "%s, but only %d of %d stores said anything of themselves" % (call, n, need)
