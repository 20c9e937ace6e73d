"""A model as a function of SQL in DuckDB (extra `duckdb`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, Final

from edge_infer.extras import needs
from edge_infer.manifest import Column
from edge_infer.model import Model, load

if TYPE_CHECKING:
    import pyarrow as pa

    from edge_infer.batch.engines import OnMisfit
    from edge_infer.batch.scoring import Scorer

__all__ = ["register"]

_KINDS: Final = {"number": "DOUBLE", "integer": "BIGINT", "boolean": "BOOLEAN", "string": "VARCHAR"}
_ANSWERS: Final = {
    "string": "VARCHAR", "bool": "BOOLEAN", "halffloat": "FLOAT", "float": "FLOAT", "double": "DOUBLE",
    "int8": "TINYINT", "int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT",
    "uint8": "UTINYINT", "uint16": "USMALLINT", "uint32": "UINTEGER", "uint64": "UBIGINT",
}  # fmt: skip


def register(
    connection: Any,
    model: Model | str | os.PathLike[str],
    name: str = "predict",
    *,
    methods: Sequence[str] | None = None,
    on_error: OnMisfit = "fail",
) -> None:
    """Make `model` the function `name` of a DuckDB connection: SELECT id, predict(age, fare, …) FROM …

    Its parameters are the model's columns in their order; NULL is a missing value. It gives the label or number, or,
    where the methods have more answers than one, a STRUCT with the names that `edge-infer predict` uses.

    Args:
        model: loaded, or its file.
        methods: what is answered; None: the first one alone.
        on_error: "fail" (the query fails with every mismatch) or "null" (a row that does not fit is answered by NULL).

    Raises:
        MethodError: the model has no such method.
        MissingExtraError: duckdb or pyarrow is not installed.
    """
    with needs("duckdb", "pyarrow", "A function of DuckDB"):
        from edge_infer.batch.engines import checked_on_error
    with needs("duckdb", "duckdb", "A function of DuckDB"):
        import duckdb
    found = model if isinstance(model, Model) else load(model)
    scorer = found.scorer(methods or found.scorer().methods[:1])
    function = _function(scorer, [column.name for column in found.manifest.inputs.columns], checked_on_error(on_error))
    fields = {field.name: _ANSWERS[str(field.type)] for field in scorer.schema}
    gives = duckdb.struct_type(fields) if len(fields) > 1 else next(iter(fields.values()))
    takes = [_parameter(column) for column in found.manifest.inputs.columns]
    connection.create_function(name, function, takes, gives, type="arrow", null_handling="special")


def _parameter(column: Column) -> str:
    if column.kind != "datetime":
        return _KINDS[column.kind]
    times = column.times
    if times is not None and times.zoned:
        return "TIMESTAMPTZ"
    return "TIMESTAMP_NS" if times is not None and times.unit == "ns" else "TIMESTAMP"


def _function(scorer: Scorer, names: list[str], on_error: OnMisfit) -> Callable[..., pa.Array]:
    import pyarrow as pa

    from edge_infer.batch.engines import answered

    def answer(*columns: Any) -> pa.Array:
        answers = answered(scorer, pa.table(list(columns), names=names), on_error)
        if len(answers.columns) == 1:
            return answers.column(0)
        return pa.StructArray.from_arrays(answers.columns, answers.schema.names)

    # DuckDB counts the parameters that it sees.
    parameters = [Parameter(f"column_{place}", Parameter.POSITIONAL_ONLY) for place in range(len(names))]
    answer.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return answer
