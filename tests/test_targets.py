"""The one rule for targets: what torchvision's users write is understood, all else refused in one readable line."""

import dataclasses

import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, Subset
from torchvision import tv_tensors
from torchvision.transforms import v2

from rcnn_tutorial.config import TOY_TRAINING, toy_config
from rcnn_tutorial.data import AugmentedDataset, CachedDataset
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.evaluation import evaluate
from rcnn_tutorial.model import build_model
from rcnn_tutorial.targets import classes_of, image_name, objects_of, standard_target
from rcnn_tutorial.training import train

IMAGE = torch.rand(3, 72, 96, generator=torch.Generator().manual_seed(0))
BOXES, LABELS = torch.tensor([[5.0, 5, 60, 60]]), torch.tensor([1])
RECIPE = dataclasses.replace(TOY_TRAINING, steps=2, batch_size=2)


def boxes_as(form: str, *numbers: float) -> tv_tensors.BoundingBoxes:
    return tv_tensors.BoundingBoxes(torch.tensor([numbers]), format=form, canvas_size=(72, 96))


def new_model():
    torch.manual_seed(0)
    return build_model(toy_config(("a", "b"))).train()


class Data(Dataset):
    """A data set as torchvision's tutorials write one."""

    classes = ("a", "b")

    def __init__(self, image=IMAGE, **target):
        self.image, self.target = image, {"boxes": BOXES, "labels": LABELS} | target

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return self.image, self.target | {"image_id": index}


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        (BOXES, [[5, 5, 60, 60]]),
        (BOXES.long(), [[5, 5, 60, 60]]),
        (BOXES.double().requires_grad_(), [[5, 5, 60, 60]]),
        (boxes_as("XYXY", 5, 5, 60, 60), [[5, 5, 60, 60]]),
        (boxes_as("XYWH", 10, 20, 30, 40), [[10, 20, 40, 60]]),
        (boxes_as("CXCYWH", 40, 40, 61, 61), [[9.5, 9.5, 70.5, 70.5]]),
        (torch.zeros(0, 4), []),
        (torch.zeros(0), []),
    ],
)
def test_boxes_that_are_understood(boxes, expected):
    objects = objects_of({"boxes": boxes, "labels": LABELS[: len(boxes)].int()}, classes=1)
    assert type(objects.boxes) is torch.Tensor and objects.boxes.dtype == torch.float32
    assert objects.boxes.tolist() == expected and objects.boxes.shape == (len(boxes), 4)
    assert not objects.boxes.requires_grad and objects.labels.dtype == torch.int64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": [(5, 5, 60, 60)]}, "'boxes' is of type list; expected tensors, boxes"),
        ({"boxes": BOXES.numpy()}, "'boxes' is of type ndarray"),
        ({"boxes": None}, "'boxes' is missing; .* where N may be 0"),
        ({"labels": [1]}, "'labels' is of type list"),
        ({"labels": LABELS.float()}, "labels of type torch.float32; expected integers"),
        ({"labels": LABELS.bool()}, "labels of type torch.bool"),
        ({"labels": LABELS * 0}, r"labels \[0\]; expected 1 to 2"),
        ({"labels": -LABELS}, r"labels \[-1\]; expected 1 to 2"),
        ({"labels": LABELS + 2}, r"labels \[3\]; expected 1 to 2"),
        ({"labels": LABELS[None]}, r"boxes \(1, 4\) and labels \(1, 1\); expected"),
        ({"boxes": BOXES[0]}, r"boxes \(4,\) and labels \(1,\); expected"),
        ({"boxes": BOXES[:, [2, 1, 0, 3]]}, "empty, inverted or infinite box"),
        ({"boxes": BOXES * float("nan")}, "empty, inverted or infinite box"),
        (
            {"boxes": boxes_as("CXCYWHR", 40.0, 40, 20, 20, 30)},
            "boxes of format CXCYWHR; expected XYXY, XYWH or CXCYWH",
        ),
        ({"difficult": torch.zeros(2)}, r"'difficult' of shape \(2,\) for 1 boxes"),
    ],
)
def test_all_else_is_refused_in_one_line(change, message):
    target = {"boxes": BOXES, "labels": LABELS, "image_id": torch.tensor(7)} | change
    with pytest.raises(DataError, match=f"^target of image 7: .*{message}") as refused:
        new_model()([IMAGE], [target])
    assert "\n" not in str(refused.value)


def test_a_target_that_is_no_dict_is_refused():
    with pytest.raises(DataError, match="^target of image 3: 'boxes' is missing"):
        objects_of((BOXES, LABELS), name="3")


@pytest.mark.parametrize("key", ["difficult", "iscrowd"])
@pytest.mark.parametrize("kind", [torch.bool, torch.int64, torch.uint8])
def test_difficult_and_crowd_objects_are_marked(key, kind):
    target = {"boxes": BOXES.repeat(2, 1), "labels": LABELS.repeat(2), key: torch.tensor([0, 1]).to(kind)}
    assert objects_of(target).difficult.tolist() == [False, True]


def test_the_standard_target_holds_what_transforms_and_messages_need():
    target = standard_target({"boxes": BOXES, "labels": LABELS, "masks": "anything"}, (72, 96), "number 4")
    assert set(target) == {"boxes", "labels", "difficult", "image_id"}
    assert target["boxes"].canvas_size == (72, 96) and target["image_id"] == "number 4"


@pytest.mark.parametrize(
    ("image_id", "name"), [(7, "7"), ("a", "a"), (torch.tensor(7), "7"), (torch.tensor([7]), "[7]")]
)
def test_names_of_images(image_id, name):
    assert image_name({"image_id": image_id}, "none") == name


def test_boxes_that_are_plain_tensors_are_mirrored_with_their_image():
    image, target = AugmentedDataset(Data(), v2.RandomHorizontalFlip(1.0), seed=0)[0, 0]
    assert torch.equal(image, IMAGE.flip(2)) and target["boxes"].tolist() == [[36, 5, 91, 60]]


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"iscrowd": torch.zeros(1, dtype=torch.long), "area": torch.ones(1), "masks": torch.zeros(1, 72, 96)},
        {"boxes": boxes_as("XYWH", 5.0, 5, 55, 55)},
    ],
)
def test_training_and_evaluation_take_torchvision_s_targets(target):
    data = Data(**target)
    assert [report.step for report in train(new_model(), data, RECIPE)] == [1, 2]
    assert evaluate(new_model(), data, progress=False).images == 3


def test_the_format_of_boxes_does_not_matter_to_the_losses():
    losses = [
        new_model()([IMAGE], [{"boxes": boxes, "labels": LABELS}], torch.Generator().manual_seed(0))
        for boxes in (BOXES, boxes_as("XYWH", 5.0, 5, 55, 55))
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Data(Image.new("RGB", (96, 72))), r"item \d of the data set: image of type Image: expected a float tensor"),
        (Data((IMAGE * 255).byte()), r"item \d of the data set: image of type torch.uint8: expected floats"),
        (Data(IMAGE[:1]), r"item \d of the data set: image of shape \(1, 72, 96\)"),
        (Data(boxes=BOXES * float("nan")), r"target of image \d: empty, inverted or infinite box"),
    ],
)
def test_training_names_the_image_that_cannot_be_used(data, message):
    with pytest.raises(DataError, match=f"^{message}"):
        next(train(new_model(), data, RECIPE))


def test_training_says_what_an_item_should_be():
    class Dicts(Data):
        def __getitem__(self, index):
            return {"image": IMAGE, "boxes": BOXES}

    with pytest.raises(DataError, match=r"^item \d of the data set: dict; expected a pair \(image, target\)"):
        next(train(new_model(), Dicts(), RECIPE))


@pytest.mark.parametrize(
    "use",
    [lambda data: list(train(new_model(), data, RECIPE)), lambda data: evaluate(new_model(), data), CachedDataset],
)
def test_a_data_set_without_classes_is_told_to_name_them(use):
    part = Subset(Data(), [0, 1])
    with pytest.raises(ConfigError, match=r"^the data set \(Subset\) has no attribute `classes`: set it"):
        use(part)
    part.classes = Data.classes
    assert classes_of(part) == ("a", "b")


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_a_model_of_another_type_finds_what_it_finds_in_float32(kind):
    from rcnn_tutorial.checkpoints import load_model
    from rcnn_tutorial.data import ToyScenes

    image = ToyScenes("val")[0][0]
    expected, found = load_model("toy")([image])[0], load_model("toy").to(kind)([image.to(kind)])[0]
    sure = expected["scores"] > 0.9
    best = found["scores"] > 0.8
    assert 2 < sure.sum() <= best.sum()
    assert found["boxes"].dtype == found["scores"].dtype == torch.float32
    if kind == torch.float64:
        torch.testing.assert_close(found["boxes"][: sure.sum()], expected["boxes"][sure], rtol=1e-3, atol=0.05)


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_a_model_of_another_type_can_be_trained(kind):
    losses = new_model().to(kind)([IMAGE.to(kind)], [{"boxes": BOXES, "labels": LABELS}])
    assert all(loss.dtype == torch.float32 for loss in losses.values())
    sum(losses.values()).backward()


def test_an_image_of_another_type_than_the_model_is_refused():
    with pytest.raises(ConfigError, match="image of torch.float64, the model of torch.float32: convert one"):
        new_model().eval()([IMAGE.double()])
    with torch.autocast("cpu", torch.bfloat16):
        assert len(new_model().eval()([IMAGE])) == 1


@pytest.mark.parametrize("image", ["photo.jpg", Image.new("RGB", (96, 72)), None])
def test_an_image_that_is_no_tensor_is_refused(image):
    with pytest.raises(DataError, match="^image of type .*: expected a float tensor"):
        new_model().eval()([image])
