# SPDX-License-Identifier: PostgreSQL
"""conf/: the systemd unit and the pod with a sidecar say what they mean, and work."""
import contextlib
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import archived
import seawall
import tap

CONF = pathlib.Path(__file__).resolve().parents[2] / "conf"


def unit(path):
    """A unit file: {section: [(key, value)]}; anything that is no such line fails."""
    sections, section = {}, None
    for number, line in enumerate(path.read_text().split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"\[([A-Z][a-z]+)\]", line)
        if match:
            section = sections.setdefault(match[1], [])
            continue
        match = re.fullmatch(r"([A-Z][A-Za-z0-9]+)=(\S.*|)", line)
        if not match or section is None:
            raise tap.Failure("%s:%d: %s" % (path, number, line))
        section.append((match[1], match[2]))
    return sections


def scalar(text, where):
    """A scalar or a flow list of quoted strings."""
    if text.startswith("["):
        if not re.fullmatch(r'\[("[^"\\]*"(, "[^"\\]*")*)?\]', text):
            raise tap.Failure("%s: a list of quoted strings: %s" % (where, text))
        return re.findall(r'"([^"]*)"', text)
    if text.startswith('"'):
        if not re.fullmatch(r'"[^"\\]*"', text):
            raise tap.Failure("%s: a quoted string: %s" % (where, text))
        return text[1:-1]
    if not re.fullmatch(r"[A-Za-z0-9/-][A-Za-z0-9/._:-]*", text):
        raise tap.Failure("%s: a plain word: %s" % (where, text))
    return int(text) if text.isdigit() else {"true": True, "false": False}.get(text, text)


def yaml(path):
    """The part of YAML that our manifest uses: mappings and lists in two-blank steps, words, quoted
    strings (also over several lines), flow lists of quoted strings. Everything else fails."""
    lines, pending = [], None
    for number, line in enumerate(path.read_text().split("\n"), 1):
        where = "%s:%d" % (path, number)
        if "\t" in line:
            raise tap.Failure(where + ": a tab")
        if pending is not None:
            pending[2] += " " + line.strip()
            if line.endswith('"'):
                pending = None
            continue
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        if indent % 2:
            raise tap.Failure(where + ": odd indentation")
        lines.append([where, indent, line.strip()])
        if line.count('"') == 1:
            pending = lines[-1]
    if pending is not None:
        raise tap.Failure("%s: a quoted string without an end" % pending[0])
    value, rest = block(lines, 0)
    if rest:
        raise tap.Failure("%s: %s" % (rest[0][0], rest[0][2]))
    return value


def block(lines, indent):
    """The mapping or list at this indentation; and the lines behind it."""
    if lines[0][2].startswith("- "):
        value = []
        while lines and lines[0][1] == indent and lines[0][2].startswith("- "):
            where, _, text = lines[0]
            text = text[2:]
            if re.match(r"[A-Za-z]+:( |$)", text):
                item, lines = block([[where, indent + 2, text]] + lines[1:], indent + 2)
            else:
                item, lines = scalar(text, where), lines[1:]
            value.append(item)
        return value, lines
    value = {}
    while lines and lines[0][1] == indent and not lines[0][2].startswith("- "):
        where, _, text = lines[0]
        match = re.fullmatch(r"([A-Za-z]+):(?: (.+))?", text)
        if not match or match[1] in value:
            raise tap.Failure("%s: a key of its own: %s" % (where, text))
        if match[2] is not None:
            value[match[1]], lines = scalar(match[2], where), lines[1:]
        elif len(lines) > 1 and lines[1][1] == indent + 2:
            value[match[1]], lines = block(lines[1:], indent + 2)
        else:
            raise tap.Failure("%s: nothing below %s" % (where, match[1]))
    return value, lines


@tap.check("the unit reads as a unit, and holds the agent of one data directory")
def _(t):
    sections = unit(CONF / "seawall-agent@.service")
    t.equal(sorted(sections), ["Install", "Service", "Unit"], "sections")
    service = dict(sections["Service"])
    t.equal(len(service), len(sections["Service"]), "each setting once")
    for key, value in (("User", "postgres"), ("WorkingDirectory", "%f"), ("Restart", "always"),
                       ("RuntimeDirectory", "seawall"), ("RuntimeDirectoryMode", "0700"),
                       ("ReadWritePaths", "%f"), ("ExecStart", "seawall-agent --foreground"),
                       ("Environment", "SEAWALL_RUNTIME_DIR=/run/seawall"),
                       ("NoNewPrivileges", "yes"), ("ProtectSystem", "strict"),
                       ("CapabilityBoundingSet", "")):
        t.equal(service.get(key), value, key)


@tap.check("systemd accepts the unit")
def _(t):
    if not shutil.which("systemd-analyze"):
        t.skip("no systemd-analyze")
    text = (CONF / "seawall-agent@.service").read_text()
    text = text.replace("ExecStart=seawall-agent", "ExecStart=" + seawall.program("seawall-agent"))
    text = text.replace("Documentation=man:seawall-agent(1)\n", "")
    (t.dir / "seawall-agent@.service").write_text(text)
    result = t.run(["systemd-analyze", "verify", "--man=no",
                    t.dir / "seawall-agent@data.service"],
                   env={"SYSTEMD_UNIT_PATH": "%s:" % t.dir}, timeout=120)
    ours = [line for line in (result.out + result.err).split("\n") if "seawall-agent@" in line]
    t.equal(ours, [], "complaints")


@tap.check("the unit's command serves hooks in the unit's surroundings, and ends by SIGTERM")
def _(t):
    service = dict(unit(CONF / "seawall-agent@.service")["Service"])
    setup, pgdata = archived.setup_with(t, "a")
    run = t.dir / "run"
    run.mkdir(mode=int(service["RuntimeDirectoryMode"], 8))
    env = dict(os.environ, SEAWALL_CONFIG=str(setup.config))
    name, value = service["Environment"].split("=")
    env[name] = value.replace("/run/seawall", str(run))
    argv = shlex.split(service["ExecStart"])
    with subprocess.Popen([seawall.program(argv[0])] + argv[1:], cwd=str(pgdata.dir), env=env,
                          stderr=subprocess.PIPE) as agent:
        try:
            tap.wait_for(lambda: list(run.glob("*.sock")), 60, "the socket")
            for number in (1, 2):
                result = tap.run([seawall.program("seawall-push"), pgdata.write_segment(number)],
                                 cwd=str(pgdata.dir), env=env)
                t.equal(result.code, 0, result.err)
            status = tap.run([seawall.program("seawall-status"), "--json"], cwd=str(pgdata.dir),
                             env=env)
            t.contains(status.out, '"pid": %d' % agent.pid, "it served")
            t.contains(status.out, '"foreground": true', "in the foreground")
        finally:
            with contextlib.suppress(ProcessLookupError):
                agent.terminate()
            agent.communicate(timeout=90)
    t.equal(agent.returncode, 0, "end")


@tap.check("the pod: two containers that see the same data, runtime directory and configuration")
def _(t):
    pod = yaml(CONF / "sidecar.yaml")
    t.equal((pod["apiVersion"], pod["kind"]), ("v1", "Pod"), "kind")
    spec = pod["spec"]
    server, agent = spec["containers"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for container in spec["initContainers"] + spec["containers"]:
        for mount in container["volumeMounts"]:
            t.true(mount["name"] in volumes, "volume " + mount["name"])
    t.equal(server["volumeMounts"], agent["volumeMounts"], "the same volumes in the same places")
    t.equal(server["image"], agent["image"], "the same programs")
    env = [{e["name"]: e["value"] for e in c["env"]} for c in (server, agent)]
    t.equal(agent["workingDir"], env[0]["PGDATA"], "the agent's data directory")
    for name in ("SEAWALL_CONFIG", "SEAWALL_RUNTIME_DIR"):
        t.equal(env[0][name], env[1][name], name)
    t.equal(agent["command"], ["seawall-agent", "--foreground"], "command")
    t.contains(" ".join(server["args"]), "archive_command=seawall-push %p", "archive_command")
    t.equal(spec["securityContext"]["runAsUser"] > 0, True, "not root")


@tap.check("the pod's first container makes what the others need, private")
def _(t):
    command = yaml(CONF / "sidecar.yaml")["spec"]["initContainers"][0]["command"]
    (t.dir / "secret").mkdir()
    (t.dir / "run").mkdir(mode=0o755)
    setup = seawall.Setup(t.dir, [seawall.dir_store("a", t.dir / "a")])
    for file in setup.dir.iterdir():
        shutil.copy(file, t.dir / "secret" / file.name)
        (t.dir / "secret" / file.name).chmod(0o644)
    script = command[2].replace("/run/seawall", str(t.dir / "run")).replace("/secret",
                                                                            str(t.dir / "secret"))
    t.run(command[:2] + [script], code=0)
    pgdata = seawall.Pgdata(t.dir / "data", segment_size=archived.MIB)
    env = {"SEAWALL_CONFIG": str(t.dir / "run" / "config" / "seawall.conf"),
           "SEAWALL_RUNTIME_DIR": str(t.dir / "run" / "agent")}
    result = tap.run([seawall.program("seawall-push"), pgdata.write_segment(1)],
                     cwd=str(pgdata.dir), env=env)
    t.equal(result.code, 0, result.err)
    tap.run([seawall.program("seawall-agent"), "stop"], cwd=str(pgdata.dir), env=env)


@tap.check("the check of the pod is strict")
def _(t):
    good = (CONF / "sidecar.yaml").read_text()
    for spoiled in (good.replace("  spec:", "\tspec:").replace("kind: Pod", "kind: Pod: x"),
                    good.replace("    runAsUser: 999\n", "    runAsUser: 999\n    runAsUser: 1\n"),
                    good.replace("    fsGroup: 999", "   fsGroup: 999"),
                    good.replace('["seawall-agent", "--foreground"]', '["seawall-agent", --x]'),
                    good.replace("    - name: data\n      persistentVolumeClaim:\n"
                                 "        claimName: postgres-data\n",
                                 "    - name: data\n      persistentVolumeClaim:\n")):
        (t.dir / "spoiled.yaml").write_text(spoiled)
        try:
            yaml(t.dir / "spoiled.yaml")
        except tap.Failure:
            continue
        t.fail("accepted:\n" + spoiled)


tap.main()
