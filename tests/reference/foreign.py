"""The paper's model as its authors' code has it, in PyTorch, and the files that the importer is held
against.

    python foreign.py                          write the folder foreign/ beside this script
    python foreign.py --full FOLDER --authors DIR --program PROGRAM
        write a model of full width into FOLDER, with random weights and the authors' own label vectors
        and names out of DIR (NUS_WIDE_pretrained_w2v_glove-wiki-gigaword-300, TagList1k.txt,
        Concepts81.txt of their repository), import and run it with PROGRAM (biam-lens), and tell how
        far its maps and scores are from PyTorch's: once with those label vectors, and once with the
        same as words, which are rounded to 16 bits. Takes 2 GB of disk and some minutes.

Both of the authors' name schemes are written: `published`, their code of today (C = 256, a 1x1
convolution before the scene's gate), saved as they save it, {"state_dict": ...} with a `module.`
before every name; and `earlier`, the code of their run on Open Images (C = 512, none), bare. All files
of weights are in the format of PyTorch before 1.6. VGG-19 is that of vgg19.py. The fixtures are of a
narrow network with 8 heads.

foreign/: vgg19.pth, published.pth, earlier.pth, photo.png (224 x 224 pixels, so that nothing is
resized), words.txt (GloVe's format, numbers exact in 16 bits), seen.txt and unseen.txt (Windows line
ends; one label is in both), vectors.pkl (two float32 arrays, as the authors'), expected.safetensors:
for each scheme and view `SCHEME.VIEW.maps` [L,14,14] and `SCHEME.VIEW.scores` [L], the mean of the 6
largest. Labels are in the metadata entry `labels`: seen, unseen; after them, for `published`, those of
`typed`. Vectors are the words' for `published`, those of vectors.pkl for `earlier`. Everything is
computed in 64 bits and rounded once.
"""

import argparse
import json
import pathlib
import pickle
import subprocess

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import nn

import vgg19

HERE = pathlib.Path(__file__).parent
SIDE, GRID, HEADS, TOP_K = 224, 14, 8, 6
TINY = {
    "backbone": {"input_size": SIDE, "widths": [2, 4, 4, 6, 8], "hidden": 10},
    "channels": {"published": 8, "earlier": 16},
    "out": 12,
    "label": 6,
}
FULL = {
    "backbone": vgg19.FULL,
    "channels": {"published": 256, "earlier": 512},
    "out": 512,
    "label": 300,
}
VIEWS = {
    "biam": (1, 1),
    "biam-scb-silenced-zero": (1, 0),
    "biam-rcb-silenced-zero": (0, 1),
}
WORDS = "the sky dog red fox map x-ray grass traffic light".split()
SEEN = ["sky", "red fox", "map", "dog"]
UNSEEN = ["grass", "map", "x-ray"]
TYPED = ["Red dog", "traffic light", "sky-map", "x-ray fox"]


class ConvBlock(nn.Module):
    """conv3x3, ReLU, then the norm."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.body = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.99)

    def forward(self, x):
        return self.bn(F.relu(self.body(x)))


class Body(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.body = nn.Conv2d(inputs, outputs, 1)


def attend(query, key, value):
    """Eq. 2 and 3: [N,C,h,w] each, HEADS heads of neighbouring channels."""
    n, c, h, w = query.shape

    def split(x):
        return x.reshape(n, HEADS, c // HEADS, h * w).transpose(2, 3)

    q, k, v = split(query), split(key), split(value)
    weights = torch.softmax(q @ k.transpose(2, 3) / (c // HEADS) ** 0.5, dim=-1)
    return (weights @ v).transpose(2, 3).reshape(n, c, h, w)


class Published(nn.Module):
    """The authors' code of today."""

    def __init__(self, regions, features, c, out, label):
        super().__init__()
        self.conv_3X3 = ConvBlock(regions, c)
        region = self.region_context_block = nn.Module()
        for name in "qkvo":
            setattr(region, f"w_{name}", nn.Conv2d(c, c, 1))
        region.sub_network = nn.Module()
        region.sub_network.conv1 = nn.Conv2d(c, 2 * c, 1)
        region.sub_network.conv2 = nn.Conv2d(2 * c, c, 1)
        scene = self.scene_context_block = nn.Module()
        scene.w_g = nn.Conv2d(features, c, 1)
        scene.gcff = ConvBlock(c, c)
        scene.channel_conv = Body(c, c)
        self.W = nn.Linear(label, out)
        self.conv_1X1 = Body(2 * c, out)

    def parts(self, h, x_g):
        region, scene = self.region_context_block, self.scene_context_block
        value = F.leaky_relu(scene.channel_conv.body(h), 0.2)
        key = scene.w_g(x_g[:, :, None, None])
        e_r = region_context(h, region.w_q, region.w_k, region.w_v, region.w_o, region.sub_network)
        return e_r, scene_context(value, key, scene.gcff)

    def forward(self, x_r, x_g, labels, keep):
        halves = [half * k for half, k in zip(self.parts(self.conv_3X3(x_r), x_g), keep)]
        return respond(self.conv_1X1.body, self.W, torch.cat(halves, 1), labels)


class Earlier(nn.Module):
    """The code of the authors' run on Open Images."""

    def __init__(self, regions, features, c, out, label):
        super().__init__()
        self.conv_layer1 = ConvBlock(regions, c)
        attention = self.self_attn1 = nn.Module()
        for name in ("query_conv", "key_conv", "value_conv", "out"):
            setattr(attention, name, nn.Conv2d(c, c, 1))
        self.ff1 = nn.Module()
        self.ff1.conv1 = nn.Conv2d(c, 2 * c, 1)
        self.ff1.conv2 = nn.Conv2d(2 * c, c, 1)
        self.W1 = nn.Linear(label, out)
        self.conv_layer2 = Body(2 * c, out)
        self.linear1 = nn.Linear(features, c)
        self.gcff = ConvBlock(c, c)

    def parts(self, h, x_g):
        a = self.self_attn1
        e_r = region_context(h, a.query_conv, a.key_conv, a.value_conv, a.out, self.ff1)
        return e_r, scene_context(h, self.linear1(x_g)[:, :, None, None], self.gcff)

    def forward(self, x_r, x_g, labels, keep):
        halves = [half * k for half, k in zip(self.parts(self.conv_layer1(x_r), x_g), keep)]
        return respond(self.conv_layer2.body, self.W1, torch.cat(halves, 1), labels)


def region_context(h, query, key, value, output, network):
    u = h + output(attend(query(h), key(h), value(h)))
    return u + network.conv2(F.relu(network.conv1(u)))


def scene_context(value, key, block):
    gate = torch.sigmoid(value.mean((2, 3), keepdim=True) * key)
    gated = value * gate
    return gated + block(gated)


def respond(fuse, classifier, halves, labels):
    e_f = F.leaky_relu(fuse(halves), 0.2)
    return torch.einsum("nchw,lc->lhw", e_f, classifier(labels))


SCHEMES = {"published": Published, "earlier": Earlier}


def network(sizes, scheme, seed):
    """Random weights, rounded to 32 bits; norms as after a training."""
    torch.manual_seed(seed)
    backbone = sizes["backbone"]
    net = SCHEMES[scheme](
        backbone["widths"][-1], backbone["hidden"], sizes["channels"][scheme], sizes["out"], sizes["label"]
    )
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -0.5, 0.5),
                (module.running_mean, 0.0, 1.0),
                (module.running_var, 0.2, 2.0),
            ):
                values.data.uniform_(low, high)
    return net.eval()


def save_checkpoint(net, scheme, path):
    state = net.state_dict()
    if scheme == "published":
        state = {"state_dict": {f"module.{k}": v for k, v in state.items()}, "epoch": 44}
    torch.save(state, path, _use_new_zipfile_serialization=False)


def save_backbone(weights, path):
    halves = {name: value.half() for name, value in weights.items()}
    torch.save(halves, path, _use_new_zipfile_serialization=False)


def normalised(rows):
    rows = torch.as_tensor(np.asarray(rows), dtype=torch.float64)
    return rows / rows.norm(dim=1, keepdim=True)


def expected(net, features, labels):
    net = net.double()
    tensors = {}
    for view, keep in VIEWS.items():
        maps = net(*features, labels, keep)
        tensors[f"{view}.maps"] = maps.float().contiguous()
        tensors[f"{view}.scores"] = maps.flatten(1).topk(TOP_K).values.mean(1).float()
    return tensors


def label_space(seen, unseen):
    """Labels of both lists are unseen: the labels, and their rows among the lines of both."""
    kept = [(name, row) for row, name in enumerate(seen) if name not in unseen]
    return kept + [(name, len(seen) + row) for row, name in enumerate(unseen)]


def pixels_of(path):
    return torch.tensor(np.asarray(Image.open(path).convert("RGB")))[None]


def write_photo(path):
    """Soft patches of colour, which make a small file."""
    random = np.random.RandomState(9)
    patches = random.randint(0, 256, (7, 7, 3)).astype(np.uint8)
    Image.fromarray(patches).resize((SIDE, SIDE), Image.NEAREST).save(path, optimize=True)


def words_of(vectors, label):
    """As this program splits a label: at white space, then at hyphens where the piece is no word."""
    pieces = []
    for piece in label.lower().split():
        pieces.extend([piece] if piece in vectors else piece.split("-"))
    return pieces


def tiny():
    folder = HERE / "foreign"
    folder.mkdir(exist_ok=True)
    weights = vgg19.random_weights(TINY["backbone"], 4)
    save_backbone(weights, folder / "vgg19.pth")
    write_photo(folder / "photo.png")
    random = np.random.RandomState(6)
    rows = random.randint(-127, 128, (len(WORDS), TINY["label"])) / 64
    vectors = dict(zip(WORDS, rows))
    text = "".join(f"{word} {' '.join(map(str, row))}\n" for word, row in vectors.items())
    (folder / "words.txt").write_text(text)
    for name, labels in (("seen", SEEN), ("unseen", UNSEEN)):
        (folder / f"{name}.txt").write_bytes("".join(f"{x}\r\n" for x in labels).encode())
    arrays = [random.randn(len(x), TINY["label"]).astype(np.float32) for x in (SEEN, UNSEEN)]
    (folder / "vectors.pkl").write_bytes(pickle.dumps(arrays, protocol=3))
    space = label_space(SEEN, UNSEEN)
    names = [name for name, _ in space]
    means = [
        np.mean([vectors[word] for word in words_of(vectors, label)], axis=0) for label in names + TYPED
    ]
    of_words = normalised(means)
    of_rows = normalised(np.concatenate(arrays)[[row for _, row in space]])
    features = vgg19.forward(TINY["backbone"], weights, pixels_of(folder / "photo.png"))
    tensors = {}
    for seed, (scheme, labels) in enumerate((("published", of_words), ("earlier", of_rows))):
        net = network(TINY, scheme, seed)
        save_checkpoint(net, scheme, folder / f"{scheme}.pth")
        found = expected(net, features, labels)
        tensors.update({f"{scheme}.{name}": value for name, value in found.items()})
    metadata = {"labels": json.dumps(names), "typed": json.dumps(TYPED)}
    save_file(tensors, folder / "expected.safetensors", metadata)


def full(folder, authors, program):
    folder.mkdir(parents=True, exist_ok=True)
    vectors = authors / "NUS_WIDE_pretrained_w2v_glove-wiki-gigaword-300"
    lists = [authors / "TagList1k.txt", authors / "Concepts81.txt"]
    arrays = pickle.loads(vectors.read_bytes())
    names = [path.read_text().split() for path in lists]
    space = label_space(*names)
    labels = normalised(np.concatenate(arrays)[[row for _, row in space]])
    words = folder / "words.txt"
    with words.open("w") as file:
        for name, row in space:
            numbers = np.concatenate(arrays)[row]
            file.write(f"{name} {' '.join(repr(float(number)) for number in numbers)}\n")
    weights = vgg19.random_weights(vgg19.FULL, 3)
    save_backbone(weights, folder / "vgg19.pth")
    photo = folder / "photo.png"
    sample = HERE.parent.parent / "assets" / "photos" / "rome.jpg"
    Image.open(sample).convert("RGB").resize((SIDE, SIDE), Image.BICUBIC).save(photo)
    features = vgg19.forward(vgg19.FULL, weights, pixels_of(photo))
    for seed, scheme in enumerate(SCHEMES):
        net = network(FULL, scheme, seed)
        save_checkpoint(net, scheme, folder / f"{scheme}.pth")
        wanted = expected(net, features, labels)
        names = [name for name, _ in space]
        for source in (["--label-vectors", vectors], ["--word-vectors", words]):
            print(f"{scheme}, {source[0]}:")
            compare(folder, scheme, program, wanted, names, lists, source, photo)


def compare(folder, scheme, program, wanted, names, lists, source, photo):
    """Imports and runs the program, and prints the largest differences."""
    bundle, maps = folder / f"{scheme}{source[0]}", folder / f"{scheme}{source[0]}.maps"
    call = [program, "import", "--checkpoint", folder / f"{scheme}.pth", "--vgg19", folder / "vgg19.pth"]
    call += ["--seen", lists[0], "--unseen", lists[1], *source, "--out", bundle]
    subprocess.run(call, check=True, stdout=subprocess.DEVNULL)
    call = [program, "predict", photo, "--bundle", bundle, "--variant", ",".join(VIEWS), "--json"]
    call += ["--top", str(len(names)), "--maps", maps]
    lines = subprocess.run(call, check=True, capture_output=True, text=True).stdout.splitlines()
    told = json.loads((maps / "photo.json").read_text())["labels"]
    assert told == names, "labels of another order"
    for line in map(json.loads, lines):
        view = line["variant"]
        found = np.load(maps / f"photo.{view}.npy")
        scores = {entry["label"]: entry["score"] for entry in line["labels"]}
        pairs = (
            ("maps", found, wanted[f"{view}.maps"].numpy()),
            ("scores", np.array([scores[name] for name in names]), wanted[f"{view}.scores"].numpy()),
        )
        for what, ours, theirs in pairs:
            each = np.abs(ours - theirs).reshape(len(names), -1).max(1)
            largest = np.abs(theirs).reshape(len(names), -1).max(1)
            print(
                f"  {view} {what}: {len(names)} labels, {ours.size} numbers, off by "
                f"{np.abs(ours - theirs).max() / np.abs(theirs).max():.1e} of the largest, "
                f"{(each / largest).max():.1e} of the largest of the label"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--authors", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--program", default="biam-lens")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    if arguments.full:
        full(arguments.full, arguments.authors, arguments.program)
    else:
        tiny()


if __name__ == "__main__":
    main()
