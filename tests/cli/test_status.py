# SPDX-License-Identifier: PostgreSQL
"""seawall status: the queue with and without an agent, the verdict, the stores, three languages."""
import contextlib
import json
import os
import re
import time

import archived
import seawall
import tap

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(r"^(%s)\{((?:[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\n]|\\[\\\"n])*\",?)*)\} (-?\d+)$" % NAME)
LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)=\"((?:[^\"\\]|\\.)*)\"")


def parse(t, text):
    """The text format, strictly: HELP and TYPE once before all samples of a name, no sample twice.
    Gives {(name, label or None): value}."""
    kinds, helped, values, current = {}, set(), {}, None
    t.true(text.endswith("\n"), "ends with a newline")
    for line in text.rstrip("\n").split("\n"):
        match = re.match(r"^# (HELP|TYPE) (%s) (.+)$" % NAME, line)
        if match and match[1] == "HELP":
            t.true(match[2] not in helped, "HELP once: " + line)
            helped.add(match[2])
            current = match[2]
        elif match:
            t.true(match[2] == current and match[2] not in kinds, "TYPE behind its HELP: " + line)
            t.true(match[3] in ("gauge", "counter"), "type: " + line)
            kinds[match[2]] = match[3]
        else:
            match = SAMPLE.match(line)
            t.true(match, "a sample: " + line)
            t.true(match[1] == current and match[1] in kinds, "below its TYPE: " + line)
            labels = dict(LABEL.findall(match[2]))
            t.equal(labels.pop("cluster"), "main", "cluster")
            key = (match[1], labels.get("store"))
            t.true(key not in values, "no sample twice: " + line)
            values[key] = int(match[3])
            t.equal(match[1].endswith("_total"), kinds[match[1]] == "counter", "counters: " + line)
    return values


class Place:
    def __init__(self, t, stores="ab", **settings):
        self.t = t
        self.setup, self.pgdata = archived.setup_with(t, stores, **settings)
        self.run = t.dir / "run"
        self.run.mkdir(mode=0o700)
        self.env = {"SEAWALL_RUNTIME_DIR": str(self.run)}
        t.defer(self.stop)

    def stop(self):
        self.setup.run("seawall-agent", "stop", cwd=str(self.pgdata.dir), env=self.env)

    def push(self, number, code=0):
        result = self.setup.push(self.pgdata, self.pgdata.write_segment(number), env=self.env,
                                 agent=True)
        self.t.equal(result.code, code, result.err)
        status = self.pgdata.status / self.pgdata.name(number)
        if code == 0:
            status.with_name(status.name + ".ready").rename(status.with_name(status.name + ".done"))

    def status(self, *args, code=0):
        result = self.setup.run("seawall-status", *args, cwd=str(self.pgdata.dir), env=self.env)
        self.t.equal(result.code, code, "status %s: %s%s" % (args, result.out, result.err))
        return result

    def json(self, *args, code=0):
        return json.loads(self.status("--json", *args, code=code).out)

    def age(self, number, seconds):
        then = time.time() - seconds
        os.utime(self.pgdata.status / (self.pgdata.name(number) + ".ready"), (then, then))


@tap.check("without an agent: what waits, since when, and what was archived last")
def _(t):
    place = Place(t)
    document = place.json()
    t.equal((document["agent"]["state"], document["queue"]["ready"], document["verdict"]),
            ("none", 0, "ok"), "an empty queue")
    for number in (5, 6, 7):
        place.pgdata.write_segment(number)
    place.age(6, 1800)
    (place.pgdata.status / (place.pgdata.name(3) + ".done")).touch()
    (place.pgdata.status / "nonsense.ready").touch()
    document = place.json()
    t.equal((document["queue"]["ready"], document["queue"]["oldest"]), (3, place.pgdata.name(6)),
            "queue")
    t.true(1790 < document["queue"]["oldest_age_seconds"] < 1900, "age")
    t.equal(document["queue"]["last_archived"], place.pgdata.name(3), "last")
    t.equal(document["verdict"], "ok", "within the objective")
    text = place.status().out
    t.contains(text, "3 files, the oldest (%s) for 30 min; the objective is 60 min" %
               place.pgdata.name(6), "text")
    t.contains(text, "none runs", "agent")


@tap.check("later than the objective is exit 10 and \"behind\"")
def _(t):
    place = Place(t, objectives={"rpo": "10min"})
    place.pgdata.write_segment(5)
    place.age(5, 660)
    document = place.json(code=10)
    t.equal(document["verdict"], "behind", "verdict")
    t.contains(document["reason"], place.pgdata.name(5), "reason")
    result = place.status(code=10)
    t.contains(result.out, "behind", "text")
    t.contains(result.err, "the objective is 10 min", "error")
    t.equal(parse(t, place.status("--prometheus", code=10).out)[("seawall_behind", None)], 1,
            "prometheus")
    place.age(5, -3600)
    t.equal(place.json()["queue"]["oldest_age_seconds"], 0, "a clock that was set back")


@tap.check("with an agent: its process, its figures")
def _(t):
    place = Place(t)
    place.push(1)
    place.push(2)
    document = place.json()
    agent = document["agent"]
    t.equal((agent["state"], agent["requests"] >= 2), ("runs", True), "agent")
    t.true(seawall.alive(agent["pid"]), "its process")
    t.equal(document["push"]["open"], True, "push")
    t.equal(document["push"]["last"], place.pgdata.name(2), "last")
    t.equal([(s["name"], s["lag_files"]) for s in document["stores"]], [("a", 0), ("b", 0)], "lag")
    t.contains(place.status().out, "process %d" % agent["pid"], "text")
    values = parse(t, place.status("--prometheus").out)
    t.equal(values[("seawall_agent_up", None)], 1, "up")
    t.equal(values[("seawall_store_lag_files", "b")], 0, "lag")
    t.true(values[("seawall_push_files_total", None)] >= 2, "files")


@tap.check("a store that lacks what is archived lags, with the reason")
def _(t):
    place = Place(t)
    place.push(1)
    (t.dir / "b").rename(t.dir / "away")
    place.push(2)
    store = tap.wait_for(lambda: [s for s in place.json()["stores"] if s["lag_files"]], 60, "lag")[0]
    t.equal((store["name"], store["lag_oldest"]), ("b", place.pgdata.name(2)), "lag")
    t.contains(place.status().out, "1 files", "text")
    t.equal(parse(t, place.status("--prometheus").out)[("seawall_store_lag_files", "b")], 1,
            "prometheus")
    (t.dir / "away").rename(t.dir / "b")
    tap.wait_for(lambda: not [s for s in place.json()["stores"] if s["lag_files"]], 90, "healing")


@tap.check("--stores: the newest segment of each, whatever the timelines and gaps")
def _(t):
    place = Place(t, "abc")
    for number in (1, 2, 4095, 4097, 40960):
        place.push(number)
    place.pgdata.timeline = 3
    place.push(40961)
    place.push(40962)
    archived.object_path(t.dir / "b", place.pgdata.name(40962)).unlink()
    (t.dir / "c" / "main").rename(t.dir / "c.main")
    document = place.json("--stores")
    t.equal([s["newest"] for s in document["stores"]],
            [place.pgdata.name(40962), place.pgdata.name(40961), None], "newest")
    t.true(abs(document["stores"][0]["newest_time"] - time.time()) < 600, "time")
    values = parse(t, place.status("--stores", "--prometheus").out)
    t.equal([values[("seawall_store_up", s)] for s in "abc"], [1, 1, 1], "up")
    t.true(("seawall_store_newest_segment_timestamp_seconds", "c") not in values, "nothing there")
    t.contains(place.status("--stores").out, place.pgdata.name(40961), "text")


@tap.check("a store that is away is exit 10 when it is asked")
def _(t):
    place = Place(t)
    place.push(1)
    (t.dir / "b").rename(t.dir / "away")
    place.status()
    document = place.json("--stores", code=10)
    t.equal(document["verdict"], "away", "verdict")
    t.equal((document["stores"][0]["ask_error"], bool(document["stores"][1]["ask_error"])),
            (None, True), "errors")
    t.equal(parse(t, place.status("--stores", "--prometheus", code=10).out)
            [("seawall_store_up", "b")], 0, "prometheus")


@tap.check("an agent that hangs is told, and does not hold up the rest")
def _(t):
    place = Place(t)
    place.push(1)
    pid = place.json()["agent"]["pid"]
    os.kill(pid, 19)
    try:
        document = place.json()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 18)
    t.equal(document["agent"]["state"], "unknown", "state")
    t.true(document["agent"]["error"], "why")
    t.equal(document["queue"]["ready"], 0, "queue")


@tap.check("usage, and directories that are none")
def _(t):
    place = Place(t)
    place.status("--json", "--prometheus", code=14)
    t.equal(place.setup.run("seawall-status", cwd=str(t.dir), env=place.env).code, 13, "no data")
    t.equal(place.setup.run("seawall-status", "--pgdata", place.pgdata.dir, cwd="/",
                            env=place.env).code, 0, "--pgdata")
    place.setup.write(pgdata=str(place.pgdata.dir))
    t.equal(place.setup.run("seawall-status", cwd="/", env=place.env).code, 0, "the setting")
    place.pgdata.status.chmod(0)
    t.defer(place.pgdata.status.chmod, 0o700)
    place.status(code=13)


tap.main()
