"""The rules as transcripts: tests/tables/*.txt, in the language of script.py.

A file is a list of cases divided by empty lines: comments and lines, `----`, the answers. The
exchange goes on from case to case. `make rewrite` writes the answers anew; read the diff.
"""

from pathlib import Path

import pytest

from tests.execution.script import Script

FOLDER = Path(__file__).parents[1] / "tables"
FILES = sorted(FOLDER.glob("execution_*.txt"))
RULE = "----"


def rewritten(text: str) -> str:
    """The file as it must read."""
    script, cases = Script(), []
    for case in text.strip().split("\n\n"):
        lines = case.partition(RULE)[0].rstrip("\n").split("\n")
        answers = [answer for line in lines if not line.startswith("#")
                   for answer in script.line(line)]
        cases.append("\n".join([*lines, RULE, *answers]))
    return "\n\n".join(cases) + "\n"


@pytest.mark.tables
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_table(path: Path, rewrite: bool) -> None:
    text = path.read_text(encoding="ascii")
    found = rewritten(text)
    if rewrite:
        path.write_text(found, encoding="ascii")
    assert path.read_text(encoding="ascii") == found


def test_there_are_tables() -> None:
    assert len(FILES) >= 10
