"""`Publisher`: makes a repository of updates in a folder, and extends it. Everything is checked and signed before a
file is written; the timestamp is written last, so that devices see all of a publication or nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from edge_infer.errors import PublishError, StoreWriteError, UsageError
from edge_infer.extras import needs
from edge_infer.limits import LIMITS
from edge_infer.store.artifacts import remove_unfinished
from edge_infer.store.files import Files
from edge_infer.store.names import parse_reference
from edge_infer.update.drafting import Draft, Settings, Threshold, first_repository, is_near_end
from edge_infer.update.index import MOST_RELEASES, Index, IndexedRelease, render_index
from edge_infer.update.keyring import Keyring, settled_name
from edge_infer.update.layout import (
    DEFAULT_CHANNEL,
    DEFAULT_CHANNELS,
    METADATA,
    ROLES,
    ROOT,
    SNAPSHOT,
    TIMESTAMP,
    check_channel,
    index_path,
    metadata_name,
    signature_name,
    stored_path,
    target_path,
)
from edge_infer.update.publication import Change, Publication, RoleState
from edge_infer.update.remembered import check_not_older, remember
from edge_infer.update.repository import Repository, check_same_root, load_repository, read_index, stage_of
from edge_infer.update.submission import Submission, read_again, read_submission

with needs("update", "tuf", "publishing updates"):
    from tuf.api.metadata import TargetFile, Targets

__all__ = ["Change", "Publication", "Publisher", "RoleState", "Settings", "Threshold"]

_DIGEST: Final = "sha256"


class Publisher:
    """A repository in a folder, and the keys that sign it. Publishers of one folder take turns."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        keys: str | os.PathLike[str],
        *,
        settings: Settings | None = None,
        files: Files | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`folder`: what is published; made, with its keys, when something is published to it for the first time.
        `keys`: a folder that is no part of it. `settings`: thresholds of keys that are made, lifetimes of what is
        signed.

        Raises:
            UsageError: `keys` is part of `folder`.
        """
        self._files = files or Files(folder)
        self._keyring = Keyring(keys)
        self._keyring.check_apart(self._files.root)
        self._settings = settings or Settings()
        self._clock = clock

    # --- what can be asked ---

    def publish(
        self,
        sources: Sequence[str | os.PathLike[str]],
        *,
        channel: str = DEFAULT_CHANNEL,
        share: float | None = None,
        new_channel: bool = False,
        identity: str | os.PathLike[str] | None = None,
    ) -> Publication:
        """Add releases to a channel, each an artifact with the signature beside it, or change the share of known ones.

        share: of the devices that take it, 0 to 1. None: all of them, or the share that a published release has;
        new_channel: make the channel where there is none;
        identity: opens encrypted sources, which are published as they are.

        Raises:
            UsageError, ArtifactError, SignatureError, OSError: a source cannot be published; see `read_submission`.
            PublishError: a version is published with other content, or stands below the highest of the channel; or
                the folder is no repository.
            KeyFileError: a key is missing.
            StoreWriteError: the folder cannot be written.
        """
        _check_share(share)
        submissions = [read_submission(source, identity) for source in sources]
        with self._opened(channel) as session:
            session.open_channel(channel, new=new_channel)
            for submission in submissions:
                session.add(channel, submission, share)
        return session.publication()

    def change(
        self,
        references: Iterable[str],
        *,
        channel: str = DEFAULT_CHANNEL,
        share: float | None = None,
        halted: bool | None = None,
    ) -> Publication:
        """Widen, halt or resume the rollout of published releases ("titanic@1.2.0"); what is None stays.

        Raises:
            UsageError: no such reference, or a share beyond 0 to 1.
            PublishError: no such release is published, or the folder is no repository.
            KeyFileError, StoreWriteError: as `publish`.
        """
        _check_share(share)
        with self._opened() as session:
            session.open_channel(channel)
            for reference in references:
                session.alter(channel, reference, share, halted)
        return session.publication()

    def refresh(self) -> Publication:
        """Sign the timestamp and the snapshot again, and every other role that is near its end and whose keys are here.

        Raises:
            PublishError, KeyFileError, StoreWriteError: as `publish`.
        """
        with self._opened() as session:
            session.refresh()
        return session.publication()

    def rotate(self, roles: Iterable[str]) -> Publication:
        """New keys for roles; what the old ones sign counts no more. Finishes a rotation that was stopped, too.

        Raises:
            UsageError: no such role.
            PublishError, KeyFileError, StoreWriteError: as `publish`.
        """
        wanted = list(dict.fromkeys(roles))
        with self._opened(rotated=wanted) as session:
            session.rotate(wanted)
        return session.publication()

    # --- how it is done ---

    @contextmanager
    def _opened(self, first: str | None = None, rotated: Iterable[str] = ()) -> Iterator[_Session]:
        """The repository under its lock; `first`: a channel for which it is made where there is none.

        What the caller has changed is written at the end.
        """
        self._stage(first)
        with _about(self._files), self._files.locked():
            created = self._stage(first) != "whole"
            remove_unfinished(self._files)
            made = self._create(first or DEFAULT_CHANNEL) if created else []
            repository = load_repository(self._files)
            check_not_older(self._keyring.folder, self._files.root, *self._reached(repository))
            _check_finished(self._files, repository, rotated)
            self._settle(repository)
            settings = Settings() if created else self._settings
            settings.check([*repository.roles(), *([first] if first else [])])
            _check_thresholds(settings, repository, rotated)
            session = _Session(
                self._files, self._keyring, repository, settings, self._clock(), made if created else None
            )
            yield session
            session.finish()
            repository = load_repository(self._files)
            remember(self._keyring.folder, *self._reached(repository))
            self._settle(repository)

    def _stage(self, first: str | None) -> str:
        """See `stage_of`. Before the lock is made, too: nothing is written to a folder that is none of ours."""
        stage = stage_of(self._files)
        if stage != "whole" and first is None:
            raise PublishError(f"{self._files.root}: there is no repository yet; publish something to make one")
        return stage

    def _create(self, channel: str) -> list[str]:
        """An empty repository; one whose creation was stopped is made again, with the keys that are there.

        The files of keys that were made.
        """
        channels = list(dict.fromkeys([*DEFAULT_CHANNELS, check_channel(channel)]))
        self._settings.check([*ROLES, *channels])
        repository, keys = first_repository(self._keyring, channels, self._settings)
        draft = Draft(repository, self._keyring, self._settings, self._clock())
        draft.new_keys += keys
        signed = draft.sign_first()
        check_same_root(self._files, repository)
        made = self._keyring.write(keys)
        for path, data in signed:
            self._files.replace(path, data)
        return made

    def _reached(self, repository: Repository) -> tuple[bytes, int]:
        """By what the repository is known, and how far it has come."""
        first = self._files.read(METADATA, metadata_name(ROOT, 1), most=LIMITS.model_bytes)
        return first, repository.timestamp.signed.version

    def _settle(self, repository: Repository) -> None:
        for role in repository.roles():
            self._keyring.settle(role, repository.keys_of(role)[0])


class _Session:
    """One publication, under the lock."""

    def __init__(
        self,
        files: Files,
        keyring: Keyring,
        repository: Repository,
        settings: Settings,
        now: datetime,
        made: list[str] | None,
    ) -> None:
        """`made`: the files of keys, where the repository has just been made."""
        self._files, self._keyring, self._repository, self._now = files, keyring, repository, now
        self._made = made
        self._draft = Draft(repository, keyring, settings, now)
        self._indexes: dict[tuple[str, str], Index] = {}
        self._targets: dict[str, tuple[TargetFile, bytes | Submission]] = {}
        self._changes: list[Change] = []
        self._signed: tuple[str, ...] = ()
        self._new_keys: list[str] = []
        self._damaged: list[str] = []
        self._channels: set[str] = set()

    # --- what changes ---

    def open_channel(self, channel: str, *, new: bool = False) -> None:
        check_channel(channel)
        self._channels.add(channel)
        if channel in self._repository.channels:
            return
        if not new:
            there = ", ".join(self._repository.channels)
            raise PublishError(f"there is no channel {channel!r}; there are {there}. --new-channel makes one")
        self._draft.add_channel(channel)

    def add(self, channel: str, submission: Submission, share: float | None) -> None:
        """A release, or another share or signature of one that is published."""
        index = self._index(channel, submission.name)
        known = index.of_version(submission.version)
        if known is None:
            _check_follows(index, submission)
            release = _released(submission, 1.0 if share is None else share, self._now)
            self._put(channel, submission.file, submission.digest, submission.length, submission)
            self._put_signature(channel, submission)
            self._note(index, release, "published")
            return
        published = self._digest(channel, known.file)
        if published != submission.digest:
            raise PublishError(
                f"{submission.source}: {submission.reference} is published in {channel} with other content (sha256 "
                f"{published[:12]}…, this is {submission.digest[:12]}…): give the new model another version"
                f"{'; encrypted anew, it is other content too' if submission.encrypted else ''}"
            )
        self._put(channel, submission.file, submission.digest, submission.length, submission)
        signed = submission.signature is not None and not self._is_signed_so(channel, submission)
        self._put_signature(channel, submission)
        if signed:
            known = known._replace(signature=signature_name(submission.file))
        release = known._replace(share=known.share if share is None else share)
        changed = "changed" if release.share != known.share else "none"
        self._note(index, release, "signed" if signed and changed == "none" else changed)

    def alter(self, channel: str, reference: str, share: float | None, halted: bool | None) -> None:
        """The share of a published release, and whether it is halted."""
        wanted = parse_reference(reference)
        index = self._index(channel, wanted.name)
        release = index.of_version(wanted.version) if wanted.version else None
        if release is None:
            there = ", ".join(f"{wanted.name}@{each.version}" for each in index.releases)
            raise PublishError(f"{reference} is not published in {channel}; there is {there or 'no release of it'}")
        altered = release._replace(
            share=release.share if share is None else share, halted=release.halted if halted is None else halted
        )
        if altered.halted != release.halted:
            action = "halted" if altered.halted else "resumed"
        else:
            action = "changed" if altered != release else "none"
        self._note(index, altered, action)

    def refresh(self) -> None:
        self._draft.change(SNAPSHOT, TIMESTAMP)
        self._channels |= set(self._repository.channels)
        for role in self._repository.roles():
            ids, threshold = self._repository.keys_of(role)
            near = is_near_end(self._repository.metadata(role).signed, self._now)
            if near and len(self._keyring.of(role, ids)) >= threshold:
                self._draft.change(role)

    def rotate(self, roles: list[str]) -> None:
        """Those that have new keys already, of a rotation that was stopped, are signed by them."""
        for role in roles:
            if role not in self._repository.roles():
                raise UsageError(f"there is no role {role!r}; expected one of {', '.join(self._repository.roles())}")
            if role in self._repository.stale:
                self._draft.change(role)
            else:
                self._draft.rotate(role)

    # --- the end ---

    def finish(self) -> None:
        """Sign, then write: keys, what the channels list, then metadata."""
        signed = self._draft.sign()
        self._signed = tuple(path[-1].removesuffix(".json").rpartition(".")[2] for path, _ in signed)
        self._new_keys = self._keyring.write(self._draft.new_keys)
        for target, source in self._targets.values():
            _keep(self._files, target, source)
        for path, data in signed:
            self._files.replace(path, data)
        if not signed:  # a run that did the same may have been stopped before what it wrote lasts
            self._files.settle((METADATA, metadata_name(TIMESTAMP, 1)))
        self._damaged = [path for channel in sorted(self._channels) for path in self._torn(channel)]

    def publication(self) -> Publication:
        states = tuple(self._state(role) for role in self._repository.roles())
        return Publication(
            self._files.root,
            self._made is not None,
            tuple(self._changes),
            self._signed,
            tuple(settled_name(path) for path in [*(self._made or ()), *self._new_keys]),
            states,
            tuple(self._damaged),
        )

    def _state(self, role: str) -> RoleState:
        signed = self._repository.metadata(role).signed
        ids, needed = self._repository.keys_of(role)
        near, expired = is_near_end(signed, self._now), signed.is_expired(self._now)
        return RoleState(role, signed.version, signed.expires, near, expired, Threshold(needed, len(ids)))

    # --- targets ---

    def _index(self, channel: str, name: str) -> Index:
        if (channel, name) not in self._indexes:
            self._indexes[channel, name] = read_index(self._files, self._repository, channel, name)
        return self._indexes[channel, name]

    def _note(self, index: Index, release: IndexedRelease, action: str) -> None:
        """In the index, which is a target itself."""
        self._changes.append(Change(index.name, index.channel, release, action))
        if action == "none":
            return
        index = self._indexes[index.channel, index.name] = index.having(release)
        data = render_index(index)
        target = TargetFile.from_data(index_path(index.channel, index.name), data, [_DIGEST])
        self._targets[target.path] = target, data
        self._draft.put_target(index.channel, target)

    def _put(self, channel: str, file: str, digest: str, length: int, source: bytes | Submission) -> None:
        target = TargetFile(length, {_DIGEST: digest}, target_path(channel, file))
        self._targets[target.path] = target, source
        if self._listed(channel).targets.get(target.path) != target:
            self._draft.put_target(channel, target)

    def _put_signature(self, channel: str, submission: Submission) -> None:
        if submission.signature is not None:
            digest = hashlib.sha256(submission.signature).hexdigest()
            file = signature_name(submission.file)
            self._put(channel, file, digest, len(submission.signature), submission.signature)

    def _is_signed_so(self, channel: str, submission: Submission) -> bool:
        target = self._listed(channel).targets.get(target_path(channel, signature_name(submission.file)))
        data = submission.signature or b""
        return target is not None and target.hashes[_DIGEST] == hashlib.sha256(data).hexdigest()

    def _digest(self, channel: str, file: str) -> str:
        target = self._listed(channel).targets.get(target_path(channel, file))
        if target is None:
            raise PublishError(
                f"{self._files.root}: an index in {channel} names {file}, which the channel does not list"
            )
        return target.hashes[_DIGEST]

    def _listed(self, channel: str) -> Targets:
        return self._repository.channels[channel].signed

    def _torn(self, channel: str) -> Iterator[str]:
        for path, target in sorted(self._listed(channel).targets.items()):
            where = stored_path(path, target.hashes[_DIGEST])
            status = self._files.status(*where)
            if status is None or status.st_size != target.length:
                yield self._files.shown(where)


def _check_share(share: float | None) -> None:
    if share is not None and not 0 <= share <= 1:
        raise UsageError(f"share: expected a number from 0 to 1, got {share!r:.60}")


def _released(submission: Submission, share: float, now: datetime) -> IndexedRelease:
    signature = signature_name(submission.file) if submission.signature is not None else None
    published = now.isoformat(timespec="seconds")
    return IndexedRelease(submission.version, submission.release, submission.file, signature, share, False, published)


def _check_follows(index: Index, submission: Submission) -> None:
    """Devices never go back: what stands below the highest release would reach none of them."""
    if len(index.releases) >= MOST_RELEASES:
        raise PublishError(
            f"{index.name} has {MOST_RELEASES:,} releases in {index.channel}, the most that there may be"
        )
    highest = index.releases[-1] if index.releases else None
    release = IndexedRelease(submission.version, submission.release, submission.file, None, 1.0, False, "")
    if highest is not None and release.order <= highest.order:
        raise PublishError(
            f"{submission.source}: {submission.reference} (release {submission.release}) is not above "
            f"{index.name}@{highest.version} (release {highest.release}), the highest in {index.channel}, and devices "
            f"never go back. Convert it with --release {highest.release + 1}; --halt stops a release that is bad"
        )


def _keep(files: Files, target: TargetFile, source: bytes | Submission) -> None:
    """A target's file lasts; one that is there already is not written again."""
    where = stored_path(target.path, target.hashes[_DIGEST])
    status = files.status(*where)
    if status is not None and status.st_size == target.length:
        data = files.read(*where, most=LIMITS.model_bytes)
        if hashlib.sha256(data).hexdigest() == target.hashes[_DIGEST]:
            files.settle(where)
            return
    files.replace(where, source if isinstance(source, bytes) else read_again(source))


def _check_finished(files: Files, repository: Repository, rotated: Iterable[str]) -> None:
    """Raises PublishError where a rotation was stopped midway that is not what is asked for now."""
    left = sorted(repository.stale - set(rotated))
    if left:
        raise PublishError(
            f"{files.root}: {', '.join(left)}: signed by keys that the newest root names no more. Where a rotation "
            f"was stopped, {' '.join(f'--rotate {role}' for role in left)} finishes it; else the folder was changed"
        )


def _check_thresholds(settings: Settings, repository: Repository, rotated: Iterable[str]) -> None:
    for role in settings.thresholds:
        if role in repository.roles() and role not in rotated:
            raise UsageError(
                f"--threshold {role}: its keys are there already; --rotate {role} gives it new ones, as many as you say"
            )


@contextmanager
def _about(files: Files) -> Iterator[None]:
    """What stands in the way of writing is told of a repository rather than of a store."""
    try:
        yield
    except StoreWriteError as error:
        cause = error.__cause__
        if not isinstance(cause, OSError):
            raise StoreWriteError(f"{files.root}: another publisher is at work there; try again later") from error
        raise StoreWriteError(
            f"{files.root}: cannot be written: {cause.strerror}. What was published before holds; run the same command "
            "again once that is mended"
        ) from error
