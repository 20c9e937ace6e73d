"""Sources that know their inputs: what the caller gives is held against what the model itself says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge_infer.errors import SchemaError, UsageError
from edge_infer_convert.deep.inputs import BATCH, TensorInput, given_inputs

__all__ = ["held"]


def held(given: Any, own: Sequence[TensorInput], who: str) -> list[TensorInput]:
    """Inputs that a mapping leaves out are as the model has them. What is given as an example tells the range, and
    the sizes that the names stand for; what is given as a text may fix or rename sizes that vary. Of a model whose
    batch is fixed to b, an example may have any number of times b rows.

    who: for messages, "the graph" or "the model".

    Raises:
        UsageError: other names, or another kind of thing.
        SchemaError: it does not fit.
    """
    if given is None:
        return list(own)
    found = given_inputs(_filled(given, own), [each.name for each in own])
    stacks = not any(BATCH in each.spec.shape for each in own)
    return [_joined(each, mine, who, stacks=stacks) for each, mine in zip(found, own, strict=True)]


def _filled(given: Any, own: Sequence[TensorInput]) -> Any:
    if not isinstance(given, Mapping):
        return given
    names = [each.name for each in own]
    if any(name not in names for name in given):
        raise UsageError(f"inputs: expected {', '.join(names)}, got {', '.join(map(str, given))}")
    return {**{each.name: each for each in own if each.name not in given}, **given}


def _joined(given: TensorInput, own: TensorInput, who: str, *, stacks: bool) -> TensorInput:
    if given is own:
        return own
    wanted, spec = own.spec, given.spec
    if spec.dtype != wanted.dtype or len(spec.shape) != len(wanted.shape):
        raise SchemaError(
            f"input {spec.name!r}: {who} takes {wanted.dtype} {list(wanted.shape)}, got {spec.dtype} {list(spec.shape)}"
        )
    sizes = dict(given.sizes)
    shape: list[int | str] = []
    for axis, (told, mine) in enumerate(zip(spec.shape, wanted.shape, strict=True)):
        size = given.example.shape[axis] if given.example is not None else told
        stacked = stacks and axis == 0 and given.example is not None
        if isinstance(mine, int) and isinstance(size, int) and (size % max(mine, 1) if stacked else mine != size):
            raise SchemaError(f"input {spec.name!r}: {who} has a size of {mine} at axis {axis}, got {size}")
        if isinstance(mine, str) and mine != BATCH and given.example is not None:
            sizes.setdefault(mine, int(given.example.shape[axis]))
        shape.append(mine if given.example is not None or isinstance(mine, int) else told)
    return given._replace(spec=spec._replace(shape=tuple(shape)), sizes=sizes)
