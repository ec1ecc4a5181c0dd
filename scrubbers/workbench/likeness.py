"""Names that sound personal, and the values that bear them out: what a suggestion goes by where no detector can.

A name is split into words (`custBirthDate`, `cust_birth_date`). A word of the list speaks for a kind of data; whether
it is believed, the values decide: `address: 10.2.0.17:5432` is no address, and `token: 512` no token.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

Fits: TypeAlias = Callable[[str], bool]


@dataclass(slots=True, frozen=True)
class Kind:
    """A kind of personal data: `words` speak for it by themselves, `weak` ones only where a person is near."""

    name: str
    fits: Fits
    words: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()
    certain: bool = True
    """Whether the name with a fitting value is enough; else it is possible and no more."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _digits(value: str) -> int:
    return sum(each.isdigit() for each in value)


def _any(value: str) -> bool:
    return value.lower() not in _NOTHING


def _wordy(value: str) -> bool:
    """Text, and not an address or path of the network kind, an identifier or a flag."""
    return _any(value) and any(map(str.isalpha, value)) and not _TECHNICAL.search(value)


def _numbered(value: str) -> bool:
    """A number or code as documents bear it."""
    return len(value) <= 40 and _digits(value) >= 5 and not _TECHNICAL.search(value)


def _phone(value: str) -> bool:
    return 7 <= _digits(value) <= 15 and not any(map(str.isalpha, value)) and "." not in value[-4:]


def _postal(value: str) -> bool:
    return 3 <= len(value) <= 10 and _digits(value) >= 2


def _short_number(value: str) -> bool:
    return value.isdigit() and 3 <= len(value) <= 8


def _coordinate(value: str) -> bool:
    return re.search(r"-?\d{1,3}\.\d{3,}", value) is not None


def _secret(value: str) -> bool:
    return len(value) >= 6 and " " not in value.strip() and not value.isdigit() and _any(value) and "://" not in value


def _long_secret(value: str) -> bool:
    return len(value) >= 12 and _secret(value) and _digits(value) > 0


def _amount(value: str) -> bool:
    return _digits(value) >= 3


def _age(value: str) -> bool:
    return value.isdigit() and 0 < int(value[:4]) < 120


def _mail(value: str) -> bool:
    return "@" in value


_NOTHING = {
    "",
    "-",
    "none",
    "null",
    "nil",
    "n/a",
    "na",
    "unknown",
    "undefined",
    "true",
    "false",
    "yes",
    "no",
    "0",
    "ok",
}
_TECHNICAL = re.compile(
    r"://|^/|^\\|^[0-9]+(?:\.[0-9]+)+(?::[0-9]+)?$|^[0-9a-fA-F]*:[0-9a-fA-F:]+$|^[0-9a-f]{16,}$"
    r"|\.(?:local|internal|svc|cluster|com|net|org|io)(?::|/|$)|[<>{}=]"
    r"|^[0-9a-f]{8}-[0-9a-f]{4}-|^0x"
)

PERSON = _words(
    "user customer client person people patient employee member subscriber contact recipient sender buyer guest "
    "passenger applicant borrower tenant holder cardholder beneficiary payee payer owner author student teacher doctor "
    "driver citizen resident donor visitor candidate consumer profile identity individual participant victim insured "
    "kunde nutzer benutzer cliente usuario utilisateur"
)
"""Words for somebody: a name, number or identifier beside them is that of a person."""

KINDS = (
    Kind("name", _wordy, _words(
        "firstname lastname surname fullname forename givenname familyname maidenname nickname cardholder vorname "
        "nachname prenom apellido nombre"), weak=_words("name first last full given family middle maiden nick title")),
    Kind("birth", _any, _words("birth birthday birthdate birthplace born dob bday geburtsdatum nacimiento naissance"),
         weak=_words("born")),
    Kind("address", _wordy, _words("address addr street city town suburb apartment housenumber strasse adresse ort rue "
                                   "direccion postaladdress"), weak=_words("house line1 line2 location residence")),
    Kind("postal code", _postal, _words("zip zipcode postcode postal postalcode plz")),
    Kind("phone", _phone, _words(
        "phone telephone tel mobile cell cellphone msisdn fax whatsapp telefon handy telefono")),
    Kind("e-mail", _mail, _words("email mail emailaddress mailto correo courriel")),
    Kind("document", _numbered, _words(
        "ssn sin nino itin tin nif nie dni cpf cnpj curp pesel bsn aadhaar aadhar passport licence license nhs siren "
        "steuernummer taxid nationalid socialsecurity personnummer codicefiscale"),
         weak=_words("tax vat national social document licence license insurance personnel registration")),
    Kind("account", _numbered, _words("iban bic swift pan creditcard cardnumber accountnumber routing sortcode"),
         weak=_words("account card bank konto")),
    Kind("card code", _short_number, _words("cvv cvc cvn csc pin otp totp")),
    Kind("income", _amount, _words("salary income wage payroll gehalt salario")),
    Kind("health", _wordy, _words("diagnosis icd icd10 medication prescription allergy allergies patient mrn symptom "
                                  "symptoms disability bloodtype blood")),
    Kind("belief or origin", _any, _words(
        "religion ethnicity ethnic nationality citizenship gender sex pronoun pronouns marital orientation political"),
         weak=_words("race party faith age")),
    Kind("position", _coordinate, _words("lat latitude lon lng long longitude geo coordinates gps latlng latlon")),
    Kind("secret", _secret, _words("password passwd passphrase passcode pwd secret credential credentials apikey "
                                   "privatekey passwort contrasena")),
    Kind("secret", _long_secret, _words("token auth authorization bearer session sessionid cookie csrf xsrf signature "
                                        "jwt accesskey sig apitoken")),
    Kind("online identifier", _long_secret, _words("deviceid imei imsi idfa gaid aaid fingerprint clientid useragent"),
         certain=False),
    Kind("personal id", _any, weak=_words("id uid guid uuid no nr num number ref key login username handle"),
         certain=False),
)  # fmt: skip

_INFRASTRUCTURE = _words(
    "host hostname server service pod node container cluster namespace app application module class method function "
    "file filename path dir folder table column schema topic queue bucket region zone domain dns ip port mac peer "
    "remote local bind listen upstream listener socket memory register event metric job task thread process logger "
    "level span trace build version git image index db database product item sku order contract smart wallet test "
    "feature flag tokenizer tokens count size total max min limit ttl timeout ms seconds type status state kind "
    "category format"
)
"""Words that say that it is a thing's, whatever else the name says."""

_MACHINES = _words("host server node service pod container peer upstream listener socket contract wallet memory db k8s")
"""And these say it of all that stands below them."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@lru_cache(4096)
def words(name: str) -> tuple[str, ...]:
    """`custBirthDate` → cust, birth, date."""
    return tuple(each.lower() for each in _WORD.findall(name))


@lru_cache(8192)
def kind_of(path: tuple[str, ...]) -> Kind | None:
    """The kind of personal data that a path sounds like; a word of a thing beside it takes that back."""
    if not path:
        return None
    own = words(path[-1])
    if not own or any(word in _INFRASTRUCTURE for word in own):
        return None
    joined = "".join(own)
    if len(path) > 1 and set(words(path[-2])) & _MACHINES:
        return None
    around = {word for segment in path[-2:] for word in words(segment)}
    someone = bool(around & PERSON)
    pairs = {first + second for first, second in pairwise(own)}
    said = {*own, *pairs, joined}
    for kind in KINDS:
        if said & kind.words or (len(own) == 1 and _ends_in(joined, kind)):
            return kind
    if someone or (len(own) > 1 and own[0] in _OF_SOMEBODY):
        for kind in KINDS:
            if said & kind.weak and not said <= PERSON:
                return kind
    return None


_OF_SOMEBODY = _words("first last full given family middle maiden nick legal billing shipping home tax national social")


def _ends_in(word: str, kind: Kind) -> bool:
    """Words written as one: `homephone`, `birthtown`."""
    return any(len(each) >= 5 and (word.startswith(each) or word.endswith(each)) for each in kind.words)


def near_somebody(path: tuple[str, ...]) -> bool:
    """Whether a path is that of a person's own: `customer.ref`, and not `client.port`."""
    around = {word for segment in path[-2:] for word in words(segment)}
    return bool(around & PERSON) and not around & _INFRASTRUCTURE


# What a value looks like by itself


@dataclass(slots=True, frozen=True)
class Look:
    """A shape that personal values often have, and the share of a path's values that must have it."""

    name: str
    fits: Fits
    share: float
    distinct: float
    """How many of the values must differ, as a share: a few names that come again and again are those of things."""


_PART = r"[A-ZÀ-ÖØ-ÞŁŚŻČŠŽ][a-zß-öø-ÿąćęłńóśźżčšžğış'’-]+"
_NAMELIKE = re.compile(rf"{_PART}(?: [A-Z]\.| (?:van|von|der|de|da|di|del|la|al|bin|ibn|el)){{0,2}}(?: {_PART}){{1,2}}")
_LONG_AGO = re.compile(
    r"(?:19[0-9]{2}|200[0-9])-[01][0-9]-[0-3][0-9]|[0-3]?[0-9][./][01]?[0-9][./](?:19[0-9]{2}|200[0-9])"
)
_RANDOM = re.compile(r"[A-Za-z0-9+/_=.~-]{20,512}")


def _namelike(value: str) -> bool:
    return len(value) <= 48 and _NAMELIKE.fullmatch(value) is not None


def _long_ago(value: str) -> bool:
    return _LONG_AGO.fullmatch(value) is not None


def _random(value: str) -> bool:
    """Upper, lower and digits mixed without rhyme: no word, no path, no identifier in hexadecimal."""
    if _RANDOM.fullmatch(value) is None:
        return False
    mixed = any(map(str.isupper, value)) and any(map(str.islower, value)) and _digits(value) >= 2
    changes = sum(_class(a) != _class(b) for a, b in pairwise(value))
    return mixed and changes >= len(value) // 3


def _class(each: str) -> int:
    return each.isdigit() + 2 * each.isupper() + 4 * each.islower()


LOOKS = (
    Look("first and last names", _namelike, share=0.7, distinct=0.3),
    Look("dates long ago", _long_ago, share=0.8, distinct=0.3),
    Look("random text", _random, share=0.7, distinct=0.5),
)


def shape(value: str) -> str:
    """Runs of letters, digits and the rest: `AB-1234` → `A-9`."""
    return _RUN.sub(lambda run: "9" if run[0][0].isdigit() else "A" if run[0][0].isalpha() else run[0][0], value[:80])


_RUN = re.compile(r"[0-9]+|[^\W\d_]+|([\W_])\1*")
