"""Made-up customers: Faker with a seed, every number valid by its checksum, none of them anybody's.

Phone numbers come from the ranges kept for fiction (NANP 555-01xx), e-mail from the domains kept for examples.
"""

import base64
import ipaddress
import random
from collections.abc import Iterator
from dataclasses import dataclass

from faker import Faker
from stdnum import iban as iban_number
from stdnum.us import ssn as ssn_number

from examples.shop.planted import Planted

AREA_CODES = ("212", "312", "415", "503", "617", "702")
LOCALES = ("en_US", "de_DE", "es_ES")  # names with letters that JSON escapes, and IBANs of three countries


@dataclass(slots=True, frozen=True)
class Person:
    full_name: str
    email: str
    password: str
    phone: str  # E.164
    ssn: str
    street: str
    city: str
    card: str  # digits alone
    cvv: str
    iban: str
    ipv4: str
    ipv6: str

    @property
    def phone_national(self) -> str:
        return f"({self.phone[2:5]}) {self.phone[5:8]}-{self.phone[8:]}"

    @property
    def card_spaced(self) -> str:
        return " ".join(self.card[at : at + 4] for at in range(0, len(self.card), 4))

    @property
    def mistyped(self) -> str:
        return self.password[::-1]

    @property
    def basic(self) -> str:
        """The credentials of HTTP basic authentication."""
        return base64.b64encode(f"{self.email}:{self.password}".encode()).decode()

    def planted(self) -> Iterator[Planted]:
        """What of this person must not come out, in each spelling in which it goes in.

        The CVV stands with its key: three digits alone would be found in any timestamp.
        """
        yield Planted("name", self.full_name)
        yield Planted("email", self.email)
        yield Planted("password", self.password)
        yield Planted("password", self.mistyped)
        yield Planted("phone", self.phone)
        yield Planted("phone", self.phone_national)
        yield Planted("ssn", self.ssn)
        yield Planted("street", self.street)
        yield Planted("card", self.card)
        yield Planted("card", self.card_spaced)
        yield Planted("cvv", f'"cvv": "{self.cvv}"')
        yield Planted("iban", self.iban)
        yield Planted("ipv4", self.ipv4)
        yield Planted("ipv6", self.ipv6)
        yield Planted("basic", self.basic)


def people(seed: int, count: int) -> list[Person]:
    """`count` people, the same for the same seed."""
    rng = random.Random(seed)
    fakers = []
    for locale in LOCALES:
        fake = Faker(locale)
        fake.seed_instance(rng.getrandbits(64))
        fakers.append(fake)
    return [_person(fakers[nth % len(fakers)], fakers[0], rng, nth) for nth in range(count)]


def _person(fake: Faker, american: Faker, rng: random.Random, nth: int) -> Person:
    return Person(
        full_name=f"{fake.first_name()} {fake.last_name()}",
        email=f"{american.user_name()}.{nth}@{american.safe_domain_name()}",
        password=american.password(length=14, special_chars=False),
        phone=f"+1{rng.choice(AREA_CODES)}55501{rng.randrange(100):02}",
        ssn=next(number for number in iter(american.ssn, None) if ssn_number.is_valid(number)),
        street=fake.street_address().replace("\n", ", "),
        city=fake.city(),
        card=american.credit_card_number(card_type=rng.choice(["visa16", "mastercard", "amex"])),
        cvv=f"{rng.randrange(1000):03}",
        iban=next(number for number in iter(fake.iban, None) if iban_number.is_valid(number)),
        ipv4=next(address for address in iter(american.ipv4_public, None) if ipaddress.ip_address(address).is_global),
        # 2a00::/12 is handed out to European providers; a random address of all 2^128 is rarely a routable one.
        ipv6=str(ipaddress.IPv6Address((0x2A00 << 112) | rng.getrandbits(108))),
    )
