# SPDX-License-Identifier: PostgreSQL
"""The store contract of the unit tests, on a real S3 service over TLS."""
import contextlib
import os
import pathlib
import re
import tempfile

import radosgw
import seawall
import tap


@contextlib.contextmanager
def one_service():
    with tempfile.TemporaryDirectory(prefix="rgw", dir="/tmp", ignore_cleanup_errors=True) as d:
        with radosgw.Radosgw(pathlib.Path(d) / "a", region="eu-west-3") as gw:
            yield gw


service = tap.shared(one_service)


@tap.check("every promise of the store contract holds on an S3 bucket")
def _(t):
    gw = service()
    bucket = gw.create_bucket("contract")
    store = gw.store("s3", bucket, "root-%d" % os.getpid())
    result = t.run([seawall.program("test_store_contract")], timeout=300, env={
        "SEAWALL_TEST_S3_URL": store["url"], "SEAWALL_TEST_S3_ENDPOINT": store["endpoint"],
        "SEAWALL_TEST_S3_CA_FILE": str(store["ca_file"]), "SEAWALL_TEST_S3_REGION": store["region"],
        "SEAWALL_TEST_S3_ACCESS_KEY_ID": store["access_key_id"],
        "SEAWALL_TEST_S3_SECRET_ACCESS_KEY": store["secret_access_key"],
        "SEAWALL_TEST_S3_PATH_STYLE": "1", "CMOCKA_MESSAGE_OUTPUT": "TAP"})
    t.equal(result.code, 0, result.out + result.err)
    on_s3 = len(re.findall(r"^ok .*s3", result.out, re.M))
    t.true(on_s3 >= 20, "checks on S3, not only on a directory: %d\n%s" % (on_s3, result.out))


tap.main()
