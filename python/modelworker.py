"""The model worker: a process that has one model loaded and answers batches of requests.

The server starts it as `python modelworker.py`, with a Unix stream socket as descriptor 3, and talks to it in
frames. All numbers are little-endian. A frame is

    length      uint32    bytes that follow
    id          uint32    the same in the answer
    kind        uint16    see below
    parts       uint16    number of buffers
    rows        uint32    of the batch; what -1 as first dimension in the header stands for
    head        uint32    bytes of the header, with its padding
    sizes       uint64    for each buffer
    header      JSON, padded with spaces so that the buffers begin at a multiple of 8 bytes after the length
    buffers     each padded with zeros to a multiple of 8 bytes

    server -> worker   LOAD     {"path": "...", "flavors": {...}, "signature": {...}, "example": {...}}
                       PREDICT  {"inputs": [{"name", "datatype", "shape", "content"}], "parameters": {...},
                                 "content": "pd" | "np" | ""}, and a buffer for each input
                       CHECK    {}
    worker -> server   OK       LOAD: {"python", "warmed", "note"}; CHECK: {}
                                PREDICT: {"outputs": [{"name", "datatype", "shape", "content"}], "content": ...}, and
                                a buffer for each output
                       RAISED   {"error": "the last line of the exception", "trace": "..."}    the model's doing
                       FAILED   the same; the worker's doing, or that of the answer

Buffers are tensors as the Open Inference Protocol has them in binary form: elements one after the other, row-major; a
BYTES element is its length as uint32 and then its bytes. The server joins requests along the first dimension, so
nothing here knows of single requests.

The worker ends when the server closes its end. It has no threads of its own.
"""

import importlib
import json
import os
import platform
import socket
import struct
import sys
import traceback

PREFIX = struct.Struct("<I")
FIXED = struct.Struct("<IHHII")
LOAD, PREDICT, CHECK = 1, 2, 3
OK, RAISED, FAILED = 16, 17, 18
# An answer must not be larger; the server takes nothing larger either.
MAX_FRAME = 1 << 30

DTYPES = {
    "BOOL": "?",
    "UINT8": "<u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "<i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
NAMES = {v.lstrip("<"): k for k, v in DTYPES.items()}
NAMES["b1"] = "BOOL"


class GarbageError(Exception):
    """An answer of the model that cannot be sent."""


class Frame:
    """A frame as it was read."""

    __slots__ = ("body", "data", "header", "id", "kind", "rows", "sizes")

    def __init__(self, body: bytearray) -> None:
        self.body = body
        self.id, self.kind, parts, self.rows, head = FIXED.unpack_from(body, 0)
        at = FIXED.size
        self.sizes = struct.unpack_from(f"<{parts}Q", body, at)
        at += 8 * parts
        self.header = bytes(body[at : at + head])
        self.data = at + head


def read_exactly(sock: socket.socket, n: int) -> bytearray:
    """Read n bytes; an end of the stream before is an EOFError."""
    body = bytearray(n)
    view = memoryview(body)
    while n:
        got = sock.recv_into(view[len(body) - n :], n)
        if got == 0:
            raise EOFError
        n -= got
    return body


def read_frame(sock: socket.socket) -> Frame:
    (length,) = PREFIX.unpack(read_exactly(sock, PREFIX.size))
    return Frame(read_exactly(sock, length))


def padding(n: int) -> int:
    return -n % 8


def send_frame(
    sock: socket.socket, number: int, kind: int, rows: int, header: dict, buffers: list
) -> None:
    head = json.dumps(header).encode()
    sizes = [len(b) for b in buffers]
    head += b" " * padding(FIXED.size + 8 * len(buffers) + len(head))
    length = FIXED.size + 8 * len(buffers) + len(head) + sum(n + padding(n) for n in sizes)
    if length > MAX_FRAME:
        raise GarbageError(f"the answer has {length} bytes, which is more than {MAX_FRAME}")
    parts = [PREFIX.pack(length), FIXED.pack(number, kind, len(buffers), rows, len(head))]
    parts.append(struct.pack(f"<{len(sizes)}Q", *sizes))
    parts.append(head)
    for b, n in zip(buffers, sizes):
        parts.append(b)
        parts.append(b"\0" * padding(n))
    sock.sendall(b"".join(parts))


def split_bytes(view: memoryview, n: int) -> list:
    """Take the n elements of a BYTES buffer apart."""
    out = []
    at = 0
    for _ in range(n):
        (size,) = PREFIX.unpack_from(view, at)
        at += 4
        out.append(bytes(view[at : at + size]))
        at += size
    return out


def join_bytes(elements: list) -> bytes:
    parts = []
    for e in elements:
        parts.append(PREFIX.pack(len(e)))
        parts.append(e)
    return b"".join(parts)


class Model:
    """A loaded model, and how inputs become what it takes."""

    def __init__(self, order: dict) -> None:
        self.order = order
        self.signature = order.get("signature") or {}
        self.predict, self.names = load(order)
        self.layouts = {}  # parsed headers by their bytes: few clients send many shapes
        inputs = self.signature.get("inputs") or []
        self.columns = bool(inputs) and "tensor-spec" not in inputs[0]
        # Columns without names are numbered, as MLflow numbers them: transformers looks for that.
        self.numbered = self.columns and not inputs[0].get("name")
        self.outputs = [o.get("name") for o in self.signature.get("outputs") or []]

    def layout(self, frame: Frame) -> dict:
        header = self.layouts.get(frame.header)
        if header is None:
            header = json.loads(frame.header)
            if len(self.layouts) < 100:
                self.layouts[frame.header] = header
        return header

    def arrays(self, frame: Frame, inputs: list) -> list:
        """Make an array of each input, on the bytes of the frame."""
        import numpy as np

        out = []
        at = frame.data
        for spec, size in zip(inputs, frame.sizes):
            shape = spec["shape"]
            if shape and shape[0] == -1:
                shape = [frame.rows, *shape[1:]]
            n = 1
            for d in shape:
                n *= d
            if spec["datatype"] == "BYTES":
                elements = split_bytes(memoryview(frame.body)[at : at + size], n)
                array = np.empty(n, dtype=object)
                content = spec.get("content", "")
                if content == "json":
                    elements = [json.loads(e) for e in elements]
                elif content != "bytes":
                    elements = [e.decode() for e in elements]
                array[:] = elements
            else:
                array = np.frombuffer(
                    frame.body, dtype=DTYPES[spec["datatype"]], count=n, offset=at
                )
                if spec.get("content") == "datetime":
                    array = array.view("datetime64[ns]")
            out.append(array.reshape(shape))
            at += size + padding(size)
        return out

    def table(self, frame: Frame, inputs: list) -> object:
        """Make a pandas DataFrame of columns, or an array where the model makes one of it anyway."""
        import numpy as np
        import pandas as pd

        names = [i if self.numbered else spec["name"] for i, spec in enumerate(inputs)]
        first = inputs[0]
        alike = all(
            i["datatype"] == first["datatype"]
            and i["shape"] in ([-1], [-1, 1])
            and "content" not in i
            for i in inputs
        )
        dtype = np.dtype(DTYPES.get(first["datatype"], "O"))
        if alike and dtype.kind in "fiu" and frame.rows * dtype.itemsize % 8 == 0:
            # The columns lie one after the other in the frame: one block, without a copy.
            block = np.frombuffer(
                frame.body, dtype=dtype, count=frame.rows * len(inputs), offset=frame.data
            )
            block = block.reshape(len(inputs), frame.rows).T
            if names == self.names:
                return block
            return pd.DataFrame(block, columns=names, copy=False)
        columns = []
        for a in self.arrays(frame, inputs):
            if a.ndim == 2 and a.shape[1] == 1:
                a = a[:, 0]
            columns.append(a if a.ndim == 1 else list(a))
        table = pd.DataFrame(dict(enumerate(columns)))  # names may be there twice
        table.columns = names
        return table

    def input(self, frame: Frame, header: dict) -> object:
        """Make what the model's predict takes: a DataFrame, an array, or a dict of arrays."""
        inputs = header["inputs"]
        content = header.get("content", "")
        known = self.signature.get("inputs")
        if not known and content == "" and len(inputs) > 1:
            content = "pd" if all(i["shape"] in ([-1], [-1, 1]) for i in inputs) else "np"
        if self.columns or (content == "pd" and not known):
            return self.table(frame, inputs)
        arrays = self.arrays(frame, inputs)
        if len(arrays) == 1 and not (known and known[0].get("name")):
            return arrays[0]
        return {spec["name"]: a for spec, a in zip(inputs, arrays)}

    def answer(self, frame: Frame) -> tuple:
        header = self.layout(frame)
        result = self.predict(self.input(frame, header), header.get("parameters") or None)
        try:
            return self.encode(result)
        except GarbageError:
            raise
        except Exception as e:
            raise GarbageError(
                f"the model answered a {type(result).__name__} that cannot be sent: {last_line(e)}"
            ) from e

    def encode(self, result: object) -> tuple:
        """Make tensors of what a model answered: the header of the answer, and buffers."""
        import numpy as np

        pd = sys.modules.get("pandas")
        content = "np"
        if pd is not None and isinstance(result, pd.DataFrame):
            named = [(str(c), result.iloc[:, i].to_numpy()) for i, c in enumerate(result.columns)]
            content = "pd"
        elif pd is not None and isinstance(result, pd.Series):
            named = [(self.name(0, 1), result.to_numpy())]
        elif isinstance(result, dict) and result:
            named = [(str(k), v) for k, v in result.items()]
        elif isinstance(result, tuple) and result and all(hasattr(v, "shape") for v in result):
            named = [(self.name(i, len(result)), v) for i, v in enumerate(result)]
        else:
            named = [(self.name(0, 1), result)]
        outputs, buffers = [], []
        for name, value in named:
            spec, buffer = encode_one(np, value)
            spec["name"] = name
            outputs.append(spec)
            buffers.append(buffer)
        return {"outputs": outputs, "content": content}, buffers

    def name(self, i: int, n: int) -> str:
        if len(self.outputs) == n and self.outputs[i]:
            return self.outputs[i]
        return f"output-{i}"


def encode_one(np: object, value: object) -> tuple:
    """Make one tensor."""
    if hasattr(value, "detach"):  # torch
        value = value.detach().cpu().numpy()
    elif hasattr(value, "toarray") and not isinstance(value, np.ndarray):  # scipy's sparse matrices
        value = value.toarray()
    array = value if isinstance(value, np.ndarray) else as_array(np, value)
    if array.ndim == 0:
        array = array.reshape(1)
    little = array.dtype.newbyteorder("<")
    kind = NAMES.get(little.str.lstrip("<|"))
    shape = list(array.shape)
    if kind:
        return {"datatype": kind, "shape": shape}, array.astype(little, copy=False).tobytes()
    if array.dtype.kind == "M":
        texts = np.datetime_as_string(array.astype("datetime64[us]")).ravel()
        return {"datatype": "BYTES", "shape": shape, "content": "str"}, join_bytes(
            [str(t).encode() for t in texts]
        )
    if array.dtype.kind in "cfiu":
        # Wider than the protocol's types, or complex: only what loses nothing is sent.
        if array.dtype.kind == "f":
            return encode_one(np, array.astype("<f8"))
        raise GarbageError(
            f"the model answered numbers of the type {array.dtype}, which cannot be sent"
        )
    elements = array.ravel().tolist()
    if all(isinstance(e, str) for e in elements):
        return {"datatype": "BYTES", "shape": shape, "content": "str"}, join_bytes(
            [e.encode() for e in elements]
        )
    if all(isinstance(e, bytes) for e in elements):
        return {"datatype": "BYTES", "shape": shape, "content": "bytes"}, join_bytes(elements)
    texts = [json.dumps(plain(np, e)).encode() for e in elements]
    return {"datatype": "BYTES", "shape": shape, "content": "json"}, join_bytes(texts)


def as_array(np: object, value: object) -> object:
    """Make an array of a list or a value; of what has no regular shape, one of objects with a row for each element."""
    if isinstance(value, (list, tuple)):
        if not any(isinstance(v, (dict, str, bytes)) or v is None for v in value):
            try:
                array = np.asarray(value)
                if array.dtype.kind in "?biufMSU":
                    return array
            except ValueError:
                pass  # rows of different lengths
        array = np.empty(len(value), dtype=object)
        array[:] = list(value)
        return array
    if isinstance(value, (bool, int, float)):
        return np.asarray([value])
    array = np.empty(1, dtype=object)
    array[0] = value
    return array


def plain(np: object, value: object) -> object:
    """Make JSON's types of an element."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {str(k): plain(np, v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(np, v) for v in value]
    if hasattr(value, "model_dump"):  # pydantic
        return value.model_dump(mode="json")
    if isinstance(value, float) and value != value:
        return None
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise GarbageError(f"the model answered a {type(value).__name__}, which cannot be sent")


def load(order: dict) -> tuple:
    """Load the model and return its predict(input, parameters), and the columns that it takes as an array, if any."""
    flavors = order["flavors"]
    function = flavors.get("python_function")
    if function is None:
        raise RuntimeError(
            "the model has no flavor python_function: log it with one of MLflow's flavors for Python"
        )
    direct = load_sklearn(order, flavors, function)
    if direct is not None:
        return direct
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(order["path"])

    def predict(data: object, parameters: object) -> object:
        return model.predict(data, params=parameters) if parameters else model.predict(data)

    return predict, None


def load_sklearn(order: dict, flavors: dict, function: dict) -> object:
    """Load a plain scikit-learn model without MLflow, whose import takes longer and more memory than the model.

    It is what mlflow.sklearn does itself: read the file, and call the method that the flavor names; it hands on no
    parameters either. The server has checked the input against the signature.
    """
    sklearn = flavors.get("sklearn")
    if sklearn is None or function.get("loader_module") != "mlflow.sklearn":
        return None
    form = sklearn.get("serialization_format")
    if form not in ("cloudpickle", "pickle", "skops") or sklearn.get("code"):
        return None
    path = os.path.join(order["path"], sklearn.get("pickled_model", "model.pkl"))
    if form == "skops":
        import skops.io

        model = skops.io.load(path, trusted=sklearn.get("skops_trusted_types"))
    else:
        pickle = importlib.import_module(form)
        with open(path, "rb") as f:
            model = pickle.load(f)
    method = getattr(model, function.get("predict_fn", "predict"))
    return lambda data, _: method(data), names_of(model)


def names_of(model: object) -> object:
    """Return the names of the columns that a model takes, if it makes an array of a table and looks only at names.

    The server has the names in the right order already. A table costs such a model more than its prediction: for
    a small batch it takes three times as long.
    """
    import warnings

    parts = [model]
    if type(model).__module__ == "sklearn.pipeline" and hasattr(model, "steps"):
        parts = [step for _, step in model.steps if step not in (None, "passthrough")]
    for part in parts:
        if not type(part).__module__.startswith("sklearn.") or type(part).__module__.startswith(
            "sklearn.compose."
        ):
            return None
        # Estimators within others, functions and categories may look at the table itself.
        values = part.get_params(deep=False).values()
        if any(hasattr(v, "fit") or callable(v) or isinstance(v, (list, tuple)) for v in values):
            return None
        if getattr(part, "_preprocessor", None) is not None or getattr(
            part, "_sklearn_output_config", None
        ):
            return None
    names = getattr(model, "feature_names_in_", None)
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    return None if names is None else [str(n) for n in names]


def warm_up(model: Model, order: dict) -> tuple:
    """Let the model predict once, on its own example if it has one. A failure is only told: it may be the example's."""
    example = order.get("example")
    if not example:
        return False, ""
    try:
        data = read_example(order["path"], example, model.signature.get("inputs") or [])
        model.encode(model.predict(data, None))
    except Exception as e:
        return False, "the model's own example could not be predicted: " + last_line(e)
    return True, ""


def read_example(path: str, example: dict, inputs: list) -> object:
    """Read input_example.json in the forms that MLflow writes: {"columns", "data"}, {"inputs": ...}, or a list.

    JSON does not say the types of tensors; the inputs of the signature do.
    """
    import numpy as np

    with open(os.path.join(path, example["artifact_path"])) as f:
        content = json.load(f)
    if isinstance(content, dict) and "data" in content and example.get("type") == "dataframe":
        import pandas as pd

        columns = content.get("columns")
        return pd.DataFrame(content["data"], columns=columns).convert_dtypes(
            convert_string=False,
            convert_integer=False,
            convert_boolean=False,
            convert_floating=False,
        )
    if isinstance(content, dict) and set(content) == {"inputs"}:
        content = content["inputs"]
    dtypes = {i.get("name"): i["tensor-spec"]["dtype"] for i in inputs if "tensor-spec" in i}
    if isinstance(content, dict):
        return {k: np.asarray(v, dtype=dtypes.get(k)) for k, v in content.items()}
    return np.asarray(content, dtype=dtypes.get(None)) if isinstance(content, list) else content


def last_line(e: BaseException) -> str:
    lines = traceback.format_exception_only(type(e), e)
    return lines[-1].strip()[:2000] if lines else type(e).__name__


def failure(e: BaseException) -> dict:
    return {
        "error": last_line(e),
        "trace": "".join(traceback.format_exception(type(e), e, e.__traceback__))[-8000:],
    }


def serve(sock: socket.socket) -> None:
    model = None
    while True:
        try:
            frame = read_frame(sock)
        except EOFError:
            return
        try:
            if frame.kind == LOAD:
                order = json.loads(frame.header)
                model = Model(order)
                warmed, note = warm_up(model, order)
                settle()
                send_frame(
                    sock,
                    frame.id,
                    OK,
                    0,
                    {"python": platform.python_version(), "warmed": warmed, "note": note},
                    [],
                )
            elif frame.kind == PREDICT:
                header, buffers = model.answer(frame)
                send_frame(sock, frame.id, OK, frame.rows, header, buffers)
            else:
                send_frame(sock, frame.id, OK, 0, {}, [])
        except GarbageError as e:
            send_frame(sock, frame.id, FAILED, 0, {"error": str(e), "trace": ""}, [])
        except (Exception, SystemExit) as e:
            send_frame(sock, frame.id, RAISED, 0, failure(e), [])


def settle() -> None:
    """Take what loading made out of the collector's sight: it would look at it again and again."""
    import gc

    gc.collect()
    gc.freeze()


def main() -> None:
    sock = socket.socket(fileno=3)
    # What the model starts must not hold the connection, nor read what the server wrote.
    sock.set_inheritable(False)
    serve(sock)
    # Not through the interpreter's end, where threads of libraries may hang.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
