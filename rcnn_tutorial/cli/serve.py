"""rcnn-tutorial serve."""

from __future__ import annotations

import argparse
import os
import sys
from itertools import zip_longest
from pathlib import Path

from rcnn_tutorial.cli.output import emit, say
from rcnn_tutorial.cli.parser import Parser, folder, port_or_any
from rcnn_tutorial.errors import ConfigError

PAGES = Path("build/site")  # where `make site` writes
HERE, EVERYWHERE = "127.0.0.1", "0.0.0.0"


def add_options(parser: Parser) -> None:
    """Options of the command."""
    folder_help = f"the pages that `make site` wrote (default: {PAGES.as_posix()})"
    parser.add_argument("folder", nargs="?", type=folder, default=PAGES, metavar="DIR", help=folder_help)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--host", metavar="ADDRESS", default=HERE, help="address of this machine to listen at")
    lan_help = "listen in all networks of this machine; whoever is in one can read the pages (default: off)"
    where.add_argument("--lan", action="store_true", help=lan_help)
    parser.add_argument("--port", type=port_or_any, default=8000, help="0: any that is free")


def run(args: argparse.Namespace) -> None:
    """Show the built pages to browsers, those of the classroom with --lan, until Ctrl-C. Read-only."""
    from rcnn_tutorial.course.server import SiteServer, own_addresses

    hosts = own_addresses() if args.lan else [args.host]
    if not hosts:
        raise ConfigError("--lan: this machine is on no network; connect it, or leave --lan away")
    with SiteServer(args.folder, EVERYWHERE if args.lan else args.host, args.port) as server:
        addresses = [address(host, server.server_port) for host in hosts]
        try:
            emit("\n".join([f"{args.folder} is shown at", *addresses, *([qr_code(addresses[0])] if args.lan else [])]))
            say("rcnn-tutorial", "Ctrl-C ends it")
            server.serve_forever()
        except KeyboardInterrupt:  # the usual end, not a failure
            say("rcnn-tutorial", "ended; the pages are no longer shown")


def address(host: str, port: int) -> str:
    """What to type into a browser."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def qr_code(text: str) -> str:
    """A QR code as lines of half blocks, or a sentence where the library is missing."""
    try:
        import segno
    except ImportError:
        return "No QR code: the package segno is missing; install it with: pip install segno"
    rows = [list(row) for row in segno.make(text, micro=False).matrix_iter(border=4)]  # 1 where dark
    return "\n".join(_drawn(rows, getattr(sys.stdout, "encoding", None) or "utf-8", _has_colors()))


def _drawn(rows: list[list[int]], encoding: str, colors: bool) -> list[str]:
    """Two rows a line. What is light is drawn, as most terminals are dark; with colors it is light in any."""
    blocks = {(1, 1): " ", (0, 1): "▀", (1, 0): "▄", (0, 0): "█"}
    try:
        "".join(blocks.values()).encode(encoding)
    except UnicodeEncodeError:  # such as an older Windows' cp1252
        return ["".join("  " if dark else "##" for dark in row) for row in rows]
    white = [1] * len(rows[0])  # below an odd last row there is nothing to draw
    lines = [
        "".join(blocks[pair] for pair in zip(top, below, strict=True))
        for top, below in zip_longest(rows[::2], rows[1::2], fillvalue=white)
    ]
    return [f"\033[97;40m{line}\033[0m" for line in lines] if colors else lines


def _has_colors() -> bool:
    return os.name != "nt" and sys.stdout is not None and sys.stdout.isatty()
