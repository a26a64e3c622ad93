# SPDX-License-Identifier: PostgreSQL
"""Stores that have different content under one name, each sealed by a writer of this archive: nobody
but a person knows which of them is the server to recover."""
import archived
import faultbench
import s3faults
import seawall
import tap
from faultbench import Bench, scenario

PATIENT = dict(faultbench.AMPLE, connect_timeout=30, stall_timeout=30)
HOOKS = [(False, ""), (True, ", through the agent")]


def other(number):
    return faultbench.segment(number, seed=9)


def divided(t, numbers=(1,), **options):
    """A primary that reaches region a only, and another one that reaches b only."""
    bench = Bench(t, stores=2, **dict(PATIENT, **options))
    primary(bench, numbers, "b", faultbench.segment)
    primary(bench, numbers, "a", other)
    bench.hold_back("a", "b")
    return bench


def primary(bench, numbers, unreachable, content, setup=None):
    bench[unreachable].down()
    for number in numbers:
        bench.push(number, code=0, data=content(number), agent=False, setup=setup)
    bench[unreachable].up()


def second_writer(t, bench, encryption=None):
    """The configuration of a server with a writer key of its own; both servers know both."""
    place = t.dir / "second"
    place.mkdir()
    setup = seawall.Setup(place, bench.stores, **dict(bench.settings, acknowledge=1))
    bench_keys = bench.setup.settings["encryption"]
    if encryption is None:
        (setup.dir / "identity.txt").write_bytes((bench.setup.dir / "identity.txt").read_bytes())
        setup.write(encryption=bench_keys)
    writers = [archived.writer_public(bench.setup), archived.writer_public(setup)]
    for one in (setup, bench.setup):
        one.write(writers=writers)
    return setup


def disagreed(bench, number):
    """A fetch that ends in 203 and names what a person must know."""
    said = bench.fetch(number, code=203, says=["stores disagree", bench.name(number), '"a"', '"b"',
                                               "writer", "fingerprint", "created", "hint:"])
    bench.t.equal(bench.calls[-1].content, None, "%p")
    bench.t.true(said.count("fingerprint") == 2, said)


def everywhere(name, **options):
    """A check for both ways of a hook."""
    def register(function):
        for agent, way in HOOKS:
            def run(t, agent=agent):
                function(t, dict(options, agent=agent))
            scenario(name + way)(run)
        return function
    return register


@everywhere("E3: two regions with different content under one name: 203 until one is removed")
def _(t, how):
    bench = divided(t, **how)
    disagreed(bench, 1)
    disagreed(bench, 1)
    bench["b"].erase(bench.key(1))
    bench.fetch(1, code=0)
    t.equal(bench.calls[-1].content, bench.calls[0].content, "what the other region has")


@everywhere("E3: three regions, two of which agree: 203 all the same")
def _(t, how):
    bench = Bench(t, stores=3, acknowledge=2, **dict(PATIENT, **how))
    bench["c"].down()
    bench.push(1, code=0, agent=False)
    bench["c"].up()
    bench["a"].down()
    bench["b"].down()
    bench.push(1, code=10, data=other(1), agent=False)
    bench.lift()
    rule = bench.hold_back("a", "c")
    bench.fetch(1, code=203, says=["stores disagree", '"c"'])
    rule.lift()
    bench["c"].erase(bench.key(1))
    bench.fetch(1, code=0)


@everywhere("E3: a directory and a bucket that disagree: 203")
def _(t, how):
    bench = divided(t, **how)
    place = t.dir / "dir" / bench.key(1).removeprefix("root/")
    place.parent.mkdir(parents=True)
    place.write_bytes(bench["b"].get(bench.key(1)))
    bench.s3.lift()
    bench.setup.write(stores=[bench.stores[0], seawall.dir_store("d", t.dir / "dir")])
    bench.fetch(1, code=203, says=["stores disagree", '"a"', '"d"'])


@everywhere("E3: history files that differ: 203")
def _(t, how):
    bench = Bench(t, stores=2, **dict(PATIENT, **how))
    name = "00000002.history"
    for store, text in (("a", b"1\t0/2000000\tone\n"), ("b", b"1\t0/3000000\ttwo\n")):
        primary(bench, [name], "ab".replace(store, ""), lambda _, text=text: text)
    disagreed(bench, name)


@scenario("E3: files fetched ahead are held against the other region before they are given out")
def _(t):
    bench = Bench(t, stores=2, agent=True, **PATIENT)
    for number in range(1, 7):
        if number != 4:
            bench.push(number, code=0)
    primary(bench, [4], "b", faultbench.segment)
    primary(bench, [4], "a", other)
    bench.hold_back("a", "b")
    for number in (1, 2, 3):
        bench.fetch(number, code=0)
    disagreed(bench, 4)
    disagreed(bench, 4)
    bench["a"].erase(bench.key(4))
    for number in (4, 5, 6):
        bench.fetch(number, code=0)


@everywhere("E3: a standby is told in a warning, and asks again")
def _(t, how):
    bench = divided(t, **how)
    (bench.pgdata.dir / "standby.signal").touch()
    bench.fetch(1, code=1, says=["warning:", "stores disagree"])


def spoil(bucket, key):
    """Another byte at the end of the object: the seal is whole."""
    data = bucket.get(key)
    bucket.erase(key)
    bucket.put(key, data[:-1] + bytes([data[-1] ^ 1]))


@everywhere("E3: a damaged copy whose seal tells of other content: 203")
def _(t, how):
    bench = divided(t, (1, 2), **how)
    spoil(bench["a"], bench.key(1))
    bench.fetch(1, code=203, says="stores disagree")
    spoil(bench["b"], bench.key(2))
    bench.fetch(2, code=203, says="stores disagree")


@everywhere("E3: a copy that is damaged or no writer's of ours is no disagreement: 0")
def _(t, how):
    bench = Bench(t, stores=2, **dict(PATIENT, **how))
    for number in (1, 2, 3):
        bench.push(number, code=0, agent=False)
    spoil(bench["a"], bench.key(1))
    spoil(bench["b"], bench.key(2))
    place = t.dir / "stranger"
    place.mkdir()
    stranger = seawall.Setup(place, bench.stores, **dict(bench.settings, acknowledge=1))
    primary(bench, [4], "a", other, stranger)
    primary(bench, [4], "b", faultbench.segment)
    bench["b"].erase(bench.key(3))
    bench["b"].put(bench.key(3), b"seawall" * 1000)
    bench.fetch(1, code=0, says=["warning:", 'store "a"'])
    for number in (2, 3, 4):
        bench.fetch(number, code=0)


@everywhere("E3: one content by two writer keys is no disagreement: 0; two contents are: 203")
def _(t, how):
    bench = Bench(t, stores=2, **dict(PATIENT, **how))
    setup = second_writer(t, bench)
    primary(bench, [1, 2, 3], "b", faultbench.segment)
    primary(bench, [1, 3], "a", faultbench.segment, setup)
    primary(bench, [2], "a", other, setup)
    spoil(bench["b"], bench.key(3))
    bench.hold_back("a", "b")
    bench.fetch(3, code=0, says="could not be compared")
    bench.fetch(1, code=0)
    disagreed(bench, 2)


@everywhere("E3: another writer's copy that no identity here opens counts as other content: 203")
def _(t, how):
    bench = Bench(t, stores=2, **dict(PATIENT, **how))
    setup = second_writer(t, bench, encryption="its own")
    primary(bench, [1], "b", faultbench.segment)
    primary(bench, [1], "a", faultbench.segment, setup)
    bench.hold_back("a", "b")
    bench.fetch(1, code=203, says=["stores disagree", "no identity"])


SILENT = [("that answers nothing", s3faults.withhold_answer()), ("that resets", s3faults.reset()),
          ("that refuses", s3faults.status(403, "AccessDenied")),
          ("that fails", s3faults.status(503, "SlowDown")),
          ("that cuts", s3faults.cut(500)), ("that trickles", s3faults.trickle()),
          ("that has other bytes", s3faults.flip(0))]

for _what, _act in SILENT:
    @everywhere("E3: a second region %s keeps nobody from recovering: 0" % _what)
    def _(t, how, act=_act):
        bench = Bench(t, stores=2, **dict(PATIENT, **how))
        for number in range(1, 6):
            bench.push(number, code=0, agent=False)
        rule = bench["b"].fault(act, kind="get", key=bench.WAL)
        for number in range(1, 6):
            bench.fetch(number, code=0)
        t.true(rule.hits, "hits")
        bench.finish()


@everywhere("E3: a second region that has nothing, or a delete marker: 0")
def _(t, how):
    bench = Bench(t, stores=2, bucket=dict(versioned=True), **dict(PATIENT, **how))
    bench.push(1, code=0, agent=False)
    primary(bench, [2], "b", faultbench.segment)
    bench["b"].hide(bench.key(1))
    for number in (1, 2):
        bench.fetch(number, code=0)


def gets(bucket, key):
    return [x.headers.get("range") for x in bucket.exchanges if x.kind == "get" and x.key == key]


@everywhere("E3: the comparison costs one small request to each other region, and none without any")
def _(t, how):
    for stores in (1, 3):
        place = t.dir / str(stores)
        place.mkdir()
        one = tap.Check(t.name, place)
        t.defer(one.close)
        bench = Bench(one, stores=stores, **dict(PATIENT, **how))
        bench.push(1, code=0, agent=False)
        bench.fetch(1, code=0)
        # an agent that has seen the end fetches the last file once more, for the end of recovery
        files = 2 if how["agent"] else 1
        t.true(gets(bench["a"], bench.key(1)) in ([None], [None] * files), "the file")
        for name in "abc"[1:stores]:
            t.true(gets(bench[name], bench.key(1)) in (["bytes=0-1023"], ["bytes=0-1023"] * files),
                   "the seal in " + name)


if __name__ == "__main__":
    tap.main()
