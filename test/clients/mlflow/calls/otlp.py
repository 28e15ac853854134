"""Spans as OpenTelemetry's protocol writes them, in protobuf and in JSON."""

import gzip
import struct
import zlib


def _varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def _field(number, value):
    """A field that is bytes, a text, a message (bytes) or an integer."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value % (1 << 64))
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _fixed(number, value):
    return _varint(number << 3 | 1) + struct.pack("<Q", value)


def _any(value):
    if value is None:
        return b""
    if isinstance(value, bool):
        return _field(2, int(value))
    if isinstance(value, int):
        return _field(3, value)
    if isinstance(value, float):
        return _varint(4 << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, list):
        return _field(5, b"".join(_field(1, _any(v)) for v in value))
    if isinstance(value, dict):
        return _field(6, _pairs(1, value))
    return _field(1, value)


def _pairs(number, attributes):
    return b"".join(
        _field(number, _field(1, k) + _field(2, _any(v))) for k, v in attributes.items()
    )


def _span(s):
    out = _field(1, bytes.fromhex(s["trace"])) + _field(2, bytes.fromhex(s["id"]))
    if s.get("parent"):
        out += _field(4, bytes.fromhex(s["parent"]))
    out += _field(5, s["name"]) + _fixed(7, s["start"])
    if s.get("end"):
        out += _fixed(8, s["end"])
    out += _pairs(9, s.get("attributes", {}))
    for e in s.get("events", []):
        out += _field(
            11, _fixed(1, e["time"]) + _field(2, e["name"]) + _pairs(3, e.get("attributes", {}))
        )
    for link in s.get("links", []):
        out += _field(
            13,
            _field(1, bytes.fromhex(link["trace"]))
            + _field(2, bytes.fromhex(link["id"]))
            + _pairs(4, link.get("attributes", {})),
        )
    if s.get("status"):
        out += _field(15, _field(2, s.get("message", "")) + _field(3, s["status"]))
    return out


def protobuf(*spans, resource=None):
    """An ExportTraceServiceRequest."""
    scope = b"".join(_field(2, _span(s)) for s in spans)
    return _field(1, _field(1, _pairs(1, resource or {})) + _field(2, scope))


def _json_any(value):
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_json_any(v) for v in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _json_pairs(value)}}
    return {"stringValue": value}


def _json_pairs(attributes):
    return [{"key": k, "value": _json_any(v)} for k, v in attributes.items()]


def json_body(*spans, resource=None):
    """The same as JSON."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _json_pairs(resource or {})},
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": s["trace"],
                                "spanId": s["id"],
                                "parentSpanId": s.get("parent", ""),
                                "name": s["name"],
                                "startTimeUnixNano": str(s["start"]),
                                "endTimeUnixNano": str(s.get("end", 0)),
                                "attributes": _json_pairs(s.get("attributes", {})),
                                "status": {"code": s.get("status", 0)},
                            }
                            for s in spans
                        ]
                    }
                ],
            }
        ]
    }


def export(body, **headers):
    """Sends spans; without a content type they are protobuf where they are bytes."""
    kind = "application/x-protobuf" if isinstance(body, bytes) else "application/json"
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    return {
        "method": "POST",
        "path": "/v1/traces",
        "body": body,
        "headers": {"Content-Type": kind, "x-mlflow-experiment-id": "{exp}", **headers},
    }


def spans(*list_, resource=None, **headers):
    return export(protobuf(*list_, resource=resource), **headers)


def compressed(how, *list_):
    data = protobuf(*list_)
    data = {"gzip": gzip.compress(data, mtime=0), "deflate": zlib.compress(data)}[how]
    return export(data, Content_Encoding=how)


def span(trace, number, name="s", parent=None, start=1_000, end=2_000, **more):
    """A span of a trace; ids are numbers, times milliseconds."""
    return {
        "trace": f"{trace:032x}",
        "id": f"{number:016x}",
        "parent": f"{parent:016x}" if parent else "",
        "name": name,
        "start": start * 1_000_000,
        "end": (end or 0) * 1_000_000,
        **more,
    }
