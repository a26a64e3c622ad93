# SPDX-License-Identifier: PostgreSQL
"""madewal.py: small WAL segments made by hand that PostgreSQL 15 would replay.

    data = madewal.segment(7)                    7 of timeline 1; follows madewal.segment(6)
"""
import struct

import seawall

SIZE = 1 << 20
PAGE = 8192
WHEN = 1795361760  # of commits, unless told: the same content each time
NOOP, RESTORE_POINT, SWITCH, COMMIT = (0, 0x20), (0, 0x70), (0, 0x40), (1, 0x00)
POSTGRES_EPOCH = 946684800


def record(data=b"", kind=NOOP, xid=0, prev=0):
    """A WAL record with main data, its CRC right. kind: resource manager and info."""
    body = b"" if not data else struct.pack("=BI", 254, len(data)) + data
    head = struct.pack("=IIQBB2x", 24 + len(body), xid, prev, kind[1], kind[0])
    return head + struct.pack("=I", seawall.crc32c(body + head)) + body


def pg_time(seconds):
    return struct.pack("=q", int((seconds - POSTGRES_EPOCH) * 1000000))


# where the records of segment() begin
FILLER_AT, COMMIT_AT, POINT_AT, SWITCH_AT = 0x28, 0x248, 0x270, 0x2D8


def xid_of(number):
    """The transaction that commits in segment(number)."""
    return 700 + 5 * number


def segment(number, timeline=1, system_id=seawall.SYSTEM_ID, when=None, prev=None):
    """A segment as a server writes it: a commit of xid_of(number), the restore point
    "point <number>", a switch; linked to the segment before, or to the record at prev."""
    when = WHEN if when is None else when
    out = bytearray(struct.pack("=HHIQI4xQII", 0xD110, 2, timeline, number * SIZE, 0, system_id,
                                SIZE, PAGE))
    prev = max(number - 1, 0) * SIZE + SWITCH_AT if prev is None else prev
    name = b"point %d" % number
    for at, kind, xid, data in (
            (FILLER_AT, NOOP, 0, bytes(COMMIT_AT - FILLER_AT - 32)),
            (COMMIT_AT, COMMIT, xid_of(number), pg_time(when)),
            (POINT_AT, RESTORE_POINT, 0, pg_time(when) + name.ljust(64, b"\0")),
            (SWITCH_AT, SWITCH, 0, b"")):
        out.extend(bytes(at - len(out)))
        out.extend(record(data, kind, xid, prev))
        prev = number * SIZE + at
    return bytes(out) + bytes(SIZE - len(out))
