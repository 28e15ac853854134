"""Writes the Parquet files of these tests: python make.py (pyarrow 14 or later)."""

import datetime as dt
import decimal
import uuid

import pyarrow as pa
import pyarrow.parquet as pq

n = 300


def some(values: list, i: int, null: int = 7) -> object:
    return None if i % null == 3 else values[i % len(values)]


day = dt.datetime(2013, 1, 1, 5, 17)
table = pa.table(
    {
        "id": pa.array(range(n), pa.int64()),
        "small": pa.array([some([-3, 0, 127], i) for i in range(n)], pa.int8()),
        "unsigned": pa.array([some([0, 2**32 - 1], i) for i in range(n)], pa.uint32()),
        "huge": pa.array([some([0, 2**64 - 1], i) for i in range(n)], pa.uint64()),
        "delay": pa.array([some([1.5, -2.25, 1e300], i) for i in range(n)], pa.float64()),
        "single": pa.array([some([0.1, 3.5], i) for i in range(n)], pa.float32()),
        "late": pa.array([some([True, False, False], i) for i in range(n)], pa.bool_()),
        "carrier": pa.array([some(["UA", "AA", "<b>DL</b>", "é\u202e"], i) for i in range(n)]),
        "text": pa.array([f"number {i * 7919 % n:04d}" for i in range(n)]),
        "at": pa.array(
            [some([day + dt.timedelta(hours=i)], i) for i in range(n)], pa.timestamp("us")
        ),
        "ms": pa.array([some([day], i) for i in range(n)], pa.timestamp("ms")),
        "date": pa.array([some([dt.date(1969, 12, 31), dt.date(2013, 1, 2)], i) for i in range(n)]),
        "time": pa.array([some([dt.time(5, 17, 3)], i) for i in range(n)], pa.time64("us")),
        "price": pa.array(
            [some([decimal.Decimal("12.30"), decimal.Decimal("-0.05")], i) for i in range(n)],
            pa.decimal128(20, 2),
        ),
        "bytes": pa.array([some([b"\x00\xff\x01", b"ok"], i) for i in range(n)], pa.binary()),
        "key": pa.array([uuid.UUID(int=i).bytes for i in range(n)], pa.binary(16)),
        "tags": pa.array(
            [some([[], ["a", None, "b"], ["c"] * 25], i) for i in range(n)], pa.list_(pa.string())
        ),
        "nested": pa.array(
            [some([{"x": 1, "y": [1.5, 2.5]}, {"x": None, "y": None}], i) for i in range(n)]
        ),
        "map": pa.array(
            [some([[("k", 1)], []], i) for i in range(n)], pa.map_(pa.string(), pa.int32())
        ),
        "none": pa.array([None] * n, pa.string()),
    }
)
pq.write_table(table, "types.parquet", compression="snappy")
pq.write_table(
    table, "plain.parquet", compression="none", use_dictionary=False, data_page_version="1.0"
)
pq.write_table(
    table,
    "pages.parquet",
    compression="zstd",
    data_page_version="2.0",
    data_page_size=200,
    row_group_size=70,
    write_page_index=True,
)
pq.write_table(
    table,
    "gzip.parquet",
    compression="gzip",
    use_dictionary=False,
    data_page_version="2.0",
    row_group_size=128,
)
delta = dict.fromkeys(
    ["id", "small", "unsigned", "huge", "at", "ms", "date", "time"], "DELTA_BINARY_PACKED"
)
delta |= {
    "carrier": "DELTA_LENGTH_BYTE_ARRAY",
    "text": "DELTA_BYTE_ARRAY",
    "delay": "BYTE_STREAM_SPLIT",
    "single": "BYTE_STREAM_SPLIT",
    "late": "RLE",
}
pq.write_table(
    table,
    "delta.parquet",
    compression="snappy",
    use_dictionary=False,
    column_encoding=delta,
    data_page_size=500,
)
pq.write_table(table.slice(0, 0), "empty.parquet")
pq.write_table(pa.table({"a": [1, 2, 3]}), "brotli.parquet", compression="brotli")
