"""docs/payoffs.md: its code runs as a reader would run it, and its table names every input."""

import re
from pathlib import Path

import pytest

from quorate.instruments.payoff.language import PayoffError, parse, verify
from quorate.types.payoff_codes import Input

PAGE = (Path(__file__).parents[3] / "docs" / "payoffs.md").read_text()


def test_the_five_minutes_run_as_they_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 4
    exec("".join(blocks), {})
    printed = capsys.readouterr().out
    assert "0 500000" in printed and "it lies in 0 to 500000, declared are 0 to 400000" in printed


def test_the_refusal_is_the_one_that_is_shown() -> None:
    text = "fix * fix // 1000"
    with pytest.raises(PayoffError) as caught:
        verify(parse(text), {"fix": (1, 2**40 - 1)}, (0, 2**40 - 1))
    assert f"PayoffError: {caught.value}\n" in PAGE


def test_every_input_stands_in_the_table() -> None:
    table = PAGE[PAGE.index("What a payoff may name") : PAGE.index("A *price* is")]
    assert {*re.findall(r"`(\w+)`", table)} == {number.name.lower() for number in Input}
