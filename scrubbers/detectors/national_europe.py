"""National identifiers of Europe."""

import re

from scrubbers.detectors.context import after
from scrubbers.detectors.detector import (
    LEFT,
    RIGHT,
    Confidence,
    Detector,
    Find,
    Span,
    Trigger,
    alnum,
)
from scrubbers.detectors.national import identifier, validator

# Prefixes: HMRC, National Insurance Manual NIM39110. There is no check digit.
_NINO_SHAPE = rb"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
_NINO = re.compile(LEFT + _NINO_SHAPE + rb"[0-9]{6}[A-D]" + RIGHT)


def _uk_nino(text: bytes, end: int) -> Span | None:
    found = _NINO.match(text, end - 5) if end >= 5 else None
    return found.span() if found else None


SIX_AND_THREE = rb"[0-9]{6}[-+A-F][0-9][0-9][0-9]"
"""A date of birth, a sign for the century, and the number of the day."""


def _fi_hetu(text: bytes, end: int) -> Span | None:
    found = _HETU.match(text, end - 10) if end >= 10 else None
    return found.span() if found and _is_hetu(found[0]) else None


_HETU = re.compile(LEFT + rb"[0-3][0-9][01][0-9]{3}[-+A-F][0-9]{3}[0-9A-FHJ-NPR-Y]" + RIGHT + rb"(?!-)")
_is_hetu = validator("fi.hetu")


def _se_personnummer(text: bytes, end: int) -> Span | None:
    found = _PERSONNUMMER.match(text, end - 10) if end >= 10 else None
    return found.span() if found and _is_personnummer(found[0]) else None


_PERSONNUMMER = re.compile(LEFT + rb"[0-9]{2}[01][0-9][0-9]{2}[-+][0-9]{4}" + RIGHT + rb"(?![-.:][0-9])")
_is_personnummer = validator("se.personnummer")


def _es_dni(text: bytes, end: int) -> Span | None:
    found = _DNI.match(text, end - 9) if end >= 9 else None
    return found.span() if found and _is_dni(found[0]) else None


_DNI = re.compile(LEFT + rb"[0-9]{8}[A-Z]" + RIGHT)
_is_dni = validator("es.dni")


def _ch_ahv(text: bytes, end: int) -> Span | None:
    found = _AHV.match(text, end - 4)
    return found.span() if found and _is_ahv(found[0]) else None


_AHV = re.compile(LEFT + rb"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}" + RIGHT)
_is_ahv = validator("ch.ssn")


def _shaped(expression: bytes, find: Find, tail: bytes) -> Trigger:
    return Trigger(expression, find, Confidence.CHECKSUM, guarded=True, tail=tail)


DETECTORS = (
    Detector(
        name="uk_nino",
        about="UK national insurance numbers, in one piece or by context.",
        triggers=(
            Trigger(rb"[A-Z][A-Z][0-9][0-9][A-Z0-9 ]", _uk_nino, guarded=True, tail=rb"[A-Z][A-Z][0-9][0-9][0-9]"),
            *after(("national insurance", "nino", "ni number"), _NINO_SHAPE + rb" ?(?:[0-9]{2} ?){3}[A-D]" + RIGHT),
        ),
        canonical=alnum,
        must=("AB123456C", "NINO: AB 12 34 56 C", "national insurance number is CE123456D"),
        must_not=("GB123456C", "AB123456E", "AB 12 34 56 C"),
    ),
    identifier(
        "uk_nhs",
        "UK NHS numbers.",
        "gb.nhs",
        rb"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}",
        ("nhs number", "nhs no", "national health"),
        ("943 476 5870", "9434765870"),
        "943 476 5871",
        acronyms=("nhs",),
    ),
    identifier(
        "uk_utr",
        "UK unique taxpayer references.",
        "gb.utr",
        rb"[0-9]{5} ?[0-9]{5}",
        ("unique taxpayer", "taxpayer reference"),
        ("1955839661",),
        "2955839661",
        acronyms=("utr",),
    ),
    identifier(
        "de_tax_id",
        "German tax identification numbers.",
        "de.idnr",
        rb"[1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}",
        (
            "steuer-id",
            "steuerid",
            "steueridentifikationsnummer",
            "tax id",
            "idnr",
            "identifikationsnummer",
        ),
        ("36 574 261 809", "36574261809"),
        "36574261890",
    ),
    identifier(
        "de_insurance_number",
        "German pension insurance numbers.",
        "",
        rb"[0-9]{2} ?[0-3][0-9][01][0-9]{3} ?[A-Z] ?[0-9]{3}",
        ("rentenversicherungsnummer", "sozialversicherungsnummer", "rv-nummer", "rvnr", "sv-nummer"),
        ("65 180175 M 003", "65180175M003"),
        "65 980175 M 003",
    ),
    identifier(
        "de_id_card",
        "Numbers of German identity cards.",
        "",
        rb"(?=[A-Z]{0,8}[0-9])[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{8}[0-9]?D?",
        ("personalausweis", "ausweisnummer", "ausweis-nr"),
        ("T220001293", "L01X00T47"),
        "A220001293",
    ),
    identifier(
        "fr_nir",
        "French social security numbers (NIR).",
        "fr.nir",
        rb"[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
        ("sécurité sociale", "securite sociale", "numéro de sécu", "numero de secu", "insee"),
        ("2 95 10 99 126 111 93", "295109912611193"),
        "295109912611199",
        acronyms=("nir",),
    ),
    identifier(
        "fr_tax_id",
        "French tax numbers of persons.",
        "fr.nif",
        rb"[0-3][0-9] ?[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}",
        ("numéro fiscal", "numero fiscal", "référence fiscale"),
        ("3023217600053",),
        "3023217600054",
    ),
    identifier(
        "es_dni",
        "Spanish identity numbers (DNI), by their letter.",
        "es.dni",
        rb"[0-9]{8}-?[A-Z]",
        ("documento nacional", "documento de identidad"),
        ("54362315K", "54362315-K"),
        "54362315-Z",
        acronyms=(
            "dni",
            "nif",
        ),
        triggers=(_shaped(rb"[0-9]{8}[A-Z]", _es_dni, rb"[0-9]{5}[A-Z]"),),
        alone="54362315K",
    ),
    identifier(
        "es_nie",
        "Spanish identity numbers of foreigners (NIE).",
        "es.nie",
        rb"[XYZxyz]-?[0-9]{7}-?[A-Za-z]",
        ("extranjero",),
        ("X2482300W", "X-2482300-W"),
        "X-2482300A",
        acronyms=(
            "nie",
            "nif",
        ),
    ),
    identifier(
        "it_codice_fiscale",
        "Italian tax codes of persons.",
        "it.codicefiscale",
        rb"[A-Z]{6}[0-9LMNPQRSTUV]{2}[A-EHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]",
        ("codice fiscale", "cod. fisc", "cod.fisc", "codicefiscale", "codice_fiscale"),
        ("RCCMNL83S18D969H",),
        "RCCMNL83S18D969A",
        acronyms=("c.f.", "cf"),
    ),
    identifier(
        "nl_bsn",
        "Dutch citizen service numbers (BSN).",
        "nl.bsn",
        rb"[0-9]{4}\.?[0-9]{2}\.?[0-9]{3}|[0-9]{3}[ .][0-9]{3}[ .][0-9]{3}",
        ("burgerservicenummer", "sofinummer", "sofi-nummer"),
        ("111222333", "1112.22.333"),
        "1112.52.333",
        acronyms=("bsn",),
    ),
    identifier(
        "pl_pesel", "Polish PESEL numbers.", "pl.pesel", rb"[0-9]{11}", ("pesel",), ("44051401359",), "44051401358"
    ),
    identifier(
        "se_personnummer",
        "Swedish personal identity numbers, with their sign or by context.",
        "se.personnummer",
        rb"(?:19|20)?[0-9]{6}[-+]?[0-9]{4}",
        ("personnummer", "samordningsnummer"),
        ("880320-0016", "198803200016"),
        "880320-0018",
        triggers=(_shaped(SIX_AND_THREE, _se_personnummer, rb"[0-9][0-9][-+][0-9]{3}"),),
        alone="880320-0016",
    ),
    identifier(
        "fi_hetu",
        "Finnish personal identity codes.",
        "fi.hetu",
        rb"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]",
        ("henkilötunnus", "henkilotunnus", "hetu", "sotu"),
        ("131052-308T", "131052Y308T"),
        "131052-308U",
        triggers=(_shaped(SIX_AND_THREE, _fi_hetu, rb"[0-9][0-9][-+A-F][0-9]{3}"),),
        alone="131052-308T",
    ),
    identifier(
        "no_fodselsnummer",
        "Norwegian birth numbers.",
        "no.fodselsnummer",
        rb"[0-9]{6} ?[0-9]{5}",
        ("fødselsnummer", "fodselsnummer", "personnummer"),
        ("15108695088", "151086 95088"),
        "15108695077",
    ),
    identifier(
        "dk_cpr",
        "Danish CPR numbers.",
        "dk.cpr",
        rb"[0-9]{6}[ -]?[0-9]{4}",
        ("personnummer", "cpr-nr", "cpr-nummer"),
        ("211062-5629", "2110625629"),
        "511062-5629",
        acronyms=("cpr",),
    ),
    identifier(
        "be_nn",
        "Belgian national numbers.",
        "be.nn",
        rb"[0-9]{2}[ .]?[0-9]{2}[ .]?[0-9]{2}[ -]?[0-9]{3}[ .]?[0-9]{2}",
        (
            "rijksregisternummer",
            "rijksregister",
            "numéro national",
            "numero national",
            "registre national",
            "insz",
            "niss",
        ),
        ("85 07 30 033 28", "85.07.30-033.28"),
        "85 07 30 033 29",
    ),
    identifier(
        "at_svnr",
        "Austrian social insurance numbers.",
        "at.vnr",
        rb"[0-9]{4} ?[0-9]{6}",
        ("sozialversicherungsnummer", "versicherungsnummer", "svnr", "sv-nr"),
        ("1237 010180", "1237010180"),
        "2237 010180",
    ),
    identifier(
        "ch_ahv",
        "Swiss AHV numbers, with dots or by context.",
        "ch.ssn",
        rb"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}",
        ("ahv-nummer", "numéro avs", "numero avs"),
        ("7569217076985", "756.9217.0769.85"),
        "756.9217.0769.84",
        acronyms=("ahv", "avs"),
        triggers=(Trigger(rb"756\.", _ch_ahv, Confidence.CHECKSUM),),
        alone="756.9217.0769.85",
    ),
    identifier(
        "pt_nif",
        "Portuguese tax numbers.",
        "pt.nif",
        rb"[0-9]{3} ?[0-9]{3} ?[0-9]{3}",
        ("contribuinte", "identificação fiscal", "identificacao fiscal"),
        ("501964843", "501 964 843"),
        "501 964 842",
        acronyms=("nif",),
    ),
    identifier(
        "pt_cc",
        "Numbers of Portuguese citizen cards.",
        "pt.cc",
        rb"[0-9]{8} ?[0-9] ?[A-Z0-9]{2}[0-9]",
        ("cartão de cidadão", "cartao de cidadao"),
        ("00000000 0 ZZ4", "000000000ZZ4"),
        "00000000 0 ZZ3",
    ),
    identifier(
        "ie_pps",
        "Irish personal public service numbers.",
        "ie.pps",
        rb"[0-9]{7}[A-W][ABHWTX]?",
        ("personal publ|ic service", "ppsn"),
        ("6433435F", "6433435FT"),
        "6433435E",
        acronyms=("pps",),
    ),
    identifier(
        "cz_rc",
        "Czech and Slovak birth numbers.",
        "cz.rc",
        rb"[0-9]{6}/?[0-9]{3,4}",
        ("rodné č", "rodne cislo", "rodného č"),
        ("710319/2745", "7103192745"),
        "710319/2746",
    ),
    identifier(
        "ro_cnp",
        "Romanian personal numeric codes.",
        "ro.cnp",
        rb"[1-9][0-9]{12}",
        ("cod numeric personal",),
        ("1630615123457",),
        "1630615123458",
        acronyms=("cnp",),
    ),
    identifier(
        "bg_egn",
        "Bulgarian personal numbers.",
        "bg.egn",
        rb"[0-9]{10}",
        ("егн", "ЕГН", "единен граждански"),
        ("8032056031",),
        "8032056032",
        acronyms=("egn",),
    ),
    identifier(
        "gr_amka",
        "Greek social security numbers.",
        "gr.amka",
        rb"[0-9]{11}",
        ("amka", "ΑΜΚΑ"),
        ("01013099997",),
        "01013099999",
    ),
    identifier(
        "hr_oib",
        "Croatian personal numbers.",
        "hr.oib",
        rb"[0-9]{11}",
        ("osobni identifikacijski",),
        ("33392005961",),
        "33392005962",
        acronyms=("oib",),
    ),
    identifier(
        "ee_ik",
        "Estonian personal codes.",
        "ee.ik",
        rb"[1-8][0-9]{10}",
        ("isikukood",),
        ("36805280109",),
        "36805280108",
    ),
    identifier(
        "lt_asmens",
        "Lithuanian personal codes.",
        "lt.asmens",
        rb"[1-8][0-9]{10}",
        ("asmens kodas", "asmens kodo"),
        ("33309240064",),
        "33309240164",
    ),
    identifier(
        "is_kennitala",
        "Icelandic identity numbers.",
        "is_.kennitala",
        rb"[0-9]{6}-?[0-9]{4}",
        ("kennitala", "kennitölu"),
        ("450401-3150", "1201743399"),
        "320174-3399",
    ),
    identifier(
        "si_emso",
        "Unique master citizen numbers of Slovenia (EMŠO).",
        "si.emso",
        rb"[0-9]{13}",
        ("emšo", "emso"),
        ("0101006500006",),
        "0101006500007",
    ),
    identifier(
        "ua_rntrc",
        "Ukrainian taxpayer numbers.",
        "ua.rntrc",
        rb"[0-9]{10}",
        ("рнокпп", "РНОКПП"),
        ("1759013776",),
        "1759013770",
        acronyms=("іпн", "ІПН"),
    ),
    identifier(
        "tr_tckimlik",
        "Turkish identification numbers.",
        "tr.tckimlik",
        rb"[1-9][0-9]{10}",
        ("tc kimlik", "t.c. kimlik", "kimlik no", "tckn"),
        ("17291716060",),
        "17291716050",
    ),
)
