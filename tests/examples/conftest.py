"""One run of the shop per test process: it is the same for all that look at what it wrote."""

import asyncio

import pytest

from examples.shop import config, traffic
from examples.shop.people import people
from examples.shop.process import Shop
from tests.examples.visited import Visited

VISITORS = 6


@pytest.fixture(scope="session")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Visited:
    folder = tmp_path_factory.mktemp("shop")
    made = config.make(seed=11)
    with Shop(folder, made) as shop:
        planted = asyncio.run(traffic.play(shop.url, people(seed=11, count=VISITORS), seed=11))
    return Visited(shop.log.read_text(), shop.spans.read_text(), [*planted, *made.planted])
