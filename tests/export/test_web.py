"""What the export of a web app writes, and what it refuses; no browser and no network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import struct
from pathlib import Path
from typing import Any

import pytest

from edge_infer.artifact import Artifact, parse_artifact, read_artifact
from edge_infer.errors import UsageError
from edge_infer.export import folders
from edge_infer.export.icons import colour_of, icon
from edge_infer.export.web import MODULES, WEB_APP, export_web
from edge_infer.export.web_runtime import Runtime
from tests.export import models
from tests.export.conftest import PENGUINS

#: The writer takes the bytes as they are: `find_runtime` has checked them.
SMALL = Runtime(b"const a=1;export{a as InferenceSession,a as Tensor};\n//# sourceMappingURL=x.map\n", b"\0asm" * 100)


@pytest.fixture(scope="module")
def penguins() -> Artifact:
    return read_artifact(PENGUINS)


def folder_of(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


# --- content ----------------------------------------------------------------------------


def test_the_folder_holds_the_models_own_bytes_and_all_that_the_page_names(penguins: Artifact, tmp_path: Path) -> None:
    done = export_web(penguins, tmp_path / "app", runtime=SMALL)
    files = folder_of(tmp_path / "app")
    assert files["model.onnx"] == penguins.data
    assert gzip.decompress(files["onnxruntime.bin"]) == SMALL.wasm
    html = files["index.html"].decode()
    named = set(re.findall(r'(?:href|src|content)="([\w.-]+\.(?:js|css|json|onnx|bin|png|webmanifest|txt))"', html))
    assert named <= set(files)
    assert set(MODULES) <= named
    assert done.size == sum(len(data) for name, data in files.items() if name != folders.MARK)


def test_every_file_that_runs_is_checked_by_its_hash(penguins: Artifact, tmp_path: Path) -> None:
    export_web(penguins, tmp_path / "app", runtime=SMALL)
    files = folder_of(tmp_path / "app")
    html = files["index.html"].decode()
    checked = dict(re.findall(r'"([\w.-]+)" (?:data-)?integrity="(sha256-[^"]+)"', html))
    assert set(checked) == {*MODULES, "style.css", "onnxruntime.js", "onnxruntime.bin", "model.onnx", "app.json"}
    listed = json.loads(files["sw.js"].decode().partition("const FILES = ")[2].partition(";\n")[0])
    assert set(listed) == set(files) - {"index.html", "sw.js", folders.MARK} | {"./"}
    for name, told in {**checked, **listed}.items():
        data = files["index.html" if name == "./" else name]
        assert told == "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode()


def test_the_page_may_reach_no_other_host(penguins: Artifact, tmp_path: Path) -> None:
    export_web(penguins, tmp_path / "app", runtime=SMALL)
    export_web(penguins, tmp_path / "app.html", runtime=SMALL, single_file=True)
    for html in ((tmp_path / "app" / "index.html").read_text(), (tmp_path / "app.html").read_text()):
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
        assert policy is not None
        assert policy[1].startswith("default-src 'none'; ")
        assert "unsafe-inline" not in policy[1]
        assert "http" not in policy[1]
        assert "'unsafe-eval'" not in policy[1]
    program = "".join(path.read_text(encoding="utf-8") for path in WEB_APP.iterdir())
    assert not re.search(r"https?://", program)
    assert "innerHTML" not in program


def test_a_single_file_names_no_other(penguins: Artifact, tmp_path: Path) -> None:
    done = export_web(penguins, tmp_path / "app.html", runtime=SMALL, single_file=True)
    html = (tmp_path / "app.html").read_text(encoding="utf-8")
    assert done.size == len(html.encode())
    assert set(re.findall(r'(?:src|href)="([^"]*)"', html.partition('<script type="module">')[0])) == {
        "#main",
        "licences.txt",  # whose place the text itself takes
        re.search(r'rel="icon" href="([^"]*)"', html)[1],  # type: ignore[index]
    }
    model = re.search(r'id="part-model">([^<]*)<', html)
    assert model is not None
    assert gzip.decompress(base64.b64decode(model[1])) == penguins.data
    scripts = re.findall(r'<script type="module">(.*?)</script>', html, re.DOTALL)
    assert len(scripts) == 2
    assert "globalThis.ort={InferenceSession:a,Tensor:a};" in scripts[0]
    assert not re.search(r"^(?:import|export)\b", scripts[1], re.MULTILINE)


def test_top_level_names_of_the_modules_are_all_different() -> None:
    """They stand in one script in a single file."""
    found: dict[str, str] = {}
    for module in MODULES:
        text = (WEB_APP / module).read_text(encoding="utf-8")
        for name in re.findall(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", text, re.MULTILINE):
            assert name not in found, f"{name} in {module} and {found[name]}"
            found[name] = module


def test_modules_stand_behind_those_that_they_import() -> None:
    seen = {"onnxruntime.js"}
    for module in MODULES:
        text = (WEB_APP / module).read_text(encoding="utf-8")
        assert set(re.findall(r'from "\./([\w.]+)"', text)) <= seen, module
        seen.add(module)


def test_the_same_model_gives_the_same_bytes(penguins: Artifact, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export_web(penguins, tmp_path / name, runtime=SMALL)
    assert folder_of(tmp_path / "a") == folder_of(tmp_path / "b")


def test_whole_numbers_beyond_javascripts_keep_their_digits(tmp_path: Path) -> None:
    def change(goldens: dict[str, object]) -> None:
        goldens["rows"][0][2] = 2**60 + 1  # type: ignore[index]

    data = models.with_documents(PENGUINS, goldens=change)
    export_web(parse_artifact(data), tmp_path / "app", runtime=SMALL)
    goldens = json.loads((tmp_path / "app" / "app.json").read_bytes())["goldens"]
    assert goldens["rows"][0][2] == {"whole": str(2**60 + 1)}


def test_icons_are_whole_pngs_in_a_colour_that_white_stands_out_from() -> None:
    for side in (192, 512):
        data = icon("penguins", side)
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", data[16:24]) == (side, side)
    for number in range(300):
        linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in
                  (part / 255 for part in colour_of(f"model {number}"))]  # fmt: skip
        assert 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05) >= 3


@pytest.mark.parametrize("field", ["category", "class", "sentinel"])
def test_texts_that_onnxruntime_web_would_cut_are_refused(field: str, tmp_path: Path) -> None:
    def change(text: str) -> bytes:
        def write(manifest: dict[str, Any]) -> None:
            if field == "category":
                manifest["inputs"]["columns"][0]["categories"][0] = text
            elif field == "class":
                manifest["outputs"][0]["classes"][0][0] = text
            else:
                next(t for t in manifest["inputs"]["tensors"] if t["dtype"] == "string")["missing"] = text

        return models.with_documents(PENGUINS, manifest=write)

    with pytest.raises(UsageError, match=r"'a\\x00b' .*U\+0000"):
        export_web(parse_artifact(change("a\0b")), tmp_path / "app", runtime=SMALL)
    export_web(parse_artifact(change("a\1b日本")), tmp_path / "app", runtime=SMALL)


# --- hostile texts ----------------------------------------------------------------------


def test_no_text_of_a_model_stands_in_html_as_it_is(tmp_path: Path) -> None:
    artifact = parse_artifact(models.hostile_penguins())
    export_web(artifact, tmp_path / "app", runtime=SMALL, title=models.HOSTILE)
    export_web(artifact, tmp_path / "app.html", runtime=SMALL, title=models.HOSTILE, single_file=True)
    for html in ((tmp_path / "app" / "index.html").read_text(), (tmp_path / "app.html").read_text()):
        assert "hacked = 1" in html  # the title, escaped
        assert "<script>hacked" not in html
        assert "<img" not in html


@pytest.mark.parametrize("title", ["Köln & Söhne", "日本", "__HEAD__", "a\ud800b", "\\1 $& {title}"])
def test_a_title_is_shown_as_it_is(title: str, penguins: Artifact, tmp_path: Path) -> None:
    from html import unescape

    export_web(penguins, tmp_path / "app", runtime=SMALL, title=title)
    html = (tmp_path / "app" / "index.html").read_text(encoding="utf-8")
    shown = title.replace("\ud800", "?")
    assert unescape(re.search("<title>(.*)</title>", html)[1]) == shown  # type: ignore[index]
    assert json.loads((tmp_path / "app" / "app.webmanifest").read_bytes())["name"] == shown


# --- folders ----------------------------------------------------------------------------


def test_an_earlier_export_is_replaced_as_a_whole(penguins: Artifact, tmp_path: Path) -> None:
    target = tmp_path / "app"
    export_web(penguins, target, runtime=SMALL)
    mark = json.loads((target / folders.MARK).read_bytes())
    (target / "stale.js").write_bytes(b"of an older edge-infer")
    (target / folders.MARK).write_text(json.dumps({**mark, "files": [*mark["files"], "stale.js"]}))
    export_web(penguins, target, runtime=SMALL, title="Another")
    assert "stale.js" not in folder_of(target)
    assert b"Another" in folder_of(target)["index.html"]
    assert os.listdir(tmp_path) == ["app"]


def test_an_empty_folder_is_filled(penguins: Artifact, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    export_web(penguins, tmp_path / "app", runtime=SMALL)
    assert (tmp_path / "app" / "index.html").is_file()


@pytest.mark.parametrize("own", ["CNAME", "thesis.docx", ".git"])
def test_a_folder_with_other_files_is_left_alone(own: str, penguins: Artifact, tmp_path: Path) -> None:
    target = tmp_path / "app"
    export_web(penguins, target, runtime=SMALL)
    (target / own).write_text("mine")
    before = folder_of(target)
    with pytest.raises(UsageError, match=f"holds what no export wrote \\('{re.escape(own)}'\\)"):
        export_web(penguins, target, runtime=SMALL, title="Another")
    assert folder_of(target) == before


@pytest.mark.parametrize("mark", [b"{}", b"[", b'{"made_by": "edge-infer export", "files": 1}', b'"x"'])
def test_a_mark_that_no_export_wrote_frees_no_folder(mark: bytes, penguins: Artifact, tmp_path: Path) -> None:
    (tmp_path / folders.MARK).write_bytes(mark)
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError, match="holds what no export wrote"):
        export_web(penguins, tmp_path, runtime=SMALL)


def test_a_failure_leaves_the_earlier_export(
    penguins: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "app"
    export_web(penguins, target, runtime=SMALL)
    before = folder_of(target)
    rename = os.rename

    def full(old: Path, new: Path) -> None:
        if str(old).endswith(".new"):
            raise OSError(28, "No space left on device", str(new))
        rename(old, new)

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        export_web(penguins, target, runtime=SMALL, title="Another")
    assert folder_of(target) == before
    assert os.listdir(tmp_path) == ["app"]


def test_outputs_in_the_way_are_wrong_usage(penguins: Artifact, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="expected a folder, got the file"):
        export_web(penguins, tmp_path / "file", runtime=SMALL)
    with pytest.raises(UsageError, match="there is no"):
        export_web(penguins, tmp_path / "no" / "app", runtime=SMALL)
    with pytest.raises(UsageError, match="expected a name such as app"):
        export_web(penguins, tmp_path / "app", runtime=SMALL, single_file=True)
    with pytest.raises(UsageError, match="expected the name of an HTML file"):
        export_web(penguins, tmp_path, runtime=SMALL, single_file=True)
    assert os.listdir(tmp_path) == ["file"]
