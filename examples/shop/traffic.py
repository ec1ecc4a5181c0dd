"""Real HTTP traffic: a few made-up people sign up, log in, search, buy and are paid back, as monitoring looks on."""

import asyncio
import json
import random
import uuid
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlencode

from aiohttp import ClientResponse, ClientSession, CookieJar, encode_basic_auth
from yarl import URL

from examples.shop.people import Person
from examples.shop.planted import Planted

AT_ONCE = 4  # people in the shop at one time


async def play(base_url: str, visitors: Sequence[Person], *, seed: int) -> list[Planted]:
    """Send every visitor through the shop once; returns what was planted, tokens drawn by the shop included.

    Raises RuntimeError when the shop answers otherwise than it should: a demo of a broken shop proves nothing.
    """
    door = asyncio.Semaphore(AT_ONCE)

    async def enter(visitor: Person, seed: int) -> list[Planted]:
        cookies = CookieJar(unsafe=True)  # takes cookies from a host that is an address
        async with door, ClientSession(base_url, cookie_jar=cookies) as session:
            return await _Visit(session, visitor, random.Random(seed)).play()

    rng = random.Random(seed)
    visits = [enter(visitor, rng.getrandbits(64)) for visitor in visitors]
    return sorted({one for planted in await asyncio.gather(*visits) for one in planted})


class _Visit:
    """One person's way through the shop, from two addresses (a phone's IPv6 and a home's IPv4)."""

    def __init__(self, session: ClientSession, visitor: Person, rng: random.Random) -> None:
        self._session = session
        self._visitor = visitor
        self._rng = rng
        self._at_home = {"X-Forwarded-For": visitor.ipv4, "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}
        self._on_the_way = {"X-Forwarded-For": visitor.ipv6, "User-Agent": "ShopApp/7.2 (Android 16)"}

    async def play(self) -> list[Planted]:
        visitor, session = self._visitor, self._session
        await self._look_around()
        await self._sign_up()
        basic = {"Authorization": f"Basic {visitor.basic}"}
        await self._expect(401, session.get("/account", headers=self._at_home | basic))
        token, cookie = await self._log_in()
        await self._search()
        bearer = {"Authorization": f"Bearer {token}"}
        await self._expect(200, session.get("/account", headers=self._at_home | bearer))
        await self._buy(bearer)
        await self._look_around()
        signed, signature = token.split(".")[1:]
        drawn = [Planted("jwt", signed), Planted("jwt", signature), Planted("cookie", cookie)]
        return [*visitor.planted(), *drawn]

    async def _look_around(self) -> None:
        """Nothing personal: probes, the list of products, a search for tea."""
        for _ in range(self._rng.randrange(4, 8)):
            await self._expect(200, self._session.get("/healthz", headers={"User-Agent": "kube-probe/1.34"}))
            await self._expect(200, self._session.get("/products", headers={"X-Request-Id": str(uuid.uuid4())}))
        await self._expect(200, self._session.get("/search", params={"q": "assam"}))

    async def _sign_up(self) -> None:
        visitor = self._visitor
        body = {
            "profile": {
                "full_name": visitor.full_name,
                "email": visitor.email,
                "phone": visitor.phone,
                "ssn": visitor.ssn,
                "address": {"street_address": visitor.street, "locality": visitor.city},
            },
            "password": visitor.password,
            "newsletter": self._rng.random() < 0.5,
        }
        await self._expect(201, self._session.post("/signup", json=body, headers=self._on_the_way))
        # Tapped twice: the second insert breaks the unique constraint, and the statement lands in the log.
        await self._expect(409, self._session.post("/signup", json=body, headers=self._on_the_way))

    async def _log_in(self) -> tuple[str, str]:
        visitor = self._visitor
        mistyped = encode_basic_auth(visitor.email, visitor.mistyped)
        right = encode_basic_auth(visitor.email, visitor.password)
        await self._expect(401, self._session.post("/login", headers=self._at_home | {"Authorization": mistyped}))
        answer = await self._expect(200, self._session.post("/login", headers=self._at_home | {"Authorization": right}))
        return json.loads(await answer.text())["token"], answer.cookies["session"].value

    async def _search(self) -> None:
        # As a browser sends a form: `@` and `+` percent-encoded (aiohttp by itself would leave the `@`).
        form = urlencode({"q": "tea", "email": self._visitor.email, "phone": self._visitor.phone})
        await self._expect(200, self._session.get(URL(f"/search?{form}", encoded=True), headers=self._on_the_way))

    async def _buy(self, bearer: dict[str, str]) -> None:
        visitor, headers = self._visitor, self._at_home | bearer
        order = {
            "items": {"TEA-0001": self._rng.randrange(1, 4), "CUP-0007": self._rng.randrange(1, 4)},
            "contact": {"full_name": visitor.full_name, "email": visitor.email, "phone": visitor.phone_national},
            "shipping": {"address": {"street_address": visitor.street, "locality": visitor.city}, "express": False},
            "payment": {"card": {"number": visitor.card_spaced, "cvv": visitor.cvv, "expires": "11/29"}},
        }
        answer = await self._expect(201, self._session.post("/checkout", json={"order": order}, headers=headers))
        bought = json.loads(await answer.text())
        link = f"/orders/{bought['id']}/invoice"
        token = bearer["Authorization"].removeprefix("Bearer ")
        await self._expect(200, self._session.get(link, params={"access_token": token}, headers=self._at_home))
        back = {"order": bought["id"], "iban": visitor.iban, "cents": bought["cents"]}
        await self._expect(202, self._session.post("/refunds", json=back, headers=headers))
        order["items"] = {"POT-0003": 4}  # more than there are
        order["payment"] = {"card": {"number": visitor.card, "cvv": visitor.cvv, "expires": "11/29"}}
        await self._expect(409, self._session.post("/checkout", json={"order": order}, headers=headers))

    async def _expect(self, status: int, request: AbstractAsyncContextManager[ClientResponse]) -> ClientResponse:
        async with request as response:
            await response.read()
            if response.status != status:
                raise RuntimeError(f"{response.method} {response.url.path}: {response.status}, expected {status}")
            return response
