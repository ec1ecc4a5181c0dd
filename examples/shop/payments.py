"""The payment library the shop uses, and the bank behind it: a second service, reached over HTTP like the real one."""

import json
import logging
import uuid
from typing import Any

from aiohttp import ClientSession, web

logger = logging.getLogger("paylib")  # a third party's: its lines are logfmt


class PaymentClient:
    """Charges cards and pays refunds; logs what it does, as libraries do when somebody once needed to debug them."""

    def __init__(self, session: ClientSession, bank: str) -> None:
        self._session = session
        self._bank = bank

    async def charge(self, card: dict[str, str], email: str, cents: int) -> str:
        """The bank's answer, as text; raises ClientError when the bank cannot be reached."""
        payload = {"card": card, "customer": {"email": email}, "cents": cents}
        async with self._session.post(f"{self._bank}/charges", json=payload) as response:
            answer = await response.text()
            logger.info(
                "charge sent",
                extra={"fields": {"card": card["number"], "email": email, "cents": cents, "status": response.status}},
            )
            return answer

    async def refund(self, iban: str, cents: int) -> str:
        async with self._session.post(f"{self._bank}/refunds", json={"iban": iban, "cents": cents}) as response:
            logger.info("refund sent", extra={"fields": {"to": iban, "cents": cents, "status": response.status}})
            return await response.text()


def bank() -> web.Application:
    """The other end: takes every charge but those above 100 EUR, and repeats what it was told, as banks' answers do."""
    app = web.Application()
    app.add_routes([web.post("/charges", _charge), web.post("/refunds", _refund)])
    return app


async def _charge(request: web.Request) -> web.Response:
    payload = await request.json()
    declined = payload["cents"] > 10_000
    return _answer(402 if declined else 201, "declined" if declined else "accepted", payload)


async def _refund(request: web.Request) -> web.Response:
    return _answer(201, "scheduled", await request.json())


def _answer(status: int, outcome: str, payload: dict[str, Any]) -> web.Response:
    body = {"id": str(uuid.uuid4()), "outcome": outcome, "request": payload}
    return web.json_response(text=json.dumps(body), status=status)
