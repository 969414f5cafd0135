"""The page of reliability is that of the tests, and its cases are all there."""

from __future__ import annotations

from pathlib import Path

from tools.reliability import __main__ as reliability
from tools.reliability.__main__ import Case, Proof, cases, page, proofs


def test_the_page_is_that_of_the_tests() -> None:
    """Write it by ``python -m tools.reliability --write`` (or ``make docs-update``)."""
    assert reliability.PAGE.read_text(encoding="utf-8") == page(cases(), proofs())


def test_every_case_stands_once_with_a_promise_and_is_tested_or_says_why_not() -> None:
    listed, found = cases(), proofs()
    assert len(listed) == len({case.id for case in listed}) == 112
    assert all(case.case and case.promise for case in listed)
    assert [case.id for case in listed if case.id not in found and not case.why_not] == []
    assert [case.id for case in listed if case.id in found and case.why_not] == []
    assert sum(case.id in found for case in listed) >= 100


def test_a_test_names_cases_in_its_name_its_docstring_or_that_of_its_module(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "deep"
    folder.mkdir(parents=True)
    (folder / "test_one.py").write_text(
        '"""C01: all of them."""\n'
        'def test_c02_by_name():\n    """B03, B04: and more\n    of M05.\n\n    Not N06."""\n'
        "def test_plain():\n    x = 'C07'\n"
        'def test_fault_I08_and_W09_too(): ...\ndef helper():\n    """C10."""\n',
        encoding="utf-8",
    )
    (folder / "conftest.py").write_text('"""C11."""\n', encoding="utf-8")
    found = proofs(tmp_path / "tests")
    assert set(found) == {"C01", "C02", "B03", "B04", "M05", "I08", "W09"}
    assert found["C01"] == [Proof("tests/deep/test_one.py", "")]
    assert found["C02"] == found["M05"] == [Proof("tests/deep/test_one.py", "test_c02_by_name")]


def test_a_row_links_its_tests_and_counts_those_beyond_four() -> None:
    listed = [Case("C01", "a kill", "nothing is lost", ""), Case("W08", "tar", "no", "not read")]
    text = page(listed, {"C01": [Proof("tests/a/test_b.py", f"test_{n}") for n in range(6)]})
    assert "**1 of 2 cases are tested.**" in text
    assert "| C01 | a kill | nothing is lost | [0](../tests/a/test_b.py)<br>" in text
    assert "[3](../tests/a/test_b.py)<br>and 2 more |" in text
    assert "| W08 | tar | no | not tested: not read |" in text
