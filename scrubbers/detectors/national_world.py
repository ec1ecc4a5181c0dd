"""National identifiers of South America, Asia, Africa and Oceania."""

import re

from scrubbers.detectors.detector import (
    GROUPS_OF_THREE,
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
from scrubbers.detectors.national_europe import SIX_AND_THREE


def _br_cpf(text: bytes, end: int) -> Span | None:
    found = _CPF.match(text, end - 9) if end >= 9 else None
    return found.span() if found and _is_cpf(found[0]) else None


_CPF = re.compile(LEFT + rb"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}" + RIGHT)
_is_cpf = validator("br.cpf")


def _kr_rrn(text: bytes, end: int) -> Span | None:
    found = _RRN.match(text, end - 10) if end >= 10 else None
    return found.span() if found and _is_rrn(found[0]) else None


_RRN = re.compile(LEFT + rb"[0-9]{2}[01][0-9][0-3][0-9]-[0-9]{7}" + RIGHT)
_is_rrn = validator("kr.rrn")


def _shaped(expression: bytes, find: Find, tail: bytes) -> Trigger:
    return Trigger(expression, find, Confidence.CHECKSUM, guarded=True, tail=tail)


DETECTORS = (
    identifier(
        "br_cpf",
        "Brazilian taxpayer numbers (CPF), with dots and dash or by context.",
        "br.cpf",
        rb"[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}",
        ("cadastro de pessoa",),
        ("390.533.447-05", "39053344705"),
        "231.002.999-00",
        acronyms=("cpf",),
        triggers=(_shaped(GROUPS_OF_THREE, _br_cpf, rb"\.[0-9]{3}\.[0-9]"),),
        alone="390.533.447-05",
    ),
    identifier(
        "ar_cuit",
        "Argentinian tax and labour numbers (CUIT, CUIL).",
        "ar.cuit",
        rb"[0-9]{2}-?[0-9]{8}-?[0-9]",
        ("cuit", "cuil"),
        ("20-05536168-2", "20055361682"),
        "20-05536168-3",
    ),
    identifier(
        "cl_rut",
        "Chilean tax numbers (RUT, RUN).",
        "cl.rut",
        rb"[0-9]{1,2}\.?[0-9]{3}\.?[0-9]{3}-[0-9Kk]",
        ("rol único", "rol unico"),
        ("76086428-5", "12.531.909-2"),
        "12531909-3",
        acronyms=("rut", "run"),
    ),
    identifier(
        "in_aadhaar",
        "Indian Aadhaar numbers.",
        "in_.aadhaar",
        rb"[2-9][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}",
        ("aadhaar", "aadhar", "uidai", "आधार"),
        ("234123412346", "2341 2341 2346"),
        "234123412347",
    ),
    identifier(
        "in_pan",
        "Indian permanent account numbers.",
        "in_.pan",
        rb"[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z]",
        ("permanent account", "pan card", "pan number"),
        ("ACUPA7085R",),
        "ABMXA3211G",
        acronyms=("pan",),
    ),
    identifier(
        "au_tfn",
        "Australian tax file numbers.",
        "au.tfn",
        rb"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{2,3}",
        ("tax file number", "tax file no"),
        ("123 456 782", "123456782"),
        "999 999 999",
        acronyms=("tfn",),
    ),
    identifier(
        "au_medicare",
        "Australian Medicare numbers.",
        "",
        rb"[2-6][0-9]{3} ?[0-9]{5} ?[0-9]",
        ("medicare",),
        ("2123 45670 1", "2123456701"),
        "9123 45670 1",
    ),
    identifier(
        "nz_ird",
        "New Zealand tax numbers.",
        "nz.ird",
        rb"[0-9]{2,3}[ -]?[0-9]{3}[ -]?[0-9]{3}",
        ("inland revenue", "ird number"),
        ("49-098-576", "136410132"),
        "136410133",
        acronyms=("ird",),
    ),
    identifier(
        "jp_my_number",
        "Japanese individual numbers.",
        "jp.in_",
        rb"[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}",
        ("マイナンバー", "個人番号", "my number", "individual number"),
        ("6214 9832 0257", "621498320257"),
        "6214 9832 0258",
    ),
    Detector(
        name="kr_rrn",
        about="Korean resident registration numbers, with their dash.",
        triggers=(_shaped(SIX_AND_THREE, _kr_rrn, rb"[0-9][0-9]-[0-9]{3}"),),
        canonical=alnum,
        must=("971013-9019902", "(971013-9019902)", "주민등록번호: 971013-9019902"),
        must_not=("971013-9019903", "971313-9019902", "9710139019902"),
    ),
    identifier(
        "cn_ric",
        "Chinese resident identity numbers.",
        "cn.ric",
        rb"[1-8][0-9]{16}[0-9Xx]",
        ("身份证", "身份證", "公民身份号码", "resident identity", "id card"),
        ("360426199101010071",),
        "360426199101010072",
    ),
    identifier(
        "sg_nric",
        "Singaporean NRIC and FIN numbers.",
        "",
        rb"[STFGM][0-9]{7}[A-Z]",
        ("nric",),
        ("S1234567D",),
        "A1234567D",
        acronyms=("fin",),
    ),
    identifier(
        "my_nric",
        "Malaysian identity card numbers.",
        "my.nric",
        rb"[0-9]{6}-?[0-9]{2}-?[0-9]{4}",
        ("mykad", "kad pengenalan", "nric"),
        ("770305-02-1234", "770305021234"),
        "771305-02-1234",
    ),
    identifier(
        "th_pin",
        "Thai identity numbers.",
        "th.pin",
        rb"[1-8]-?[0-9]{4}-?[0-9]{5}-?[0-9]{2}-?[0-9]",
        ("บัตรประชาชน", "thai id"),
        ("3100600445635", "1-2345-45678-78-1"),
        "1-2345-45678-78-9",
    ),
    identifier(
        "id_nik",
        "Indonesian identity numbers.",
        "id.nik",
        rb"[0-9]{16}",
        ("nomor induk", "no ktp", "nik ktp"),
        ("3171011708450001",),
        "9971011708450001",
        acronyms=("nik",),
    ),
    identifier(
        "il_idnr",
        "Israeli identity numbers.",
        "il.idnr",
        rb"[0-9]{8}-?[0-9]",
        ("תעודת זהות", "teudat zehut", "ת.ז"),
        ("3933742-3".rjust(10, "0"),),
        "3933742-2".rjust(10, "0"),
    ),
    identifier(
        "za_idnr",
        "South African identity numbers.",
        "za.idnr",
        rb"[0-9]{6} ?[0-9]{4} ?[0-9]{3}",
        ("south african id", "sa id", "rsa id"),
        ("7503305044089",),
        "8503305044089",
    ),
)
