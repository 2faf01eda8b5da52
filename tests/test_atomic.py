"""Files are whole under their name at every moment, whoever else writes them."""

import os

from rcnn_tutorial.atomic import remove_leftovers, write_atomically


def test_the_file_appears_under_its_name_only_when_complete(tmp_path, monkeypatch):
    target, content, seen = tmp_path / "deep" / "file", b"x" * 100_000, []
    replace_file = os.replace

    def look(source, destination):
        seen.append((target.exists(), source.read_bytes() == content))
        replace_file(source, destination)

    monkeypatch.setattr(os, "replace", look)
    write_atomically(target, content)
    assert seen == [(False, True)]
    assert target.read_bytes() == content


def test_two_processes_write_one_file_without_a_mixture(tmp_path, monkeypatch):
    """A second process writes and is done between the first one's writing and renaming."""
    target, replace_file = tmp_path / "file", os.replace

    def interrupted(source, destination):
        with monkeypatch.context() as other:
            other.setattr(os, "replace", replace_file)
            other.setattr(os, "getpid", lambda: 0)
            write_atomically(target, b"second")
        assert target.read_bytes() == b"second"
        replace_file(source, destination)

    monkeypatch.setattr(os, "replace", interrupted)
    write_atomically(target, b"the first")
    assert target.read_bytes() == b"the first" and list(tmp_path.iterdir()) == [target]


def test_what_a_killed_process_left_is_removed_with_the_name_of_its_file(tmp_path):
    for name in (".file.1.tmp", ".file.json.22.tmp", ".other.3.tmp", "file", ".file"):
        (tmp_path / name).write_bytes(b"")
    remove_leftovers(tmp_path, "file")
    assert {path.name for path in tmp_path.iterdir()} == {".other.3.tmp", ".file.json.22.tmp", "file", ".file"}
