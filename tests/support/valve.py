# SPDX-License-Identifier: PostgreSQL
"""valve.py: a TCP connection that is lost after so many bytes.

    with valve.Valve(gw.tls_port) as v:
        store = gw.store("a", bucket, "root", endpoint=v.endpoint)
        v.arm(1 << 20, "hole")      # after 1 MiB nothing moves any more; "cut": all is refused
        ...
        v.open()                    # as if nothing had been

Bytes pass unchanged, so TLS and its certificate are those of the service behind it. Unlike a
service that is stopped by a signal, it is lost at the same place every time.
"""
import contextlib
import select
import socket
import threading

PIECE = 16384


class Valve:
    def __init__(self, target_port):
        self.target = ("127.0.0.1", target_port)
        self.lock = threading.Lock()
        self.left = None        # bytes until it is lost; None: as many as come
        self.mode = "cut"
        self.lost = threading.Event()
        self.closed = False
        self.pairs = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.endpoint = "https://127.0.0.1:%d" % self.port
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.closed = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self._drop()

    def arm(self, count, mode):
        """From now on `count` bytes pass, in both directions together. Then "cut" breaks every
        connection and every new one; "hole" leaves them open and moves nothing."""
        with self.lock:
            self.left, self.mode = count, mode
            self.lost.clear()

    def open(self):
        """All bytes pass; what hung is broken, so that nobody waits for bytes that were lost."""
        with self.lock:
            self.left = None
            self.lost.clear()
        self._drop()

    def _drop(self):
        with self.lock:
            pairs, self.pairs = self.pairs, set()
        for pair in pairs:
            for end in pair:
                # the thread that has it closes it
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while not self.closed:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            if self.lost.is_set() and self.mode == "cut":
                near.close()
                continue
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near):
        with contextlib.suppress(OSError), near, socket.create_connection(self.target, 60) as far:
            with self.lock:
                self.pairs.add((near, far))
            try:
                while self._step(near, far):
                    pass
            finally:
                with self.lock:
                    self.pairs.discard((near, far))

    def _step(self, near, far):
        """Move what there is. False: this connection is over."""
        for source in select.select([near, far], [], [], 60)[0]:
            data = source.recv(PIECE)
            if not data:
                return False
            with self.lock:
                if self.left is not None:
                    self.left -= len(data)
                    if self.left < 0:
                        self.lost.set()
            if self.lost.is_set():
                if self.mode == "cut":
                    threading.Thread(target=self._drop, daemon=True).start()
                    return False
                while self.lost.wait(0) and not self.closed and self._held(near, far):
                    select.select([], [], [], 0.05)
                return False
            (far if source is near else near).sendall(data)
        return True

    def _held(self, near, far):
        with self.lock:
            return (near, far) in self.pairs
