"""What describes a person, and only words beside it tell: dates of birth, names, postal addresses."""

import re

from scrubbers.detectors.context import ASSIGNED, after
from scrubbers.detectors.detector import RIGHT, Detector, alnum

# Dates of birth

_YEAR = rb"(?:19|20)[0-9]{2}"
_DAY = rb"(?:0?[1-9]|[12][0-9]|3[01])"
_MONTH = rb"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_WORD = rb"[A-Za-z\x80-\xff]{3,16}"  # between a day and a year stands a month, whatever the language
_DATE = (
    rb"(?:" + _YEAR + rb"(?P<sign>[-/.])(?:0?[1-9]|1[0-2])(?P=sign)" + _DAY
    + rb"|" + _DAY + rb"[-/.]" + _DAY + rb"[-/.](?:" + _YEAR + rb"|[0-9]{2})"
    + rb"|" + _DAY + rb"(?:st|nd|rd|th|er|\.)? (?:of |de )?" + _WORD + rb"\.?,? (?:de )?" + _YEAR
    + rb"|" + _MONTH + rb"\.? " + _DAY + rb"(?:st|nd|rd|th)?,? " + _YEAR
    + rb"|" + _YEAR + rb"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]))" + RIGHT
)  # fmt: skip

# Names

_CAPITAL = rb"(?:[A-Z]|[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2})"
_NAME = rb"(?:[dl]')?" + _CAPITAL + rb"(?:\.|[A-Za-z\x80-\xff'-]{1,30})"
_PARTICLE = rb"(?:de|del|della|di|da|dos|du|la|le|van|von|der|den|ten|ter|zu|bin|ibn|al|el)"
_FULL = rb"(?:" + _PARTICLE + rb" ){0,2}" + _NAME
_PERSON = _FULL + rb"(?: " + _FULL + rb"){0,3}" + RIGHT
_NO_NAME = re.compile(
    rb"(?i:string|text|varchar|char|null|none|nil|true|false|required|invalid|missing|unknown|optional|field|value|must"
    rb"|should|is|not|empty|undefined|customer|user|team|sir|madam)\b"
).match


def _is_name(value: bytes) -> bool:
    return _NO_NAME(value) is None


# Addresses

_STREET = re.compile(
    rb"(?i)(?:^|[ ,.])(?:st|street|rd|road|ave?|avenue|blvd|boulevard|ln|lane|dr|drive|ct|court|way|pl|place|sq|square"
    rb"|hwy|highway|pkwy|terrace|close|crescent|rue|chemin|all\xc3\xa9e|via|viale|piazza|corso|calle|avenida|plaza"
    rb"|paseo|carrera|rua|travessa|ulica|ul|p\.? ?o\.? box)(?=[ ,.]|$)"
    rb"|(?:stra\xc3\x9fe|strasse|str\.|weg|platz|gasse|allee|straat|laan|plein|gatan|v\xc3\xa4gen|gade|vej)(?=[ ,.]|$)"
).search
_NUMBER = re.compile(rb"(?:^|[ ,.-])[0-9]{1,5}[A-Za-z]?(?=[ ,./-]|$)").search


def _is_address(value: bytes) -> bool:
    """Whether a house number and the word for a street are in it."""
    return _STREET(value) is not None and _NUMBER(value) is not None


# Words in capitals, numbers, postal codes, and the small words of addresses: so it ends where the sentence goes on. The
# name of a key that comes next is no part of it.
_PART = (
    rb"(?![A-Za-z_.]{1,24}[=:])(?:[0-9]{1,6}[A-Za-z]?(?:[-/][0-9]{1,4}[A-Za-z]?)?|#[0-9]{1,5}"
    rb"|[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][A-Z]{2}|[A-Z][0-9][A-Z] [0-9][A-Z][0-9]|[A-Z]{1,3}-[0-9]{4,6}|P\.? ?O\.?"
    rb"|" + _CAPITAL + rb"[A-Za-z\x80-\xff'-]{0,30}\.?|" + _PARTICLE + rb"|des|of|the|y|e"
    rb"|(?:street|st|road|rd|avenue|ave|lane|drive|blvd|court|rue|via|viale|piazza|calle|rua|ulica|ul|straat|laan)\.?)"
    rb"(?![A-Za-z0-9\x80-\xff])"
)
_ADDRESS = _PART + rb"(?:,? " + _PART + rb"){1,14}"

DETECTORS = (
    Detector(
        name="date_of_birth",
        about="Dates of birth, by context.",
        triggers=after(
            (
                *("date of birth", "birth da|te", "birthda|te", "birthday", "d.o.b", "dob", "born"),
                *("geburtsdatum", "geboren", "date de naissance", "né le", "née le"),
                *("fecha de nacim|iento", "nacido", "nacida", "data di nascita", "nato il", "nata il"),
                *("geboortedatum", "data urodzenia", "födelsedatum", "data de nasc|imento", "fødselsdato"),
            ),
            _DATE,
        ),
        canonical=alnum,
        must=(
            "dob=1985-03-02",
            "date of birth: 02/03/1985",
            "born on 2 March 1985",
            "Geburtsdatum: 02.03.1985",
            "née le 2 mars 1985",
            "data urodzenia: 2 września 1985",
            "birthday March 2, 1985",
            "born 19850302",
        ),
        must_not=("1985-03-02", "dob missing", "born 1985", "birthday job ran at 14:02", "born 1985-13-02"),
    ),
    Detector(
        name="person_name",
        about="Names of persons behind a title, or behind a word that announces one.",
        triggers=(
            *after(
                (
                    *("full name", "first name", "last name", "given name", "family name", "surname", "maiden name"),
                    *("customer name", "patient name", "cardholder na|me", "card hol|der", "cardhol|der"),
                    *("account hol|der", "beneficiary name", "vorname", "nachname", "nom de famille", "prénom"),
                    *("apellido", "cognome"),
                ),
                _PERSON,
                _is_name,
                gap=ASSIGNED,
            ),
            *after(
                ("Mr. ", "Mrs. ", "Ms. ", "Mr ", "Mrs ", "Herr ", "Frau ", "Monsieur ", "Madame ", "Señor ", "Señora "),
                _PERSON,
                _is_name,
                gap=rb" ",
                caseless=False,
            ),
        ),
        canonical=alnum,
        must=(
            "full name: Anna Smith",
            "dear Mr. Smith",
            "called Mrs Jones",
            "Mr. van der Salm",
            "patient name = José de la Cruz",
            "Vorname: Jörg",
        ),
        must_not=("first name: required", "full name: String", "Anna Smith", "last name is missing", "Mr. is missing"),
    ),
    Detector(
        name="postal_address",
        about="Postal addresses behind a word that announces one, with a house number and a word for a street.",
        triggers=after(
            (
                *("street address", "home address", "postal address", "shipping address", "billing address"),
                *("mailing address", "delivery address", "residential address", "address: ", "lives at"),
                *("anschrift", "adresse: ", "dirección", "domicilio", "indirizzo"),
            ),
            _ADDRESS,
            _is_address,
        ),
        canonical=alnum,
        must=(
            "address: 12 Main Street, Springfield, IL 62704",
            "lives at 221B Baker St., London NW1 6XE",
            "Anschrift: Hauptstraße 5, D-10115 Berlin",
            "billing address is 10 Rue de la Paix, Paris",
        ),
        must_not=("address: 10.0.0.1", "address: 0x7ffd1234 in use", "shipping address missing", "12 Main Street"),
    ),
)
