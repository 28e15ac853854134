"""Runs Great Expectations on tables and expectations read from a file, and writes its results.

Usage: gx_results.py CASES RESULTS. A case is {"columns": {name: {"kind", "values"}}, "type", "kwargs"}.
"""

import json
import logging
import os
import sys
import warnings

os.environ["GX_ANALYTICS_ENABLED"] = "false"
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

import great_expectations as gx  # noqa: E402
import pandas as pd  # noqa: E402
from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: E402
from great_expectations.expectations.registry import get_expectation_impl  # noqa: E402

DTYPES = {"int": "int64", "float": "float64", "bool": "bool", "text": "object"}


def frame(columns):
    made = {}
    for name, column in columns.items():
        values, kind = column["values"], column["kind"]
        if kind == "time":
            made[name] = pd.to_datetime(pd.Series(values, dtype="object"))
        elif kind in ("int", "bool") and None in values:
            made[name] = pd.Series(values, dtype="float64" if kind == "int" else "object")
        else:
            made[name] = pd.Series(values, dtype=DTYPES[kind])
    return pd.DataFrame(made)


def main(cases, results):
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("source").add_dataframe_asset("asset")
    whole = asset.add_batch_definition_whole_dataframe("batch")
    with open(cases) as f:
        todo = json.load(f)
    out = []
    for case in todo:
        try:
            batch = whole.get_batch(batch_parameters={"dataframe": frame(case["columns"])})
            expectation = get_expectation_impl(case["type"])(**case["kwargs"])
            result = batch.validate(
                expectation, result_format={"result_format": "COMPLETE"}
            ).to_json_dict()
            info = result["exception_info"]
            if "raised_exception" not in info:
                info = next(iter(info.values()))
            out.append(
                {
                    "success": result["success"],
                    "result": result["result"],
                    "raised": info["exception_message"],
                }
            )
        except Exception as e:
            out.append({"success": False, "result": {}, "raised": f"{type(e).__name__}: {e}"})
    with open(results, "w") as f:
        json.dump(out, f)


if __name__ == "__main__":
    main(*sys.argv[1:])
