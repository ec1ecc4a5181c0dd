"""Tokens and keys whose issuers gave them a shape of their own."""

import re

from scrubbers.detectors.detector import LEFT, RIGHT, Confidence, Detector, Span, Trigger


def _aws(text: bytes, end: int) -> Span | None:
    found = _AWS.match(text, end - 4)
    return found.span() if found else None


_AWS = re.compile(LEFT + rb"A[KS]IA[A-Z0-9]{16}" + RIGHT)


def _github(text: bytes, end: int) -> Span | None:
    found = _GITHUB.match(text, end - 4) or _GITHUB.match(text, max(0, end - 11))
    return found.span() if found else None


_GITHUB = re.compile(LEFT + rb"(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})")


def _slack(text: bytes, end: int) -> Span | None:
    found = _SLACK.match(text, end - 5) or _SLACK_HOOK.match(text, end)
    return found.span() if found else None


_SLACK = re.compile(LEFT + rb"xox[abeoprs]-[A-Za-z0-9-]{10,255}")
_SLACK_HOOK = re.compile(rb"T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{16,}")


def _private_key(text: bytes, end: int) -> Span | None:
    start = text.rfind(b"-----BEGIN", max(0, end - 64), end)
    found = _KEY.match(text, start) if start >= 0 else None
    if found is None:
        return None
    stop = _KEY_END.search(text, found.end(), found.end() + MAX_KEY)
    if stop and _KEY_BODY.fullmatch(text, found.end(), stop.start()):
        return start, stop.end()
    # No end in sight: everything that looks like the body of a key goes with it.
    rest = _KEY_LINES.match(text, found.end(), found.end() + MAX_KEY)
    return start, rest.end() if rest else found.end()


MAX_KEY = 16 * 1024
_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_KEY_END = re.compile(rb"-----END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_KEY_BODY = re.compile(rb"[A-Za-z0-9+/=\s\\:,.()-]*")
_KEY_LINES = re.compile(rb"(?:(?:\\+[nr]|\s)*[A-Za-z0-9+/=]+)*")

DETECTORS = (
    Detector(
        name="aws_access_key",
        about="AWS access key identifiers (AKIA…, ASIA…).",
        triggers=(Trigger(b"AKIA", _aws, Confidence.CHECKSUM), Trigger(b"ASIA", _aws, Confidence.CHECKSUM)),
        documented=lambda value: value.endswith(b"EXAMPLE"),  # the user guide of IAM
        canonical=bytes,
        unmistakable=True,
        must=("AKIAIOSFODNN7EXAMPLE", "key=ASIAY34FZKBOKMUTVV7A;", "(AKIAI44QH8DHBEXAMPLE)"),
        must_not=("AKIA", "AKIAshort", "XAKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLEX"),
    ),
    Detector(
        name="github_token",
        about="GitHub tokens (ghp_, gho_, ghu_, ghs_, ghr_, github_pat_).",
        triggers=tuple(
            Trigger(each, _github) for each in (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_")
        ),
        canonical=bytes,
        unmistakable=True,
        must=("ghp_" + "a1B2" * 9, "ghs_" + "Zz09" * 9, "github_pat_" + "11ABCDEFG0_" * 3),
        must_not=("ghp_short", "ghp_", "github_pat_x"),
    ),
    Detector(
        name="slack_token",
        about="Slack tokens (xoxb-…) and the secret part of webhook addresses.",
        triggers=(
            *(
                Trigger(b"xox" + kind + b"-", _slack, Confidence.CHECKSUM)
                for kind in (b"a", b"b", b"e", b"o", b"p", b"r", b"s")
            ),
            Trigger(rb"hooks\.slack\.com/services/", _slack, Confidence.CHECKSUM),
        ),
        canonical=bytes,
        unmistakable=True,
        must=(
            "xoxb-" + "1234567890-abcdef",
            "xoxp-" + "998877665544-a1",
            "https://hooks.slack.com/services/" + "T0ABCDEF1/B0ABCDEF1/" + "a1b2c3d4" * 3,
        ),
        must_not=("xoxb-1", "xox-", "https://hooks.slack.com/services/"),
    ),
    Detector(
        name="private_key",
        about="Private keys in PEM, whole: in one string or over many lines.",
        triggers=(
            Trigger(b"PRIVATE KEY-----", _private_key, Confidence.CHECKSUM),
            Trigger(b"PRIVATE KEY BLOCK-----", _private_key, Confidence.CHECKSUM),
        ),
        canonical=bytes,
        must=(
            "-----BEGIN " + "PRIVATE KEY-----\\nMIIEvQIBADAN\\n-----END PRIVATE KEY-----",
            "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN OPENSSH " + "PRIVATE KEY-----\\nb3BlbnNzaC1rZXk",
        ),
        must_not=("-----BEGIN PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----", "a PRIVATE KEY was read"),
    ),
)
