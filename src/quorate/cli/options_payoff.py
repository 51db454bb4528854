"""`quorate options payoff`: a payoff's text, checked as the chain checks it, and taken apart."""

import json
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from quorate.cli.console import FOUND_WRONG, USERS_MISTAKE, end, print_json

if TYPE_CHECKING:
    from quorate.instruments.payoff.language import Payoff, PayoffError


def command(
    text: str = typer.Argument(..., help='The payoff, such as "max(fix - strike, 0)".'),
    ranges: list[str] = typer.Option(
        [], "--range", metavar="NAME=LOW..HIGH",
        help="Between what a name lies, in ticks; all that it can be if it is not given.",
    ),
    low: int = typer.Option(0, "--low", help="The least that the payoff declares, in ticks."),
    high: int | None = typer.Option(
        None, "--high", help="The most that it declares; without it: all that a payoff may be."
    ),
    values: list[str] = typer.Option(
        [], "--value", metavar="NAME=VALUE", help="Pay it out, with these observed."
    ),
    as_json: bool = typer.Option(False, "--json", help="For machines."),
) -> None:
    """Parse, check and disassemble a payoff; exit code 1 where the chain would refuse it."""
    from quorate.instruments.payoff.language import PayoffError, parse, verify
    from quorate.types.limits import PRICE_TICKS_MAX

    try:
        payoff = parse(text)
        declared = {**natures(payoff), **ranges_read(ranges)}
        most = PRICE_TICKS_MAX if high is None else high
        verdict = verify(payoff, declared, (low, most))
    except PayoffError as refused:
        refuse(refused, as_json)
    tree: dict[str, Any] = {
        "text": text,
        "admitted": True,
        "ranges": {name: list(pair) for name, pair in declared.items()},
        "bounds": [low, most],
        "lies_in": [verdict.low, verdict.high],
        "code": list(payoff.code),
        "listing": shown_listing(payoff, verdict.intervals),
        "pays": paid(payoff, values_read(values), declared) if values else None,
    }
    if as_json:
        print_json(tree)
    else:
        show(tree)


def show(tree: dict[str, Any]) -> None:
    """Print for people."""
    low, high = tree["lies_in"]
    print(f"admitted: {tree['text']}")
    print(f"pays between {low:,} and {high:,} ticks, of {tree['bounds'][0]:,} to "
          f"{tree['bounds'][1]:,} declared")  # fmt: skip
    for name, (least, most) in tree["ranges"].items():
        print(f"  {name} from {least:,} to {most:,}")
    for line in tree["listing"]:
        print(f"  {line}")
    if tree["pays"] is not None:
        print(f"it would pay {tree['pays']:,} ticks")


def refuse(refused: "PayoffError", as_json: bool) -> NoReturn:
    """Say why a text is refused, and where. The exit code is that of something found wrong."""
    if as_json:
        print_json(
            {
                "admitted": False,
                "refusal": refused.refusal.name,
                "place": refused.place,
                "line": refused.line,
                "column": refused.column,
                "instruction": refused.instruction,
                "lies_in": list(refused.interval) if refused.interval else None,
                "sentence": str(refused).split("\n", 1)[0],
            }
        )
    else:
        print(f"refused, {refused.refusal.name}: {refused}")
    raise typer.Exit(FOUND_WRONG)


def natures(payoff: "Payoff") -> dict[str, tuple[int, int]]:
    """Give all that each name of a payoff can be, with the barriers that its touches need."""
    from quorate.instruments.payoff.code import NATURE_HIGH, NATURE_LOW
    from quorate.types.payoff_codes import Input

    named = payoff.inputs()
    if any(each in named for each in (Input.TOUCHED_UP, Input.TOUCHED, Input.INSIDE)):
        named.append(Input.UPPER)
    if any(each in named for each in (Input.TOUCHED_DOWN, Input.INSIDE)):
        named.append(Input.LOWER)
    return {each.name.lower(): (NATURE_LOW[each], NATURE_HIGH[each]) for each in sorted(set(named))}


def number_read(text: str, option: str, whole: str) -> int:
    """Read a whole number of an option, or end the command."""
    try:
        return int(text)
    except ValueError:
        end(USERS_MISTAKE, f"{option} {whole}: {json.dumps(text)} is not a whole number.")


def name_read(name: str, option: str, whole: str) -> str:
    """Read the name of an input, or end the command."""
    from quorate.types.payoff_codes import Input

    known = [each.name.lower() for each in Input]
    if name not in known:
        end(USERS_MISTAKE, f"{option} {whole}: no input has that name; known: {', '.join(known)}.")
    return name


def ranges_read(texts: list[str]) -> dict[str, tuple[int, int]]:
    """Read the ranges that were given."""
    found = {}
    for whole in texts:
        name, is_there, pair = whole.partition("=")
        least, dots, most = pair.partition("..")
        if not is_there or not dots:
            end(USERS_MISTAKE, f"--range takes NAME=LOW..HIGH, not {whole}.")
        low, high = (number_read(each, "--range", whole) for each in (least, most))
        found[name_read(name, "--range", whole)] = (low, high)
    return found


def values_read(texts: list[str]) -> dict[str, int]:
    """Read what is observed."""
    found = {}
    for whole in texts:
        name, is_there, value = whole.partition("=")
        if not is_there:
            end(USERS_MISTAKE, f"--value takes NAME=VALUE, not {whole}.")
        found[name_read(name, "--value", whole)] = number_read(value, "--value", whole)
    return found


def paid(
    payoff: "Payoff", values: dict[str, int], declared: dict[str, tuple[int, int]]
) -> int:
    """Evaluate a payoff, or end the command where something that it names is missing."""
    from quorate.instruments.payoff.language import evaluate

    missing = [each.name.lower() for each in payoff.inputs() if each.name.lower() not in values]
    if missing:
        end(USERS_MISTAKE, f"--value is missing for {', '.join(missing)}.")
    for name, value in values.items():
        low, high = declared.get(name, (value, value))
        if not low <= value <= high:
            end(USERS_MISTAKE, f"--value {name}={value} is not in its range, {low} to {high}.")
    return evaluate(payoff, values, declared)


def shown_listing(payoff: "Payoff", intervals: tuple[tuple[int, int], ...]) -> list[str]:
    """List the code, each word with where the checker found its value to lie."""
    from quorate.instruments.payoff.language import listing

    return [
        f"{line:<24} in {low:,} to {high:,}"
        for line, (low, high) in zip(listing(payoff), intervals, strict=True)
    ]
