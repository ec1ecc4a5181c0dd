"""What a corpus is made of: chance from one seed, what is planted, and kinds of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from faker import Faker

LOCALES = (
    "en_US", "en_GB", "en_AU", "de_DE", "de_CH", "fr_FR", "es_ES", "es_MX", "it_IT", "nl_NL", "pl_PL", "pt_BR", "sv_SE",
    "fi_FI", "da_DK", "no_NO", "cs_CZ", "hu_HU", "ro_RO", "tr_TR", "el_GR", "ru_RU", "uk_UA", "ar_AA", "he_IL", "fa_IR",
    "hi_IN", "th_TH", "vi_VN", "ja_JP", "ko_KR", "zh_CN", "zh_TW",
)  # fmt: skip


class Draw:
    """All chance of a corpus: one seed, one random generator, one Faker per locale."""

    def __init__(self, seed: int | str) -> None:
        self.rnd = random.Random(f"corpus/{seed}")
        self._fakes: dict[str, Faker] = {}

    def fake(self, *locales: str) -> Faker:
        locale = self.rnd.choice(locales or LOCALES)
        if locale not in self._fakes:
            self._fakes[locale] = Faker(locale, use_weighting=False)
            self._fakes[locale].seed_instance(self.rnd.getrandbits(64))
        return self._fakes[locale]

    def letters(self, alphabet: str, low: int, high: int | None = None) -> str:
        return "".join(self.rnd.choices(alphabet, k=self.rnd.randint(low, high or low)))


@dataclass(slots=True, frozen=True)
class Planted:
    """`value` is personal; `head` and `tail` belong to it without being so (`Bearer `, `postgres://app:` … `@db/x`)."""

    value: str
    head: str = ""
    tail: str = ""

    @property
    def text(self) -> str:
        return self.head + self.value + self.tail


Make: TypeAlias = Callable[[Draw], Planted]


@dataclass(slots=True, frozen=True)
class Kind:
    """A kind of personal data. With `keys` the name says that it is personal, without them its shape does."""

    name: str
    make: Make
    keys: tuple[str, ...] = ()
    near: Callable[[Draw], str] | None = None
    """What looks like it and is not."""
    notations: tuple[str, ...] = ()
    """The only ones that it is written in; empty: all."""
