"""What a bundle holds as a software bill of materials: CycloneDX 1.6 in JSON (https://cyclonedx.org/docs/1.6/json/).

The library cyclonedx-python-lib writes it (extra `bundle`). The same bundle gives the same bytes: no clock, and a
serial number that is made of the digests.
"""

from __future__ import annotations

import email.message
import hashlib
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge_infer.bundle.targets import Target
from edge_infer.bundle.wheels import Wheel, requirements_of
from edge_infer.errors import MissingExtraError
from edge_infer.manifest import Manifest

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

__all__ = ["NAME", "ModelFile", "check_library", "render_sbom"]

#: The file in the bundle; `.cdx.json` is CycloneDX's own suffix.
NAME: Final = "sbom.cdx.json"
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:edge-infer:bundle")
_LONGEST_LICENSE: Final = 100  # characters: some packages have the whole text where the name should be
_OSI: Final = "License :: OSI Approved :: "


class ModelFile(NamedTuple):
    """A model in the bundle. manifest: None where it is encrypted."""

    name: str
    data: bytes
    manifest: Manifest | None


def check_library() -> None:
    """Raises MissingExtraError."""
    try:
        import cyclonedx  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("cyclonedx-python-lib", "bundle", "a bundle's bill of materials (SBOM)") from error


def render_sbom(wheels: Sequence[Wheel], models: Sequence[ModelFile], target: Target, version: str) -> bytes:
    """UTF-8 text. version: of edge-infer. Raises MissingExtraError."""
    check_library()
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    libraries = {wheel.name: _library(wheel) for wheel in wheels}
    networks = [_model(model) for model in models]
    about = [Property(name="edge-infer:target", value=f"{target.platform}, Python {target.python}")]
    whole = Component(
        name="edge-infer-bundle", version=version, type=ComponentType.APPLICATION, bom_ref="bundle", properties=about
    )
    metadata = BomMetaData(component=whole)
    metadata.timestamp = None  # type: ignore[assignment]  # the schema asks for none
    bom = Bom(
        components=[*libraries.values(), *networks],
        metadata=metadata,
        serial_number=_serial([*libraries.values(), *networks]),
    )
    bom.register_dependency(whole, [libraries["edge-infer"], *networks])
    for wheel in wheels:
        needed = requirements_of(wheel, target)
        bom.register_dependency(libraries[wheel.name], [libraries[name] for name in needed if name in libraries])
    text: str = JsonV1Dot6(bom).output_as_string(indent=2)
    return text.encode() + b"\n"


def _library(wheel: Wheel) -> Component:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    return Component(
        name=wheel.name,
        version=wheel.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"pkg:pypi/{wheel.name}@{wheel.version}",
        purl=PackageURL("pypi", name=wheel.name, version=wheel.version, qualifiers={"file_name": wheel.path.name}),
        hashes=[_sha256(wheel.path.read_bytes())],
        licenses=_licenses(wheel.metadata),
    )


def _model(model: ModelFile) -> Component:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    manifest = model.manifest
    facts = {"file": model.name} if manifest is None else _facts(model.name, manifest)
    return Component(
        name=model.name if manifest is None else manifest.name,
        version=None if manifest is None else manifest.version,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"model:{model.name}",
        hashes=[_sha256(model.data)],
        properties=[Property(name=f"edge-infer:{name}", value=value) for name, value in facts.items()],
    )


def _facts(file: str, manifest: Manifest) -> dict[str, str]:
    source = manifest.source
    return {
        "file": file,
        "task": manifest.task,
        "precision": manifest.precision,
        "framework": source.framework,
        "estimator": source.estimator,
        "versions": ", ".join(f"{name} {version}" for name, version in sorted(source.versions.items())),
        "operators": ", ".join(manifest.needs.operators),
    }


def _sha256(data: bytes) -> Any:
    from cyclonedx.model import HashAlgorithm, HashType

    return HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(data).hexdigest())


def _licenses(metadata: email.message.Message) -> list[Any]:
    """As the wheel tells it: an SPDX expression (PEP 639), else a name, else those of its classifiers."""
    from cyclonedx.contrib.license.factories import LicenseFactory

    factory = LicenseFactory()
    expression, name = metadata.get("License-Expression"), (metadata.get("License") or "").strip()
    if expression:
        return [factory.make_from_string(expression)]
    if name and len(name) <= _LONGEST_LICENSE and "\n" not in name:
        return [factory.make_from_string(name)]
    classifiers = metadata.get_all("Classifier") or []
    names = [each.removeprefix(_OSI) for each in classifiers if each.startswith(_OSI)]
    return [factory.make_with_name(each) for each in names]


def _serial(components: Iterable[Any]) -> uuid.UUID:
    """Of what is in it."""
    digests = sorted(found.content for component in components for found in component.hashes)
    return uuid.uuid5(_NAMESPACE, "\n".join(digests))


def write_sbom(
    folder: Path, wheels: Sequence[Wheel], models: Sequence[ModelFile], target: Target, version: str
) -> None:
    (folder / NAME).write_bytes(render_sbom(wheels, models, target, version))
