"""What NannyML says of the tables in a JSON file: python nannyml_values.py CASES RESULTS."""

import json
import math
import os
import sys
import warnings

warnings.simplefilter("ignore")
os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml as nml  # noqa: E402
import pandas as pd  # noqa: E402

METRICS = ["roc_auc", "average_precision", "accuracy", "precision", "recall", "specificity", "f1"]
LOSSES = ["mae", "mape", "mse", "rmse", "msle", "rmsle"]


def number(v):
    return float(v) if v is not None and math.isfinite(v) else None


def figures(result, metrics):
    out = {}
    frame = result.to_df(multilevel=True)
    for m in metrics:
        part = {}
        for period in ("reference", "analysis"):
            rows = frame[frame[("chunk", "period")] == period]
            part[period] = [number(v) for v in rows[(m, "value")]]
            part[period + "_realized"] = (
                [number(v) for v in rows[(m, "realized")]] if (m, "realized") in frame else []
            )
        rows = frame[frame[("chunk", "period")] == "reference"]
        part["low"], part["high"] = (
            number(rows[(m, "lower_threshold")].iloc[0]),
            number(rows[(m, "upper_threshold")].iloc[0]),
        )
        out[m] = part
    return out


def classifier(case):
    ref, cur = pd.DataFrame(case["reference"]), pd.DataFrame(case["current"])
    binary = case["classes"] == 2
    proba = "p0" if binary else {str(c): f"p{c}" for c in range(case["classes"])}
    if not binary:
        for frame in (ref, cur):
            for column in ("predicted", "truth"):
                frame[column] = frame[column].astype(str)
    estimator = nml.CBPE(
        y_pred="predicted",
        y_pred_proba=proba,
        y_true="truth",
        metrics=METRICS,
        problem_type="classification_binary" if binary else "classification_multiclass",
        chunk_size=case["size"],
    )
    estimator.fit(ref)
    return figures(estimator.estimate(cur), METRICS)


def regression(case):
    ref, cur = pd.DataFrame(case["reference"]), pd.DataFrame(case["current"])
    features = [c for c in ref.columns if c.startswith("f")]
    estimator = nml.DLE(
        feature_column_names=features,
        y_pred="predicted",
        y_true="truth",
        metrics=LOSSES,
        chunk_size=case["size"],
    )
    estimator.fit(ref)
    return figures(estimator.estimate(cur), LOSSES)


def reconstruction(case):
    ref, cur = pd.DataFrame(case["reference"]), pd.DataFrame(case["current"])
    calculator = nml.DataReconstructionDriftCalculator(
        column_names=list(ref.columns), chunk_number=10
    )
    calculator.fit(ref)
    frame = calculator.calculate(cur).to_df(multilevel=True)
    rows = frame[frame[("chunk", "period")] == "analysis"]
    first = frame.iloc[0]
    key = "reconstruction_error"
    return {
        "score": float(rows[(key, "value")].mean()),
        "low": number(first[(key, "lower_threshold")]),
        "high": number(first[(key, "upper_threshold")]),
    }


def main():
    with open(sys.argv[1]) as f:
        cases = json.load(f)
    does = {"classifier": classifier, "regression": regression, "reconstruction": reconstruction}
    with open(sys.argv[2], "w") as f:
        json.dump([does[c["what"]](c) for c in cases], f)


main()
