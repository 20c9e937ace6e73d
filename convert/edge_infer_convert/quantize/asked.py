"""What a caller asks of quantization, judged before any model is exported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from edge_infer.errors import UsageError
from edge_infer_convert.deep.inputs import TensorInput
from edge_infer_convert.quantize.calibration import Sample, given_sample
from edge_infer_convert.quantize.variants import KINDS, VARIANTS, Variant, check_extras

__all__ = ["MAX_LOSS", "Asked", "asked_of"]

#: Percentage points that a variant may lose.
MAX_LOSS: Final = 0.5


class Asked(NamedTuple):
    """variants: in the order in which they are tried. all: what cannot be made without examples is no error."""

    variants: tuple[Variant, ...]
    calibration: Any
    targets: Any
    max_loss: float
    all: bool

    def sample(self, told: Sequence[TensorInput]) -> Sample | None:
        """The examples, of `calibration` or else of the inputs; None where there are none.

        Raises:
            UsageError: they are not what the model takes, or there are none and a variant that was asked for, or the
                targets, need some.
        """
        found = given_sample(self.calibration, told)
        if found is None and self.targets is not None:
            raise UsageError("targets: expected the true answers to a sample: give calibration=, or examples as inputs")
        static = [variant.name for variant in self.variants if variant.calibrated]
        if found is None and static and not self.all:
            without = [variant.name for variant in VARIANTS if not variant.calibrated]
            raise UsageError(
                f"quantize: {', '.join(static)} need{'s' * (len(static) == 1)} examples to set ranges by; give some "
                "hundred of them, as calibration= (--calibration FILE) or as inputs. Without examples: "
                f"{', '.join(without)}"
            )
        return found


def asked_of(quantize: Any, calibration: Any, targets: Any, max_loss: float | None) -> Asked | None:
    """None where quantize is None.

    quantize: one of KINDS, the name of one variant, "all", or several of these.

    Raises:
        UsageError: none of these, or an option of quantization without it.
        MissingExtraError: a kind needs a package that is not installed.
    """
    if quantize is None:
        given = {"calibration": calibration, "targets": targets, "max_loss": max_loss}
        stray = [name for name, value in given.items() if value is not None]
        if stray:
            raise UsageError(f"{', '.join(stray)}: of no use without quantize ({', '.join(KINDS)}, all)")
        return None
    wanted = [quantize] if isinstance(quantize, str) else list(quantize)
    known = {*KINDS, *(variant.name for variant in VARIANTS), "all"}
    unknown = [each for each in wanted if each not in known]
    if unknown or not wanted:
        names = ", ".join(dict.fromkeys([*KINDS, *(variant.name for variant in VARIANTS), "all"]))
        raise UsageError(f"quantize: expected one or more of {names}, got {unknown[0] if unknown else 'none'!r}")
    loss = MAX_LOSS if max_loss is None else max_loss
    if not 0 <= loss <= 100:
        raise UsageError(f"max_loss: expected percentage points from 0 to 100, got {loss!r}")
    chosen = tuple(v for v in VARIANTS if "all" in wanted or v.kind in wanted or v.name in wanted)
    check_extras(chosen)
    return Asked(chosen, calibration, targets, float(loss), "all" in wanted)
