"""What Evidently says of the columns in a JSON file: python evidently_values.py CASES RESULTS."""

import json
import math
import sys
import warnings

import numpy as np
import pandas as pd

warnings.simplefilter("ignore")
np.seterr(all="ignore")

from evidently.legacy.calculations.stattests import get_stattest  # noqa: E402
from evidently.legacy.core import ColumnType  # noqa: E402
from evidently.legacy.metrics.data_drift import embedding_drift_methods as embeddings  # noqa: E402
from sklearn.linear_model import SGDClassifier  # noqa: E402
from sklearn.metrics import roc_auc_score  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402


def series(values, kind):
    if kind == "integer":
        return pd.Series(values, dtype="int64")
    if kind == "number":
        return pd.Series(
            [{"inf": math.inf, "-inf": -math.inf}.get(v, v) for v in values], dtype="float64"
        )
    return pd.Series(values, dtype="object")


def cleaned(s, kind):
    if kind == "number":
        s = s.replace([-np.inf, np.inf], np.nan)
    return s.dropna()


def judge(case, method):
    kind = {"integer": "num", "number": "num", "label": "cat", "text": "text"}[case["kind"]]
    a, b = (
        cleaned(series(case["a"], case["kind"]), case["kind"]),
        cleaned(series(case["b"], case["kind"]), case["kind"]),
    )
    np.random.seed(0)
    try:
        test = get_stattest(a, b, ColumnType(kind), method)
        result = test(a, b, ColumnType(kind), None)
    except (ValueError, IndexError, ZeroDivisionError, TypeError) as e:
        return {"error": str(e)[:200]}
    score = float(result.drift_score)
    return {
        "method": test.name,
        "score": score if math.isfinite(score) else None,
        "drifted": bool(result.drifted),
        "threshold": float(result.actual_threshold),
    }


def embedding(case):
    """Of vectors, by each method and without bootstrap."""
    ways = {d: {"dist": d} for d in ("cosine", "cityblock", "chebyshev")}
    ways["distance"] = {"dist": "euclidean"}
    makers = {
        "ratio": embeddings.ratio,
        "mmd": embeddings.mmd,
        "model": embeddings.model,
    }
    out = {}
    for name in [*ways, *makers]:
        method = makers[name]() if name in makers else embeddings.distance(**ways[name])
        # Each method gets tables of its own: one of them adds a column.
        score, drifted, _ = method(pd.DataFrame(case["b"]), pd.DataFrame(case["a"]))
        out[name] = {"score": float(score), "drifted": bool(drifted)}
    # The classifier with other halves of the rows, since Evidently always draws the same ones.
    rows = np.vstack([case["a"], case["b"]])
    labels = np.array([1] * len(case["a"]) + [0] * len(case["b"]))
    for draw in range(case["draws"]):
        train, test, y_train, y_test = train_test_split(
            rows, labels, test_size=0.5, random_state=draw, shuffle=True
        )
        model = SGDClassifier(loss="log_loss", random_state=draw).fit(train, y_train)
        score = roc_auc_score(y_test, model.predict_proba(test)[:, 1])
        out[f"draw {draw}"] = {"score": float(score)}
    return out


def main():
    with open(sys.argv[1]) as f:
        cases = json.load(f)
    out = [
        embedding(c)
        if c["kind"] == "embedding"
        else {m or "default": judge(c, m) for m in [None, *c["methods"]]}
        for c in cases
    ]
    with open(sys.argv[2], "w") as f:
        json.dump(out, f)


main()
