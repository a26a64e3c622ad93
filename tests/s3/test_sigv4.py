# SPDX-License-Identifier: PostgreSQL
"""The test's own signer against the examples in Amazon's documentation of Signature Version 4
for S3 (sig-v4-header-based-auth), and its verifier."""
import datetime
import hashlib

import sigv4
import tap

ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = datetime.datetime(2013, 5, 24, tzinfo=datetime.timezone.utc)
HOST = "https://examplebucket.s3.amazonaws.com"
BODY = b"Welcome to Amazon S3."
EXAMPLES = [
    ("GET", "/test.txt", {"Range": "bytes=0-9"}, b"",
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
    ("PUT", "/test%24file.text", {"Date": "Fri, 24 May 2013 00:00:00 GMT",
                                  "x-amz-storage-class": "REDUCED_REDUNDANCY"}, BODY,
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
    ("GET", "/?lifecycle", {}, b"",
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
    ("GET", "/?max-keys=2&prefix=J", {}, b"",
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
]


def signed(method, target, headers, body):
    return sigv4.sign(method, HOST + target, headers, ACCESS, SECRET, "us-east-1",
                      hashlib.sha256(body).hexdigest(), NOW)


@tap.check("the examples of the specification have the documented signatures")
def _(t):
    for method, target, headers, body, want in EXAMPLES:
        got = signed(method, target, headers, body)["authorization"]
        t.equal(got.rpartition("=")[2], want, method + " " + target)


@tap.check("the verifier accepts what was signed and nothing else")
def _(t):
    for method, target, headers, body, _ in EXAMPLES:
        good = signed(method, target, headers, body)

        def verdict(method=method, target=target, headers=good, body=body, region="us-east-1",
                    secret=SECRET):
            return sigv4.verify(method, target, headers, body, ACCESS, secret, region)
        t.equal(verdict(), None, target)
        t.true(verdict(method="POST"), "other method")
        t.true(verdict(target=target + "&x=1" if "?" in target else "/y"), "other target")
        t.true(verdict(body=body + b"x"), "other body")
        t.true(verdict(region="eu-west-1"), "other region")
        t.true(verdict(secret=SECRET + "x"), "other secret")
        t.true(verdict(headers=dict(good, host="evil")), "other host")
        t.true(verdict(headers=dict(good, **{"x-amz-acl": "public-read"})), "unsigned x-amz header")


tap.main()
