#!/usr/bin/env bash
# Proves that the wheel alone is enough on a device: installed without extras into a fresh environment, and run
# from an empty folder with an empty HOME, it verifies the sample artifact and gives the expected answer.
#
#   PYTHON       the Python that builds the wheel and makes the environment (python3)
#   CONSTRAINTS  a pip constraints file (requirements/dev.lock); empty for the newest releases
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}
constraints=${CONSTRAINTS-$root/requirements/dev.lock}
samples=$root/artifacts/samples/format-1
artifact=$samples/penguins-1.0.0.onnx
record=$samples/penguins-1.0.0.record.json
answer=$samples/penguins-1.0.0.answer.json
not_on_a_device="onnx sklearn skl2onnx pandas pyarrow cryptography pyrage"

say() { printf 'minimal: %s\n' "$*"; }
fail() { printf 'minimal: FAILED: %s\n' "$*" >&2; exit 1; }

for file in "$artifact" "$record" "$answer"; do
    [ -f "$file" ] || fail "the sample file ${file#"$root"/} is missing"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/wheel" "$work/home" "$work/empty"

build_wheel() {
    local isolation=()
    # A pinned hatchling that is there already makes the build repeatable; else pip brings one.
    if "$python" -c 'import hatchling' 2>/dev/null; then isolation=(--no-build-isolation); fi
    "$python" -m pip wheel -qq --disable-pip-version-check --no-input --no-deps \
        ${isolation[@]+"${isolation[@]}"} --wheel-dir "$work/wheel" "$root"
}

install_wheel() {
    local pins=()
    if [ -n "$constraints" ]; then pins=(--constraint "$constraints"); fi
    "$python" -m venv "$work/venv"
    "$work/venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
        ${pins[@]+"${pins[@]}"} "$work"/wheel/*.whl
}

# Runs a program of the fresh environment as a device's user would: nothing of this machine's settings is seen.
on_device() {
    (
        cd "$work/empty"
        unset PYTHONPATH PYTHONHOME XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME "${!EDGE_INFER@}"
        export HOME=$work/home
        program=$work/venv/bin/$1
        shift
        exec "$program" "$@" </dev/null
    )
}

say "building the wheel"
build_wheel || fail "the wheel does not build"
say "installing $(cd "$work/wheel" && echo *.whl) without extras"
install_wheel || fail "the wheel does not install"

# shellcheck disable=SC2086  # a list of words
on_device python -c '
import importlib.util, sys
found = [name for name in sys.argv[1:] if importlib.util.find_spec(name)]
sys.exit("installed, but must not be: " + ", ".join(found) if found else 0)
' $not_on_a_device || fail "the base install brings what only extras need"
say "not installed, as it should be: $not_on_a_device"

version=$(on_device edge-infer --version) || fail "edge-infer --version"
say "edge-infer --version: $version"

on_device edge-infer doctor "$artifact" || fail "edge-infer doctor ${artifact#"$root"/}"
say "edge-infer doctor: this machine is ready"

on_device edge-infer verify "$artifact" || fail "edge-infer verify ${artifact#"$root"/}"
say "edge-infer verify: passed"

on_device edge-infer predict "$artifact" "$(cat "$record")" --json >"$work/predicted.json" ||
    fail "edge-infer predict ${artifact#"$root"/}"
on_device python -c '
import json, math, sys

def same(expected, got):
    if isinstance(expected, dict):
        return isinstance(got, dict) and all(key in got and same(expected[key], got[key]) for key in expected)
    if isinstance(expected, list):
        return isinstance(got, list) and len(got) == len(expected) and all(map(same, expected, got))
    if isinstance(expected, float):
        return isinstance(got, (int, float)) and math.isclose(expected, got, rel_tol=1e-5, abs_tol=1e-6)
    return type(got) is type(expected) and got == expected

expected, got = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:])
sys.exit(0 if same(expected, got) else f"expected {expected}, got {got}")
' "$answer" "$work/predicted.json" || fail "edge-infer predict gave another answer"
say "edge-infer predict: $(cat "$work/predicted.json")"

on_device python -c '
import json, math, sys
import edge_infer

artifact, record, answer = sys.argv[1:]
record, answer = (json.load(open(path, encoding="utf-8")) for path in (record, answer))
got = edge_infer.load(artifact).predict(record)
got = got.tolist() if hasattr(got, "tolist") else got
expected = answer["prediction"]
close = isinstance(expected, float) and math.isclose(expected, got, rel_tol=1e-5, abs_tol=1e-6)
sys.exit(0 if got == expected or close else f"expected {expected!r}, got {got!r}")
' "$artifact" "$record" "$answer" || fail "edge_infer.load(...).predict(...) gave another answer"
say "edge_infer.load(...).predict(...): the same answer"

on_device edge-infer bench "$artifact" --seconds 0.02 --tune >/dev/null || fail "edge-infer bench ${artifact#"$root"/}"
say "edge-infer bench: measured"

for command in "keygen key" "keygen --age key" "encrypt $artifact --to age1 -o x.age" "sign $artifact --key key" "verify $artifact --trust key.pub"; do
    # shellcheck disable=SC2086  # a list of words
    if on_device edge-infer $command >/dev/null 2>"$work/told"; then fail "edge-infer $command, without the extra"; fi
    grep -qF 'pip install "edge-infer[secure]"' "$work/told" || fail "edge-infer $command: $(cat "$work/told")"
done
say "edge-infer keygen, sign, encrypt, verify --trust: tell which extra they need"

if on_device edge-infer export web "$artifact" -o app >/dev/null 2>"$work/told"; then
    fail "edge-infer export web, without onnxruntime-web"
fi
grep -qF 'npm pack onnxruntime-web@' "$work/told" || fail "edge-infer export web: $(cat "$work/told")"
on_device python -c '
import sys
from edge_infer import read_artifact
from edge_infer.export.web import export_web
from edge_infer.export.web_runtime import Runtime
export_web(read_artifact(sys.argv[1]), "app", runtime=Runtime(b"export{};", b""))
' "$artifact" || fail "the wheel lacks files of the web app"
say "edge-infer export web: its files are here, and it tells how to get onnxruntime-web"

say "passed"
