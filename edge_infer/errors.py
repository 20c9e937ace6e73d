"""Every error that edge-infer raises on purpose, grouped by who can mend it.

EdgeInferError
├── InputError (ValueError)          the caller: the data does not fit the model's schema
├── UsageError (ValueError)          the caller: an argument or option is wrong
├── MethodError (AttributeError)     the caller: the original model had no such method
├── ArtifactError (ValueError)       whoever made or moved the file
│   ├── NotAModelError               these bytes are not an ONNX model
│   ├── FormatError                  the edge_infer metadata breaks FORMAT.md
│   │   └── NewerFormatError         … it follows a later FORMAT.md than this version reads
│   ├── LimitError                   a size or count is above a limit of `limits.py`
│   ├── ForbiddenContentError        external data or an operator that may not run
│   ├── GraphMismatchError           the metadata and the graph disagree
│   ├── DecryptionError              not for this identity, or not as it was encrypted
│   └── SignatureError               not signed by a key that is trusted; `signing/errors.py` has one for each reason
├── KeyFileError (ValueError)        whoever keeps the keys: a file of keys cannot be used
├── RuntimeFitError (RuntimeError)   the device: this onnxruntime cannot run the model
├── InferenceError (RuntimeError)    the device: onnxruntime failed while running it
├── VerificationError (RuntimeError) the model: its goldens do not come out on this machine
├── StoreError (RuntimeError)        the device: its store of models cannot do what is asked
│   ├── NotInstalledError            there is no such model or release in it
│   ├── UnsafePathError              a name or a file that could lead out of it
│   ├── DamagedStoreError            what it holds is not what it wrote
│   ├── StoreWriteError              the disk is full, read-only or another user's
│   ├── RefusedError                 a release that may not become active; `kind` says why
│   └── UpdateError                  what a repository of updates offers cannot be taken; `kind` says why
├── PublishError (RuntimeError)      whoever publishes: the repository of updates cannot take what is asked
├── BatchError (RuntimeError)        whoever gave the files: one is broken, or not what was begun; see `batch/errors.py`
├── BundleError (RuntimeError)       whoever bundles: pip cannot bring the wheels for the device
├── MissingExtraError (ImportError)  whoever installed: an optional dependency is not there
└── ConversionError (ValueError)     the converter's user
    ├── UnsupportedModelError        a step that cannot be expressed, with the remedy
    ├── SchemaError                  neither data nor fitted steps tell the columns
    ├── UntrustedSourceError         a pickle, or a skops file with types not trusted
    └── ParityError                  the converted model differs from the original

Messages say what was expected, what came, where, and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = [
    "ArtifactError",
    "BatchError",
    "Blocker",
    "BundleError",
    "ConversionError",
    "DamagedStoreError",
    "DecryptionError",
    "EdgeInferError",
    "ForbiddenContentError",
    "FormatError",
    "GraphMismatchError",
    "InferenceError",
    "InputError",
    "KeyFileError",
    "LimitError",
    "MethodError",
    "Mismatch",
    "MissingExtraError",
    "NewerFormatError",
    "NotAModelError",
    "NotInstalledError",
    "ParityError",
    "PublishError",
    "RefusedError",
    "RuntimeFitError",
    "SchemaError",
    "SignatureError",
    "StoreError",
    "StoreWriteError",
    "UnsafePathError",
    "UnsupportedModelError",
    "UntrustedSourceError",
    "UpdateError",
    "UsageError",
    "VerificationError",
]

_SHOWN_MISMATCHES = 20
_SHOWN_BLOCKERS = 10
_USUAL_REMEDY = "Replace the step by another kind, or leave it out of the pipeline and do its work before the model."


class EdgeInferError(Exception):
    """Base of all errors of edge-infer; catching it never hides a bug of another library."""


# --- the caller -------------------------------------------------------------------------


class Mismatch(NamedTuple):
    """One place where data does not fit the schema.

    `row` counts from 0 and is None when the whole column is meant; `column` is the original
    column name and is None when the whole input is meant.
    """

    row: int | None
    column: str | None
    expected: str
    got: str
    word: str = "column"  # of a deep model's tensors: "input"

    def __str__(self) -> str:
        where = [] if self.row is None else [f"row {self.row}"]
        if self.column is not None:
            where.append(f"{self.word} {self.column!r}")
        place = ", ".join(where) or "input"
        return f"{place}: expected {self.expected}, got {self.got}"


class InputError(EdgeInferError, ValueError):
    """The data does not fit the model's schema. `mismatches` holds every place at once."""

    def __init__(self, mismatches: Sequence[Mismatch], hint: str | None = None) -> None:
        self.mismatches = tuple(mismatches)
        self.hint = hint
        super().__init__(_summary(self.mismatches, hint))

    def __reduce__(self) -> tuple[Any, ...]:  # errors travel between processes too
        return type(self), (self.mismatches, self.hint)


def _summary(mismatches: Sequence[Mismatch], hint: str | None) -> str:
    count = len(mismatches)
    lines = [f"the input does not fit the model's schema ({count} mismatch{'es'[: 2 * (count != 1)]}):"]
    lines += [f"  {mismatch}" for mismatch in mismatches[:_SHOWN_MISMATCHES]]
    if count > _SHOWN_MISMATCHES:
        lines.append(f"  … and {count - _SHOWN_MISMATCHES} more (all in .mismatches)")
    if hint:
        lines.append(hint)
    return "\n".join(lines)


class UsageError(EdgeInferError, ValueError):
    """An argument or an option is wrong."""


class MethodError(EdgeInferError, AttributeError):
    """The original model had no such method, or it was not converted; the message says which."""


# --- whoever made or moved the file -----------------------------------------------------


class ArtifactError(EdgeInferError, ValueError):
    """The artifact cannot be used. `source` names the file where it is known."""

    def __init__(self, reason: str, source: str | None = None) -> None:
        self.reason = reason
        self.source = source
        super().__init__(f"{source}: {reason}" if source else reason)

    def at(self, source: str) -> ArtifactError:
        """The same error, naming the file that it is about."""
        return type(self)(self.reason, source)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason, self.source)


class NotAModelError(ArtifactError):
    """The bytes are not an ONNX model, or a torn one."""


class FormatError(ArtifactError):
    """The edge_infer metadata does not follow artifacts/FORMAT.md."""


class NewerFormatError(FormatError):
    """The artifact follows a later format than this version of edge-infer reads."""


class LimitError(ArtifactError):
    """A size, count or depth is above a limit of `edge_infer.limits`."""


class ForbiddenContentError(ArtifactError):
    """The model refers to external data, or holds an operator that may not run."""


class GraphMismatchError(ArtifactError):
    """The manifest or the goldens do not fit the graph that they travel with."""


class DecryptionError(ArtifactError):
    """An encrypted file that is not for this identity, or was changed or cut short."""


class SignatureError(ArtifactError):
    """The file is not shown to come from a key that is trusted. See `edge_infer.signing.errors`."""


class KeyFileError(EdgeInferError, ValueError):
    """A key, an identity or a folder of trusted keys cannot be used; the message names the file."""


# --- the device -------------------------------------------------------------------------


class RuntimeFitError(EdgeInferError, RuntimeError):
    """The installed onnxruntime cannot run this model (opset, IR, operator or kernel). See `ArtifactError`."""

    def __init__(self, reason: str, source: str | None = None) -> None:
        self.reason = reason
        self.source = source
        super().__init__(f"{source}: {reason}" if source else reason)

    def at(self, source: str) -> RuntimeFitError:
        """The same error, naming the file that it is about."""
        return type(self)(self.reason, source)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason, self.source)


class InferenceError(EdgeInferError, RuntimeError):
    """onnxruntime failed while it ran the model."""


class VerificationError(EdgeInferError, RuntimeError):
    """The model does not give its goldens' answers on this machine."""


class StoreError(EdgeInferError, RuntimeError):
    """The store of models on this device cannot do what is asked."""


class NotInstalledError(StoreError):
    """There is no such model, or no such release of it, in the store."""


class UnsafePathError(StoreError):
    """A name, or a file in the store, that could lead out of it."""


class DamagedStoreError(StoreError):
    """What the store holds is not what it wrote."""


class StoreWriteError(StoreError):
    """The store cannot be written: the disk is full or read-only, or it belongs to another user."""


class RefusedError(StoreError):
    """A release that may not become active.

    kind: "older", "breaking", "unhealthy", "slow", "trial", "revoked", "unsigned", "before" (it was refused before) or
    "other".
    """

    def __init__(self, kind: str, reason: str) -> None:
        self.kind, self.reason = kind, reason
        super().__init__(reason)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.kind, self.reason)


class UpdateError(StoreError):
    """What a repository of updates offers cannot be taken; nothing of it was installed.

    kind: "root" (none is trusted, or another), "signature" (not by enough of the trusted keys), "expired" (a frozen
    repository), "older" (metadata before that of the last update), "mixed" (a file that does not fit the others),
    "endless" (more data than there should be, or it takes too long), "oversized" (above a limit), "absent" (no such
    file, channel or model), "unsafe" (a name or link that leads elsewhere) or "unreachable".
    """

    def __init__(self, kind: str, reason: str) -> None:
        self.kind, self.reason = kind, reason
        super().__init__(reason)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.kind, self.reason)


class PublishError(EdgeInferError, RuntimeError):
    """A repository of updates cannot take what is asked, or is none that edge-infer wrote; nothing was changed."""


class BatchError(EdgeInferError, RuntimeError):
    """A batch cannot go on; what is done of it is kept."""


class BundleError(EdgeInferError, RuntimeError):
    """The wheels for a device cannot be brought together: no index is reached, or it has none that fit."""


class MissingExtraError(EdgeInferError, ImportError):
    """An optional dependency is not installed; the message has the pip command."""

    def __init__(self, module: str, extra: str, purpose: str) -> None:
        self.extra = extra
        self.purpose = purpose
        super().__init__(
            f"{purpose} needs the package {module!r}, which is not installed.\n"
            f'Install it with:  python -m pip install "edge-infer[{extra}]"',
            name=module,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.extra, self.purpose)


# --- the converter's user ---------------------------------------------------------------


class ConversionError(EdgeInferError, ValueError):
    """The model could not be converted."""


class Blocker(NamedTuple):
    """Why a step of a model cannot be converted. `step` is its path ("columns.num.scale"), `estimator` its class."""

    step: str
    estimator: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"step {self.step!r} ({self.estimator}): {self.reason}\n{self.remedy}"


class UnsupportedModelError(ConversionError):
    """Steps cannot be expressed as ONNX; `blockers` names each with its reason and remedy."""

    def __init__(self, message: str, blockers: Sequence[Blocker] = ()) -> None:
        super().__init__(message)
        self.blockers = tuple(blockers)

    @classmethod
    def of(cls, blockers: Sequence[Blocker]) -> UnsupportedModelError:
        """One error for all that stands in the way."""
        if len(blockers) == 1:
            return cls(str(blockers[0]), blockers)
        shown = [f"- {blocker}".replace("\n", "\n  ") for blocker in blockers[:_SHOWN_BLOCKERS]]
        more = len(blockers) - len(shown)
        last = [f"… and {more} more: edge-infer convert --check lists all"] if more else []
        return cls("\n".join([f"{len(blockers)} steps cannot be converted:", *shown, *last]), blockers)

    @classmethod
    def at(cls, step: str, estimator: str, message: str) -> UnsupportedModelError:
        """At one step: the message's first line is the reason, the others the remedy."""
        reason, _, remedy = message.partition("\n")
        return cls.of([Blocker(step, estimator, reason, remedy or _USUAL_REMEDY)])


class SchemaError(ConversionError):
    """The schema of the inputs cannot be told from what was given."""


class UntrustedSourceError(ConversionError):
    """Reading the model file would run code that nobody has vouched for."""


class ParityError(ConversionError):
    """The converted model does not give the original's answers. `table` shows the rows, `rows` is how many they are."""

    def __init__(self, message: str, table: str = "", rows: int = 0) -> None:
        self.message = message
        self.table = table
        self.rows = rows
        super().__init__(f"{message}\n{table}" if table else message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.table, self.rows)
