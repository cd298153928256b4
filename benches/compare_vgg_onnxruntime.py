"""Times the sixteen 3x3 convolutions of VGG-19 at 224 x 224 pixels, one photo, in ONNX Runtime.

    python benches/compare_vgg_onnxruntime.py [--threads 2] [--repeats 5] [--turns 5]
                                              [--ours target/release/deps/vgg_convolutions-...]

Each layer is a graph of its own (convolution, bias, ReLU) with random weights, as the program's own
bench has it. With --ours, the bench's program (`cargo bench --bench vgg_convolutions --no-run` tells its
path), the two are run in turn, so that a busy machine slows both alike, and the ratio of their
medians is told for each turn. Needs numpy, onnx and onnxruntime.
"""

import argparse
import json
import os
import statistics
import subprocess
import time

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

# Side in pixels, channels in, channels of each convolution of the stage.
STAGES = ((224, 3, 64, 2), (112, 64, 128, 2), (56, 128, 256, 4), (28, 256, 512, 4), (14, 512, 512, 4))


def layers():
    for side, inputs, outputs, count in STAGES:
        for place in range(count):
            yield side, inputs if place == 0 else outputs, outputs


def session(side, inputs, outputs, threads, random):
    weight = (random.standard_normal((outputs, inputs, 3, 3)) * 0.02).astype(np.float32)
    bias = random.standard_normal(outputs).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["y"]),
        ],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, inputs, side, side])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, outputs, side, side])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that wait for work must not take it from the other program or the other layers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def whole_network(threads, random):
    """All layers as one graph, a maximum before each stage, as a program would run them."""
    nodes, weights, last, number = [], [], "x", 0
    for side, inputs, outputs, count in STAGES:
        for place in range(count):
            taken = inputs if place == 0 else outputs
            weight = random.standard_normal((outputs, taken, 3, 3)) * (2 / (9 * taken)) ** 0.5
            weights.append(numpy_helper.from_array(weight.astype(np.float32), f"w{number}"))
            bias = np.zeros(outputs, np.float32)
            weights.append(numpy_helper.from_array(bias, f"b{number}"))
            inputs_of = [last, f"w{number}", f"b{number}"]
            nodes.append(
                helper.make_node("Conv", inputs_of, [f"c{number}"], kernel_shape=[3, 3], pads=[1] * 4)
            )
            nodes.append(helper.make_node("Relu", [f"c{number}"], [f"r{number}"]))
            last, number = f"r{number}", number + 1
        if side > 14:
            nodes.append(
                helper.make_node("MaxPool", [last], [f"p{number}"], kernel_shape=[2, 2], strides=[2, 2])
            )
            last = f"p{number}"
    graph = helper.make_graph(
        nodes,
        "vgg19",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 224, 224])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, 512, 14, 14])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--ours", help="the program of `cargo bench --bench vgg_convolutions`")
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    prepared = []
    for side, inputs, outputs in layers():
        values = random.standard_normal((1, inputs, side, side)).astype(np.float32)
        prepared.append((session(side, inputs, outputs, arguments.threads, random), values))
    network = whole_network(arguments.threads, random)
    photo = random.standard_normal((1, 3, 224, 224)).astype(np.float32)

    def once():
        start = time.perf_counter()
        for layer, values in prepared:
            layer.run(None, {"x": values})
        return (time.perf_counter() - start) * 1e3

    def at_once():
        start = time.perf_counter()
        network.run(None, {"x": photo})
        return (time.perf_counter() - start) * 1e3

    once(), at_once()
    turns = []
    for _ in range(arguments.turns):
        turn = {}
        for name, run in (("onnxruntime", once), ("onnxruntime_one_graph", at_once)):
            times = [run() for _ in range(arguments.repeats)]
            turn[name] = {"min": min(times), "median": statistics.median(times)}
        if arguments.ours:
            command = [arguments.ours, "--repeats", str(arguments.repeats)]
            environment = os.environ | {"RAYON_NUM_THREADS": str(arguments.threads)}
            printed = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=True
            ).stdout
            turn["ours"] = json.loads(printed)["milliseconds"]
            for name in ("onnxruntime", "onnxruntime_one_graph"):
                turn[f"ratio_to_{name}"] = turn["ours"]["median"] / turn[name]["median"]
        print(json.dumps(turn))
        turns.append(turn)


if __name__ == "__main__":
    main()
