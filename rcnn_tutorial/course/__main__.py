"""Executes the notebooks in place: `python -m rcnn_tutorial.course [NOTEBOOK ...]`, or `make notebooks` for all."""

import sys

from rcnn_tutorial.errors import TutorialError
from rcnn_tutorial.extras import require


def main(arguments: list[str]) -> int:
    """Execute the notebooks named, or all, where the packages are there that it takes."""
    from rcnn_tutorial.course.places import find_places

    try:
        require("site", "python -m rcnn_tutorial.course", "nbclient", "ipykernel")
        if said := find_places():
            print(said, file=sys.stderr)
    except TutorialError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    from rcnn_tutorial.course import execute

    return execute.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
