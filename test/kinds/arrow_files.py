"""Writes tables as Arrow files and streams of every kind, and what their values are as people read them.

python arrow_files.py DIR ROWS RESULTS
"""

import datetime as dt
import json
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc


def number(v: float) -> str:
    return repr(int(v)) if v == int(v) else repr(v)


def moment(v) -> str:
    text = v.strftime("%H:%M:%S")
    if isinstance(v, dt.datetime):
        text = f"{v.year:04}-{v.month:02}-{v.day:02} {text}"
    return text + (f".{v.microsecond:06}".rstrip("0") if v.microsecond else "")


def shown(v, kind: pa.DataType) -> str | None:
    """A value as Levada shows it."""
    if v is None:
        return None
    if pa.types.is_dictionary(kind):
        return shown(v, kind.value_type)
    if pa.types.is_boolean(kind):
        return "true" if v else "false"
    if pa.types.is_integer(kind) or pa.types.is_duration(kind):
        return str(v)
    if pa.types.is_floating(kind):
        return number(v)
    if pa.types.is_decimal(kind):
        return str(v) if kind.precision > 20 else number(float(v))
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return moment(v)
    if pa.types.is_date(kind):
        return v.isoformat()
    if isinstance(v, bytes):
        return f"{len(v)} bytes: {v[:16].hex()}"
    if isinstance(v, str):
        return v or '""'
    if pa.types.is_map(kind):
        v = [{"key": a, "value": b} for a, b in v]
        inner = pa.struct([("key", kind.key_type), ("value", kind.item_type)])
        return listed(v, inner)
    if pa.types.is_struct(kind):
        parts = [f"{f.name}: {shown(v[f.name], f.type) or 'null'}" for f in kind]
        return "{" + ", ".join(parts) + "}"
    return listed(v, kind.value_type)


def listed(values: list, kind: pa.DataType) -> str:
    parts = [shown(v, kind) or "null" for v in values[:20]]
    more = f", … {len(values)} values" if len(values) > 20 else ""
    return "[" + ", ".join(parts) + more + "]"


def columns(rng: np.random.Generator, n: int) -> dict[str, pa.Array]:
    def some(of, share: float = 0.15) -> list:
        return [None if rng.random() < share else of(i) for i in range(n)]

    def whole(low: int, high: int):
        return lambda _: int(rng.integers(low, high, endpoint=True))

    def text(_) -> str:
        words = ["", "a", "gämma", "日本", "a longer text of more than twelve bytes", "x" * 40]
        return words[rng.integers(0, len(words))]

    def quarter(_) -> float:
        return float(rng.integers(-4000, 4000)) / 4

    def raw(_) -> bytes:
        return b"\x00" + rng.bytes(int(rng.integers(0, 30)))

    def instant(_) -> dt.datetime:
        return dt.datetime(1970, 1, 1) + dt.timedelta(
            seconds=int(rng.integers(-(10**9), 2 * 10**9))
        )

    def micro(_) -> dt.datetime:
        return instant(0) + dt.timedelta(microseconds=int(rng.integers(0, 10**6)))

    def several(of, most: int = 30):
        return lambda i: [
            of(i) if rng.random() < 0.9 else None for _ in range(rng.integers(0, most))
        ]

    small = pa.array(
        some(lambda _: Decimal(int(rng.integers(-(10**6), 10**6))).scaleb(-2)), pa.decimal128(12, 2)
    )
    long = some(lambda _: Decimal(int(rng.integers(1, 10**6)) * 10**20 + 7).scaleb(-4))
    # Columns of pandas have offsets that do not begin at zero; so do slices.
    sliced = pa.array(["before", "it", *some(text), "after"]).slice(2, n)
    codes = pa.array(some(whole(0, 3)), pa.int8())
    return {
        "i8": pa.array(some(whole(-128, 127)), pa.int8()),
        "u8": pa.array(some(whole(0, 255)), pa.uint8()),
        "i16": pa.array(some(whole(-(2**15), 2**15 - 1)), pa.int16()),
        "u16": pa.array(some(whole(0, 2**16 - 1)), pa.uint16()),
        "i32": pa.array(some(whole(-(2**31), 2**31 - 1)), pa.int32()),
        "u32": pa.array(some(whole(0, 2**32 - 1)), pa.uint32()),
        "i64": pa.array(some(whole(-(2**62), 2**62)), pa.int64()),
        "u64": pa.array(some(lambda _: 2**63 + int(rng.integers(0, 2**60))), pa.uint64()),
        "f16": pa.array(
            [None if v is None else np.float16(v / 8) for v in some(quarter)], pa.float16()
        ),
        "f32": pa.array(some(quarter), pa.float32()),
        "f64": pa.array(some(quarter), pa.float64()),
        "bool": pa.array(some(lambda _: bool(rng.random() < 0.5)), pa.bool_()),
        "utf8": pa.array(some(text), pa.utf8()),
        "large_utf8": pa.array(some(text), pa.large_utf8()),
        "utf8_view": pa.array(some(text), pa.string_view()),
        "sliced": sliced,
        "binary": pa.array(some(raw), pa.binary()),
        "large_binary": pa.array(some(raw), pa.large_binary()),
        "fixed": pa.array(some(lambda _: b"\x01" + rng.bytes(4)), pa.binary(5)),
        "date32": pa.array(some(lambda i: instant(i).date()), pa.date32()),
        "date64": pa.array(some(lambda i: instant(i).date()), pa.date64()),
        "time32": pa.array(some(lambda i: instant(i).time()), pa.time32("s")),
        "time64": pa.array(some(lambda i: micro(i).time()), pa.time64("us")),
        "at_s": pa.array(some(instant), pa.timestamp("s")),
        "at_ms": pa.array(some(instant), pa.timestamp("ms", tz="UTC")),
        "at_us": pa.array(some(micro), pa.timestamp("us")),
        "at_ns": pa.array(some(micro), pa.timestamp("ns")),
        "duration": pa.array(some(whole(-1000, 1000)), pa.int64()).cast(pa.duration("ms")),
        "small_decimal": small,
        "long_decimal": pa.array(long, pa.decimal128(38, 4)),
        "huge_decimal": pa.array(long, pa.decimal256(50, 4)),
        "null": pa.nulls(n),
        "codes": pa.DictionaryArray.from_arrays(codes, ["UA", "AA", "", "é"]),
        "numbers": pa.DictionaryArray.from_arrays(codes, pa.array([7, None, 9, 11], pa.int32())),
        "list": pa.array(some(several(whole(-9, 9))), pa.list_(pa.int32())),
        "large_list": pa.array(some(several(text)), pa.large_list(pa.utf8())),
        "fixed_list": pa.array(
            some(lambda i: [quarter(i) for _ in range(3)]), pa.list_(pa.float32(), 3)
        ),
        "lists": pa.array(some(several(several(whole(0, 9), 4), 4)), pa.list_(pa.list_(pa.int8()))),
        "map": pa.array(some(lambda i: [("k", whole(0, 9)(i))]), pa.map_(pa.utf8(), pa.int64())),
        "structs": pa.array(
            some(several(lambda i: {"a": whole(0, 9)(i), "b": None}, 4)),
            pa.list_(pa.struct([("a", pa.int8()), ("b", pa.utf8())])),
        ),
        "parts": pa.array(
            some(lambda i: {"x": quarter(i), "y": None if rng.random() < 0.3 else text(i)}),
            pa.struct([("x", pa.float64()), ("y", pa.utf8())]),
        ),
    }


def expected(table: pa.Table) -> dict[str, list]:
    out = {}
    for name, kind, column in zip(table.schema.names, table.schema.types, table.columns):
        values = (
            column.cast(pa.int64()).to_pylist()
            if pa.types.is_duration(kind)
            else column.to_pylist()
        )
        if pa.types.is_struct(kind):
            for f in kind:
                out[f"{name}.{f.name}"] = [
                    None if v is None else shown(v[f.name], f.type) for v in values
                ]
        else:
            out[name] = [shown(v, kind) for v in values]
    return out


def main():
    folder, rows = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns(np.random.default_rng(3), rows))
    for codec in (None, "lz4", "zstd"):
        options = ipc.IpcWriteOptions(compression=codec)
        name = codec or "plain"
        with ipc.new_file(folder / f"{name}.arrow", table.schema, options=options) as w:
            w.write_table(table, max_chunksize=max(1, rows // 3))
        with ipc.new_stream(folder / f"{name}-stream.arrow", table.schema, options=options) as w:
            w.write_table(table, max_chunksize=max(1, rows // 3))
    old = ipc.IpcWriteOptions(use_legacy_format=True)
    with ipc.new_stream(folder / "legacy.arrow", table.schema, options=old) as w:
        w.write_table(table)
    views = [n for n in table.schema.names if n == "utf8_view"]
    feather.write_feather(table.drop_columns(views), str(folder / "default.feather"))
    # Dictionaries that grow, and that are replaced.
    for name, deltas in (("delta", True), ("replaced", False)):
        options = ipc.IpcWriteOptions(emit_dictionary_deltas=deltas)
        parts = [
            pa.array(v).dictionary_encode()
            for v in (["a", "b", None], ["a", "b", "c"], ["a", "b", "c", "d"])
        ]
        batches = [pa.record_batch([p], names=["codes"]) for p in parts]
        with ipc.new_stream(folder / f"{name}.arrow", batches[0].schema, options=options) as w:
            for b in batches:
                w.write_batch(b)
    grown = {"codes": ["a", "b", None, "a", "b", "c", "a", "b", "c", "d"]}
    whole = expected(table)
    tables = {"whole": whole, "grown": grown}
    tables["without views"] = {k: v for k, v in whole.items() if k not in views}
    files = {p.name: "whole" for p in folder.glob("*.arrow")}
    files |= {"default.feather": "without views", "delta.arrow": "grown", "replaced.arrow": "grown"}
    out = {"files": files, "tables": tables}
    with open(sys.argv[3], "w") as f:
        json.dump(out, f, ensure_ascii=False)


main()
