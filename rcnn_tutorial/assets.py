"""Where the files that come with the package lie: checkpoints, hand-made boxes, the course."""

from pathlib import Path

from rcnn_tutorial.errors import DataError

_PACKAGE = Path(__file__).parent
_PLACES = (_PACKAGE / "_assets", _PACKAGE.parent / "assets")  # in an installed wheel, in a clone


def asset_path(name: str) -> Path:
    """Path of the file `name`, such as "samples/boxes.json", in the assets. Raises DataError if it is not there."""
    for place in _PLACES:
        if (place / name).is_file():
            return place / name
    looked = " and ".join(str(place) for place in _PLACES)
    raise DataError(f"{name}: not among the package's assets (looked in {looked}); install the package again")


def course_folder() -> Path:
    """The notebooks: next to the package in a clone, inside it once installed. Raises DataError without them."""
    for folder in (_PACKAGE / "_notebooks", _PACKAGE.parent / "notebooks"):
        if folder.is_dir():
            return folder
    raise DataError(f"{_PACKAGE.parent / 'notebooks'}: the course is missing; clone or install the project again")


def installed() -> bool:
    """Whether the package came as a wheel, without a clone around it."""
    return (_PACKAGE / "_notebooks").is_dir()
