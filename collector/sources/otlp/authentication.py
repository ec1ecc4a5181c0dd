"""Whether a client may send: bearer tokens. Client certificates are looked at by TLS itself."""

import hmac
from collections.abc import Sequence

from collector.sources.otlp.refusals import Unauthenticated


class Authentication:
    """Knows the tokens; without any, everybody may send."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = [token.strip().encode() for token in tokens]

    def __call__(self, authorization: str | bytes | None) -> None:
        """Raises Unauthenticated. Takes as long for any wrong token."""
        if not self._tokens:
            return
        given = authorization.encode(errors="surrogateescape") if isinstance(authorization, str) else authorization
        scheme, _, token = (given or b"").partition(b" ")
        token = token.strip()
        matches = [hmac.compare_digest(token, each) for each in self._tokens]
        if scheme.lower() != b"bearer" or not any(matches):
            raise Unauthenticated
