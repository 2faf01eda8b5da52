"""The course as web pages: `python -m rcnn_tutorial.course.site [DIR]`, or `make site`; see `course.pages`."""

import sys
from pathlib import Path

from rcnn_tutorial.errors import ConfigError, TutorialError
from rcnn_tutorial.extras import require

COMMAND = "python -m rcnn_tutorial.course.site"
SITE = Path("build/site")


def main(arguments: list[str]) -> int:
    """Write the site to the folder named, or to build/site, and tell where it begins and how large it is."""
    try:
        if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
            raise ConfigError(f"{' '.join(arguments)}: wants one folder at most; {COMMAND} [DIR]")
        require("site", COMMAND, "jinja2", "latex2mathml", "mistune", "pygments")
        from rcnn_tutorial.course.own_photo import missing, runtime_folder
        from rcnn_tutorial.course.pages import ARCHIVE, write_site

        folder, runtime = Path(arguments[0]) if arguments else SITE, runtime_folder()
        without = missing(runtime)
        written = write_site(folder, None if without else runtime)
    except TutorialError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    pages = sum(path.suffix == ".html" for path in written)
    print(f"{written[-1]}: {pages} pages, {_megabytes(*written)}; packed {_megabytes(folder / f'{ARCHIVE}.zip')}")
    if without:
        print(without)
    return 0


def _megabytes(*paths: Path) -> str:
    return f"{sum(path.stat().st_size for path in paths) / 1e6:.1f} MB"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
