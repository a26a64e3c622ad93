# SPDX-License-Identifier: PostgreSQL
"""fakes3.py: an S3 bucket in memory that can be told to behave as badly as real ones do.

    s3 = t.enter(fakes3.Bucket(overwrites=True))
    setup = seawall.Setup(t.dir, [s3.store("x")])

It checks no signatures (sigv4.py does) and knows one bucket, path style, without TLS.
"""
import collections
import contextlib
import email.utils
import hashlib
import http.server
import threading
import time
import urllib.parse
import xml.sax.saxutils

ENV = {"AWS_ACCESS_KEY_ID": "fake", "AWS_SECRET_ACCESS_KEY": "fakesecret"}


class Bucket(contextlib.AbstractContextManager):
    """overwrites: ignores If-None-Match; forbids: the names of actions answered with 403 ("put",
    "get", "list", "delete", "absent"); stale: objects are not listed; clock_s: seconds its clock
    is ahead; spoils: gives out other bytes than it got. hidden: keys that a delete marker hides: not
    listed, 404 with the marker; a put frees the key, or with keeps_hidden is told that it is taken.

    While it runs, fault can be set: "busy" answers 503, "closes" hangs up after the request, "hangs"
    answers nothing until fault is None again, "cuts" ends a body in its middle. delay_s: it thinks
    so long before each answer.
    requests counts (method, key) pairs."""

    def __init__(self, overwrites=False, forbids=(), stale=False, clock_s=0, spoils=False):
        self.overwrites, self.forbids, self.stale = overwrites, forbids, stale
        self.clock_s, self.spoils = clock_s, spoils
        self.fault, self.delay_s, self.closed = None, 0, False
        self.objects = {}
        self.hidden, self.keeps_hidden = set(), False
        self.requests = collections.Counter()
        bucket = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self):
                bucket.answer(self)

            do_GET = do_PUT = do_DELETE = do_HEAD = do

            def date_time_string(self, timestamp=None):
                return email.utils.formatdate(time.time() + bucket.clock_s, usegmt=True)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __exit__(self, *exc):
        self.closed = True
        self.server.shutdown()
        self.server.server_close()

    def store(self, name):
        """A store in seawall.Setup that leads here; run programs with ENV."""
        return dict(name=name, url="s3://bucket/root", path_style=True, allow_http=True,
                    endpoint="http://127.0.0.1:%d" % self.server.server_address[1])

    def answer(self, request):
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        if len(body) < length:
            # the connection was lost; nobody stores half of a request
            request.close_connection = True
            return
        path, _, text = request.path.partition("?")
        query = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        key = urllib.parse.unquote(path)[len("/bucket"):].lstrip("/")
        self.requests[request.command, key] += 1
        time.sleep(self.delay_s)
        while self.fault == "hangs" and not self.closed:
            time.sleep(0.02)
        if self.fault == "closes":
            request.close_connection = True
            return
        if self.fault == "busy":
            status, data = self.error(503, "SlowDown")
        elif request.command == "PUT":
            status, data = self.put(key, body, request.headers.get("If-None-Match"))
        elif request.command == "DELETE":
            status, data = self.delete(key)
        elif key == "":
            status, data = self.list(query)
        else:
            status, data = self.get(key)
        span = request.headers.get("Range")
        request.send_response(206 if span and status == 200 else status)
        if span and status == 200:
            first, last = (int(n) for n in span[len("bytes="):].split("-"))
            request.send_header("Content-Range", "bytes %d-%d/%d" % (
                first, min(last, len(data) - 1), len(data)))
            data = data[first:last + 1]
        if request.command == "PUT" and status == 200:
            request.send_header("ETag", '"%s"' % hashlib.md5(body).hexdigest())
        if status == 404 and key in self.hidden:
            request.send_header("x-amz-delete-marker", "true")
        if status != 204:
            request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if request.command != "HEAD":
            # who has lost patience is gone
            with contextlib.suppress(ConnectionError):
                if self.fault == "cuts" and len(data) > 1000:
                    data, request.close_connection = data[:len(data) // 2], True
                request.wfile.write(data)

    @staticmethod
    def error(status, code):
        return status, ("<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>no</Message>"
                        "</Error>" % code).encode()

    def put(self, key, body, condition):
        if "put" in self.forbids:
            return self.error(403, "AccessDenied")
        taken = key in self.objects or (key in self.hidden and self.keeps_hidden)
        if condition == "*" and taken and not self.overwrites:
            return self.error(412, "PreconditionFailed")
        self.objects[key] = body
        self.hidden.discard(key)
        return 200, b""

    def get(self, key):
        if "get" in self.forbids or (key not in self.objects and "absent" in self.forbids):
            return self.error(403, "AccessDenied")
        if key not in self.objects:
            return self.error(404, "NoSuchKey")
        data = self.objects[key]
        return 200, data[:-1] + b"?" if self.spoils else data

    def delete(self, key):
        if "delete" in self.forbids:
            return self.error(403, "AccessDenied")
        self.objects.pop(key, None)
        return 204, b""

    def list(self, query):
        if "list" in self.forbids:
            return self.error(403, "AccessDenied")
        keys = [] if self.stale else sorted(
            key for key in self.objects if key.startswith(query.get("prefix", ""))
            and key > query.get("start-after", ""))
        most = int(query.get("max-keys", "1000"))
        more, keys = len(keys) > most, keys[:most]
        token = "<NextContinuationToken>more</NextContinuationToken>" if more else ""
        rows = token + "".join(
            "<Contents><Key>%s</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            "<Size>%d</Size></Contents>" % (xml.sax.saxutils.escape(key), len(self.objects[key]))
            for key in keys)
        return 200, ("<?xml version=\"1.0\"?><ListBucketResult><Name>bucket</Name><Prefix>%s"
                     "</Prefix><KeyCount>%d</KeyCount><MaxKeys>%d</MaxKeys><IsTruncated>%s"
                     "</IsTruncated>%s</ListBucketResult>" % (
                         xml.sax.saxutils.escape(query.get("prefix", "")), len(keys), most,
                         "true" if more else "false", rows)).encode()
