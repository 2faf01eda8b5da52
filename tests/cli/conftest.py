"""What the tests of the commands share: one way to call them, on the CPU, and small inputs."""

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from rcnn_tutorial import cli
from rcnn_tutorial.checkpoints import save_model
from rcnn_tutorial.config import InferenceConfig, toy_config
from rcnn_tutorial.data import TOY_CLASSES, ToyScenes
from rcnn_tutorial.model import build_model
from rcnn_tutorial.request import defaults


@pytest.fixture(scope="session")
def run():
    """A function: exit code of the command, however it ends. It runs on the CPU unless --device says otherwise."""

    def run(arguments):
        words = [str(argument) for argument in arguments]
        if words and words[0] in ("detect", "train", "evaluate") and not {"--device", "--help"} & set(words):
            words += ["--device", "cpu"]
        try:
            return cli.main(words)
        except SystemExit as end:
            return end.code

    return run


@pytest.fixture(scope="session")
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


@pytest.fixture
def voc(tmp_path):
    """Four toy scenes as a VOC folder with the splits train, val (two each) and all; its spec."""
    folder = tmp_path / "voc data"
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    scenes = ToyScenes("val", length=4, size=(64, 64), max_objects=3)
    for index in range(4):
        image, target = scenes[index]
        Image.fromarray((image * 255).byte().permute(1, 2, 0).numpy()).save(folder / "JPEGImages" / f"{index}.jpg")
        rows = zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True)
        objects = "".join(
            f"<object><name>{TOY_CLASSES[label - 1]}</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin>"
            f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
            for (x1, y1, x2, y2), label in rows
        )
        xml = f"<annotation><size><width>64</width><height>64</height></size>{objects}</annotation>"
        (folder / "Annotations" / f"{index}.xml").write_text(xml, encoding="utf-8")
    for split, names in {"train": "0\n1\n", "val": "2\n3\n", "all": "0\n1\n2\n3\n"}.items():
        (folder / "ImageSets" / "Main" / f"{split}.txt").write_text(names, encoding="utf-8")
    return f"voc:{folder}"


@pytest.fixture
def small(tmp_path):
    """Options of a training of four steps with the toy detector on small images, for data that are not `toy`."""
    settings = defaults(toy=True)
    del settings["model"]["classes"]
    settings["model"]["preprocessing"] |= {"target_size": 64, "max_size": 96}
    settings["training"] |= {"steps": 4, "batch_size": 2, "checkpoint_every": 2, "warmup": 0.25}
    path = tmp_path / "toy.json"
    path.write_text(json.dumps({name: settings[name] for name in ("model", "training")}), encoding="utf-8")
    return ["--config", path]


@pytest.fixture
def complaint(capsys):
    """A function: the one line that a command left on stderr, apart from its progress."""

    def complaint() -> str:
        output = capsys.readouterr()
        lines = [line for line in output.err.splitlines() if line.startswith("rcnn-tutorial")]
        assert output.out == "" and "Traceback" not in output.err
        assert len(lines) == 1 and lines[0].isprintable(), output.err
        return lines[0]

    return complaint
