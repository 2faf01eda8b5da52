"""rcnn-tutorial serve: the pages and nothing else, here or in the classroom, against a real server on a free port."""

import http.client
import socket
import sys
import threading
from itertools import zip_longest
from urllib.parse import quote

import pytest
import segno

from rcnn_tutorial.cli import serve
from rcnn_tutorial.course import server as serving
from rcnn_tutorial.course.server import TYPES, SiteServer, own_addresses
from rcnn_tutorial.course.site import SITE

SECRET = "nobody's business"


@pytest.fixture
def site(tmp_path):
    """A site of two pages and a picture, with files beside it and hidden in it that nobody may read."""
    folder = tmp_path / "site"
    (folder / "solutions").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>All lessons</h1>", encoding="utf-8")
    (folder / "solutions" / "02 größe.html").write_text("<h1>Größe</h1>", encoding="utf-8")
    (folder / "photo.JPG").write_bytes(b"\xff\xd8")
    for path in (tmp_path / "secret.html", tmp_path / "site-2.html", folder / ".env"):
        path.write_text(SECRET, encoding="utf-8")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text(SECRET, encoding="utf-8")
    return folder


@pytest.fixture
def ask(site):
    """A function: (status, headers, body) that a running server answers."""
    with SiteServer(site, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()

        def ask(target: str, method: str = "GET"):
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
            connection.putrequest(method, target, skip_host=True)
            connection.endheaders()
            answer = connection.getresponse()
            found = answer.status, dict(answer.headers), answer.read().decode(errors="replace")
            connection.close()
            return found

        yield ask
        server.shutdown()
        thread.join()


def test_pages_are_served_whole_with_their_type_and_size(ask):
    for target in ("/", "/index.html", "/index.html?again#top", "//index.html", "/./index.html"):
        status, headers, body = ask(target)
        assert (status, body) == (200, "<h1>All lessons</h1>"), target
        assert headers["Content-Type"] == "text/html; charset=utf-8" and headers["Content-Length"] == "20"
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert ask("/" + quote("solutions/02 größe.html"))[2] == "<h1>Größe</h1>"
    assert ask("/photo.JPG")[1]["Content-Type"] == "image/jpeg"


def test_types_are_our_own_whatever_the_system_says(ask, monkeypatch):
    monkeypatch.setattr("mimetypes.guess_type", lambda *_: ("text/plain", None))  # as some registries of Windows say
    assert ask("/")[1]["Content-Type"].startswith("text/html")
    assert TYPES[".js"].startswith("text/javascript") and TYPES[".wasm"] == "application/wasm"


def test_head_answers_without_the_page(ask):
    status, headers, body = ask("/", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "20", "")
    assert ask("/missing.html", "HEAD")[::2] == (404, "")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_can_be_written(ask, site, method):
    status, headers, _ = ask("/index.html", method)
    assert status == 405 and headers["Allow"] == "GET, HEAD"
    assert (site / "index.html").read_text(encoding="utf-8") == "<h1>All lessons</h1>"


def test_other_methods_are_unknown(ask):
    assert [ask("/", method)[0] for method in ("TRACE", "PROPFIND", "MOVE")] == [501] * 3


@pytest.mark.parametrize(
    "target",
    [
        "/missing.html",
        "/solutions",  # folders are not listed
        "/solutions/",
        "/index.html/",
        "/../secret.html",
        "/solutions/../../secret.html",
        "/%2e%2e/secret.html",
        "/..%2fsecret.html",
        "/%2e%2e%2fsecret.html",
        "/..%5csecret.html",
        "/..\\secret.html",
        "/%252e%252e/secret.html",
        "/../site-2.html",  # begins as the folder does
        "/C:/secret.html",
        "/index.html::$DATA",
        "/.env",
        "/.git/config",
        "/%2eenv",
        "/index.html%00.png",
        "/%ff",
        "/" + "a" * 5000,
        "http://[/",
        "*",
    ],
)
def test_what_is_not_a_page_is_not_found(ask, target):
    status, headers, body = ask(target)
    assert status == 404 and SECRET not in body
    assert headers["Server"] == "rcnn-tutorial "  # no version of Python
    assert "site" not in body and "index" not in body  # neither a path nor a list


def test_an_absolute_path_is_not_found(ask, tmp_path):
    for target in (f"{tmp_path}/secret.html", f"//{tmp_path}/secret.html", f"file://{tmp_path}/secret.html"):
        status, _, body = ask(target)
        assert status == 404 and SECRET not in body


def test_links_that_lead_outside_are_not_followed(ask, site, tmp_path):
    (site / "file.html").symlink_to(tmp_path / "secret.html")
    (site / "folder").symlink_to(tmp_path)
    (site / "hidden.html").symlink_to(site / ".env")
    (site / "circle.html").symlink_to(site / "circle.html")
    (site / "home.html").symlink_to(site / "index.html")
    for target in ("/file.html", "/folder/secret.html", "/hidden.html", "/circle.html"):
        status, _, body = ask(target)
        assert status == 404 and SECRET not in body, target
    assert ask("/home.html")[0] == 200


def test_a_file_that_cannot_be_read_is_not_found(ask, monkeypatch):
    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(serving, "open", refused, raising=False)
    assert ask("/")[0] == 404


def test_a_reader_who_went_away_costs_no_traceback(site, capsys):
    with SiteServer(site, "127.0.0.1", 0) as server:
        for gone in (ConnectionResetError(), BrokenPipeError(), TimeoutError()):
            try:
                raise gone
            except OSError:
                server.handle_error(None, ("127.0.0.1", 9))
        assert capsys.readouterr().err == ""
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            server.handle_error(None, ("127.0.0.1", 9))
        assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.fixture
def started(monkeypatch):
    """The addresses at which the command listened; each ends as by Ctrl-C."""
    found = []

    def interrupted(server, *_):
        found.append(server.server_address[0])
        raise KeyboardInterrupt

    monkeypatch.setattr(SiteServer, "serve_forever", interrupted)
    return found


def test_serve_says_where_it_listens_and_that_it_ended(run, site, started, capsys):
    assert run(["serve", site, "--port", 0]) == 0
    shown = capsys.readouterr()
    assert started == ["127.0.0.1"]
    first, address = shown.out.splitlines()
    assert first == f"{site} is shown at" and address.startswith("http://127.0.0.1:") and address.endswith("/")
    assert int(address.rsplit(":", 1)[1].strip("/")) > 0
    assert shown.err.splitlines() == [
        "rcnn-tutorial: Ctrl-C ends it",
        "rcnn-tutorial: ended; the pages are no longer shown",
    ]


def test_lan_names_every_address_and_draws_the_first(run, site, started, capsys, monkeypatch):
    monkeypatch.setattr(serving, "own_addresses", lambda: ["192.0.2.7", "198.51.100.7"])
    assert run(["serve", site, "--lan", "--port", 0]) == 0
    assert started == ["0.0.0.0"]
    _, first, second, *drawn = capsys.readouterr().out.splitlines()
    assert first.startswith("http://192.0.2.7:") and second.startswith("http://198.51.100.7:")
    assert "\n".join(drawn) == serve.qr_code(first)


def test_lan_without_a_network_is_one_line(run, site, complaint, monkeypatch):
    monkeypatch.setattr(serving, "own_addresses", lambda: [])
    assert run(["serve", site, "--lan"]) == 2
    assert "this machine is on no network; connect it" in complaint()


def test_own_addresses_are_of_networks_not_of_this_machine_alone():
    addresses = own_addresses()
    assert len(set(addresses)) == len(addresses)
    assert all(len(socket.inet_aton(address)) == 4 and not address.startswith("127.") for address in addresses)


def test_missing_pages_name_their_command(run, tmp_path, complaint, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert serve.PAGES == SITE
    assert run(["serve"]) == 1
    assert f"{SITE}: no index.html in it; write the pages with `make site`" in complaint()


def test_a_taken_port_is_one_line(run, site, complaint):
    with SiteServer(site, "127.0.0.1", 0) as server:
        assert run(["serve", site, "--port", server.server_port]) == 2
    assert f"port {server.server_port} of 127.0.0.1 is taken; name another with --port" in complaint()


@pytest.mark.parametrize("host", ["192.0.2.7", "256.1.1.1", "no such host", "a" * 70])
def test_an_address_of_another_machine_is_one_line(run, site, complaint, monkeypatch, host):
    if host == "no such host":

        def unknown(*_, **__):
            raise socket.gaierror(-2, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert run(["serve", site, "--host", host, "--port", 0]) == 2
    assert f"'{host}' is no address of this machine" in complaint()


def test_an_address_of_ipv6_stands_in_brackets():
    assert serve.address("::1", 8000) == "http://[::1]:8000/"


def modules(lines: list[str], width: int) -> list[list[int]]:
    """The rows of a drawn code, 1 where nothing is drawn."""
    pairs = {" ": (1, 1), "▀": (0, 1), "▄": (1, 0), "█": (0, 0)}
    return [[pairs[line[x]][half] for x in range(width)] for line in lines for half in (0, 1)]


def test_the_code_holds_the_address():
    text = "http://192.168.178.123:8000/"
    rows = [list(row) for row in segno.make(text, micro=False).matrix_iter(border=4)]
    lines = serve.qr_code(text).splitlines()
    assert max(map(len, lines)) < 80 and len(lines) < 24  # fits a terminal
    drawn = modules(lines, len(rows[0]))
    assert all(row == found for row, found in zip_longest(rows, drawn[: len(rows)]))


def test_the_code_in_colors_and_where_blocks_cannot_be_written():
    rows = [[0, 1], [0, 0], [1, 0]]
    assert serve._drawn(rows, "utf-8", colors=False) == ["█▄", " ▀"]
    assert serve._drawn(rows, "utf-8", colors=True) == ["\033[97;40m█▄\033[0m", "\033[97;40m ▀\033[0m"]
    assert serve._drawn(rows, "cp1252", colors=True) == ["##  ", "####", "  ##"]


def test_without_segno_a_line_stands_in_for_the_code(run, site, started, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "segno", None)
    monkeypatch.setattr(serving, "own_addresses", lambda: ["192.0.2.7"])
    assert run(["serve", site, "--lan", "--port", 0]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "No QR code: the package segno is missing; install it with: pip install segno"
    ]
