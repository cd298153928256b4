"""Metrics by scikit-learn and by plain transcriptions of their definitions.

    python tests/reference/metrics.py

writes metrics.json beside this file:

- `scores` and `truth`, [photos][labels]: scores of one decimal, so that many are equal; truth 1, -1, or
  0 for unknown; some labels have no positive, some photos have none, one label is unknown everywhere
- `tasks`: for a set of `labels` over all photos and over those with a positive among them: average
  precision of each label (null without a positive) by sklearn.metrics.average_precision_score over the
  photos where the label is known, their mean in both conventions, and precision, recall and F1 of the k
  best labels, overall and per class; of equal scores the label that comes first in `labels` is better
- `maps`: response maps with boxes, where equal responses occur: whether the centre of the hottest
  region (the first of equals) is in a box, the part of the energy above the map's mean in regions
  whose centres are in a box, and the part of such regions

Needs numpy and scikit-learn.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

PHOTOS, LABELS = 40, 12


def average_precision(scores, truth):
    known = truth != 0
    if not (truth[known] == 1).any():
        return None
    return float(average_precision_score(truth[known] == 1, scores[known]))


def f1(precision, recall):
    total = precision + recall
    return [precision, recall, 2 * precision * recall / total if total > 0 else 0.0]


def top_k(scores, truth, k):
    predicted = np.zeros(truth.shape, bool)
    for row, photo in zip(predicted, scores):
        row[np.argsort(-photo, kind="stable")[:k]] = True
    positive = truth == 1
    right = (predicted & positive).sum()
    overall = f1(right / predicted.sum(), right / positive.sum())
    precisions, recalls = [], []
    for label in range(truth.shape[1]):
        if not positive[:, label].any():
            continue
        right = (predicted[:, label] & positive[:, label]).sum()
        precisions.append(right / max(predicted[:, label].sum(), 1))
        recalls.append(right / positive[:, label].sum())
    return overall, f1(float(np.mean(precisions)), float(np.mean(recalls)))


def measures(scores, truth):
    precisions = [average_precision(s, t) for s, t in zip(scores.T, truth.T)]
    found = [p for p in precisions if p is not None]
    result = {
        "photos": len(scores),
        "precisions": precisions,
        "mean": sum(found) / len(found),
        "empty_as_zero": sum(found) / len(precisions),
        "top": [],
    }
    for k in (1, 3, 5, 20):
        overall, per_class = top_k(scores, truth, k)
        result["top"].append(
            {"k": k, "overall": [float(v) for v in overall], "per_class": [float(v) for v in per_class]}
        )
    return result


def localisation(responses, boxes, covered):
    rows, columns = responses.shape
    x0, y0, x1, y1 = covered
    inside = np.zeros(responses.shape, bool)
    for row in range(rows):
        for column in range(columns):
            x = x0 + (column + 0.5) / columns * (x1 - x0)
            y = y0 + (row + 0.5) / rows * (y1 - y0)
            inside[row, column] = any(a <= x <= c and b <= y <= d for a, b, c, d in boxes)
    energy = np.maximum(responses - responses.mean(), 0)
    hottest = np.unravel_index(np.argmax(responses), responses.shape)
    return {
        "grid": [rows, columns],
        "covered": covered,
        "boxes": boxes,
        "responses": responses.ravel().tolist(),
        "pointed": bool(inside[hottest]),
        "energy": float((energy * inside).sum() / energy.sum()),
        "inside": float(inside.mean()),
    }


def main():
    random = np.random.default_rng(5)
    scores = random.normal(size=(PHOTOS, LABELS)).round(1)
    truth = random.choice([-1, -1, -1, 0, 1], size=(PHOTOS, LABELS))
    truth[:, 4] = random.choice([-1, 0], size=PHOTOS)
    truth[:, 9] = 0
    truth[::7] = np.minimum(truth[::7], 0)
    tasks = []
    for labels in (list(range(LABELS)), [1, 4, 8, 10], [11, 2]):
        some, known = scores[:, labels], truth[:, labels]
        positive = (known == 1).any(1)
        tasks.append(
            {
                "labels": labels,
                "all_photos": measures(some, known),
                "photos_with_a_positive": measures(some[positive], known[positive]),
            }
        )
    maps = []
    for rows, columns in ((3, 4), (5, 5), (14, 14)):
        responses = random.normal(size=(rows, columns)).round(1)
        responses[rows - 1, 0] = responses.max()
        for covered in ([0, 0, 1, 1], [0.125, 0, 0.875, 1]):
            corners = np.sort(random.integers(0, 64, size=(2, 2, 2)) / 64, axis=1)
            boxes = [[c[0, 0], c[0, 1], c[1, 0], c[1, 1]] for c in corners]
            maps.append(localisation(responses, boxes, covered))
    fixture = {"scores": scores.tolist(), "truth": truth.tolist(), "tasks": tasks, "maps": maps}
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(fixture) + "\n")
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
