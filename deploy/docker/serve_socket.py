#!/opt/edge-infer/current/bin/python
"""Answer for a model on a Unix socket, where no systemd does: `edge-infer stream MODEL` for each connection.

    serve_socket.py MODEL SOCKET [MODE]

MODE (octal, 660 where it is left out) says who may ask: owner, group, others. Each caller has a process of its own,
at most so many at a time; one more is hung up on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socketserver
import subprocess
import sys
import threading

MOST_CALLERS = 16


class Caller(socketserver.BaseRequestHandler):
    """One connection."""

    places = threading.BoundedSemaphore(MOST_CALLERS)

    def handle(self) -> None:
        if not self.places.acquire(blocking=False):
            return
        try:
            subprocess.run(["edge-infer", "stream", sys.argv[1]], stdin=self.request, stdout=self.request, check=False)
        finally:
            self.places.release()


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = MOST_CALLERS

    def server_bind(self) -> None:
        """Under its name only when its mode is right; a socket that an earlier run left is taken away."""
        path, mode = sys.argv[2], int(sys.argv[3], 8) if len(sys.argv) > 3 else 0o660
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        before = os.umask(0o777 & ~mode)
        try:
            super().server_bind()
        finally:
            os.umask(before)


def main() -> int:
    if len(sys.argv) not in (3, 4):
        print("usage: serve_socket.py MODEL SOCKET [MODE]", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Server(sys.argv[2], Caller) as server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
