"""The pages of `make site` over HTTP: read-only, whole files alone, nothing outside their folder.

The standard library's own file handler lists folders and follows links out of them, so only its server is used here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import socketserver
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rcnn_tutorial.errors import ConfigError, DataError

INDEX = "index.html"
# Python asks the system for these, and Windows' registry may say that JavaScript is plain text.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".ipynb": "application/x-ipynb+json",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".ico": "image/vnd.microsoft.icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".pdf": "application/pdf",
}
# One address in each kind of network. Connecting a UDP socket sends nothing; it chooses the way, and so our address.
_ELSEWHERE = ("192.0.2.1", "192.168.255.254", "10.255.255.254", "172.31.255.254", "169.254.255.254")


class SiteServer(ThreadingHTTPServer):
    """Serves the pages in `folder`, each request in a thread of its own.

    Raises DataError for a folder without pages, ConfigError for an address or a port that cannot be had.
    """

    request_queue_size = 64  # a class opens the page at the same moment
    allow_reuse_address = os.name != "nt"  # Windows would give one port to two servers
    allow_reuse_port = False

    def __init__(self, folder: Path, host: str, port: int):
        if not (folder / INDEX).is_file():
            raise DataError(
                f"{folder}: no {INDEX} in it; write the pages with `make site`, or without make: "
                f"python -m rcnn_tutorial.course.site {folder}"
            )
        self.folder = folder.resolve()
        try:
            self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            super().__init__((host, port), SiteHandler)
        except (OSError, UnicodeError) as error:
            raise ConfigError(_why_not(host, port, error)) from error

    def server_bind(self) -> None:
        """As in the base class, which would also ask the network for this machine's name, and wait."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address) -> None:
        """A reader who went away before the page was sent is no error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def _why_not(host: str, port: int, error: Exception) -> str:
    code = getattr(error, "errno", None)
    if code == errno.EADDRINUSE:
        return f"port {port} of {host} is taken; name another with --port, or --port 0 for any that is free"
    if code == errno.EACCES:
        return f"port {port} of {host} is not allowed to this user; name one from 1024 on with --port"
    return f"{host!r} is no address of this machine ({getattr(error, 'strerror', None) or error}); see --help"


class SiteHandler(BaseHTTPRequestHandler):
    """Answers GET and HEAD with a file, or with an error that says nothing about the machine."""

    server_version, sys_version = "rcnn-tutorial", ""
    timeout = 30  # seconds: a connection that stays silent does not keep its thread

    def do_GET(self) -> None:
        """Send a file."""
        try:
            path = find_page(self.server.folder, self.path)
            file = open(path, "rb") if path else None
        except OSError:  # gone meanwhile, or not ours to read
            file = None
        if file is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with file:
            self._send_head(path, os.fstat(file.fileno()).st_size)
            if self.command == "GET":
                shutil.copyfileobj(file, self.wfile)

    do_HEAD = do_GET

    def _send_head(self, path: Path, size: int) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", TYPES.get(path.suffix.lower(), "application/octet-stream"))
        self.send_header("Content-Length", str(size))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")  # pages that are written anew show at the next look
        self.end_headers()

    def _refuse(self) -> None:
        self.close_connection = True
        self.send_response(HTTPStatus.METHOD_NOT_ALLOWED)
        self.send_header("Allow", "GET, HEAD")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse

    def log_message(self, *_) -> None:
        """Nothing: a class of thirty would push the address off the screen."""


def find_page(folder: Path, request: str) -> Path | None:
    """The file in `folder` that the target of a request names ("/", "/solutions/02_anchors.html?x"), or None.

    None for a folder without an index, for what is hidden (a name with a dot in front), and for what lies outside once
    links are followed. `folder` is resolved.
    """
    try:
        name = unquote(urlsplit(request).path, errors="strict")
        if any(part == ".." for part in name.split("/")) or set(name) & set("\\:\0"):  # Windows' separators and streams
            return None
        path = (folder / (name.lstrip("/") + (INDEX if name.endswith("/") or not name else ""))).resolve()
        inside = path.relative_to(folder)
        return path if path.is_file() and not any(part.startswith(".") for part in inside.parts) else None
    except (OSError, ValueError, RuntimeError):  # too long, no text, outside; a link to itself
        return None


def own_addresses() -> list[str]:
    """IPv4 addresses of this machine in its networks, that of the usual way out first; none without a network."""
    found = []
    for elsewhere in _ELSEWHERE:
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            found.append(probe.getsockname()[0])
    return [address for address in dict.fromkeys(found) if not address.startswith(("127.", "0."))]
