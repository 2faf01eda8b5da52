"""Values of annotations as other tools write them: how an id, a flag, a number and a name of any type are read.

Each function returns None for what is no such value, for the caller to report with the file and the place.
"""

from __future__ import annotations

import math
import re
import unicodedata

FLAGS = {"true": True, "yes": True, "false": False, "no": False, "unspecified": False, "none": False, "": False}
WHOLE = re.compile(r"(0|-?[1-9][0-9]{0,17})(\.0+)?")
INVISIBLE = re.compile("[\u200b\ufeff\u200e\u200f\u00ad]")  # copied along from web pages; they change no name
# Of the other invisible characters those that scripts and emoji need: joiners, and the tags that spell a flag.
JOINING = {"\u200c", "\u200d", *map(chr, range(0xE0020, 0xE0080))}


def as_id(value) -> int | str | None:
    """An id: 12, 12.0, "12" and "12.0" are the same; any other text that is not empty stands for itself ("012")."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and value.strip():
        whole = WHOLE.fullmatch(value.strip())
        return int(whole[1]) if whole else value.strip()
    return None


def as_flag(value) -> bool | None:
    """A flag such as `difficult` or `iscrowd`: a missing one is off; a number is on unless 0; words in any case."""
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in FLAGS:
        return FLAGS[value.strip().lower()]
    number = as_number(value)
    return None if number is None or math.isnan(number) else number != 0


def as_number(value) -> float | None:
    """A number, also one in a text; nan and inf are numbers, for the rule of boxes to drop."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def as_name(value) -> str | None:
    """A class name in any script, or a number: trimmed, in Unicode's composed form, every space a plain one.

    So é typed on a Mac and on Windows is one class. None for an empty one and for one with control characters or
    marks that turn the direction of text, which would garble a table.
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        value = str(value)
    if not isinstance(value, str):
        return None
    name = unicodedata.normalize("NFC", INVISIBLE.sub("", value).strip())
    name = "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in name)
    visible = name.replace(" ", "") and all(letter.isprintable() or letter in JOINING for letter in name)
    return name if visible else None


def as_box(value) -> list[float] | None:
    """Four numbers, also as the text of a list: "[1, 2, 3, 4]" or "1 2 3 4"."""
    if isinstance(value, str):
        value = value.strip().strip("[]()").replace(",", " ").split()
    if not isinstance(value, list | tuple) or len(value) != 4:
        return None
    numbers = [as_number(each) for each in value]
    return None if None in numbers else numbers


def polygon_box(segmentation) -> list[float] | None:
    """x, y, width, height around COCO's polygons, [[x, y, x, y, ...], ...], for a tool that writes no bbox."""
    if not isinstance(segmentation, list) or not segmentation:
        return None
    polygons = segmentation if isinstance(segmentation[0], list) else [segmentation]
    if not all(isinstance(polygon, list) and len(polygon) >= 6 and len(polygon) % 2 == 0 for polygon in polygons):
        return None
    numbers = [[as_number(value) for value in polygon] for polygon in polygons]
    if any(value is None for polygon in numbers for value in polygon):
        return None
    x = [value for polygon in numbers for value in polygon[0::2]]
    y = [value for polygon in numbers for value in polygon[1::2]]
    return [min(x), min(y), max(x) - min(x), max(y) - min(y)]
