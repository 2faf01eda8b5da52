"""The options as one list: the README's table and sentences say what the fields say."""

from pathlib import Path

import pytest

from rcnn_tutorial.config import FREE
from rcnn_tutorial.fields import flags_of
from rcnn_tutorial.options import default_of, request_fields, table, values_of

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
FIELDS = dict(request_fields())


def test_the_readme_holds_the_table_of_all_options():
    assert f"\n\n{table()}\n\n" in README, "print it anew: python -m rcnn_tutorial.options"
    assert len(table().splitlines()) == 2 + len(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_an_option_says_in_one_cell_what_it_means_and_takes(name):
    field = FIELDS[name]
    texts = field.metadata["meaning"], values_of(field.type), default_of(name)
    assert all(text and not set("|%\n") & set(text) for text in texts)


def test_a_flag_sets_one_field():
    flags = [flag for field in FIELDS.values() for flag in flags_of(field)]
    assert len(set(flags)) == len(flags) and all(flag.startswith("--") for flag in flags)


def test_the_readme_names_what_a_resumed_run_may_change():
    sentence = README.split("With `--resume` nothing may change but ")[1].split(" and where the data lie")[0]
    assert {f"`{flags_of(FIELDS[name])[0]}`" for name in FREE} == set(sentence.replace("\n", " ").split(", "))


@pytest.mark.parametrize(
    ("name", "values", "default"),
    [
        ("model.crop_pooling.method", "crop, align or pool", "crop"),
        ("model.preprocessing.max_size", "target_size or more", "1000; toy: 214"),
        ("model.proposals.nms_threshold", "a number between 0 and 1", "0.7"),
        ("training.flip", "on or off", "on"),
        ("model.classes", "at least one name, each of them once", "the data's own"),
    ],
)
def test_range_and_default_in_words(name, values, default):
    assert (values_of(FIELDS[name].type), default_of(name)) == (values, default)
