"""The shipped heads in PyTorch: writes `heads.safetensors`, which tests/heads.rs holds the program to.

    python heads.py FOLDER                FOLDER is the default bundle (weights/default)

The photo is the one in backbone_check.safetensors; its pixels go through efficientnet_lite.py,
the bundle's projection and network.py's heads, all from the weights as they are shipped (rounded to
16 bits, computed in 64). The labels are six rows of the bundle's label vectors.

Needs torch, numpy and safetensors.

Layout of heads.safetensors: `rows` [6] of the bundle's labels, `maps.<variant>` [6,14,14],
`scores.<variant>` [6].
"""

import argparse
import pathlib

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

import efficientnet_lite
import network

HERE = pathlib.Path(__file__).parent
LABELS = ("woman", "helmet", "flag", "airplane", "dog", "suit")


def label_rows(folder):
    """Where the labels stand in the bundle's list."""
    lines = (folder / "labels.tsv").read_text(encoding="utf-8").splitlines()[1:]
    listed = [line.split("\t")[0] for line in lines]
    return [listed.index(label) for label in LABELS]


def inputs(folder, rows):
    """Projected regions [1,R,h,w], global feature [1,G] and label vectors [6,D] in 64 bits."""
    pixels = load_file(HERE / "backbone_check.safetensors")["pixels"]
    backbone = load_file(folder / "backbone.safetensors")
    backbone = {name: tensor.float() for name, tensor in backbone.items()}
    regions, scene, _ = efficientnet_lite.forward(efficientnet_lite.LITE2, backbone, pixels)
    projection = load_file(folder / "projection.safetensors")
    weight, bias = (projection[f"projection.{name}"].double() for name in ("weight", "bias"))
    labels = load_file(folder / "label_vectors.safetensors")["vectors"].double()[rows]
    return F.conv2d(regions, weight[:, :, None, None], bias), scene, labels


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, metavar="FOLDER")
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    rows = label_rows(folder)
    given = inputs(folder, rows)
    tensors = {"rows": torch.tensor(rows)}
    for variant in network.VARIANTS:
        outputs = network.load_head(folder / f"{variant}.safetensors")(*given)
        for name in ("maps", "scores"):
            tensors[f"{name}.{variant}"] = outputs[name][0].float().contiguous()
        print(variant, outputs["scores"][0].tolist())
    save_file(tensors, HERE / "heads.safetensors")


if __name__ == "__main__":
    main()
