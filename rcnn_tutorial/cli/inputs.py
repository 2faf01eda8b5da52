"""What detect is asked to search: photos, folders of them, films, cameras, patterns that no shell has expanded."""

from __future__ import annotations

import glob
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rcnn_tutorial.errors import ConfigError, DataError

CAMERA = re.compile(r"camera(?::(\d+))?")


class Input(NamedTuple):
    """A photo, film or camera, and the folder below --out where its picture goes."""

    path: Path
    place: Path = Path()

    @property
    def camera(self) -> int | None:
        """The number of the camera that it is; a file of that name comes first."""
        named = CAMERA.fullmatch(str(self.path))
        return int(named[1] or 0) if named and not os.path.lexists(self.path) else None

    @property
    def moves(self) -> bool:
        """Whether it is a film, told by its ending, or a camera."""
        from rcnn_tutorial.data.files import FILM_ENDINGS

        return self.camera is not None or self.path.suffix.lower() in FILM_ENDINGS


def expand(words: list[Path], out: Path) -> list[Input]:
    """The photos, films and cameras that the words of the command line stand for, in their order.

    A name that exists is that file, or the photos in that folder and below it, sorted, whose places below `out` are
    those below the folder; pictures of an earlier command, where `out` lies in the folder, are left out. Another name
    with *, ? or [ is a pattern: shells expand it, the one of Windows does not. What is named twice in the same way
    comes once. Raises DataError for a folder or a pattern that stands for nothing.
    """
    named = _without_system_files([path for word in words for path in _matches(word)])
    found = [each for path in named for each in (_in_folder(path, out) if path.is_dir() else [Input(path)])]
    return list(dict.fromkeys(found))


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
    from rcnn_tutorial.data.files import FILM_ENDINGS, files_below, photos_in

    written = _real(out)
    inside = _real(folder) in written.parents  # then what an earlier command wrote lies among the photos
    found = files_below(folder, FILM_ENDINGS)
    films = [film for film in found if not inside or written not in _real(film).parents]
    if films:
        words = "in a folder only photos are searched; name its films, or a pattern such as *.mp4"
        warnings.warn(f"left out: {', '.join(map(str, films[:3]))}{', ...' * (len(films) > 3)}: {words}", stacklevel=2)
    photos = photos_in(folder)
    if inside:
        photos = [photo for photo in photos if written not in _real(photo).parents]
    if not photos:
        raise DataError(f"{folder}: holds no photo but the pictures in {out}; put one there")
    return (Input(photo, photo.parent.relative_to(folder)) for photo in photos)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises at a link to itself


def picture_paths(inputs: list[Input], out: Path) -> list[Path]:
    """Where the annotated pictures and films go. Raises ConfigError where one would replace another or an input."""
    given, taken = {_place_on_disk(each.path) for each in inputs}, {}
    for each in inputs:
        picture = out / each.place / _picture_name(each)
        real = _place_on_disk(picture)
        if real == _place_on_disk(each.path):
            raise ConfigError(f"{each.path}: the annotated film would take its place; name another folder with --out")
        if real in given | taken.keys():
            words = "is taken by another of the images; give them to separate commands"
            raise ConfigError(f"{each.path}: {picture} {words}")
        taken[real] = picture
    return list(taken.values())


def _place_on_disk(path: Path) -> str:
    """What two names of one file have in common; on Windows they may differ in case."""
    return os.path.normcase(os.path.realpath(path))


def _picture_name(each: Input) -> str:
    if each.camera is not None:
        return f"camera{each.camera}.mp4"
    if each.moves:
        return f"{each.path.stem}.mp4"
    return f"{each.path.stem}_detections{'.jpg' if each.path.suffix.lower() in ('.jpg', '.jpeg') else '.png'}"
