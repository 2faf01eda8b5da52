"""Ctrl-C for commands whose work so far is worth keeping."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def postponed_interrupt() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event to be looked at between two steps; a second one stops at once."""
    interrupted = threading.Event()

    def note(*_) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    previous = signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, previous)
