"""The shop's web application: sign up, log in, search, buy, be paid back.

It logs what a developer in a hurry wants to see (headers, query strings, request bodies, the upstream's answer, the
statement that failed), and so what nobody should keep. Names and street addresses stand under keys that say so.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientSession, hdrs, web
from opentelemetry import trace

from examples.shop.logs import CLIENT_HEADER
from examples.shop.payments import PaymentClient, bank
from examples.shop.store import Store, StoreError

logger = logging.getLogger("shop")
tracer = trace.get_tracer("examples.shop")

CONFIG = web.AppKey("config", dict)
STORE = web.AppKey("store", Store)
PAYMENTS = web.AppKey("payments", PaymentClient)
SESSIONS = web.AppKey("sessions", dict)


def create(config: dict[str, Any], bank_url: str) -> web.Application:
    """The application; it also serves the bank it pays through, below `/bank`."""
    app = web.Application(middlewares=[_traced])
    app[CONFIG] = config
    app[SESSIONS] = {}
    app.cleanup_ctx.append(lambda app: _resources(app, bank_url))
    app.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/products", products),
            web.get("/search", search),
            web.post("/signup", signup),
            web.post("/login", login),
            web.get("/account", account),
            web.post("/checkout", checkout),
            web.get("/orders/{order}/invoice", invoice),
            web.post("/refunds", refund),
        ]
    )
    app.add_subapp("/bank", bank())
    return app


async def healthz(request: web.Request) -> web.Response:
    begun = time.perf_counter_ns()
    checks = {"database": len(request.app[STORE].stock()) > 0}
    _log("health check", checks=checks, duration_ns=time.perf_counter_ns() - begun)
    return web.json_response(checks)


async def products(request: web.Request) -> web.Response:
    stock = request.app[STORE].stock()
    _log("inventory", products=stock, generation=str(uuid.uuid4()))
    return web.json_response(stock)


async def search(request: web.Request) -> web.Response:
    _log("search", query_string=request.rel_url.raw_query_string, client=request.headers.get(CLIENT_HEADER))
    wanted = request.query.get("q", "").casefold()
    return web.json_response([one for one in request.app[STORE].stock() if wanted in one["title"].casefold()])


async def signup(request: web.Request) -> web.Response:
    body = await request.json()
    _log("signup", request={"headers": dict(request.headers), "body": body})
    profile = body["profile"]
    try:
        customer = request.app[STORE].add_customer(profile["email"], profile["phone"], profile["ssn"], body["password"])
    except StoreError:
        logger.exception("signup failed for %s", profile["email"])
        return web.json_response({"error": "this e-mail is taken"}, status=409)
    return web.json_response({"id": customer}, status=201)


async def login(request: web.Request) -> web.Response:
    credentials = base64.b64decode(request.headers[hdrs.AUTHORIZATION].removeprefix("Basic ")).decode()
    email, _, password = credentials.partition(":")
    customer = request.app[STORE].check_password(email, password)
    _log("login", user={"email": email}, headers=dict(request.headers), successful=customer is not None)
    if customer is None:
        client = request.headers.get(CLIENT_HEADER)
        logger.warning("login failed for %s from %s, password: %s", email, client, password)
        return web.json_response({"error": "wrong e-mail or password"}, status=401)
    session = secrets.token_urlsafe(24)
    request.app[SESSIONS][session] = customer
    response = web.json_response({"token": _jwt(request.app[CONFIG]["jwt"]["secret"], customer, email)})
    response.set_cookie("session", session, httponly=True)
    return response


async def account(request: web.Request) -> web.Response:
    if _customer(request) is None:
        # The whole head as text, as a debugging aid that was never taken out again.
        head = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
        logger.warning("no session for request:\n%s", head)
        return web.json_response({"error": "log in first"}, status=401)
    _log("account", headers=dict(request.headers))
    return web.json_response({"orders": []})


async def checkout(request: web.Request) -> web.Response:
    customer = _customer(request)
    if customer is None:
        return web.json_response({"error": "log in first"}, status=401)
    order = (await request.json())["order"]
    _log("checkout", order=order, client={"address": request.headers.get(CLIENT_HEADER)})
    try:
        purchase, cents = request.app[STORE].add_purchase(customer, order["items"])
        answer = await request.app[PAYMENTS].charge(order["payment"]["card"], order["contact"]["email"], cents)
        accepted = json.loads(answer)["outcome"] == "accepted"
        _log("payment answered", upstream={"response": answer}, order_id=purchase, cents=cents)
    except StoreError:
        logger.exception("out of stock, calling %s back", order["contact"]["phone"])
        return web.json_response({"error": "out of stock"}, status=409)
    return web.json_response({"id": purchase, "cents": cents, "paid": accepted}, status=201)


async def invoice(request: web.Request) -> web.Response:
    """A link that works without a session, so that it can be mailed: the token stands in the URL."""
    _log("invoice", url=str(request.url), order_id=request.match_info["order"])
    return web.Response(text=f"invoice {request.match_info['order']}")


async def refund(request: web.Request) -> web.Response:
    body = await request.json()
    logger.info("refund of %s to %s, bank account %s", body["cents"], body["order"], body["iban"])
    answer = await request.app[PAYMENTS].refund(body["iban"], body["cents"])
    _log("refund answered", upstream={"response": answer})
    return web.json_response({"scheduled": True}, status=202)


def _log(message: str, **fields: Any) -> None:
    logger.info(message, extra={"fields": fields})


async def _resources(app: web.Application, bank_url: str) -> AsyncIterator[None]:
    _log("starting", config=app[CONFIG])
    await _connect_cache(app[CONFIG]["cache_url"])
    app[STORE] = Store()
    async with ClientSession() as session:
        app[PAYMENTS] = PaymentClient(session, bank_url)
        yield
    app[STORE].close()
    _log("stopped")


async def _connect_cache(url: str) -> None:
    parts = urlsplit(url)
    try:
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except OSError:
        logger.exception("no cache at %s, going on without", url)
    else:
        writer.close()
        await writer.wait_closed()


@web.middleware
async def _traced(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    attributes = {
        "http.request.method": request.method,
        "url.full": str(request.url),
        "client.address": request.headers.get(CLIENT_HEADER, ""),
    }
    route = request.match_info.route.resource
    name = f"{request.method} {route.canonical if route else request.path}"
    with tracer.start_as_current_span(name, kind=trace.SpanKind.SERVER, attributes=attributes) as span:
        response = await handler(request)
        span.set_attribute("http.response.status_code", response.status)
        return response


def _customer(request: web.Request) -> str | None:
    customer: str | None = request.app[SESSIONS].get(request.cookies.get("session", ""))
    return customer


def _jwt(secret: str, subject: str, email: str) -> str:
    claims = {"sub": subject, "email": email, "iat": int(time.time()), "jti": str(uuid.uuid4())}
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    signed = ".".join(_b64url(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{signed}.{_b64url(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


def _b64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
