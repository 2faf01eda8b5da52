"""What the measure of a lesson counts."""

import nbformat

from rcnn_tutorial.course.measure import main, measure


def write(path, *cells):
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)
    return path


def test_folded_words_count_apart_and_lines_that_end_in_true_are_counted(tmp_path):
    text = "# Three words\n\n<details><summary>Answer</summary>\n\nfour\n\n</details>"
    printed = nbformat.v4.new_output("stream", text="equal: True\n7 boxes\n")
    code = nbformat.v4.new_code_cell("f()", outputs=[printed])
    path = write(tmp_path / "x.ipynb", nbformat.v4.new_markdown_cell(text), code)
    size = measure(path)
    assert (size.words, size.folded, size.trues) == (3, 3, 1)


def test_folded_code_takes_less_of_a_screen(tmp_path):
    cell = nbformat.v4.new_code_cell("a = 1\n" * 30)
    seen = measure(write(tmp_path / "seen.ipynb", cell)).screens
    cell.metadata.jupyter = {"source_hidden": True}
    assert measure(write(tmp_path / "hidden.ipynb", cell)).screens < seen / 3


def test_the_command_prints_a_line_a_lesson_and_the_sum(tmp_path, capsys):
    path = write(tmp_path / "03_rpn_loss.ipynb", nbformat.v4.new_markdown_cell("one two"))
    assert main([str(path)]) == 0
    head, lesson, total = capsys.readouterr().out.splitlines()
    assert lesson.split()[:4] == ["03_rpn_loss", "2", "2000", "0"] and total.startswith("all")
