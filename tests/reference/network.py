"""BiAM's heads in PyTorch, and the fixture `network.safetensors` that the Rust model is held against.

    python network.py                     write network.safetensors beside this script
    python network.py --out FILE          write it elsewhere (the same bytes each time)
    python network.py --check FOLDER      write nothing; compare this implementation with trained heads

FOLDER holds `projection.safetensors`, `standard|rcb|scb|biam.safetensors` and `check.safetensors`
(`region_features` of its first photo, `global_features`, `label_vectors`, `maps.<variant>`,
`scores.<variant>`). The relative errors are printed; any above 1e-4 gives exit status 1.

Needs torch, numpy and safetensors. Everything is computed in 64 bits from weights and inputs that
are exact in 32 bits, then rounded once to 32, so the fixture holds no rounding noise of its own.

Layout of network.safetensors (all float32; P = h·w regions, row by row)

    regions [N,R,h,w]  global [N,G]  labels [L,D]      the inputs that all networks share
    <preset>.<variant>.<tensor>                        weights; preset = paper | authors,
                                                       variant = standard | rcb | scb | biam
    <preset>.biam.fuse.input_mean [2C]                 what stands in for a silenced branch
    eval.<preset>.<variant>.maps [N,L,h,w]             running statistics in both norms
    eval.<preset>.<variant>.scores [N,L]               mean of the k largest responses
    eval.<preset>.<variant>.h_r [N,C,h,w]              all variants
    eval.<preset>.<variant>.e_f [N,out,h,w]            all variants
    eval.<preset>.<variant>.attention [N,heads,P,P]    rcb, biam; the last axis sums to one
    eval.<preset>.<variant>.e_r [N,C,h,w]              rcb, biam
    eval.<preset>.<variant>.gate [N,C]                 scb, biam
    eval.<preset>.<variant>.e_g [N,C,h,w]              scb, biam
    train.<preset>.<variant>.maps, .scores             batch statistics, every dropout at zero
    train.<preset>.<variant>.<norm>.running_mean|running_var [C]
                                                       after that one forward; norm = latent.norm
                                                       and, for scb and biam, scb.norm
    silenced.<preset>.<branch>.<filler>.maps, .scores  eval of biam with one half of [e_r; e_g]
                                                       replaced; branch = region (e_r) | scene (e_g),
                                                       filler = mean (fuse.input_mean) | zero
    override.<setting>.maps, .scores                   eval of the weights of authors.biam with one
                                                       setting taken from the paper's preset;
                                                       setting = scb_value | scb_residual |
                                                       fuse_activation | classifier_bias
    shortcut.weight, .bias                             a shortcut beside the weights of authors.biam
    shortcut.maps, .scores                             eval of both together

The file's metadata has one entry, `config`: JSON with the configuration of each preset.
"""

import argparse
import dataclasses
import json
import math
import pathlib
import random
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

VARIANTS = ("standard", "rcb", "scb", "biam")
NORM_EPSILON = 1e-3
NORM_MOMENTUM = 0.99  # PyTorch's meaning: the share of the new batch
LEAKY_SLOPE = 0.2


@dataclasses.dataclass(frozen=True)
class Config:
    """Every difference between the paper and the authors' code is one field of this."""

    region_channels: int  # R, of x_r
    global_channels: int  # G, of x_g
    label_channels: int  # D, of a label vector
    channels: int  # C, the paper's d_r
    out: int  # width of e_f
    heads: int
    k: int
    scb_value: str  # "latent": v_g = h_r; "shared_conv": v_g = LeakyReLU(conv1x1(h_r))
    scb_residual: str  # "latent": h_r; "scaled": alpha_g
    fuse_activation: str  # "none" or "leaky_relu"
    classifier_bias: bool
    shortcut: bool = False  # adds a linear map of x_r to e_f; neither the paper nor its authors


PAPER = Config(
    region_channels=512,
    global_channels=4096,
    label_channels=300,
    channels=512,
    out=512,
    heads=8,
    k=10,
    scb_value="latent",
    scb_residual="latent",
    fuse_activation="none",
    classifier_bias=False,
)
AUTHORS = dataclasses.replace(
    PAPER,
    channels=256,
    k=6,
    scb_value="shared_conv",
    scb_residual="scaled",
    fuse_activation="leaky_relu",
    classifier_bias=True,
)
PRESETS = {"paper": PAPER, "authors": AUTHORS}


def batch_norm(channels):
    return nn.BatchNorm2d(channels, eps=NORM_EPSILON, momentum=NORM_MOMENTUM)


class Latent(nn.Module):
    """h_r = BN(ReLU(conv3x3(x_r)))."""

    def __init__(self, config):
        super().__init__()
        self.conv = nn.Conv2d(config.region_channels, config.channels, 3, padding=1)
        self.norm = batch_norm(config.channels)

    def forward(self, regions):
        return self.norm(F.relu(self.conv(regions)))


class RegionContext(nn.Module):
    """Eq. 2-5: each region attends to all regions, then a two-layer network per region."""

    def __init__(self, config):
        super().__init__()
        width = config.channels
        self.heads = config.heads
        self.query = nn.Conv2d(width, width, 1)
        self.key = nn.Conv2d(width, width, 1)
        self.value = nn.Conv2d(width, width, 1)
        self.output = nn.Conv2d(width, width, 1)
        self.expand = nn.Conv2d(width, 2 * width, 1)
        self.reduce = nn.Conv2d(2 * width, width, 1)

    def split(self, x):
        """[N, C, h, w] to [N, heads, P, C / heads]: head i owns a run of C / heads channels."""
        n, c, h, w = x.shape
        return x.reshape(n, self.heads, c // self.heads, h * w).transpose(2, 3)

    def forward(self, latent):
        n, c, h, w = latent.shape
        query, key, value = (self.split(f(latent)) for f in (self.query, self.key, self.value))
        similarity = query @ key.transpose(2, 3) / math.sqrt(c // self.heads)
        attention = similarity.softmax(dim=3)
        gathered = (attention @ value).transpose(2, 3).reshape(n, c, h, w)
        u = latent + self.output(gathered)
        return u + self.reduce(F.relu(self.expand(u))), attention


class SceneContext(nn.Module):
    """Eq. 6-8: the whole scene scales every channel of the regions."""

    def __init__(self, config):
        super().__init__()
        width = config.channels
        self.config = config
        self.global_key = nn.Linear(config.global_channels, width)
        if config.scb_value == "shared_conv":
            self.channel = nn.Conv2d(width, width, 1)
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = batch_norm(width)

    def forward(self, latent, scene):
        value = latent
        if self.config.scb_value == "shared_conv":
            value = F.leaky_relu(self.channel(latent), LEAKY_SLOPE)
        query = value.mean(dim=(2, 3))
        gate = torch.sigmoid(query * self.global_key(scene))
        scaled = value * gate[:, :, None, None]
        residual = latent if self.config.scb_residual == "latent" else scaled
        return residual + self.norm(F.relu(self.conv(scaled))), gate


class Network(nn.Module):
    """One variant: latent features, its context blocks, fusion (Eq. 9), classifier (Eq. 1)."""

    def __init__(self, config, variant):
        super().__init__()
        self.config, self.variant = config, variant
        self.latent = Latent(config)
        if variant in ("rcb", "biam"):
            self.rcb = RegionContext(config)
        if variant in ("scb", "biam"):
            self.scb = SceneContext(config)
        halves = 2 if variant == "biam" else 1
        self.fuse = nn.Conv2d(halves * config.channels, config.out, 1)
        if config.shortcut:
            self.shortcut = nn.Conv2d(config.region_channels, config.out, 1)
        self.classifier = nn.Linear(config.label_channels, config.out, bias=config.classifier_bias)

    def forward(self, regions, scene, labels, fillers=None):
        """All that happened inside, by name. `fillers` maps "region" or "scene" to the [C] vector
        that takes the place of that half of [e_r; e_g] in every region."""
        seen = {"h_r": self.latent(regions)}
        if hasattr(self, "rcb"):
            seen["e_r"], seen["attention"] = self.rcb(seen["h_r"])
        if hasattr(self, "scb"):
            seen["e_g"], seen["gate"] = self.scb(seen["h_r"], scene)
        e_f = self.fuse(self.fusion_input(seen, fillers or {}))
        if self.config.fuse_activation == "leaky_relu":
            e_f = F.leaky_relu(e_f, LEAKY_SLOPE)
        if self.config.shortcut:
            e_f = e_f + self.shortcut(regions)
        maps = torch.einsum("nohw,lo->nlhw", e_f, self.classifier(labels))
        scores = maps.flatten(2).topk(self.config.k, dim=2).values.mean(dim=2)
        return seen | {"e_f": e_f, "maps": maps, "scores": scores}

    def fusion_input(self, seen, fillers):
        if self.variant != "biam":
            return seen[{"standard": "h_r", "rcb": "e_r", "scb": "e_g"}[self.variant]]
        halves = []
        for branch, name in (("region", "e_r"), ("scene", "e_g")):
            half = seen[name]
            if branch in fillers:
                half = fillers[branch][None, :, None, None].expand_as(half)
            halves.append(half)
        return torch.cat(halves, dim=1)


def load_weights(network, weights):
    """Takes over all weights; every tensor of the network must be there, and no other."""
    missing, unexpected = network.load_state_dict(weights, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise SystemExit(f"weights do not fit: missing {missing}, unexpected {unexpected}")


# ---------------------------------------------------------------------------------------------
# The fixture
# ---------------------------------------------------------------------------------------------

# Small, and all different where a mix-up of two axes must show; the grid is not square.
FIXTURE_SIZES = dict(
    region_channels=12, global_channels=24, label_channels=10, channels=16, out=20, heads=4, k=4
)
PHOTOS, LABELS, GRID = 2, 7, (5, 6)


def uniform(name, shape, low, high):
    """Random numbers that depend on the tensor's name alone. Python's own generator, because its
    sequence for a seed is promised to stay, whatever the version of torch or numpy."""
    source = random.Random(name)
    values = [source.uniform(low, high) for _ in range(math.prod(shape))]
    return torch.tensor(values, dtype=torch.float64).reshape(shape).float()


# Spread of the weights relative to 1 / sqrt(inputs), where it is not 1. Queries and keys are
# larger so that attention is far from uniform, the global key so that the gate is far from 1/2;
# the convolutions before a norm smaller, so that their variance is small and the epsilon matters;
# the classifier larger, because label vectors have length one.
GAINS = {
    "latent.conv.weight": 0.5,
    "rcb.query.weight": 2.0,
    "rcb.key.weight": 2.0,
    "scb.global_key.weight": 3.0,
    "scb.conv.weight": 0.8,
    "classifier.weight": 3.0,
}


def random_weight(prefix, name, shape):
    full = f"{prefix}.{name}"
    if name.endswith("running_mean"):
        return uniform(full, shape, 0.1, 0.4)
    if name.endswith("running_var"):
        return uniform(full, shape, 0.03, 0.3)
    if name.endswith("norm.weight"):
        return uniform(full, shape, 0.3, 0.9)
    if name.endswith("bias"):
        return uniform(full, shape, -0.3, 0.3)
    limit = GAINS.get(name, 1.0) * math.sqrt(3.0 / math.prod(shape[1:]))
    return uniform(full, shape, -limit, limit)


def random_weights(network, prefix):
    return {
        name: random_weight(prefix, name, tensor.shape)
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def fixture_inputs(config):
    labels = uniform("labels", (LABELS, config.label_channels), -1.0, 1.0)
    return {
        "regions": uniform("regions", (PHOTOS, config.region_channels, *GRID), -1.5, 1.5),
        "global": uniform("global", (PHOTOS, config.global_channels), 0.0, 1.0),
        "labels": labels / labels.norm(dim=1, keepdim=True),
    }


def build(config, variant, weights):
    network = Network(config, variant)
    load_weights(network, weights)
    return network.double()


def responses(outputs, prefix):
    return {f"{prefix}.{name}": outputs[name] for name in ("maps", "scores")}


def variant_tensors(preset, config, variant, inputs):
    """Weights, eval outputs and train outputs of one network."""
    prefix = f"{preset}.{variant}"
    weights = random_weights(Network(config, variant), prefix)
    tensors = {f"{prefix}.{name}": tensor for name, tensor in weights.items()}
    network = build(config, variant, weights)
    network.eval()
    outputs = network(*inputs)
    tensors |= {f"eval.{prefix}.{name}": tensor for name, tensor in outputs.items()}
    network.train()
    tensors |= responses(network(*inputs), f"train.{prefix}")
    for name, tensor in network.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            tensors[f"train.{prefix}.{name}"] = tensor
    return weights, tensors


def silenced_tensors(preset, config, weights, inputs):
    """The full network with either branch silenced, by the mean and by zeros."""
    mean = uniform(f"{preset}.biam.fuse.input_mean", (2 * config.channels,), -0.6, 0.9)
    tensors = {f"{preset}.biam.fuse.input_mean": mean}
    network = build(config, "biam", weights).eval()
    for branch, half in zip(("region", "scene"), mean.double().chunk(2)):
        for filler, vector in (("mean", half), ("zero", torch.zeros_like(half))):
            outputs = network(*inputs, fillers={branch: vector})
            tensors |= responses(outputs, f"silenced.{preset}.{branch}.{filler}")
    return tensors


def override_tensors(config, weights, inputs):
    """The authors' full network with one setting at a time taken from the paper's preset."""
    tensors = {}
    for setting in ("scb_value", "scb_residual", "fuse_activation", "classifier_bias"):
        changed = dataclasses.replace(config, **{setting: getattr(PAPER, setting)})
        wanted = Network(changed, "biam").state_dict()
        kept = {name: tensor for name, tensor in weights.items() if name in wanted}
        outputs = build(changed, "biam", kept).eval()(*inputs)
        tensors |= responses(outputs, f"override.{setting}")
    return tensors


def shortcut_tensors(config, weights, inputs):
    """The authors' full network with a shortcut from x_r to e_f."""
    config = dataclasses.replace(config, shortcut=True)
    wanted = Network(config, "biam").state_dict()
    names = [name for name in wanted if name.startswith("shortcut.")]
    own = {name: random_weight("authors.biam", name, wanted[name].shape) for name in names}
    outputs = build(config, "biam", weights | own).eval()(*inputs)
    return own | responses(outputs, "shortcut")


def write_fixture(path):
    configs = {
        name: dataclasses.replace(preset, **FIXTURE_SIZES) for name, preset in PRESETS.items()
    }
    tensors = fixture_inputs(configs["paper"])
    inputs = [tensors[name].double() for name in ("regions", "global", "labels")]
    for preset, config in configs.items():
        for variant in VARIANTS:
            weights, made = variant_tensors(preset, config, variant, inputs)
            tensors |= made
        # The last variant is the full network.
        tensors |= silenced_tensors(preset, config, weights, inputs)
        if preset == "authors":
            tensors |= override_tensors(config, weights, inputs)
            tensors |= shortcut_tensors(config, weights, inputs)
    tensors = {name: tensor.float().contiguous() for name, tensor in tensors.items()}
    # One metadata entry only: the order of several is not fixed, and the bytes would change.
    description = {name: dataclasses.asdict(config) for name, config in configs.items()}
    save_file(tensors, path, metadata={"config": json.dumps(description, sort_keys=True)})
    print(f"{path}: {len(tensors)} tensors, {path.stat().st_size} bytes")


# ---------------------------------------------------------------------------------------------
# The proof against trained heads
# ---------------------------------------------------------------------------------------------

# Beside a head's weights, but no part of its forward.
COMPANIONS = ("ordinary_regions", "fuse.input_mean")
TOLERANCE = 1e-4


def relative_error(found, expected):
    """Largest difference over largest value."""
    return ((found - expected).abs().max() / expected.abs().max()).item()


def load_head(path):
    """A trained head; sizes from its tensors, heads and k from its metadata."""
    weights = load_file(path)
    for name in COMPANIONS:
        weights.pop(name, None)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    latent, classifier = weights["latent.conv.weight"], weights["classifier.weight"]
    scene = weights.get("scb.global_key.weight")
    config = dataclasses.replace(
        PRESETS[metadata["preset"]],
        region_channels=latent.shape[1],
        global_channels=0 if scene is None else scene.shape[1],
        label_channels=classifier.shape[1],
        channels=latent.shape[0],
        out=classifier.shape[0],
        heads=int(metadata["heads"]),
        k=int(metadata["top_k"]),
        shortcut="shortcut.weight" in weights,
    )
    return build(config, metadata["variant"], weights).eval()


def check(folder):
    """Compares maps and scores of the first photo; True if all agree."""
    expected = {name: t.double() for name, t in load_file(folder / "check.safetensors").items()}
    projection = load_file(folder / "projection.safetensors")
    weight, bias = (projection[f"projection.{name}"].double() for name in ("weight", "bias"))
    regions = F.conv2d(expected["region_features"][:1], weight[:, :, None, None], bias)
    inputs = regions, expected["global_features"][:1], expected["label_vectors"]
    good = True
    for variant in VARIANTS:
        outputs = load_head(folder / f"{variant}.safetensors")(*inputs)
        for name in ("maps", "scores"):
            error = relative_error(outputs[name], expected[f"{name}.{variant}"][:1])
            good &= error < TOLERANCE
            print(f"{variant:9} {name:7} relative error {error:.2e}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = pathlib.Path(__file__).with_name("network.safetensors")
    parser.add_argument("--out", type=pathlib.Path, default=beside, metavar="FILE")
    parser.add_argument("--check", type=pathlib.Path, metavar="FOLDER")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with torch.no_grad():
        if arguments.check is None:
            write_fixture(arguments.out)
        elif not check(arguments.check):
            sys.exit("the trained heads disagree with this implementation")


if __name__ == "__main__":
    main()
