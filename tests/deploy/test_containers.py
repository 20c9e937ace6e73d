"""The Dockerfile and the Kubernetes manifests: what they promise, and the Dockerfile's steps in a folder."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_infer.bundle import make_bundle, target_of
from tests.deploy.conftest import ROOT, SAMPLES

DOCKER = ROOT / "deploy" / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))


def _try_steps() -> Any:
    spec = importlib.util.spec_from_file_location("try_steps", DOCKER / "try_steps.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_image_is_of_a_user_without_rights_and_has_a_health_check() -> None:
    steps = _try_steps().instructions(DOCKERFILE)
    assert [rest for word, rest in steps if word == "USER"] == ["10001:10001"]
    words = [word for word, _ in steps]
    assert words[-3:] == ["HEALTHCHECK", "ENTRYPOINT", "CMD"]
    assert "EDGE_INFER_HOME=/var/lib/edge-infer" in DOCKERFILE
    assert not re.search(r"apt|gcc|curl|pip install|ADD |latest", DOCKERFILE)


def test_all_that_is_copied_passes_dockerignore() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    steps = _try_steps().instructions(DOCKERFILE)
    copied = [rest.split()[-2] for word, rest in steps if word == "COPY" and "--from" not in rest]
    assert sorted(path.replace("${TARGETARCH}", "*") for path in copied) == sorted(allowed)


def test_the_steps_give_a_root_that_answers_read_only(tmp_path: Path) -> None:
    base = os.environ.get("IMAGE_BASE")
    if base is None or os.geteuid():
        pytest.skip(
            "as root, with IMAGE_BASE naming a root of Debian with Python 3.11: debootstrap --variant=minbase "
            "--include=python3.11,python3.11-venv bookworm FOLDER"
        )
    context, root = tmp_path / "context", tmp_path / "root"
    (context / "deploy" / "docker").mkdir(parents=True)
    (context / "deploy" / "docker" / "serve_socket.py").write_bytes((DOCKER / "serve_socket.py").read_bytes())
    make_bundle(context / "bundle-amd64", [SAMPLES / "penguins-1.0.0.onnx"], target_of("linux-x86_64", "3.11"))
    script = [sys.executable, str(DOCKER / "try_steps.py"), str(DOCKER / "Dockerfile"), str(context), base, str(root)]
    settings = json.loads(subprocess.run(script, capture_output=True, text=True, check=True).stdout)
    record = (SAMPLES / "penguins-1.0.0.record.json").read_text(encoding="utf-8")
    healthy = ["sh", "-c", settings["healthcheck"]]
    for command in (
        healthy,
        [*settings["entrypoint"], *settings["cmd"]],
        ["edge-infer", "predict", "penguins", record],
    ):
        told = _in_root(root, settings, command)
        assert told.returncode == 0, told.stderr
    assert told.stdout == "Gentoo\n"
    assert _in_root(root, settings, ["touch", "/opt/x"]).returncode == 1


def _in_root(root: Path, settings: dict[str, Any], command: list[str]) -> subprocess.CompletedProcess[str]:
    """As the image's user, without a network, all of it read-only but /tmp."""
    inside = (
        'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && mount -t tmpfs tmpfs "$0/tmp" && '
        'mount -t proc proc "$0/proc" && user=$1 && shift && exec chroot --userspec="$user" "$0" "$@"'
    )
    start = ["unshare", "--net", "--mount", "sh", "-c", inside, str(root), settings["user"]]
    variables = {**settings["env"], "MODEL": "penguins"}
    return subprocess.run([*start, *command], capture_output=True, text=True, check=False, env=variables)


# --- Kubernetes: kubeconform and a cluster are better judges; this is what can be judged without them -----------------


def _documents() -> list[tuple[str, dict[str, Any]]]:
    return [(path.name, document) for path in MANIFESTS for document in yaml.safe_load_all(path.read_text())]


def _pods() -> list[tuple[str, dict[str, Any]]]:
    """The specifications of pods, wherever their kind keeps them."""
    pods = []
    for name, document in _documents():
        if document["kind"] == "Deployment":
            pods.append((name, document["spec"]["template"]["spec"]))
        elif document["kind"] == "CronJob":
            pods.append((name, document["spec"]["jobTemplate"]["spec"]["template"]["spec"]))
    return pods


def test_manifests_name_their_kind_and_version() -> None:
    versions = {"PersistentVolumeClaim": "v1", "Deployment": "apps/v1", "CronJob": "batch/v1"}
    found = [(document["kind"], document["apiVersion"]) for _, document in _documents()]
    assert dict(found) == versions
    assert all(document["metadata"]["name"] for _, document in _documents())


def test_a_deployment_selects_the_pods_that_it_makes() -> None:
    for _, document in _documents():
        if document["kind"] == "Deployment":
            labels = document["spec"]["template"]["metadata"]["labels"]
            assert document["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_pods_are_hardened() -> None:
    pods = _pods()
    assert len(pods) == 2
    for name, pod in pods:
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), name
        for container in [*pod.get("initContainers", ()), *pod["containers"]]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, container["name"]
            assert context["readOnlyRootFilesystem"] is True, container["name"]
            assert context["capabilities"] == {"drop": ["ALL"]}, container["name"]
            assert {"cpu", "memory"} <= container["resources"]["limits"].keys(), container["name"]
            assert not container["image"].endswith("latest"), container["name"]
            assert ":" in container["image"], container["name"]


def test_every_volume_that_is_mounted_is_there_and_used() -> None:
    claims = {document["metadata"]["name"] for _, document in _documents() if "Claim" in document["kind"]}
    for name, pod in _pods():
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        containers = [*pod.get("initContainers", ()), *pod["containers"]]
        mounted = {mount["name"] for container in containers for mount in container["volumeMounts"]}
        assert mounted == volumes.keys(), name
        assert volumes["store"]["persistentVolumeClaim"]["claimName"] in claims
