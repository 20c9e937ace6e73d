"""What is given as examples: of a fixed batch, of some inputs alone, along another axis than the first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from edge_infer.errors import SchemaError
from edge_infer_convert import Conversion, convert
from tests.deep.graphs import FLOAT, convnet, model_of, recurrent, value

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0, 1, (100, 1, 8, 8)).astype(np.float32)


def given(made: Conversion) -> int:
    return int(made.certificate["kinds"].get("given", 0))


def state_behind() -> Any:
    """Steps [N, 4] and a hidden state [1, N, 4] → their sum."""
    inputs = [value("step", FLOAT, ["N", 4]), value("hidden", FLOAT, [1, "N", 4])]
    node = helper.make_node("Add", ["step", "hidden"], ["next"])
    return model_of([node], inputs, [value("next", FLOAT, [1, "N", 4])], {})


@pytest.mark.parametrize(("batch", "rows"), [(1, 100), (4, 100), (4, 4)])
def test_a_fixed_batch_is_asked_all_examples_call_by_call(batch: int, rows: int) -> None:
    made = convert(convnet(batch=batch), inputs=IMAGES[:rows], name="net")
    assert given(made) == rows
    assert made.manifest.interface is not None
    assert made.manifest.interface.inputs[0].shape == (batch, 1, 8, 8)


@pytest.mark.parametrize("rows", [3, 99])
def test_examples_that_are_no_whole_batches_are_refused(rows: int) -> None:
    with pytest.raises(SchemaError, match=f"the graph has a size of 4 at axis 0, got {rows}"):
        convert(convnet(batch=4), inputs=IMAGES[:rows], name="net")


def test_inputs_without_examples_are_made_up_beside_the_others() -> None:
    steps = RNG.normal(size=(300, 3)).astype(np.float32)
    made = convert(recurrent(), inputs={"step": steps}, name="cell")
    assert given(made) == 300


def test_examples_lie_along_the_batch_wherever_it_is() -> None:
    steps, hidden = RNG.normal(size=(150, 4)).astype(np.float32), RNG.normal(size=(1, 150, 4)).astype(np.float32)
    told = {"step": steps, "hidden": "float32[1, batch, 4] -3..3"}
    assert given(convert(state_behind(), inputs=told, name="cell")) == 150
    assert given(convert(state_behind(), inputs={"step": steps, "hidden": hidden}, name="cell")) == 150
