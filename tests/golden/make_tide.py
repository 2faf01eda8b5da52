"""Make 14_tide.npz: a random set of objects and detections, and what tidecv finds wrong with it.

tidecv pins old packages, so it gets its own environment:

    python3 -m venv tide && tide/bin/pip install tidecv && tide/bin/python tests/golden/make_tide.py
"""

from pathlib import Path

import numpy as np
from tidecv import TIDE, Data
from tidecv.ap import APDataObject

IMAGES, DETECTIONS, CLASSES = 24, 24, 3
THRESHOLDS = ((0.5, 0.1), (0.6, 0.2))


def random_set(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Objects (image, label, box) far from one another, and detections (image, label, score, box) around them."""
    objects, detections = [], []
    places = np.array([[x, y] for x in (0, 200, 400) for y in (0, 200)])
    for image in range(IMAGES):
        corners = places[: random.integers(0, 7)]
        boxes = np.concatenate([corners, corners + random.uniform(40, 100, (len(corners), 2))], axis=1)
        labels = random.integers(1, CLASSES + 1, len(boxes))
        objects += [(image, label, *box) for label, box in zip(labels, boxes, strict=True)]
        for _ in range(DETECTIONS if len(boxes) else 2):
            box, label = np.array([700, 700, 760, 760]), random.integers(1, CLASSES + 1)  # on nothing
            if len(boxes) and random.random() < 0.85:
                source = random.integers(len(boxes))
                box = boxes[source] + random.uniform(0, 30) * random.normal(size=4)
                box[2:] = np.maximum(box[2:], box[:2] + 5)
                label = labels[source] if random.random() < 0.7 else label
            detections.append((image, label, 0, *box))
    found = np.round(detections, 1)
    found[:, 2] = random.permutation(len(found)) / len(found)  # no two alike
    return np.round(objects, 1), found


def area_ap(self) -> float:
    """Area under the curve, in percent; tidecv takes the mean precision at 101 recalls."""
    points = sorted(self.data_points.values(), key=lambda point: -point[0])
    true = np.cumsum([right for _, right, _ in points])
    precision, recall = true / np.arange(1, len(points) + 1), true / self.num_gt_positives
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * np.diff(recall, prepend=0)).sum() * 100)


def errors_of(objects: np.ndarray, detections: np.ndarray, thresholds: tuple[float, float]) -> dict[str, np.ndarray]:
    truth, found = Data("truth", max_dets=1000), Data("found", max_dets=1000)
    for image, label, *box in objects:
        truth.add_ground_truth(int(image), int(label), width_height(box))
    for image, label, score, *box in detections:
        truth.add_image(int(image), str(int(image)))
        found.add_detection(int(image), int(label), score, width_height(box))
    run = TIDE(*thresholds).evaluate(truth, found)
    gains = run.fix_main_errors() | run.fix_special_errors()
    return {"ap": run.ap / 100, "counts": [*run.count_errors().values()], "gains": np.array([*gains.values()]) / 100}


def width_height(box: list[float]) -> list[float]:
    x1, y1, x2, y2 = box
    return [x1, y1, x2 - x1, y2 - y1]


def main() -> None:
    objects, detections = random_set(np.random.default_rng(0))
    arrays = {"image_label_box": objects, "image_label_score_box": detections}
    for name, count in (("tidecv", APDataObject.get_ap), ("area", area_ap)):
        APDataObject.get_ap = count
        for thresholds in THRESHOLDS:
            result = errors_of(objects, detections, thresholds)
            arrays |= {f"{name}_{thresholds[0]}_{thresholds[1]}__{key}": value for key, value in result.items()}
    np.savez_compressed(Path(__file__).with_name("14_tide.npz"), **arrays)


if __name__ == "__main__":
    main()
