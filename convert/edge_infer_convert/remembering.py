"""While one table is asked about, an estimator's methods that call each other are computed once.

`predict` of a forest or of LightGBM's classifier is `predict_proba` and a choice of the largest: asking for both takes
twice the time of the model. Of these packages it is known that no method changes its input.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

__all__ = ["remembering"]

_PACKAGES: Final = frozenset({"sklearn", "lightgbm"})
_METHODS: Final = ("predict_proba", "decision_function", "score_samples")


@contextmanager
def remembering(estimator: Any, table: Any, known: dict[str, Any]) -> Iterator[None]:
    """While open, what these methods say to `table` is taken from `known`, or computed and put there."""
    own = vars(estimator) if type(estimator).__module__.partition(".")[0] in _PACKAGES else None
    shadowed = []
    for name in () if own is None else _METHODS:
        method = getattr(estimator, name, None)
        if inspect.ismethod(method):
            setattr(estimator, name, partial(_recalled, method, table, known))  # before the class's method in look-ups
            shadowed.append(name)
    try:
        yield
    finally:
        for name in shadowed:
            delattr(estimator, name)


def _recalled(method: Any, table: Any, known: dict[str, Any], *args: Any, **options: Any) -> Any:
    parameters = inspect.signature(method).parameters
    given = inspect.signature(method).bind(*args, **options).arguments
    first, *others = parameters
    usual = all(given[name] is parameters[name].default for name in others if name in given)
    if given.get(first) is not table or not usual:
        return method(*args, **options)
    if method.__name__ not in known:
        known[method.__name__] = method(*args, **options)
    return copy.deepcopy(known[method.__name__])
