"""rcnn-tutorial handout: what it wrote, and that it replaces nothing."""


def test_handout_lists_what_it_wrote(run, tmp_path, capsys):
    assert run(["handout", tmp_path / "class"]) == 0
    written = capsys.readouterr().out.split()
    lessons, pages = (sorted((tmp_path / "class").rglob(kind)) for kind in ("*.ipynb", "*.md"))
    assert lessons and pages and written == [str(path) for path in lessons + pages]
    (tmp_path / "class" / "00_tour.ipynb").write_text("marked", encoding="utf-8")
    assert run(["handout", tmp_path / "class"]) == 1
    assert "00_tour.ipynb: is there already and differs" in capsys.readouterr().err


def test_for_nbgrader_each_lesson_lies_in_a_folder_of_its_own(run, tmp_path, capsys):
    assert run(["handout", "--nbgrader", tmp_path / "source"]) == 0
    written = capsys.readouterr().out.split()
    assert written == [str(path) for path in sorted((tmp_path / "source").glob("*/*.ipynb"))] and written


def test_assignments_have_no_cell_that_installs_and_no_links(run, tmp_path, capsys):
    assert run(["handout", "--nbgrader", "--wheel", "course.whl", tmp_path / "source"]) == 2
    assert "leave out --wheel, --github and --pages" in capsys.readouterr().err
    assert not (tmp_path / "source").exists()
