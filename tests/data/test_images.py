import io
import os
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import tv_tensors

from rcnn_tutorial.data.images import fit_boxes, image_size, read_image
from rcnn_tutorial.errors import DataError
from rcnn_tutorial.targets import make_target

FUZZ_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 200))  # `make fuzz` tries more
COLORS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[0, 0, 0], [255, 255, 255], [51, 102, 153]]], np.uint8)
EXPECTED = torch.from_numpy(COLORS).permute(2, 0, 1) / 255  # (3, 2, 3)


def save(path, image, **options):
    image.save(path, **options)
    return path


def error_of(path):
    """The message of the DataError that reading `path` raises: one line that names the file and a remedy."""
    with pytest.raises(DataError) as caught:
        read_image(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    assert ";" in message
    return message


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.ppm", "a.webp"])
def test_reads_rgb(tmp_path, name):
    path = save(tmp_path / name, Image.fromarray(COLORS), lossless=True)
    image = read_image(path)
    assert isinstance(image, tv_tensors.Image)
    assert image.dtype == torch.float32
    assert torch.allclose(image, EXPECTED)
    assert image_size(path) == (2, 3)


def test_reads_grey_palette_and_bilevel(tmp_path):
    grey = np.array([[0, 51, 255]], np.uint8)
    image = read_image(save(tmp_path / "grey.png", Image.fromarray(grey)))
    assert torch.allclose(image, (torch.from_numpy(grey) / 255).expand(3, 1, 3))
    palette = Image.fromarray(COLORS).quantize(6)
    assert palette.mode == "P"
    assert torch.allclose(read_image(save(tmp_path / "palette.png", palette)), EXPECTED)
    bilevel = Image.fromarray(np.array([[True, False]]))
    assert read_image(save(tmp_path / "bilevel.png", bilevel))[0].tolist() == [[1, 0]]


def test_lays_transparent_photos_on_white(tmp_path):
    pixels = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 51]]], np.uint8)
    image = read_image(save(tmp_path / "rgba.png", Image.fromarray(pixels)))  # (3, 1, 3)
    assert torch.allclose(image[:, 0].T, torch.tensor([[1, 0, 0], [1, 1, 1], [0.8, 0.8, 0.8]]))
    grey = Image.fromarray(np.array([[[0, 0], [0, 255]]], np.uint8), mode="LA")
    assert read_image(save(tmp_path / "la.png", grey))[0].tolist() == [[1, 0]]
    keyed = Image.fromarray(np.array([[7, 9]], np.uint8))
    image = read_image(save(tmp_path / "keyed.png", keyed, transparency=7))
    assert torch.allclose(image[0], torch.tensor([[1, 9 / 255]]))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_scales_sixteen_bits(tmp_path, name):
    samples = np.array([[0, 257, 32768, 65535]], np.uint16)
    image = read_image(save(tmp_path / name, Image.fromarray(samples)))
    assert image.shape == (3, 1, 4)
    assert torch.allclose(image[1], torch.from_numpy(samples.astype(np.float32)) / 65535)


@pytest.mark.parametrize("samples", [np.full((2, 2), 70_000, np.int32), np.full((2, 2), 0.5, np.float32)])
def test_refuses_samples_without_a_known_range(tmp_path, samples):
    assert "convert it to 8 or 16 bits" in error_of(save(tmp_path / "a.tif", Image.fromarray(samples)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_photos_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.png", Image.fromarray(COLORS), exif=exif)
    red = [(0, 0), (0, 2), (1, 2), (1, 0), (0, 0), (0, 1), (2, 1), (2, 0)][orientation - 1]  # where (0, 0) goes
    image = read_image(path)
    assert tuple(image.shape[1:]) == image_size(path) == ((2, 3) if orientation < 5 else (3, 2))
    assert image[:, *red].tolist() == [1, 0, 0]


def test_names_what_is_wrong_with_a_path(tmp_path):
    assert "no such image" in error_of(tmp_path / "missing.jpg")
    assert "is a folder" in error_of(tmp_path)
    (tmp_path / "empty.jpg").write_bytes(b"")
    assert "known format" in error_of(tmp_path / "empty.jpg")
    (tmp_path / "text.jpg").write_text("not an image", encoding="utf-8")
    assert "known format" in error_of(tmp_path / "text.jpg")
    (tmp_path / "a.eps").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", encoding="utf-8"
    )
    assert "known format" in error_of(tmp_path / "a.eps")


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "gif", "bmp", "tiff"])
def test_refuses_truncated_files(tmp_path, kind):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(buffer, kind)
    path = tmp_path / f"a.{kind}"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    error_of(path)


def test_refuses_a_damaged_png(tmp_path):
    path = save(tmp_path / "a.png", Image.fromarray(np.zeros((64, 64, 3), np.uint8)))
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 8] ^= 0xFF
    path.write_bytes(data)
    assert "cannot read the image" in error_of(path)


def png_header(width, height):
    """A PNG that claims a size and holds nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(12_000, 12_000), (100_000, 100_000)])
def test_refuses_decompression_bombs(tmp_path, size):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(*size))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whatever the caller's filters are
        assert "scale the image down" in error_of(path)


def test_a_warning_about_damage_that_does_no_harm_names_the_file(tmp_path):
    broken = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0"  # ends within its first entry
    path = save(tmp_path / "a.jpg", Image.fromarray(COLORS), exif=broken)
    with pytest.warns(UserWarning, match=r"a\.jpg: read in spite of damage \(.*EXIF.*\); save it again") as caught:
        assert read_image(path).shape == (3, 2, 3)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "shortage", [MemoryError(), RuntimeError("can't allocate memory: you tried to allocate 9 bytes")]
)
def test_lack_of_memory_is_not_a_bad_file(shortage, tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", Image.fromarray(COLORS))

    def fail(*_):
        raise shortage

    monkeypatch.setattr(Image.Image, "convert", fail)
    with pytest.raises(type(shortage)):
        read_image(path)


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("a.jpg", "CMYK", {}), ("a.tif", "CMYK", {}), ("a.tif", "YCbCr", {}), ("a.gif", "P", {}), ("a.png", "P", {}),
        ("a.png", "RGBA", {}), ("a.JPG", "RGB", {"format": "PNG"}), ("a.jpg", "RGB", {"format": "MPO"}),
        ("a", "RGB", {"format": "JPEG"}), ("a.webp", "RGB", {"save_all": True}), ("a.tif", "RGB", {"save_all": True}),
    ],
)  # fmt: skip
def test_reads_photos_of_other_color_spaces_and_wrong_endings(tmp_path, name, mode, options):
    photo = Image.new("RGB", (30, 20), (200, 100, 50))
    image = read_image(save(tmp_path / name, photo.convert(mode), **options))
    assert image.shape == (3, 20, 30)
    assert torch.allclose(image.mean(dim=(1, 2)), torch.tensor([200, 100, 50]) / 255, atol=0.03)


def test_refuses_images_without_pixels(tmp_path):
    path = tmp_path / "none.png"
    path.write_bytes(png_header(0, 5))
    error_of(path)


@settings(max_examples=FUZZ_EXAMPLES, deadline=None)
@given(data=st.data())
def test_damage_never_gives_another_error(tmp_path_factory, data):
    kind = data.draw(st.sampled_from(["jpeg", "png", "gif", "bmp", "tiff", "webp", "ppm"]))
    buffer = io.BytesIO()
    Image.fromarray(COLORS.repeat(8, 0).repeat(8, 1)).save(buffer, kind)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    try:
        image = read_image(path)
    except DataError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert image.shape[0] == 3
        assert image.isfinite().all()


NUMBERS = st.floats(-150, 150, width=32) | st.sampled_from([float("nan"), float("inf"), float("-inf"), 0.0, 80.0])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=6))
def test_boxes_that_fit_are_inside_and_not_empty(rows):
    boxes, size = torch.tensor(rows).reshape(-1, 4), torch.tensor((60, 80))
    inside, keep, changed = fit_boxes(boxes, size)
    x1, y1, x2, y2 = inside[keep].T
    assert (x1 >= 0).all() and (y1 >= 0).all() and (x2 <= 80).all() and (y2 <= 60).all()
    assert (x2 > x1).all() and (y2 > y1).all()
    assert torch.equal(changed[keep], (inside != boxes).any(dim=1)[keep]) and not changed[~keep].any()
    again, kept, changed = fit_boxes(inside[keep], size)
    assert torch.equal(again, inside[keep]) and kept.all() and not changed.any()


def test_boxes_that_fit_by_example():
    boxes = torch.tensor(
        [
            [10, 10, 20, 20],  # fine
            [-5, 10, 20, 70],  # reaches over the border
            [30, 10, 20, 20],  # inverted
            [10, 10, 10, 20],  # empty
            [90, 10, 95, 20],  # wholly outside
            [0, 0, float("nan"), 10],
            [0, 0, float("inf"), 10],
            [0, 0, 80, 60],  # the whole image
        ]
    )
    inside, keep, changed = fit_boxes(boxes, torch.tensor((60, 80)))
    assert inside[keep].tolist() == [[10, 10, 20, 20], [0, 10, 20, 60], [0, 0, 80, 60]]
    assert keep.nonzero().flatten().tolist() == [0, 1, 7] and changed.nonzero().flatten().tolist() == [1]


def test_target_without_objects():
    target = make_target([], [], [], (60, 80), "a")
    assert target["boxes"].shape == (0, 4) and target["boxes"].canvas_size == (60, 80)
    assert target["labels"].shape == target["difficult"].shape == (0,)
    assert target["labels"].dtype == torch.int64 and target["difficult"].dtype == torch.bool
