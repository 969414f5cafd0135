"""Tables as people export them, with the line of every row."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.data.tables.csv import read_table
from lamina.errors import DataError

CELLS = [("name", "number"), ("a.png", "1"), ("b.png", "")]


@pytest.mark.parametrize(
    "data",
    [
        b"name,number\na.png,1\nb.png,\n",
        b"\xef\xbb\xbfname,number\na.png,1\nb.png,\n",  # byte order mark
        b"name;number\r\na.png;1\r\nb.png;\r\n",
        b"name\tnumber\na.png\t1\nb.png\t\n",
        b' name ,"number"\n\n"a.png",1\n  \nb.png,""\n\n',  # quotes, blanks and blank lines
        b"name,number\na.png,1\nb.png,",  # no end of the last line
    ],
)
def test_every_way_to_write_a_table_reads_the_same(tmp_path: Path, data: bytes) -> None:
    """L11."""
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    table = read_table(path)
    assert [table.columns, *(row.cells for row in table.rows)] == CELLS


def test_lines_are_those_of_the_file_also_behind_blank_lines_and_cells_of_two_lines(
    tmp_path: Path,
) -> None:
    path = tmp_path / "table.csv"
    path.write_text('name,number\n\na,1\n"b\nc",2\nd,3\n')
    assert [(row.line, row.cells[0]) for row in read_table(path).rows] == [
        (3, "a"),
        (4, "b\nc"),
        (6, "d"),
    ]


def test_columns_are_found_in_any_case(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("imageid,GROUP\n")
    table = read_table(path)
    assert table.column("ImageId") == 0
    assert table.column("none", "Group") == 1
    assert table.column("fold") is None


def test_a_cell_may_be_longer_than_the_csv_module_allows_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"name,number\na,{'1 ' * 100_000}\n")
    assert len(read_table(path).rows[0].cells[1]) == 199_999


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ["empty table"]),
        (b"a,b\n1,2\n3\n4,5,6\n", ["line 3: 1 cells", "line 4: 3 cells", "2 columns"]),
        (b'a,b\n1,2\n"3"x,4\n', ["line 3", "quote"]),
        (b'a,b\n1,2\n"3,4\n5,6\n', ["line 3", "quote"]),
        (b"a,A\n1,2\n", ["line 1", "is repeated"]),
        (b"\xff\xfea\x00,\x00", ["UTF-8"]),
        (b"a,b\n1,\xe9\n", ["UTF-8"]),
    ],
)
def test_broken_tables_are_refused_with_the_line(
    tmp_path: Path, data: bytes, words: list[str]
) -> None:
    """L11."""
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_table(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_a_missing_table_names_the_tables_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "trian.csv").write_text("a\n")
    with pytest.raises(DataError, match=r"train\.csv: no such table.*trian\.csv"):
        read_table(tmp_path / "train.csv")
    with pytest.raises(DataError, match="there is no folder"):
        read_table(tmp_path / "nowhere" / "train.csv")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(max_size=60))
def test_any_bytes_are_a_table_or_a_data_error(tmp_path: Path, data: bytes) -> None:
    """L11."""
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    try:
        table = read_table(path)
    except DataError:
        return
    assert all(len(row.cells) == len(table.columns) for row in table.rows)
