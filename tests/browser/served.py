"""A folder of pages over HTTP, from the server that a classroom gets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rcnn_tutorial.course.server import SiteServer


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the pages, without a slash at its end; the server ends with the context."""
    with SiteServer(folder, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
