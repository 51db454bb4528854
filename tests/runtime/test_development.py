"""The development chain, with and without a clearing house."""

from quorate.codec.genesis import decode_genesis, encode_genesis
from quorate.execution.machine import genesis_image
from quorate.runtime import development
from quorate.sim.execution_checker import faults
from quorate.types.clearing_codes import Mode
from quorate.types.records import Table


def test_the_clearing_house_of_the_development_chain_is_admitted() -> None:
    genesis = development.cleared_genesis()
    assert decode_genesis(encode_genesis(genesis)) == genesis
    image = genesis_image(genesis)
    assert faults(image, genesis.time_ms) == []
    modes = image[Table.RISK].rows["mode"].tolist()
    assert modes == [Mode.OFF, Mode.CONTINUOUS, Mode.CONTINUOUS]
    voters = image[Table.VOTERS].rows["address"]
    assert [each.tobytes() for each in voters] == [genesis.oracle]


def test_without_one_the_chain_is_as_it_was() -> None:
    assert development.genesis().clearing is None
    assert development.cleared_genesis().markets == development.genesis().markets
