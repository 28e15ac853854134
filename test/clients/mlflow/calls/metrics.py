"""Requests about metrics and their histories."""

from calls.writing import experiment, get, post, raw, run, script


def metrics():
    def log(value, t=1, step=0, key="m"):
        return post(
            "/runs/log-metric",
            {"run_id": "{r}", "key": key, "value": value, "timestamp": t, "step": step},
        )

    yield script(
        "metrics",
        experiment("exp"),
        run("r"),
        log(1.0),
        log(1.0),
        log(2.0, 2, 1),
        log(0.5, 1, 1),
        get("/runs/get", run_id="{r}"),
        log(5.0, 3, 0),
        get("/runs/get", run_id="{r}"),
        log(9.0, 2, 1),
        log(3.0, 2, 1),
        get("/runs/get", run_id="{r}"),
        log("NaN", 5, 2),
        get("/runs/get", run_id="{r}"),
        log(-1.0, 5, 2),
        get("/runs/get", run_id="{r}"),
        log("Infinity", 6, 3),
        log("-Infinity", 6, 4),
        log("1.25", "7", "5"),
        log(1e300, 8, 6),
        log(-0.0, 9, 7),
        log(3, 10, 8),
        get("/runs/get", run_id="{r}"),
        get("/metrics/get-history", run_id="{r}", metric_key="m"),
        get("/metrics/get-history", run_id="{r}", metric_key="none"),
        get("/metrics/get-history", run_id="{r}"),
        get("/metrics/get-history", metric_key="m"),
        get("/metrics/get-history", run_id="none", metric_key="m"),
        get("/metrics/get-history", run_uuid="{r}", metric_key="m"),
        {
            **get("/metrics/get-history", run_id="{r}", metric_key="m", max_results=3),
            "capture": {"page": "next_page_token"},
        },
        {
            **get(
                "/metrics/get-history",
                run_id="{r}",
                metric_key="m",
                max_results=4,
                page_token="{page}",
            ),
            "capture": {"page": "next_page_token"},
        },
        {
            **get(
                "/metrics/get-history",
                run_id="{r}",
                metric_key="m",
                max_results=4,
                page_token="{page}",
            ),
            "capture": {"page": "next_page_token"},
        },
        get("/metrics/get-history", run_id="{r}", metric_key="m", max_results=0),
        get("/metrics/get-history", run_id="{r}", metric_key="m", max_results=-1),
        get("/metrics/get-history", run_id="{r}", metric_key="m", page_token="%%"),
        get("/metrics/get-history", run_id="{r}", metric_key="m", max_results=100),
        post("/runs/log-metric", {"run_id": "{r}", "key": "x", "timestamp": 1}),
        post("/runs/log-metric", {"run_id": "{r}", "key": "x", "value": 1}),
        post("/runs/log-metric", {"run_id": "{r}", "value": 1, "timestamp": 1}),
        post("/runs/log-metric", {"key": "x", "value": 1, "timestamp": 1}),
        post("/runs/log-metric", {"run_id": 31, "key": "x", "value": 1, "timestamp": 1}),
        post("/runs/log-metric", {"run_id": "{r}", "key": 31, "value": 1, "timestamp": 1}),
        post("/runs/log-metric", {"run_id": "{r}", "key": "x", "value": "abc", "timestamp": 1}),
        post("/runs/log-metric", {"run_id": "{r}", "key": "x", "value": 1, "timestamp": "abc"}),
        post(
            "/runs/log-metric",
            {"run_id": "{r}", "key": "x", "value": 1, "timestamp": 1, "step": "abc"},
        ),
        post("/runs/log-metric", {"run_id": "{r}", "key": "x", "value": 1, "timestamp": -5}),
        post("/runs/log-metric", {"run_id": "{r}", "key": "x", "value": 0, "timestamp": 0}),
        post(
            "/runs/log-metric",
            {"run_id": "{r}", "key": "x", "value": 1, "timestamp": 1, "step": -3},
        ),
        post("/runs/log-metric", {"run_id": "none", "key": "x", "value": 1, "timestamp": 1}),
        post("/runs/log-metric", {"run_id": "{r}", "key": "x", "value": [1], "timestamp": 1}),
        get("/runs/get", run_id="{r}"),
    )
    import random

    rng = random.Random(7)
    series = [
        {
            "key": "m",
            "value": rng.choice([rng.random(), rng.random(), 1.0]),
            "timestamp": 1000 + i * 3 + rng.randint(-5, 5),
            "step": i // 2,
        }
        for i in range(900)
    ]
    shuffled = series[:]
    rng.shuffle(shuffled)
    interval = "/metrics/get-history-bulk-interval"
    yield script(
        "sampling",
        experiment("exp"),
        run("a"),
        run("b"),
        post("/runs/log-batch", {"run_id": "{a}", "metrics": series}),
        post("/runs/log-batch", {"run_id": "{b}", "metrics": shuffled}),
        post("/runs/log-batch", {"run_id": "{b}", "metrics": shuffled}),
        get("/runs/get", run_id="{b}"),
        get("/metrics/get-history", run_id="{b}", metric_key="m"),
        [
            get(interval, run_ids=["{a}"], metric_key="m", max_results=n)
            for n in (1, 2, 3, 7, 100, 899, 900, 901, 2500)
        ],
        [
            get(interval, run_ids=["{b}"], metric_key="m", max_results=n, start_step=s, end_step=e)
            for n, s, e in (
                (10, 100, 200),
                (50, 0, 0),
                (50, -5, 10),
                (3, 449, 449),
                (10, 5000, 6000),
            )
        ],
        get(interval, run_ids=["{a}", "{b}"], metric_key="m", max_results=5),
        get(interval, run_ids=["{a}"], metric_key="m"),
        get(interval, metric_key="m"),
        get(interval, run_ids=["{a}"]),
        get(interval, run_ids=["{a}"], metric_key="m", max_results=0),
        get(interval, run_ids=["{a}"], metric_key="m", max_results=2501),
        get(interval, run_ids=["{a}"], metric_key="m", start_step=1),
        get(interval, run_ids=["{a}"], metric_key="m", start_step=5, end_step=1),
        get(interval, run_ids=["{a}"] * 101, metric_key="m"),
        get(interval, run_ids=["{a}"], metric_key="none"),
        raw(
            "GET",
            "/ajax-api/2.0/mlflow/metrics/get-history-bulk",
            run_id=["{a}", "{b}"],
            metric_key="m",
            max_results=20,
        ),
        raw(
            "GET",
            "/ajax-api/2.0/mlflow/metrics/get-history-bulk",
            run_id=["{b}"],
            metric_key="none",
        ),
        raw("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk", metric_key="m"),
        raw("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk", run_id="{a}"),
        raw(
            "GET",
            "/ajax-api/2.0/mlflow/metrics/get-history-bulk",
            run_id=["x"] * 101,
            metric_key="m",
        ),
        raw(
            "GET",
            "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval",
            run_ids=["{a}"],
            metric_key="m",
            max_results=4,
        ),
    )
