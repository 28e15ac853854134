"""Where Levada answers otherwise than MLflow on purpose, each with the reason."""

import json
import re

# Parts of messages that are not compared: lists that Python prints in any order, and words of the database.
REWRITES = [
    (re.compile(r"Valid keys are .*"), "Valid keys are <list>"),
    (re.compile(r"Invalid comparator.*"), "Invalid comparator"),
    (re.compile(r"different type in list: .*"), "different type in list: <list>"),
    (re.compile(r"Expected one of \(.*"), "Expected one of <list>"),
    (
        re.compile(r"Invalid clause\(s\) in filter string: .*"),
        "Invalid clause(s) in filter string: <clauses>",
    ),
    (re.compile(r"already exists\. Error: .*", re.DOTALL), "already exists."),
    (re.compile(r"mandatory fields: \{.*\}"), "mandatory fields: {<fields>}"),
    (re.compile(r"already exists\.$"), "already exists."),
    (
        re.compile(r"Registered Model \(name=([^)]*)\) already exists\.?.*", re.DOTALL),
        r"Registered Model (name=\1) already exists.",
    ),
]


def message(text):
    """Returns the part of a message that must be equal."""
    for pattern, replacement in REWRITES:
        text = pattern.sub(replacement, text)
    return text


# name: (which steps, reason)
ON_PURPOSE = {}
_used = set()


def on_purpose(name, why):
    """Declares a difference; the function says whether a step is meant."""

    def declare(matches):
        ON_PURPOSE[name] = (matches, why)
        return matches

    return declare


def reason(script, step, want, got):
    """Returns why a step may differ, or nothing."""
    for name, (matches, why) in ON_PURPOSE.items():
        if matches(script, step, want, got):
            _used.add(name)
            return why
    return None


def unused():
    """Returns the differences that no step showed."""
    return sorted(set(ON_PURPOSE) - _used)


def same_kind(want, got):
    """Reports whether both refuse with the same status and code, in other words."""
    return (
        want[0] == got[0] >= 400
        and want[1]
        and got[1]
        and want[1].get("error_code") == got[1].get("error_code")
    )


@on_purpose(
    "database errors",
    "MLflow answers with the text of an SQL error, or a bare status 500; here it is an error with a reason",
)
def _(script, step, want, got):
    return ((want[1] is None and want[0] == 500) or "sqlite3." in str(want[1])) and got[0] == 400


@on_purpose(
    "no experiment",
    "a run without an experiment goes to the default one; MLflow fails on a foreign key of its database",
)
def _(script, step, want, got):
    return step["path"].endswith("/runs/create") and "FOREIGN KEY" in str(want[1]) and got[0] == 200


@on_purpose("page tokens", "what Python's base64 makes of a token that is none is not repeated")
def _(script, step, want, got):
    return (
        same_kind(want, got)
        and "page token" in want[1]["message"]
        and "page token" in got[1]["message"]
    )


@on_purpose(
    "malformed filters",
    "what cannot be read is refused with the same code; which word of it is blamed differs",
)
def _(script, step, want, got):
    return (
        same_kind(want, got)
        and "search" in step["path"]
        and "filter" in str(step.get("body") or step.get("query"))
    )


@on_purpose(
    "empty names",
    "a filter on a tag without a name matches nothing in MLflow, and an order by a metric without one changes "
    "nothing; here they are refused",
)
def _(script, step, want, got):
    return any(part in text_of(step) for part in ("tags. =", "'metrics.'")) and got[0] == 400


def text_of(step):
    """Returns what a step asks for, as text."""
    return str(step.get("body") or step.get("query"))


@on_purpose(
    "wrong types",
    "a value of the wrong type or an unknown word for a kind is refused; MLflow takes some of them for something else",
)
def _(script, step, want, got):
    hint = got[0] == 400 and "Hint: Value was of type" in got[1]["message"]
    return hint and step["path"].endswith("search")


@on_purpose(
    "failures", "MLflow fails, without a reason or with Python's; here it is an error or works"
)
def _(script, step, want, got):
    broken = want[0] == 500 or (want[0] == 400 and want[1]["error_code"] == "BAD_REQUEST")
    explained = got[0] in (200, 400) and "sqlite3." not in str(want[1])
    return broken and explained and step["path"].endswith("search")


# What is understood here although MLflow refuses it, or takes the quotes for a part of the value.
LENIENT = (
    "IS   NOT   NULL",
    "name like 'A%'",
    "name Like 'a%'",
    "experiment_id LIKE",
    "`name` = 'a'",
    "`source_path` = 'a'",
    "'order_by': ['`name`']",
    "'order_by': [' start_time']",
    "'order_by': [' name ']",
    "'order_by': ['tags.g']",
    "'field_name': 'last_updated_time'",
    "'name = \"a\"'",
    'tags."a b" = ',
    "tags.'a b' = ",
)


@on_purpose(
    "more is understood", "blanks, quotes and lower case are read alike in every kind of search"
)
def _(script, step, want, got):
    return got[0] == 200 and any(part in text_of(step) for part in LENIENT)


@on_purpose(
    "tokens made by hand", "an offset that is negative or a text is no page; MLflow counts with it"
)
def _(script, step, want, got):
    return want[0] == 200 and got[0] == 400 and "page token" in got[1]["message"]


@on_purpose("pages of less than one", "MLflow answers with a page token alone")
def _(script, step, want, got):
    return (
        "'max_results': -1" in text_of(step)
        and got[0] == 400
        and "max_results" in got[1]["message"]
    )


@on_purpose("empty lists", "IN () is refused in every kind of search")
def _(script, step, want, got):
    return "IN ()" in text_of(step) and got[0] == 400


@on_purpose(
    "ids that are none", "an experiment that does not exist has no runs, whatever its id looks like"
)
def _(script, step, want, got):
    return "x'; --" in text_of(step) and "must be a valid integer" in str(want[1])


@on_purpose("blanks in order_by", "a blank at the end of an order_by clause is harmless")
def _(script, step, want, got):
    return (
        want[0] == 400
        and got[0] == 200
        and (step.get("body") or {}).get("order_by") == ["metrics.acc DESC "]
    )


@on_purpose(
    "random ids", "what is sorted by the ids of runs comes in another order: the ids are random"
)
def _(script, step, want, got):
    body = step.get("body") or {}
    by_id = body.get("order_by") in (["run_id"], ["run_id DESC"]) or step["path"].endswith(
        "get-history-bulk"
    )
    return (
        by_id
        and want[0] == got[0] == 200
        and sorted(map(len, want[1].values())) == sorted(map(len, got[1].values()))
    )


@on_purpose(
    "backslashes",
    "a path with a backslash is refused everywhere, not on Windows alone: files may be downloaded there",
)
def _(script, step, want, got):
    return "%5c" in step["path"] and want[0] == 404 and got[0] == 400


@on_purpose(
    "datasets without digest",
    "a dataset filter without a digest means any digest; in MLflow it matches nothing",
)
def _(script, step, want, got):
    return (step.get("body") or {}).get("datasets") == [{"dataset_name": "dn"}] and want[1] == {}


@on_purpose(
    "foreign hosts", "the same sources are refused; MLflow's message names a setting of its own"
)
def _(script, step, want, got):
    return same_kind(want, got) and "addresses a host other" in want[1]["message"]


def about_traces(step):
    return "/traces" in step["path"] or "get-trace-artifact" in step["path"]


@on_purpose(
    "wrong values in traces",
    "a trace or assessment with a wrong value or an unusable id is refused whole; MLflow stores what it could read",
)
def _(script, step, want, got):
    return (
        script == "traces with wrong values"
        and got[0] == 400
        and "Invalid " in got[1]["message"]
        and step["method"] == "POST"
    )


@on_purpose(
    "the place of a trace",
    "clients cannot change where the files of a trace are; in MLflow they can, but not while it begins",
)
def _(script, step, want, got):
    return "mlflow.artifactLocation" in str(step.get("body")) and (
        (got[0] == 400 and "immutable" in got[1]["message"]) or (want[0] == 404 and got[0] == 200)
    )


@on_purpose(
    "no experiment of a trace",
    "a trace without an experiment is in the default one, and a wrong id is refused; MLflow fails on both",
)
def _(script, step, want, got):
    return about_traces(step) and want[0] == 500 and "int()" in want[1]["message"] and got[0] < 500


@on_purpose(
    "states that are none", "MLflow fails with an internal error; here the state is refused"
)
def _(script, step, want, got):
    return want[0] == 500 and "is not a valid TraceState" in want[1]["message"] and got[0] == 400


@on_purpose(
    "a trace that is told again", "the answer has all tags, not only those that were there before"
)
def _(script, step, want, got):
    return "'again': '1'" in str(step.get("body")) and got[0] == want[0] == 200


@on_purpose(
    "spans without end",
    "a trace whose spans have not ended has no duration; in MLflow it is negative",
)
def _(script, step, want, got):
    return script == "spans" and '"execution_duration": "-' in json.dumps(want[1]) and got[0] == 200


@on_purpose(
    "answers in JSON", "spans that come as JSON are answered in JSON, as OpenTelemetry wants it"
)
def _(script, step, want, got):
    return step["path"] == "/v1/traces" and want == [200, None] and got == [200, {}]


@on_purpose(
    "files of traces", "the same things are missing or refused; messages and codes are others"
)
def _(script, step, want, got):
    return "get-trace-artifact" in step["path"] and want[0] == got[0] >= 400


@on_purpose(
    "text in filters", "trace.text may be written text; MLflow takes that word for one of SQL"
)
def _(script, step, want, got):
    return (step.get("body") or {}).get("filter") == "text LIKE '%needle%'" and got[0] == 200


@on_purpose("regular expressions", "one that is none is refused; in MLflow it matches nothing")
def _(script, step, want, got):
    return "RLIKE '('" in str(step.get("body")) and got[0] == 400


@on_purpose(
    "status of a webhook",
    "a status that there is not is refused; MLflow takes it for none and makes the webhook active",
)
def _(script, step, want, got):
    return (step.get("body") or {}).get("status") == "NONE" and want[0] == 200 and got[0] == 400


@on_purpose(
    "uploads in parts",
    "uploads in parts and signed URLs work with files that the server keeps itself; MLflow has them for "
    "object stores only, so clients that ask for them here would get errors or one slow request",
)
def _(script, step, want, got):
    return script == "uploads" and "is not supported for" in str(want[1]) and got[0] in (200, 404)
