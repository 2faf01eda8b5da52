"""Files as other tools and systems write them: how a named one is found, which are none of ours, how text is read."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from rcnn_tutorial.errors import DataError

PHOTO_ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
)  # fmt: skip
FILM_ENDINGS = (
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".ts", ".mts",
    ".m2ts", ".3gp",
)  # fmt: skip

# What Windows, macOS and network disks leave in folders, besides the names with a dot in front.
SYSTEM_FILES = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "$recycle.bin")

MARKS = (
    (b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe\0\0", "utf-32-le"), (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"),
)  # fmt: skip
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
ROOT = re.compile(r"([A-Za-z]:)?[/\\]|[A-Za-z]:|~[/\\]")  # /, \, C:\, C: or ~/ at the beginning
SEPARATORS = re.compile(r"[/\\]+")
UPLOAD_PREFIX = re.compile(r"[0-9a-f]{8}-(?=.)")  # Label Studio puts one before the name of every uploaded file


class Folder:
    r"""The files at and below a folder, found by the names that annotations of any origin give them.

    The rule, for photos, XML files and lists alike. A name is taken apart at / and \; then the first of these that
    finds something decides, and two finds of one kind are an error, because a guess would mix up photos:

    1. the name as it is written;
    2. the same letters in another case or another Unicode form (macOS takes é apart, Linux does not);
    3. the same name with another ending among `endings`, or with one where it has none;
    4. what is left of the name without the folders at its front: for an absolute path of another machine or a URL
       without any of them, the longest rest first; for a relative one up to the folder's own name, as in
       images/train/7.jpg for a folder .../images;
    5. each of these without the eight hexadecimal digits and the hyphen that Label Studio puts before a name.

    A name never leads out of the folder: every part of it must be an entry of a folder below, and ".." is refused.
    Folders are listed once; open a new `Folder` to see what changed.
    """

    def __init__(self, path: Path, endings: Sequence[str] = PHOTO_ENDINGS):
        self.path, self.endings = path, endings
        self._own_key = key(path.resolve().name)
        self._listings: dict[Path, _Listing] = {}

    def find(self, name: str, source: Path) -> Path:
        """The file that the untrusted file `source` calls `name`. Raises DataError, naming both, if there is none."""
        parts, foreign = split_name(name)
        if ".." in parts:
            raise DataError(f"{source}: {name!r:.200} leads out of {self.path}; use a path relative to that folder")
        for rest in self._rests(name, parts, foreign):
            if found := self._lookup(rest):
                return _only(found, name, source)
        if foreign:
            words = f"{name!r:.200} leads out of {self.path}, and no file there has the end of that path for its name"
            raise DataError(f"{source}: {words}; copy the file there or use a path relative to that folder")
        remedy = "add the file or remove the entry, or give the folder that holds it"
        raise DataError(f"{source}: no file {name!r:.200} in {self.path}; {remedy}")

    def named(self, stem: str) -> list[Path]:
        """All files that are called `stem`, a path below the folder without its ending, by rules 1 to 3."""
        return self._lookup([part for part in SEPARATORS.split(stem) if part not in ("", ".")], stems_only=True)

    def _rests(self, name: str, parts: list[str], foreign: bool) -> Iterator[list[str]]:
        """The lists of parts to look for, in order."""
        yield name.split("/")  # a backslash may belong to the name itself
        starts = [i for i in range(len(parts)) if foreign or i == 0 or key(parts[i - 1]) == self._own_key]
        for plain in (False, True):
            for start in starts:
                *folders, last = parts[start:]
                if not plain:
                    yield [*folders, last]
                elif UPLOAD_PREFIX.match(last):
                    yield [*folders, UPLOAD_PREFIX.sub("", last)]

    def _lookup(self, parts: list[str], stems_only: bool = False) -> list[Path]:
        """The files that `parts` lead to; of the last one the ending may differ."""
        if not parts:
            return []
        folder = self.path
        for part in parts[:-1]:
            names = self._list(folder).folders.get(key(part), [])
            names = [part] if part in names else names
            if len(names) != 1:
                return []
            folder = folder / names[0]
        return [folder / name for name in self._list(folder).files_called(parts[-1], stems_only)]

    def _list(self, folder: Path) -> _Listing:
        if folder not in self._listings:
            self._listings[folder] = _Listing(folder, self.endings)
        return self._listings[folder]


class _Listing:
    """What is in one folder: {key: names} of its folders, of its files, and of its files without their endings."""

    def __init__(self, folder: Path, endings: Sequence[str]):
        self.folders, self.files, self.stems = defaultdict(list), defaultdict(list), defaultdict(list)
        self.endings = endings
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._add(entry)
        except OSError as error:
            raise DataError(f"{folder}: cannot be listed ({error.strerror}); check the folder") from error

    def _add(self, entry: os.DirEntry) -> None:
        if os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir():
            self.folders[key(entry.name)].append(entry.name)
        elif os.path.isfile(entry.path) if entry.is_symlink() else entry.is_file():
            self.files[key(entry.name)].append(entry.name)
            if self.has_ending(entry.name) and not is_system_file(entry.name):
                self.stems[key(os.path.splitext(entry.name)[0])].append(entry.name)

    def has_ending(self, name: str) -> bool:
        return os.path.splitext(name)[1].lower() in self.endings

    def files_called(self, name: str, stems_only: bool) -> list[str]:
        """The files of rules 1 to 3; with `stems_only` `name` is one without an ending."""
        if not stems_only and (names := self.files.get(key(name))):
            return [name] if name in names else sorted(names)
        stem = os.path.splitext(name)[0] if self.has_ending(name) and not stems_only else name
        names = sorted(self.stems.get(key(stem), []))
        return [found for found in names if os.path.splitext(found)[0] == stem] or names


def split_name(name: str) -> tuple[list[str], bool]:
    """The parts of a file's name from any system, and whether it names a place on another machine: a root or a URL."""
    url, root = URL.match(name), ROOT.match(name)
    if url:
        name = unquote(re.split("[?#]", name[url.end() :])[0])
    elif root:
        name = name[root.end() :]
    return [part for part in SEPARATORS.split(name) if part not in ("", ".")], bool(url or root)


def key(name: str) -> str:
    """What two names have in common that differ in case or Unicode form only."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", _in_utf8(name)).casefold())


def _in_utf8(name: str) -> str:
    """The name of a listed file as an annotation has it, where the locale reads the UTF-8 of its bytes otherwise."""
    try:
        return os.fsencode(name).decode("utf-8")
    except UnicodeError:  # the locale has no such letters, or bytes of its own: this is the name
        return name


def is_system_file(name: str) -> bool:
    """Whether a file or folder is one that systems leave behind (._x.xml, .DS_Store, Thumbs.db): no data of ours."""
    return name.startswith(".") or name.lower() in SYSTEM_FILES


def is_left_behind(name: str) -> bool:
    """Whether a path in a list, with any separators, is that of macOS's ._NAME beside the file NAME."""
    return (split_name(name)[0] or [""])[-1].startswith("._")


def subfolder(folder: Path, name: str) -> Path | None:
    """The folder `name`, parts apart by /, below `folder`: as it is written, or the only one in another case."""
    for part in name.split("/"):
        if not (folder / part).is_dir():
            try:
                names = [entry for entry in os.listdir(folder) if key(entry) == key(part)]
            except OSError:
                return None
            part = names[0] if len(names) == 1 else part
        folder = folder / part
    return folder if folder.is_dir() else None


def files_below(folder: Path, endings: Sequence[str]) -> list[Path]:
    """All files with one of `endings`, in any case, at or below `folder`, sorted; without those of systems."""
    found = []
    for parent, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not is_system_file(name)]
        found += [Path(parent, name) for name in files if not is_system_file(name)]
    return sorted(path for path in found if path.suffix.lower() in endings)


def photos_in(folder: Path) -> list[Path]:
    """The photos in a folder and below it, sorted: in a VOC folder those of JPEGImages come first.

    Raises DataError for a folder without any.
    """
    photos = files_below(folder, PHOTO_ENDINGS)
    if not photos:
        raise DataError(f"{folder}: holds no photo; put one there")
    return photos


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 or UTF-32 as its byte order mark or its zero bytes show.

    An XML file may declare another encoding. Marks and blank lines at the beginning are removed. Raises OSError,
    ValueError (of which UnicodeDecodeError is one) or LookupError for an unknown encoding.
    """
    data = path.read_bytes()
    return data.decode(_encoding(data)).lstrip("\ufeff \t\r\n")


def _encoding(data: bytes) -> str:
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return encoding
    for zeros, encoding in (((1, 3), "utf-16-le"), ((0, 2), "utf-16-be")):
        if len(data) > 3 and [i for i in range(4) if data[i] == 0] == list(zeros):
            return encoding
    declared = re.match(rb"\s*<\?xml[^>]*?\sencoding\s*=\s*[\"']([\w.-]+)[\"']", data)
    encoding = declared[1].decode() if declared else "utf-8"
    # Some tools declare UTF-16 and then write UTF-8: two bytes a letter would have shown above.
    return "utf-8" if encoding.lower().replace("-", "").startswith("utf16") else encoding


def _only(found: list[Path], name: str, source: Path) -> Path:
    if len(found) > 1:
        names = " or ".join(path.name for path in found[:3])
        raise DataError(f"{source}: {name!r:.200} may be {names} in {found[0].parent}; remove all but one")
    return found[0]
