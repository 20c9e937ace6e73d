"""The files of a log: closed, compressed, repaired, counted and removed, and read whatever a crash has left."""

from __future__ import annotations

import datetime
import gzip
import json
import logging
import os
import shutil
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest

from edge_infer.errors import UnsafePathError, UsageError
from edge_infer.monitor.log import PredictionLog
from edge_infer.monitor.log_lines import Stamp
from edge_infer.monitor.log_reading import LogReader, lines_of, read_log
from edge_infer.monitor.log_settings import LogSettings
from edge_infer.monitor.log_tending import bytes_per_day
from edge_infer.store.files import Files, Step
from tests.monitor.logged import DAY, MODEL, NOON, answer, at, dies, ids, kinds, lines, log_of, names
from tests.store.full_disk import nothing_can_be_written
from tests.store.power import Disk, cuts, write_out

SMALL = 0.0005  # MiB: two lines
SEEDS = range(4)


def written(log: PredictionLog, many: int = 1) -> list[str]:
    """Ids of so many calls, each of which was flushed by itself."""
    found = []
    for _ in range(many):
        found.append(str(answer(log)))
        log.flush()
    return found


def log_at(folder: Path, utc: float, **settings: Any) -> PredictionLog:
    return PredictionLog(Files(folder), MODEL, LogSettings(**settings), at(utc))


# --- rotation ---------------------------------------------------------------------------


def test_a_file_that_is_full_is_closed_and_compressed(tmp_path: Path) -> None:
    log = log_of(tmp_path, file_mib=SMALL)
    expected = written(log, 9)
    found = names(tmp_path)
    assert [name.endswith(".gz") for name in found] == [True] * (len(found) - 1) + [False]
    assert len(found) >= 3
    assert ids(tmp_path) == expected
    first = gzip.decompress((tmp_path / "pets" / "log" / found[0]).read_bytes()).splitlines()
    assert [json.loads(line)["id"] for line in first] == expected[: len(first)]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_closed_files_stay_as_they_are_where_nothing_is_to_be_compressed(tmp_path: Path) -> None:
    log = log_of(tmp_path, file_mib=SMALL, compress=False)
    expected = written(log, 9)
    assert not any(name.endswith(".gz") for name in names(tmp_path))
    assert ids(tmp_path) == expected


def test_a_file_is_of_one_day_and_is_closed_when_it_is_old(tmp_path: Path) -> None:
    now = [NOON]
    log = PredictionLog(Files(tmp_path), MODEL, LogSettings(file_hours=1), lambda: Stamp(now[0], 1.0))
    written(log)
    now[0] += DAY
    written(log, 2)
    log._writer._begun -= 3600
    log.flush()
    assert [name.endswith(".gz") for name in names(tmp_path)] == [True, False]
    written(log)
    assert [name.split("-")[1] for name in names(tmp_path)] == ["20261128", "20261129", "20261129"]


def test_numbers_go_on_across_processes(tmp_path: Path) -> None:
    for _ in range(3):
        log = log_of(tmp_path)
        written(log)
        log.closed()
    assert [name.split("-")[0] for name in names(tmp_path)] == ["000001", "000002", "000003"]
    assert not list((tmp_path / "pets" / "log").glob("*.held"))


def test_a_log_that_is_closed_can_go_on(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    expected = written(log)
    log.closed()
    expected += written(log)
    assert ids(tmp_path) == expected


# --- repair -----------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("torn", [b'{"kind":"answ', b"\x00" * 100, b'{"kind":\n{"ki'])
def test_the_next_start_cuts_what_a_crash_has_torn(tmp_path: Path, compress: bool, torn: bytes) -> None:
    log = log_of(tmp_path)
    first = written(log, 2)
    dies(log, torn=torn)
    assert ids(tmp_path) == first
    other = log_of(tmp_path, compress=compress)
    second = written(other)
    found = lines(tmp_path)
    assert [line.get("id") for line in found] == [*first, *second, None]
    assert found[-1] == found[-1] | {"kind": "repaired", "files": 1, "bytes": len(torn.rpartition(b"\n")[2])}
    assert len(list((tmp_path / "pets" / "log").glob("*.held"))) == 1
    written(other)
    assert kinds(tmp_path).count("repaired") == 1, "told once"


@pytest.mark.parametrize("compress", [True, False])
def test_a_line_that_lacks_but_its_end_is_whole(tmp_path: Path, compress: bool) -> None:
    log = log_of(tmp_path)
    expected = written(log, 2)
    dies(log, torn=b"")
    (plain,) = (tmp_path / "pets" / "log").glob("*.jsonl")
    os.truncate(plain, plain.stat().st_size - 1)
    assert ids(tmp_path) == expected
    expected += written(log_of(tmp_path, compress=compress))
    assert ids(tmp_path) == expected
    assert "repaired" not in kinds(tmp_path)


def test_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    logs = [log_of(tmp_path, file_mib=SMALL) for _ in range(2)]
    expected = [each for _ in range(5) for log in logs for each in written(log)]
    assert sorted(ids(tmp_path)) == sorted(expected)
    assert "repaired" not in kinds(tmp_path)


@pytest.mark.parametrize("compress", [True, False])
def test_a_crash_between_compression_and_removal_doubles_nothing(tmp_path: Path, compress: bool) -> None:
    log = log_of(tmp_path)
    expected = written(log, 3)
    log.closed()
    (plain,) = (tmp_path / "pets" / "log").glob("*.jsonl")
    plain.with_name(plain.name + ".gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert ids(tmp_path) == expected
    expected += written(log_of(tmp_path, compress=compress))
    assert ids(tmp_path) == expected
    assert not plain.exists()


def test_unfinished_files_of_this_log_go_and_others_stay(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    written(log)
    log.closed()
    (name,) = names(tmp_path)
    (tmp_path / "tmp").mkdir(exist_ok=True)
    for temporary in (f"{name}.gz.1.ab", f"{name}.2.cd", "pets.written.json.3.ef", "hours.json.4.01"):
        (tmp_path / "tmp" / temporary).write_bytes(b"x")
    written(log_of(tmp_path))
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["hours.json.4.01"]


# --- limits -----------------------------------------------------------------------------


def test_the_oldest_files_go_where_the_log_gets_too_large(tmp_path: Path) -> None:
    """Each file takes a block of 4 KiB at least."""
    log = log_of(tmp_path, file_mib=SMALL, total_mib=5 * 4096 / 2**20)
    expected = written(log, 40)
    assert 4 <= len(names(tmp_path)) <= 6
    found = ids(tmp_path)
    assert found == expected[-len(found) :]


def test_a_file_that_is_written_is_never_removed(tmp_path: Path) -> None:
    first = log_of(tmp_path)
    expected = written(first)
    second = log_of(tmp_path, file_mib=SMALL, total_mib=0.001)
    written(second, 10)
    assert expected[0] in ids(tmp_path)
    assert written(first)[0] in ids(tmp_path)


def test_files_older_than_the_days_go(tmp_path: Path) -> None:
    for age in (100, 91, 90, 1, 0):
        log = log_at(tmp_path, NOON - age * DAY)
        written(log)
        log.closed()
    last = log_at(tmp_path, NOON, keep_days=90)
    written(last)
    assert [name.split("-")[1] for name in names(tmp_path)] == ["20260830", "20261127", "20261128", "20261128"]


def test_a_clock_that_was_not_set_costs_no_lines(tmp_path: Path) -> None:
    """Of 1970, or ahead: such a file is as old as the one after it."""
    for utc in (10.0, NOON + 3650 * DAY, NOON):
        log = log_at(tmp_path, utc)
        written(log)
        log.closed()
    written(log_at(tmp_path, NOON))
    assert len(names(tmp_path)) == 4
    written(log_at(tmp_path, NOON + 91 * DAY))
    assert [name.split("-")[1] for name in names(tmp_path)][-1] == "20270227"
    assert len(names(tmp_path)) == 2, "the file that a live process writes stays"


# --- bytes ------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [True, False])
def test_bytes_are_counted_by_day_once(tmp_path: Path, compress: bool) -> None:
    total: dict[str, int] = {}
    for day in range(3):
        log = log_at(tmp_path, NOON + day * DAY, compress=compress)
        written(log, 3)
        size = next(path.stat().st_size for path in sorted((tmp_path / "pets" / "log").glob(f"*-{20261128 + day}-*")))
        total[str(20261128 + day)] = size
        log.closed()
    log = log_at(tmp_path, NOON + 3 * DAY, compress=compress)
    for _ in range(2):
        log._next_tending = 0.0
        written(log)
    found = log.bytes_per_day()
    assert list(found) == ["20261128", "20261129", "20261130", "20261201"]
    for name in names(tmp_path):
        if name.endswith(".gz"):
            total[name.split("-")[1]] += (tmp_path / "pets" / "log" / name).stat().st_size
    assert {day: found[day] for day in total} == total
    assert found == bytes_per_day(Files(tmp_path), "pets")


def test_a_damaged_record_of_bytes_is_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = log_of(tmp_path)
    written(log)
    log.closed()
    (tmp_path / "pets" / "log" / "pets.written.json").write_bytes(b"\x00\xff")
    with caplog.at_level(logging.WARNING):
        written(log_of(tmp_path))
    assert "counted anew" in caplog.text
    assert sum(bytes_per_day(Files(tmp_path), "pets").values()) > 0


# --- full disks and crashes -------------------------------------------------------------


def test_on_a_full_disk_closed_files_wait(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = log_of(tmp_path)
    expected = written(log, 3)
    dies(log)
    other = log_of(tmp_path)
    with nothing_can_be_written(), caplog.at_level(logging.WARNING):
        expected += written(other, 3)
    assert ids(tmp_path) == expected[:3]
    other.flush()
    assert ids(tmp_path) == expected
    other._next_tending = 0.0
    other.flush()
    assert names(tmp_path)[0].endswith(".gz")
    assert kinds(tmp_path).count("repaired") == 1


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Step], list[tuple[int, str]], Path]:
    """All steps of a log's life, and how many were taken when each id was flushed."""
    steps: list[Step] = []
    flushed: list[tuple[int, str]] = []
    folder = tmp_path_factory.mktemp("lived") / "monitor"
    for compress in (False, True):
        log = log_of(folder, watch=steps.append, file_mib=SMALL, compress=compress)
        for _ in range(4):
            name = written(log)[0]
            flushed.append((len(steps), name))
        dies(log)
    log = log_of(folder, watch=steps.append)
    flushed += [(len(steps), name) for name in written(log)]
    log.closed()
    return steps, flushed, folder


def test_the_steps_are_the_whole_truth(lived: Any) -> None:
    steps, _, folder = lived
    disk = Disk()
    for step in steps:
        disk.take(step)
    found = {path.relative_to(folder).parts: path for path in folder.rglob("*")}
    assert found.keys() - {("pets", "log", "lock")} == disk.names.keys()
    assert all(found[path].read_bytes() == node.data for path, node in disk.names.items() if not node.folder)


def test_after_a_cut_anywhere_nothing_that_was_flushed_is_lost_or_doubled(lived: Any, tmp_path: Path) -> None:
    steps, flushed, _ = lived
    states = 0
    for taken, state in cuts(steps, SEEDS):
        where, told = tmp_path / f"{states}", f"after {taken} of {len(steps)} steps"
        write_out(state, where)
        expected = {name for end, name in flushed if end <= taken}
        _check(where, expected, told)
        log = log_of(where)
        expected |= set(written(log))
        _check(where, expected, told)
        reader = LogReader(Files(where), "pets")
        assert len([line for line in reader if line["kind"] == "answer"]) >= len(expected), told
        assert (reader.skipped, reader.unreadable) == (0, []), told
        assert all(name.endswith(".gz") for name in names(where)[:-1]), told
        assert not (where / "tmp").exists() or list((where / "tmp").iterdir()) == [], told
        assert sum(log.bytes_per_day().values()) > 0, told
        log.closed()
        shutil.rmtree(where)
        states += 1
    assert states >= 200


def _check(where: Path, expected: set[str], told: str) -> None:
    found = ids(where)
    assert len(set(found)) == len(found), told
    assert expected <= set(found), told


# --- reading ----------------------------------------------------------------------------


def test_lines_of_a_time_are_read(tmp_path: Path) -> None:
    for hour in range(4):
        log = log_at(tmp_path, NOON + hour * 3600)
        written(log)
        log.closed()
    moments = [datetime.datetime(2026, 11, 28, 12 + hour, tzinfo=datetime.UTC) for hour in range(4)]
    found = read_log(Files(tmp_path), "pets", moments[1], moments[3])
    assert [line["utc"][:13] for line in found] == ["2026-11-28T13", "2026-11-28T14"]
    zone = datetime.timezone(datetime.timedelta(hours=5))
    assert len(list(read_log(Files(tmp_path), "pets", since=moments[3].astimezone(zone)))) == 1
    with pytest.raises(UsageError, match="since: expected a time with a zone"):
        read_log(Files(tmp_path), "pets", datetime.datetime(2026, 11, 28))
    with pytest.raises(UnsafePathError):
        read_log(Files(tmp_path), "../pets")


def test_a_reader_goes_on_where_a_file_is_compressed_meanwhile(tmp_path: Path) -> None:
    log = log_of(tmp_path, compress=False, file_mib=SMALL)
    expected = written(log, 6)
    log.closed()
    reader = LogReader(Files(tmp_path), "pets")
    found = [next(reader)["id"]]
    written(log_of(tmp_path))
    found += [line["id"] for line in reader]
    assert found == expected


HOSTILE: dict[str, bytes] = {
    "not JSON": b"{'kind': 1}\n",
    "NUL": b"\x00" * 1000 + b"\n",
    "not UTF-8": b'{"kind":"answer","utc":"\xff\xfe"}\n',
    "huge": b"x" * (9 << 20) + b"\n",
    "huge without an end": b"x" * (9 << 20),
    "deep": b"[" * 1_000_000 + b"\n",
    "no object": b"[1, 2]\n",
    "no time": b'{"kind":"answer"}\n',
    "time is a number": b'{"kind":"answer","utc":5}\n',
    "NaN": b'{"kind":"answer","utc":"2026","answer":NaN}\n',
    "many digits": b'{"kind":"answer","utc":"2026","answer":' + b"9" * 5000 + b"}\n",
    "empty": b"\n",
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("packed", [False, True])
def test_hostile_lines_are_passed_over_and_counted(tmp_path: Path, case: str, packed: bool) -> None:
    folder = tmp_path / "pets" / "log"
    folder.mkdir(parents=True)
    good = b'{"kind":"answer","utc":"2026-11-28T12:00:00.000000+00:00","id":"a"}\n'
    text = good + HOSTILE[case] + (good if HOSTILE[case].endswith(b"\n") else b"")
    name = folder / f"000001-20261128-boot-1-{'ab' * 8}.jsonl"
    name.write_bytes(text) if not packed else name.with_name(name.name + ".gz").write_bytes(gzip.compress(text))
    reader = LogReader(Files(tmp_path), "pets")
    assert [line["id"] for line in reader] == ["a"] * text.count(good)
    assert reader.skipped == 1
    expected = written(log_of(tmp_path))
    assert ids(tmp_path)[-1:] == expected, "the log goes on"


@pytest.mark.parametrize("case", ["link", "folder", "pipe", "cut off", "no gzip", "wrong sum"])
def test_hostile_files_do_not_stop_reader_or_log(tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture) -> None:
    log = log_of(tmp_path / "monitor")
    expected = written(log)
    log.closed()
    folder = tmp_path / "monitor" / "pets" / "log"
    plain = folder / f"000000-20261128-boot-1-{'ab' * 8}.jsonl"
    packed = plain.with_name(plain.name + ".gz")
    good = gzip.compress(b"".join(b'{"kind":"answer","utc":"2026","id":"%d"}\n' % n for n in range(2000)))
    secret = tmp_path / "secret"
    secret.write_bytes(b'{"kind":"answer","utc":"2026","id":"secret"}\n')
    if case == "link":
        plain.symlink_to(secret)
    elif case == "folder":
        plain.mkdir()
    elif case == "pipe":
        os.mkfifo(plain)
    else:
        bad = {"cut off": good[:-20], "no gzip": b"PK", "wrong sum": good[:-8] + b"\x00" * 8}
        packed.write_bytes(bad[case])
    reader = LogReader(Files(tmp_path / "monitor"), "pets")
    found = [line["id"] for line in reader]
    assert found[-1:] == expected
    assert "secret" not in found
    assert len(reader.unreadable) == 1
    with caplog.at_level(logging.WARNING):
        expected += written(log_of(tmp_path / "monitor", total_mib=0.001, file_mib=0.001))
    assert ids(tmp_path / "monitor")[-1:] == expected[-1:]
    assert secret.exists()
    assert "not tended" not in caplog.text
    left = [name for name in names(tmp_path / "monitor") if name != plain.name]
    assert left[0].startswith("000002"), "the oldest go"


def test_a_line_that_never_ends_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        assert list(lines_of(b"x" * (1 << 20) for _ in range(100))) == [None]
        assert tracemalloc.get_traced_memory()[1] < 30 << 20
    finally:
        tracemalloc.stop()


def test_a_file_that_unpacks_to_very_much_is_read_in_pieces(tmp_path: Path) -> None:
    folder = tmp_path / "pets" / "log"
    folder.mkdir(parents=True)
    packer = zlib.compressobj(wbits=31)
    data = b"".join([packer.compress(b" " * (1 << 20)) for _ in range(200)] + [packer.flush()])
    (folder / f"000001-20261128-boot-1-{'ab' * 8}.jsonl.gz").write_bytes(data)
    reader = LogReader(Files(tmp_path), "pets")
    assert list(reader) == []
    assert reader.skipped == 1
