"""The manifest of an artifact: pure data, parsed strictly, no I/O. Specified in artifacts/FORMAT.md."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from edge_infer.errors import FormatError, NewerFormatError
from edge_infer.limits import LIMITS, Limits
from edge_infer.strict_json import Node, parse

__all__ = [
    "FORMAT_VERSION",
    "KEY_GOLDENS",
    "KEY_MANIFEST",
    "KEY_PARITY",
    "KEY_REFERENCE",
    "METHODS",
    "TASKS",
    "Column",
    "Cut",
    "Inputs",
    "Label",
    "Manifest",
    "Needs",
    "Output",
    "Source",
    "Tensor",
    "parse_manifest",
    "render_manifest",
]

#: Raise it only when an older reader would misread a new artifact (CONTRIBUTING: "Change the format").
FORMAT_VERSION = 1

KEY_MANIFEST = "edge_infer.manifest"
KEY_GOLDENS = "edge_infer.goldens"
KEY_REFERENCE = "edge_infer.reference"
KEY_PARITY = "edge_infer.parity"

TASKS = ("classification", "regression", "clustering", "outlier_detection", "transformation", "other")
METHODS = ("predict", "predict_proba", "decision_function", "score_samples", "transform")
KINDS = ("number", "integer", "boolean", "string")
TENSOR_DTYPES = ("float32", "float64", "int64", "string")

#: A class label in its original type; a category of a column.
Label = str | int | float | bool


class Tensor(NamedTuple):
    """An input tensor of the graph, of shape [rows, width]."""

    name: str
    dtype: str  # float32, float64, int64 or string
    width: int
    missing: str | None = None  # what stands for a missing value in a string tensor


class Column(NamedTuple):
    """An input column as the original model knows it, and its place in a tensor."""

    name: str
    kind: str  # number, integer, boolean or string
    dtype: str  # of the training data, as numpy or pandas names it
    tensor: str
    index: int  # type: ignore[assignment]  # shadows tuple.index
    missing: bool  # the original takes missing values here
    infinite: bool = False  # … and infinities
    unknown: bool = True  # … and values outside `categories`
    categories: tuple[Label, ...] | None = None
    range: tuple[float, float] | None = None  # observed in training

    @property
    def closed(self) -> bool:
        """Whether only the known categories are taken."""
        return self.categories is not None and not self.unknown


class Cut(NamedTuple):
    """The int64 tensor behind the string encoders, of shape [rows, string columns].

    Column i of it belongs to string column i. Category c of that column has the code first[i] + c,
    a missing value first[i] + len(categories), any other text first[i] + len(categories) + 1.
    """

    tensor: str
    first: tuple[int, ...]


class Inputs(NamedTuple):
    """What the model takes: by column name ("columns"), or by position in a matrix ("array")."""

    style: str
    columns: tuple[Column, ...]
    tensors: tuple[Tensor, ...]
    cut: Cut | None = None


class Output(NamedTuple):
    """What one method of the original gives.

    `classes` holds the labels of each label column (one tuple for a usual classifier); the tensor
    `index` gives their positions, and the tensor of `tensors` the labels themselves.
    """

    method: str
    tensors: tuple[str, ...]
    dtype: str
    shape: tuple[int, ...]  # of one row's answer: () for a scalar
    listed: bool = False  # the original gives a list of arrays, one for each label column
    classes: tuple[tuple[Label, ...], ...] | None = None
    index: str | None = None  # type: ignore[assignment]  # shadows tuple.index


class Source(NamedTuple):
    """Where the model comes from."""

    framework: str
    estimator: str
    versions: dict[str, str]


class Needs(NamedTuple):
    """What a runtime must have."""

    ir_version: int
    opsets: dict[str, int]
    operators: tuple[str, ...]
    onnxruntime: str  # the lowest version


class Manifest(NamedTuple):
    """All that an artifact says of itself."""

    name: str
    version: str
    release: int
    task: str
    precision: str
    precision_reason: str
    inputs: Inputs
    outputs: tuple[Output, ...]
    source: Source
    needs: Needs
    missing_methods: dict[str, str]  # methods that the original had and the artifact lacks, with the reason
    training_rows: int = 0  # rows of the training data that the graph holds

    def output(self, method: str) -> Output | None:
        return next((output for output in self.outputs if output.method == method), None)


# --- reading ----------------------------------------------------------------------------


def parse_manifest(text: bytes, limits: Limits = LIMITS) -> Manifest:
    """Parse and check `edge_infer.manifest`. Unknown fields are passed over.

    Raises:
        NewerFormatError: written for a later format.
        FormatError, LimitError: with the JSON path of the first mistake.
    """
    root = parse(text, what=KEY_MANIFEST, most_bytes=limits.manifest_bytes, most_depth=limits.json_depth)
    version = root.get("format").integer(1)
    if version > FORMAT_VERSION:
        raise NewerFormatError(
            f"the artifact has format {version}, this version of edge-infer reads up to format "
            f"{FORMAT_VERSION}: update edge-infer (python -m pip install --upgrade edge-infer)"
        )
    return Manifest(
        name=root.get("name").text(),
        version=root.get("version").text(),
        release=root.get("release").integer(),
        task=root.get("task").one_of(TASKS),
        precision=root.get("precision").one_of(("float32", "float64")),
        precision_reason=root.get("precision_reason").text(),
        inputs=_inputs(root.get("inputs"), limits),
        outputs=_outputs(root.get("outputs"), limits),
        source=_source(root.get("source")),
        needs=_needs(root.get("needs")),
        missing_methods={key: node.text() for key, node in root.get("missing_methods").fields()},
        training_rows=root.get("training_rows").integer(),
    )


def _inputs(node: Node, limits: Limits) -> Inputs:
    tensors = tuple(_tensor(item) for item in node.get("tensors").list(limits.graph_values))
    widths = {tensor.name: tensor for tensor in tensors}
    if len(widths) < len(tensors):
        raise FormatError(f"{node.path}.tensors: a tensor's name stands twice")
    columns = tuple(_column(item, widths) for item in node.get("columns").list(limits.columns))
    if sum(len(column.categories or ()) for column in columns) > limits.categories:
        raise FormatError(f"{node.path}.columns: more than {limits.categories:,} categories in all")
    _check_places(node, columns, tensors)
    cut = node.find("cut")
    strings = sum(column.kind == "string" for column in columns)
    return Inputs(
        style=node.get("style").one_of(("columns", "array")),
        columns=columns,
        tensors=tensors,
        cut=None if cut is None else _cut(cut, strings),
    )


def _tensor(node: Node) -> Tensor:
    missing = node.find("missing")
    return Tensor(
        name=node.get("name").text(),
        dtype=node.get("dtype").one_of(TENSOR_DTYPES),
        width=node.get("width").integer(1),
        missing=None if missing is None else missing.text(),
    )


def _column(node: Node, tensors: dict[str, Tensor]) -> Column:
    kind = node.get("kind").one_of(KINDS)
    tensor = tensors.get(node.get("tensor").text())
    if tensor is None:
        raise node.get("tensor").fail("the name of a tensor in $.inputs.tensors")
    if (tensor.dtype == "string") != (kind == "string"):
        raise node.get("tensor").fail(f"a tensor that holds the kind {kind!r}")
    index = node.get("index").integer()
    if index >= tensor.width:
        raise node.get("index").fail(f"a whole number < {tensor.width}")
    categories = node.find("categories")
    if categories is None and kind == "string":
        raise FormatError(f"{node.path}: a string column needs 'categories'")
    return Column(
        name=node.get("name").text(),
        kind=kind,
        dtype=node.get("dtype").text(),
        tensor=tensor.name,
        index=index,
        missing=node.get("missing").boolean(),
        infinite=node.get("infinite").boolean(),
        unknown=node.get("unknown").boolean(),
        categories=None if categories is None else tuple(_category(item, kind) for item in categories.list()),
        range=_range(node.find("range")),
    )


def _category(node: Node, kind: str) -> Label:
    if kind == "string":
        return node.text()
    return node.boolean() if isinstance(node.value, bool) else _numeric(node)


def _numeric(node: Node) -> Label:
    node.number()
    return node.value  # type: ignore[no-any-return]


def _range(node: Node | None) -> tuple[float, float] | None:
    if node is None:
        return None
    ends = [end.number() for end in node.list()]
    if len(ends) != 2 or not ends[0] <= ends[1]:
        raise node.fail("two numbers, the lower first")
    return ends[0], ends[1]


def _check_places(node: Node, columns: tuple[Column, ...], tensors: tuple[Tensor, ...]) -> None:
    taken = {(column.tensor, column.index) for column in columns}
    if len(taken) < len(columns):
        raise FormatError(f"{node.path}.columns: two columns have the same place in a tensor")
    if columns and len(taken) != sum(tensor.width for tensor in tensors):
        raise FormatError(f"{node.path}.columns: not every place of the tensors has a column")
    if len({column.name for column in columns}) < len(columns):
        raise FormatError(f"{node.path}.columns: a column's name stands twice")


def _cut(node: Node, strings: int) -> Cut:
    first = tuple(item.integer() for item in node.get("first").list())
    if len(first) != strings:
        raise node.get("first").fail(f"{strings} numbers, one for each string column")
    return Cut(tensor=node.get("tensor").text(), first=first)


def _outputs(node: Node, limits: Limits) -> tuple[Output, ...]:
    outputs = tuple(_output(item, limits) for item in node.list(len(METHODS)))
    if len({output.method for output in outputs}) < len(outputs):
        raise FormatError(f"{node.path}: a method stands twice")
    return outputs


def _output(node: Node, limits: Limits) -> Output:
    classes, index = node.find("classes"), node.find("index")
    if (classes is None) != (index is None):
        raise FormatError(f"{node.path}: 'classes' and 'index' go together")
    return Output(
        method=node.get("method").one_of(METHODS),
        tensors=tuple(item.text() for item in node.get("tensors").list(limits.classes)),
        dtype=_dtype(node.get("dtype")),
        shape=tuple(item.integer(0) for item in node.get("shape").list(8)),
        listed=node.get("listed").boolean(),
        classes=None if classes is None else tuple(_labels(item, limits) for item in classes.list()),
        index=None if index is None else index.text(),
    )


def _dtype(node: Node) -> str:
    name = node.text()
    if name not in (
        "object",
        "bool",
        "float32",
        "float64",
        "int64",
        "int32",
        "int16",
        "int8",
        "uint8",
    ) and not (name[:2] in ("<U", "<i", "<u", "<f") and name[2:].isdigit() and int(name[2:]) <= LIMITS.name_bytes):
        raise node.fail("a numpy dtype of labels or numbers")
    return name


def _labels(node: Node, limits: Limits) -> tuple[Label, ...]:
    labels: list[Label] = []
    for item in node.list(limits.classes):
        if not isinstance(item.value, str | int | float | bool):
            raise item.fail("text, a number or true/false")
        labels.append(item.value)
    return tuple(labels)


def _source(node: Node) -> Source:
    return Source(
        framework=node.get("framework").text(),
        estimator=node.get("estimator").text(),
        versions={key: item.text() for key, item in node.get("versions").fields()},
    )


def _needs(node: Node) -> Needs:
    return Needs(
        ir_version=node.get("ir_version").integer(1),
        opsets={key: item.integer(1) for key, item in node.get("opsets").fields()},
        operators=tuple(item.text() for item in node.get("operators").list()),
        onnxruntime=node.get("onnxruntime").text(),
    )


# --- writing ----------------------------------------------------------------------------


def render_manifest(manifest: Manifest) -> bytes:
    """The manifest as canonical JSON: keys in a fixed order, no white space, UTF-8."""
    document = {"format": FORMAT_VERSION, **_plain(manifest)}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _plain(value: Any) -> Any:
    """NamedTuples as objects, without the fields that hold None."""
    if hasattr(value, "_asdict"):
        return {key: _plain(item) for key, item in value._asdict().items() if item is not None}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in sorted(value.items())}
    return value
