"""Photos of any common kind as tensors, and boxes that fit into them."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from rcnn_tutorial.boxes import clip
from rcnn_tutorial.errors import DataError, is_out_of_memory

# Formats that Pillow decodes itself. Others, such as EPS, would start a program on a stranger's file.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # Pillow's modes for samples of 0..65535
ORIENTATION = 0x0112  # the EXIF tag; 5..8 swap width and height
MIN_SIDE = 0.01  # pixels; a thinner box counts as empty


def read_image(path: str | os.PathLike) -> tv_tensors.Image:
    """The photo in a file as float32 (3, H, W) in [0, 1], RGB, turned upright as its EXIF orientation says.

    Grey and palette photos become RGB, transparent ones are laid on white, 16-bit samples are divided by 65535.
    Raises DataError for a file that is missing, unreadable, damaged, truncated or too large (Pillow's limit).
    """
    with _opened(path) as photo:
        pixels = _rgb(ImageOps.exif_transpose(photo))  # (3, H, W)
    return tv_tensors.Image(pixels)


def image_of(pixels: np.ndarray) -> tv_tensors.Image:
    """Pixels in memory, RGB (H, W, 3) uint8, as `read_image` gives those of a file: float32 (3, H, W) in [0, 1]."""
    return tv_tensors.Image(F.to_dtype(torch.tensor(pixels).permute(2, 0, 1).contiguous(), torch.float32, scale=True))


def image_size(path: str | os.PathLike) -> tuple[int, int]:
    """(height, width) that `read_image` will give, from the file's header alone. Raises DataError as it does."""
    with _opened(path) as photo:
        turned = photo.getexif().get(ORIENTATION) in (5, 6, 7, 8)
        return photo.size if turned else photo.size[::-1]


@contextlib.contextmanager
def _opened(path: str | os.PathLike) -> Iterator[Image.Image]:
    """Open a photo; whatever is wrong with it inside the `with` block comes out as a DataError that names the file.

    Pillow's warnings, about a broken EXIF entry for instance, name no file; they come out as one that does.
    """
    try:
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as photo:
                if 0 in photo.size:
                    raise ValueError(f"its size is {photo.size[0]} x {photo.size[1]}")
                yield photo
    except FileNotFoundError:
        raise DataError(f"{path}: no such image; check the path") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder, not an image; name a file in it") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        limit = Image.MAX_IMAGE_PIXELS // 10**6
        raise DataError(f"{path}: more than {limit} million pixels; scale the image down first") from None
    except UnidentifiedImageError:
        raise DataError(f"{path}: not an image in a known format; use one of {', '.join(FORMATS)}") from None
    except Exception as error:  # a damaged file makes Pillow's decoders raise nearly anything
        if is_out_of_memory(error):  # which says nothing about the file
            raise
        cause = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: cannot read the image ({cause}); save or download it again") from error
    for reason in dict.fromkeys(" ".join(str(each.message).split()) for each in noted):
        warnings.warn(f"{path}: read in spite of damage ({reason}); save it again", stacklevel=4)


def _rgb(photo: Image.Image) -> Tensor:
    """Pixels of any of Pillow's modes as float32 (3, H, W) in [0, 1]."""
    if photo.mode in SIXTEEN_BITS:
        return _sixteen_bits(photo)
    if photo.mode == "F":
        raise ValueError("floating-point samples have no agreed range; convert it to 8 or 16 bits")
    if photo.has_transparency_data:
        photo = photo.convert("RGBA")
        photo = Image.alpha_composite(Image.new("RGBA", photo.size, "white"), photo)
    return F.to_dtype(F.pil_to_tensor(photo.convert("RGB")), torch.float32, scale=True)


def _sixteen_bits(photo: Image.Image) -> Tensor:
    samples = torch.from_numpy(np.asarray(photo).astype(np.float32))  # (H, W)
    if samples.min() < 0 or samples.max() > 65535:
        raise ValueError("32-bit samples have no agreed range; convert it to 8 or 16 bits")
    return (samples / 65535).expand(3, -1, -1).contiguous()


def fit_boxes(boxes: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cut boxes (N, 4) at the borders of images of `sizes`, (height, width) in pixels, (2,) or one for each (N, 2).

    Returns the boxes (N, 4) float32; which of them to keep (N,) bool: those with a finite, positive width and height;
    which of those were changed (N,) bool. One bad box is enough to turn a loss into NaN, since the regression targets
    hold the logarithm of its sides.
    """
    boxes = boxes.to(torch.float32)
    inside = clip(boxes, sizes)  # (N, 4)
    sides = torch.minimum(boxes[:, 2:] - boxes[:, :2], inside[:, 2:] - inside[:, :2])  # (N, 2)
    keep = boxes.isfinite().all(dim=1) & (sides >= MIN_SIDE).all(dim=1)  # (N,)
    return inside, keep, keep & (inside != boxes).any(dim=1)
