"""Stand-ins for the package indexes that uv and pip ask, on this machine.

The plain index is a folder of links over HTTP. PyTorch's own has an address that uv knows, so uv is told of a proxy: it
gives itself out as any host, under a certificate of its own, and serves another folder of links.
"""

from __future__ import annotations

import os
import ssl
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme
from wheels import write_wheel


class Indexes:
    """The plain index and PyTorch's own; as a context manager, both answer.

    pytorch: "answers", "refuses" what asks for it, or is "silent". asked: the pages and files that were asked for.
    """

    def __init__(self, folder: Path):
        self.folder, self.pytorch, self.asked = folder, "answers", []
        self.authority = trustme.CA()
        self.authority.cert_pem.write_to_path(folder / "authority.pem")
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.indexes, self.over = self, threading.Event()

    def __enter__(self) -> Indexes:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def add(self, name: str, version: str, *requires: str, backend: str = "", **options) -> None:
        """Put a wheel into the plain index or, with a `backend` such as cpu, into that of PyTorch's own."""
        index = self.folder / (f"whl/{backend}" if backend else "simple")
        write_wheel(index / name.replace("_", "-"), name, version, requires, **options)

    def environment(self) -> dict[str, str]:
        """Variables under which uv and pip find these indexes and nothing else, no setting of the user's either."""
        address = f"http://127.0.0.1:{self.server.server_port}"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("UV_", "PIP_", "MAKE", "MFLAGS", "PYTHONPATH"))
        }
        ours = {"UV_DEFAULT_INDEX": f"{address}/simple", "UV_NO_CONFIG": "1", "UV_CACHE_DIR": f"{self.folder}/cache"}
        ours |= {"PIP_INDEX_URL": f"{address}/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
        ours |= {
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_RETRIES": "0",
            "SSL_CERT_FILE": f"{self.folder}/authority.pem",  # for uv, and for pip from 24.2 on
            "PIP_CERT": f"{self.folder}/authority.pem",
            "REQUESTS_CA_BUNDLE": f"{self.folder}/authority.pem",
        }
        proxies = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), address)
        return kept | ours | proxies | dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1")


class _Server(ThreadingHTTPServer):
    """A request a thread. Tests read what the program says on stderr: nothing of ours belongs there."""

    def handle_error(self, request, client_address) -> None:
        """An asker that hangs up early is no error: what sockets and TLS raise then are all of this kind."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(SimpleHTTPRequestHandler):
    """Folders as lists of links, here and, for a host that a proxy is asked to connect to, under TLS."""

    def __init__(self, request, client_address, server):
        self.indexes = server.indexes
        super().__init__(request, client_address, server, directory=str(self.indexes.folder))

    def do_CONNECT(self):
        self.indexes.asked.append(self.path)
        if self.indexes.pytorch == "refuses":
            return self.send_error(502)
        if self.indexes.pytorch == "silent":
            return self.indexes.over.wait()
        self.send_response(200)
        self.end_headers()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.indexes.authority.issue_cert(self.path.split(":")[0]).configure_cert(tls)
        self.connection = tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.handle_one_request()

    def do_GET(self):
        self.indexes.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        pass
