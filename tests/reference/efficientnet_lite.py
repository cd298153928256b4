"""EfficientNet-Lite in PyTorch, and the two fixtures that the Rust backbone is held against.

    python efficientnet_lite.py               write efficientnet_lite.safetensors beside this script
    python efficientnet_lite.py --weights backbone.safetensors --photo astronaut.png
                                              write backbone_check.safetensors

The first is a narrow network with random weights that has every kind of layer: with and without
expansion, windows of 3 and 5, strides 1 and 2, all paddings, blocks with and without a skip. The
second is one photo through the shipped weights; the photo is the portrait of the astronaut Eileen
Collins by NASA (public domain) that scikit-image ships as `data/astronaut.png`.

Needs torch, numpy, safetensors and, for the second, Pillow. Everything is computed in 64 bits from
weights that are exact in 32 bits, batch norms not folded, and rounded once to 32.

Layout of efficientnet_lite.safetensors: `weights.<tensor>` under the package's names, `pixels`
[N,S,S,3] in u8, `regions` [N,C,h,w], `global` [N,C], `logits` [N,classes]; the metadata entry
`config` is the architecture as JSON.
Layout of backbone_check.safetensors: `pixels` [1,448,448,3], `regions` [8,C] at the places `places`
[8] (row by row), `global` [1,C], `top_classes` [5] and `top_logits` [5].
"""

import argparse
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
EPSILON = 1e-3

# Each stage: blocks, kernel, stride, expand, channels, padding (before, after) of its first block.
NARROW = {
    "input_size": 75,
    "stem": 8,
    "stem_padding": [0, 1],
    "stages": [
        [1, 3, 1, 1, 6, [1, 1]],
        [2, 3, 2, 6, 10, [0, 1]],
        [2, 5, 2, 6, 12, [1, 2]],
        [2, 5, 1, 4, 20, [2, 2]],
        [2, 5, 2, 6, 24, [2, 2]],
        [1, 3, 1, 6, 34, [1, 1]],
    ],
    "head": 40,
    "classes": 11,
}
LITE2 = {
    "input_size": 448,
    "stem": 32,
    "stem_padding": [0, 1],
    "stages": [
        [1, 3, 1, 1, 16, [1, 1]],
        [3, 3, 2, 6, 24, [0, 1]],
        [3, 5, 2, 6, 48, [1, 2]],
        [4, 3, 2, 6, 88, [0, 1]],
        [4, 5, 1, 6, 120, [2, 2]],
        [5, 5, 2, 6, 208, [2, 2]],
        [1, 3, 1, 6, 352, [1, 1]],
    ],
    "head": 1280,
    "classes": 1000,
}


def blocks(config):
    """Name, inputs and layer settings of every block."""
    inputs, index = config["stem"], 0
    for count, kernel, stride, expand, channels, padding in config["stages"]:
        for first in [True] + [False] * (count - 1):
            half = (kernel - 1) // 2
            yield (
                f"_blocks.{index}",
                inputs,
                inputs * expand,
                channels,
                kernel,
                stride if first else 1,
                padding if first else [half, half],
            )
            inputs, index = channels, index + 1


def random_weights(config, random):
    """Weights in 32 bits; the norms' statistics are still to be measured."""
    weights = {}

    def convolution(name, norm, out, inputs, kernel):
        deviation = (2.0 / (inputs * kernel * kernel)) ** 0.5
        weights[f"{name}.weight"] = random.normal(0, deviation, (out, inputs, kernel, kernel))
        weights[f"{norm}.weight"] = random.uniform(1.0, 3.0, out)
        weights[f"{norm}.bias"] = random.normal(0.2, 0.4, out)
        weights[f"{norm}.running_mean"] = np.zeros(out)
        weights[f"{norm}.running_var"] = np.ones(out)

    convolution("_conv_stem", "_bn0", config["stem"], 3, 3)
    last = config["stem"]
    for name, inputs, wide, channels, kernel, _, _ in blocks(config):
        if wide != inputs:
            convolution(f"{name}._expand_conv", f"{name}._bn0", wide, inputs, 1)
        convolution(f"{name}._depthwise_conv", f"{name}._bn1", wide, 1, kernel)
        convolution(f"{name}._project_conv", f"{name}._bn2", channels, wide, 1)
        last = channels
    convolution("_conv_head", "_bn1", config["head"], last, 1)
    weights["_fc.weight"] = random.normal(0, 0.2, (config["classes"], config["head"]))
    weights["_fc.bias"] = random.normal(0, 0.2, config["classes"])
    return {name: torch.tensor(value, dtype=torch.float32) for name, value in weights.items()}


def forward(config, weights, pixels, measure=None):
    """Region features, global feature and logits of pixels [N, S, S, 3].

    With `measure`, a dictionary, every norm's statistics are taken from its input and put there:
    random weights need that to keep the activations mostly between 0 and 6.
    """
    weights = {name: value.double() for name, value in weights.items()}

    def layer(x, name, norm, stride=1, padding=(0, 0), groups=1):
        before, after = padding
        x = F.pad(x, (before, after, before, after))
        x = F.conv2d(x, weights[f"{name}.weight"], None, stride, groups=groups)
        if measure is not None:
            measured = (x.mean((0, 2, 3)).float(), x.var((0, 2, 3)).float())
            for part, value in zip(("running_mean", "running_var"), measured):
                measure[f"{norm}.{part}"] = value
                weights[f"{norm}.{part}"] = value.double()
        mean, variance, scale, bias = (
            weights[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, variance, scale, bias, False, 0.0, EPSILON)

    x = (pixels.permute(0, 3, 1, 2).double() - 127.0) / 128.0
    x = F.relu6(layer(x, "_conv_stem", "_bn0", 2, config["stem_padding"]))
    for name, inputs, wide, channels, _, stride, padding in blocks(config):
        y = x
        if wide != inputs:
            y = F.relu6(layer(y, f"{name}._expand_conv", f"{name}._bn0"))
        y = layer(y, f"{name}._depthwise_conv", f"{name}._bn1", stride, padding, groups=wide)
        y = layer(F.relu6(y), f"{name}._project_conv", f"{name}._bn2")
        x = x + y if stride == 1 and inputs == channels else y
    regions = F.relu6(layer(x, "_conv_head", "_bn1"))
    features = regions.mean((2, 3))
    return regions, features, F.linear(features, weights["_fc.weight"], weights["_fc.bias"])


def narrow():
    random = np.random.RandomState(7)
    weights = random_weights(NARROW, random)
    size = NARROW["input_size"]
    pixels = torch.tensor(random.randint(0, 256, (2, size, size, 3)), dtype=torch.uint8)
    forward(NARROW, weights, pixels, measure=weights)
    regions, features, logits = forward(NARROW, weights, pixels)
    tensors = {f"weights.{name}": value for name, value in weights.items()}
    tensors |= {"pixels": pixels, "regions": regions, "global": features, "logits": logits}
    write("efficientnet_lite", tensors, {"config": json.dumps(NARROW)})


def photo(path, weights):
    from PIL import Image

    size = LITE2["input_size"]
    image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
    pixels = torch.tensor(np.asarray(image)[None].copy())
    regions, features, logits = forward(LITE2, load_file(weights), pixels)
    flat = regions[0].flatten(1)
    places = torch.linspace(0, flat.shape[1] - 1, 8).round().long()
    top = logits[0].topk(5)
    tensors = {
        "pixels": pixels,
        "regions": flat[:, places].t(),
        "places": places,
        "global": features,
        "top_classes": top.indices,
        "top_logits": top.values,
    }
    write("backbone_check", tensors, None)


def write(name, tensors, metadata):
    rounded = {
        key: (value.float() if value.is_floating_point() else value).contiguous()
        for key, value in tensors.items()
    }
    save_file(rounded, HERE / f"{name}.safetensors", metadata)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=pathlib.Path, help="the shipped backbone.safetensors")
    parser.add_argument("--photo", type=pathlib.Path, help="the photo, with --weights")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    if arguments.weights and arguments.photo:
        photo(arguments.photo, arguments.weights)
    else:
        narrow()


if __name__ == "__main__":
    main()
