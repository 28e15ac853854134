"""What scikit-learn says of the predictions in a JSON file: python quality_values.py CASES RESULTS."""

import json
import sys

from sklearn import metrics


def values(case):
    x = [p for p, _ in case["pairs"]]
    y = [a for _, a in case["pairs"]]
    if case["task"] == "regression":
        return {
            "mae": metrics.mean_absolute_error(y, x),
            "rmse": metrics.root_mean_squared_error(y, x),
        }
    if case["task"] == "scores":
        classes = [int(p >= 0.5) for p in x]
        return {
            "accuracy": metrics.accuracy_score(y, classes),
            "f1": metrics.f1_score(y, classes),
            "auc": metrics.roc_auc_score(y, x),
            "log_loss": metrics.log_loss(y, x),
        }
    out = {"accuracy": metrics.accuracy_score(y, x)}
    if len(set(x) | set(y)) > 2:
        out["f1_macro"] = metrics.f1_score(y, x, average="macro")
    else:
        out["f1"] = metrics.f1_score(y, x)
    return out


with open(sys.argv[1]) as f:
    cases = json.load(f)
with open(sys.argv[2], "w") as f:
    json.dump([values(c) for c in cases], f)
