"""The manifest of an artifact: pure data, parsed strictly, no I/O. Specified in artifacts/FORMAT.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_infer.card import Metric, metric_of, text_of
from edge_infer.errors import FormatError, LimitError, NewerFormatError
from edge_infer.interface import Interface, interface_of
from edge_infer.labels import Label, dtype_of, labels_of
from edge_infer.limits import LIMITS, Limits
from edge_infer.quantization import Quantization, quantization_of
from edge_infer.strict_json import Node, parse

if TYPE_CHECKING:
    from edge_infer.times import TimeType

__all__ = [
    "FORMAT_VERSION",
    "KEY_GOLDENS",
    "KEY_MANIFEST",
    "KEY_PARITY",
    "KEY_REFERENCE",
    "KEY_TENSOR_GOLDENS",
    "METHODS",
    "TASKS",
    "Column",
    "Cut",
    "Inputs",
    "Label",
    "Manifest",
    "Metric",
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
KEY_TENSOR_GOLDENS = "edge_infer.tensor_goldens"
KEY_REFERENCE = "edge_infer.reference"
KEY_PARITY = "edge_infer.parity"

TASKS = ("classification", "regression", "clustering", "outlier_detection", "transformation", "other")
METHODS = ("predict", "predict_proba", "decision_function", "score_samples", "transform")
KINDS = ("number", "integer", "boolean", "datetime", "string")
TENSOR_DTYPES = ("float32", "float64", "int64", "string")

_MOST_CODES = 2**31  # of all string columns together


class Tensor(NamedTuple):
    """An input tensor of the graph, of shape [rows, width]."""

    name: str
    dtype: str  # float32, float64, int64 or string
    width: int
    missing: str | None = None  # what stands for a missing value in a string tensor


class Column(NamedTuple):
    """An input column as the original model knows it, and its place in a tensor."""

    name: str
    kind: str  # one of KINDS
    dtype: str  # of the training data, as numpy or pandas names it
    tensor: str
    index: int  # type: ignore[assignment]  # shadows tuple.index
    missing: bool  # the original takes missing values here
    infinite: bool = False  # … and infinities
    unknown: bool = True  # … and values outside `categories`
    categories: tuple[Label, ...] | None = None
    range: tuple[float, float] | None = None  # observed in training
    used: bool = True  # False: no answer depends on it, so that it may be left out, and is not looked at
    unit: str | None = None  # for people, as the description is: "mm", "°C"
    description: str | None = None

    @property
    def times(self) -> TimeType | None:
        """How a column of the kind "datetime" counts."""
        if self.kind != "datetime":
            return None
        from edge_infer.times import TimeType  # for models of dates only

        return TimeType.parse(self.dtype)

    @property
    def closed(self) -> bool:
        """Whether only the known categories are taken."""
        return self.categories is not None and not self.unknown

    @property
    def coded(self) -> bool:
        """Whether it is text that the graph tells apart by categories, rather than a number or free text."""
        return self.kind == "string" and self.categories is not None

    @property
    def free_text(self) -> bool:
        """Whether the graph reads the text itself."""
        return self.kind == "string" and self.categories is None


class Cut(NamedTuple):
    """The int64 tensor behind the string encoders, of shape [rows, coded columns].

    Column i of it belongs to coded column i (a string column with categories). Category c of that column has the
    code first[i] + c, a missing value first[i] + len(categories), any other text first[i] + len(categories) + 1.
    """

    tensor: str
    first: tuple[int, ...]


class Inputs(NamedTuple):
    """What the model takes: columns by name ("columns"), by position ("array"), one text a row ("texts"), or tensors as
    `Manifest.interface` tells ("tensors", without columns)."""

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
    splits: bool = False  # the answers hold, too, where ensembles of trees are run in parts and added up
    description: str | None = None  # for people, as license and metrics are; nobody has checked them
    license: str | None = None  # an SPDX expression, or text
    metrics: tuple[Metric, ...] = ()
    interface: Interface | None = None  # of the style "tensors"
    quantization: Quantization | None = None  # of a deep model whose graph computes in fewer bits than the original

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
    inputs, interface = _inputs(root.get("inputs"), limits), root.find("interface")
    quantization = root.find("quantization")
    if (interface is None) != (inputs.style != "tensors"):
        raise FormatError("$: the style 'tensors' and 'interface' go together")
    return Manifest(
        name=root.get("name").text(),
        version=root.get("version").text(),
        release=root.get("release").integer(),
        task=root.get("task").one_of(TASKS),
        precision=root.get("precision").one_of(("float32", "float64")),
        precision_reason=root.get("precision_reason").text(),
        inputs=inputs,
        outputs=_outputs(root.get("outputs"), limits),
        source=_source(root.get("source")),
        needs=_needs(root.get("needs")),
        missing_methods={key: node.text() for key, node in root.get("missing_methods").fields()},
        training_rows=root.get("training_rows").integer(),
        splits=_flag(root.find("splits"), usual=False),
        description=_text(root.find("description"), limits.description_bytes),
        license=_text(root.find("license"), limits.description_bytes),
        metrics=_metrics(root.find("metrics"), limits),
        interface=None if interface is None else interface_of(interface, limits),
        quantization=None if quantization is None else quantization_of(quantization),
    )


def _metrics(node: Node | None, limits: Limits) -> tuple[Metric, ...]:
    return () if node is None else tuple(metric_of(item, limits) for item in node.list(limits.metrics))


def _text(node: Node | None, most_bytes: int) -> str | None:
    return None if node is None else text_of(node, most_bytes)


def _inputs(node: Node, limits: Limits) -> Inputs:
    tensors = tuple(_tensor(item) for item in node.get("tensors").list(limits.graph_values))
    widths = {tensor.name: tensor for tensor in tensors}
    if len(widths) < len(tensors):
        raise FormatError(f"{node.path}.tensors: a tensor's name stands twice")
    columns = tuple(_column(item, widths, limits) for item in node.get("columns").list(limits.columns))
    if sum(len(column.categories or ()) for column in columns) > limits.categories:
        raise LimitError(f"{node.path}.columns: more categories in all than the limit of {limits.categories:,}")
    _check_places(node, columns, tensors)
    cut = node.find("cut")
    coded = [column for column in columns if column.coded]
    free = [column for column in columns if column.free_text]
    _check_free_text(node, free, coded)
    if coded:
        _check_coded(node, coded, cut)
    style = node.get("style").one_of(("columns", "array", "texts", "tensors"))
    if style == "tensors" and (columns or tensors):
        raise FormatError(f"{node.path}: the style 'tensors' has no columns; its tensors stand in 'interface'")
    if style == "texts" and not (len(columns) == len(free) == 1):
        raise FormatError(f"{node.path}: the style 'texts' needs one column, of free text")
    return Inputs(style=style, columns=columns, tensors=tensors, cut=None if cut is None else _cut(cut, coded))


def _check_coded(node: Node, coded: list[Column], cut: Node | None) -> None:
    if len({column.tensor for column in coded}) > 1:
        raise FormatError(f"{node.path}.tensors: more than one string tensor of columns with categories")
    if [column.index for column in coded] != list(range(len(coded))):
        raise FormatError(f"{node.path}.columns: the string columns stand in another order than in their tensor")
    if cut is None:
        raise FormatError(f"{node.path}: string columns with categories need 'cut'")


def _check_free_text(node: Node, free: list[Column], coded: list[Column]) -> None:
    names = {column.tensor for column in free}
    if len(names) > 1:
        raise FormatError(f"{node.path}.tensors: more than one string tensor of columns without categories")
    if names & {column.tensor for column in coded}:
        raise FormatError(f"{node.path}.columns: string columns with and without 'categories' share a tensor")
    for column in free:
        if column.missing:
            raise FormatError(
                f"{node.path}.columns: the string column {column.name!r} has no 'categories', so that it is free text, "
                "which cannot be missing"
            )


def _tensor(node: Node) -> Tensor:
    missing = node.find("missing")
    return Tensor(
        name=node.get("name").text(),
        dtype=node.get("dtype").one_of(TENSOR_DTYPES),
        width=node.get("width").integer(1),
        missing=None if missing is None else missing.text(),
    )


def _column(node: Node, tensors: dict[str, Tensor], limits: Limits) -> Column:
    kind = node.get("kind").one_of(KINDS)
    tensor = tensors.get(node.get("tensor").text())
    if tensor is None:
        raise node.get("tensor").fail("the name of a tensor in $.inputs.tensors")
    if (tensor.dtype == "string") != (kind == "string"):
        raise node.get("tensor").fail(f"a tensor that holds the kind {kind!r}")
    if kind == "datetime":
        _check_datetime(node, tensor)
    index = node.get("index").integer()
    if index >= tensor.width:
        raise node.get("index").fail(f"a whole number < {tensor.width}")
    categories = node.find("categories")
    return Column(
        name=node.get("name").text(),
        kind=kind,
        dtype=node.get("dtype").text(),
        tensor=tensor.name,
        index=index,
        missing=node.get("missing").boolean(),
        infinite=node.get("infinite").boolean(),
        unknown=node.get("unknown").boolean(),
        categories=None if categories is None else _categories(categories, kind),
        range=_range(node.find("range")),
        used=_flag(node.find("used"), usual=True),
        unit=_text(node.find("unit"), limits.unit_bytes),
        description=_text(node.find("description"), limits.description_bytes),
    )


def _flag(found: Node | None, *, usual: bool) -> bool:
    return usual if found is None else found.boolean()


def _check_datetime(node: Node, tensor: Tensor) -> None:
    """Its dtype tells the unit of the numbers that the graph takes; float32 holds them too coarsely."""
    from edge_infer.times import TimeType

    if TimeType.parse(node.get("dtype").text()) is None:
        raise node.get("dtype").fail("a type of times such as datetime64[us]")
    if tensor.dtype != "float64":
        raise node.get("tensor").fail("a tensor of float64, which times need")
    if node.get("missing").boolean() or node.find("categories") is not None:
        raise node.fail("no missing values and no categories, since it is a column of times")


def _categories(node: Node, kind: str) -> tuple[Label, ...]:
    categories = tuple(_category(item, kind) for item in node.list())
    if len(set(categories)) < len(categories):
        raise FormatError(f"{node.path}: a category stands twice")
    return categories


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


def _cut(node: Node, strings: list[Column]) -> Cut:
    first = tuple(item.integer() for item in node.get("first").list())
    if len(first) != len(strings):
        raise node.get("first").fail(f"{len(strings)} numbers, one for each string column")
    free = 0
    for position, (code, column) in enumerate(zip(first, strings, strict=True)):
        if not free <= code < _MOST_CODES:
            raise FormatError(
                f"{node.path}.first[{position}]: expected a whole number ≥ {free:,} and < {_MOST_CODES:,} "
                f"(behind the codes of the column before), got {code}"
            )
        free = code + len(column.categories or ()) + 2
    return Cut(tensor=node.get("tensor").text(), first=first)


def _outputs(node: Node, limits: Limits) -> tuple[Output, ...]:
    outputs = tuple(_output(item, limits) for item in node.list(len(METHODS)))
    if len({output.method for output in outputs}) < len(outputs):
        raise FormatError(f"{node.path}: a method stands twice")
    _check_classes(node, {output.method: output for output in outputs})
    return outputs


def _check_classes(node: Node, outputs: dict[str, Output]) -> None:
    """Probabilities have a column for each class."""
    labels, probabilities = outputs.get("predict"), outputs.get("predict_proba")
    if labels is None or probabilities is None or labels.classes is None or probabilities.listed:
        return
    if len(labels.classes) == 1 and probabilities.shape != (len(labels.classes[0]),):
        raise FormatError(
            f"{node.path}: predict has {len(labels.classes[0])} classes, a row of predict_proba has "
            f"the shape {list(probabilities.shape)}"
        )


def _output(node: Node, limits: Limits) -> Output:
    classes, index = node.find("classes"), node.find("index")
    if (classes is None) != (index is None):
        raise FormatError(f"{node.path}: 'classes' and 'index' go together")
    listed = node.get("listed").boolean()
    dtype = dtype_of(node.get("dtype"), limits)
    return Output(
        method=node.get("method").one_of(METHODS),
        tensors=_tensors(node.get("tensors"), listed, limits),
        dtype=dtype,
        shape=tuple(item.integer(0) for item in node.get("shape").list(8)),
        listed=listed,
        classes=None if classes is None else _label_columns(classes, dtype, limits),
        index=None if index is None else index.text(),
    )


def _tensors(node: Node, listed: bool, limits: Limits) -> tuple[str, ...]:
    names = tuple(item.text() for item in node.list(limits.classes))
    if not names or (len(names) > 1 and not listed):
        raise node.fail("at least one name" if listed else "one name")
    return names


def _label_columns(node: Node, dtype: str, limits: Limits) -> tuple[tuple[Label, ...], ...]:
    columns = tuple(labels_of(item, dtype, limits) for item in node.list(limits.classes))
    if not columns:
        raise node.fail("a list of labels for each label column")
    return columns


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

#: Optional fields that are left out where they hold this.
_USUAL = {"used": True, "splits": False, "metrics": (), "states": ()}


def render_manifest(manifest: Manifest) -> bytes:
    """The manifest as canonical JSON: keys in a fixed order, no white space, UTF-8."""
    document = {"format": FORMAT_VERSION, **_plain(manifest)}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _plain(value: Any) -> Any:
    """NamedTuples as objects, without the fields that hold None, and without optional ones that hold what is usual."""
    if hasattr(value, "_asdict"):
        fields = value._asdict().items()
        return {key: _plain(item) for key, item in fields if item is not None and _USUAL.get(key) != item}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in sorted(value.items())}
    return value
