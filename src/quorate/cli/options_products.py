"""`quorate options products`: the catalogue, as a list to choose from."""

from typing import TYPE_CHECKING, Any

import typer

from quorate.cli.console import print_json

if TYPE_CHECKING:
    from quorate.instruments.payoff.catalogue import Product


def command(as_json: bool = typer.Option(False, "--json", help="For machines.")) -> None:
    """List the products of the catalogue: what they pay, and when a path is looked at."""
    from quorate.instruments.payoff.catalogue import CATALOGUE

    trees = [tree(product) for product in CATALOGUE]
    if as_json:
        print_json({"products": trees})
        return
    width = max(len(each["name"]) for each in trees)
    for each in trees:
        print(f"{each['name']:<{width}}  {each['observed']:<16}  {each['text']}")


def tree(product: "Product") -> dict[str, Any]:
    """Describe a product."""
    return {
        "name": product.name,
        "text": product.text,
        "ranges": {name: list(pair) for name, pair in product.ranges.items()},
        "bounds": list(product.bounds),
        "observation": product.observation.name,
        "interval_ms": product.interval_ms,
        "life": product.life.name,
        "observed": observed(product),
    }


def observed(product: "Product") -> str:
    """Say in a few words when a product's path is looked at."""
    from quorate.types.payoff_codes import Life, Observation

    if product.life == Life.EVERLASTING:
        return "without expiry"
    if product.observation == Observation.SAMPLED:
        return f"every {product.interval_ms // 1000} s"
    words = {Observation.BLOCK: "every tick", Observation.CLOSE: "daily close"}
    return words.get(product.observation, "at expiry")
