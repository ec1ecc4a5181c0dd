"""The shop's configuration, with the secrets an app of this kind holds; each of them is drawn when it is made.

The shop reads it from a JSON file, as it would from a mounted secret.
"""

import base64
import json
import os
import random
import string
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from examples.shop.planted import Planted

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


@dataclass(slots=True, frozen=True)
class Made:
    """A configuration and the secrets in it."""

    config: dict[str, Any]
    planted: list[Planted]

    def save(self, path: Path) -> None:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self.config, file)


def make(seed: int) -> Made:
    """A configuration whose secrets follow from `seed`, but for the private key, which is a real one."""
    rng = random.Random(seed)
    aws_id = "AKIA" + _draw(rng, string.ascii_uppercase + "234567", 16)
    aws_secret = base64.b64encode(rng.randbytes(30)).decode()
    github = _github_token(rng)
    slack = f"xoxb-{rng.randrange(10**11, 10**12)}-{rng.randrange(10**12, 10**13)}-{_draw(rng, BASE62, 24)}"
    redis_password, sql_password, jwt_secret = (_draw(rng, BASE62, 20) for _ in range(3))
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    config = {
        "environment": "demo",
        "build": f"{rng.getrandbits(160):040x}",
        "currency": "EUR",
        "database_url": f"postgresql://shop:{sql_password}@db.shop.internal:5432/shop?sslmode=require",
        "cache_url": f"redis://cache:{redis_password}@127.0.0.1:1/0",  # nobody listens on port 1: the shop does without
        "aws": {"region_name": "eu-central-1", "aws_access_key_id": aws_id, "aws_secret_access_key": aws_secret},
        "webhooks": [
            {"name": "deploys", "url": "https://api.github.com/repos/shop/shop/hooks", "token": github},
            {"name": "orders", "url": "https://slack.com/api/chat.postMessage", "token": slack},
        ],
        "jwt": {"algorithm": "HS256", "secret": jwt_secret},
        "invoice_signing_key": pem,
    }
    planted = [
        Planted("aws_key_id", aws_id),
        Planted("aws_secret", aws_secret),
        Planted("github_token", github),
        Planted("slack_token", slack),
        Planted("url_password", redis_password),
        Planted("url_password", sql_password),
        Planted("jwt_secret", jwt_secret),
        Planted("private_key", pem.splitlines()[2]),
    ]
    return Made(config, planted)


def _draw(rng: random.Random, alphabet: str, length: int) -> str:
    return "".join(rng.choices(alphabet, k=length))


def _github_token(rng: random.Random) -> str:
    """A classic token: 30 drawn characters and their CRC-32 in base 62, as GitHub makes them."""
    body, rest, check = _draw(rng, BASE62, 30), 0, ""
    rest = zlib.crc32(body.encode())
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        check = BASE62[digit] + check
    return f"ghp_{body}{check}"
