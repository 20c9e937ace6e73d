"""Blocks of a text file: joined they are the file, and each ends where Python's own csv says that a record ends."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.batch.text_blocks import Block, Cutter, blocks_of, lines_of_records

CELLS = st.lists(st.sampled_from(["a", 'b"', ",", "\n", "\r\n", '""', " ", "é", ""]), max_size=4).map("".join)
SHEETS = st.lists(st.lists(CELLS, min_size=1, max_size=3), min_size=1, max_size=8)


def _blocks(text: bytes, size: int, most: int = 1 << 20, cutter: Cutter | None = None) -> list[Block]:
    return list(blocks_of(io.BytesIO(text), cutter or Cutter(delimiter=b","), size, most=most))


def _records(text: bytes) -> list[list[str]]:
    return [record for record in csv.reader(io.StringIO(text.decode(), newline="")) if record]


@given(SHEETS, st.sampled_from(["\n", "\r\n"]), st.integers(1, 40), st.booleans())
def test_records_of_all_blocks_are_those_of_the_file(
    sheet: list[list[str]], newline: str, size: int, ends_in_newline: bool
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=newline).writerows(sheet)
    data = text.getvalue().encode()
    data = data if ends_in_newline else data.removesuffix(newline.encode())
    blocks = _blocks(data, size)
    assert b"".join(block.data for block in blocks) == data
    assert [record for block in blocks for record in _records(block.data)] == _records(data)
    assert [block.offset for block in blocks[1:]] == [block.end for block in blocks[:-1]]


@given(SHEETS, st.integers(1, 40))
def test_lines_are_those_where_python_says_that_records_begin(sheet: list[list[str]], size: int) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([[cell.replace("\r", "") for cell in row] for row in sheet])
    data = text.getvalue()
    reader, wanted, start = csv.reader(io.StringIO(data, newline="")), [], 1
    for record in reader:
        if record:
            wanted.append(start)
        start = reader.line_num + 1
    cutter = Cutter(delimiter=b",")
    found = [lines_of_records(block.data, cutter, block.line) for block in _blocks(data.encode(), size)]
    assert [line for lines in found for line in lines] == wanted


@pytest.mark.parametrize("size", [3, 7, 50, 1000])
def test_a_quote_in_a_cell_that_begins_without_one_is_a_character(size: int) -> None:
    data = b'5" pipe,1\n"x\ny",2\n6" pipe,3\n7,8\n'
    blocks = _blocks(data, size)
    assert b"".join(block.data for block in blocks) == data
    assert all(block.data.endswith((b"1\n", b"2\n", b"3\n", b"8\n")) for block in blocks)


def test_a_line_that_is_too_long_is_passed_over_and_the_next_is_read() -> None:
    data = b"a,1\n" + b"x" * 5000 + b",2\nb,3\n"
    blocks = _blocks(data, 64, most=1000)
    assert b"".join(block.data for block in blocks) == b"a,1\nb,3\n"
    (long,) = [block for block in blocks if block.is_too_long]
    assert (long.line, long.end - long.offset) == (2, 5003)
    assert blocks[-1].line == 3


@pytest.mark.parametrize("most", [10, 1 << 20])
def test_of_a_quote_that_never_closes_only_its_line_is_lost(most: int) -> None:
    blocks = _blocks(b'a,1\n"open,2\nb,3\nc,4\n', 4, most=most)
    assert [block.line for block in blocks if block.is_too_long] == [2]
    assert b"".join(block.data for block in blocks) == b"a,1\nb,3\nc,4\n"


def test_nothing_gives_no_block() -> None:
    assert _blocks(b"", 10) == []
