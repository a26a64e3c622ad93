# SPDX-License-Identifier: PostgreSQL
"""What the golden objects of format 1 hold. Never change: the objects are older than this file."""
import hashlib
import struct

SYSTEM_ID = 7413305566020948123
CREATED_US = 1780000000000000
SEGMENT = "000000010000000000000007"
HISTORY = "00000002.history"
NAMES = {
    SEGMENT: f"main/{SYSTEM_ID}/wal/00000001/00000000/{SEGMENT}",
    HISTORY: f"main/{SYSTEM_ID}/history/{HISTORY}",
}
COMPRESSIONS = ("none", "lz4", "zstd")
ENCRYPTIONS = ("none", "age")
PAGE = 8192
SEGMENT_SIZE = 1 << 20
SHA256 = {
    SEGMENT: "7b8f1d84dc1c38c549f9b8436a0992eb5093fb302ad47243448c48458b1fe9b3",
    HISTORY: "dd77e64788ba3919e5cb291b614278e5ae6660630c192a8a6d1ec8ac29497a8c",
}


def segment():
    """1 MiB with the page headers of PostgreSQL 15 and bytes that compress about as WAL does."""
    pages = []
    for number in range(SEGMENT_SIZE // PAGE):
        address = 7 * SEGMENT_SIZE + number * PAGE
        if number == 0:
            header = struct.pack("<HHIQIIQII", 0xD110, 0x0002, 1, address, 0, 0, SYSTEM_ID,
                                 SEGMENT_SIZE, PAGE)
        else:
            header = struct.pack("<HHIQII", 0xD110, 0, 1, address, 0, 0)
        body = b"".join(hashlib.sha256(b"%d %d" % (number, i)).digest()[:8] + bytes([i]) * 120
                        for i in range(48))
        pages.append((header + body).ljust(PAGE, b"\0"))
    return b"".join(pages)


def history():
    """42 bytes, as PostgreSQL writes a timeline's parentage."""
    return b"1\t0/13000000\tno recovery target specified\n"


def contents():
    """Name of the file -> its bytes, checked against the digests above."""
    files = {SEGMENT: segment(), HISTORY: history()}
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != SHA256[name]:
            raise SystemExit(f"golden_files.py does not make {name} as it did")
    return files


def objects():
    """(file name of the object, name of the plain file, compression, encryption), all of them."""
    return [(f"{plain}.{compression}.{encryption}.obj", plain, compression, encryption)
            for plain in (SEGMENT, HISTORY)
            for compression in COMPRESSIONS
            for encryption in ENCRYPTIONS]
