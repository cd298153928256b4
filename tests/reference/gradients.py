"""Gradients of every parameter of BiAM's heads in PyTorch, for the Rust training to be held against.

    python gradients.py                   write gradients.safetensors beside this script
    python gradients.py --out FILE        write it elsewhere (the same bytes each time)

The networks, their weights and inputs are those of network.py and network.safetensors: preset
authors with all variants, and the full network of preset paper, every dropout at zero. The loss is
a sum of squared scores and a distillation over a few regions,

    loss = sum(scores^2) + 10 (1 - <S, T> / (|S| |T|)),    S = e_f at the regions times W(labels),

so that no gradient is zero but that of the key's bias, which shifts all scores of a row of the
attention alike. Needs torch and safetensors; computed in 64 bits.

Layout of gradients.safetensors (float32)

    sampled [S] (int64)                      rows of [N·P] photos' regions
    teacher [S,L]                            T
    loss.<preset>.<variant> [1]
    <preset>.<variant>.<parameter>           gradient of the loss
"""

import argparse
import dataclasses
import pathlib

import torch
from safetensors.torch import save_file

import network

SAMPLED = (0, 7, 8, 29, 33, 41, 59)
CASES = [("authors", variant) for variant in network.VARIANTS] + [("paper", "biam")]


def loss_of(outputs, projected, teacher):
    regions = outputs["e_f"].flatten(2).transpose(1, 2).flatten(0, 1)[list(SAMPLED)]
    responses = regions @ projected.t()
    cosine = (responses * teacher).sum() / (responses.norm() * teacher.norm())
    return outputs["scores"].square().sum() + 10 * (1 - cosine)


def gradients(preset, variant, inputs, teacher):
    config = dataclasses.replace(network.PRESETS[preset], **network.FIXTURE_SIZES)
    prefix = f"{preset}.{variant}"
    weights = network.random_weights(network.Network(config, variant), prefix)
    model = network.build(config, variant, weights).train()
    loss = loss_of(model(*inputs), model.classifier(inputs[2]), teacher)
    loss.backward()
    made = {f"{prefix}.{name}": tensor.grad for name, tensor in model.named_parameters()}
    return made | {f"loss.{prefix}": loss.detach().reshape(1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = pathlib.Path(__file__).with_name("gradients.safetensors")
    parser.add_argument("--out", type=pathlib.Path, default=beside, metavar="FILE")
    path = parser.parse_args().out
    torch.set_num_threads(1)
    config = dataclasses.replace(network.PAPER, **network.FIXTURE_SIZES)
    fixture = network.fixture_inputs(config)
    inputs = [fixture[name].double() for name in ("regions", "global", "labels")]
    teacher = network.uniform("teacher", (len(SAMPLED), network.LABELS), -1.0, 1.0)
    tensors = {}
    for preset, variant in CASES:
        tensors |= gradients(preset, variant, inputs, teacher.double())
    tensors = {name: tensor.float().contiguous() for name, tensor in tensors.items()}
    tensors |= {"teacher": teacher, "sampled": torch.tensor(SAMPLED)}
    save_file(tensors, path)
    print(f"{path}: {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
