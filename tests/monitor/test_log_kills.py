"""Processes that log as fast as they can are killed anywhere: what had to last is there, whole, and once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from edge_infer.monitor.log_reading import LogReader
from edge_infer.store.files import Files
from tests.monitor.logged import answer, log_of

ROOT = Path(__file__).parents[2]
KILLS = 100  # of each kind

#: Forks processes that log until they are killed, several at once; they tell what lasts in files of their own.
_KILLER = """
import os, random, signal, sys, threading, time
import numpy as np
from edge_infer.monitor.log import PredictionLog
from tests.monitor.logged import log_of
from pathlib import Path

folder, told, flush, kills = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
label = np.str_("cat")

def ask(log, child, number):
    log.answered("predict", {"age": number, "sex": str(child)}, label, 1e-5)
    return log.last_id() is not None

def write_each(child, tell):
    log, number = log_of(folder, flush="line", file_mib=0.01, total_mib=1000), 0
    while True:
        if ask(log, child, number):
            number += 1
            tell(number)
        if number % 20 == 0:
            log.flush()

def write_some(child, tell):
    log, count = log_of(folder, flush=0.05, file_mib=0.05, total_mib=1000), [0]

    def write():
        while True:
            time.sleep(0.05)
            before = count[0]
            log.flush()
            tell(before)

    threading.Thread(target=write, daemon=True).start()
    while True:
        for _ in range(20):
            count[0] += ask(log, child, count[0])
        time.sleep(0.003)

def begin(child):
    pid = os.fork()
    if pid == 0:
        to = os.open(told / str(child), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        (write_each if flush == "line" else write_some)(child, lambda n: os.write(to, b"%d\\n" % n))
    waits = told / str(child) if child % 2 else None  # every other one is killed wherever it is
    return [pid, waits, time.monotonic() + 0.2 * random.random()]

def is_due(each):
    if each[1] is not None:
        if not each[1].exists() or not each[1].stat().st_size:
            return False
        each[1:] = None, time.monotonic() + 0.1 * random.random()  # from when it has told what lasts
    return time.monotonic() > each[2]

running, begun = [], 0
while running or begun < kills:
    while begun < kills and len(running) < 4:
        running.append(begin(begun))
        begun += 1
    time.sleep(0.002)
    for each in list(running):
        if is_due(each):
            os.kill(each[0], signal.SIGKILL)
            _, status = os.waitpid(each[0], 0)
            assert os.WIFSIGNALED(status), status
            running.remove(each)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("flush", ["line", "0.05"])
def test_after_kills_every_line_that_was_told_to_last_is_there_once(tmp_path: Path, flush: str) -> None:
    folder, told = tmp_path / "monitor", tmp_path / "told"
    told.mkdir()
    command = [sys.executable, "-c", _KILLER, str(folder), str(told), flush, str(KILLS)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    reader = LogReader(Files(folder), "pets")
    found = _answers(reader)
    assert reader.unreadable == []
    assert reader.skipped <= KILLS, "at most one torn line for each that was killed"
    lasting = {path.name: _last(path) for path in told.iterdir()}
    assert sum(many > 0 for many in lasting.values()) >= KILLS // 2 - 1
    for child, many in lasting.items():
        numbers = sorted(number for number, name in found if name == child)
        assert numbers == list(range(len(numbers))), child
        assert len(numbers) >= many, child

    log = log_of(folder, total_mib=1000)
    answer(log)
    log.flush()
    again = LogReader(Files(folder), "pets")
    assert _answers(again) == found + Counter({(29, "female"): 1}), "the repair changes nothing that is whole"
    assert (again.skipped, again.unreadable) == (0, [])
    assert list((folder / "tmp").iterdir()) == []
    assert len(list((folder / "pets" / "log").glob("*.held"))) == 1
    assert len(list((folder / "pets" / "log").glob("*.jsonl"))) == 1


def _answers(reader: LogReader) -> Counter[tuple[int, str]]:
    """What was asked, as often as it stands there; ids are unique."""
    ids, found = set(), Counter[tuple[int, str]]()
    for line in reader:
        if line["kind"] == "answer":
            assert line["id"] not in ids
            ids.add(line["id"])
            found[line["inputs"]["age"], line["inputs"]["sex"]] += 1
    assert set(found.values()) == {1}
    return found


def _last(path: Path) -> int:
    """What a process has told last; it may have been killed before it told anything."""
    return int((path.read_text().split() or ["0"])[-1])


_WRITER = """
import json, os, sys
from pathlib import Path
from tests.monitor.logged import answer, log_of
log = log_of(Path(sys.argv[1]), file_mib=0.005)
ids = []
for number in range(300):
    ids.append(answer(log))
    if number % 7 == 0:
        log.flush()
    if number == 150 and os.fork() == 0:
        ids = [answer(log) for _ in range(50)]
        log.closed()
        print(json.dumps(ids), flush=True)
        os._exit(0)
os.wait()
log.closed()
print(json.dumps(ids), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_processes_and_their_children_write_at_the_same_time(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITER, str(tmp_path / "monitor")]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    expected = [name for text in told for line in text.splitlines() for name in json.loads(line)]
    reader = LogReader(Files(tmp_path / "monitor"), "pets")
    found = [line["id"] for line in reader]
    assert sorted(found) == sorted(expected)
    assert len(set(found)) == 2 * 350
    assert (reader.skipped, reader.unreadable) == (0, [])
