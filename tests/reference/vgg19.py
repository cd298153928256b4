"""VGG-19 in PyTorch, and the fixtures that the Rust backbone is held against.

    python vgg19.py                  write vgg19.safetensors and vgg19_old.pth beside this script
    python vgg19.py --full FOLDER    write a network of full width with random weights to FOLDER: as
                                     torchvision saves it (vgg19.pth, 575 MB, and vgg19_old.pth in the
                                     format of PyTorch before 1.6), as timm does (vgg19.safetensors), and
                                     check.safetensors, for the ignored test in tests/vgg19.rs

The fixtures are of a narrow network with random weights: the same sixteen convolutions and two linear
layers with few channels, photos of 64 pixels. Needs torch, numpy and safetensors. Everything is
computed in 64 bits from weights that are exact in 16 bits, and rounded once to 32.

Layout of vgg19.safetensors and of check.safetensors: `pixels` [N,S,S,3] in u8, `regions` [N,C,h,w]
(relu5_4), `global` [N,G] (fc7 after its ReLU); the metadata entry `config` is the architecture as
JSON. vgg19_old.pth has the weights under torchvision's names in f16, in the format of PyTorch
before 1.6.
"""

import argparse
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
CONVOLUTIONS = (2, 2, 4, 4, 4)
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
NARROW = {"input_size": 64, "widths": [4, 8, 8, 12, 16], "hidden": 20}
FULL = {"input_size": 224, "widths": [64, 128, 256, 512, 512], "hidden": 4096}


def plan(config):
    """torchvision's `features`: the number of each convolution, its inputs and outputs, or None for
    a maximum of 2x2 pixels."""
    number, inputs = 0, 3
    for count, width in zip(CONVOLUTIONS, config["widths"]):
        for _ in range(count):
            yield number, inputs, width
            number, inputs = number + 2, width
        yield None
        number += 1


def random_weights(config, seed):
    """torchvision's names; every value exact in 16 bits."""
    random = np.random.RandomState(seed)
    weights = {}

    def layer(name, shape):
        inputs = int(np.prod(shape[1:]))
        weight = random.standard_normal(shape).astype(np.float32) * (2.0 / inputs) ** 0.5
        bias = random.standard_normal(shape[0]).astype(np.float32) * 0.1
        for part, value in (("weight", weight), ("bias", bias)):
            weights[f"{name}.{part}"] = torch.tensor(value).half().float()

    for step in plan(config):
        if step is not None:
            number, inputs, outputs = step
            layer(f"features.{number}", (outputs, inputs, 3, 3))
    pooled = config["input_size"] // 32
    hidden = config["hidden"]
    layer("classifier.0", (hidden, config["widths"][-1] * pooled * pooled))
    layer("classifier.3", (hidden, hidden))
    return weights


def forward(config, weights, pixels):
    """relu5_4 and fc7 after its ReLU, of pixels [N, S, S, 3]."""

    def of(name):
        return weights[f"{name}.weight"].double(), weights[f"{name}.bias"].double()

    x = pixels.permute(0, 3, 1, 2).double() / 255.0
    x = (x - torch.tensor(MEAN).double()[:, None, None]) / torch.tensor(DEVIATION).double()[:, None, None]
    for step in plan(config):
        if step is None:
            regions, x = x, F.max_pool2d(x, 2)
        else:
            x = F.relu(F.conv2d(x, *of(f"features.{step[0]}"), padding=1))
    x = x.flatten(1)
    for name in ("classifier.0", "classifier.3"):
        x = F.relu(F.linear(x, *of(name)))
    return regions, x


def tensors_of(config, weights, photos):
    random = np.random.RandomState(5)
    size = config["input_size"]
    pixels = torch.tensor(random.randint(0, 256, (photos, size, size, 3)), dtype=torch.uint8)
    regions, features = forward(config, weights, pixels)
    return {"pixels": pixels, "regions": regions.float().contiguous(), "global": features.float()}


def full(folder):
    weights = random_weights(FULL, 3)
    metadata = {"config": json.dumps(FULL)}
    save_file(tensors_of(FULL, weights, 1), folder / "check.safetensors", metadata)
    published = dict(weights)
    published["classifier.6.weight"] = torch.zeros(1000, FULL["hidden"])
    published["classifier.6.bias"] = torch.zeros(1000)
    torch.save(published, folder / "vgg19.pth")
    torch.save(published, folder / "vgg19_old.pth", _use_new_zipfile_serialization=False)
    timm = {k: v for k, v in published.items() if k.startswith("features.")}
    for ours, theirs, shape in (("0", "fc1", (4096, 512, 7, 7)), ("3", "fc2", (4096, 4096, 1, 1))):
        timm[f"pre_logits.{theirs}.weight"] = published[f"classifier.{ours}.weight"].reshape(shape)
        timm[f"pre_logits.{theirs}.bias"] = published[f"classifier.{ours}.bias"]
    timm["head.fc.weight"] = published["classifier.6.weight"]
    timm["head.fc.bias"] = published["classifier.6.bias"]
    save_file(timm, folder / "vgg19.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", type=pathlib.Path, metavar="FOLDER")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    if arguments.full:
        full(arguments.full)
        return
    weights = random_weights(NARROW, 3)
    metadata = {"config": json.dumps(NARROW)}
    save_file(tensors_of(NARROW, weights, 2), HERE / "vgg19.safetensors", metadata)
    halves = {name: value.half() for name, value in weights.items()}
    torch.save(halves, HERE / "vgg19_old.pth", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
