"""Times ONNX Runtime on the network that `biam-lens bench` times, for comparison.

Builds the backbone, the projection and the four heads in PyTorch from a bundle's folder, exports
them to ONNX and runs them warm: `backbone` is pixels to region features, `photo_to_maps` is pixels
to the response maps of all four variants for 100 labels.

    python benches/compare_onnxruntime.py weights/default [--threads 2] [--runs 50] [--check CHECK.safetensors]

Needs torch, onnx, onnxruntime and safetensors.
"""

import argparse
import json
import pathlib
import statistics
import tempfile
import time

import onnxruntime
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

VARIANTS = ("standard", "rcb", "scb", "biam")
HEADS = 8
# blocks, kernel, stride, expansion, channels, padding of the first block (before, after)
STAGES = (
    (1, 3, 1, 1, 16, (1, 1)),
    (3, 3, 2, 6, 24, (0, 1)),
    (3, 5, 2, 6, 48, (1, 2)),
    (4, 3, 2, 6, 88, (0, 1)),
    (4, 5, 1, 6, 120, (2, 2)),
    (5, 5, 2, 6, 208, (2, 2)),
    (1, 3, 1, 6, 352, (1, 1)),
)


def folded(weights, conv, norm, eps=1e-3):
    """A convolution's weight and bias with the batch norm after it folded in."""
    scale = weights[f"{norm}.weight"] / torch.sqrt(weights[f"{norm}.running_var"] + eps)
    bias = weights[f"{norm}.bias"] - scale * weights[f"{norm}.running_mean"]
    return weights[f"{conv}.weight"] * scale[:, None, None, None], bias


class Layer(torch.nn.Module):
    """A convolution with explicit padding (before, after) and optional ReLU6."""

    def __init__(self, weight, bias, stride=1, padding=(0, 0), groups=1, relu6=True):
        super().__init__()
        self.weight = torch.nn.Parameter(weight, requires_grad=False)
        self.bias = torch.nn.Parameter(bias, requires_grad=False)
        self.stride, self.groups, self.relu6 = stride, groups, relu6
        self.even = padding[0] if padding[0] == padding[1] else None
        self.padding = (padding[0], padding[1], padding[0], padding[1])

    def forward(self, x):
        if self.even is None:
            x = F.pad(x, self.padding)
        x = F.conv2d(x, self.weight, self.bias, self.stride, self.even or 0, groups=self.groups)
        return torch.clamp(x, 0.0, 6.0) if self.relu6 else x


class Block(torch.nn.Module):
    def __init__(self, weights, name, kernel, stride, padding, expand):
        super().__init__()
        layers = []
        if expand:
            layers.append(Layer(*folded(weights, f"{name}._expand_conv", f"{name}._bn0")))
        weight, bias = folded(weights, f"{name}._depthwise_conv", f"{name}._bn1")
        layers.append(Layer(weight, bias, stride, padding, groups=len(weight)))
        weight, bias = folded(weights, f"{name}._project_conv", f"{name}._bn2")
        layers.append(Layer(weight, bias, relu6=False))
        self.layers = torch.nn.Sequential(*layers)
        inputs = weights[f"{name}._expand_conv.weight"].shape[1] if expand else weight.shape[1]
        self.skip = stride == 1 and inputs == weight.shape[0]

    def forward(self, x):
        return x + self.layers(x) if self.skip else self.layers(x)


class Backbone(torch.nn.Module):
    """Pixels [N, H, W, 3] in u8 to region features [N, 1280, h, w]."""

    def __init__(self, weights, stages=STAGES, stem_padding=(0, 1)):
        super().__init__()
        layers = [Layer(*folded(weights, "_conv_stem", "_bn0"), 2, stem_padding)]
        for blocks, kernel, stride, expand, _, padding in stages:
            for index in range(blocks):
                first = index == 0
                half = (kernel - 1) // 2
                layers.append(
                    Block(
                        weights,
                        f"_blocks.{len(layers) - 1}",
                        kernel,
                        stride if first else 1,
                        padding if first else (half, half),
                        expand > 1,
                    )
                )
        layers.append(Layer(*folded(weights, "_conv_head", "_bn1")))
        self.layers = torch.nn.Sequential(*layers)

    def forward(self, pixels):
        return self.layers((pixels.permute(0, 3, 1, 2).float() - 127) / 128)


class Head(torch.nn.Module):
    """Projected regions, the global feature and label vectors to response maps."""

    def __init__(self, weights, variant):
        super().__init__()
        self.variant = variant
        self.w = {k: torch.nn.Parameter(v, requires_grad=False) for k, v in weights.items()}

    def conv(self, x, name, **settings):
        return F.conv2d(x, self.w[f"{name}.weight"], self.w[f"{name}.bias"], **settings)

    def block(self, x, conv, norm):
        """The batch norm comes after the ReLU."""
        x = F.relu(self.conv(x, conv, padding=1))
        scale = self.w[f"{norm}.weight"] / torch.sqrt(self.w[f"{norm}.running_var"] + 1e-3)
        shift = self.w[f"{norm}.bias"] - scale * self.w[f"{norm}.running_mean"]
        return x * scale[:, None, None] + shift[:, None, None]

    def rcb(self, h):
        n, c, height, width = h.shape
        q, k, v = (
            self.conv(h, f"rcb.{name}").reshape(n, HEADS, c // HEADS, height * width)
            for name in ("query", "key", "value")
        )
        r = torch.softmax(q.transpose(2, 3) @ k / (c // HEADS) ** 0.5, dim=-1)
        o = (v @ r.transpose(2, 3)).reshape(n, c, height, width)
        u = h + self.conv(o, "rcb.output")
        return u + self.conv(F.relu(self.conv(u, "rcb.expand")), "rcb.reduce")

    def scb(self, h, x_g):
        v = F.leaky_relu(self.conv(h, "scb.channel"), 0.2)
        k = F.linear(x_g, self.w["scb.global_key.weight"], self.w["scb.global_key.bias"])
        a = v * torch.sigmoid(v.mean((2, 3)) * k)[:, :, None, None]
        return a + self.block(a, "scb.conv", "scb.norm")

    def forward(self, x_r, x_g, labels):
        h = self.block(x_r, "latent.conv", "latent.norm")
        e = []
        if self.variant in ("rcb", "biam"):
            e.append(self.rcb(h))
        if self.variant in ("scb", "biam"):
            e.append(self.scb(h, x_g))
        e_f = F.leaky_relu(self.conv(torch.cat(e, 1) if e else h, "fuse"), 0.2)
        classes = F.linear(labels, self.w["classifier.weight"], self.w["classifier.bias"])
        return torch.einsum("nchw,lc->nlhw", e_f, classes)


class Network(torch.nn.Module):
    def __init__(self, folder):
        super().__init__()
        read = lambda name: {k: v.float() for k, v in load_file(folder / f"{name}.safetensors").items()}
        self.backbone = Backbone(read("backbone"))
        projection = read("projection")
        self.weight = torch.nn.Parameter(projection["projection.weight"][:, :, None, None], False)
        self.bias = torch.nn.Parameter(projection["projection.bias"], False)
        self.heads = torch.nn.ModuleList(Head(read(variant), variant) for variant in VARIANTS)

    def forward(self, pixels, labels):
        regions = self.backbone(pixels)
        x_r, x_g = F.conv2d(regions, self.weight, self.bias), regions.mean((2, 3))
        return tuple(head(x_r, x_g, labels) for head in self.heads)


def session(module, inputs, names, threads):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "network.onnx"
        torch.onnx.export(module, inputs, str(path), input_names=list(names), dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--check", type=pathlib.Path, help="expected maps for its pixels and labels")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    network = Network(arguments.folder).eval()
    if arguments.check:
        check = load_file(arguments.check)
        maps = network(check["pixels"], check["label_vectors"])
        for variant, found in zip(VARIANTS, maps):
            expected = check[f"maps.{variant}"]
            error = (found - expected).abs().max() / expected.abs().max()
            print(f"{variant}: largest error {error:.1e} of the largest response")
    pixels = torch.randint(0, 256, (1, 448, 448, 3), dtype=torch.uint8)
    labels = F.normalize(torch.randn(100, 384), dim=1)
    results = {}
    for stage, module, inputs in (
        ("backbone", network.backbone, {"pixels": pixels}),
        ("photo_to_maps", network, {"pixels": pixels, "labels": labels}),
    ):
        run = session(module, tuple(inputs.values()), inputs, arguments.threads)
        feed = {name: value.numpy() for name, value in inputs.items()}
        times = []
        for _ in range(arguments.runs + 5):
            start = time.perf_counter()
            run.run(None, feed)
            times.append((time.perf_counter() - start) * 1e3)
        times = times[5:]
        results[stage] = {"median_ms": round(statistics.median(times), 2), "min_ms": round(min(times), 2)}
    print(json.dumps({"threads": arguments.threads, "runs": arguments.runs, "stages": results}))


if __name__ == "__main__":
    main()
