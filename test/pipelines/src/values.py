"""Parameters of every type and of awkward content, through Python and back."""

from typing import Dict, List, NamedTuple, Optional

from kfp import dsl


@dsl.component(base_image="python:3.11")
def echo_text(value: str) -> str:
    return value


@dsl.component(base_image="python:3.11")
def echo_int(value: int) -> int:
    assert isinstance(value, int), type(value)
    return value


@dsl.component(base_image="python:3.11")
def echo_float(value: float) -> float:
    return value


@dsl.component(base_image="python:3.11")
def echo_bool(value: bool) -> bool:
    assert isinstance(value, bool), type(value)
    return value


@dsl.component(base_image="python:3.11")
def echo_list(value: List) -> List:
    return value


@dsl.component(base_image="python:3.11")
def echo_dict(value: Dict) -> Dict:
    return value


@dsl.component(base_image="python:3.11")
def length(value: str) -> int:
    return len(value)


@dsl.component(base_image="python:3.11")
def make_long(size: int) -> str:
    return "é" * size


@dsl.component(base_image="python:3.11")
def defaults(
    text: str = "de'f\"ault",
    empty: str = "",
    count: int = 3,
    zero: int = 0,
    ratio: float = 2.0,
    flag: bool = True,
    off: bool = False,
    items: List[int] = [1, 2],
    none: Optional[str] = None,
    mapping: Dict[str, int] = {"k": 1},
) -> str:
    return repr((text, empty, count, zero, ratio, flag, off, items, none, mapping))


@dsl.component(base_image="python:3.11")
def several(n: int) -> NamedTuple(
    "Many",
    [("a", int), ("b", str), ("c", List[int]), ("d", Dict[str, int]), ("e", bool), ("f", float)],
):
    from collections import namedtuple

    return namedtuple("Many", "a b c d e f")(n, str(n), [n], {"n": n}, n > 1, n / 2)


@dsl.component(base_image="python:3.11")
def together(a: int, b: str, c: List[int], d: Dict[str, int], e: bool, f: float) -> str:
    return repr((a, b, c, d, e, f))


@dsl.component(base_image="python:3.11")
def write_path(
    n: int, out: dsl.OutputPath(int), text: dsl.OutputPath(str), flags: dsl.OutputPath(list)
):
    for path, value in ((out, n), (text, "line one\nline two\n"), (flags, "[true, null]")):
        with open(path, "w") as f:
            f.write(str(value))


@dsl.pipeline(name="value-types")
def types(
    text: str = "text",
    count: int = 42,
    ratio: float = 0.25,
    flag: bool = False,
    items: List = [1, "two", [3.5], {"four": [[]]}, True, ""],
    mapping: Dict = {"a": {"b": [1, {"c": "ü"}]}},
) -> str:
    """Each type as an input with a default, through a component, and out again."""
    echo_int(value=count)
    echo_float(value=ratio)
    echo_bool(value=flag)
    echo_list(value=echo_list(value=items).output)
    echo_dict(value=echo_dict(value=mapping).output)
    many = several(n=2)
    together(**{k: many.outputs[k] for k in "abcdef"})
    paths = write_path(n=count)
    echo_int(value=paths.outputs["out"])
    echo_text(value=paths.outputs["text"])
    echo_list(value=paths.outputs["flags"])
    return echo_text(value=text).output


@dsl.pipeline(name="value-text")
def awkward():
    """Text that shells, JSON, YAML, CEL or a template could take for their own."""
    for value in [
        "",
        " leading and trailing ",
        "two\nlines\n",
        "tab\tcarriage\rreturn",
        "quotes ' \" ` and \\ backslash \\n",
        "$HOME ${PATH} $(id) `id` ; rm -rf / & | > < * ? ~ # !",
        "ünïcødé — 漢字 🌊 \u200b",
        "null",
        "true",
        "0123",
        "1e5",
        "1e-5",
        "08",
        "00089",
        "-.5",
        "2026-01-02",
        "12:30:45",
        "1_000",
        "~",
        '{"json": [1, "two"]}',
        "- yaml: list",
        "{{ jinja }} {{$ not one }} {{}} %(percent)s %d",
        "</script><b>&amp;",
        "--option",
    ]:
        echo_text(value=value)


@dsl.pipeline(name="value-numbers")
def numbers():
    """Whole numbers up to 2^53 are exact; floats keep every digit."""
    for n in [0, -1, 2**31, -(2**53), 10**15]:
        echo_int(value=n)
    for x in [0.1, -2.5, 1e300, 5e-324, 1.0, 123456789.123456789, 1e21]:
        echo_float(value=x)


@dsl.pipeline(name="value-long")
def long(size: int = 1000000):
    """A text of a million characters (two megabytes) goes from task to task."""
    made = make_long(size=size)
    length(value=made.output)
    length(value=f"{made.output}{made.output}")


@dsl.pipeline(name="value-defaults")
def default_values(given: Optional[str] = None):
    defaults()
    defaults(text="", count=-1, ratio=0.0, flag=False, items=[], mapping={})
    defaults(none=given, text="given None")


ALL = [types, awkward, numbers, long, default_values]
