"""How much the default text encoder knows of words in other scripts than Latin.

For twenty nouns and their translations: how many lie nearest to the right English noun, and the mean
cosine to the right one, to the others, and among the translations. `src/semantics/english_words.rs`
quotes what this prints. Needs numpy, safetensors and tokenizers, and nothing but `weights/default`.
"""

from math import erf
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

BUNDLE = Path(__file__).parents[2] / "weights/default"
ENGLISH = (
    "dog cat horse train tree house mountain water fire sun moon fish car flower river king sea bird "
    "heart tiger"
)
TRANSLATIONS = {
    "Russian": "собака кошка лошадь поезд дерево дом гора вода огонь солнце луна рыба машина цветок "
    "река король море птица сердце тигр",
    "Greek": "σκύλος γάτα άλογο τρένο δέντρο σπίτι βουνό νερό φωτιά ήλιος φεγγάρι ψάρι αυτοκίνητο "
    "λουλούδι ποτάμι βασιλιάς θάλασσα πουλί καρδιά τίγρη",
    "Chinese": "狗 猫 馬 火車 木 家 山 水 火 日 月 魚 車 花 川 王 海 鳥 心 虎",
    "Arabic": "كلب قط حصان قطار شجرة بيت جبل ماء نار شمس قمر سمكة سيارة زهرة نهر ملك بحر طائر قلب نمر",
    "Hebrew": "כלב חתול סוס רכבת עץ בית הר מים אש שמש ירח דג מכונית פרח נהר מלך ים ציפור לב טיגריס",
    "Japanese": "いぬ ねこ うま れっしゃ き いえ やま みず ひ たいよう つき さかな くるま はな かわ おう "
    "うみ とり こころ とら",
    "Korean": "개 고양이 말 기차 나무 집 산 물 불 태양 달 물고기 차 꽃 강 왕 바다 새 심장 호랑이",
    "German": "hund katze pferd zug baum haus berg wasser feuer sonne mond fisch auto blume fluss "
    "könig meer vogel herz tiger",
    "French": "chien chat cheval train arbre maison montagne eau feu soleil lune poisson voiture fleur "
    "rivière roi mer oiseau coeur tigre",
}
SIGNS = {"α": "alpha", "β": "beta", "λ": "lambda", "π": "pi", "7": "seven", "!!!": "exclamation"}

HEADS, LAYERS = 12, 6
tokenizer = Tokenizer.from_file(str(BUNDLE / "tokenizer.json"))
weights = {
    name: tensor.astype(np.float32)
    for name, tensor in load_file(BUNDLE / "text_encoder.safetensors").items()
}


def linear(x, name):
    return x @ weights[name + ".weight"].T + weights[name + ".bias"]


def norm(x, name):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
    return scaled * weights[name + ".weight"] + weights[name + ".bias"]


def encode(text):
    ids = tokenizer.encode(text).ids
    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        query, key, value = (
            linear(x, f"{at}attention.self.{part}").reshape(len(ids), HEADS, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        mixed = (scores @ value).transpose(1, 0, 2).reshape(len(ids), -1)
        x = norm(linear(mixed, at + "attention.output.dense") + x, at + "attention.output.LayerNorm")
        inner = linear(x, at + "intermediate.dense")
        inner = 0.5 * inner * (1 + np.vectorize(erf)(inner / np.sqrt(2)))
        x = norm(linear(inner, at + "output.dense") + x, at + "output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


english = np.stack([encode(word) for word in ENGLISH.split()])
others = ~np.eye(len(english), dtype=bool)
for language, words in TRANSLATIONS.items():
    vectors = np.stack([encode(word) for word in words.split()])
    cosines = vectors @ english.T
    right = (cosines.argmax(1) == np.arange(len(english))).sum()
    print(
        f"{language:9} {right:2} of {len(english)} right; cosine to the right word "
        f"{np.diag(cosines).mean():.2f}, to others {cosines[others].mean():.2f}, "
        f"among themselves {(vectors @ vectors.T)[others].mean():.2f}"
    )
for sign, name in SIGNS.items():
    print(f"{sign} to “{name}” {encode(sign) @ encode(name):.2f}")
