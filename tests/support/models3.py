# SPDX-License-Identifier: PostgreSQL
"""models3.py: a model of an S3 bucket that remembers everything and misbehaves as it is told.

    import models3, s3faults

    s3 = t.enter(models3.Bucket("paris", region="eu-west-3"))       # one loopback port each
    setup = seawall.Setup(t.dir, [s3.store("a")], push_timeout=5)
    rule = s3.fault(s3faults.lose_answer(), kind="put", key="*/wal/*", times=1)
    result = setup.push(pgdata, path, env=models3.ENV)
    assert rule.hits and len(s3.versions("root/main/...")) == 1

Requests are checked as Amazon does: signature (sigv4.verify), region, clock, digest of the body.
It knows put (If-None-Match: *), get (Range), head, delete and ListObjectsV2, and versions with
delete markers (versioned=True); path style only; TLS with certificate=(pem, key).

The journal, for checkers (times are time.monotonic(), the same in every process):
    s3.journal      every Version ever stored, markers too: key, id, time, sha256, size,
                    conditional, marker, by ("client", "test", or "link": altered on its way),
                    gone and gone_by (time of removal and by whom, or None)
    s3.exchanges    every Exchange: kind, key, started, ended, what was sent, the fault's name
    s3.data(v)      the bytes of a version, also of one that is gone

Behind the back of the programs, as an operator or an attacker does it:
    s3.objects  s3.put(key, data)  s3.delete(key)  s3.erase(key)  s3.restore(key)  s3.get(key)  s3.keys()

Misbehaviour, three ways:
    s3.fault(act, kind=, key=, skip=, times=)    scripted: `act` takes over the requests that match;
                                                 s3faults.py has the acts; rule.lift() ends it
    s3.random_faults(seed, share)                each request draws an act; the draw depends on the
                                                 seed and the request's number alone
    s3.behave("hangs"), s3.down(), s3.forbids, s3.clock_s, ...    standing, see Bucket
"""
import calendar
import collections
import contextlib
import email.utils
import fnmatch
import hashlib
import random
import re
import select
import socket
import ssl
import struct
import threading
import time
import urllib.parse
import xml.sax.saxutils

import sigv4

ACCESS, SECRET = "fake", "fakesecret"
ENV = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}
HEAD_MAX = 65536
KEPT = 65536            # bytes of each answer that the journal keeps
SKEW_MAX_S = 900
REASONS = {200: "OK", 204: "No Content", 206: "Partial Content"}


class Version:
    """One version of one key, or a delete marker. gone: when it was removed."""

    def __init__(self, key, number, data, conditional, by, marker=False):
        self.key, self.id, self.time = key, "v%06d" % number, time.monotonic()
        self.sha256 = hashlib.sha256(data).hexdigest() if not marker else None
        self.size, self.conditional, self.by, self.marker = len(data), conditional, by, marker
        self.gone = self.gone_by = None

    def remove(self, by):
        """From now on the bucket does not have it any more."""
        if self.gone is None:
            self.gone, self.gone_by = time.monotonic(), by

    def __repr__(self):
        return "<%s %s %s>" % (self.key, self.id, "marker" if self.marker else self.sha256[:8])


class Answer:
    """What the model answers when nothing interferes."""

    def __init__(self, status, body=b"", headers=(), code=None):
        self.status, self.body, self.code = status, body, code
        self.headers = list(headers)
        self.entity = True      # False: an answer to HEAD or with 204, which has no body

    def set(self, name, value):
        """Replace a header, or with None leave it out."""
        self.headers = [h for h in self.headers if h[0].lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))

    def head(self):
        lines = ["HTTP/1.1 %d %s" % (self.status, REASONS.get(self.status, "Model"))]
        lines += ["%s: %s" % pair for pair in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def raw(self):
        return self.head() + (self.body if self.entity else b"")


def error(status, code, message="no", **fields):
    more = "".join("<%s>%s</%s>" % (k, v, k) for k, v in fields.items())
    body = "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>%s</Message>%s</Error>" % (
        code, xml.sax.saxutils.escape(message), more)
    return Answer(status, body.encode(), [("Content-Type", "application/xml")], code)


class Lost(Exception):
    """The connection is over."""


class Exchange:
    """One request and its answer: while it is served what an act works with, afterwards an
    entry of the journal. kind: "put", "get", "head", "list", "delete", "connect"; key: of a list
    its prefix."""

    def __init__(self, bucket, connection, number):
        self.bucket, self.connection, self.number = bucket, connection, number
        self.kind, self.method, self.key, self.query, self.headers = "connect", "", "", {}, {}
        self.target, self.length, self.bucket_name = "", 0, ""
        self.started, self.ended = time.monotonic(), None
        self.body = b""
        self.fault = self.rule = None   # the name of the act, and what brought it
        self.answer = None              # what the model would say, once performed
        self.version = None             # what this request stored
        self.sent = bytearray()         # the first KEPT bytes of what went out
        self.n_sent = 0
        self.whole = False              # the model's own answer went out, unchanged
        self._own = b""                 # that answer
        self._sum = hashlib.blake2b()   # of what went out
        self.lost = False               # the connection was broken off

    def __repr__(self):
        return "<%d %s %s -> %s%s>" % (self.number, self.kind, self.key,
                                       bytes(self.sent[:12]).decode("latin-1") or "nothing",
                                       " (%s)" % self.fault if self.fault else "")

    def parse(self, head):
        """The head of a request; nonsense is answered by the end of the connection."""
        try:
            self._parse(head)
        except ValueError:
            raise Lost from None

    def _parse(self, head):
        line, _, rest = head.partition("\r\n")
        self.method, self.target = line.split(" ")[:2]
        self.headers = {}
        for row in rest.split("\r\n"):
            name, _, value = row.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self.length = int(self.headers.get("content-length") or 0)
        path, _, text = self.target.partition("?")
        self.query = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        self.bucket_name, _, key = path.lstrip("/").partition("/")
        self.key = urllib.parse.unquote(key)
        self.kind = self.method.lower()
        if self.kind == "get" and not key:
            self.kind, self.key = "list", self.query.get("prefix", "")

    # what acts are made of

    def read_body(self, upto=None):
        """Read the body, or so many bytes of it."""
        want = self.length if upto is None else min(upto, self.length)
        if want > len(self.body):
            self.body += self.connection.read(want - len(self.body))
        return self.body

    def perform(self):
        """Read what is left of the request, do it, and return the model's answer."""
        self.read_body()
        self.answer = self.bucket.perform(self)
        self._own = self.answer.raw()
        return self.answer

    def send(self, data):
        """Bytes to the client, whatever they are."""
        self.connection.send(data)
        self.sent += data[:KEPT - len(self.sent)]
        self.n_sent += len(data)
        self._sum.update(data)

    def reply(self, answer=None):
        """Send an answer whole; the model's if none is given."""
        self.send((answer or self.answer or self.perform()).raw())

    def hang_up(self):
        """End the connection in order (FIN)."""
        self.lost = True
        raise Lost

    def reset(self):
        """End the connection with RST."""
        self.lost = True
        self.connection.abort()
        raise Lost

    def stall(self, seconds=None):
        """Do nothing so long, or until the rule is lifted; ends early when the client goes."""
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or time.monotonic() < end:
            if self.rule is not None and self.rule.lifted:
                return
            if self.bucket.closed or self.connection.peer_left(0.05):
                self.hang_up()

    def end(self):
        """What was large is not kept."""
        self.ended, self.body = time.monotonic(), b""
        if self.n_sent > 0 and self.n_sent == len(self._own):
            self.whole = self.whole or self._sum.digest() == hashlib.blake2b(self._own).digest()
        self.lost, self._own = self.lost and not self.whole, b""
        if self.answer is not None:
            self.answer.body = self.answer.body[:KEPT]

    # what checkers ask

    def status(self):
        """The status that went out, whoever made it; None if none did."""
        match = re.match(rb"(?:HTTP/1\.1 1\d\d [^\n]*\r\n\r\n)*HTTP/1\.\d (\d{3})", self.sent)
        return int(match[1]) if match else None

    def proves_absence(self):
        """A whole answer that says NoSuchKey, and no delete marker."""
        head = bytes(self.sent).partition(b"\r\n\r\n")[0].lower()
        return (self.kind == "get" and not self.lost and self.status() == 404
                and b"<Code>NoSuchKey</Code>" in self.sent
                and b"x-amz-delete-marker" not in head)

    def is_success(self):
        return not self.lost and (self.status() or 0) // 100 == 2


class Connection:
    """A client's connection; bytes in and out, plain or TLS."""

    def __init__(self, bucket, sock):
        self.bucket, self.sock, self.buffer = bucket, sock, b""
        self.over = False       # no further request
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handshake(self):
        if self.bucket.context is not None:
            self.sock.settimeout(30)
            self.sock = self.bucket.context.wrap_socket(self.sock, server_side=True)

    def fill(self):
        # a client that is silent is waited for; the end of the bucket shuts the socket down
        self.sock.settimeout(None)
        data = self.sock.recv(262144)
        if not data:
            raise Lost
        return data

    def read(self, n):
        pieces, have = [self.buffer], len(self.buffer)
        while have < n:
            pieces.append(self.fill())
            have += len(pieces[-1])
        data = b"".join(pieces)
        self.buffer = data[n:]
        return data[:n]

    def read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > HEAD_MAX:
                raise Lost
            self.buffer += self.fill()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    def send(self, data):
        self.sock.settimeout(None)
        self.sock.sendall(data)

    def peer_left(self, timeout):
        """Nothing is to be expected from a client that waits for its answer but its end."""
        if self.buffer:
            time.sleep(timeout)
            return False
        if isinstance(self.sock, ssl.SSLSocket):
            return bool(select.select([self.sock], [], [], timeout)[0])
        if not select.select([self.sock], [], [], timeout)[0]:
            return False
        with contextlib.suppress(BlockingIOError):
            if self.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                time.sleep(timeout)
                return False
        return True

    def abort(self):
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.close()

    def shut(self):
        """From another thread: whoever reads or writes here gets an end."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


class Rule:
    """An act and the requests it is for; hits are the exchanges it took over."""

    def __init__(self, act, kind, key, skip, times):
        self.act, self.kind, self.key, self.skip, self.times = act, kind, key, skip, times
        self.hits, self.lifted = [], False

    def lift(self):
        """No further request; what stalls goes on."""
        self.lifted = True

    def takes(self, exchange):
        kinds = (self.kind or "put get head list delete").split()
        if self.lifted or exchange.kind not in kinds or not fnmatch.fnmatchcase(
                exchange.key, self.key):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None and len(self.hits) >= self.times:
            return False
        self.hits.append(exchange)
        return True


class Bucket(contextlib.AbstractContextManager):
    """One bucket behind one loopback port.

    forbids: actions answered with 403 AccessDenied: "put", "get", "list", "delete", and "absent"
    for a get of what is not there, as without ListBucket. condition: what becomes of
    If-None-Match: "kept", or "ignored". keeps_hidden: a delete marker does not free its key.
versioned: a delete leaves a marker, a put over something leaves it underneath. clock_s: its
    clock is ahead so far. stale: what was stored is not listed. delay_s: it
    thinks so long before each answer. spoils: it stores other bytes than it got. exists=False:
    every request is answered with NoSuchBucket. receive_buffer: bytes the kernel may take ahead. credentials: {id: secret or (secret, token)}."""

    def __init__(self, name="bucket", region="us-east-1", root="root", versioned=False,
                 certificate=None, ca_file=None, tls=None, host="127.0.0.1", **properties):
        self.name, self.region, self.root, self.versioned = name, region, root, versioned
        self.forbids, self.condition, self.keeps_hidden = (), "kept", False
        self.clock_s, self.stale, self.delay_s = 0, False, 0
        self.spoils, self.exists, self.receive_buffer = False, True, None
        self.credentials = {ACCESS: SECRET}
        for key, value in properties.items():
            if not hasattr(self, key):
                raise TypeError("no property %s" % key)
            setattr(self, key, value)
        self.lock = threading.RLock()
        self.journal, self.exchanges, self.rules = [], [], []
        self.wrong = []     # errors of the model and of acts; the end of the check raises the first
        self.requests = collections.Counter()   # (method, key); may be cleared
        self.connections, self.n_connections, self.closed = set(), 0, False
        self._blobs, self._keys, self._dice, self._standing = {}, {}, None, None
        self.host, self.ca_file, self.context = host, ca_file, tls
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self.port, self.listener, self.reserved = 0, None, None
        self.up()

    def __setattr__(self, name, value):
        """fault = None would be a method lost, and no fault ended."""
        if callable(getattr(type(self), name, None)):
            raise AttributeError("%s is a method" % name)
        super().__setattr__(name, value)

    def __exit__(self, *exc):
        self.closed = True
        self.down()
        if self.wrong and exc == (None, None, None):
            raise self.wrong[0]

    # the network

    def up(self):
        """Listen, always on the same port."""
        if self.listener is None:
            reserved, self.reserved = self.reserved, None
            if reserved is not None:
                reserved.close()
            self.listener = socket.create_server((self.host, self.port), backlog=256,
                                                 family=self._family())
            if self.receive_buffer:
                self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
            self.port = self.listener.getsockname()[1]
            threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def down(self):
        """Refuse connections, and break those there are."""
        listener, self.listener = self.listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            if not self.closed:
                # bound and deaf: nobody else, as another model, gets the port meanwhile
                self.reserved = socket.socket(self._family())
                self.reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.reserved.bind((self.host, self.port))
        elif self.closed and self.reserved is not None:
            self.reserved.close()
        self.drop()

    def _family(self):
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    def drop(self):
        """Break all connections."""
        with self.lock:
            connections = list(self.connections)
        for connection in connections:
            connection.shut()

    def endpoint(self):
        host = "[%s]" % self.host if ":" in self.host else self.host
        return "%s://%s:%d" % ("https" if self.context else "http", host, self.port)

    def store(self, name, **settings):
        """A store for seawall.Setup that leads here; run programs with ENV."""
        store = dict(name=name, url="s3://%s/%s" % (self.name, self.root), path_style=True,
                     region=self.region, endpoint=self.endpoint())
        if self.context is None:
            store["allow_http"] = True
        elif self.ca_file:
            store["ca_file"] = str(self.ca_file)
        return dict(store, **settings)

    def _accept(self, listener):
        while not self.closed:
            try:
                sock = listener.accept()[0]
            except OSError:
                return
            connection = Connection(self, sock)
            with self.lock:
                self.connections.add(connection)
                self.n_connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            self._greet(connection)
            while not self.closed:
                head = connection.read_head()
                self._exchange(connection, head)
        except (Lost, OSError):
            pass
        except Exception as wrong:
            self.wrong.append(wrong)
        finally:
            with self.lock:
                self.connections.discard(connection)
            connection.close()

    def _greet(self, connection):
        """A rule for connections acts before TLS."""
        exchange = Exchange(self, connection, -1)
        self._take_rule(exchange)
        if exchange.rule is not None:
            with self.lock:
                self.exchanges.append(exchange)
            self._run(exchange)
        connection.handshake()

    def _exchange(self, connection, head):
        exchange = Exchange(self, connection, 0)
        exchange.parse(head)
        with self.lock:
            exchange.number = len(self.exchanges)
            self.exchanges.append(exchange)
            self.requests[exchange.method, "" if exchange.kind == "list" else exchange.key] += 1
            self._take_rule(exchange)
        self._run(exchange)
        if connection.over:
            raise Lost

    def _take_rule(self, exchange):
        with self.lock:
            exchange.rule = next((r for r in self.rules if r.takes(exchange)), None)
            if exchange.rule is not None:
                exchange.fault = exchange.rule.act.__name__
            elif self._dice is not None and exchange.kind != "connect":
                act = self._dice(exchange)
                if act is not None:
                    exchange.rule = Rule(act, None, "*", 0, None)
                    exchange.fault = act.__name__

    def _run(self, exchange):
        try:
            if exchange.rule is not None:
                exchange.rule.act(exchange)
            if exchange.kind == "connect" or exchange.n_sent > 0:
                return
            # an act that only watched or waited leaves the answer to the model
            if self.delay_s:
                exchange.stall(self.delay_s)
            exchange.reply()
        except OSError:
            exchange.lost = True
            raise
        finally:
            exchange.end()

    # misbehaviour

    def fault(self, act, kind=None, key="*", skip=0, times=None):
        """Let an act have the requests of these kinds ("put get") whose key matches, after `skip`
        and at most `times` of them. The rule made first wins."""
        rule = Rule(act, kind, key, skip, times)
        with self.lock:
            self.rules.append(rule)
        return rule

    def behave(self, way=None):
        """From now on, until it is told otherwise, this for every request: "busy" 503, "closes"
        hangs up when the request has come, "hangs" answers when it behaves otherwise, "cuts" ends
        bodies in their middle."""
        import s3faults
        if self._standing is not None:
            self._standing.lift()
        self._standing = self.fault(s3faults.standing(way)) if way else None

    def lift(self):
        """End all faults, scripted and random."""
        with self.lock:
            for rule in self.rules:
                rule.lift()
            self.rules, self._dice, self._standing = [], None, None

    def random_faults(self, seed, share=0.1, acts=None):
        """Each request meets one of the acts ({name: act}; s3faults.random_acts()) with probability
        `share`. Which one depends on seed, name of the bucket and number of the request."""
        import s3faults
        names = acts or s3faults.random_acts()

        def draw(exchange):
            dice = random.Random("%s %s %d" % (seed, self.name, exchange.number))
            if dice.random() >= share:
                return None
            return names[dice.choice(sorted(names))](dice)
        self._dice = draw

    # behind the back of the programs

    def put(self, key, data):
        """Store a version, whatever is there."""
        with self.lock:
            return self.keep(key, data, False, "test")

    def get(self, key):
        """The bytes a get would bring, or None."""
        with self.lock:
            version = self._current(key)
            return None if version is None or version.marker else self.data(version)

    def delete(self, key):
        """As a client without conditions deletes: a marker if versioned, else for good."""
        with self.lock:
            self._delete(key, "test")

    def hide(self, key):
        """Put a delete marker over a key, versioned or not."""
        with self.lock:
            self._add(Version(key, len(self.journal), b"", False, "test", marker=True))

    def erase(self, key):
        """Remove every version, as nobody can under Object Lock."""
        self._erase(key, "test")

    def _erase(self, key, by):
        with self.lock:
            for version in self._keys.get(key, []):
                version.remove(by)

    def restore(self, key):
        """Remove the delete markers of a key."""
        with self.lock:
            for version in self._keys.get(key, []):
                if version.marker:
                    version.remove("test")

    def rollback(self, moment):
        """Show the state of an earlier time.monotonic()."""
        with self.lock:
            for version in self.journal:
                if version.time > moment:
                    version.remove("test")

    @property
    def objects(self):
        """{key: bytes} of what is there now."""
        with self.lock:
            return {key: self.get(key) for key in self.keys()}

    def keys(self, prefix=""):
        """What a whole list shows, sorted."""
        with self.lock:
            return sorted((k for k in self._keys if k.startswith(prefix)
                           and self.get(k) is not None), key=str.encode)

    def versions(self, key):
        """Every version a key ever had, markers and what is gone too."""
        with self.lock:
            return list(self._keys.get(key, []))

    def data(self, version):
        return self._blobs[version.sha256]

    # S3

    def _current(self, key):
        for version in reversed(self._keys.get(key, [])):
            if version.gone is None:
                return version
        return None

    def _add(self, version):
        self.journal.append(version)
        self._keys.setdefault(version.key, []).append(version)
        return version

    def keep(self, key, data, conditional, by):
        """A new version, without any question."""
        version = Version(key, len(self.journal), data, conditional, by)
        self._blobs.setdefault(version.sha256, data)
        if not self.versioned:
            for old in self._keys.get(key, []):
                old.remove(by)
        return self._add(version)

    def _delete(self, key, by):
        if self.versioned:
            self._add(Version(key, len(self.journal), b"", False, by, marker=True))
        else:
            self._erase(key, by)

    def perform(self, exchange):
        """Do a request; returns the model's answer."""
        answer = self._authorize(exchange)
        if answer is None:
            with self.lock:
                answer = self._act(exchange)
        answer.headers.insert(0, ("Date", self.date()))
        answer.headers.insert(1, ("x-amz-request-id", "%08X" % exchange.number))
        answer.entity = answer.status != 204 and exchange.kind != "head"
        if answer.status != 204:
            answer.headers.append(("Content-Length", str(len(answer.body))))
        return answer

    def date(self):
        return email.utils.formatdate(time.time() + self.clock_s, usegmt=True)

    def _authorize(self, exchange):
        if not self.exists or exchange.bucket_name != self.name:
            return error(404, "NoSuchBucket", BucketName=exchange.bucket_name)
        headers = exchange.headers
        match = re.search(r"Credential=([^/]+)/\d+/([^/]+)/", headers.get("authorization", ""))
        if not match:
            return error(403, "AccessDenied")
        if match[2] != self.region:
            return error(400, "AuthorizationHeaderMalformed", Region=self.region)
        if match[1] not in self.credentials:
            return error(403, "InvalidAccessKeyId")
        secret = self.credentials[match[1]]
        secret, token = secret if isinstance(secret, tuple) else (secret, None)
        if headers.get("x-amz-security-token") != token:
            return error(400, "ExpiredToken" if token else "InvalidToken")
        with contextlib.suppress(ValueError):
            then = calendar.timegm(time.strptime(headers.get("x-amz-date", ""), "%Y%m%dT%H%M%SZ"))
            if abs(then - time.time() - self.clock_s) > SKEW_MAX_S:
                return error(403, "RequestTimeTooSkewed")
        if headers.get("x-amz-content-sha256") != hashlib.sha256(exchange.body).hexdigest():
            return error(400, "XAmzContentSHA256Mismatch")
        wrong = sigv4.verify(exchange.method, exchange.target, headers, exchange.body, match[1],
                             secret, self.region)
        return error(403, "SignatureDoesNotMatch", wrong) if wrong else None

    def _act(self, exchange):
        if exchange.kind in self.forbids:
            return error(403, "AccessDenied")
        if exchange.kind == "put":
            return self._put(exchange)
        if exchange.kind == "delete":
            self._delete(exchange.key, "client")
            return Answer(204)
        if exchange.kind == "list":
            return self._list(exchange.query)
        if exchange.kind in ("get", "head"):
            return self._get(exchange)
        return error(405, "MethodNotAllowed")

    def _put(self, exchange):
        condition = exchange.headers.get("if-none-match")
        now = self._current(exchange.key)
        if condition == "*" and self.condition == "kept" and now is not None and (
                not now.marker or self.keeps_hidden):
            return error(412, "PreconditionFailed")
        data = exchange.body
        if self.spoils:
            data = data[:-1] + bytes([data[-1] ^ 1]) if data else b"?"
        exchange.version = self.keep(exchange.key, data, condition == "*",
                                     "link" if self.spoils else "client")
        answer = Answer(200, b"", [("ETag", '"%s"' % hashlib.md5(exchange.body).hexdigest())])
        if self.versioned:
            answer.set("x-amz-version-id", exchange.version.id)
        return answer

    def _get(self, exchange):
        version = self._current(exchange.key)
        if version is None or version.marker:
            if "absent" in self.forbids:
                return error(403, "AccessDenied")
            answer = error(404, "NoSuchKey", Key=xml.sax.saxutils.escape(exchange.key))
            if version is not None:
                answer.headers += [("x-amz-delete-marker", "true"),
                                   ("x-amz-version-id", version.id)]
            return answer
        data = self.data(version)
        answer = Answer(200, data, [("ETag", '"%s"' % hashlib.md5(data).hexdigest()),
                                    ("Content-Type", "application/octet-stream")])
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", exchange.headers.get("range", ""))
        if span:
            first, last = int(span[1]), min(int(span[2]), len(data) - 1)
            if first >= len(data):
                return error(416, "InvalidRange")
            answer.status, answer.body = 206, data[first:last + 1]
            answer.set("Content-Range", "bytes %d-%d/%d" % (first, last, len(data)))
        return answer

    def _list(self, query):
        prefix, most = query.get("prefix", ""), int(query.get("max-keys", "1000"))
        after = max(query.get("start-after", ""), query.get("continuation-token", "")).encode()
        rows = []
        for key in sorted((k for k in self._keys if k.startswith(prefix)), key=str.encode):
            version = self._current(key)
            if self.stale or version is None or version.marker:
                continue
            if key.encode() > after:
                rows.append((key, version.size))
        return list_answer(self.name, prefix, rows[:most], len(rows) > most, most)


def list_answer(bucket, prefix, rows, more, most=1000, extra=""):
    """A ListBucketResult of (key, size) rows."""
    text = "".join(
        "<Contents><Key>%s</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        "<Size>%d</Size></Contents>" % (xml.sax.saxutils.escape(key), size) for key, size in rows)
    token = "<NextContinuationToken>%s</NextContinuationToken>" % xml.sax.saxutils.escape(
        rows[-1][0]) if more and rows else ""
    return Answer(200, (
        "<?xml version=\"1.0\"?><ListBucketResult><Name>%s</Name><Prefix>%s</Prefix>"
        "<KeyCount>%d</KeyCount><MaxKeys>%d</MaxKeys><IsTruncated>%s</IsTruncated>%s%s%s"
        "</ListBucketResult>" % (
            bucket, xml.sax.saxutils.escape(prefix), len(rows), most,
            "true" if more else "false", token, extra, text)).encode(),
        [("Content-Type", "application/xml")])
