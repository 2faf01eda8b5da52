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
        from rcnn_tutorial.course.pages import write_site

        runtime = runtime_folder()
        without = missing(runtime)
        written = write_site(Path(arguments[0]) if arguments else SITE, None if without else runtime)
    except TutorialError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    size = sum(path.stat().st_size for path in written) / 1e6
    pages = sum(path.suffix == ".html" for path in written)
    print(f"{written[-1]}: {pages} pages, {size:.1f} MB")
    if without:
        print(without)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
