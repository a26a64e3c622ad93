# SPDX-License-Identifier: PostgreSQL
"""Secrets stay where they are: canaries in every place that holds one, looked for in every other."""
import contextlib
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import time

import models3
import seawall
import tap
from archived import MIB, push_all, setup_with

XLOG = "pg_wal/RECOVERYXLOG"
ACCESS = "AKIACANARYACCESSKEYID"
SECRET = "CanarySecretAccessKey/0123456789+abcdef"
TOKEN = "CanarySessionToken//////0123456789=="


class Canaries:
    """A configuration with a secret in every place that can hold one."""

    def __init__(self, t, stores, **settings):
        self.setup = seawall.Setup(t.dir, stores, **settings)
        self.pgdata = seawall.Pgdata(t.dir / "data", segment_size=MIB)
        self.credentials = self.setup.dir / "credentials"
        self.credentials.touch(mode=0o600)
        self.credentials.write_text(
            "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n"
            "aws_session_token = %s\n" % (ACCESS, SECRET, TOKEN))
        self.secrets = [SECRET, TOKEN] + [
            line for name in ("identity.txt", "writer.key")
            for line in (self.setup.dir / name).read_text().split("\n")
            if line and not line.startswith("#")]

    def run(self, *argv, **options):
        return tap.run(list(argv), cwd=str(self.pgdata.dir), **options)

    def search(self, t, what, data):
        if isinstance(data, str):
            data = data.encode()
        for secret in self.secrets:
            for form in (secret, secret.lower(), secret[8:-8]):
                t.true(form.encode() not in data, "%s shows a secret:\n%s" % (
                    what, data.decode("utf-8", "replace")))

    def commands(self):
        """Every command in several forms; --verbose where it is known."""
        setup, name = self.setup, self.pgdata.name(7)
        yield "push", setup.argv("seawall-push", "--verbose", "pg_wal/" + name)
        yield "push, bad name", setup.argv("seawall-push", "--verbose", "nonsense")
        yield "fetch", setup.argv("seawall-fetch", "--verbose", name, XLOG)
        yield "fetch, absent", setup.argv("seawall-fetch", "--verbose", self.pgdata.name(99), XLOG)
        yield "list", setup.argv("seawall-list", "--verbose")
        yield "list, JSON", setup.argv("seawall-list", "--verbose", "--json")
        if seawall.have("seawall-check"):
            yield "check", setup.argv("seawall-check", "--verbose", "--no-server")
            yield "check, JSON", setup.argv("seawall-check", "--json", "--no-server")
        yield "keygen", [seawall.program("seawall-keygen"), "--dir", str(setup.dir)]

    def try_all(self, t, what, env=None):
        for command, argv in self.commands():
            result = self.run(*argv, env=env)
            self.search(t, "%s: %s" % (what, command), result.out + result.err)


def far_store(port=1, **settings):
    return dict(name="far", url="s3://bucket/root", endpoint="http://127.0.0.1:%d" % port,
                path_style=True, allow_http=True, **settings)


@tap.check("no command shows a secret, whether it succeeds or fails")
def _(t):
    c = Canaries(t, [seawall.dir_store("a", t.dir / "a")])
    c.pgdata.write_segment(7)
    c.try_all(t, "good")
    c.setup.write(stores=[far_store(access_key_id=ACCESS, secret_access_key=SECRET)],
                  push_timeout=5, fetch_timeout=5, connect_timeout=1)
    for command, argv in c.commands():
        if command in ("push", "fetch"):
            result = c.run(*argv)
            t.true(result.code in (10, 200), "%s: %s" % (command, result))
            c.search(t, "unreachable: " + command, result.out + result.err)
    c.setup.write(stores=[far_store(credentials_file="credentials")])
    for command, argv in c.commands():
        if command in ("push", "fetch"):
            result = c.run(*argv)
            t.true(result.code in (10, 200), "%s: %s" % (command, result))
            c.search(t, "credentials file: " + command, result.out + result.err)


def longer_commands(c, t):
    """The commands that read and write more than one file; --verbose where it is known."""
    place = t.dir / "restored"
    for words in (["backup", "--verbose"], ["plan", "--latest"], ["plan", "--latest", "--json"],
                  ["restore", "--latest", "--target-dir", place], ["verify"], ["events"],
                  ["events", "--json"], ["status"], ["status", "--prometheus"], ["sync"],
                  ["names"], ["nonsense"]):
        yield " ".join(str(w) for w in words), c.setup.argv("seawall", *words)


@tap.check("backup, plan, restore, verify, events, status, sync and names show no secret either")
def _(t):
    password = "CanaryPasswordOfTheServer"
    c = Canaries(t, [seawall.dir_store("a", t.dir / "a")])
    c.secrets.append(password)
    push_all(t, c.setup, c.pgdata, [7, 8])
    settings = dict(pgdata=str(c.pgdata.dir), connect_timeout=1, push_timeout=5, fetch_timeout=5)
    servers = ["host=%s user=x password=%s" % (t.dir, password),
               "postgresql://x:%s@127.0.0.1:1/db" % password, "host=%s password" % password,
               "password='%s" % password]
    for conninfo in servers:
        c.setup.write(conninfo=conninfo, **settings)
        for command, argv in longer_commands(c, t):
            if conninfo == servers[0] or command.split()[0] in ("backup", "names"):
                result = c.run(*argv, env=seawall.verbs_path())
                c.search(t, command, result.out + result.err)
                t.true(result.code in (0,) + tuple(range(10, 17)), "%s: %s" % (command, result))
    s3 = t.enter(models3.Bucket(forbids=("put", "get", "list")))
    for secrets in (dict(access_key_id=ACCESS, secret_access_key=SECRET),
                    dict(credentials_file="credentials")):
        c.setup.write(stores=[s3.store("far", **secrets)])
        for command, argv in longer_commands(c, t):
            if command.split()[0] not in ("backup", "names", "status"):
                result = c.run(*argv, env=seawall.verbs_path(), timeout=120)
                c.search(t, command, result.out + result.err)


@tap.check("no option takes a secret, and one that is given is refused without being shown")
def _(t):
    c = Canaries(t, [seawall.dir_store("a", t.dir / "a")])
    for name in ("push", "fetch", "agent", "backup", "check", "events", "keygen", "list", "names",
                 "plan", "restore", "status", "sync", "verify"):
        program = seawall.program("seawall-" + name)
        shown = c.run(program, "--help")
        t.equal(shown.code, 0, "%s --help" % name)
        options = re.findall(r"--[a-z-]+", shown.out)
        t.true(not [o for o in options if re.search("secret|passw|token|key|credential", o)], options)
        for option in ("--secret-access-key", "--secret-access-key=", "--password=", "--identity"):
            words = [option + SECRET] if option.endswith("=") else [option, SECRET]
            result = c.run(program, *words)
            t.equal(result.code, 202 if name == "fetch" else 14, "%s %s" % (name, option))
            c.search(t, name, result.out + result.err)


@tap.check("no broken configuration, key or credentials file is quoted")
def _(t):
    c = Canaries(t, [seawall.dir_store("a", t.dir / "a")])
    c.pgdata.write_segment(7)
    good = c.setup.config.read_text()
    for line in ('secret_access_key = "%s;' % SECRET, 'stores = "%s";' % SECRET, "%s" % SECRET,
                 '%s = 1;' % SECRET.replace("/", "").replace("+", ""), 'cluster = "%s";' % SECRET,
                 'stores = ( { name = "x"; url = "s3://b"; secret_access_key = "%s" } );' % SECRET,
                 'stores = ( { name = "x"; url = "s3://b"; access_key_id = "%s"; } );' % ACCESS,
                 'stores = ( { name = "x"; url = "s3://b"; secret_access_key = "%s\\n"; } );' % SECRET,
                 'stores = ( { name = "x"; url = "s3://b"; secret_access_key = [ "%s" ]; } );' % SECRET,
                 'stores = ( { name = "x"; url = "s3://%s@b/x"; } );' % SECRET):
        for text in (line + "\n", good + line + "\n"):
            c.setup.config.write_text(text)
            secret = SECRET.replace("/", "").replace("+", "")
            for command, argv in c.commands():
                if command not in ("push", "fetch", "list"):
                    continue
                result = c.run(*argv)
                t.true(result.code in (14, 202), "%s with %r: %s" % (command, line, result))
                if "secret_access_key" in line or line == SECRET:
                    c.search(t, command, result.out + result.err)
                    t.true(secret not in result.err, "%s with %r: %s" % (command, line, result.err))
    c.setup.config.write_text(good)
    for name in ("identity.txt", "writer.key"):
        path = c.setup.dir / name
        text = path.read_text()
        key = [x for x in text.split("\n") if x and not x.startswith("#")][0]
        for bad in (key + key, key[:-1], key + " x", "x" + key, key.replace("1", "2", 1),
                    key.lower() + "Q", key + "\n" + key[:-3] + "\n", text.replace("\n", "\0")):
            path.write_text(bad)
            c.try_all(t, "broken " + name)
        path.write_text(text)
        path.chmod(0o644)
        c.try_all(t, "loose " + name)
        path.chmod(0o600)
    c.setup.write(stores=[far_store(credentials_file="credentials")], push_timeout=5, fetch_timeout=5)
    text = c.credentials.read_text()
    for bad in (text.replace("[default]", "[other]"), text + text, text.replace(" = ", " "),
                text.replace("aws_access_key_id", "x"), text + "\t" + SECRET + "\n",
                text.replace(SECRET, SECRET + " # x"), text.replace(TOKEN, TOKEN + "\x01")):
        c.credentials.write_text(bad)
        c.try_all(t, "broken credentials")
    c.credentials.write_text(text)
    c.credentials.chmod(0o640)
    c.try_all(t, "loose credentials")


class Stuck:
    """A running program that waits for a store which never answers."""

    def __init__(self, c, argv, env=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        c.setup.write(stores=[far_store(self.listener.getsockname()[1],
                                        credentials_file="credentials")])
        full = dict(os.environ, **(env or {}))
        self.process = subprocess.Popen(
            argv, cwd=str(c.pgdata.dir), env=full, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.listener.settimeout(60)
        self.connection, _ = self.listener.accept()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.communicate()
        self.connection.close()
        self.listener.close()


@tap.check("nothing in /proc shows a secret, and its memory belongs to root alone")
def _(t):
    c = Canaries(t, [seawall.dir_store("a", t.dir / "a")])
    c.pgdata.write_segment(7)
    for argv in (c.setup.argv("seawall-push", "pg_wal/" + c.pgdata.name(7)),
                 c.setup.argv("seawall-fetch", c.pgdata.name(7), XLOG)):
        with Stuck(c, argv) as stuck:
            proc = pathlib.Path("/proc/%d" % stuck.process.pid)
            c.search(t, "cmdline", (proc / "cmdline").read_bytes())
            t.equal((proc / "mem").stat().st_uid, 0, "owner of /proc/PID/mem")
            for name in ("environ", "mem", "maps"):
                try:
                    data = (proc / name).read_bytes() if name != "mem" else open(proc / name, "rb")
                except PermissionError:
                    continue
                t.true(name == "maps" and data == b"", "%s can be read by the same user" % name)
            t.contains((proc / "limits").read_text().replace(" ", ""), "Maxcorefilesize00", "limit")
            mask = [x for x in (proc / "status").read_text().split("\n") if x.startswith("Umask")]
            t.equal(mask, ["Umask:\t0077"], "umask")


@tap.check("no core file after SEGV, ABRT, QUIT, BUS and FPE in the middle of its work")
def _(t):
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    c = Canaries(t, [seawall.dir_store("a", t.dir / "a")])
    c.pgdata.write_segment(7)
    before = sorted(os.listdir(c.pgdata.dir))
    for sig in (signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT, signal.SIGBUS, signal.SIGFPE):
        for argv in (c.setup.argv("seawall-push", "pg_wal/" + c.pgdata.name(7)),
                     c.setup.argv("seawall-fetch", c.pgdata.name(7), XLOG)):
            with Stuck(c, argv) as stuck:
                stuck.process.send_signal(sig)
                out, err = stuck.process.communicate(timeout=60)
                t.true(stuck.process.returncode not in (0, 1), "%s: %d" % (
                    sig.name, stuck.process.returncode))
                c.search(t, sig.name, out + err)
            t.equal(sorted(os.listdir(c.pgdata.dir)), before, "files after " + sig.name)


HOSTILE = {
    "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "socks5://127.0.0.1:9", "all_proxy": "socks5://127.0.0.1:9",
    "CURL_CA_BUNDLE": "/nonexistent", "SSL_CERT_FILE": "/nonexistent",
    "SSL_CERT_DIR": "/nonexistent", "OPENSSL_CONF": "/nonexistent",
    "OPENSSL_MODULES": "/nonexistent", "OPENSSL_ENGINES": "/nonexistent", "CURL_HOME": "/nonexistent",
    "LC_ALL": "tr_TR.UTF-8", "LC_NUMERIC": "de_DE.UTF-8", "LANG": "tr_TR.UTF-8",
    "TZ": "Pacific/Kiritimati", "HOME": "/nonexistent", "PATH": "", "TMPDIR": "/nonexistent",
    "POSIXLY_CORRECT": "1", "COLUMNS": "1", "LANGUAGE": "xx",
}


@tap.check("a hostile environment changes nothing, and no key log is written")
def _(t):
    setup, pgdata = setup_with(t)
    push_all(t, setup, pgdata, [6])
    keylog = t.dir / "keylog"
    hostile = dict(HOSTILE, SSLKEYLOGFILE=keylog)
    path = pgdata.write_segment(7)
    for code, argv in ((0, setup.argv("seawall-push", path)),
                       (0, setup.argv("seawall-fetch", pgdata.name(6), XLOG)),
                       (1, setup.argv("seawall-fetch", pgdata.name(9), XLOG)),
                       (0, setup.argv("seawall-list", "--json")), (0, setup.argv("seawall-list")),
                       (13, setup.argv("seawall-push", "pg_wal/x"))):
        bad = tap.run(argv, cwd=str(pgdata.dir), env=hostile)
        with contextlib.suppress(FileNotFoundError):
            (pgdata.dir / XLOG).unlink()
        plain = tap.run(argv, cwd=str(pgdata.dir))
        t.equal(bad.code, code, str(bad))
        if "push" not in argv[0] or code:
            t.equal(bad, plain, argv[0])
    t.true(not keylog.exists(), "a key log")
    # what is stored, and what reaches an S3 store
    t.equal(setup.fetch(pgdata, pgdata.name(7), XLOG).code, 0, "what it stored")
    t.equal((pgdata.dir / XLOG).read_bytes(), pgdata.segment(7), "bytes")


@tap.check("proxies of the environment are not asked: the store itself gets the request")
def _(t):
    c = Canaries(t, [seawall.dir_store("a", t.dir / "a")])
    c.pgdata.write_segment(7)
    proxy = socket.create_server(("127.0.0.1", 0))
    where = "http://127.0.0.1:%d" % proxy.getsockname()[1]
    env = {name: where for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")}
    with Stuck(c, c.setup.argv("seawall-push", "pg_wal/" + c.pgdata.name(7)), env) as stuck:
        stuck.connection.settimeout(30)
        request = b""
        while b"\r\n\r\n" not in request:
            request += stuck.connection.recv(65536)
        t.true(request.startswith(b"PUT /bucket/root/main/probe/conditional HTTP/1.1"), request)
        t.true(SECRET.encode() not in request, "the secret key in the request")
        proxy.settimeout(0.2)
        try:
            proxy.accept()
            t.fail("the proxy was asked")
        except TimeoutError:
            pass
    proxy.close()


@tap.check("`seawall` hands its verb no secret in arguments or environment")
def _(t):
    c = Canaries(t, [seawall.dir_store("a", t.dir / "a")])
    env = dict(os.environ, **seawall.verbs_path())
    with Stuck(c, c.setup.argv("seawall", "list"), env) as stuck:
        c.search(t, "cmdline", pathlib.Path("/proc/%d/cmdline" % stuck.process.pid).read_bytes())
        time.sleep(0.1)
        t.equal(pathlib.Path("/proc/%d/mem" % stuck.process.pid).stat().st_uid, 0,
                "owner of /proc/PID/mem")


tap.main()
