"""The command line: what it prints and writes, and one clear line with the right exit code for whatever goes wrong."""

import json
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import rcnn_tutorial
from rcnn_tutorial import assets, cli
from rcnn_tutorial.checkpoints import load_model, read_checkpoint, save_model
from rcnn_tutorial.config import Config, InferenceConfig, TrainingConfig, from_dict, to_dict, toy_config
from rcnn_tutorial.data import TOY_CLASSES, ToyScenes, read_image
from rcnn_tutorial.model import build_model

COMMANDS = ("detect", "train", "evaluate", "lab", "handout", "benchmark")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A checkpoint of the toy architecture with random weights; it finds much, with small scores."""
    torch.manual_seed(0)
    config = replace(toy_config(TOY_CLASSES), inference=InferenceConfig(score_threshold=0.0, max_detections=20))
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_model(path, build_model(config))
    return str(path)


@pytest.fixture
def photos(tmp_path):
    """Two photos, 96x80 and 80x96 pixels."""
    paths = []
    for index, (name, size) in enumerate((("first.png", (80, 96)), ("second.jpg", (96, 80)))):
        pixels = (ToyScenes("val", size=size)[index][0] * 255).byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(tmp_path / name)
        paths.append(str(tmp_path / name))
    return paths


@pytest.fixture
def coco(tmp_path):
    """Three toy scenes as a COCO data set; its spec."""
    scenes, images, annotations = ToyScenes("val", length=3), [], []
    for index in range(len(scenes)):
        image, target = scenes[index]
        Image.fromarray((image * 255).byte().permute(1, 2, 0).numpy()).save(tmp_path / f"{index}.png")
        images.append({"id": index, "file_name": f"{index}.png", "width": 128, "height": 128})
        for (x1, y1, x2, y2), label in zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True):
            box = [x1, y1, x2 - x1, y2 - y1]
            row = {"id": len(annotations), "image_id": index, "category_id": label, "bbox": box}
            annotations.append(row | {"area": box[2] * box[3], "iscrowd": 0})
    categories = [{"id": label, "name": name} for label, name in enumerate(TOY_CLASSES, start=1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "objects.json").write_text(json.dumps(content), encoding="utf-8")
    return f"coco:{tmp_path}:{tmp_path / 'objects.json'}"


def run(arguments):
    """Exit code of the command, however it ends."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code


def files_in(folder: Path):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


# --- help and bad usage ---


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS), ["--version"]])
def test_help_and_version_import_no_torch(arguments):
    code = (
        "import sys, atexit; atexit.register(lambda: print('torch' in sys.modules));"
        f"from rcnn_tutorial.cli import main; main({arguments})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.endswith("\nFalse\n")
    assert done.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_every_options_default(command):
    (commands,) = cli.build_parser()._subparsers._group_actions
    parser = commands.choices[command]
    optional = [action for action in parser._actions if not action.required and action.dest != "help"]
    assert optional
    for action in optional:
        assert "(default: " in parser._get_formatter()._expand_help(action), action.option_strings


def test_help_shows_the_defaults_of_both_starting_points(capsys):
    run(["train", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "training steps (default: 70000; toy: 600)" in text
    assert "heights / widths (default: 0.5 1 2)" in text
    assert "never train batch norm (default: on; toy: off)" in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "COMMAND"),
        (["paint"], "'paint'"),
        (["detect"], "IMAGE"),
        (["detect", "a.png", "--score", "1.5"], "'1.5'"),
        (["detect", "a.png", "--score", "high"], "'high'"),
        (["detect", "a.png", "--device", "tpu"], "'tpu'"),
        (["train", "--data", "toy"], "--out"),
        (["train", "--data", "toy", "--out", "run", "--steps", "many"], "'many'"),
        (["train", "--data", "toy", "--out", "run", "--backbone", "alexnet"], "'alexnet'"),
        (["train", "--data", "toy", "--out", "run", "--targetsize", "3"], "--targetsize"),
        (["train", "--data", "moon", "--out", "run"], "'moon'"),
        (["train", "--data", "toy", "--out", "run", "--split", "night"], "'night'"),
        (["train", "--data", "toy", "--out", "run", "--target-size", "3"], "preprocessing.target_size = 3"),
        (["train", "--data", "toy", "--out", "run", "--steps", "0"], "steps = 0"),
        (["evaluate", "--data", "toy", "--weights", "w", "--metric", "f1"], "'f1'"),
        (["train", "--data", "toy", "--out", "run", "--seed", "9" * 30], "seed = 999"),
        (["train", "--data", "toy", "--out", "run", "--rpn-channels", "9" * 30], "rpn.channels = 999"),
        (["train", "--data", "toy", "--out", "run", "--scale-jitter", "2", "1"], "scale_jitter = (2.0, 1.0)"),
        (["lab", "--port", "70000"], "'70000'"),
        (["benchmark", "--repeats", "²"], "'²'"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(arguments, complaint, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1 and output.err.startswith("rcnn-tutorial") and complaint in output.err
    assert files_in(tmp_path) == []


def test_missing_gpu_is_named(photos, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run(["detect", photos[0], "--device", "cuda", "--out", tmp_path / "out"]) == 2
    assert "no GPU" in capsys.readouterr().err


# --- detect ---


def test_detect_json_holds_the_models_detections_in_the_photos_pixels(weights, photos, capsys, tmp_path):
    out = tmp_path / "out"
    assert run(["detect", *photos, "--weights", weights, "--score", 0, "--out", out, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [entry["image"] for entry in result] == photos
    model = load_model(weights)
    for entry in result:
        with torch.inference_mode():
            (expected,) = model([read_image(entry["image"])])
        assert len(entry["detections"]) == len(expected["boxes"]) > 0
        columns = (expected[name] for name in ("boxes", "labels", "scores"))
        for found, box, label, score in zip(entry["detections"], *columns, strict=True):
            assert found["label"] == TOY_CLASSES[label - 1]
            assert found["score"] == pytest.approx(float(score), abs=1e-4)
            assert found["box"] == pytest.approx(box.tolist(), abs=0.01)


def test_detect_draws_pictures_of_the_photos_size_and_leaves_the_photos_alone(weights, photos, capsys, tmp_path):
    before = [Path(photo).read_bytes() for photo in photos]
    out = tmp_path / "new" / "folder"
    assert run(["detect", *photos, "--weights", weights, "--score", 0, "--out", out]) == 0
    assert files_in(out) == ["first_detections.png", "second_detections.jpg"]
    with Image.open(out / "first_detections.png") as first, Image.open(out / "second_detections.jpg") as second:
        assert (first.format, first.size) == ("PNG", (96, 80))
        assert (second.format, second.size) == ("JPEG", (80, 96))
        assert first.tobytes() != Image.open(photos[0]).tobytes()
    assert [Path(photo).read_bytes() for photo in photos] == before
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{photos[0]}: 20 objects, drawn in {out / 'first_detections.png'}"
    assert lines[1].split()[0] in TOY_CLASSES


def test_detect_keeps_what_is_scored_at_least_score(weights, photos, capsys, tmp_path):
    def scores(threshold):
        run(["detect", photos[0], "--weights", weights, "--score", threshold, "--out", tmp_path / "out", "--json"])
        return [item["score"] for item in json.loads(capsys.readouterr().out)[0]["detections"]]

    everything = scores(0)
    middle = sorted(everything)[len(everything) // 2] - 5e-5  # scores are printed to four places
    assert scores(middle) == [score for score in everything if score >= middle]
    assert scores(1) == []


def test_detect_with_results_on_stdout_and_progress_on_stderr(weights, photos, capsys, tmp_path):
    run(["detect", *photos, "--weights", weights, "--out", tmp_path / "out"])
    output = capsys.readouterr()
    assert "detect: 100%" in output.err and "2/2" in output.err
    assert output.out.count("drawn in") == 2


@pytest.mark.parametrize("bad", ["missing.png", "text.png", "truncated.jpg", "folder"])
def test_detect_stops_at_a_bad_image_before_it_writes_anything(bad, weights, photos, capsys, tmp_path):
    (tmp_path / "text.png").write_text("no picture", encoding="utf-8")
    (tmp_path / "truncated.jpg").write_bytes(Path(photos[1]).read_bytes()[:600])
    (tmp_path / "folder").mkdir()
    out = tmp_path / "out"
    assert run(["detect", photos[0], tmp_path / bad, "--weights", weights, "--out", out]) == 1
    output = capsys.readouterr()
    assert output.out == "" and output.err.count("\n") == 1 and str(tmp_path / bad) in output.err
    assert not out.exists()


def test_detect_never_replaces_a_photo_or_another_picture(weights, photos, capsys, tmp_path):
    twin = tmp_path / "first_detections.png"
    twin.write_bytes(Path(photos[0]).read_bytes())
    for images in ([photos[0], twin], [photos[0], photos[0]]):
        assert run(["detect", *images, "--weights", weights, "--out", tmp_path]) == 2
        assert "first_detections.png is taken" in capsys.readouterr().err
    assert twin.read_bytes() == Path(photos[0]).read_bytes()


@pytest.mark.parametrize("content", [None, b"junk", b""])
def test_detect_with_unusable_weights(content, photos, capsys, tmp_path):
    path = tmp_path / "weights.safetensors"
    if content is not None:
        path.write_bytes(content)
    assert run(["detect", photos[0], "--weights", path, "--out", tmp_path / "out"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(path) in error
    assert not (tmp_path / "out").exists()


def test_detect_refuses_a_checkpoint_of_others(photos, capsys, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    assert run(["detect", photos[0], "--weights", path]) == 1
    assert str(path) in capsys.readouterr().err


def test_output_folder_that_is_a_file_is_one_line(weights, photos, capsys, tmp_path):
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    assert run(["detect", photos[0], "--weights", weights, "--out", tmp_path / "out"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "not written" in error and "name another place" in error


def test_a_link_to_itself_is_one_line(capsys, tmp_path):
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    assert run(["detect", tmp_path / "loop.jpg", "--out", tmp_path / "out"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "loop.jpg" in error


SHORTAGES = [
    MemoryError(),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 230400000000 bytes."),
    RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("Storage size calculation overflowed with sizes=[100, 64, 3, 3]"),
]


@pytest.mark.parametrize("shortage", SHORTAGES)
def test_too_little_memory_is_one_line(shortage, capsys, monkeypatch):
    def short(_):
        raise shortage

    monkeypatch.setattr(cli, "_folder_to_work_in", short)
    assert run(["lab"]) == 1
    assert capsys.readouterr().err.startswith("rcnn-tutorial: error: not enough memory; use smaller images")
    with pytest.raises(type(shortage)):
        run(["lab", "--debug"])


def test_an_error_of_the_program_itself_keeps_its_traceback(monkeypatch):
    def wrong(_):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(cli, "_folder_to_work_in", wrong)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        run(["lab"])


def test_debug_shows_the_traceback(weights):
    with pytest.raises(rcnn_tutorial.errors.DataError):
        cli.main(["detect", "missing.png", "--weights", weights, "--debug"])


# --- train ---


def test_train_writes_a_run_that_can_be_detected_with_and_resumed(coco, capsys, tmp_path):
    out = tmp_path / "run"
    small = ["--config", toy_file(tmp_path), "--steps", 4, "--batch-size", 2, "--checkpoint-every", 2]
    assert run(["train", "--data", coco, *small, "--seed", 3, "--out", out]) == 0
    output = capsys.readouterr()
    assert output.out == f"{out / 'model.safetensors'}\n"
    assert "4/4" in output.err and "loss=" in output.err
    model = load_model(out / "model.safetensors")
    assert model.classes == TOY_CLASSES and model.config.backbone.name == "small"

    written = json.loads((out / "config.json").read_text(encoding="utf-8"))
    training = from_dict(TrainingConfig, written["training"])
    assert (training.steps, training.batch_size, training.seed) == (4, 2, 3)
    assert from_dict(Config, written["model"]) == model.config

    assert run(["train", "--data", coco, "--resume", "--out", out]) == 0  # finished: the same weights again
    again = load_model(out / "model.safetensors").state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())


def test_same_config_file_and_seed_train_the_same_weights(coco, tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    run(["train", "--data", coco, "--config", toy_file(tmp_path), "--steps", 2, "--out", first])
    run(["train", "--data", coco, "--config", first / "config.json", "--out", second])
    one, other = (load_model(run / "model.safetensors").state_dict() for run in (first, second))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_train_refuses_to_overwrite_a_run_or_to_resume_with_other_settings(coco, capsys, tmp_path):
    out = tmp_path / "run"
    start = ["train", "--data", coco, "--out", out]
    run([*start, "--config", toy_file(tmp_path), "--steps", 1])
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert run([*start, "--config", toy_file(tmp_path), "--steps", 1]) == 2
    assert "--resume" in capsys.readouterr().err
    assert run([*start, "--resume", "--lr", 0.5]) == 2
    assert "training.learning_rate" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_resume_without_a_run(capsys, tmp_path):
    assert run(["train", "--data", "toy", "--resume", "--out", tmp_path / "run"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(tmp_path / "run") in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"config": None},
        {"training": [1]},
        {"training": {"speed": 1}},
        {"training": {"workers": "x"}},
        {"step": "2"},
    ],
)
def test_resume_from_what_is_no_training(info, capsys, tmp_path):
    out = tmp_path / "run"
    run(["train", "--data", "toy", "--steps", 1, "--batch-size", 1, "--target-size", 64, "--out", out])
    checkpoint = read_checkpoint(out / "checkpoint.safetensors")
    changed = {name: value for name, value in (checkpoint.info | info).items() if info or name != "training"}
    save_file(checkpoint.tensors, checkpoint.path, {"rcnn_tutorial": json.dumps(changed)})
    capsys.readouterr()
    assert run(["train", "--data", "toy", "--resume", "--out", out]) in (1, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("rcnn-tutorial: error: ")


def toy_file(folder: Path) -> Path:
    """A settings file of the toy detector, for data that are not `toy`."""
    path = folder / "toy.json"
    settings = cli._defaults(toy=True)
    del settings["model"]["classes"]
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


def settings_of(*arguments):
    args = cli.build_parser().parse_args(["train", "--data", "voc:x", "--out", "x", *map(str, arguments)])
    return cli._settings(args)


def test_the_defaults_are_the_configs_own():
    settings = settings_of()
    assert from_dict(Config, settings["model"] | {"classes": Config().classes}) == Config()
    assert from_dict(TrainingConfig, settings["training"]) == TrainingConfig()
    toy = cli._settings(cli.build_parser().parse_args(["train", "--data", "toy", "--out", "x"]))
    assert from_dict(Config, toy["model"] | {"classes": ("a",)}) == toy_config(("a",))


@pytest.mark.parametrize(("field", "flags"), [(field, flags) for field, flags, _, _ in cli.FIELDS])
def test_every_option_sets_its_field_and_no_other(field, flags):
    flag = flags if isinstance(flags, str) else flags[0]
    usual = cli._get(settings_of(), field)
    given = another_value(field, usual)
    if isinstance(usual, bool):
        changed = settings_of(flag if given else f"--no-{flag[2:]}")
    else:
        changed = settings_of(flag, *(given if isinstance(given, tuple) else (given,)))
    expected = cli._merge(settings_of(), cli._nest(field, given))
    assert json.dumps(changed) == json.dumps(expected) != json.dumps(settings_of())


def another_value(field, usual):
    choices = {f: options.get("choices") for f, _, _, options in cli.FIELDS}[field]
    if choices:
        return next(value for value in choices if value != usual)
    if isinstance(usual, bool):
        return not usual
    return tuple(float(value) * 2 for value in usual) if isinstance(usual, tuple) else usual + 1


def test_options_go_before_the_file_and_the_file_before_the_defaults(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(
        json.dumps({"training": {"steps": 5, "batch_size": 6}, "model": {"rpn": {"channels": 32}}}), encoding="utf-8"
    )
    settings = settings_of("--config", path, "--steps", 7)
    assert settings["training"]["steps"] == 7 and settings["training"]["batch_size"] == 6
    assert settings["model"]["rpn"] == {**to_dict(Config())["rpn"], "channels": 32}


@pytest.mark.parametrize(
    ("content", "code", "complaint"),
    [
        (None, 1, "settings.json"),
        ("{", 1, "settings.json"),
        ("[" * 100_000, 1, "settings.json"),
        ("[]", 2, "settings.json"),
        ('{"data": {}}', 2, "settings.json"),
        ('{"training": 3}', 2, "training = 3"),
        ('{"training": {"steps": "ten"}}', 2, "steps = 'ten'"),
        ('{"training": {"amp": 1}}', 2, "amp = 1"),
        ('{"training": {"speed": 1}}', 2, "'speed'"),
        ('{"model": {"anchors": {"scales": ["a"]}}}', 2, "scales = ['a']"),
        ('{"model": {"classes": "cat"}}', 2, "classes = 'cat'"),
        ('{"model": {"rpn": {"sigma": -1}}}', 2, "rpn.sigma"),
    ],
)
def test_bad_settings_files_are_named(content, code, complaint, capsys, tmp_path):
    path = tmp_path / "settings.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert run(["train", "--data", "toy", "--config", path, "--out", tmp_path / "run"]) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and complaint in error
    assert not (tmp_path / "run").exists()


# --- evaluate ---


@pytest.mark.parametrize("metric", ["voc07", "voc", "coco"])
def test_evaluate_json(metric, weights, coco, capsys):
    assert run(["evaluate", "--data", coco, "--weights", weights, "--metric", metric, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["metric"] == metric and result["images"] == 3
    assert set(result["per_class"]) == set(TOY_CLASSES)
    counted = [ap for ap in result["per_class"].values() if ap is not None]
    assert 0 < len(counted) < len(TOY_CLASSES)  # three scenes do not hold every class: those have null
    assert result["mAP"] == pytest.approx(sum(counted) / len(counted))
    assert 0 <= result["mAP"] <= 1


def test_evaluate_prints_a_table(weights, coco, capsys):
    assert run(["evaluate", "--data", coco, "--weights", weights]) == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert lines[-1].startswith("mAP (voc07, 3 images)") and 0 <= float(lines[-1].split()[-1]) <= 1
    assert [line.split()[1] for line in lines[: len(TOY_CLASSES)]] == list(TOY_CLASSES)
    assert "100%" in output.err


def test_evaluate_on_missing_data(weights, capsys, tmp_path):
    assert run(["evaluate", "--data", f"voc:{tmp_path / 'nowhere'}", "--weights", weights]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "nowhere" in error


# --- lab ---


@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_lab_serves_the_course_on_this_machine_alone(user, allowed, monkeypatch, tmp_path):
    from jupyterlab.labapp import LabApp

    started = []
    monkeypatch.setattr(LabApp, "launch_instance", started.append)
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr(assets, "course_folder", lambda: tmp_path)
    assert run(["lab", "--port", 9999, "--no-browser"]) == 0
    (options,) = started
    assert f"--ServerApp.root_dir={tmp_path}" in options
    assert "--ServerApp.ip=127.0.0.1" in options and "--ServerApp.port=9999" in options
    assert "--no-browser" in options
    assert ("--allow-root" in options) is allowed
    assert not any("token" in option or "password" in option for option in options)  # Jupyter's own stay on


def test_lab_in_a_folder_copies_the_course_there(monkeypatch, tmp_path, capsys):
    from jupyterlab.labapp import LabApp

    started = []
    monkeypatch.setattr(LabApp, "launch_instance", started.append)
    assert run(["lab", tmp_path / "mine", "--no-browser"]) == 0
    assert f"--ServerApp.root_dir={tmp_path / 'mine'}" in started[0]
    assert (tmp_path / "mine" / "00_tour.ipynb").exists() and (tmp_path / "mine" / "README.md").exists()
    (tmp_path / "mine" / "00_tour.ipynb").write_text("mine", encoding="utf-8")
    (tmp_path / "mine" / "README.md").unlink()
    assert run(["lab", tmp_path / "mine", "--no-browser"]) == 0
    assert (tmp_path / "mine" / "00_tour.ipynb").read_text(encoding="utf-8") == "mine"
    assert (tmp_path / "mine" / "README.md").exists()
    assert "00_tour.ipynb: kept as it is" in capsys.readouterr().err


def test_handout_lists_what_it_wrote(tmp_path, capsys):
    assert run(["handout", tmp_path / "class"]) == 0
    written = capsys.readouterr().out.split()
    assert len(written) == 9 and all(Path(path).exists() for path in written)
    (tmp_path / "class" / "00_tour.ipynb").write_text("marked", encoding="utf-8")
    assert run(["handout", tmp_path / "class"]) == 1
    assert "00_tour.ipynb: is there already and differs" in capsys.readouterr().err


@pytest.mark.parametrize("form", ("--json", None))
def test_benchmark_reports_rows_and_machine(form, capsys, monkeypatch):
    from rcnn_tutorial.benchmark import cases
    from rcnn_tutorial.benchmark.measure import Row

    rows = [Row("step", 3.0, 4.0), Row("alone", 2.0, None)]
    monkeypatch.setattr(cases, "CASES", {"toy": lambda repeats: rows[:repeats]})
    assert run(["benchmark", "toy", "--repeats", 2, *([form] if form else [])]) == 0
    out = capsys.readouterr().out
    if form:
        report = json.loads(out)
        assert [row["ratio"] for row in report["rows"]] == [0.75, None] and "torch" in report["machine"]
    else:
        assert "| step | 3 ms | 4 ms | 0.75 |" in out and "| alone | 2 ms |  |  |" in out


def test_python_m_is_the_same_command():
    command = [sys.executable, "-m", "rcnn_tutorial", "train", "--data", "toy"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=Path(__file__).parents[1])
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("rcnn-tutorial train: error: ") and done.stderr.count("\n") == 1


def test_interrupt_is_exit_code_130(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_folder_to_work_in", interrupted)
    assert run(["lab"]) == 130
    assert capsys.readouterr().err == "rcnn-tutorial: error: interrupted\n"


def test_warnings_are_one_line_on_stderr(monkeypatch, capsys):
    def warned(_):
        warnings.warn("3 boxes were clipped", stacklevel=1)
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_folder_to_work_in", warned)
    before = warnings.showwarning
    run(["lab"])
    assert capsys.readouterr().err.splitlines()[0] == "rcnn-tutorial: warning: 3 boxes were clipped"
    assert warnings.showwarning is before
