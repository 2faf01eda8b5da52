"""What the command line writes: results to stdout, all else to stderr, and nothing lost where either fails."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from rcnn_tutorial.errors import DataError


class _Forgiving:
    """A stderr that is gone (a closed pipe, a full disk) costs its messages, not the work that they are about."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.stream.flush()

    def __getattr__(self, name: str):
        return getattr(self.stream, name)


@contextlib.contextmanager
def forgiving() -> Iterator[None]:
    """Within the context, a stderr that is missing or fails is passed over."""
    before = sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        sys.stderr = _Forgiving(before or nowhere)
        try:
            yield
        finally:
            sys.stderr = before


def say(program: str, message: str) -> None:
    """One line on stderr."""
    print(f"{program}: {' '.join(message.split())}", file=sys.stderr)


def emit(text: str, kept: str = "send it to a file that has room") -> None:
    """Print a result, escaped where stdout cannot encode it.

    Raises DataError, with `kept` for what of the work remains, where stdout does not take it.
    """
    try:
        if sys.stdout is None:
            raise OSError("it is closed")
        encoding = sys.stdout.encoding or "utf-8"
        if getattr(sys.stdout, "errors", "strict") == "strict":
            text = text.encode(encoding, "backslashreplace").decode(encoding)
        print(text, flush=True)
    except OSError as error:
        _abandon_stdout()
        raise DataError(f"standard output: not written ({error.strerror or error}); {kept}") from error


def _abandon_stdout() -> None:
    """Else Python would try again at its end, and complain a second time."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
