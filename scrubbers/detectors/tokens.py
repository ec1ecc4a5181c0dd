"""Tokens and keys that tell by their beginning who issued them.

Facts from the issuers' documentation of token formats and from the rules of gitleaks (MIT). The beginnings are
literals: for the trigger they cost next to nothing, however many they are.
"""

import re
import zlib

from scrubbers.detectors.detector import LEFT, RIGHT, Confidence, Detector, Find, Span, Trigger, published

_ROUTABLE = r"[A-Za-z0-9_-]{20,300}(?:\.[0-9a-z]{9}|\.[0-9a-z]{2}\.[0-9a-z]{9})?"
_ANY, _HEX, _URL = "[A-Za-z0-9]", "[0-9a-f]", "[A-Za-z0-9_-]"


def _issued(name: str, about: str, *kinds: tuple[str, str, str], documented: tuple[str, ...] = ()) -> Detector:
    """A detector of tokens: each kind is how they begin, what follows (a regular expression), and a made-up example.

    Examples are given as one piece that is repeated: no scanner of sources shall take them for tokens.
    """
    sure = Confidence.CHECKSUM  # their form is that of nothing else
    triggers = tuple(Trigger(re.escape(head.encode()), _behind(head, tail), sure) for head, tail, _ in kinds)
    examples = [head + example for head, _, example in kinds]
    return Detector(
        name=name,
        about=about,
        triggers=triggers,
        canonical=bytes,
        unmistakable=True,
        must=(*examples, f"key={examples[0]}", f"({examples[0]})"),
        must_not=(kinds[0][0], f"{kinds[0][0]}example", f"a{examples[0]}"),
        documented=published(bytes, *documented),
    )


def _behind(head: str, tail: str) -> Find:
    size = len(head)
    match = re.compile(LEFT + re.escape(head.encode()) + b"(?:" + tail.encode() + b")" + RIGHT).match

    def find(text: bytes, end: int) -> Span | None:
        found = match(text, end - size)
        return found.span() if found else None

    return find


_BASE62 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def checksum(random: bytes) -> bytes:
    """The last six characters of a GitHub or npm token: CRC-32 of what stands before them, in base 62 (github.blog)."""
    number, written = zlib.crc32(random), b""
    for _ in range(6):
        number, digit = divmod(number, 62)
        written = _BASE62[digit : digit + 1] + written
    return written


def _checked(head: bytes, right: bool) -> Find:
    """Finds tokens with 36 characters behind the head whose checksum is right; or those where it is not, or longer."""
    match = re.compile(LEFT + re.escape(head) + rb"([A-Za-z0-9]{36,255})" + RIGHT).match
    size = len(head)

    def find(text: bytes, end: int) -> Span | None:
        found = match(text, end - size)
        if found is None or (len(found[1]) == 36 and checksum(found[1][:30]) == found[1][30:]) is not right:
            return None
        return found.span()

    return find


def _with_checksum(name: str, about: str, heads: tuple[str, ...], *more: tuple[str, str, str]) -> Detector:
    plain = _issued(name, about, *more, (heads[0], f"{_ANY}{{36}}", "a1B2" * 9))
    literals = [head.encode() for head in heads]
    checked = ("Zz09" * 8)[:30]
    return Detector(
        name=name,
        about=about,
        triggers=(
            *(Trigger(head, _checked(head, True), Confidence.CHECKSUM) for head in literals),
            *(Trigger(head, _checked(head, False), Confidence.SHAPE) for head in literals),
            *plain.triggers[:-1],
        ),
        canonical=bytes,
        unmistakable=True,
        must=(*plain.must, *(head + checked + checksum(checked.encode()).decode() for head in heads)),
        must_not=(heads[0], f"{heads[0]}short", f"a{plain.must[-3]}"),
    )


DETECTORS = (
    _issued(
        "aws_access_key",
        "AWS access key identifiers (AKIA…, ASIA…) and keys of Bedrock.",
        ("AKIA", "[A-Z0-9]{16}", "Q3EG" * 4),
        ("ASIA", "[A-Z0-9]{16}", "Y34F" * 4),
        ("bedrock-api-key-", "[A-Za-z0-9+/]{40,4096}={0,2}", "YmVk" * 30),
        documented=("AKIAIOSFODNN7" + "EXAMPLE", "AKIAI44QH8DHB" + "EXAMPLE", "ASIAIOSFODNN7" + "EXAMPLE"),
    ),
    _with_checksum(
        "github_token",
        "GitHub tokens (ghp_, gho_, ghu_, ghs_, ghr_, github_pat_); with the right check digits surer.",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        ("github_pat_", "[A-Za-z0-9_]{22,255}", "11ABCDEFG0_" * 3),
    ),
    _with_checksum("npm_token", "npm access tokens; with the right check digits surer.", ("npm_",)),
    _issued(
        "gitlab_token",
        "GitLab tokens: personal, deploy, runner, trigger, feed, agent, SCIM, CI job, OAuth secrets.",
        ("glpat-", _ROUTABLE, "a1B2" * 5),
        ("gldt-", f"{_URL}{{20,255}}", "a1B2" * 5),
        ("glrt-", _ROUTABLE, "t1_" + "a1B2" * 7 + ".01a1b2c3d"),
        ("glptt-", f"{_HEX}{{40}}", "a1b2" * 10),
        ("glft-", f"{_URL}{{20,255}}", "a1B2" * 5),
        ("glimt-", f"{_URL}{{25,255}}", "a1B2C" * 5),
        ("glagent-", f"{_URL}{{50,255}}", "a1B2C" * 10),
        ("gloas-", f"{_URL}{{64}}", "a1B2" * 16),
        ("glsoat-", f"{_URL}{{20,255}}", "a1B2" * 5),
        ("glcbt-", f"{_URL}{{20,300}}", "1_" + "a1B2" * 5),
        ("glffct-", f"{_URL}{{20,255}}", "a1B2" * 5),
        ("GR1348941", f"{_URL}{{20}}", "a1B2" * 5),
    ),
    _issued(
        "stripe_key",
        "Stripe secret, restricted and webhook signing keys.",
        ("sk_live_", f"{_ANY}{{10,250}}", "a1B2" * 6),
        ("rk_live_", f"{_ANY}{{10,250}}", "a1B2" * 6),
        ("sk_test_", f"{_ANY}{{10,250}}", "a1B2" * 6),
        ("rk_test_", f"{_ANY}{{10,250}}", "a1B2" * 6),
        ("whsec_", "[A-Za-z0-9+/]{24,250}={0,2}", "a1B2" * 8),
        documented=(
            "sk_test_" + "4eC39HqLyjWDarjtT1zdp7dc",
            "sk_test_" + "BQokikJOvBiI2HlWgH4olfQ2",
        ),  # docs.stripe.com
    ),
    _issued(
        "google_api_key",
        "Google API keys, OAuth access and refresh tokens, client secrets.",
        ("AIza", f"{_URL}{{35}}", "SyA1b2C" * 5),
        ("ya29.", "[A-Za-z0-9_.-]{20,2048}", "a0Af" * 10),
        ("GOCSPX-", f"{_URL}{{28}}", "a1B2" * 7),
        ("1//0", f"{_URL}{{40,255}}", "a1B2" * 12),
    ),
    _issued(
        "sendgrid_key",
        "SendGrid API keys.",
        ("SG.", f"{_URL}{{22}}\\.{_URL}{{43}}", "a1" * 11 + "." + "B2c" * 14 + "d"),
    ),
    _issued("mailgun_key", "Mailgun API keys.", ("key-", f"{_HEX}{{32}}", "a1b2" * 8)),
    _issued(
        "brevo_key",
        "Brevo (Sendinblue) API keys.",
        ("xkeysib-", f"{_HEX}{{64}}-{_ANY}{{16}}", "a1b2" * 16 + "-" + "c3D4" * 4),
    ),
    _issued("pypi_token", "PyPI upload tokens.", ("pypi-", "AgE[A-Za-z0-9_-]{50,1000}", "AgE" + "IcHl" * 16)),
    _issued("rubygems_key", "RubyGems API keys.", ("rubygems_", f"{_HEX}{{48}}", "a1b2" * 12)),
    _issued("clojars_token", "Clojars deploy tokens.", ("CLOJARS_", "[a-z0-9]{60}", "a1b2" * 15)),
    _issued(
        "docker_token",
        "Docker Hub access tokens.",
        ("dckr_pat_", f"{_URL}{{27}}", "a1B" * 9),
        ("dckr_oat_", f"{_URL}{{32}}", "a1B2" * 8),
    ),
    _issued(
        "digitalocean_token",
        "DigitalOcean access, refresh and OAuth tokens.",
        *((head, f"{_HEX}{{64}}", "a1b2" * 16) for head in ("dop_v1_", "doo_v1_", "dor_v1_")),
    ),
    _issued(
        "shopify_token",
        "Shopify access tokens and shared secrets.",
        *((head, "[0-9a-fA-F]{32}", "a1b2" * 8) for head in ("shpat_", "shpca_", "shppa_", "shpss_")),
    ),
    _issued(
        "openai_key",
        "OpenAI API keys.",
        ("sk-proj-", f"{_URL}{{40,255}}", "a1B2" * 18),
        ("sk-svcacct-", f"{_URL}{{40,255}}", "a1B2" * 18),
        ("sk-admin-", f"{_URL}{{40,255}}", "a1B2" * 18),
    ),
    _issued(
        "anthropic_key",
        "Anthropic API keys.",
        ("sk-ant-", f"[a-z]{{3,8}}[0-9]{{2}}-{_URL}{{40,255}}", "api03-" + "a1B2" * 24),
    ),
    _issued(
        "ai_service_key",
        "Keys of Hugging Face, Perplexity, Groq, xAI, OpenRouter, LangSmith.",
        ("hf_", "[A-Za-z]{34}", "aBcDe" * 6 + "fGhI"),
        ("api_org_", "[A-Za-z]{34}", "aBcDe" * 6 + "fGhI"),
        ("pplx-", f"{_ANY}{{48}}", "a1B2" * 12),
        ("gsk_", f"{_ANY}{{52}}", "a1B2" * 13),
        ("xai-", f"{_ANY}{{80}}", "a1B2" * 20),
        ("sk-or-v1-", f"{_HEX}{{64}}", "a1b2" * 16),
        ("lsv2_", f"(?:pt|sk)_{_HEX}{{32}}_{_HEX}{{10}}", "pt_" + "a1b2" * 8 + "_" + "c3d4e" * 2),
    ),
    _issued("databricks_token", "Databricks access tokens.", ("dapi", f"{_HEX}{{32}}(?:-[0-9])?", "a1b2" * 8)),
    _issued(
        "hashicorp_token",
        "Vault service and batch tokens, Terraform Cloud tokens from `.atlasv1.` on.",
        ("hvs.", f"{_URL}{{24,300}}", "CAES" * 24),
        ("hvb.", f"{_URL}{{100,300}}", "AAAA" * 30),
        (".atlasv1.", "[A-Za-z0-9_=-]{60,70}", "a1B2" * 16),
    ),
    _issued(
        "atlassian_token",
        "Atlassian API tokens; Bitbucket's too.",
        ("ATATT3", "[A-Za-z0-9_=-]{40,255}", "xFfG" * 40),
        ("ATCTT3", "[A-Za-z0-9_=-]{40,255}", "xFfG" * 40),
        ("ATBB", f"{_ANY}{{24,40}}", "a1B2" * 8),
    ),
    _issued(
        "workspace_token",
        "Tokens of Linear, Notion, Figma, Postman.",
        ("lin_api_", f"{_ANY}{{40}}", "a1B2" * 10),
        ("lin_oauth_", f"{_HEX}{{64}}", "a1b2" * 16),
        ("ntn_", f"[0-9]{{11}}{_ANY}{{35}}", "12345678901" + "a1B2c" * 7),
        ("secret_", f"{_ANY}{{43}}", "a1B2" * 10 + "c3D"),
        ("figd_", f"{_URL}{{40,60}}", "a1B2" * 10),
        ("PMAK-", f"{_HEX}{{24}}-{_HEX}{{34}}", "a1b2" * 6 + "-" + "c3d4" * 8 + "e5"),
    ),
    _issued(
        "cloud_token",
        "Tokens of Heroku, Fly.io, Supabase, PlanetScale, Doppler, Tailscale, Alibaba.",
        ("HRKU-", f"{_URL}{{36,80}}", "AA" + "a1B2" * 14 + "c3"),
        *((head, "[A-Za-z0-9+/]{100,2048}={0,3}", "a1B2" * 26) for head in ("fm1a_", "fm1r_", "fm2_")),
        ("sb_secret_", f"{_URL}{{31}}", "a1B2" * 7 + "c3D"),
        *((head, "[A-Za-z0-9_=.-]{32,64}", "a1B2" * 10) for head in ("pscale_tkn_", "pscale_pw_", "pscale_oauth_")),
        ("dp.pt.", f"{_ANY}{{40,44}}", "a1B2" * 10 + "c3D"),
        ("dp.st.", "[A-Za-z0-9_.-]{40,80}", "dev." + "a1B2" * 10),
        (
            "tskey-",
            f"(?:auth|api|client|scim|webhook)-{_ANY}{{8,32}}-{_ANY}{{16,64}}",
            "auth-" + "k1B2" * 4 + "-" + "a1B2" * 8,
        ),
        ("LTAI", f"{_ANY}{{16,26}}", "5tA1" * 5),
    ),
    _issued(
        "monitoring_token",
        "Tokens of Grafana, Sentry, New Relic, Dynatrace.",
        ("glsa_", f"{_ANY}{{32}}_[0-9A-Fa-f]{{8}}", "a1B2" * 8 + "_" + "c3d4" * 2),
        ("glc_", "[A-Za-z0-9+/]{32,400}={0,3}", "eyJv" * 10),
        ("sntrys_", "[A-Za-z0-9+/=_]{60,600}", "eyJp" * 20),
        ("sntryu_", f"{_HEX}{{64}}", "a1b2" * 16),
        ("NRAK-", "[A-Z0-9]{27}", "A1B" * 9),
        ("NRII-", f"{_URL}{{32}}", "a1B2" * 8),
        ("dt0c01.", "[A-Z0-9]{24}\\.[A-Z0-9]{64}", "A1B2" * 6 + "." + "C3D4" * 16),
    ),
    _issued(
        "payment_service_key",
        "Keys of Square, Shippo, Duffel, Flutterwave, PayPal's Braintree.",
        ("sq0atp-", f"{_URL}{{22,60}}", "a1B2" * 6),
        ("sq0csp-", f"{_URL}{{43}}", "a1B2" * 10 + "c3D"),
        *((head, "[0-9a-fA-F]{40}", "a1b2" * 10) for head in ("shippo_live_", "shippo_test_")),
        *((head, "[A-Za-z0-9_=-]{43}", "a1B2" * 10 + "c3D") for head in ("duffel_live_", "duffel_test_")),
        ("FLWSECK-", f"{_ANY}{{32}}-X", "a1b2" * 8 + "-X"),
        ("FLWSECK_TEST-", f"{_ANY}{{12,32}}(?:-X)?", "a1b2" * 8 + "-X"),
        ("access_token$production$", f"[0-9a-z]{{16}}\\${_HEX}{{32}}", "a1b2" * 4 + "$" + "c3d4" * 8),
    ),
    _issued(
        "build_service_token",
        "Tokens of CircleCI, Buildkite, JFrog, Snyk, OpenShift, Infracost, Scalingo, 1Password.",
        ("CCIPAT_", "[A-Za-z0-9]{16,32}_[0-9a-f]{40}", "a1B2" * 5 + "_" + "c3d4" * 10),
        ("bkua_", f"{_HEX}{{40}}", "a1b2" * 10),
        ("AKCp", f"{_ANY}{{69}}", "a1B2" * 17 + "c"),
        ("cmVmdGtu", f"{_ANY}{{56}}", "a1B2" * 14),
        ("snyk_", "[a-z]{2,4}\\.[0-9a-f]{8}\\.[A-Za-z0-9_-]{40,255}", "uat." + "a1b2" * 2 + "." + "c3D4" * 12),
        ("sha256~", f"{_URL}{{43}}", "a1B2" * 10 + "c3D"),
        ("ico-", f"{_ANY}{{32}}", "a1B2" * 8),
        ("tk-us-", f"{_URL}{{48}}", "a1B2" * 12),
        ("ops_eyJ", "[A-Za-z0-9+/]{200,2048}={0,3}", "a1B2" * 60),
    ),
    _issued("age_secret_key", "Secret keys of age.", ("AGE-SECRET-KEY-1", "[02-9AC-HJ-NP-Z]{58}", "QPZR" * 14 + "Y9")),
)
