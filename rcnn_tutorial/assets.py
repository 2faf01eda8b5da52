"""Where the files that come with the package lie: checkpoints, photos, hand-made boxes."""

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
