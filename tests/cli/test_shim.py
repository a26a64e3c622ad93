# SPDX-License-Identifier: PostgreSQL
"""A wrong clock, a clock that jumps, and a random generator that is stuck (tests/support/shim.c)."""
import base64
import hashlib
import hmac
import json
import shutil
import time

import archived
import laws
import seawall
import shims
import tap
from agents import Place as AgentPlace
from laws import SEGMENT, XLOG

HOUR, DAY = 3600, 86400


def clocks():
    """Offsets from now: off by an hour, of 1970, of 2100, and jumps in the middle of a run."""
    now = int(time.time())
    past, future = 3 * DAY - now, 4102444800 - now
    yield from (("an hour behind", str(-HOUR)), ("an hour ahead", str(HOUR)), ("1970", str(past)),
                ("2100", str(future)))
    for k in (1, 2, 3, 5, 8):
        yield "back an hour at reading %d" % k, "0,%d@%d" % (-HOUR, k)
        yield "from 2100 to 1970 at reading %d" % k, "%d,%d@%d" % (future, past, k)


@tap.check("the clock is wrong or jumps: push, fetch, absence and gap are what they are, and in time")
def _(t):
    shims.need()
    place = laws.fetchable(t.dir / "place")
    path = place.pgdata.write_segment(SEGMENT)
    n = 0
    for name, clock in clocks():
        env = shims.env(SHIM_CLOCK=clock)
        place.empty()
        start = time.monotonic()
        result = place.setup.push(place.pgdata, path, env=env)
        t.equal(result.code, 0, "%s: push %s" % (name, result.err))
        t.true(None not in [place.object_in(s) for s in place.stores], "%s: stored" % name)
        result = place.setup.push(place.pgdata, path, env=env)
        t.equal(result.code, 0, "%s: push again %s" % (name, result.err))
        result = place.setup.fetch(place.pgdata, place.name, XLOG, env=env)
        t.equal((result.code, place.at_destination()[0]), (0, True), "%s: fetch %s" % (name, result.err))
        (place.pgdata.dir / XLOG).unlink()
        result = place.setup.fetch(place.pgdata, place.pgdata.name(SEGMENT + 1), XLOG, env=env)
        t.equal(result.code, 1, "%s: absent %s" % (name, result.err))
        t.true(time.monotonic() - start < 30, "%s: no deadline was waited for" % name)
        n += 1
    result = place.setup.fetch(place.pgdata, place.pgdata.name(SEGMENT - 1), XLOG,
                               env=shims.env(SHIM_CLOCK=str(HOUR)))
    t.equal(result.code, 203, "gap: %s" % result.err)
    t.diag("%d clocks" % n)


@tap.check("an agent whose clock is wrong or jumps serves, and its times to wait are as they were")
def _(t):
    shims.need()
    for number, (name, clock) in enumerate(list(clocks())[:4] + [("jump", "0,%d@40" % -HOUR)]):
        place = AgentPlace(t, "p%d" % number)
        env = shims.env(SHIM_CLOCK=clock)
        t.equal(place.push(SEGMENT, env=env).code, 0, "%s: push" % name)
        t.equal(place.push(SEGMENT + 1, env=env).code, 0, "%s: push" % name)
        t.equal(place.fetch(SEGMENT, env=env).code, 0, "%s: fetch" % name)
        t.equal(place.fetched(), place.pgdata.segment(SEGMENT), "%s: bytes" % name)
        t.equal(place.fetch(SEGMENT + 2, env=env).code, 1, "%s: absent" % name)
        t.true(seawall.alive(place.agent()), "%s: the agent stays" % name)
        tap.stop_agents(place.runtime)


@tap.check("list, plan and status with a wrong clock say what is there")
def _(t):
    shims.need()
    setup, pgdata = archived.setup_with(t)
    archived.push_all(t, setup, pgdata, [1, 2, 3])
    for name, clock in clocks():
        env = shims.env(SHIM_CLOCK=clock)
        result = setup.run("seawall-list", "--json", env=env)
        t.equal(result.code, 0, "%s: list %s" % (name, result.err))
        timeline = json.loads(result.out)["systems"][0]["stores"][0]["timelines"][0]
        t.equal(timeline["segments"], 3, name)
        result = setup.run("seawall-check", env=env)
        t.true(result.code in (0, 10, 13, 14), "%s: check %s" % (name, result))


# ---- a random generator that is stuck ----

def age_parts(data):
    """Ephemeral shares with their wrapped keys, and nonce and payload of an age file."""
    end = data.index(b"\n---")
    end = data.index(b"\n", end + 1)
    lines = data[:end].decode().split("\n")
    stanzas = []
    for number, line in enumerate(lines):
        words = line.split(" ")
        if words[:2] == ["->", "X25519"]:
            stanzas.append((unpadded(words[2]), unpadded(lines[number + 1])))
    return stanzas, data[end + 1:end + 17], data[end + 17:]


def unpadded(text):
    return base64.b64decode(text + "=" * (-len(text) % 4))


def hkdf(secret, salt, info):
    key = hmac.new(salt, secret, hashlib.sha256).digest()
    return hmac.new(key, info + b"\1", hashlib.sha256).digest()


def file_key(t, setup, data):
    """The file key of an age file, by openssl alone."""
    (share, wrapped), = age_parts(data)[0]
    text = (setup.dir / "identity.txt").read_text()
    secret = archived.bech32_bytes(next(w for w in text.split() if w.startswith("AGE-SECRET-KEY-1")))
    (t.dir / "own.der").write_bytes(bytes.fromhex("302e020100300506032b656e04220420") + secret)
    (t.dir / "peer.der").write_bytes(bytes.fromhex("302a300506032b656e032100") + share)
    shared = tap.run(["openssl", "pkeyutl", "-derive", "-keyform", "DER", "-inkey", t.dir / "own.der",
                      "-peerform", "DER", "-peerkey", t.dir / "peer.der"], text=False).out
    public = tap.run(["openssl", "pkey", "-inform", "DER", "-in", t.dir / "own.der", "-pubout",
                      "-outform", "DER"], text=False).out[-32:]
    t.equal((len(shared), len(public), len(wrapped)), (32, 32, 32), "sizes")
    key = hkdf(shared, share + public, b"age-encryption.org/v1/X25519")
    (t.dir / "wrapped").write_bytes(wrapped[:16])
    # ChaCha20-Poly1305 with a nonce of zeros begins with block 1
    result = tap.run(["openssl", "enc", "-chacha20", "-d", "-K", key.hex(), "-iv",
                      (1).to_bytes(4, "little").hex() + "00" * 12, "-in", t.dir / "wrapped"],
                     text=False)
    t.equal(len(result.out), 16, "file key: %s" % result.err)
    return result.out


@tap.check("a generator that is stuck: no file key, nonce or ephemeral share comes twice")
def _(t):
    shims.need()
    env = shims.env(SHIM_RANDOM=1, SHIM_CLOCK="0")
    setup, pgdata = archived.setup_with(t)
    objects = []

    def push(path, number):
        result = setup.push(pgdata, path, env=env)
        t.equal(result.code, 0, "push of %s: %s" % (path, result.err))
        objects.append(archived.object_path(t.dir / "a", path.rpartition("/")[2]).read_bytes())

    for number in range(1, 7):
        push(pgdata.write_segment(number), number)
    # the same name again with other content, as after a switch back to an old copy of the server
    shutil.rmtree(t.dir / "a" / "main")
    push(pgdata.write_segment(1, seed=5), 1)
    push(pgdata.write_history(2, [(1, "0/3000000", "no recovery target specified")]), 0)
    push(pgdata.write_history(3, [(1, "0/3000000", "no recovery target specified")]), 0)

    keys = [file_key(t, setup, data) for data in objects]
    t.equal(len(set(keys)), len(keys), "file keys")
    t.equal(len({age_parts(data)[1] for data in objects}), len(objects), "nonces")
    t.equal(len({age_parts(data)[0][0] for data in objects}), len(objects), "ephemeral shares")
    t.equal(len({age_parts(data)[2][:64] for data in objects}), len(objects), "ciphertexts")
    # the very same file gives the very same object: a stuck generator is what is tested
    first = objects[-1]
    shutil.rmtree(t.dir / "a" / "main")
    push("pg_wal/00000003.history", 0)
    t.equal(age_parts(objects[-1])[:2], age_parts(first)[:2], "the generator is stuck")


@tap.check("a generator that is stuck: pushes, fetches and their agents work, twenty at once")
def _(t):
    shims.need()
    place = AgentPlace(t)
    env = shims.env(SHIM_RANDOM=1)
    argv = place.setup.argv("seawall-push", place.pgdata.write_segment(SEGMENT))
    result = tap.run(["sh", "-c", 'n=20; while [ $n -gt 0 ]; do n=$((n-1)); "$@" & pids="$pids $!"; '
                      'done; rc=0; for p in $pids; do wait $p || rc=$?; done; exit $rc', "sh"] + argv,
                     cwd=str(place.pgdata.dir), env=env)
    t.equal(result.code, 0, "twenty at once: %s" % result.err)
    t.equal([f for f in seawall.stored(place.store) if "tmp" in f], [], "leftovers")
    for number in (SEGMENT, SEGMENT + 1, SEGMENT + 2):
        t.equal(place.push(number, env=env).code, 0, "push of %d" % number)
        t.equal(place.fetch(number, env=env).code, 0, "fetch of %d" % number)
        t.equal(place.fetched(), place.pgdata.segment(number), "bytes of %d" % number)
    # a probe of a name that nobody could have used before finds that somebody has
    result = place.setup.run("seawall-check", "--no-server", env=env)
    t.equal(result.code, 15, "check: %s" % (result,))
    t.contains(result.out, "a name nobody used has content", "check")


tap.main()
