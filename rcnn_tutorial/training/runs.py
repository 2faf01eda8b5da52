"""The folder of a training run: what lies in it, which training it belongs to, and its log.

RUN/config.json is the whole request (see `request`), log.jsonl has one line a step, checkpoint.safetensors is what
`--resume` goes on from, and model.safetensors the result. While a training runs, it holds the lock `.lock`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import sys
import warnings
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

from rcnn_tutorial import distributed
from rcnn_tutorial.atomic import remove_leftovers, write_atomically
from rcnn_tutorial.checkpoints import Checkpoint, load_training, save_training
from rcnn_tutorial.config import Config, TrainingConfig
from rcnn_tutorial.errors import ConfigError, DataError, TutorialError
from rcnn_tutorial.request import read_request

CONFIG, LOG, CHECKPOINT, MODEL = "config.json", "log.jsonl", "checkpoint.safetensors", "model.safetensors"
LOCK = ".lock"
TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)  # what a lock that another holds is answered with


class Run:
    """A training's folder, its own until the `with` ends that follows: checkpoint to go on from, log, saving.

    Nothing is kept with a folder of None, nor by any of several processes but the first.
    """

    log: Log  # from the beginning of the `with`

    def __init__(self, folder: Path | None, resume: bool, config: Config, training: TrainingConfig, dataset):
        """Raises ConfigError or DataError, the folder free and as it was, for what `train` cannot start or resume."""
        self.config, self.training, self.data = config, training, fingerprint(dataset)
        self.claim = claim(folder, resume)
        self.checkpoint, self.step = None, 0
        if resume and folder is not None and (folder / CHECKPOINT).exists():
            try:
                self.checkpoint = load_training(folder / CHECKPOINT, config, training)
            except BaseException:
                self._close()
                raise
            self.step = self.checkpoint.info["step"]
            warn_of_other_data(self.checkpoint, self.data)
        self.folder = folder if distributed.is_writer() else None

    def __enter__(self) -> Run:
        self.log = Log(self.folder, self.step)
        return self

    def __exit__(self, *_) -> None:
        self.log.close()
        self._close()

    def _close(self) -> None:
        if self.claim is not None:
            self.claim.close()

    def save(self, step: int, networks: dict, optimizers: Sequence, detect_with: str) -> None:
        """Write the checkpoint; see `save_training`."""
        if self.folder is not None:
            path = self.folder / CHECKPOINT
            save_training(path, self.config, self.training, step, networks, optimizers, detect_with, self.data)


class Claim:
    """A folder that belongs to one training of all on this file system, until `close` or the end of the process.

    The operating system keeps the lock, so that a process that was killed leaves none. Raises ConfigError where
    another training has it; a file system that knows no locks is warned of.
    """

    _held: weakref.WeakSet = weakref.WeakSet()  # those of this process

    def __init__(self, folder: Path):
        self.folder, self.path = folder, folder / LOCK
        self.file: BinaryIO | None = None
        while not self._has_the_name():
            self.close()
            if not self._acquire():
                break

    def _acquire(self) -> bool:
        """Open and lock the file; False where that is impossible."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = open(self.path, "ab")
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"{self.folder}: cannot be written to ({reason}); name another --out") from error
        try:
            _lock(file)
        except OSError as error:
            file.close()
            if error.errno in TAKEN:
                mine = any(held.path == self.path for held in Claim._held)
                end = "close() its reports first" if mine else "wait for its end, or name another --out"
                raise ConfigError(f"{self.folder}: a training is running there; {end}") from None
            with contextlib.suppress(OSError):
                self.path.unlink()
            warnings.warn(
                f"{self.folder}: on a file system without locks; start no second training there", stacklevel=4
            )
            return False
        self.file = file
        Claim._held.add(self)
        return True

    def _has_the_name(self) -> bool:
        """Whether there is a locked file, still the one of that name: its last owner may have removed it meanwhile."""
        if self.file is None:
            return False
        try:
            return os.path.samestat(os.fstat(self.file.fileno()), os.stat(self.path))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Let others have the folder."""
        if self.file is None:
            return
        with contextlib.suppress(OSError):  # Windows removes no open file, and needs to remove none
            if self._has_the_name():
                self.path.unlink()
        Claim._held.discard(self)
        self.file.close()
        self.file = None

    def __del__(self):
        self.close()  # of a training whose reports nobody asked for


def _lock(file) -> None:
    """Lock an open file without waiting; OSError if another has it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _leave_to_parent() -> None:
    """A forked process (one that loads images) may outlive a killed training, and must not hold its lock."""
    for claim in list(Claim._held):
        claim.file.close()
        claim.file = None
    Claim._held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def claim(folder: Path | None, resume: bool) -> Claim | None:
    """The folder for one training alone; of several processes the first one has it, and all raise what it meets.

    folder: None claims nothing.

    Raises ConfigError where another training runs, or where a new one (not `resume`) would replace files that are
    there; DataError where `resume` finds no run. A run that ended before its first checkpoint is resumed at step 0.
    """
    claimed, error = None, None
    try:
        if folder is not None and distributed.is_writer():
            claimed = _claim(folder, resume)
    except TutorialError as found:
        error = found
    (error, *_) = distributed.gather(error)
    if error is not None:
        raise error
    return claimed


def _claim(folder: Path, resume: bool) -> Claim:
    present = [name for name in (CHECKPOINT, CONFIG, MODEL, LOG) if os.path.lexists(folder / name)]
    if resume and not {CHECKPOINT, CONFIG, LOG} & set(present):
        raise DataError(f"{folder / CHECKPOINT}: no such file to resume from; leave --resume away to start anew")
    claimed = Claim(folder)
    # The log alone is what a training leaves that was killed before anything else was saved.
    if not resume and present and (present != [LOG] or _is_foreign(folder / LOG)):
        claimed.close()
        goes_on = "pass --resume to go on from it, or " if _is_run(folder) else ""
        raise ConfigError(f"{folder / present[0]} exists already; {goes_on}name another --out")
    for name in (CHECKPOINT, CONFIG, MODEL, LOG):
        remove_leftovers(folder, name)
    return claimed


def _is_run(folder: Path) -> bool:
    """Whether there is something to resume, and not, say, the config.json of another program."""
    try:
        return (folder / CHECKPOINT).exists() or "training" in read_request(folder / CONFIG)
    except TutorialError:
        return False


def _is_foreign(path: Path) -> bool:
    try:
        lines = _lines(path)
        rest = path.read_text(encoding="utf-8")[len("".join(lines)) :]  # half a line, of a run that was killed
    except (DataError, OSError, ValueError):
        return True
    return not all("phase" in json.loads(line) for line in lines) or not '{"step": '.startswith(rest[:9])


class Log:
    """log.jsonl, opened to append and cut back to the first `step` steps; a folder of None keeps nothing.

    The line of a step is written before its checkpoint: cutting back is easy, but a gap could not be filled.
    """

    def __init__(self, folder: Path | None, step: int):
        self.path = None if folder is None else folder / LOG
        self.file: TextIO | None = None
        self.last: dict | None = None  # what the last line says
        if self.path is not None:
            lines = [line for line in _lines(self.path) if json.loads(line)["step"] <= step]
            self.last = json.loads(lines[-1]) if lines else None
            self._rewrite(self.path, lines)

    def append(self, line: dict) -> None:
        """Add the line of a step. Raises DataError when the disk is full."""
        self.last = line
        if self.file is None:
            return
        try:
            self.file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise DataError(f"{self.path}: not written ({error.strerror or error}); make room, then resume") from error

    def amend(self, line: dict) -> None:
        """Put `line` in the place of the last one, whole or not at all."""
        self.last = line
        if self.path is not None:
            self.close()
            self._rewrite(self.path, [*_lines(self.path)[:-1], json.dumps(line) + "\n"])

    def close(self) -> None:
        """Nothing is written from here on."""
        if self.file is not None:
            with contextlib.suppress(OSError):  # a full disk was reported when the line was written
                self.file.close()

    def _rewrite(self, path: Path, lines: list[str]) -> None:
        write_atomically(path, "".join(lines).encode())
        # Line by line, since others may follow a run; with the line ends of `write_atomically` on Windows too.
        self.file = open(path, "a", buffering=1, encoding="utf-8", newline="\n")


def _lines(path: Path) -> list[str]:
    """The whole lines of a log; none where there is no log. Raises DataError for what is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]  # a run that was killed may leave half a line
        if not all(json.loads(line)["step"] > 0 for line in whole):
            raise ValueError("a step below 1")
        return whole
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: not the log of a run ({error}); move it away to go on without it") from error


def fingerprint(dataset) -> dict:
    """What a run remembers of its training data, to notice others: how many images, and a digest of their objects."""
    source = dataset
    while not hasattr(source, "records") and hasattr(source, "dataset"):
        source = source.dataset  # of one that keeps or changes the images of another
    digest = hashlib.blake2b(digest_size=16)
    for record in getattr(source, "records", ()):
        objects = f"{record.image_id!r} {record.boxes.tolist()} {record.labels.tolist()}\n"
        digest.update(objects.encode("utf-8", "backslashreplace"))
    return {"images": len(dataset), "digest": digest.hexdigest()}


def warn_of_other_data(checkpoint: Checkpoint, now: dict) -> None:
    """Say so in one line where a resumed run no longer finds the training data that its checkpoint was written with.

    now: `fingerprint` of the data that there are.
    """
    before = checkpoint.info.get("data") or now
    if before != now and distributed.is_writer():
        count = before.get("images") if isinstance(before, dict) else None
        warnings.warn(
            f"{checkpoint.path}: the training data have changed since it was written ({count} images then, "
            f"{now['images']} now, or other boxes); the weights will not be those of an unbroken run",
            stacklevel=4,
        )
