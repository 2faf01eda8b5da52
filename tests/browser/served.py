"""Pages over HTTP: a folder from the server that a classroom gets, and one page by halves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rcnn_tutorial.course.server import SiteServer


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the pages, without a slash at its end; the server ends with the context."""
    with SiteServer(folder, "127.0.0.1", 0) as server, running(server) as address:
        yield address


@contextmanager
def served_in_halves(first: bytes, second: bytes) -> Iterator[tuple[str, Callable[[], None]]]:
    """The address of one page, and what to call for its second half."""
    asked_for = threading.Event()

    class Halves(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(first + second)))
            self.end_headers()
            self.wfile.write(first)
            asked_for.wait()
            self.wfile.write(second)

        def log_message(self, *_):
            """Nothing is told."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Halves) as server, running(server) as address:
        try:
            yield address, asked_for.set
        finally:
            asked_for.set()


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[str]:
    """The address of a server, without a slash at its end; it ends with the context."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
