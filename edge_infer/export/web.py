"""An offline web app of a model: a folder for any static host, or one HTML file that opens by a double click.

Page, style and program are the files of `web_app/`, the same for every model. What differs is data: the model's own
bytes, and `app.json` with its manifest, goldens and certificate. `page.py` fills in the page.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from edge_infer import __version__
from edge_infer.artifact import Artifact
from edge_infer.errors import UsageError
from edge_infer.export.folders import check_folder, replace_folder
from edge_infer.export.icons import colour_of, icon
from edge_infer.export.page import Page, folder_page, integrity, single_page
from edge_infer.export.web_runtime import PINNED, Runtime
from edge_infer.files import write_atomically
from edge_infer.manifest import KEY_GOLDENS, Manifest, render_manifest

__all__ = ["WebExport", "export_web"]

WEB_APP: Final = Path(__file__).with_name("web_app")
#: The program's modules, each after those that it imports.
MODULES: Final = (
    *("times.js", "schema.js", "table.js", "model.js", "goldens.js", "elements.js", "picture.js", "form.js"),
    *("rows.js", "card.js", "parts.js", "offline.js", "app.js"),
)
_ICON_SIDES: Final = (192, 512)
_EXACT: Final = 2**53  # whole numbers up to here are exact in JavaScript


class WebExport(NamedTuple):
    """What was written. `parts`: bytes by what they are for; their sum is what a visitor's browser fetches."""

    path: Path
    single_file: bool
    parts: dict[str, int]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(self.parts.values())


def export_web(
    artifact: Artifact,
    output: str | os.PathLike[str],
    *,
    runtime: Runtime,
    title: str | None = None,
    single_file: bool = False,
) -> WebExport:
    """Write the web app of a model.

    Args:
        artifact: as `read_artifact` gives it. The app holds the model as it is, for everybody who can open it.
        output: the folder, which must not be there, be empty or be an earlier export; with `single_file`, the file.
        runtime: onnxruntime-web, as `find_runtime` gives it.
        title: of the page; left out, the model's name.

    Raises:
        UsageError: the model takes no columns or has texts that browsers do not take, or the output is in the way.
        OSError: as the system says.
    """
    target = Path(output)
    _check(artifact, target, single_file=single_file)
    page = _page(artifact, title or artifact.manifest.name)
    return (_write_single if single_file else _write_folder)(target, artifact, page, runtime)


def _check(artifact: Artifact, target: Path, *, single_file: bool) -> None:
    manifest = artifact.manifest
    if manifest.interface is not None:
        raise UsageError("a web app needs a model of columns: this one takes and gives tensors")
    if not manifest.inputs.columns or not manifest.outputs:
        raise UsageError(
            "a web app needs a model of columns: this file has no edge_infer manifest, and its inputs are not columns "
            "of numbers"
        )
    cut = next((text for text in _texts(manifest) if "\0" in text), None)
    if cut is not None:
        raise UsageError(
            f"the model has the text {cut!r:.80} among its categories, labels or marks of missing values, and "
            "onnxruntime-web ends a text at the character U+0000"
        )
    if not single_file:
        check_folder(target.resolve())
    elif target.is_dir() or not target.parent.is_dir():
        raise UsageError(f"--output: expected the name of an HTML file in an existing folder, got {str(target)!r}")
    if single_file and target.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--output: with --single-file expected a name such as app.html, got {str(target)!r}")


def _texts(manifest: Manifest) -> Iterator[str]:
    """Texts that go into the graph or come out of it."""
    labels = [column.categories or () for column in manifest.inputs.columns]
    labels += [classes for output in manifest.outputs for classes in output.classes or ()]
    yield from (label for some in labels for label in some if isinstance(label, str))
    yield from (tensor.missing for tensor in manifest.inputs.tensors if tensor.missing is not None)


def _page(artifact: Artifact, title: str) -> Page:
    texts = {path.name: path.read_text(encoding="utf-8") for path in WEB_APP.iterdir() if path.is_file()}
    return Page(title=title, colour="#{:02x}{:02x}{:02x}".format(*colour_of(artifact.manifest.name)), texts=texts)


# --- a folder ---------------------------------------------------------------------------


def _write_folder(target: Path, artifact: Artifact, page: Page, runtime: Runtime) -> WebExport:
    icons = {f"icon-{side}.png": icon(artifact.manifest.name, side) for side in _ICON_SIDES}
    program = {name: page.texts[name].encode() for name in (*MODULES, "style.css", "licences.txt")}
    files = {
        "app.json": _document(artifact, page.title),
        "model.onnx": artifact.data,
        "onnxruntime.js": _without_map(runtime.script),
        "onnxruntime.bin": _packed(runtime.wasm),
        "app.webmanifest": _web_manifest(artifact, page),
        **icons,
        **program,
    }
    files["index.html"] = folder_page(page, files, MODULES).encode()
    files["sw.js"] = _service_worker(page, files)
    replace_folder(target, files)
    return WebExport(target, False, _weights(files, icons))


def _weights(files: Mapping[str, bytes], icons: Mapping[str, bytes]) -> dict[str, int]:
    kinds = {"onnxruntime.js": "onnxruntime-web", "onnxruntime.bin": "onnxruntime-web", "model.onnx": "model"}
    kinds |= {"app.json": "manifest and goldens", **dict.fromkeys(icons, "icons")}
    parts = dict.fromkeys(("onnxruntime-web", "model", "manifest and goldens", "page and program", "icons"), 0)
    for name, data in files.items():
        parts[kinds.get(name, "page and program")] += len(data)
    return parts


def _service_worker(page: Page, files: Mapping[str, bytes]) -> bytes:
    """It keeps exactly these files, each by its hash: other content is another worker, which browsers then fetch."""
    kept = {("./" if name == "index.html" else name): integrity(data) for name, data in sorted(files.items())}
    return page.texts["sw.js"].replace("__FILES__", json.dumps(kept, indent=2)).encode()


def _web_manifest(artifact: Artifact, page: Page) -> bytes:
    icons = [
        {"src": f"icon-{side}.png", "sizes": f"{side}x{side}", "type": "image/png", "purpose": purpose}
        for side in _ICON_SIDES
        for purpose in ("any", "maskable")
    ]
    document = {
        "name": page.title,
        "short_name": page.title[:24],
        "description": f"{artifact.manifest.task}: {artifact.manifest.name} {artifact.manifest.version}",
        "id": "./",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": page.colour,
        "icons": icons,
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8", "replace") + b"\n"


# --- one file ---------------------------------------------------------------------------


def _write_single(target: Path, artifact: Artifact, page: Page, runtime: Runtime) -> WebExport:
    parts = {
        "onnxruntime-web": _packed(runtime.wasm),
        "model": _packed(artifact.data),
        "manifest and goldens": _document(artifact, page.title),
        "icons": icon(artifact.manifest.name, _ICON_SIDES[0]),
    }
    html, sizes = single_page(page, parts, _without_map(runtime.script).decode(), MODULES)
    write_atomically(target, html.encode())
    return WebExport(target, True, sizes)


# --- parts of both ----------------------------------------------------------------------


def _document(artifact: Artifact, title: str) -> bytes:
    """`app.json`: all that the page tells of the model, as JSON that JavaScript reads without loss."""
    goldens = artifact.facts.metadata.get(KEY_GOLDENS) if artifact.goldens() is not None else None
    document = {
        "title": title,
        "edge_infer": __version__,
        "runtime": PINNED.spec,
        "file": {
            "name": os.path.basename(artifact.source) if artifact.source else "model.onnx",
            "bytes": len(artifact.data),
            "sha256": artifact.digest,
            "nodes": artifact.facts.nodes,
            "described": artifact.described,
        },
        "manifest": json.loads(render_manifest(artifact.manifest)),
        "goldens": None if goldens is None else json.loads(goldens),
        "parity": artifact.parity(),
    }
    return json.dumps(_exact(document), ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()


def _exact(value: Any) -> Any:
    """Whole numbers that JavaScript's numbers do not hold, as {"whole": digits}."""
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    if isinstance(value, int) and not -_EXACT <= value <= _EXACT:
        return {"whole": str(value)}
    return value


def _packed(data: bytes) -> bytes:
    """gzip, which browsers unpack by themselves (DecompressionStream); the same bytes every time."""
    return gzip.compress(data, 9, mtime=0)


def _without_map(script: bytes) -> bytes:
    """Without the line that names a source map, which is not shipped."""
    return b"\n".join(line for line in script.split(b"\n") if not line.startswith(b"//# sourceMappingURL="))
