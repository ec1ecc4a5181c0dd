"""What is planted: personal data of every kind, made from a seed in many locales, and what only looks like it."""

import base64
import hashlib
import json
import string
from collections.abc import Callable

import phonenumbers
from stdnum import iban, luhn
from stdnum.us import rtn

from tests.corpus.draw import Draw, Kind, Make, Planted
from tests.corpus.examples import SENTENCES, kinds_by_example

_HEX = "0123456789abcdef"
_ALNUM = string.ascii_letters + string.digits
_UPPER = string.ascii_uppercase + string.digits


# By shape


def _email(draw: Draw) -> Planted:
    fake = draw.fake()
    local = fake.ascii_email().partition("@")[0]
    if draw.rnd.random() < 0.3:
        local = draw.rnd.choice((f"{local}+news", f"{local}.{draw.rnd.randrange(100)}", local.replace(".", "_")))
    domain = draw.rnd.choice((fake.domain_name(), "example.com", "example.org", f"mail.{fake.domain_name()}"))
    return Planted(f"{local}@{domain}" if domain.isascii() else f"{local}@example.net")


def _near_email(draw: Draw) -> str:
    word = draw.fake("en_US").word()
    return draw.rnd.choice(
        (
            f"@{word}",
            f"{word}@2x.png",
            f"git@{word}",
            f"{word}@{draw.letters(_HEX, 8)}",
            f"npm i {word}@1.{draw.rnd.randrange(30)}.0",
            "a @ b",
        )
    )


_CARDS = ("visa16", "mastercard", "amex", "discover", "diners", "jcb16", "maestro")


def _card(draw: Draw) -> Planted:
    while True:
        number = draw.fake("en_US").credit_card_number(draw.rnd.choice(_CARDS))
        if len(number) >= 14 and not (number[:2] == "35" and not "3528" <= number[:4] <= "3589"):  # JCB
            return Planted(_grouped(draw, number))


def _grouped(draw: Draw, number: str) -> str:
    separator = draw.rnd.choice(("", "", " ", "-"))
    if len(number) == 15:
        return separator.join((number[:4], number[4:10], number[10:]))
    if len(number) == 14:
        return separator.join((number[:4], number[4:10], number[10:]))
    return separator.join(number[at : at + 4] for at in range(0, len(number), 4))


def _near_card(draw: Draw) -> str:
    """Sixteen digits whose check digit is wrong; a time in nanoseconds; a ratio."""
    number = draw.fake("en_US").credit_card_number("visa16")
    wrong = number[:-1] + str((int(number[-1]) + draw.rnd.randrange(1, 10)) % 10)
    assert not luhn.is_valid(wrong)
    return draw.rnd.choice(
        (_grouped(draw, wrong), f"17{draw.letters(string.digits, 17)}", f"0.{draw.letters(string.digits, 16)}")
    )


def _ssn(draw: Draw) -> Planted:
    rnd = draw.rnd
    area = rnd.choice([each for each in range(1, 900) if each != 666])
    return Planted(f"{area:03}-{rnd.randrange(1, 100):02}-{rnd.randrange(1, 10_000):04}")


def _near_ssn(draw: Draw) -> str:
    rnd = draw.rnd
    return rnd.choice(
        (
            f"{rnd.choice((0, 666)):03}-{rnd.randrange(1, 100):02}-{rnd.randrange(1, 10_000):04}",
            f"{rnd.randrange(1000, 9999)}-{rnd.randrange(1, 13):02}-{rnd.randrange(1, 29):02}",
            f"{rnd.randrange(100, 999)}-{rnd.randrange(10, 99)}-{rnd.randrange(10**4, 10**5)}",
        )
    )


_IBAN_LOCALES = ("de_DE", "en_GB", "fr_FR", "it_IT", "nl_NL", "es_ES", "pl_PL", "de_AT", "de_CH", "fi_FI", "pt_PT")


def _iban(draw: Draw) -> Planted:
    while True:
        number = draw.fake(*_IBAN_LOCALES).iban()
        if iban.is_valid(number, check_country=False):
            return Planted(iban.format(number) if draw.rnd.random() < 0.4 else number)


def _near_iban(draw: Draw) -> str:
    number = iban.compact(_iban(draw).value)
    wrong = number[:2] + f"{(int(number[2:4]) + draw.rnd.randrange(1, 97)) % 100:02}" + number[4:]
    return wrong if not iban.is_valid(wrong, check_country=False) else "SKU " + draw.letters(_UPPER, 12)


def _phone(draw: Draw) -> Planted:
    """A valid number of some country in one of the ways in which international numbers are written."""
    number = _number(draw, draw.rnd.choice(sorted(phonenumbers.SUPPORTED_REGIONS)))
    kinds = phonenumbers.PhoneNumberFormat
    return Planted(phonenumbers.format_number(number, draw.rnd.choice((kinds.E164, kinds.INTERNATIONAL))))


def _phone_nanp(draw: Draw) -> Planted:
    number = str(_number(draw, "US").national_number)
    area, exchange, line = number[:3], number[3:6], number[6:]
    return Planted(
        draw.rnd.choice((f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", f"{area}.{exchange}.{line}"))
    )


def _number(draw: Draw, region: str) -> phonenumbers.PhoneNumber:
    kinds = phonenumbers.PhoneNumberType
    example = phonenumbers.example_number_for_type(region, draw.rnd.choice((kinds.MOBILE, kinds.FIXED_LINE)))
    example = example or phonenumbers.example_number(region)
    assert example is not None
    national = str(example.national_number)
    for _ in range(20):
        cut = len(national) - draw.rnd.randint(3, 5)
        changed = int(national[:cut] + draw.letters(string.digits, len(national) - cut))
        number = phonenumbers.PhoneNumber(
            example.country_code, changed, italian_leading_zero=example.italian_leading_zero
        )
        if phonenumbers.is_valid_number(number):
            return number
    return example


def _near_phone(draw: Draw) -> str:
    rnd = draw.rnd
    return rnd.choice(
        (f"+{rnd.randrange(100)}", f"{rnd.randrange(100, 200)}-{rnd.randrange(100, 999)}-{rnd.randrange(1000, 9999)}",
         f"2026-09-{rnd.randrange(10, 29)} 14:02:{rnd.randrange(10, 60)}", f"+{rnd.randrange(10, 999)}ms")
    )  # fmt: skip


def _ipv4(draw: Draw) -> Planted:
    while True:
        address = draw.fake("en_US").ipv4_public()
        if not address.endswith(".0.0.0") and int(address.split(".")[0]) < 224:
            return Planted(address)


def _near_ipv4(draw: Draw) -> str:
    rnd = draw.rnd
    return rnd.choice(
        (f"10.{rnd.randrange(256)}.{rnd.randrange(256)}.{rnd.randrange(256)}", f"192.168.{rnd.randrange(256)}.17",
         f"{rnd.randrange(1, 99)}.{rnd.randrange(99)}.{rnd.randrange(99)}", f"{rnd.randrange(256, 999)}.1.2.3",
         "127.0.0.1", f"Chrome/{rnd.randrange(80, 140)}.0.0.0")
    )  # fmt: skip


def _ipv6(draw: Draw) -> Planted:
    prefix = draw.rnd.choice(("2a02", "2001", "2606", "2a00", "2400", "2804"))
    groups = [draw.letters(_HEX[1:], 1, 4) for _ in range(7)]
    if draw.rnd.random() < 0.5:
        return Planted(":".join([prefix, *groups]))
    kept = draw.rnd.randint(1, 3)
    return Planted(":".join([prefix, *groups[:kept]]) + "::" + ":".join(groups[kept : kept + draw.rnd.randint(1, 2)]))


def _near_ipv6(draw: Draw) -> str:
    return draw.rnd.choice(
        (f"fe80::{draw.letters(_HEX, 4)}", "std::vector::at", "::1", f"{draw.rnd.randrange(2000, 2100)}:09:21")
    )


def _jwt(draw: Draw) -> Planted:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    head = part({"alg": draw.rnd.choice(("HS256", "RS256", "ES256")), "typ": "JWT"})
    claims = part({"sub": draw.letters(_HEX, 8, 24), "iat": 1_790_000_000 + draw.rnd.randrange(10**6)})
    return Planted(f"{head}.{claims}.{draw.letters(_ALNUM + '-_', 43)}")


def _near_jwt(draw: Draw) -> str:
    return draw.rnd.choice(
        ("eyJ", f"eyJ{draw.letters(_ALNUM, 20)}", f"{draw.letters(_HEX, 8)}.{draw.letters(_HEX, 8)}.x")
    )


def _bearer(draw: Draw) -> Planted:
    return Planted(draw.letters(_ALNUM + "-_", 24, 48) + "7", draw.rnd.choice(("Bearer ", "bearer ")))


def _basic(draw: Draw) -> Planted:
    pair = f"{draw.fake('en_US').user_name()}:{draw.letters(_ALNUM + '!$%&*+', 8, 16)}"
    return Planted(base64.b64encode(pair.encode()).decode(), draw.rnd.choice(("Basic ", "basic ")))


def _near_credentials(draw: Draw) -> str:
    return draw.rnd.choice(("bearer of news", "Basic authentication", "bearer token expired", "basic plan"))


def _url_password(draw: Draw) -> Planted:
    scheme = draw.rnd.choice(("postgres", "redis", "https", "amqp", "mongodb+srv", "mysql"))
    user = draw.rnd.choice(("", "app", "svc_orders")) if scheme == "redis" else draw.rnd.choice(("app", "svc_orders"))
    host = draw.rnd.choice(("db.internal:5432/shop", "cache:6379/0", "broker.internal/", "db-0.db.svc"))
    return Planted(draw.letters(_ALNUM + "!$*._~-", 8, 20), f"{scheme}://{user}:", f"@{host}")


def _near_url(draw: Draw) -> str:
    return draw.rnd.choice(("https://shop.internal/@home", "http://cart:8080/a@b", "ssh://git@forge/x.git"))


def _aws(draw: Draw) -> Planted:
    return Planted(draw.rnd.choice(("AKIA", "ASIA")) + draw.letters(_UPPER, 16))


def _near_aws(draw: Draw) -> str:
    return draw.rnd.choice((f"AKIA{draw.letters(_UPPER, 5)}", f"X{_aws(draw).value}", "ASIA and EUROPE"))


def _github(draw: Draw) -> Planted:
    if draw.rnd.random() < 0.2:
        return Planted(f"github_pat_{draw.letters(_ALNUM, 22)}_{draw.letters(_ALNUM, 59)}")
    return Planted(f"gh{draw.rnd.choice('pousr')}_{draw.letters(_ALNUM, 36)}")


def _slack(draw: Draw) -> Planted:
    team, user = draw.letters(string.digits, 12), draw.letters(string.digits, 12)
    return Planted(f"xox{draw.rnd.choice('bpars')}-{team}-{user}-{draw.letters(_ALNUM, 24)}")


def _private_key(draw: Draw) -> Planted:
    """A key of one string, its line ends escaped as environment variables and configurations have them."""
    label = draw.rnd.choice(("", "RSA ", "EC ", "OPENSSH "))
    body = "\\n".join(draw.letters(_ALNUM + "+/", 64) for _ in range(draw.rnd.randint(2, 4)))
    return Planted(body, f"-----BEGIN {label}PRIVATE KEY-----\\n", f"\\n-----END {label}PRIVATE KEY-----")


# By a word beside it


def _mac(draw: Draw) -> Planted:
    octets = [f"{draw.rnd.randrange(64) * 4:02x}", *(draw.letters(_HEX, 2) for _ in range(5))]
    if octets[:2] == ["00", "00"]:
        octets[1] = "1b"
    sign = draw.rnd.choice(":-")
    written = sign.join(octets)
    return Planted(
        written.upper() if draw.rnd.random() < 0.3 else written, draw.rnd.choice(("mac: ", "HWaddr ", "bssid="))
    )


def _near_mac(draw: Draw) -> str:
    fingerprint = ":".join(draw.letters(_HEX, 2) for _ in range(16))
    return draw.rnd.choice((f"MD5:{fingerprint}", f"mac: {fingerprint}", "mac: ff:ff:ff:ff:ff:ff", "mac 12:34:56"))


def _born(draw: Draw) -> Planted:
    day = draw.fake().date_of_birth()
    written = day.strftime(draw.rnd.choice(("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d %B %Y", "%B %d, %Y")))
    return Planted(written, draw.rnd.choice(("born ", "born on ", "Geburtsdatum: ", "date of birth is ", "d.o.b. ")))


def _near_born(draw: Draw) -> str:
    day = f"20{draw.rnd.randrange(10, 27)}-0{draw.rnd.randrange(1, 10)}-{draw.rnd.randrange(10, 29)}"
    return draw.rnd.choice((f"built {day}", f"date: {day}", "born in 1985", f"airborne {day}", f"stubborn: {day}"))


def _account(draw: Draw) -> Planted:
    word = draw.rnd.choice(("account number: ", "Kontonummer ", "bank account ", "acct no. ", "a/c no: "))
    return Planted(draw.letters(string.digits, 8, 14), word)


def _near_account(draw: Draw) -> str:
    number = draw.letters(string.digits, 8)
    return draw.rnd.choice((f"account {number}", f"order number {number}", f"account number lookup took {number} ns"))


def _routing(draw: Draw) -> Planted:
    head = "0" + draw.letters(string.digits, 7)
    return Planted(
        head + rtn.calc_check_digit(head), draw.rnd.choice(("routing number: ", "ABA routing ", "routing no. "))
    )


def _near_routing(draw: Draw) -> str:
    number = _routing(draw).value
    return f"routing number {number[:-1]}{(int(number[-1]) + draw.rnd.randrange(1, 10)) % 10}"


def _coin(draw: Draw) -> Planted:
    """An address of the first kind: version, hash, and four bytes of a double SHA-256, in base 58."""
    body = b"\0" + draw.rnd.randbytes(20)
    body += hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4]
    number, written = int.from_bytes(body, "big"), ""
    while number:
        number, at = divmod(number, 58)
        written = _BASE58[at] + written
    written = "1" * (len(body) - len(body.lstrip(b"\0"))) + written
    return Planted(written, draw.rnd.choice(("bitcoin: ", "wallet ", "payout address ")))


_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def _near_coin(draw: Draw) -> str:
    return f"wallet {_coin(draw).value[:-1]}{draw.rnd.choice('0OIl')}"


def _phone_at_home(draw: Draw) -> Planted:
    number = _number(draw, draw.rnd.choice(("DE", "FR", "GB", "ES", "IT", "NL", "PL", "SE", "BR", "IN", "AU", "JP")))
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    return Planted(written, draw.rnd.choice(("phone: ", "Tel. ", "mobile no. ", "whatsapp: ")))


def _titled(draw: Draw) -> Planted:
    """Behind a title or a word; not the odd "auch Schlauchin" of the generator's German nobility."""
    fake = draw.fake("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "sv_SE")
    name = fake.last_name().removeprefix("auch ")
    return Planted(name, draw.rnd.choice(("Mr. ", "Mrs. ", "Herr ", "surname: ", "last name is ")))


def _near_name(draw: Draw) -> str:
    return draw.rnd.choice(
        ("patient name: required", "customer name is missing", "beneficiary name = null", "Mr. is missing", "the Herr")
    )


# By key


def _free(make: Callable[[Draw], str]) -> Make:
    def planted(draw: Draw) -> Planted:
        return Planted(" ".join(make(draw).split()))

    return planted


def _birth_date(draw: Draw) -> str:
    day = draw.fake().date_of_birth()
    return day.strftime(draw.rnd.choice(("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y%m%d")))


def _password(draw: Draw) -> str:
    return draw.letters(_ALNUM + "!#$%*+-./?@^_~:|", 8, 20)


def _phrase(draw: Draw) -> str:
    """A pass phrase with signs that notations must quote."""
    words = [draw.fake("en_US").word() for _ in range(3)]
    return draw.rnd.choice((" ", '" ', "' ", "\\", ", ", "; ", "&", "=", "}{", "] ")).join(words)


def _credential(draw: Draw) -> str:
    """What follows `Authorization:`, whatever the scheme."""
    tail = draw.letters(_ALNUM, 20, 40)
    realm = f'Digest username="{draw.fake("en_US").user_name()}", realm="shop", response="{draw.letters(_HEX, 32)}"'
    amazon = f"AWS4-HMAC-SHA256 Credential={draw.letters(_UPPER, 20)}/20261125/s3, Signature={draw.letters(_HEX, 64)}"
    return draw.rnd.choice((_basic(draw).text, _bearer(draw).text, f"ApiKey {tail}", f"token {tail}", realm, amazon))


_WITH_ENDS = (
    "JSON string", "JSON array as value", "JSON dotted key", "JSON, cut off", "logfmt, quoted", "header dump",
    "curl -H", "Python dict", "Python object", "Ruby hash", "Go syntax (%#v)", "XML attribute", "YAML",
)  # fmt: skip

MADE: tuple[Kind, ...] = (
    Kind("email", _email, near=_near_email),
    Kind("payment_card", _card, near=_near_card),
    Kind("us_ssn", _ssn, near=_near_ssn),
    Kind("iban", _iban, near=_near_iban),
    Kind("phone", _phone, near=_near_phone),
    Kind("phone (NANP)", _phone_nanp),
    Kind("ipv4", _ipv4, near=_near_ipv4),
    Kind("ipv6", _ipv6, near=_near_ipv6),
    Kind("jwt", _jwt, near=_near_jwt),
    Kind("http_credentials", _bearer, near=_near_credentials),
    Kind("http_credentials (Basic)", _basic),
    Kind("url_password", _url_password, near=_near_url),
    Kind("aws_access_key", _aws, near=_near_aws),
    Kind("github_token", _github, near=lambda draw: f"ghp_{draw.letters(_ALNUM, 8)}"),
    Kind("slack_token", _slack, near=lambda draw: f"xox-{draw.letters(_ALNUM, 12)}"),
    Kind("mac_address", _mac, near=_near_mac, notations=SENTENCES),
    Kind("date_of_birth", _born, near=_near_born, notations=SENTENCES),
    Kind("bank_account", _account, near=_near_account, notations=SENTENCES),
    Kind("us_routing_number", _routing, near=_near_routing, notations=SENTENCES),
    Kind("crypto_address", _coin, near=_near_coin, notations=SENTENCES),
    Kind("phone (by context)", _phone_at_home, notations=SENTENCES),
    Kind("person_name", _titled, near=_near_name, notations=SENTENCES),
    Kind("private_key", _private_key, near=lambda draw: "-----BEGIN CERTIFICATE----- " + draw.letters(_ALNUM, 40)),
)

BY_KEY: tuple[Kind, ...] = (
    Kind("name", _free(lambda draw: draw.fake().name()), ("full_name", "last_name", "first_name")),
    Kind("address", _free(lambda draw: draw.fake().address()), ("street_address", "home_address", "billing_address")),
    Kind("birth date", _free(_birth_date), ("date_of_birth", "birth_date", "dob")),
    Kind("phone number", _free(lambda draw: draw.fake().phone_number()), ("phone", "phone_number", "mobile_number")),
    Kind("mail address", _free(lambda draw: _email(draw).value), ("email", "email_address")),
    Kind("number", _free(lambda draw: draw.letters(string.digits, 9, 12)), ("ssn", "account_number", "card_number")),
    Kind("password", _free(_password), ("password", "secret", "pwd")),
    Kind("pass phrase", _free(_phrase), ("password", "pass_phrase", "client_secret")),
    Kind("credential", _free(_credential), ("authorization", "proxy_authorization"), notations=_WITH_ENDS),
    Kind("token", _free(lambda draw: draw.letters(_HEX, 32, 48)), ("access_token", "api_key", "session_token")),
)  # fmt: skip

BY_EXAMPLE = tuple(kinds_by_example(frozenset(each.name for each in MADE)))
BY_SHAPE = MADE + BY_EXAMPLE
KINDS = BY_SHAPE + BY_KEY
