"""`web_app/index.html` filled in: with links to the files beside it, or with all of them inside.

Nothing of a model gets into HTML but the title, escaped, and data that the program shows as text. A policy
(Content-Security-Policy) allows the program of the export and nothing else: no other script, no other host.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final, NamedTuple

__all__ = ["Page", "folder_page", "integrity", "single_page"]

_IMPORT: Final = re.compile(r'^import [^;]* from "\./[a-z]+\.js";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(?:async )?(?:function|class|const)\b)", re.MULTILINE)
_EXPORTS: Final = re.compile(r"export\{([^{}]*)\};?\s*$")
_FOLDER_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types worker"
)
_SINGLE_POLICY: Final = (
    "default-src 'none'; script-src {scripts} 'wasm-unsafe-eval'; style-src {style}; img-src data:; base-uri 'none'; "
    "form-action 'none'; require-trusted-types-for 'script'; trusted-types worker"
)


class Page(NamedTuple):
    """What a page is made of. `texts`: the files of `web_app/` by name."""

    title: str
    colour: str  # as CSS writes it
    texts: Mapping[str, str]


def integrity(data: bytes) -> str:
    """As Subresource Integrity writes it (https://www.w3.org/TR/SRI/)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode()


def folder_page(page: Page, files: Mapping[str, bytes], modules: Sequence[str]) -> str:
    """The page beside its `files`, each checked by its hash before it is used."""

    def checked(name: str) -> str:
        return f'href="{name}" integrity="{integrity(files[name])}"'

    parts = {"app": "app.json", "model": "model.onnx", "runtime": "onnxruntime.bin"}
    head = [
        f'<meta http-equiv="Content-Security-Policy" content="{_FOLDER_POLICY}">',
        '<link rel="manifest" href="app.webmanifest">',
        '<link rel="icon" href="icon-192.png" type="image/png">',
        '<link rel="apple-touch-icon" href="icon-192.png">',
        f'<link rel="stylesheet" {checked("style.css")}>',
        *(f'<link rel="modulepreload" {checked(name)}>' for name in (*modules, "onnxruntime.js")),
        *(
            f'<meta name="part-{part}" content="{name}" data-integrity="{integrity(files[name])}">'
            for part, name in parts.items()
        ),
    ]
    program = f'<script type="module" src="app.js" integrity="{integrity(files["app.js"])}"></script>'
    return _filled(page, head, program)


def single_page(
    page: Page, parts: Mapping[str, bytes], runtime: str, modules: Sequence[str]
) -> tuple[str, dict[str, int]]:
    """The page with all of it inside, and how many of its bytes are for what.

    parts: "onnxruntime-web" and "model", both packed by gzip, "manifest and goldens", and "icons".
    """
    names = {"onnxruntime-web": "runtime", "model": "model", "manifest and goldens": "app"}
    data = {
        kind: f'<script type="text/plain" id="part-{names[kind]}">{base64.b64encode(parts[kind]).decode()}</script>'
        for kind in names
    }
    scripts = [_as_global(runtime), _joined([page.texts[name] for name in modules])]
    style = page.texts["style.css"]
    policy = _SINGLE_POLICY.format(
        scripts=" ".join(f"'{integrity(script.encode())}'" for script in scripts),
        style=f"'{integrity(style.encode())}'",
    )
    icon = f"data:image/png;base64,{base64.b64encode(parts['icons']).decode()}"
    head = [
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        f'<link rel="icon" href="{icon}" type="image/png">',
        f"<style>{style}</style>",
    ]
    licences = f'<script type="text/plain" id="licences">{page.texts["licences.txt"]}</script>'
    programs = [f'<script type="module">{script}</script>' for script in scripts]
    html = _filled(page, head, "\n".join([*data.values(), licences, *programs]))
    sizes = {kind: len(text) for kind, text in data.items()} | {"icons": len(icon)}
    sizes["onnxruntime-web"] += len(scripts[0].encode())
    sizes["page and program"] = len(html.encode()) - sum(sizes.values())
    return html, sizes


def _filled(page: Page, head: Sequence[str], program: str) -> str:
    values = {
        "__TITLE__": escape(page.title.encode("utf-8", "replace").decode()),
        "__COLOUR__": page.colour,
        "__HEAD__": "\n".join(head),
        "__PROGRAM__": program,
    }
    return re.sub("__[A-Z]+__", lambda found: values.get(found[0], found[0]), page.texts["index.html"])


def _joined(modules: Sequence[str]) -> str:
    """Modules in the order of their imports as one: their names at the top level are all different."""
    return "".join(_EXPORT.sub("", _IMPORT.sub("", module)) for module in modules)


def _as_global(runtime: str) -> str:
    """The pinned ES module as a script that sets `ort`, which a page from a file cannot import."""
    exports = _EXPORTS.search(runtime)
    if exports is None:
        raise ValueError("the runtime's module does not end in its exports")
    pairs = [name.split(" as ") for name in exports[1].split(",")]
    names = ",".join(f"{pair[-1]}:{pair[0]}" for pair in pairs)
    return f"{runtime[: exports.start()]}globalThis.ort={{{names}}};\n"
