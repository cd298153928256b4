"""Times the training step of `cargo bench --bench training_step` in PyTorch, in turn with it.

    python benches/compare_pytorch.py PROGRAM [--rounds 3] [--repeats 5] [--threads 2]

PROGRAM is the bench's executable (`cargo bench --bench training_step --no-run` prints its path).
Each round runs both once, each in a process of its own; the table shows the medians over the
rounds in milliseconds, their ratio, and the memory that a step adds.

Needs torch, in single precision on the CPU, as PyTorch runs it when nothing is compiled.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time

PHOTOS, SIDE, LABELS, CLASSES, SAMPLED, K, HEADS = 32, 14, 442, 1308, 24, 10, 8


def resident_mib(line):
    with open("/proc/self/status") as status:
        return next(int(text.split()[1]) // 1024 for text in status if text.startswith(line))


def measure(repeats, threads):
    """The times of the step and its parts in this process."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.set_num_threads(threads)

    class Block(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
            self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.99)

        def forward(self, x):
            return self.norm(F.relu(self.conv(x)))

    class RegionContext(nn.Module):
        def __init__(self, width):
            super().__init__()
            for name in ("query", "key", "value", "output"):
                setattr(self, name, nn.Conv2d(width, width, 1))
            self.expand = nn.Conv2d(width, 2 * width, 1)
            self.reduce = nn.Conv2d(2 * width, width, 1)

        def forward(self, x):
            n, c, h, w = x.shape
            split = lambda y: y.reshape(n, HEADS, c // HEADS, h * w).transpose(2, 3)
            query, key, value = (split(f(x)) for f in (self.query, self.key, self.value))
            weights = (query @ key.transpose(2, 3) / math.sqrt(c // HEADS)).softmax(dim=3)
            attended = F.dropout(weights, 0.1) @ value
            attended = attended.transpose(2, 3).reshape(n, c, h, w)
            u = x + F.dropout(self.output(attended), 0.1)
            return u + self.reduce(F.relu(self.expand(u)))

    class SceneContext(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.global_key = nn.Linear(1280, width)
            self.channel = nn.Conv2d(width, width, 1)
            self.block = Block(width, width)

        def forward(self, x, scene):
            value = F.leaky_relu(self.channel(x), 0.2)
            key = self.global_key(F.dropout(scene, 0.2))
            scaled = value * torch.sigmoid(value.mean(dim=(2, 3)) * key)[:, :, None, None]
            return scaled + self.block(scaled)

    def pooled(features, projected):
        maps = projected @ features.flatten(2)
        return maps.topk(K, dim=2).values.mean(dim=2)

    sampled = torch.tensor(
        [i // SAMPLED * SIDE * SIDE + i % SAMPLED * 7 for i in range(PHOTOS * SAMPLED)]
    )
    taught = torch.randn(PHOTOS * SAMPLED, CLASSES)

    def distillation(features, projected):
        rows = features.flatten(2).transpose(1, 2).flatten(0, 1)[sampled]
        responses = rows @ projected.t()
        return 1 - (responses * taught).sum() / (responses.norm() * taught.norm())

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.latent = Block(512, 256)
            self.rcb, self.scb = RegionContext(256), SceneContext(256)
            self.fuse = nn.Conv2d(512, 512, 1)
            self.classifier = nn.Linear(384, 512)

        def forward(self, regions, scene):
            latent = self.latent(regions)
            both = torch.cat([self.rcb(latent), self.scb(latent, scene)], dim=1)
            return F.leaky_relu(self.fuse(both), 0.2)

    def timed(modules, work):
        times = []
        for _ in range(repeats + 1):
            for module in modules:
                module.zero_grad(set_to_none=True)
            start = time.perf_counter()
            work()
            times.append((time.perf_counter() - start) * 1e3)
        return statistics.median(times[1:])

    def backward(output):
        output.backward(torch.ones_like(output))

    def whole_step(network):
        photos, scene = torch.randn(PHOTOS, 512, SIDE, SIDE), torch.rand(PHOTOS, 1280)
        labels, classes = torch.randn(LABELS, 384) * 0.05, torch.randn(CLASSES, 384) * 0.05

        def work():
            features = network(photos, scene)
            scores = pooled(features, network.classifier(labels))
            loss = distillation(features, network.classifier(classes))
            (scores.square().mean() + 10 * loss).backward()

        return timed([network], work)

    before = resident_mib("VmRSS")
    times = {"whole step": whole_step(Network())}
    peak = resident_mib("VmHWM") - before
    variable = lambda *shape: torch.randn(*shape, requires_grad=True)
    photos, latent = torch.randn(PHOTOS, 512, SIDE, SIDE), variable(PHOTOS, 256, SIDE, SIDE)
    both, scene = variable(PHOTOS, 512, SIDE, SIDE), torch.rand(PHOTOS, 1280)
    labels, classes = variable(LABELS, 512), variable(CLASSES, 512)
    first, second, fuse = Block(512, 256), Block(256, 256), nn.Conv2d(512, 512, 1)
    rcb, scb = RegionContext(256), SceneContext(256)
    for name, modules, forward in (
        ("latent 3x3 block", [first], lambda: first(photos)),
        ("scene 3x3 block", [second], lambda: second(latent)),
        ("RCB", [rcb], lambda: rcb(latent)),
        ("SCB", [scb], lambda: scb(latent, scene)),
        ("fusion", [fuse], lambda: F.leaky_relu(fuse(both), 0.2)),
        ("scores", [], lambda: pooled(both, labels)),
        ("distillation", [], lambda: distillation(both, classes)),
    ):
        def work():
            latent.grad = both.grad = labels.grad = classes.grad = None
            backward(forward())

        times[name] = timed(modules, work)
    return {"threads": threads, "peak_mib": peak, "milliseconds": times}


def run(command, threads):
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(output.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.program is None:
        print(json.dumps(measure(arguments.repeats, arguments.threads)))
        return
    repeats = ["--repeats", str(arguments.repeats)]
    threads = ["--threads", str(arguments.threads)]
    commands = {
        "ours": [arguments.program, *repeats],
        "PyTorch": [sys.executable, __file__, *repeats, *threads],
    }
    results = {name: [] for name in commands}
    for _ in range(arguments.rounds):
        for name, command in commands.items():
            results[name].append(run(command, arguments.threads))
    middle = lambda name, read: statistics.median(read(result) for result in results[name])
    print(f"{'milliseconds':18}{'ours':>9}{'PyTorch':>9}{'ratio':>7}   ratio of each round")
    for part in results["ours"][0]["milliseconds"]:
        ours, theirs = (middle(name, lambda r: r["milliseconds"][part]) for name in commands)
        rounds = [
            f"{a['milliseconds'][part] / b['milliseconds'][part]:.2f}"
            for a, b in zip(results["ours"], results["PyTorch"])
        ]
        print(f"{part:18}{ours:9.1f}{theirs:9.1f}{ours / theirs:7.2f}   {' '.join(rounds)}")
    ours, theirs = (middle(name, lambda r: r["peak_mib"]) for name in commands)
    print(f"{'memory, MiB':18}{ours:9.0f}{theirs:9.0f}{ours / theirs:7.2f}")


if __name__ == "__main__":
    main()
