"""How far a batch has come: a small file beside the part file, written anew each second, that `--resume` goes on from.

What it says is on the disk before it says so: the answers and the rejected rows are flushed first.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from edge_infer.batch.errors import ResumeError
from edge_infer.files import write_atomically

__all__ = ["Journal", "Progress", "Told", "journal_of"]

_FORMAT: Final = 1


class Progress(NamedTuple):
    """file: position among the inputs; place: where its next chunk begins, None: at its beginning; output, rejects:
    bytes that count; rows, rejected: so far."""

    file: int = 0
    place: dict[str, Any] | None = None
    output: int = 0
    rejects: int = 0
    rows: int = 0
    rejected: int = 0


class Told(NamedTuple):
    """What a journal says."""

    job: dict[str, Any]
    progress: Progress


class Journal:
    """job: what makes the same answers: model, inputs, options."""

    def __init__(self, path: str, job: dict[str, Any]) -> None:
        self.path, self._job = path, job

    def write(self, progress: Progress) -> None:
        """Raises OSError."""
        text = json.dumps({"format": _FORMAT, "job": self._job, "progress": progress._asdict()}, indent=1)
        write_atomically(self.path, text.encode())

    def read(self) -> Progress:
        """Of the same job, before. Nothing was begun: at the beginning.

        Raises:
            ResumeError: the job is another, or the file is not readable.
        """
        told = self.told_at(self.path)
        if told is None:
            return Progress()
        changed = [name for name in self._job if told.job.get(name) != json.loads(json.dumps(self._job[name]))]
        if changed:
            raise ResumeError(
                f"{self.path}: what was begun had another {', '.join(changed)}: its answers would not fit the rest; "
                "run it without --resume to begin anew"
            )
        return told.progress

    @staticmethod
    def told_at(path: str) -> Told | None:
        """What a journal says; None where there is none. Raises ResumeError."""
        try:
            with open(path, "rb") as file:
                told = json.loads(file.read())
            return Told(dict(told["job"]), Progress(**told["progress"]))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise ResumeError(f"{path}: what was begun cannot be read ({error}); run it without --resume") from None


def journal_of(output: str) -> str:
    """Where it is kept."""
    return output + ".progress.json"
