# SPDX-License-Identifier: PostgreSQL
"""sigv4.py: AWS Signature Version 4 and a small S3 client, from Amazon's specification.

A second implementation: tests use it to look into a bucket behind the back of the programs, and
verify() checks signatures that the programs made.
"""
import collections
import datetime
import hashlib
import hmac
import http.client
import re
import ssl
import urllib.parse
import xml.etree.ElementTree

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"

Response = collections.namedtuple("Response", "status headers body")
Version = collections.namedtuple("Version", "key version_id latest marker size")


def quote(text, safe=""):
    """Percent-encoding with upper-case digits of everything but A-Za-z0-9-._~ and safe."""
    return urllib.parse.quote(text, safe=safe + "~")


def canonical_query(query):
    """query: pairs of decoded names and values."""
    return "&".join("%s=%s" % pair for pair in sorted((quote(k), quote(v)) for k, v in query))


def canonical_request(method, path, query, headers, signed, payload_hash):
    """path is percent-encoded as sent (S3 encodes once); headers is a dict with lower-case
    names; signed lists the names that are signed."""
    names = sorted(signed)
    lines = "".join("%s:%s\n" % (n, re.sub(" +", " ", headers[n].strip())) for n in names)
    return "\n".join([method, path or "/", canonical_query(query), lines, ";".join(names),
                      payload_hash])


def signing_key(secret, date, region, service="s3"):
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def signature(secret, timestamp, region, request, service="s3"):
    """The signature of a canonical request at a timestamp like 20130524T000000Z."""
    date = timestamp[:8]
    text = "\n".join(["AWS4-HMAC-SHA256", timestamp, "%s/%s/%s/aws4_request" % (
        date, region, service), hashlib.sha256(request.encode()).hexdigest()])
    return hmac.new(signing_key(secret, date, region, service), text.encode(),
                    hashlib.sha256).hexdigest()


def sign(method, url, headers, access_key, secret_key, region, payload_hash=EMPTY_SHA256,
         now=None, token=None, service="s3"):
    """The headers (lower case) with host, x-amz-* and authorization added; all are signed."""
    parts = urllib.parse.urlsplit(url)
    now = now or datetime.datetime.now(datetime.timezone.utc)
    timestamp = now.strftime("%Y%m%dT%H%M%SZ")
    full = {name.lower(): str(value) for name, value in headers.items()}
    full.update({"host": parts.netloc, "x-amz-date": timestamp,
                 "x-amz-content-sha256": payload_hash})
    if token:
        full["x-amz-security-token"] = token
    query = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
    request = canonical_request(method, parts.path, query, full, full, payload_hash)
    full["authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, " \
        "SignedHeaders=%s, Signature=%s" % (
            access_key, timestamp[:8], region, service, ";".join(sorted(full)),
            signature(secret_key, timestamp, region, request, service))
    return full


def verify(method, target, headers, body, access_key, secret_key, region, service="s3"):
    """Check a request as it was received (target: path and query of the request line; body None:
    the body is not looked at). Returns None when it is signed correctly, else what is wrong."""
    headers = {name.lower(): value for name, value in headers.items()}
    match = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([^/, ]+)/([^/, ]+)/aws4_request, ?"
        r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})",
        headers.get("authorization", ""))
    if not match:
        return "authorization header: %r" % headers.get("authorization")
    if match[1] != access_key or match[3] != region or match[4] != service:
        return "scope: %s" % match[0]
    timestamp = headers.get("x-amz-date", "")
    if not re.fullmatch(r"\d{8}T\d{6}Z", timestamp) or timestamp[:8] != match[2]:
        return "x-amz-date: %r" % timestamp
    signed = match[5].split(";")
    if signed != sorted(set(signed)) or any(name not in headers for name in signed):
        return "signed headers: %s" % match[5]
    for name in headers:
        if (name == "host" or name.startswith("x-amz-")) and name not in signed:
            return "%s is not signed" % name
    payload_hash = headers.get("x-amz-content-sha256", "")
    if body is not None and payload_hash not in (UNSIGNED, hashlib.sha256(body).hexdigest()):
        return "x-amz-content-sha256 is not the body's"
    path, _, query = target.partition("?")
    request = canonical_request(
        method, path, urllib.parse.parse_qsl(query, keep_blank_values=True), headers, signed,
        payload_hash)
    want = signature(secret_key, timestamp, region, request, service)
    if hmac.compare_digest(want, match[6]):
        return None
    return "signature; canonical request:\n" + request


def error_code(response):
    """The Code of an S3 error document, or None."""
    match = re.search(rb"<Code>([^<]*)</Code>", response.body)
    return match[1].decode() if match else None


class S3:
    """A client of one endpoint, path style, one connection per request."""

    def __init__(self, endpoint, access_key, secret_key, region="us-east-1", ca_file=None,
                 timeout=60):
        self.endpoint, self.region, self.timeout = endpoint.rstrip("/"), region, timeout
        self.access_key, self.secret_key = access_key, secret_key
        self.context = ssl.create_default_context(cafile=ca_file) if endpoint.startswith(
            "https:") else None

    def request(self, method, bucket, key="", query=None, headers=None, body=b"", anonymous=False,
                **sign_options):
        path = "/" + bucket + ("/" + quote(key, "/") if key else "")
        text = canonical_query((query or {}).items())
        url = self.endpoint + path + ("?" + text if text else "")
        headers = dict(headers or {})
        if not anonymous:
            headers = sign(method, url, headers, self.access_key, self.secret_key,
                           sign_options.pop("region", self.region),
                           hashlib.sha256(body).hexdigest(), **sign_options)
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=self.timeout, context=self.context) \
            if self.context else http.client.HTTPConnection(
                parts.hostname, parts.port, timeout=self.timeout)
        try:
            connection.request(method, path + ("?" + text if text else ""), body or None, headers)
            answer = connection.getresponse()
            return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()},
                            answer.read())
        finally:
            connection.close()

    def put(self, bucket, key, body, **headers):
        """Underscores in header names stand for hyphens: if_none_match="*"."""
        return self.request("PUT", bucket, key, body=body,
                            headers={k.replace("_", "-"): v for k, v in headers.items()})

    def get(self, bucket, key, **headers):
        return self.request("GET", bucket, key,
                            headers={k.replace("_", "-"): v for k, v in headers.items()})

    def head(self, bucket, key):
        return self.request("HEAD", bucket, key)

    def delete(self, bucket, key, version_id=None):
        return self.request("DELETE", bucket, key, {"versionId": version_id} if version_id else {})

    def _pages(self, bucket, query, item):
        while True:
            response = self.request("GET", bucket, "", query)
            if response.status != 200:
                raise OSError("list of %s: %d %s" % (bucket, response.status, error_code(response)))
            root = xml.etree.ElementTree.fromstring(response.body)
            for element in root.iter():
                element.tag = element.tag.rpartition("}")[2]
            yield from item(root)
            if root.findtext("IsTruncated") != "true":
                return
            for name, source in (("continuation-token", "NextContinuationToken"),
                                 ("key-marker", "NextKeyMarker"),
                                 ("version-id-marker", "NextVersionIdMarker")):
                if root.findtext(source):
                    query[name] = root.findtext(source)

    def keys(self, bucket, prefix=""):
        """All keys, sorted as the server does."""
        return list(self._pages(bucket, {"list-type": "2", "prefix": prefix},
                                lambda root: [c.findtext("Key") for c in root.iter("Contents")]))

    def versions(self, bucket, prefix=""):
        """All versions and delete markers."""
        return list(self._pages(
            bucket, {"versions": "", "prefix": prefix},
            lambda root: [Version(v.findtext("Key"), v.findtext("VersionId"),
                                  v.findtext("IsLatest") == "true", v.tag == "DeleteMarker",
                                  int(v.findtext("Size") or 0))
                          for v in root if v.tag in ("Version", "DeleteMarker")]))
