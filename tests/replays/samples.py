"""Small recordings, made here: seeded LOBSTER messages, and a few lines of each other format."""

import random
from pathlib import Path

from tests.replays.naive import ADD, DELETE, EXECUTE, REDUCE, NaiveBook

ROWS = {
    "lobster": "34200.004241176,1,16113575,18,5853300,1",
    "bitstamp": "65595247,1430438404518,1430438404000,236.47,200000000,created,bid",
    "bitmex": "1583020800,8531.5,8554.0,8526.0,8554.0,8959481",
    "binance": '1723161255088189167 {"lastUpdateId":1,"bids":[["1.0","2"]],"asks":[["1.5","2"]]}',
}
HEADERS = {
    "lobster": "",
    "bitstamp": "id,timestamp,exchange.timestamp,price,volume,action,direction",
    "bitmex": "ts,open,high,low,close,volume_usd",
    "binance": "",
}


def lobster_lines(seed: int, count: int) -> list[str]:
    """Messages of a venue that sometimes passes over the order in front, and of older orders."""
    rng, book, lines, order = random.Random(seed), NaiveBook(), [], 1_000
    for index in range(count):
        draw, open_orders = rng.randrange(100), list(book.orders)
        if draw < 55 or len(open_orders) < 8:
            order += rng.randrange(1, 4)
            direction = rng.choice((1, -1))
            price = 5_850_000 - direction * 100 * rng.randrange(1, 6)
            size = rng.randrange(1, 300)
            book.orders[order] = [direction, price, size]
            row = (ADD, order, size, price, direction)
        elif draw < 58:
            row = (rng.choice((DELETE, EXECUTE)), rng.randrange(1, 900), 5, 5_850_000, 1)
        else:
            direction = rng.choice((1, -1))
            picked = book.front(direction) if draw >= 60 else rng.choice(open_orders)
            picked = picked or open_orders[0]
            if draw < 80 and draw >= 60:
                picked = rng.choice(open_orders)
            direction, price, open_size = book.orders[picked]
            kind = DELETE if 60 <= draw < 75 else REDUCE if 75 <= draw < 80 else EXECUTE
            size = open_size if kind == DELETE else rng.randrange(1, open_size + 1)
            book.take(picked, size)
            row = (kind, picked, size, price, direction)
        lines.append(f"{34_200 + index / 100:.6f}," + ",".join(map(str, row)))
    return lines


BITSTAMP = """\
5,1430438400100,1430438400000,236.00,500,changed,bid
10,1430438400200,1430438400000,236.50,1000,created,ask
11,1430438400300,1430438400000,236.50,400,created,bid
10,1430438400310,1430438400000,236.50,601,changed,ask
11,1430438400320,1430438400000,236.50,0,deleted,bid
12,1430438400400,1430438400000,236.40,50,created,bid
12,1430438400500,1430438400000,236.50,50,changed,bid
12,1430438400600,1430438400000,236.50,0,deleted,bid
10,1430438400610,1430438400000,236.50,551,changed,ask
13,1430438401000,1430438401000,230.00,70,created,bid
13,1430438402000,1430438402000,230.00,70,deleted,bid
5,1430438403000,1430438403000,236.00,500,deleted,bid
10,1430438404000,1430438404000,236.50,0,deleted,ask
"""

BITMEX = "".join(
    f"{1_583_020_800 + 60 * n},{8500 + n},{8530 + 3 * n},{8490 - 9 * n},{8501 + n},{n}000000\n"
    for n in range(30)
)

BINANCE = """\
1723161255030314667 {"data":{"e":"depthUpdate","u":90,"pu":80,"b":[["1.0","1"]],"a":[]}}
1723161255130314667 {"lastUpdateId":100,"bids":[["100.0","1.000"],["99.9","2.000"]],\
"asks":[["100.1","1.500"],["100.3","4.000"]]}
1723161255230314667 {"data":{"e":"depthUpdate","u":99,"pu":90,"b":[["50.0","1"]],"a":[]}}
1723161255330314667 {"data":{"e":"trade","p":"100.1","q":"0.500","m":false}}
1723161255430314667 {"data":{"e":"depthUpdate","u":105,"pu":99,"b":[["100.0","3.000"]],\
"a":[["100.1","1.000"],["100.3","0.000"],["600000.0","1.000"]]}}
1723161256530314667 {"data":{"e":"bookTicker","b":"100.0","B":"3.0","a":"100.1","A":"1.0"}}
1723161256630314667 {"data":{"e":"trade","p":"100.0","q":"5.000","m":true}}
1723161256730314667 {"data":{"e":"depthUpdate","u":110,"pu":106,"b":[["100.0","0.000"]],"a":[]}}
"""


def written(folder: Path, name: str, text: str) -> Path:
    """Write a sample."""
    path = folder / name
    path.write_text(text, encoding="ascii")
    return path
