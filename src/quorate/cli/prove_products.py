"""`quorate prove-products`: prove, by z3, what every product of the catalogue must hold."""

from pathlib import Path
from typing import Any, Final

import typer

from quorate.cli.console import FOUND_WRONG, USERS_MISTAKE, end, print_json, refuse_unwritable

LINE: Final = "{:<20}{:<9}{:>7.2f} s  {}"


def command(
    names: list[str] = typer.Argument(None, metavar="[NAME]...", help="All, if none is named."),
    out: Path | None = typer.Option(None, "--json", metavar="OUT", help="A file, or - for stdout."),
) -> None:
    """Prove of each product that it keeps its bounds, overflows nowhere and is zero-sum."""
    from quorate.formal.product_claims import PRODUCTS

    unknown = [name for name in names or [] if name not in PRODUCTS]
    if unknown:
        end(USERS_MISTAKE, f'There is no product "{unknown[0]}": {", ".join(PRODUCTS)}.')
    quiet = str(out) == "-"
    if out is not None and not quiet:
        refuse_unwritable("--json", out)
    rows = []
    for name in names or PRODUCTS:
        rows.append(row_of(name))
        if not quiet:
            print_row(rows[-1])
    tree = {"products": rows, "proved": sum(row["proved"] for row in rows)}
    if quiet:
        print_json(tree)
    else:
        total_s = sum(row["seconds"] for row in rows)
        print(f"{tree['proved']} of {len(rows)} products proved in {total_s:.1f} s.")
    if out is not None and not quiet:
        from quorate.cli.what_if import write_json

        write_json(out, tree)
    if tree["proved"] < len(rows):
        raise typer.Exit(FOUND_WRONG)


def row_of(name: str) -> dict[str, Any]:
    """Prove the claims of one product; give what was found as a tree."""
    from quorate.formal.claims import examined
    from quorate.formal.product_claims import product_claims
    from quorate.formal.solve import SolverMissing
    from quorate.instruments.payoff.catalogue import PRODUCTS as DECLARED

    try:
        found = [(claim, examined(claim)) for claim in product_claims(name)]
    except SolverMissing as error:
        end(USERS_MISTAKE, str(error))
    product = DECLARED[name]
    return {
        "name": name,
        "payoff": product.text,
        "bounds": list(product.bounds),
        "proved": all(finding.proved for _, finding in found),
        "goals": sum(finding.goals for _, finding in found),
        "seconds": round(sum(finding.seconds for _, finding in found), 3),
        "failures": [
            {
                "claim": claim.text,
                "place": place,
                "verdict": answer.verdict,
                "example": answer.example,
            }
            for claim, finding in found
            for place, answer in finding.failures
        ],
    }


def print_row(row: dict[str, Any]) -> None:
    """Print one product, and what failed of it."""
    verdict = "proved" if row["proved"] else "FAILED"
    print(LINE.format(row["name"], verdict, row["seconds"], row["payoff"]), flush=True)
    for failure in row["failures"]:
        example = ", ".join(f"{name}={value}" for name, value in failure["example"].items())
        where = f" at {example}" if example else ""
        print(f"    {failure['verdict']}: {failure['claim']} {failure['place']}{where}")
