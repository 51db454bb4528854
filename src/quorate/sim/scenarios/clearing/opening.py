"""How a population comes to its positions: deposits, insurance, and matched trades at the mark.

In each market those who go long rest bids at the mark, those who go short sell into them, and the
market's makers take the other side of what is left.
"""

from collections.abc import Iterator
from typing import Any

from quorate.codec.commands import Deposit, Donate, Isolate, Place
from quorate.sim.scenarios.clearing.actors import Makers, Script, Takers
from quorate.sim.scenarios.clearing.description import Scenario
from quorate.sim.scenarios.clearing.driver import Driver
from quorate.sim.scenarios.clearing.population import (
    BRIDGE,
    DONOR,
    USD_E6,
    VAULT,
    Trader,
)
from quorate.types.codes import Side, Tif

BUY, SELL = int(Side.BUY), int(Side.SELL)


def deposits(
    scenario: Scenario,
    traders: list[Trader],
    books: list[Makers],
    takers: list[Takers],
    script: Script,
) -> Iterator[tuple[bytes, int]]:
    """Who is credited with how much, in 1e-6 USD, in the order of account numbers."""
    insurance = scenario.venue_insurance_usd + sum(m.insurance_usd for m in scenario.markets)
    if insurance:
        yield DONOR, insurance * USD_E6
    if scenario.vault_usd:
        yield VAULT, scenario.vault_usd * USD_E6
    for actor in scenario.actors:
        yield script.addresses[actor.name], actor.deposit_usd * USD_E6
    for book in books:
        yield from ((each, book.maker.deposit_usd * USD_E6) for each in book.addresses)
    for flow in takers:
        yield from ((each, flow.flow.deposit_usd * USD_E6) for each in flow.addresses)
    yield from ((trader.address, trader.deposit_e6) for trader in traders)


def fund(driver: Driver, credited: Iterator[tuple[bytes, int]]) -> int:
    """Queue all deposits; give their sum."""
    total = 0
    commands = []
    for reference, (address, amount_e6) in enumerate(credited, 1):
        total += amount_e6
        commands.append(Deposit(0, address, 0, amount_e6, reference))
    for at in range(0, len(commands), 1024):
        driver.send(BRIDGE, *commands[at : at + 1024])
    return total


def insure(driver: Driver, scenario: Scenario, traders: list[Trader]) -> None:
    """Queue donations to the insurance funds, and what the traders isolate."""
    for number, market in enumerate(scenario.markets, 1):
        if market.insurance_usd:
            driver.send(DONOR, Donate(number, market.insurance_usd * USD_E6))
    if scenario.venue_insurance_usd:
        driver.send(DONOR, Donate(0, scenario.venue_insurance_usd * USD_E6))
    for trader in traders:
        if trader.isolated_e6:
            moves = [Isolate(market, e6) for market, e6 in trader.isolated_e6.items()]
            driver.send(trader.address, *moves)


def orders(
    scenario: Scenario, traders: list[Trader], books: list[Makers], marks: list[int]
) -> Iterator[list[tuple[bytes, Any]]]:
    """Orders of the opening, block by block."""
    for number in range(1, len(scenario.markets) + 1):
        price = marks[number - 1]
        with_lots = [(each.address, each.lots.get(number, 0)) for each in traders]
        makers = [
            address for book in books if book.maker.market == number for address in book.addresses
        ]
        more = sum(lots for _, lots in with_lots)
        each = abs(more) // len(makers) if makers else 0
        share = [each + (k < abs(more) - each * len(makers)) for k in range(len(makers))]
        bids = [(who, Place(number, BUY, price, lots)) for who, lots in with_lots if lots > 0]
        shorts = [(who, -lots) for who, lots in with_lots if lots < 0]
        most = scenario.markets[number - 1].size_max_lots
        rest = [
            (who, part)
            for who, lots in zip(makers, share, strict=True)
            for part in pieces(lots, most)
        ]
        if more < 0:
            bids += [(who, Place(number, BUY, price, lots)) for who, lots in rest]
        else:
            shorts += rest
        yield bids
        yield [(who, Place(number, SELL, price, n, tif=int(Tif.IOC))) for who, n in shorts]


def pieces(lots: int, most: int) -> list[int]:
    """Lots in orders of at most `most`."""
    return [most] * (lots // most) + ([lots % most] if lots % most else [])
