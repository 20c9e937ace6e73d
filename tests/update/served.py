"""A repository as python-tuf's own client sees it, over copies of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import Updater
from tuf.ngclient.fetcher import FetcherInterface

from edge_infer.update.index import Index, parse_index
from edge_infer.update.layout import index_path, target_path


class FolderFetcher(FetcherInterface):
    """Reads what a static web server of a folder would give."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = self.folder / unquote(url.removeprefix("x:///"))
        if not path.is_file():
            raise DownloadHTTPError(f"{url}: not found", 404)
        yield path.read_bytes()


class Client:
    """A device: what it has trusted stays in `kept`, from the first root on."""

    def __init__(self, repository: Path, kept: Path, root: bytes | None = None) -> None:
        self.repository, self.kept = repository, kept
        self.root = (repository / "metadata" / "1.root.json").read_bytes() if root is None else root

    def index(self, name: str = "pets", channel: str = "stable") -> Index | None:
        """A model's index with all of its files downloaded and verified; None where the channel has none."""
        self.kept.mkdir(exist_ok=True)
        updater = Updater(
            str(self.kept),
            "x:///metadata/",
            str(self.kept),
            "x:///targets/",
            FolderFetcher(self.repository),
            bootstrap=self.root,
        )
        found = updater.get_targetinfo(index_path(channel, name))
        if found is None:
            return None
        index = parse_index(Path(updater.download_target(found, str(self.kept / "index"))).read_bytes())
        for release in index.releases:
            for file in (release.file, release.signature):
                if file is not None:
                    target = updater.get_targetinfo(target_path(channel, file))
                    assert target is not None, file
                    updater.download_target(target, str(self.kept / "target"))
        return index

    def versions(self, name: str = "pets", channel: str = "stable") -> list[str]:
        index = self.index(name, channel)
        return [release.version for release in index.releases] if index else []


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder, by its sha256."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
