"""Requests about traces, their spans and assessments."""

from calls.otlp import compressed, export, json_body, protobuf, span, spans
from calls.writing import API, FILES, LONG, delete, experiment, get, patch, post, raw, run, script

THIRD = "/api/3.0/mlflow/traces"


def post3(path, body=None, **capture):
    body = {} if body is None else body
    return {"method": "POST", "path": THIRD + path, "body": body, "capture": capture}


def patch3(path, body=None):
    return {"method": "PATCH", "path": THIRD + path, "body": body}


def delete3(path, body=None):
    return {"method": "DELETE", "path": THIRD + path, "body": body}


def get3(path, /, **query):
    return {"method": "GET", "path": THIRD + path, "query": query}


def start(trace, exp="exp", at="1970-01-01T00:00:01Z", **more):
    return post3(
        "",
        {
            "trace": {
                "trace_info": {
                    "trace_id": trace,
                    "trace_location": place(exp),
                    "request_time": at,
                    "state": "OK",
                    **more,
                }
            }
        },
    )


def place(exp="exp"):
    return {
        "type": "MLFLOW_EXPERIMENT",
        "mlflow_experiment": {"experiment_id": "{" + exp + "}"},
    }


def find(where="", **more):
    return post3("/search", {"locations": [place()], "filter": where, **more})


def traces():
    yield from infos()
    yield from wrong_values()
    yield from old_infos()
    yield from ingest()
    yield from assessments()
    yield from deleting()


def infos():
    yield script(
        "traces",
        experiment("exp"),
        start("tr-a"),
        start(
            "tr-b",
            execution_duration="1.5s",
            client_request_id="c1",
            request_preview="in <&> é",
            response_preview="out",
            tags={"t": "1", "mlflow.traceName": "name b"},
            trace_metadata={"m": "2", "mlflow.trace.session": "s1"},
        ),
        start(
            "tr-c",
            trace_metadata={
                "mlflow.trace.tokenUsage": '{"input_tokens": 1, "output_tokens": 2, "x": 3}',
                "mlflow.trace.cost": '{"total_cost": 0.5}',
            },
            state="ERROR",
            at="1970-01-01T00:00:02.345Z",
            execution_duration="2s",
        ),
        start("tr-d", state="IN_PROGRESS", trace_metadata={"long": "x" * 300}),
        start("tr-e", state=3, tags={"long": "y" * 5000}),
        start("tr-a", state="ERROR", tags={"again": "1"}, response_preview="late"),
        start("tr-g", trace_metadata={"mlflow.trace.session": "s" * 251}),
        start("tr-h", tags={"mlflow.traceName": "n" * 4097}),
        post3("", {}),
        post3("", {"trace": {"trace_info": {"trace_id": "tr-m", "trace_location": {}}}}),
        post3(
            "",
            {
                "trace": {
                    "trace_info": {
                        "trace_id": "tr-m",
                        "trace_location": {
                            "type": "MLFLOW_EXPERIMENT",
                            "mlflow_experiment": {"experiment_id": "777777"},
                        },
                    }
                }
            },
        ),
        [get3("/" + t) for t in ("tr-a", "tr-b", "tr-c", "tr-d", "tr-e", "none")],
        post3("/batchGetInfos", {"trace_ids": ["tr-b", "none", "tr-a"]}),
        post3("/batchGetInfos", {"trace_ids": ["tr-b"], "experiment_ids": ["0"]}),
        post3("/batchGetInfos", {"trace_ids": ["tr-b"], "experiment_ids": ["{exp}"]}),
        post3("/batchGetInfos", {}),
        post3("/batchGetInfos", {"trace_ids": "tr-b"}),
        post3("/batchGetInfos", {"trace_ids": [1]}),
        get3("/get", trace_id="none"),
        get3("/get"),
        get3("/get", trace_id="none", allow_partial="maybe"),
        get3("/batchGet", trace_ids=["none"]),
        get3("/batchGet"),
        patch3("/tr-a/tags", {"key": "k", "value": "v"}),
        patch3("/tr-a/tags", {"key": "k", "value": "w" * 8001}),
        patch3("/tr-a/tags", {"key": "k2"}),
        patch3("/tr-a/tags", {"value": "v"}),
        patch3("/tr-a/tags", {"key": LONG, "value": "v"}),
        patch3("/tr-a/tags", {"key": "a$b", "value": "v"}),
        patch3("/tr-a/tags", {"key": "mlflow.trace.spansLocation", "value": "v"}),
        patch3("/tr-a/tags", {"key": "mlflow.trace.archivalFailure", "value": "v"}),
        delete3("/tr-a/tags", {"key": "mlflow.trace.archivalFailure"}),
        delete3("/tr-a/tags", {"key": "mlflow.trace.archiveLocation"}),
        patch3("/tr-a/tags", {"key": "mlflow.traceName", "value": "named"}),
        patch3("/tr-a/tags", {"key": 1, "value": "v"}),
        patch("/traces/tr-a/tags", {"key": "second", "value": "v"}),
        get3("/tr-a"),
        delete3("/tr-a/tags", {"key": "k2"}),
        delete3("/tr-a/tags", {"key": "k2"}),
        delete3("/tr-a/tags", {"key": "mlflow.traceName"}),
        delete3("/tr-a/tags", {"key": "mlflow.traceName"}),
        delete3("/tr-a/tags", {}),
        delete3("/none/tags", {"key": "x"}),
        delete("/traces/tr-a/tags", {"key": "second"}),
        get3("/tr-a"),
        run("r"),
        post("/traces/link-to-run", {"trace_ids": ["tr-a"], "run_id": "{r}"}),
        post("/traces/link-to-run", {"trace_ids": ["tr-a", "tr-b"], "run_id": "{r}"}),
        post("/traces/link-to-run", {"trace_ids": ["tr-a"] * 101, "run_id": "{r}"}),
        post("/traces/link-to-run", {"trace_ids": ["tr-a"]}),
        post("/traces/link-to-run", {"run_id": "{r}"}),
        post("/traces/link-to-run", {"trace_ids": [], "run_id": "{r}"}),
        find("run_id = '{r}'"),
        post(
            "/traces/link-prompts",
            {"trace_id": "tr-a", "prompt_versions": [{"name": "p", "version": "1"}]},
        ),
        post("/traces/link-prompts", {"trace_id": "none", "prompt_versions": [{"name": "p"}]}),
        post(
            "/traces/link-prompts",
            {"trace_id": "none", "prompt_versions": [{"name": "p", "version": "1"}]},
        ),
        post("/traces/link-prompts", {"trace_id": "tr-a"}),
        find("prompt = 'p/1'"),
        find("prompt = 'p'"),
        find("prompt != 'p/1'"),
        raw("GET", API + "/traces/tr-a"),
        raw("POST", API + "/traces/search", {}),
        raw("GET", THIRD + "/tr-a/info"),
        raw("GET", THIRD + "/tr-a/tags"),
        raw("GET", THIRD + "/tr-a/assessments"),
        raw("PATCH", THIRD + "/tr-a", {}),
        get("/experiments/get", experiment_id="{exp}"),
        post("/experiments/delete", {"experiment_id": "{exp}"}),
        start("tr-z"),
        get3("/tr-a"),
        find("status = 'ERROR'"),
        spans(span(0x99, 1)),
    )


def wrong_values():
    """What MLflow takes in part and Levada refuses whole."""
    source = {"source_type": "NONE"}
    yield script(
        "traces with wrong values",
        experiment("exp"),
        start("wr-a", tags={"mlflow.artifactLocation": "s3://elsewhere/x"}),
        start("wr-b", at="no time"),
        start("wr-c", state="NONE"),
        start("wr-d", execution_duration="soon"),
        start("wr-e", trace_metadata={"a": 1}),
        start("../wr", tags={"x": "y"}),
        start("wr-f"),
        patch3("/wr-f/tags", {"key": "mlflow.artifactLocation", "value": "v"}),
        delete3("/wr-f/tags", {"key": "mlflow.artifactLocation"}),
        post3(
            "/wr-f/assessments",
            {"assessment": {"assessment_name": "a", "source": source, "feedback": {"value": 1}}},
        ),
    )


def old_infos():
    begin = {
        "experiment_id": "{exp}",
        "timestamp_ms": 1000,
        "request_metadata": [{"key": "m", "value": "1"}],
        "tags": [{"key": "t", "value": "1"}, {"key": "mlflow.traceName", "value": "old"}],
    }
    yield script(
        "traces of the second API",
        experiment("exp"),
        post("/traces", begin, old="trace_info.request_id"),
        post("/traces", {**begin, "experiment_id": "777777"}),
        post("/traces", {**begin, "timestamp_ms": "soon"}),
        post("/traces", {**begin, "timestamp_ms": 1500, "tags": [{"key": "t"}]}),
        post("/traces", {**begin, "tags": "t"}),
        get("/traces/{old}/info"),
        get("/traces/none/info"),
        patch(
            "/traces/{old}",
            {
                "timestamp_ms": 3500,
                "status": "OK",
                "request_metadata": [{"key": "m2", "value": "2"}],
                "tags": [{"key": "t", "value": "2"}],
            },
        ),
        patch("/traces/{old}", {"timestamp_ms": 3600, "status": "ERROR"}),
        patch("/traces/{old}", {"timestamp_ms": 3600, "status": "NONE"}),
        patch("/traces/none", {"timestamp_ms": 3500, "status": "OK"}),
        get("/traces/{old}/info"),
        get3("/{old}"),
        get("/traces", experiment_ids=["{exp}"]),
        get("/traces", experiment_ids=["{exp}"], filter="status = 'ERROR'", max_results=1),
        get("/traces", experiment_ids=["{exp}"], filter="status = 'OK'"),
        get("/traces", experiment_ids=["{exp}"], filter="nothing"),
        get("/traces", experiment_ids=["{exp}"], max_results=501),
        get("/traces"),
        patch("/traces/{old}/tags", {"key": "x", "value": "y"}),
        delete("/traces/{old}/tags", {"key": "x"}),
        delete("/traces/{old}/tags", {"key": "x"}),
        raw("GET", "/ajax-api/2.0/mlflow/get-trace-artifact", request_id="{old}"),
        raw(
            "PUT",
            FILES + "/{exp}/traces/{old}/artifacts/traces.json",
            b'{"spans": []}',
        ),
        raw("GET", "/ajax-api/2.0/mlflow/get-trace-artifact", request_id="{old}"),
        post("/traces/delete-traces", {"experiment_id": "{exp}", "request_ids": ["{old}"]}),
        get("/traces/{old}/info"),
    )


VALUES = {
    "text": "é 'quoted' \"text\"\n",
    "whole": 12,
    "negative": -1,
    "real": 0.5,
    "round": 3.0,
    "large": 1e20,
    "small": 1e-7,
    "yes": True,
    "list": [1, "a", None, [True]],
    "map": {"b": 1, "a": {"c": None, "d": []}},
    "none": None,
    "json text": '{"a": [1, 2]}',
    "json string": '"x"',
    "number text": "12",
    "empty": "",
}


def ingest():
    t = 0xA0
    usage = {"mlflow.chat.tokenUsage": '{"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}'}
    get_all = [get3("/get", trace_id=f"tr-{n:032x}") for n in range(t, t + 10)]
    yield script(
        "spans",
        experiment("exp"),
        spans(
            span(t, 1, "root", attributes=VALUES),
            span(
                t,
                2,
                "child",
                parent=1,
                start=1100,
                end=1200,
                status=2,
                message="broke",
                events=[{"time": 5, "name": "e", "attributes": {"a": 1, "b": "x"}}],
                links=[{"trace": f"{0xEE:032x}", "id": f"{7:016x}", "attributes": {"k": "v"}}],
            ),
            resource={
                "service.name": "svc",
                "telemetry.sdk.name": "x",
                "mlflow.x": "no",
                "n": 3,
                "list": ["a"],
            },
        ),
        get3("/get", trace_id=f"tr-{t:032x}"),
        get3(f"/tr-{t:032x}"),
        # In several requests: the child first, a root with an error last.
        spans(span(t + 1, 2, "child", parent=1, start=1500, end=1800)),
        get3(f"/tr-{t + 1:032x}"),
        spans(span(t + 1, 1, "root", start=1400, end=2400, status=2)),
        get3("/get", trace_id=f"tr-{t + 1:032x}"),
        # Again, and changed.
        spans(span(t + 1, 1, "root", start=1400, end=2400, status=2)),
        spans(span(t + 1, 1, "renamed", start=1400, end=2500, status=1)),
        get3("/get", trace_id=f"tr-{t + 1:032x}"),
        # Two traces in one request.
        spans(span(t + 2, 1, "one"), span(t + 3, 1, "two", end=0)),
        get3("/batchGet", trace_ids=[f"tr-{t + 3:032x}", f"tr-{t + 2:032x}", "none"]),
        get3("/get", trace_id=f"tr-{t + 3:032x}", allow_partial="true"),
        export(json_body(span(t + 4, 1, "json", attributes=VALUES))),
        get3("/get", trace_id=f"tr-{t + 4:032x}"),
        compressed("gzip", span(t + 5, 1, "gzip")),
        compressed("deflate", span(t + 5, 2, "deflate", parent=1)),
        get3("/get", trace_id=f"tr-{t + 5:032x}"),
        # What the client says about the whole.
        spans(
            span(
                t + 6,
                1,
                "chat",
                attributes={
                    "mlflow.spanInputs": '{"messages": [{"role": "user", "content": "hello"}]}',
                    "mlflow.spanOutputs": '{"choices": [{"message": {"role": "assistant", "content": "hi"}}]}',
                    "mlflow.spanType": '"CHAT_MODEL"',
                    "session.id": "sess",
                    "user.id": "me",
                    "mlflow.traceTag.mine": "yes",
                    "mlflow.traceTag.mlflow.traceName": "by tag",
                    **usage,
                },
            ),
            span(t + 6, 2, "below", parent=1, attributes=usage),
        ),
        get3("/get", trace_id=f"tr-{t + 6:032x}"),
        # Sums over several requests.
        spans(span(t + 7, 1, "a", attributes=usage)),
        spans(span(t + 7, 2, "b", attributes=usage)),
        spans(span(t + 7, 3, "c", parent=1, attributes=usage)),
        spans(span(t + 7, 2, "b", attributes=usage)),
        get3(f"/tr-{t + 7:032x}"),
        # Conventions of other libraries.
        spans(
            span(
                t + 8,
                1,
                "genai",
                attributes={
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": "m1",
                    "gen_ai.provider.name": "acme",
                    "gen_ai.usage.input_tokens": 3,
                    "gen_ai.usage.output_tokens": 4,
                    "gen_ai.input.messages": '[{"role": "user", "parts": []}]',
                    "gen_ai.output.messages": '[{"role": "assistant"}]',
                },
            ),
            span(
                t + 8,
                2,
                "openinference",
                parent=1,
                attributes={
                    "openinference.span.kind": "RETRIEVER",
                    "input.value": "question",
                    "output.value": "answer",
                    "llm.token_count.prompt": 5,
                    "llm.token_count.total": 9,
                    "llm.model_name": "m2",
                },
            ),
            span(
                t + 8,
                3,
                "traceloop",
                parent=1,
                attributes={
                    "traceloop.span.kind": "workflow",
                    "traceloop.entity.input": '{"a": 1}',
                    "gen_ai.completion.0.content": "said",
                    "gen_ai.usage.prompt_tokens": 1,
                    "gen_ai.usage.completion_tokens": 2,
                },
            ),
        ),
        get3("/get", trace_id=f"tr-{t + 8:032x}"),
        # Wrong ones.
        export(b""),
        export(b"\xff\xff\xff"),
        export(b"no protobuf at all"),
        export(protobuf(span(t + 9, 1)), Content_Encoding="gzip"),
        export(protobuf(span(t + 9, 1)), Content_Encoding="deflate"),
        export(protobuf(span(t + 9, 1)), Content_Encoding="br"),
        export(protobuf(span(t + 9, 1)), Content_Type="text/plain"),
        export(protobuf(span(t + 9, 1)), x_mlflow_experiment_id="777777"),
        export(protobuf(span(t + 9, 1)), x_mlflow_experiment_id="none"),
        export("{"),
        export("[]"),
        export({}),
        export({"resourceSpans": []}),
        export({"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xx"}]}]}]}),
        spans({**span(t + 9, 1), "trace": ""}),
        spans({**span(t + 9, 1), "id": ""}),
        {
            "method": "POST",
            "path": "/v1/traces",
            "body": protobuf(span(t + 9, 1)),
            "headers": {"Content-Type": "application/x-protobuf"},
        },
        # Linked to a run by a header.
        run("r"),
        spans(span(t + 9, 1, "linked"), x_mlflow_run_id="{r}"),
        find("run_id = '{r}'"),
        get_all,
        raw("GET", "/ajax-api/2.0/mlflow/get-trace-artifact", request_id=f"tr-{t:032x}"),
        raw("GET", "/ajax-api/2.0/mlflow/get-trace-artifact", request_id="none"),
        raw("GET", "/ajax-api/2.0/mlflow/get-trace-artifact"),
        raw(
            "GET",
            "/ajax-api/2.0/mlflow/get-trace-artifact",
            request_id=f"tr-{t:032x}",
            path="../../x",
        ),
        raw(
            "GET",
            "/ajax-api/2.0/mlflow/get-trace-artifact",
            request_id=f"tr-{t:032x}",
            path="00000000-0000-4000-8000-000000000000",
        ),
        # What a client tells at the end counts.
        start(
            f"tr-{t:032x}",
            execution_duration="9s",
            state="ERROR",
            tags={"mlflow.traceName": "told"},
            trace_metadata={"mlflow.trace.sizeStats": '{"num_spans": 2}'},
        ),
        get3("/get", trace_id=f"tr-{t:032x}"),
    )


def assessments():
    when = {"create_time": "1970-01-01T00:00:05Z", "last_update_time": "1970-01-01T00:00:06.5Z"}
    human = {"source_type": "HUMAN", "source_id": "me"}

    def judge(name, trace="as-a", capture="", **more):
        one = {"assessment_name": name, "source": human, **when, **more}
        names = {capture: "assessment.assessment_id"} if capture else {}
        return post3(f"/{trace}/assessments", {"assessment": one}, **names)

    def change(mask, number="{f}", **more):
        return patch3(f"/as-a/assessments/{number}", {"assessment": {**more}, "update_mask": mask})

    yield script(
        "assessments",
        experiment("exp"),
        start("as-a"),
        start(
            "as-b",
            assessments=[
                {"assessment_name": "early", "source": human, **when, "feedback": {"value": True}},
            ],
        ),
        judge("f", capture="f", feedback={"value": 0.5}, rationale="because", metadata={"a": "b"}),
        judge("whole", feedback={"value": 1}),
        judge("yes", feedback={"value": "yes"}),
        judge("list", feedback={"value": [1, "a", True]}),
        judge("map", feedback={"value": {"a": 1}}),
        judge("none", feedback={"value": None}),
        judge("no value", feedback={}),
        judge(
            "broken",
            feedback={
                "error": {"error_code": "E", "error_message": "m", "stack_trace": "s" * 10_001}
            },
        ),
        judge("e", capture="e", expectation={"value": "want"}, span_id="0102"),
        judge(
            "e list",
            expectation={
                "serialized_value": {"serialization_format": "JSON_FORMAT", "value": "[1, 2]"}
            },
        ),
        judge(
            "e bad",
            expectation={"serialized_value": {"serialization_format": "XML", "value": "[1, 2]"}},
        ),
        judge("i-1", capture="i", issue={"issue_name": "slow"}),
        judge("nothing"),
        judge("f", trace="none", feedback={"value": 1}),
        judge("llm", feedback={"value": 1}, source={"source_type": "LLM_JUDGE"}),
        judge("over", capture="o", feedback={"value": 1}, overrides="{f}"),
        judge("over none", feedback={"value": 1}, overrides="none"),
        post3("/as-a/assessments", {}),
        get3("/as-a/assessments/{f}"),
        get3("/as-a/assessments/{e}"),
        get3("/as-a/assessments/{i}"),
        get3("/as-a/assessments/none"),
        get3("/none/assessments/{f}"),
        get3("/as-b"),
        get3("/as-a"),
        change("feedback", feedback={"value": 0.7}),
        change("rationale,assessmentName", rationale="new", assessment_name="renamed"),
        change("metadata", metadata={"c": "d"}),
        change("feedback", feedback={"error": {"error_code": "X"}}),
        change("expectation", expectation={"value": 1}),
        change("expectation", "{e}", expectation={"value": 1}),
        change("feedback", "{e}", feedback={"value": 1}),
        change("rationale", "{e}", rationale="x"),
        change("feedback", "none", feedback={"value": 1}),
        patch3("/none/assessments/{f}", {"assessment": {}, "update_mask": "rationale"}),
        patch3("/as-a/assessments/{f}", {"assessment": {}}),
        patch3("/as-a/assessments/{f}", {"update_mask": "rationale"}),
        get3("/as-a/assessments/{f}"),
        delete3("/as-a/assessments/{o}"),
        get3("/as-a/assessments/{f}"),
        delete3("/as-a/assessments/{o}"),
        delete3("/none/assessments/{o}"),
        get3("/as-a/assessments/{o}"),
    )


def deleting():
    def remove(**more):
        return post3("/delete-traces", {"experiment_id": "{exp}", **more})

    yield script(
        "deleting traces",
        experiment("exp"),
        [start(f"de-{n}", at=f"1970-01-01T00:00:0{n}Z") for n in range(1, 8)],
        spans(span(0xD0, 1, start=8000, end=9000)),
        remove(),
        remove(max_traces=1),
        remove(request_ids=["de-1"], max_timestamp_millis=5),
        remove(request_ids=["de-1"], max_traces=1),
        remove(max_timestamp_millis=3000, max_traces=0),
        remove(max_timestamp_millis="x"),
        remove(request_ids="de-1"),
        remove(request_ids=["de-1", "none"]),
        remove(request_ids=["de-1"]),
        remove(max_timestamp_millis=4000, max_traces=2),
        find(),
        remove(max_timestamp_millis=5000),
        find(),
        post("/traces/delete-traces", {"experiment_id": "{exp}", "request_ids": ["de-6"]}),
        post3("/delete-traces", {"request_ids": ["de-6"]}),
        post3("/delete-traces", {"experiment_id": "777777", "request_ids": ["de-7"]}),
        remove(request_ids=[f"tr-{0xD0:032x}"]),
        get3("/get", trace_id=f"tr-{0xD0:032x}"),
        find(),
    )
