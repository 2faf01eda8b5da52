"""The package's own errors: one line that names the thing, its value and the remedy."""

import errno


class TutorialError(Exception):
    """Base of every error this package raises on purpose. The command line prints it without a traceback."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in a notebook: the sentence, which holds the remedy, and no traceback."""
        return [f"{type(self).__name__}: {self}"]


class ConfigError(TutorialError):
    """A request that cannot work: an impossible setting, an unknown name, a wrong option (exit code 2)."""

    exit_code = 2


class Interrupted(TutorialError):
    """The user stopped the command, and what is needed to go on is saved (exit code 130, as shells have it)."""

    exit_code = 130


class ProcessLost(TutorialError):
    """Another of the processes that work together is gone, and this one cannot go on alone (exit code 1)."""


class DataError(TutorialError):
    """A file or an array that cannot be used: missing, damaged, of the wrong kind (exit code 1)."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory does not suffice: those of torch have no type of their own on a CPU."""
    words = ("tried to allocate", "storage size calculation overflowed")
    told = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
    return told or any(part in str(error).lower() for part in words)
