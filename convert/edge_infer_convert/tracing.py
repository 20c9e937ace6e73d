"""Functions of numpy and plain arithmetic as ONNX nodes, found by calling them once with a recording array.

The recording stands for a batch [rows, columns] or [rows]. It follows numpy's ufuncs and the array functions below.
Whatever would need its values (`if`, `float()`, loops over rows) raises: a branch is never baked in.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import numpy as np

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder

__all__ = ["Traced", "Untraceable", "trace_function", "trace_pooling"]

_REMEDY: Final = (
    "Write it with numpy functions of whole columns, or make it an estimator of your own and teach edge-infer to "
    "convert it (edge_infer_convert.register_converter)."
)

_DATES: Final = (  # in place of the parts that a series has under .dt
    "the parts of a date (.dt) have no recording; count instead (X.astype('int64') // 86_400_000_000: days; see "
    "examples/dates.py), or make them columns before the model"
)


def trace_function(
    builder: GraphBuilder,
    function: Callable[..., Any],
    x: str,
    width: int,
    options: dict[str, Any] | None = None,
    names: list[Any] | None = None,
) -> str:
    """What `function` makes of the matrix `x` [rows, width], shape [rows, columns].

    names: of the columns, where the function is given a DataFrame. Functions that take frames as they take arrays are
    recorded as such where the frame's recording does not know what they do.

    Raises:
        UnsupportedModelError: naming the function and the operation that cannot be recorded.
    """
    matrix = Traced(builder, x, width)
    if names is None:
        return _call(function, matrix, options or {})
    from edge_infer_convert.tracing_frames import TracedFrame  # it records columns by what is here

    try:
        return _call(function, TracedFrame.of_matrix(matrix, names), options or {})
    except UnsupportedModelError:
        with suppress(UnsupportedModelError):
            return _call(function, matrix, options or {})
        raise


def trace_pooling(builder: GraphBuilder, function: Callable[..., Any], x: str, width: int) -> str:
    """What a function of (matrix, axis=1) makes of `x` [rows, width], shape [rows, 1]."""
    return _call(function, Traced(builder, x, width), {"axis": 1})


def _call(function: Callable[..., Any], recording: Any, options: dict[str, Any]) -> str:
    """The tensor [rows, columns] that the function makes of a recording."""
    name = getattr(function, "__name__", repr(function))
    try:
        made = function(recording, **options)
    except Exception as error:  # a user's function may raise anything
        raise UnsupportedModelError(f"its function {name!r} cannot be traced: {_said(error)}\n{_REMEDY}") from error
    if not isinstance(made, Traced | type(recording)):
        raise UnsupportedModelError(
            f"its function {name!r} gives {type(made).__name__}, which does not come from its input\n{_REMEDY}"
        )
    return str(made.matrix().tensor)


def _said(error: Exception) -> str:
    if isinstance(error, Untraceable):
        return str(error)
    if isinstance(error, AttributeError) and isinstance(error.obj, Traced):
        return _DATES if error.name == "dt" else f"a column's .{error.name} has no recording"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


class Untraceable(TypeError):
    """An operation that has no recording."""


class Traced(np.lib.mixins.NDArrayOperatorsMixin):
    """A tensor of the graph that looks like an array: [rows, width], or [rows] where `width` is None."""

    def __init__(self, builder: GraphBuilder, tensor: str, width: int | None, *, flags: bool = False) -> None:
        self.builder, self.tensor, self.width, self.flags = builder, tensor, width, flags

    # --- what an array tells of itself ---

    @property
    def ndim(self) -> int:
        return 1 if self.width is None else 2

    @property
    def shape(self) -> Any:
        raise Untraceable("it asks for the shape, of which the number of rows is not known; use columns")

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(bool) if self.flags else self.builder.dtype

    def _refuse(self, *args: Any) -> Any:
        raise Untraceable("it asks for values (if, float(), len, a loop over rows), which differ from call to call")

    __bool__ = __float__ = __int__ = __len__ = __iter__ = __index__ = _refuse

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise Untraceable(
            "it makes a plain array of its input (np.array, np.asarray, np.c_, np.r_, math); "
            "use the input as it is, np.column_stack and numpy's functions"
        )

    # --- shapes ---

    def matrix(self) -> Traced:
        """[rows] → [rows, 1], as numbers."""
        numbers = self.numbers()
        if self.width is not None:
            return numbers
        return Traced(self.builder, self._reshaped(numbers.tensor, [-1, 1]), 1)

    def numbers(self) -> Traced:
        if not self.flags:
            return self
        return Traced(self.builder, self.builder.node("Cast", self.tensor, to=self.builder.elem_type), self.width)

    def _reshaped(self, tensor: str, shape: list[int]) -> str:
        return self.builder.node("Reshape", tensor, self.builder.constant(shape, np.int64))

    def __getitem__(self, key: Any) -> Traced:
        """Columns: `X[:, 1]`, `X[:, [0, 2]]`, `X[:, 1:3]`, `x[:, None]`."""
        rows, columns = key if isinstance(key, tuple) and len(key) == 2 else (key, slice(None))
        if rows is Ellipsis or (isinstance(rows, slice) and rows == slice(None)):
            if self.width is None and columns in (None, np.newaxis):
                return self.matrix()
            if self.width is not None and columns is not None:
                return self._columns(np.arange(self.width)[columns])
        raise Untraceable(f"it indexes rows or in another way that is not X[:, columns]: {key!r:.60}")

    def _columns(self, chosen: Any) -> Traced:
        index = self.builder.constant(chosen, np.int64)
        gathered = self.builder.node("Gather", self.tensor, index, axis=1)
        return Traced(self.builder, gathered, None if np.ndim(chosen) == 0 else len(chosen), flags=self.flags)

    def reshape(self, *shape: Any) -> Traced:
        wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        if tuple(wanted) == (-1, 1) and self.width in (None, 1):
            return self.matrix()
        if tuple(wanted) == (-1,) and self.width in (None, 1):
            return Traced(self.builder, self._reshaped(self.numbers().tensor, [-1]), None)
        raise Untraceable(f"reshape{tuple(wanted)}")

    def ravel(self) -> Traced:
        return self.reshape(-1)

    def copy(self) -> Traced:
        return self

    def astype(self, dtype: Any, **_: Any) -> Traced:
        if np.dtype(dtype).kind == "f":
            return self.numbers()
        if np.dtype(dtype) == np.int64:  # of times too, which are whole numbers already
            return _formula(_as_int64)(self.builder, self)
        raise Untraceable(f"astype({dtype})")

    def clip(self, low: Any = None, high: Any = None, *, lower: Any = None, upper: Any = None) -> Traced:
        return _clip(self, lower if low is None else low, upper if high is None else high)

    # --- as a pandas Series ---

    def isna(self) -> Traced:
        return Traced(self.builder, self.builder.node("IsNaN", self.numbers().tensor), self.width, flags=True)

    def notna(self) -> Traced:
        made: Traced = ~self.isna()
        return made

    isnull, notnull = isna, notna

    def fillna(self, value: Any) -> Traced:
        return _where(self.isna(), value, self)

    def where(self, condition: Any, other: Any = np.nan) -> Traced:
        return _where(condition, self, other)

    def mask(self, condition: Any, other: Any = np.nan) -> Traced:
        return _where(condition, other, self)

    def between(self, left: Any, right: Any) -> Traced:
        made: Traced = (self >= left) & (self <= right)
        return made

    def abs(self) -> Traced:
        return Traced(self.builder, self.builder.node("Abs", self.numbers().tensor), self.width)

    def to_numpy(self) -> Traced:
        return self

    @property
    def values(self) -> Traced:
        return self

    # --- over the columns ---

    def sum(self, axis: Any = None, **options: Any) -> Traced:
        return _reduced("ReduceSum", self, axis, **options)

    def mean(self, axis: Any = None, **options: Any) -> Traced:
        return _reduced("ReduceMean", self, axis, **options)

    def max(self, axis: Any = None, **options: Any) -> Traced:
        return _reduced("ReduceMax", self, axis, **options)

    def min(self, axis: Any = None, **options: Any) -> Traced:
        return _reduced("ReduceMin", self, axis, **options)

    # --- numpy's protocols ---

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Traced:
        made = _UFUNCS.get(ufunc.__name__)
        if method != "__call__" or made is None or any(value is not None for value in options.values()):
            raise Untraceable(f"numpy.{ufunc.__name__}{'' if method == '__call__' else '.' + method} has no recording")
        first = next(value for value in inputs if isinstance(value, Traced))
        return made(first.builder, *(_operand(first.builder, value) for value in inputs))

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Traced:
        made = _FUNCTIONS.get(function.__name__)
        if made is None:
            raise Untraceable(f"numpy.{function.__name__} has no recording")
        result: Traced = made(*args, **options)
        return result


def _operand(builder: GraphBuilder, value: Any) -> Traced:
    if isinstance(value, Traced):
        return value
    array = np.asarray(value)
    if array.dtype.kind == "b":
        return Traced(builder, builder.constant(array, np.bool_), _width_of(array), flags=True)
    if array.dtype.kind not in "iuf" or array.ndim > 1:
        raise Untraceable(f"an operand of the type {type(value).__name__}, shape {array.shape}")
    return Traced(builder, builder.constant(array.astype(np.float64)), _width_of(array))


def _width_of(constant: Any) -> int:
    """Constants broadcast against columns; 0 stands for a scalar."""
    return 0 if constant.ndim == 0 else len(constant)


def _together(operands: tuple[Traced, ...]) -> int | None:
    """The width of an elementwise result."""
    traced = [operand.width for operand in operands if operand.width != 0]
    if None in traced and any(width not in (None, 1) for width in traced):
        raise Untraceable("it mixes [rows] with [rows, columns]; use x[:, None] or X[:, [0]]")
    if None in traced:
        if 1 in traced:
            raise Untraceable("it mixes [rows] with [rows, 1]; use x[:, None]")
        return None
    return max((width for width in traced if width is not None), default=0)


Made = Callable[..., Traced]


def _node(op: str, *, flags: bool = False, logical: bool = False) -> Made:
    def made(builder: GraphBuilder, *operands: Traced) -> Traced:
        tensors = [operand.tensor if logical else operand.numbers().tensor for operand in operands]
        return Traced(builder, builder.node(op, *tensors), _together(operands), flags=flags)

    return made


def _formula(function: Callable[[GraphBuilder, str], str]) -> Made:
    def made(builder: GraphBuilder, x: Traced) -> Traced:
        return Traced(builder, function(builder, x.numbers().tensor), x.width)

    return made


def _log1p(builder: GraphBuilder, x: str) -> str:
    """log(1+x) without the loss of small x: x · log(u) / (u − 1) with u = 1 + x (Kahan; Goldberg 1991, theorem 4)."""
    one = builder.constant(1.0)
    u = builder.node("Add", x, one)
    less = builder.node("Sub", u, one)
    small = builder.node("Equal", less, builder.constant(0.0))
    endless = builder.node("IsInf", u)
    safe = builder.node("Where", builder.node("Or", small, endless), one, less)
    ratio = builder.node("Div", builder.node("Mul", builder.node("Log", u), x), safe)
    plain = builder.node("Where", endless, builder.node("Log", u), ratio)
    return builder.node("Where", small, x, plain)


def _expm1(builder: GraphBuilder, x: str) -> str:
    """eˣ − 1 as 2 · sinh(x/2) · e^(x/2), with tanh: (eˣ + 1) · tanh(x/2), which loses nothing near 0."""
    half = builder.node("Mul", x, builder.constant(0.5))
    exp = builder.node("Exp", x)
    near = builder.node("Mul", builder.node("Add", exp, builder.constant(1.0)), builder.node("Tanh", half))
    far = builder.node("Sub", exp, builder.constant(1.0))
    is_near = builder.node("Less", builder.node("Abs", x), builder.constant(1.0))
    return builder.node("Where", is_near, near, far)


def _scaled_log(base: float) -> Callable[[GraphBuilder, str], str]:
    def log(builder: GraphBuilder, x: str) -> str:
        return builder.node("Div", builder.node("Log", x), builder.constant(np.log(base)))

    return log


def _times(factor: float) -> Callable[[GraphBuilder, str], str]:
    return lambda builder, x: builder.node("Mul", x, builder.constant(factor))


def _square(builder: GraphBuilder, x: str) -> str:
    return builder.node("Mul", x, x)


def _cosine(builder: GraphBuilder, x: str) -> str:
    return builder.node("Sin", builder.node("Add", x, builder.constant(np.pi / 2)))


def _trunc(builder: GraphBuilder, x: str) -> str:
    """Toward zero."""
    return builder.node("Mul", builder.node("Sign", x), builder.node("Floor", builder.node("Abs", x)))


def _as_int64(builder: GraphBuilder, x: str) -> str:
    """As x86-64 casts: NaN and what int64 does not hold become its lowest number."""
    held = builder.node("Less", builder.node("Abs", x), builder.constant(2.0**63))
    return builder.node("Where", held, _trunc(builder, x), builder.constant(-(2.0**63)))


def _divided(builder: GraphBuilder, a: str, b: str) -> tuple[str, str]:
    """Quotient and remainder as Python and numpy have them, the remainder of b's sign (npy_divmod in npy_math)."""
    zero, one = builder.constant(0.0), builder.constant(1.0)
    rest = builder.node("Mod", a, b, fmod=1)
    sides = builder.node("Less", builder.node("Mul", builder.node("Sign", rest), builder.node("Sign", b)), zero)
    rest = builder.node("Where", sides, builder.node("Add", rest, b), rest)
    quotient = builder.node("Div", builder.node("Sub", a, rest), b)
    whole = builder.node("Floor", quotient)
    above = builder.node("Greater", builder.node("Sub", quotient, whole), builder.constant(0.5))
    whole = builder.node("Where", above, builder.node("Add", whole, one), whole)
    by_zero = builder.node("Equal", b, zero)
    return builder.node("Where", by_zero, builder.node("Div", a, b), whole), rest


def _division(part: int) -> Made:
    def made(builder: GraphBuilder, a: Traced, b: Traced) -> Traced:
        tensor = _divided(builder, a.numbers().tensor, b.numbers().tensor)[part]
        return Traced(builder, tensor, _together((a, b)))

    return made


_UFUNCS: Final[dict[str, Made]] = {
    **{name: _node(op) for name, op in {"add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div"}.items()},
    **{
        name: _node(op)
        for name, op in {"true_divide": "Div", "power": "Pow", "maximum": "Max", "minimum": "Min"}.items()
    },
    **{name: _node(op) for name, op in {"negative": "Neg", "absolute": "Abs", "fabs": "Abs", "sqrt": "Sqrt"}.items()},
    **{name: _node(op) for name, op in {"exp": "Exp", "log": "Log", "sign": "Sign", "floor": "Floor"}.items()},
    **{name: _node(op) for name, op in {"ceil": "Ceil", "rint": "Round", "reciprocal": "Reciprocal"}.items()},
    **{name: _node(op) for name, op in {"sin": "Sin", "tanh": "Tanh"}.items()},
    **{name: _node(op, flags=True) for name, op in {"greater": "Greater", "less": "Less", "equal": "Equal"}.items()},
    "greater_equal": _node("GreaterOrEqual", flags=True),
    "less_equal": _node("LessOrEqual", flags=True),
    "isnan": _node("IsNaN", flags=True),
    "logical_and": _node("And", flags=True, logical=True),
    "bitwise_and": _node("And", flags=True, logical=True),
    "logical_or": _node("Or", flags=True, logical=True),
    "bitwise_or": _node("Or", flags=True, logical=True),
    "logical_not": _node("Not", flags=True, logical=True),
    "invert": _node("Not", flags=True, logical=True),
    "floor_divide": _division(0),
    "remainder": _division(1),
    "trunc": _formula(_trunc),
    "positive": lambda builder, x: x,
    "square": _formula(_square),
    "log1p": _formula(_log1p),
    "expm1": _formula(_expm1),
    "cos": _formula(_cosine),
    "log2": _formula(_scaled_log(2.0)),
    "log10": _formula(_scaled_log(10.0)),
    "deg2rad": _formula(_times(np.pi / 180)),
    "radians": _formula(_times(np.pi / 180)),
    "rad2deg": _formula(_times(180 / np.pi)),
    "degrees": _formula(_times(180 / np.pi)),
}


def _where(condition: Traced, a: Any, b: Any) -> Traced:
    builder = condition.builder
    if not condition.flags:
        raise Untraceable("numpy.where of something that is no comparison")
    left, right = (_operand(builder, value).numbers() for value in (a, b))
    chosen = builder.node("Where", condition.tensor, left.tensor, right.tensor)
    return Traced(builder, chosen, _together((condition, left, right)))


def _clip(x: Traced, low: Any = None, high: Any = None, **bounds: Any) -> Traced:
    """NaN stays NaN, as numpy's does."""
    for bound, name in ((low if low is not None else bounds.get("a_min", bounds.get("min")), "maximum"),):
        x = x if bound is None else getattr(np, name)(x, bound)
    upper = high if high is not None else bounds.get("a_max", bounds.get("max"))
    result: Traced = x if upper is None else np.minimum(x, upper)
    return result


def _reduced(op: str, x: Traced, axis: Any = None, keepdims: bool = False, **options: Any) -> Traced:
    if axis not in (1, -1) or x.width is None or any(value is not None for value in options.values()):
        raise Untraceable(f"a {op[6:].lower()} that is not over the columns (axis=1)")
    builder = x.builder
    numbers = x.numbers().tensor
    if op == "ReduceSum":
        made = builder.node(op, numbers, builder.constant([1], np.int64), keepdims=int(keepdims))
    else:
        made = builder.node(op, numbers, builder.constant([1], np.int64), keepdims=int(keepdims))
    return Traced(builder, made, 1 if keepdims else None)


def _joined(parts: Any, axis: int = 1, **_: Any) -> Traced:
    matrices = [part.matrix() for part in parts if isinstance(part, Traced)]
    if len(matrices) != len(parts) or axis not in (1, -1):
        raise Untraceable("a concatenation of other things than columns of the input, along axis 1")
    builder = matrices[0].builder
    tensor = builder.node("Concat", *(matrix.tensor for matrix in matrices), axis=1)
    return Traced(builder, tensor, sum(matrix.width or 0 for matrix in matrices))


def _reducer(op: str) -> Callable[..., Traced]:
    return lambda x, axis=None, **options: _reduced(op, x, axis, **_without_defaults(options))


def _median(x: Traced, axis: Any = None, keepdims: bool = False, **_: Any) -> Traced:
    """The middle of the sorted columns, or the mean of the two middle ones. NaN is not given back as numpy does."""
    if axis not in (1, -1) or not x.width:
        raise Untraceable("a median that is not over the columns (axis=1)")
    builder = x.builder
    count = builder.constant([x.width], np.int64)
    ordered = builder.nodes_of("TopK", x.numbers().tensor, count, outputs=2, axis=1, largest=0, sorted=1)[0]
    middle = builder.constant(sorted({(x.width - 1) // 2, x.width // 2}), np.int64)
    two = builder.node("Gather", ordered, middle, axis=1)
    return Traced(
        builder,
        builder.node("ReduceMean", two, builder.constant([1], np.int64), keepdims=int(keepdims)),
        1 if keepdims else None,
    )


def _without_defaults(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not np._NoValue}


def _nan_to_num(x: Traced, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Traced:
    builder, tensor = x.builder, x.numbers().tensor
    largest = float(np.finfo(builder.dtype).max)
    gap = builder.node("IsNaN", tensor)
    filled = builder.node("Where", gap, builder.constant(float(nan)), tensor)
    for sign, value in ((1, posinf), (-1, neginf)):
        end = builder.node("IsInf", filled, detect_positive=int(sign > 0), detect_negative=int(sign < 0))
        filled = builder.node("Where", end, builder.constant(sign * largest if value is None else value), filled)
    return Traced(builder, filled, x.width)


_FUNCTIONS: Final[dict[str, Callable[..., Traced]]] = {
    "where": _where,
    "clip": _clip,
    "concatenate": _joined,
    "hstack": _joined,
    "column_stack": _joined,
    "sum": _reducer("ReduceSum"),
    "mean": _reducer("ReduceMean"),
    "amax": _reducer("ReduceMax"),
    "max": _reducer("ReduceMax"),
    "amin": _reducer("ReduceMin"),
    "min": _reducer("ReduceMin"),
    "median": _median,
    "ndim": lambda x: x.ndim,
    "nan_to_num": _nan_to_num,
    "copy": lambda x, **_: x,
    "ravel": lambda x, **_: x.ravel(),
    "reshape": lambda x, shape, **_: x.reshape(*shape) if isinstance(shape, tuple) else x.reshape(shape),
    "round": lambda x, decimals=0, **_: _rounded(x, decimals),
    "around": lambda x, decimals=0, **_: _rounded(x, decimals),
}


def _rounded(x: Traced, decimals: int) -> Traced:
    result: Any = np.rint(x) if decimals == 0 else np.rint(x * 10.0**decimals) / 10.0**decimals
    return _operand(x.builder, result)
