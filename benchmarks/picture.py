"""The figures of one record as a picture for the README: bars drawn from results.json, as plain SVG.

It is shown as an <img>, on pages that are light or dark: it brings its own background, fonts of the system, no script.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.one_row import ARRAY, DICT, DOCUMENTED, READY, SKLEARN
from benchmarks.results import spent

__all__ = ["drawn", "write_picture"]

_METHOD: Final = "predict_proba"
_WIDTH, _LEFT, _RIGHT, _TOP = 780, 206, 128, 78
_BAR, _STEP, _TITLE, _GAP = 13, 18, 22, 12  # a bar's height, from bar to bar, a group's title, between groups
_SIDES: Final = {
    DOCUMENTED: ("documented", "onnxruntime, as documented"),
    READY: ("ready", "onnxruntime, ready feed"),
    DICT: ("ours", "edge_infer, from a dict"),
    ARRAY: ("ours", "edge_infer, from an array"),
}
_TITLE_TEXT: Final = f"One record: {_METHOD}, time of a call"
_STYLE: Final = """
text { font: 12px -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: 600 } .model { font-weight: 600 } .small { font-size: 11px; fill: #57606a }
.case, .value { dominant-baseline: central } .case, .tick { fill: #57606a } .case { text-anchor: end }
.value, .model { paint-order: stroke; stroke: #ffffff; stroke-width: 3px }
.tick { font-size: 11px; text-anchor: middle } .share { fill: #57606a }
.card { fill: #ffffff; stroke: #d0d7de } .grid { stroke: #d8dee4 }
.documented { fill: #8c959f } .ready { fill: #b8bfc6 } .ours { fill: #0969da }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small, .case, .tick, .share { fill: #9198a1 } .value, .model { stroke: #0d1117 }
.card { fill: #0d1117; stroke: #30363d } .grid { stroke: #262c36 }
.documented { fill: #7d8590 } .ready { fill: #4c545d } .ours { fill: #388bfd }
}
"""


class _Model(NamedTuple):
    title: str
    seconds: dict[str, float]  # by case, in the order of `_SIDES`

    @property
    def height(self) -> int:
        return _TITLE + _STEP * len(self.seconds) + _GAP


def write_picture(folder: Path) -> None:
    """results.svg beside the results.json that it is drawn from."""
    document = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    (folder / "results.svg").write_text(drawn(document), encoding="utf-8")


def drawn(document: Mapping[str, Any]) -> str:
    """The SVG of a results.json. The same results give the same text."""
    measured = [row for row in document["parts"]["one_row"] if row["method"] == _METHOD]
    models = _models(measured)
    most = max(max(model.seconds.values()) for model in models)
    floor = _TOP + sum(model.height for model in models) - _GAP
    inner = [*_grid(most, floor), *_groups(models, most), *_small_print(document["machine"], measured, floor)]
    return _svg(floor + 66, _described(models), inner)


def _models(measured: Sequence[Mapping[str, Any]]) -> list[_Model]:
    seconds: dict[str, dict[str, float]] = {}
    for row in measured:
        seconds.setdefault(row["model"], {})[row["case"]] = row["seconds"]
    return [_Model(title, {case: times[case] for case in _SIDES if case in times}) for title, times in seconds.items()]


def _x(seconds: float, most: float) -> float:
    return _LEFT + seconds / most * (_WIDTH - _LEFT - _RIGHT)


def _grid(most: float, floor: float) -> Iterator[str]:
    """Lines at every 10 µs, or every 2, 5, 10, 20 …: as many as fit well."""
    power = 10.0 ** math.floor(math.log10(most))
    step = next(share * power for share in (0.2, 0.5, 1.0, 2.0) if most / (share * power) <= 6)
    for i in range(int(most / step * (1 + 1e-9)) + 1):
        x = _x(i * step, most)
        yield f'<path class="grid" d="M{x:.1f} {_TOP - 8}V{floor:.1f}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{floor + 16:.1f}">{spent(i * step) if i else 0}</text>'


def _groups(models: Sequence[_Model], most: float) -> Iterator[str]:
    top = _TOP
    for model in models:
        yield f'<text class="model" x="16" y="{top + 11}">{escape(model.title)}</text>'
        for i, (case, seconds) in enumerate(model.seconds.items()):
            share = seconds / model.seconds[DOCUMENTED]
            yield from _bar(top + _TITLE + _STEP * i, case, seconds, share, most)
        top += model.height


def _bar(top: float, case: str, seconds: float, share: float, most: float) -> Iterator[str]:
    name, text = _SIDES[case]
    end, middle = _x(seconds, most), top + _BAR / 2
    of_documented = "" if case == DOCUMENTED else f' <tspan class="share">· {share:.2f} ×</tspan>'
    yield f'<text class="case" x="{_LEFT - 8}" y="{middle}">{text}</text>'
    yield f'<rect class="{name}" x="{_LEFT}" y="{top}" width="{end - _LEFT:.1f}" height="{_BAR}" rx="2"/>'
    yield f'<text class="value" x="{end + 6:.1f}" y="{middle}">{spent(seconds)}{of_documented}</text>'


def _small_print(machine: Mapping[str, str], measured: Sequence[Mapping[str, Any]], floor: float) -> Iterator[str]:
    original = [row["seconds"] for row in measured if row["case"] == SKLEARN]
    off = f"Off the scale: scikit-learn itself, {spent(min(original))} to {spent(max(original))}. "
    packages = ", ".join(f"{name} {machine[name]}" for name in ("onnxruntime", "edge-infer"))
    place = f"{machine['CPU']}, {machine['cores']} cores, {machine['system']}, Python {machine['Python']}, {packages}."
    yield f'<text class="small" x="16" y="{floor + 36:.1f}">{escape(off)}Medians; answers compared before.</text>'
    yield f'<text class="small" x="16" y="{floor + 52:.1f}">{escape(place)}</text>'


def _described(models: Sequence[_Model]) -> str:
    """The bars in words."""
    return " ".join(
        f"{model.title}: {', '.join(f'{_SIDES[case][1]} {spent(time)}' for case, time in model.seconds.items())}."
        for model in models
    )


def _svg(height: float, description: str, inner: Sequence[str]) -> str:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-labelledby="t d">',
        f'<title id="t">{_TITLE_TEXT}</title>',
        f'<desc id="d">{escape(description)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1:.0f}" rx="6"/>',
        f'<text class="title" x="16" y="30">{_TITLE_TEXT}</text>',
        '<text class="small" x="16" y="50">Shorter is faster; ×: the share of what onnxruntime takes when it is used '
        "as skl2onnx and onnxruntime document it.</text>",
        *inner,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
