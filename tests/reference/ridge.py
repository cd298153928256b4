"""Ridge regression by scikit-learn.

    python tests/reference/ridge.py

writes ridge.json beside this file: `vectors` V [30][8], `targets` R [30][5], `lambda`, and `weight` [5][8],
the coefficients of sklearn.linear_model.Ridge without intercept.

Needs numpy and scikit-learn.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import Ridge

LAMBDA = 0.75


def main():
    random = np.random.default_rng(3)
    vectors = random.normal(size=(30, 8)).round(2)
    vectors[:, 7] = vectors[:, 6]  # only the ridge makes this one solvable
    targets = random.normal(size=(30, 5)).round(2)
    model = Ridge(alpha=LAMBDA, fit_intercept=False, solver="cholesky").fit(vectors, targets)
    fixture = {
        "vectors": vectors.tolist(),
        "targets": targets.tolist(),
        "lambda": LAMBDA,
        "weight": model.coef_.tolist(),
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(fixture) + "\n")


if __name__ == "__main__":
    main()
