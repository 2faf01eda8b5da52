"""What detect is asked to search: photos, the photos of folders, and patterns that no shell has expanded."""

from __future__ import annotations

import glob
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rcnn_tutorial.errors import ConfigError, DataError


class Input(NamedTuple):
    """A photo and the folder below --out where its picture goes."""

    path: Path
    place: Path = Path()


def expand(words: list[Path], out: Path) -> list[Input]:
    """The photos that the words of the command line stand for, in their order.

    A name that exists is that file, or the photos in that folder and below it, sorted, whose places below `out` are
    those below the folder; pictures of an earlier command, where `out` lies in the folder, are left out. Another name
    with *, ? or [ is a pattern: shells expand it, the one of Windows does not. Raises DataError for a folder or a
    pattern that stands for nothing.
    """
    named = _without_system_files([path for word in words for path in _matches(word)])
    return [found for path in named for found in (_in_folder(path, out) if path.is_dir() else [Input(path)])]


def _matches(word: Path) -> list[Path]:
    if os.path.lexists(word) or not glob.has_magic(str(word)):
        return [word]
    found = sorted(map(Path, glob.glob(str(word), recursive=True)))
    if not found:
        raise DataError(f"{word}: no file fits this pattern; check folder and ending")
    return found


def _without_system_files(paths: list[Path]) -> list[Path]:
    """What `*` finds beside photos, such as Thumbs.db, is left out with a warning, unless nothing else was given."""
    from rcnn_tutorial.data.files import is_system_file

    # the folders . and .. are what they are called, no files that a system hides
    photos = [path for path in paths if not is_system_file(path.name) or set(path.name) == {"."}]
    for path in paths if photos else ():
        if path not in photos:
            warnings.warn(f"left out: {path}: a file that a system keeps, no photo", stacklevel=2)
    return photos or paths


def _in_folder(folder: Path, out: Path) -> Iterator[Input]:
    from rcnn_tutorial.data.files import photos_in

    photos, written = photos_in(folder), _real(out)
    if _real(folder) in written.parents:
        photos = [photo for photo in photos if written not in _real(photo).parents]
    if not photos:
        raise DataError(f"{folder}: holds no photo but the pictures in {out}; put one there")
    return (Input(photo, photo.parent.relative_to(folder)) for photo in photos)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises at a link to itself


def picture_paths(inputs: list[Input], out: Path) -> list[Path]:
    """Where the annotated pictures go. Raises ConfigError where one would replace a photo or another picture."""
    given, taken = {os.path.realpath(each.path) for each in inputs}, {}
    for path, place in inputs:
        ending = ".jpg" if path.suffix.lower() in (".jpg", ".jpeg") else ".png"
        picture = out / place / f"{path.stem}_detections{ending}"
        if os.path.realpath(picture) in given | taken.keys():
            raise ConfigError(f"{path}: {picture} is taken by another of the images; give them to separate commands")
        taken[os.path.realpath(picture)] = picture
    return list(taken.values())
