"""Answers for the rows of a Ray Dataset, by actors that hold the model (extra `ray`): `predict_with_ray`.

A worker needs edge-infer and pyarrow installed, as it needs ray; the model's bytes are sent to it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from edge_infer.errors import UsageError
from edge_infer.extras import needs

with needs("ray", "pyarrow", "Scoring with Ray"):
    from edge_infer.batch.engines import Plan, Shipped, loaded, plan_for, shipped
with needs("ray", "ray", "Scoring with Ray"):
    import ray
    import ray.data

if TYPE_CHECKING:
    import pyarrow as pa

    from edge_infer.batch.engines import OnMisfit

_BATCHES: Final = 8  # of a block: Ray hands an actor whole blocks, and makes one of a million rows by itself

__all__ = ["ArrowActor", "predict_with_ray", "share_of_cpu"]


class ArrowActor:
    """For `Dataset.map_batches(ArrowActor, batch_format="pyarrow", …)`: one model, tables in, tables out."""

    def __init__(self, data: Any, plan: Plan) -> None:
        """data: the file's bytes, or Ray's reference to them."""
        sent = ray.get(data) if isinstance(data, ray.ObjectRef) else data
        self._plan = plan
        self._scorer = loaded(Shipped(sent, plan.digest), plan.identity).scorer(plan.methods)

    def __call__(self, rows: pa.Table) -> pa.Table:
        return self._plan.answer(self._scorer, rows)


def predict_with_ray(
    dataset: Any,
    path: str | os.PathLike[str],
    *,
    methods: Sequence[str] | None = None,
    keep: Sequence[str] | None = None,
    inputs: Sequence[str] | None = None,
    on_error: OnMisfit = "fail",
    identity: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    batch_size: int = 16_384,
) -> Any:
    """`dataset` (`ray.data.Dataset`) with the model's answers; lazy, as all of Ray Data.

    Args:
        path: the model's file, where this program runs; its bytes are sent to the actors.
        methods: what is answered; None: the first one, and probabilities where there are any.
        keep: columns of `dataset` that the answers stand beside; None: all.
        inputs: the columns that the model is asked with, in its order, where they have other names than the model's.
        on_error: "fail" (with every mismatch of the batch) or "null" (a row that does not fit is answered by NULL).
        identity: of an encrypted model, see `load`: a file that every worker has; None: EDGE_INFER_IDENTITY.
        workers: actors; None: a CPU of the cluster each, but one, which reads the rows.
        batch_size: rows that an actor is handed at once; eight times as many are what is run again where one dies.

    Raises:
        InputError: columns that the model needs are not there.
        UsageError: other arguments that make no sense.
        MethodError: the model has no such method.
        ArtifactError, FileNotFoundError: as `load`.
    """
    shipment = shipped(path)
    scorer = loaded(shipment, identity).scorer(methods)
    given = dataset.columns() or []
    plan = plan_for(scorer, shipment.digest, given, inputs=inputs, keep=keep, on_error=on_error, identity=identity)
    cpus = float(ray.cluster_resources().get("CPU", 1))
    size = max(1, int(cpus) - 1) if workers is None else workers
    if size < 1 or batch_size < 1:
        raise UsageError(f"workers and batch_size: expected at least 1, got {workers} and {batch_size}")
    blocks = dataset.select_columns(plan.columns).repartition(target_num_rows_per_block=_BATCHES * batch_size)
    return blocks.map_batches(
        ArrowActor,
        fn_constructor_args=(ray.put(shipment.data), plan),
        batch_format="pyarrow",
        batch_size=batch_size,
        compute=ray.data.ActorPoolStrategy(size=size),
        num_cpus=share_of_cpu(size, cpus),
    )  # Ray Data starts an actor that has died again, and what it was at, of its own accord


def share_of_cpu(workers: int, cpus: float) -> float:
    """That an actor asks for. The tasks that read the rows need a CPU too: actors that took all would wait for ever."""
    free = cpus - 1 if cpus > 1 else cpus / 2
    return min(1.0, int(free / workers * 1000) / 1000)
