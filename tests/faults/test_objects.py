# SPDX-License-Identifier: PostgreSQL
"""What is stored is not what it should be: other objects under a name, cut and rearranged ones,
keys nobody knows, later formats. Nothing of it is ever restored, or taken for the end."""
import base64
import re

import archived
import faultbench
import seawall
import tap
from faultbench import LONG, Bench, scenario

CHUNK = 65536 + 16
HISTORY = b"1\t0/780000\tno recovery target specified\n"


def stood(t, bench, number, data, fetch=201, says=None, push=(12, 15), agent=None):
    """With these bytes under the name, neither hook says anything good."""
    bench.s3.put(bench.key(number), data)
    bench.fetch(number, code=fetch, says=says, agent=agent)
    if push is not None:
        bench.push(number, code=push, agent=agent)
        t.equal(bench.s3.get(bench.key(number)), data, "nothing was overwritten")


def restored(bench, *numbers):
    """Put the first version back, and finish."""
    for number in numbers:
        bench.s3.put(bench.key(number), bench.s3.data(bench.s3.versions(bench.key(number))[0]))
    bench.finish()


# F6

def others(bench):
    """{what: bytes} of valid objects that belong elsewhere."""
    found = {"another segment": bench.s3.get(bench.key(3))}
    bench.push("00000002.history", code=0, data=HISTORY)
    found["a history file"] = bench.s3.get(bench.key("00000002.history"))
    name = "000000020000000000000002"
    bench.push(name, code=0, data=seawall.segment(2, timeline=2, size=faultbench.MIB))
    found["another timeline's"] = bench.s3.get(bench.key(name))
    bench.push(bench.name(2) + ".partial", code=0, data=faultbench.segment(2))
    found["a partial segment"] = bench.s3.get(bench.key(bench.name(2) + ".partial"))
    found["the probe"] = bench.s3.get("root/main/probe/conditional")
    here = bench.s3.get(bench.key(2))
    bench.setup.write(cluster="second")
    bench.run(bench.setup.argv("seawall-push", bench.pgdata.write(bench.name(2), here and
                                                                  faultbench.segment(2))))
    bench.setup.write(cluster="main")
    found["another cluster's"] = bench.s3.get(bench.key(2).replace("/main/", "/second/"))
    return found


def planted(agent):
    @scenario("F6: a valid object of another name, timeline, cluster or kind: 201%s" % (
        ", through the agent" if agent else ""))
    def _(t):
        bench = Bench(t, agent=agent, spool_max=0)
        for number in (1, 2, 3):
            bench.push(number, code=0)
        for what, data in others(bench).items():
            t.true(data, what)
            stood(t, bench, 2, data)
        restored(bench, 2)


planted(False)
planted(True)


@scenario("F6: a valid object of another server: 201")
def _(t):
    bench = Bench(t)
    bench.push(2, code=0)
    other = seawall.Pgdata(t.dir / "other", segment_size=faultbench.MIB, system_id=5)
    result = bench.setup.push(other, other.write_segment(2), env=bench.env)
    t.equal(result.code, 0, result.err)
    stood(t, bench, 2, bench.s3.get(bench.key(2).replace(str(bench.pgdata.system_id), "5")))
    restored(bench, 2)


@scenario("F6: a valid object of a repository with other keys: 202 with the key's id, push 12")
def _(t):
    bench = Bench(t)
    bench.push(2, code=0)
    stranger = seawall.Setup(subdirectory(t, "stranger"), [dict(
        bench.stores[0], url="s3://region-a/other")])
    result = stranger.push(bench.pgdata, bench.pgdata.write(bench.name(2), faultbench.segment(2)),
                           env=bench.env)
    t.equal(result.code, 0, result.err)
    data = bench.s3.get(bench.key(2).replace("root/", "other/"))
    stood(t, bench, 2, data, fetch=202, says="writer", push=12)
    restored(bench, 2)


def subdirectory(t, name):
    place = t.dir / name
    place.mkdir()
    return place


# F7

@scenario("F7: an object cut at any length, or longer than it was: 201 each time")
def _(t):
    bench = Bench(t)
    name = "00000002.history"
    bench.push(name, code=0, data=HISTORY)
    data = bench.s3.get(bench.key(name))
    for size in range(0, len(data), 1 if LONG else 13):
        stood(t, bench, name, data[:size], push=None)
    for size in (0, 1, len(data) // 2, len(data) - 1):
        stood(t, bench, name, data[:size])
    for more in (b"\0", b"\n", b"x" * 100, data, bytes(CHUNK)):
        stood(t, bench, name, data + more)
    restored(bench, name)


def pieces(data):
    """The header of an age file (with the nonce) and its chunks."""
    start = data.index(b"\n--- ")
    start = data.index(b"\n", start + 1) + 1 + 16
    return data[:start], [data[i:i + CHUNK] for i in range(start, len(data), CHUNK)]


@scenario("F7: chunks of a segment's object swapped, dropped, repeated, cut: 201 each time")
def _(t):
    bench = Bench(t, compression="none")
    bench.push(1, code=0)
    bench.push(2, code=0)
    data = bench.s3.get(bench.key(1))
    head, chunks = pieces(data)
    other = pieces(bench.s3.get(bench.key(2)))[1]
    t.true(len(chunks) > 10, "chunks: %d" % len(chunks))
    orders = {
        "swapped": chunks[:3] + [chunks[4], chunks[3]] + chunks[5:],
        "the last one first": chunks[-1:] + chunks[:-1],
        "one dropped": chunks[:5] + chunks[6:],
        "the last dropped": chunks[:-1],
        "repeated": chunks[:5] + chunks[4:],
        "the last twice": chunks + chunks[-1:],
        "one of another object": chunks[:5] + [other[5]] + chunks[6:],
        "none": [],
        "cut inside": chunks[:5] + [chunks[5][:-1]],
        "its tag missing": chunks[:-1] + [chunks[-1][:-16]],
        "an empty last one": chunks[:-1] + [chunks[-1], b""] + [bytes(16)],
    }
    for what, order in orders.items():
        t.true(order != chunks, what)
        stood(t, bench, 1, head + b"".join(order))
    for at in range(len(head), len(data), CHUNK):
        for size in (at - 1, at, at + 1, at + 16):
            if size < len(data):
                stood(t, bench, 1, data[:size], push=None)
    restored(bench, 1)


@scenario("F7: the same without encryption")
def _(t):
    bench = Bench(t)
    bench.setup.write(encryption="none")
    bench.push(1, code=0)
    data = bench.s3.get(bench.key(1))
    for size in sorted({0, 1, 7, 8, 100, 250, len(data) // 2, len(data) - 4, len(data) - 1}
                       | set(range(0, len(data), 501 if LONG else 20011))):
        stood(t, bench, 1, data[:size], push=None)
    for more in (b"\0", data, b"\x5e\x2a\x4d\x18\0\0\0\0"):
        stood(t, bench, 1, data + more)
    half = len(data) // 2
    stood(t, bench, 1, data[:300] + data[half:] + data[300:half])
    restored(bench, 1)


# F8

def keyring(name, change, says, push=None):
    """A fetch whose keys were changed: 202 that names what is missing, never 1."""
    @scenario("F8: %s: 202 with the next step, never 1" % name)
    def _(t):
        for agent in (False, True):
            place = subdirectory(t, "agent" if agent else "alone")
            check = tap.Check(t.name, place)
            t.defer(check.close)
            bench = Bench(check, agent=agent)
            bench.push(1, code=0)
            before = dict(bench.setup.settings)
            identity = bench.setup.dir / "identity.txt"
            good = identity.read_bytes()
            text = change(check, bench)
            bench.fetch(1, code=202, says=says if text is None else text)
            if push is not None:
                bench.push(1, code=push)
            archived.rewrite(identity, good)
            bench.setup.write(**dict({"writers": None}, **before))
            bench.finish()


def other_identity(t, bench):
    archived.rewrite(bench.setup.dir / "identity.txt", tap.run(["age-keygen"]).out.encode())


def stranger_key(t):
    return archived.writer_public(seawall.Setup(subdirectory(t, "x"), [
        seawall.dir_store("x", t.dir / "store")]))


def unknown_writer(t, bench):
    """The message has the id that the seal says."""
    seal = re.search(rb"seawall-seal 1\n(.*?)\n-> ", bench.s3.get(bench.key(1)), re.S)[1]
    seal = base64.b64decode(seal.replace(b"\n", b"") + b"===")
    bench.setup.write(writers=[stranger_key(t)])
    return seal[40:48].hex()


keyring("an identity that opens nothing", other_identity, "no identity")
keyring("a writer key nobody knows, by its id", unknown_writer, None, push=0)


@scenario("F8: a signer that was replaced and taken out of the list: 202, never 1; push 12")
def _(t):
    bench = Bench(t)
    bench.push(1, code=0)
    old = archived.writer_public(bench.setup)
    good = (bench.setup.dir / "writer.key").read_bytes()
    key = bench.setup.dir / "writer.key"
    key.unlink()
    seawall.make_keys(subdirectory(t, "new"))
    key.write_bytes((t.dir / "new" / "writer.key").read_bytes())
    key.chmod(0o600)
    bench.fetch(1, code=202, says="writer key")
    bench.push(1, code=12)
    bench.calls.pop()           # who does not trust the seal cannot know that it is the same
    new = archived.writer_public(bench.setup)
    bench.setup.write(writers=[new, old])
    bench.fetch(1, code=0)
    bench.push(1, code=0)
    archived.rewrite(key, good)
    bench.setup.write(writers=None)
    bench.finish()


def later(name, change, code, says):
    def run(t):
        bench = Bench(t)
        bench.push(1, code=0)
        data = bench.s3.get(bench.key(1))
        new = change(data)
        t.true(new != data, "changed")
        stood(t, bench, 1, new, fetch=code, says=says)
        restored(bench, 1)
    scenario("F8: %s: %d" % (name, code))(run)


def seal_byte(at, value):
    """The object with another byte in its seal; what the signature then says comes later."""
    def change(data):
        match = re.search(rb"(seawall-seal 1\n)(.*?)(\n-> )", data, re.S)
        seal = bytearray(base64.b64decode(match[2].replace(b"\n", b"") + b"==="))
        seal[at] = value
        text = base64.b64encode(seal).rstrip(b"=")
        lines = b"\n".join(text[i:i + 64] for i in range(0, len(text), 64))
        return data[:match.start(2)] + lines + data[match.end(2):]
    return change


later("a seal stanza of a later version", lambda data: data.replace(
    b"seawall-seal 1\n", b"seawall-seal 2\n"), 202, "version")
later("a seal of a later version", seal_byte(0, 2), 202, "version 2")
later("a compression nobody knows", seal_byte(2, 9), 201, None)
later("an encryption nobody knows", seal_byte(1, 7), 201, None)
later("a flag nobody knows", seal_byte(4, 1), 201, None)
later("another time of creation", seal_byte(33, 1), 201, None)
later("a later version of age", lambda data: data.replace(b"encryption.org/v1", b"encryption.org/v2"),
      201, None)
later("no seal at all", lambda data: data.replace(b"seawall-seal", b"seawall-zeal"), 201, None)

tap.main()
