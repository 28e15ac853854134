"""Searches of many runs through the client, compared with what Python makes of the values that were logged.

LEVADA_MLFLOW_RUNS says how many; the default is for every day.
"""

import math
import os
import random
from concurrent.futures import ThreadPoolExecutor

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

RUNS = int(os.environ.get("LEVADA_MLFLOW_RUNS", "1000"))


class Logged:
    """A run as it was logged."""

    def __init__(self, i, rng):
        self.start = 1_700_000_000_000 + i // 3  # three runs have one start each
        self.metrics = {"acc": rng.choice([0.25, 0.5, rng.random()])}
        if i % 7:
            self.metrics["loss"] = math.nan if i % 11 == 0 else rng.random()
        self.params = {
            "opt": rng.choice(["adam", "sgd", "Adam"]),
            "lr": str(rng.choice([0.1, 0.01])),
        }
        self.tags = {"team": rng.choice(["alpha", "beta", "a%b"])} if i % 5 else {}
        self.id = ""

    def send(self, client, experiment):
        self.id = client.create_run(experiment, start_time=self.start).info.run_id
        # Each metric has an earlier value that is not the one to be found.
        client.log_batch(
            self.id,
            metrics=[Metric(k, 9.0, self.start, 0) for k in self.metrics]
            + [Metric(k, v, self.start + 1, 1) for k, v in self.metrics.items()],
            params=[Param(k, v) for k, v in self.params.items()],
            tags=[RunTag(k, v) for k, v in self.tags.items()],
        )
        return self


@pytest.fixture(scope="module")
def logged():
    """Logs the runs once for all tests here."""
    client = MlflowClient()
    experiment = client.create_experiment(f"many runs {random.random()}")
    rng = random.Random(4)
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda i: Logged(i, rng).send(client, experiment), range(RUNS)))
    return experiment, runs


def none_last(value, descending=False):
    """Sorts values, then NaN, then what is missing, whichever way the values go."""
    if value is None:
        return (2, 0)
    if math.isnan(value):
        return (1, 0)
    return (0, -value if descending else value)


def found(experiment, **query):
    return mlflow.search_runs([experiment], max_results=100_000, **query)


def newest(runs):
    return sorted(runs, key=lambda r: (-r.start, r.id))


FILTERS = {
    "metrics.loss < 0.2": lambda r: r.metrics.get("loss", 9) < 0.2,
    "metrics.acc = 0.5": lambda r: r.metrics["acc"] == 0.5,
    "metrics.loss.max > 1": lambda r: "loss" in r.metrics,
    "params.opt = 'adam' AND metrics.acc >= 0.5": lambda r: (
        r.params["opt"] == "adam" and r.metrics["acc"] >= 0.5
    ),
    "params.opt ILIKE 'ADAM'": lambda r: r.params["opt"].lower() == "adam",
    "params.opt LIKE 'a%m'": lambda r: r.params["opt"] == "adam",
    "tags.team IS NULL": lambda r: not r.tags,
    "tags.team != 'alpha'": lambda r: r.tags.get("team", "alpha") != "alpha",
    "start_time > 1700000000100 AND params.lr = '0.1'": lambda r: (
        r.start > 1_700_000_000_100 and r.params["lr"] == "0.1"
    ),
    "params.opt = 'nothing'": lambda r: False,
}


def test_all_runs_come_once_with_what_was_logged(logged):
    experiment, runs = logged
    frame = found(experiment)
    wanted = newest(runs)
    assert list(frame["run_id"]) == [r.id for r in wanted]
    for name in ("acc", "loss"):
        np.testing.assert_array_equal(
            frame[f"metrics.{name}"], [r.metrics.get(name, math.nan) for r in wanted]
        )
    for name in ("opt", "lr"):
        assert list(frame[f"params.{name}"]) == [r.params[name] for r in wanted]
    # Some pandas have NaN where others have None.
    assert list(frame["tags.team"].fillna("")) == [r.tags.get("team", "") for r in wanted]


def test_pages_of_any_size_hold_every_run_once(logged):
    experiment, runs = logged
    order = ["metrics.loss ASC"]
    wanted = sorted(newest(runs), key=lambda r: none_last(r.metrics.get("loss")))
    for size in (RUNS // 3, RUNS // 2 + 1):
        seen, token = [], None
        while token is not None or not seen:
            page = MlflowClient().search_runs(
                [experiment], order_by=order, max_results=size, page_token=token
            )
            assert len(page) <= size
            seen += [r.info.run_id for r in page]
            token = page.token or None
            if not token:
                break
        assert seen == [r.id for r in wanted]


@pytest.mark.parametrize("text", FILTERS)
def test_filters_find_what_python_finds(logged, text):
    experiment, runs = logged
    got = found(experiment, filter_string=text)
    assert list(got.get("run_id", [])) == [r.id for r in newest(filter(FILTERS[text], runs))]


@pytest.mark.parametrize("descending", [False, True])
def test_orders_are_those_of_python(logged, descending):
    experiment, runs = logged
    way = "DESC" if descending else "ASC"
    got = found(
        experiment,
        filter_string="params.lr = '0.1'",
        order_by=[f"metrics.loss {way}", "params.opt ASC"],
    )
    wanted = sorted(
        newest(r for r in runs if r.params["lr"] == "0.1"),
        key=lambda r: (none_last(r.metrics.get("loss"), descending), r.params["opt"]),
    )
    assert list(got["run_id"]) == [r.id for r in wanted]


def test_what_is_logged_meanwhile_is_found_at_once(logged):
    experiment, runs = logged
    client = MlflowClient()
    for value in (-1.0, -2.0, -3.0):
        chosen = random.Random(value).choice(runs)
        found(experiment, filter_string="metrics.acc < 0", order_by=["metrics.acc"])
        client.log_metric(chosen.id, "acc", value, step=10 - int(value))
        got = found(experiment, filter_string=f"metrics.acc = {value}", order_by=["metrics.acc"])
        assert list(got["run_id"]) == [chosen.id]
