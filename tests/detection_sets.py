"""Small sets of targets and detections to count on."""

import torch


def image(boxes, labels, **more):
    """One image's target or detections from plain lists."""
    boxes = torch.tensor(boxes, dtype=torch.float).reshape(-1, 4)
    return {"boxes": boxes, "labels": torch.tensor(labels, dtype=torch.long)} | {
        name: torch.tensor(value) for name, value in more.items()
    }


def random_set(seed: int, images: int = 12, classes: int = 3):
    """Objects on a wide grid, so that no detection reaches two of them, and detections around them."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.cartesian_prod(torch.arange(3), torch.arange(2)) * 200.0  # (6, 2)
    targets, detections = [], []
    for _ in range(images):
        sides = 40 + 60 * torch.rand(6, 2, generator=generator)
        boxes = torch.cat([corners, corners + sides], dim=1)
        labels = torch.randint(1, classes + 1, (6,), generator=generator)
        keep = torch.rand(6, generator=generator) < 0.6
        targets.append({"boxes": boxes[keep], "labels": labels[keep]})
        source = torch.randint(0, 6, (30,), generator=generator)
        detections.append(
            {
                "boxes": boxes[source] + 8 * torch.randn(30, 4, generator=generator),
                "labels": labels[source],
                "scores": torch.rand(30, generator=generator),
            }
        )
    return detections, targets, [f"class {label}" for label in range(classes)]
