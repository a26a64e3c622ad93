# SPDX-License-Identifier: PostgreSQL
"""radosgw.py: a real S3 service on loopback: one Ceph monitor, one in-memory OSD, one gateway.

    with radosgw.Radosgw(t.dir / "west", region="eu-west-3") as gw:
        gw.create_bucket("wal")
        gw.s3().put("wal", "key", b"bytes", if_none_match="*")
        store = gw.store("a", "wal", "root")        # for seawall.Setup

Each instance is a region of its own and takes about four seconds to start. It answers HTTPS with
a certificate of its own authority (gw.ca_file) for localhost, *.localhost and 127.0.0.1, and
plain HTTP. Everything dies with the test program.

What differs from Amazon: a bucket with versioning ignores If-None-Match and stores a second
version; any region is accepted in a signature; x-amz-checksum-* is not checked.

By hand: python3 tests/support/radosgw.py up|down --dir DIR [--region R] [--bucket NAME]...
"""
import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import uuid

import sigv4
import tap

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "rados", "monmaptool",
            "openssl")
ACCESS_KEY = "SEAWALLTESTACCESSKEY"
SECRET_KEY = "seawall/test+secret/0123456789abcdefghij"
NAMES = "DNS:localhost,DNS:*.localhost,IP:127.0.0.1"

CONF = """\
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon_port}
mon initial members = a
public addr = 127.0.0.1
# Without cephx the monitor connection cannot be "secure", which is the gateway's default.
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms mon cluster mode = crc
ms mon service mode = crc
ms cluster mode = crc
ms service mode = crc
ms client mode = crc
keyring = /dev/null
run dir = {dir}
admin socket = {dir}/$type.asok
log file = {dir}/$type.log
mon cluster log file = {dir}/cluster.log
crash dir = {dir}
log to stderr = false
err to stderr = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
[mon]
mon data = {dir}/mon
paxos propose interval = 0.02
mon allow pool size one = true
mon max pg per osd = 2000
mon data avail warn = 2
mon data avail crit = 1
[osd]
osd data = {dir}/osd
osd objectstore = memstore
# memstore saves itself only when it is told to stop in order
osd fast shutdown = false
memstore device bytes = 8589934592
osd numa auto affinity = false
debug osd = 0/0
[client.rgw.a]
admin socket = {dir}/rgw.asok
rgw data = {dir}
rgw thread pool size = 64
rgw dns name = localhost
rgw gc obj min wait = 5
rgw gc processor period = 5
debug rgw = 1/1
"""


def free_ports(count):
    """Ports that are free right now, all different, and none that the kernel gives to clients."""
    ports = []
    while len(ports) < count:
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", random.randrange(20000, 30000)))
            ports.append(s.getsockname()[1])
            ports = sorted(set(ports))
    return ports


def _program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise tap.Skip("no %s: sh tests/support/install.sh test" % name)
    return path


class Authority:
    """A certificate authority and the certificates it gives, in a directory."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.file = self.dir / "ca.pem"
        if not self.file.exists():
            self._openssl("req", "-x509", *self._new_key("ca.key"), "-out", self.file, "-days",
                          "30", "-subj", "/CN=Seawall test authority")

    def _openssl(self, *args):
        result = tap.run([_program("openssl"), *args])
        if result.code != 0:
            raise tap.Failure("openssl %s: %s" % (args[0], result.err))

    def _new_key(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                self.dir / name]

    def certificate(self, name, names=NAMES, days=30):
        """Make name.pem and name.key; a negative number of days has expired already."""
        pem, request = self.dir / (name + ".pem"), self.dir / (name + ".csr")
        self._openssl("req", *self._new_key(name + ".key"), "-out", request, "-subj",
                      "/CN=localhost", "-addext", "subjectAltName=" + names)
        self._openssl("x509", "-req", "-in", request, "-out", pem, "-days", days, "-CA", self.file,
                      "-CAkey", self.dir / "ca.key", "-set_serial",
                      "0x" + uuid.uuid4().hex[:15] + "1", "-copy_extensions", "copy")
        return pem, self.dir / (name + ".key")


class TlsProxy:
    """TLS in front of a plain port, with any certificate. Bytes pass unchanged."""

    def __init__(self, certificate, key, target_port):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.context, self.target = context, ("127.0.0.1", target_port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.endpoint = "https://127.0.0.1:%d" % self.port
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError), client:
            client.settimeout(60)
            with self.context.wrap_socket(client, server_side=True) as near, \
                    socket.create_connection(self.target, 60) as far:
                back = threading.Thread(target=self._copy, args=(far, near), daemon=True)
                back.start()
                self._copy(near, far)
                back.join(60)

    @staticmethod
    def _copy(source, sink):
        with contextlib.suppress(OSError, ValueError):
            while True:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


class Radosgw:
    """One S3 service. The directory holds everything it writes. start=False for later."""

    def __init__(self, directory, region="us-east-1", start=True, detached=False, names=()):
        """detached: the daemons outlive this program; stop() in another one finds them.
        names: further ones for its certificate, such as "IP:198.18.0.3" (wan.py)."""
        self.dir = pathlib.Path(directory).absolute()
        if len(str(self.dir)) > 90:
            raise tap.Failure("%s: too long for a Unix socket's path" % self.dir)
        for name in PROGRAMS:
            _program(name)
        self.region, self.detached = region, detached
        self.access_key, self.secret_key = ACCESS_KEY, SECRET_KEY
        self.conf = self.dir / "ceph.conf"
        self.names = ",".join([NAMES, *names])
        self.daemons = {}
        self._markers = {}
        self._prepare()
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.wipe()

    def _prepare(self):
        facts = self.dir / "facts.json"
        if facts.exists():
            self.__dict__.update(json.loads(facts.read_text()))
            self.authority = Authority(self.dir)
        else:
            self.dir.mkdir(parents=True, exist_ok=True)
            (self.dir / "mon").mkdir()
            (self.dir / "osd").mkdir()
            self.mon_port, self.http_port, self.tls_port = free_ports(3)
            self.authority = Authority(self.dir)
            self.authority.certificate("server", self.names)
            fsid = str(uuid.uuid4())
            self.conf.write_text(CONF.format(fsid=fsid, mon_port=self.mon_port, dir=self.dir))
            self._tool("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a",
                       "[v2:127.0.0.1:%d]" % self.mon_port, self.dir / "monmap", conf=False)
            self._tool("ceph-mon", "-i", "a", "--mkfs", "--monmap", self.dir / "monmap")
            facts.write_text(json.dumps({name: getattr(self, name) for name in (
                "region", "mon_port", "http_port", "tls_port")}))
        self.ca_file = str(self.authority.file)
        self.endpoint = "https://127.0.0.1:%d" % self.tls_port
        self.http_endpoint = "http://127.0.0.1:%d" % self.http_port

    def _tool(self, name, *args, conf=True, stdin=None, timeout=120):
        argv = [_program(name)] + (["-c", str(self.conf)] if conf else []) + list(args)
        result = tap.run(argv, stdin=stdin, timeout=timeout,
                         env={"CEPH_ARGS": None, "CEPH_CONF": None})
        if result.code != 0:
            raise tap.Failure("%s %s: exit code %d\n%s%s" % (
                name, args[0], result.code, result.out, result.err))
        return result.out

    # daemons

    def _spawn(self, name, *argv):
        # so that nobody asks a dead daemon's socket
        (self.dir / (name + ".asok")).unlink(missing_ok=True)
        env = {k: v for k, v in os.environ.items() if k not in ("CEPH_ARGS", "CEPH_CONF")}
        with open(self.dir / (name + ".out"), "ab") as out:
            process = subprocess.Popen(
                [_program(argv[0]), "-c", str(self.conf), "-f", *[str(a) for a in argv[1:]]],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/", env=env,
                start_new_session=True,
                preexec_fn=None if self.detached else tap.die_with_parent())
        self.daemons[name] = process
        (self.dir / (name + ".pid")).write_text("%d\n" % process.pid)

    def pid(self, name):
        """The pid of mon, osd or rgw if that runs and is this instance's, else None."""
        with contextlib.suppress(OSError, ValueError):
            if name in self.daemons:
                # its command line cannot be read for a moment while it starts
                return self.daemons[name].pid if self.daemons[name].poll() is None else None
            pid = int((self.dir / (name + ".pid")).read_text())
            if str(self.conf).encode() in pathlib.Path("/proc/%d/cmdline" % pid).read_bytes():
                return pid
        return None

    def _admin_socket(self, name, command):
        """Ask a daemon through its admin socket: much faster than the ceph command."""
        with contextlib.suppress(OSError, ValueError), \
                socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(10)
            s.connect(str(self.dir / (name + ".asok")))
            s.sendall(json.dumps({"prefix": command, "format": "json"}).encode() + b"\0")
            with s.makefile("rb") as f:
                return json.loads(f.read(int.from_bytes(f.read(4), "big")))
        return {}

    def _await(self, name, condition):
        def ready():
            if self.pid(name) is None:
                raise tap.Failure("%s ended:\n%s" % (name, self.log_tail(name)))
            return condition()
        tap.wait_for(ready, 120, "%s in %s" % (name, self.dir))

    def log_tail(self, name, lines=15):
        text = ""
        for suffix in (".log", ".out"):
            with contextlib.suppress(OSError):
                text += "\n".join((self.dir / (name + suffix)).read_text(
                    errors="replace").split("\n")[-lines:])
        return text

    def start(self):
        """Start what does not run. What a stop() in order has saved is there again."""
        if not self.pid("mon"):
            self._spawn("mon", "ceph-mon", "-i", "a")
            self._await("mon", lambda: self._admin_socket("mon", "mon_status").get("state")
                        == "leader")
        if not (self.dir / "osd" / "ready").exists():
            osd_id = str(uuid.uuid4())
            self._tool("ceph", "osd", "new", osd_id)
            self._tool("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd_id)
        if not self.pid("osd"):
            self._spawn("osd", "ceph-osd", "-i", "0")
            self._await("osd", lambda: self._admin_socket("osd", "status").get("state")
                        == "active")
        if not (self.dir / "user.json").exists():
            self.create_user("seawall", self.access_key, self.secret_key)
            (self.dir / "user.json").touch()
        self.start_gateway()
        return self

    def start_gateway(self):
        if not self.pid("rgw"):
            self._spawn("rgw", "radosgw", "-n", "client.rgw.a", "--rgw-frontends",
                        "beast endpoint=127.0.0.1:%d ssl_endpoint=127.0.0.1:%d "
                        "ssl_certificate=%s ssl_private_key=%s tcp_nodelay=1" % (
                            self.http_port, self.tls_port, self.dir / "server.pem",
                            self.dir / "server.key"))
        self._await("rgw", self._answers)

    def _answers(self):
        with contextlib.suppress(OSError):
            return self.s3(timeout=5).request("GET", "", anonymous=True).status == 200
        return False

    def _signal(self, name, sig):
        pid = self.pid(name)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)

    def _end(self, name, sig):
        self._signal(name, signal.SIGCONT)
        self._signal(name, sig)
        try:
            tap.wait_for(lambda: self.pid(name) is None, 40, "end of " + name)
        except tap.Failure:
            self._signal(name, signal.SIGKILL)
            tap.wait_for(lambda: self.pid(name) is None, 40, "end of " + name)
        if name in self.daemons:
            self.daemons.pop(name).wait()
        (self.dir / (name + ".pid")).unlink(missing_ok=True)

    def stop(self):
        """Stop in order; the data is saved and start() brings it back."""
        for name in ("rgw", "osd", "mon"):
            self._end(name, signal.SIGTERM)

    def crash(self):
        """SIGKILL the gateway alone: connections break, nothing listens, stored data stays.
        start_gateway() brings it back on the same ports."""
        self._end("rgw", signal.SIGKILL)

    def wipe(self):
        """Kill everything and remove the directory."""
        for name in ("rgw", "osd", "mon"):
            self._end(name, signal.SIGKILL)
        if "KEEP" not in os.environ:
            shutil.rmtree(self.dir, ignore_errors=True)

    # faults

    def pause(self, name="rgw"):
        """Hang. rgw: connections are accepted by the kernel and nothing ever answers. osd: the
        gateway itself goes on and waits for its storage."""
        self._signal(name, signal.SIGSTOP)

    def resume(self, name="rgw"):
        self._signal(name, signal.SIGCONT)

    @contextlib.contextmanager
    def paused(self, name="rgw"):
        self.pause(name)
        try:
            yield
        finally:
            self.resume(name)

    def corrupt(self, bucket, key, offset=0, data=None):
        """Change a stored object below the gateway: it is served with its old ETag. Without data
        the byte at offset is inverted. Only the first 4 MiB, unversioned buckets."""
        if bucket not in self._markers:
            self._markers[bucket] = json.loads(self._tool(
                "radosgw-admin", "bucket", "stats", "--bucket", bucket))["marker"]
        if data is None:
            data = bytes([self.s3().get(bucket, key).body[offset] ^ 0xFF])
        self._tool("rados", "-p", "default.rgw.buckets.data", "put",
                   "%s_%s" % (self._markers[bucket], key), "-", "--offset", str(offset),
                   stdin=data)

    def tls_proxy(self, names=NAMES, days=30):
        """The same service behind another certificate of the same authority: TlsProxy.
        days=-1 has expired, names="DNS:elsewhere.example" is for another host."""
        name = "proxy-" + hashlib.sha256(("%s %d" % (names, days)).encode()).hexdigest()[:12]
        return TlsProxy(*self.authority.certificate(name, names, days), self.http_port)

    # users and buckets

    def create_user(self, uid, access_key, secret_key):
        self._tool("radosgw-admin", "user", "create", "--uid", uid, "--display-name", uid,
                   "--access-key", access_key, "--secret", secret_key)

    def suspend(self, uid="seawall"):
        """Every request of the user is answered 403 UserSuspended until enable()."""
        self._tool("radosgw-admin", "user", "suspend", "--uid", uid)

    def enable(self, uid="seawall"):
        self._tool("radosgw-admin", "user", "enable", "--uid", uid)

    def s3(self, endpoint=None, **options):
        """A signing client of this service."""
        return sigv4.S3(endpoint or self.endpoint, self.access_key, self.secret_key, self.region,
                        self.ca_file, **options)

    def create_bucket(self, name, versioned=False):
        response = self.s3().request("PUT", name)
        if response.status == 200 and versioned:
            response = self.s3().request(
                "PUT", name, query={"versioning": ""},
                body=b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
        if response.status != 200:
            raise tap.Failure("bucket %s: %d %s" % (name, response.status, response.body))
        return name

    def store(self, name, bucket, root="", **settings):
        """This service as one of the stores of a configuration file."""
        return dict(dict(name=name, url="s3://" + bucket + ("/" + root if root else ""),
                         region=self.region, endpoint=self.endpoint, path_style=True,
                         ca_file=self.ca_file, access_key_id=self.access_key,
                         secret_access_key=self.secret_key), **settings)


def main():
    parser = argparse.ArgumentParser(
        description="A real S3 service on loopback, for trying things.")
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("--dir", required=True, help="holds everything; down removes it")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--bucket", action="append", default=[], help="make this bucket")
    parser.add_argument("--versioned", action="store_true", help="make buckets versioned")
    args = parser.parse_args()
    if args.action == "down" and not (pathlib.Path(args.dir) / "facts.json").exists():
        parser.error("%s: nothing was started there" % args.dir)
    try:
        gw = Radosgw(args.dir, args.region, start=False, detached=True)
        if args.action == "down":
            gw.wipe()
            return
        gw.start()
        for bucket in args.bucket:
            gw.create_bucket(bucket, args.versioned)
    except (tap.Failure, tap.Skip) as failure:
        sys.exit("radosgw.py: %s" % failure)
    print("endpoint=%s\nhttp_endpoint=%s\nca_file=%s\nregion=%s\naccess_key_id=%s\n"
          "secret_access_key=%s" % (gw.endpoint, gw.http_endpoint, gw.ca_file, gw.region,
                                    gw.access_key, gw.secret_key))


if __name__ == "__main__":
    main()
