"""The shop's data, in SQLite. Its errors carry the whole statement, values and all, as many a data layer's do."""

import hashlib
import hmac
import json
import sqlite3
import uuid
from typing import Any

SCHEMA = """
CREATE TABLE customer (id TEXT PRIMARY KEY, email TEXT UNIQUE, phone TEXT, ssn TEXT, salt BLOB, password BLOB);
CREATE TABLE product (sku TEXT PRIMARY KEY, title TEXT, cents INTEGER, stock INTEGER CHECK (stock >= 0));
CREATE TABLE purchase (id TEXT PRIMARY KEY, customer TEXT REFERENCES customer, items TEXT, cents INTEGER);
"""
PRODUCTS = [
    ("TEA-0001", "Assam, 250 g", 1290, 100_000),
    ("TEA-0002", "Sencha, 100 g", 1850, 100_000),
    ("CUP-0007", "Cup, stoneware", 2400, 100_000),
    ("POT-0003", "Pot, cast iron", 8900, 3),
]


class StoreError(Exception):
    """The database refused a statement."""


class Store:
    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.executescript(SCHEMA)
        self._db.executemany("INSERT INTO product VALUES (?, ?, ?, ?)", PRODUCTS)

    def close(self) -> None:
        self._db.close()

    def add_customer(self, email: str, phone: str, ssn: str, password: str) -> str:
        customer, salt = str(uuid.uuid4()), uuid.uuid4().bytes
        secret = _hashed(password, salt)
        self._run(
            "INSERT INTO customer (id, email, phone, ssn, salt, password) VALUES (?, ?, ?, ?, ?, ?)",
            customer, email, phone, ssn, salt, secret,
        )  # fmt: skip
        return customer

    def check_password(self, email: str, password: str) -> str | None:
        """The customer's id, or None where e-mail and password do not belong together."""
        rows = self._run("SELECT id, salt, password FROM customer WHERE email = ?", email)
        for customer, salt, secret in rows:
            if hmac.compare_digest(secret, _hashed(password, salt)):
                return str(customer)
        return None

    def stock(self) -> list[dict[str, Any]]:
        return [
            {"sku": sku, "title": title, "cents": cents, "stock": stock}
            for sku, title, cents, stock in self._run("SELECT sku, title, cents, stock FROM product ORDER BY sku")
        ]

    def add_purchase(self, customer: str, items: dict[str, int]) -> tuple[str, int]:
        """The purchase's id and its price in cents; raises StoreError when a product has run out."""
        purchase, cents = str(uuid.uuid4()), 0
        for sku, count in items.items():
            price = self._run("UPDATE product SET stock = stock - ? WHERE sku = ? RETURNING cents", count, sku)
            cents += count * sum(row[0] for row in price)
        self._run("INSERT INTO purchase VALUES (?, ?, ?, ?)", purchase, customer, json.dumps(items), cents)
        return purchase, cents

    def _run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            for value in values:
                statement = statement.replace("?", repr(value), 1)
            raise StoreError(f"{error} [SQL: {statement}]") from error


def _hashed(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=1024, r=8, p=1)
