"""Small files of weights and label vectors as PyTorch and NumPy write them.

    python checkpoints.py

writes the folder checkpoints/ beside it. Number i of tensor n of a file is
((31 n + 7 i) mod 127 - 63) / 32, which every format holds exactly; tensors are counted from 0 in the
order in which this script makes them. Files in the old format name their storages by where these lay
in memory, so their bytes differ from run to run; what they mean does not.
"""

import collections
import io
import pathlib
import pickle

import numpy
import torch

FOLDER = pathlib.Path(__file__).with_name("checkpoints")
C, REGION, GLOBAL, OUT, LABEL = 8, 6, 10, 5, 4


def numbers(n, *shape):
    count = int(numpy.prod(shape, dtype=numpy.int64))
    values = (31 * n + 7 * numpy.arange(count)) % 127 - 63
    return (values / 32).astype(numpy.float32).reshape(shape)


class Tensors(collections.OrderedDict):
    """Tensors numbered in the order they are made."""

    def layer(self, name, *shape):
        for part, shape in (("weight", shape), ("bias", shape[:1])):
            self[f"{name}.{part}"] = torch.from_numpy(numbers(len(self), *shape))

    def norm(self, name):
        for part in ("weight", "bias", "running_mean", "running_var"):
            self[f"{name}.{part}"] = torch.from_numpy(numbers(len(self), C))
        self[f"{name}.num_batches_tracked"] = torch.tensor(12345)

    def plain(self, prefix=""):
        return collections.OrderedDict((prefix + name, value) for name, value in self.items())


def published():
    tensors = Tensors()
    tensors.layer("conv_3X3.body", C, REGION, 3, 3)
    tensors.norm("conv_3X3.bn")
    for name in "qkvo":
        tensors.layer(f"region_context_block.w_{name}", C, C, 1, 1)
    tensors.layer("region_context_block.sub_network.conv1", 2 * C, C, 1, 1)
    tensors.layer("region_context_block.sub_network.conv2", C, 2 * C, 1, 1)
    tensors.layer("scene_context_block.w_g", C, GLOBAL, 1, 1)
    tensors.layer("scene_context_block.gcff.body", C, C, 3, 3)
    tensors.norm("scene_context_block.gcff.bn")
    tensors.layer("scene_context_block.channel_conv.body", C, C, 1, 1)
    tensors.layer("W", OUT, LABEL)
    tensors.layer("conv_1X1.body", OUT, 2 * C, 1, 1)
    return tensors


def earlier():
    tensors = Tensors()
    tensors.layer("conv_layer1.body", C, REGION, 3, 3)
    tensors.norm("conv_layer1.bn")
    for name in ("query_conv", "key_conv", "value_conv", "out"):
        tensors.layer(f"self_attn1.{name}", C, C, 1, 1)
    tensors.layer("ff1.conv1", 2 * C, C, 1, 1)
    tensors.layer("ff1.conv2", C, 2 * C, 1, 1)
    tensors.layer("W1", OUT, LABEL)
    tensors.layer("conv_layer2.body", OUT, 2 * C, 1, 1)
    tensors.layer("linear1", C, GLOBAL)
    tensors.layer("gcff.body", C, C, 3, 3)
    tensors.norm("gcff.bn")
    return tensors


def kinds():
    """Every type, and tensors that are views."""
    tensors = collections.OrderedDict()
    for n, kind in enumerate((torch.float16, torch.bfloat16, torch.float32, torch.float64)):
        tensors[str(kind).removeprefix("torch.")] = torch.from_numpy(numbers(n, 2, 3)).to(kind)
    shared = torch.from_numpy(numbers(4, 4, 6))
    tensors["whole"] = shared
    tensors["transposed"] = shared.t()
    tensors["column"] = shared[:, 2]
    tensors["block"] = shared[1:3, 1:6:2]
    tensors["permuted"] = torch.from_numpy(numbers(5, 2, 3, 4)).permute(2, 0, 1)
    tensors["scalar"] = torch.from_numpy(numbers(6, 1))[0]
    tensors["empty"] = torch.zeros(0, 3)
    tensors["parameter"] = torch.nn.Parameter(torch.from_numpy(numbers(7, 3)))
    tensors["count"] = torch.tensor([1, 2, 3])
    tensors["mask"] = torch.tensor([True, False])
    return tensors


def save(name, value, old=False, protocol=2):
    torch.save(
        value,
        FOLDER / name,
        _use_new_zipfile_serialization=not old,
        pickle_protocol=protocol,
    )


def save_with_views(name):
    """A file of PyTorch 0.4 whose storages are parts of another: its writers did so, today's do not."""

    class Stored:
        def __init__(self, first, count):
            self.view = (f"view of {first}", first, count)

    class Tensor:
        def __init__(self, stored, shape):
            self.stored, self.shape = stored, shape

        def __reduce__(self):
            return torch._utils._rebuild_tensor, (self.stored, 0, self.shape, (1,))

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Stored):
                return "storage", torch.FloatStorage, "root", "cpu", 6, value.view
            return None

    file = io.BytesIO()
    facts = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
    for value in (0x1950A86A20F9469CFC6C, 1001, facts):
        pickle.dump(value, file, protocol=2)
    tensors = {"start": Tensor(Stored(0, 2), (2,)), "end": Tensor(Stored(2, 4), (4,))}
    Pickler(file, protocol=2).dump(tensors)
    pickle.dump(["root"], file, protocol=2)
    file.write((6).to_bytes(8, "little") + numbers(0, 6).tobytes())
    (FOLDER / name).write_bytes(file.getvalue())


def checkpoint(tensors):
    """As a training loop saves it."""
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([weight])
    weight.sum().backward()
    optimizer.step()
    return {
        "epoch": 7,
        "best": numpy.float64(0.25),
        "optimizer": optimizer.state_dict(),
        "state_dict": tensors,
    }


def save_arrays():
    vectors = [numbers(0, 5, 4), numbers(1, 3, 4)]
    others = [
        numbers(0, 2, 3).astype(numpy.float64),
        numbers(1, 2, 3).astype(numpy.float16),
        numbers(2, 2, 3).astype(">f4"),
        numpy.asfortranarray(numbers(3, 2, 3)),
        numbers(4, 4),
    ]
    for protocol in range(6):
        with open(FOLDER / f"vectors_{protocol}.pkl", "wb") as file:
            pickle.dump(vectors, file, protocol=protocol)
        with open(FOLDER / f"arrays_{protocol}.pkl", "wb") as file:
            pickle.dump(others, file, protocol=protocol)
        with open(FOLDER / f"names_{protocol}.pkl", "wb") as file:
            names = numpy.array(["/m/0a", "Zürich", "it's\n", "/m/0b"], dtype=object)
            pickle.dump(names, file, protocol=protocol)
    numpy.save(FOLDER / "vectors.npy", vectors[0])
    numpy.save(FOLDER / "fortran.npy", numpy.asfortranarray(vectors[0].astype(numpy.float64)))


def main():
    FOLDER.mkdir(exist_ok=True)
    save("published_old.pth", checkpoint(published().plain("module.")), old=True)
    save("published_zip.pth", {"model": published().plain()}, protocol=4)
    save("earlier_old.pth", earlier().plain(), old=True)
    save("earlier_zip.pth", dict(earlier().plain("module.")))
    save("kinds_old.pth", kinds(), old=True)
    save("kinds_zip.pth", kinds())
    save("expanded.pth", {"expanded": torch.ones(1).expand(1000)})
    save_with_views("views_old.pth")
    save_arrays()


if __name__ == "__main__":
    main()
