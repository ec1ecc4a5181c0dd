"""Secrets that take more than a beginning to find: keys in lines, connection strings, what an assignment gives away."""

import math
import re
from collections import Counter

from scrubbers.detectors.context import after
from scrubbers.detectors.detector import LEFT, RIGHT, Confidence, Detector, Span, Trigger


def _slack(text: bytes, end: int) -> Span | None:
    found = _SLACK.match(text, end - 5) or _SLACK_HOOK.match(text, end)
    return found.span() if found else None


_SLACK = re.compile(LEFT + rb"(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,255}")
_SLACK_HOOK = re.compile(rb"T[A-Z0-9]{6,16}/B[A-Z0-9]{6,16}/[A-Za-z0-9]{16,64}")


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
_KEY_BODY = re.compile(rb"[A-Za-z0-9+/=\s\\\x00:,.()-]*")  # NUL: a backslash in decoded text
_KEY_LINES = re.compile(rb"(?:(?:\\+[nr]|\s)*[A-Za-z0-9+/=]+)*")


def _telegram(text: bytes, end: int) -> Span | None:
    found = _TELEGRAM.match(text, end)
    head = text[max(0, end - 14) : end - 3]
    number = len(head) - len(head.rstrip(b"0123456789"))
    return (end - 3 - number, found.end()) if found and 8 <= number <= 10 else None


_TELEGRAM = re.compile(rb"[A-Za-z0-9_-]{33}" + RIGHT)


def _azure(text: bytes, end: int) -> Span | None:
    found = _AZURE_APP.match(text, end - 6) if end >= 6 else None
    return found.span() if found else None


_AZURE_APP = re.compile(
    rb"(?:(?<![A-Za-z0-9_~.-])|(?<=\\[bfnrt]))[A-Za-z0-9_~.]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~-])"
)


def _azure_key(text: bytes, end: int) -> Span | None:
    found = _AZURE_KEY.match(text, end)
    return found.span() if found else None


# In a URL the signature is percent-encoded, and stands so in the record.
_AZURE_KEY = re.compile(rb"(?:[A-Za-z0-9+/]|%2[BbFf]){40,90}(?:=|%3[Dd]){0,2}")


def _mailchimp(text: bytes, end: int) -> Span | None:
    found = _MAILCHIMP.match(text, end - 36) if end >= 36 else None
    return found.span() if found else None


_MAILCHIMP = re.compile(LEFT + rb"[0-9a-f]{32}-us[12][0-9]?" + RIGHT)


def _openai(text: bytes, end: int) -> Span | None:
    start = text.rfind(b"sk-", max(0, end - 110), end)
    found = _OPENAI.match(text, start) if start >= 0 else None
    return found.span() if found and found.end() > end else None


_OPENAI = re.compile(LEFT + rb"sk-[A-Za-z0-9_-]{20,90}T3BlbkFJ[A-Za-z0-9_-]{20,90}" + RIGHT)


def _hook(text: bytes, end: int) -> Span | None:
    found = _HOOK.match(text, end)
    return found.span() if found else None


_HOOK = re.compile(
    rb"[0-9]{17,20}/[A-Za-z0-9_-]{60,80}"
    rb"|[0-9a-f-]{36}@[0-9a-f-]{36}/IncomingWebhook/[A-Za-z0-9/-]{32,160}"
)


def _is_random(value: bytes) -> bool:
    """Whether a value looks drawn by lot: letters and digits mixed, of high entropy, no words, no identifier."""
    if _IDENTIFIER.fullmatch(value) or _WORDS.search(value):
        return False
    figures = sum(0x30 <= byte <= 0x39 for byte in value)
    letters = sum(chr(byte).isalpha() for byte in value)
    if figures < 2 or letters < 4:
        return False
    if _LOWER.fullmatch(value):
        # Letters of one case alone: a name with a number at its end is no secret.
        return len(value) >= 20 and figures * 6 >= len(value) and not {0x2D, 0x5F} & set(value)
    return _entropy(value) >= 3.5


def _entropy(value: bytes) -> float:
    """Bits a character, by Shannon."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())


_IDENTIFIER = re.compile(rb"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9]{4}-[0-9]{2}-[0-9]{2}.*", re.S)
_WORDS = re.compile(rb"[a-z]{9}|[A-Z][a-z]{7}|[A-Z]{9}")
_LOWER = re.compile(rb"[0-9a-z_-]*|[0-9A-Z_-]*")
_SECRET_WORDS = (
    b"secret",
    b"token",
    b"password",
    b"passwd",
    b"credential",
    b"apikey",
    b"api_key",
    b"api-key",
    b"access_key",
    b"access-key",
    b"accesskey",
    b"signing_key",
    b"auth_key",
    b"encryption_key",
    b"private_key",
)
_ASSIGNED = re.compile(
    rb"[A-Za-z0-9_.-]{0,24}(?: ?[:=]| ?=>)[ ']{0,2}(?:\t(?=[0-9A-Z]))?"
    rb"([A-Za-z0-9][A-Za-z0-9+/_=~-]{15,255})(?![A-Za-z0-9+/_=~.:-])"
)


def _assigned(text: bytes, end: int) -> Span | None:
    found = _ASSIGNED.match(text, end)
    return found.span(1) if found and _is_random(found[1].rstrip(b"=")) else None


DETECTORS = (
    Detector(
        name="slack_token",
        about="Slack tokens (xoxb-…) and the secret part of webhook addresses.",
        triggers=(
            *(
                Trigger(b"xox" + kind + b"-", _slack, Confidence.CHECKSUM)
                for kind in (b"a", b"b", b"e", b"o", b"p", b"r", b"s")
            ),
            Trigger(b"xapp-", _slack, Confidence.CHECKSUM),
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
    Detector(
        name="azure_credential",
        about="Azure: keys in connection strings, signatures of SAS URLs, secrets of applications.",
        triggers=(
            *(
                Trigger(word, _azure_key, Confidence.CHECKSUM)
                for word in (b"AccountKey=", b"SharedAccessKey=", b"sig=")
            ),
            *(Trigger(mark, _azure, Confidence.CHECKSUM) for mark in (b"7Q~", b"8Q~")),
        ),
        canonical=bytes,
        documented=lambda value: value.startswith(b"Eby8vdM02xNOcqFl"),  # Azurite and the storage emulator
        must=(
            "AccountName=a;AccountKey=" + "a1B2" * 21 + "c3" + "==;EndpointSuffix=x",
            "?sv=2022-11-02&sig=" + "a1B2" * 10 + "c3D" + "=",
            "a1B8Q~" + "a1B2" * 8,
            "SharedAccessKey=" + "a1B2" * 10 + "c3D" + "=",
        ),
        must_not=("AccountKey=", "sig=short", "config=8Q~x"),
    ),
    Detector(
        name="openai_legacy_key",
        about="OpenAI API keys of every kind, by the mark in their middle.",
        triggers=(Trigger(b"T3BlbkFJ", _openai, Confidence.CHECKSUM),),
        canonical=bytes,
        unmistakable=True,
        must=(
            "sk-" + "a1B2" * 5 + "T3Blbk" + "FJ" + "c3D4" * 5,
            "(sk-" + "a1B2" * 5 + "T3Blbk" + "FJ" + "c3D4" * 5 + ")",
            "key=sk-" + "a1B2" * 5 + "T3Blbk" + "FJ" + "c3D4" * 5,
        ),
        must_not=("T3Blbk" + "FJ", "sk-T3Blbk" + "FJ", "T3Blbk" + "FJ" + "c3D4" * 5),
    ),
    Detector(
        name="telegram_bot_token",
        about="Telegram bot tokens.",
        triggers=(Trigger(b":AA", _telegram, Confidence.CHECKSUM),),
        canonical=bytes,
        unmistakable=True,
        must=("123456789:AA" + "a1B" * 11, "/bot1234567890:AA" + "a1B" * 11 + "/getMe", "t=12345678:AA" + "c3D" * 11),
        must_not=("00:AA:BB", "123456789:AA", "123:AA" + "a1B" * 11),
    ),
    Detector(
        name="mailchimp_key",
        about="Mailchimp API keys, of all but its first data centres.",
        triggers=tuple(Trigger(mark, _mailchimp, Confidence.CHECKSUM) for mark in (b"-us1", b"-us2")),
        canonical=bytes,
        unmistakable=True,
        must=("a1b2" * 8 + "-us12", "key=" + "c3d4" * 8 + "-us16", "(" + "a1b2" * 8 + "-us1)"),
        must_not=("eu-us1", "a1b2-us12", "g" + "a1b2" * 8 + "-us1"),
    ),
    Detector(
        name="chat_webhook",
        about="The secret part of Discord's and Microsoft Teams' webhook addresses.",
        triggers=(
            Trigger(b"/api/webhooks/", _hook, Confidence.CHECKSUM),
            Trigger(b"/webhookb2/", _hook, Confidence.CHECKSUM),
        ),
        canonical=bytes,
        must=(
            "https://discord.com/api/webhooks/" + "123456789012345678/" + "a1B2" * 17,
            "POST /api/webhooks/" + "123456789012345678/" + "a1B2" * 15 + " 204",
            "https://x.webhook.office.com/webhookb2/"
            + "1b2c3d4e-" * 4
            + "@"
            + "1b2c3d4e-" * 4
            + "/IncomingWebhook/"
            + "a1b2" * 8,
        ),
        must_not=("/api/webhooks/", "/api/webhooks/42/test", "/webhookb2/x"),
    ),
    Detector(
        name="service_token",
        about="Tokens without a mark of their own, by the service's name: Twilio, Discord, Datadog, Cloudflare.",
        triggers=(
            *after(("twilio",), rb"SK[0-9a-fA-F]{32}" + RIGHT + rb"|[0-9a-f]{32}" + RIGHT),
            *after(("discord",), rb"[MNO][A-Za-z0-9_-]{22,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}" + RIGHT),
            *after(("datadog", "dd_api_key", "dd_app_key"), rb"[0-9a-f]{32}" + RIGHT + rb"|[0-9a-f]{40}" + RIGHT),
            *after(("cloudflare",), rb"[A-Za-z0-9_-]{40}" + RIGHT, _is_random),
        ),
        canonical=bytes,
        must=(
            "twilio key: SK" + "a1b2" * 8,
            "DISCORD_BOT=M" + "a1B2" * 6 + ".a1B2c3." + "c3D4" * 7,
            "datadog api key = " + "a1b2" * 8,
        ),
        must_not=("twilio returned 200", "discord bot started", "SK" + "a1b2" * 8),
    ),
    Detector(
        name="generic_secret",
        about="What is assigned to a name that says secret, token, password or key, if it looks drawn by lot.",
        triggers=tuple(Trigger(word, _assigned, Confidence.CONTEXT, caseless=True) for word in _SECRET_WORDS),
        canonical=bytes,
        must=(
            "STRIPE_SECRET=" + "a9Xk2" + "Qz7Lm" + "4Tr8W" + "b3Ns",
            "db_password_prod: " + "Zx8kQ" + "2vLw5" + "Jd9Hs" + "1Y",
            "export MY_API_KEY='" + "q7w8e9r0" * 4 + "'",
        ),
        must_not=(
            "token_count=1234567890123456",
            "secretName: my-release-postgresql-2024",
            "tokens=4096",
            "password=changeit",
            "token_id=6f1c2b9a-77aa-4b0e-9d8c-0a1b2c3d4e5f",
            "token: expected identifier at line 12",
            "token_provider=com.example.JwtTokenProviderV2",
        ),
    ),
)
