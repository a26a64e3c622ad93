# SPDX-License-Identifier: PostgreSQL
"""wan.py: a simulated long-distance link: servers of 127.0.0.1 appear at a far address.

    WAN = wan.try_link()                     # as root, before tap.main() becomes another user

    @tap.check("...")
    def _(t):
        link = wan.need(WAN)                 # skips with a reason where there is no link
        link.set(rtt_ms=80, mbit=400)
        host, port = link.listen(gateway.tls_port)
        link.set(loss=100)                   # partition; every set() keeps what it does not name
        link.set(loss=0)

Delay, rate, loss and partition are real for TCP: packets go through two tun devices and a network
namespace (wandelay.c). The link ends with this program. Rate and loss hold for each direction by
itself; the queue is two products of rate and round trip (at least 50 ms): with one, eight plain
connections under BBR already lose a fifth of what they send. What does not fit is dropped.

By hand, as root:  python3 tests/support/wan.py --rtt 80 --mbit 400 PORT...
"""
import argparse
import contextlib
import os
import subprocess
import sys

import seawall
import tap

SLACK = 256 * 1024                           # one large piece of TCP in each queue, and a bit


class Link(contextlib.AbstractContextManager):
    """A link that runs. Without root it can still be changed, but not be made."""

    def __init__(self, rtt_ms=0, mbit=0, loss=0):
        """mbit 0: no limit. loss is a percentage; 100 is a partition."""
        number = os.getpid() * 2 % (1 << 17)     # a pair of addresses of 198.18.0.0/15
        pair = [(198 << 24) + (18 << 16) + number + i for i in (0, 1)]
        self.here, self.there = (".".join(str(n >> s & 255) for s in (24, 16, 8, 0)) for n in pair)
        self.facts = {"rtt_ms": 0, "mbit": 0, "loss": 0}
        self.process = subprocess.Popen(
            [seawall.program("wandelay"), self.here, self.there], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, start_new_session=True)
        answer = self._answer()
        if answer != "ready":
            raise tap.Skip("no simulated link: " + answer)
        self.set(rtt_ms=rtt_ms, mbit=mbit, loss=loss)

    def __exit__(self, *exc):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.wait(10)

    def _answer(self):
        return self.process.stdout.readline().rstrip("\n") or "wandelay ended"

    def _command(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        answer = self._answer()
        if answer.split(" ")[0] not in ("ok", "count"):
            raise tap.Failure("wandelay: " + answer)
        return answer

    def set(self, **facts):
        """Change rtt_ms, mbit, loss, now."""
        self.facts.update(facts)
        rtt_ms, mbit, loss = (self.facts[n] for n in ("rtt_ms", "mbit", "loss"))
        rate = int(mbit * 125000)
        queue = int(rate * max(rtt_ms, 50) / 500) + SLACK if rate else 0
        self._command("link", int(rtt_ms * 500), rate, int(loss * 10000), queue)

    def listen(self, local_port, port=0):
        """Make a port of 127.0.0.1 appear at the far address; returns (address, port)."""
        self._command("listen", port or local_port, local_port)
        return self.there, port or local_port

    def count(self):
        """Bytes that went there, came back, and were dropped, since the beginning."""
        return tuple(int(n) for n in self._command("count").split()[1:])


def try_link():
    """A Link, or the text why there can be none."""
    if os.geteuid() != 0:
        return "a simulated link needs root"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "a simulated link needs /dev/net/tun"
    try:
        return Link()
    except (tap.Skip, tap.Failure) as error:
        return str(error)


def need(link):
    """What try_link() gave, or a skipped check. The link is whole, fast and short again."""
    if isinstance(link, str):
        raise tap.Skip(link)
    link.set(rtt_ms=0, mbit=0, loss=0)
    return link


def main():
    parser = argparse.ArgumentParser(description="A long-distance link to ports of 127.0.0.1.")
    parser.add_argument("--rtt", type=float, default=80, help="milliseconds")
    parser.add_argument("--mbit", type=float, default=0, help="0: no limit")
    parser.add_argument("--loss", type=float, default=0, help="percent")
    parser.add_argument("port", type=int, nargs="+")
    args = parser.parse_args()
    with Link(args.rtt, args.mbit, args.loss) as link:
        for port in args.port:
            print("127.0.0.1:%d is at %s:%d" % (port, *link.listen(port)), flush=True)
        print("rtt, mbit, loss to change it; the end of the input ends it", flush=True)
        for line in sys.stdin:
            rtt_ms, mbit, loss = (float(word) for word in line.split())
            link.set(rtt_ms=rtt_ms, mbit=mbit, loss=loss)


if __name__ == "__main__":
    main()
