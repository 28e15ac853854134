"""Records curves of real trainings, for bench/tracking to send: python record.py > testdata/curves.json

Sixteen small networks are trained on a data set of scikit-learn for eighty epochs with settings of their own, in 32-bit
floats as deep learning does. For each epoch it writes five numbers as training code logs them, and the time since the
first.
Needs numpy and scikit-learn.
"""

import json
import sys
import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

RUNS, EPOCHS, BATCH = 16, 80, 64


def train(seed: int) -> dict:
    """Trains one network of two layers by gradient descent with momentum."""
    rng = np.random.default_rng(seed)
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    x, x_val, y, y_val = train_test_split(x, y, test_size=0.3, random_state=seed)
    wide = int(rng.integers(8, 64))
    weights = [rng.normal(0, 0.1, (64, wide)), rng.normal(0, 0.1, (wide, 10))]
    weights = [w.astype(np.float32) for w in weights]
    moving = [np.zeros_like(w) for w in weights]
    first_rate = float(10 ** rng.uniform(-2.5, -1))
    curves = {name: [] for name in ("m0", "m1", "m2", "m3", "m4", "ms")}
    began = time.time()
    for epoch in range(EPOCHS):
        rate = first_rate * 0.97**epoch
        losses, norms = [], []
        order = rng.permutation(len(x))
        for start in range(0, len(x), BATCH):
            rows = order[start : start + BATCH]
            hidden = np.maximum(x[rows] @ weights[0], 0)
            p = softmax(hidden @ weights[1])
            losses.append(-np.log(p[np.arange(len(rows)), y[rows]] + np.float32(1e-9)).mean())
            p[np.arange(len(rows)), y[rows]] -= 1
            p /= len(rows)
            slopes = [x[rows].T @ ((p @ weights[1].T) * (hidden > 0)), hidden.T @ p]
            norms.append(np.sqrt(sum((g * g).sum() for g in slopes)))
            for w, m, g in zip(weights, moving, slopes):
                m *= np.float32(0.9)
                m += g
                w -= np.float32(rate) * m
        p = softmax(np.maximum(x_val @ weights[0], 0) @ weights[1]).astype(np.float64)
        curves["m0"].append(float(accuracy_score(y_val, p.argmax(1))))
        curves["m1"].append(float(log_loss(y_val, p / p.sum(1, keepdims=True))))
        curves["m2"].append(float(np.mean(losses, dtype=np.float32)))
        curves["m3"].append(rate)
        curves["m4"].append(float(np.mean(norms, dtype=np.float32)))
        curves["ms"].append(round((time.time() - began) * 1000))
    return curves


def softmax(z: np.ndarray) -> np.ndarray:
    """Returns probabilities."""
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


if __name__ == "__main__":
    json.dump([train(seed) for seed in range(RUNS)], sys.stdout, separators=(",", ":"))
