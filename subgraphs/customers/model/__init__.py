"""What customers' experts talk about, as frozen data and pure decisions.

customer        a person who buys, online or over a counter, known by one id for ever.
consent         a yes or no to a purpose, with when and where it was given; the newest for a purpose counts.
segment         a named group a customer is in, for campaigns.
purchase        that a customer bought a product, how often and when last; what recommendations start from.
recommendation  a product that goes with others, with the evidence it rests on.
evidence        how many orders hold both products, online and in stores. Never invented, always shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from subgraphs.kernel.errors import InvalidInput

NAME_CHARACTERS_MAX = 200
EMAIL_CHARACTERS_MAX = 254
SHRINKAGE = 2.0
"""Pairs seen once or twice say little: their score is damped by n / (n + SHRINKAGE)."""


class ConsentPurpose(Enum):
    MARKETING_EMAIL = "MARKETING_EMAIL"
    MARKETING_SMS = "MARKETING_SMS"
    PERSONALISATION = "PERSONALISATION"
    AGENT_PURCHASE = "AGENT_PURCHASE"
    DATA_SHARING = "DATA_SHARING"


class RecommendationKind(Enum):
    ALSO_BOUGHT = "ALSO_BOUGHT"
    PERSONAL = "PERSONAL"
    POPULAR = "POPULAR"


@dataclass(frozen=True, slots=True)
class Consent:
    purpose: ConsentPurpose
    granted: bool
    at: datetime
    channel: str
    proof: str
    """What shows that it was given: a form's version, a receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    id: str
    display_name: str
    email: str | None = None
    phone: str | None = None
    loyalty_number: str | None = None
    home_location_id: str | None = None
    consents: tuple[Consent, ...] = ()
    """Everything that was ever said, oldest first."""
    segments: tuple[str, ...] = ()
    version: int = 1
    registered_at: datetime

    def allows(self, purpose: ConsentPurpose) -> bool:
        """What was last said about it; silence is no."""
        said = [consent for consent in self.consents if consent.purpose is purpose]
        return said[-1].granted if said else False

    @property
    def consents_now(self) -> tuple[Consent, ...]:
        """The newest for each purpose, in the order of purposes."""
        newest = {consent.purpose: consent for consent in self.consents}
        return tuple(newest[purpose] for purpose in ConsentPurpose if purpose in newest)

    def changed(
        self,
        *,
        display_name: str | None = None,
        email: str | None = None,
        phone: str | None = None,
        home_location_id: str | None = None,
    ) -> Customer:
        """With what is given set, and what is not given kept."""
        return replace(
            self,
            display_name=display_name if display_name is not None else self.display_name,
            email=email if email is not None else self.email,
            phone=phone if phone is not None else self.phone,
            home_location_id=home_location_id if home_location_id is not None else self.home_location_id,
            version=self.version + 1,
        )

    def consented(self, consent: Consent) -> Customer:
        return replace(self, consents=(*self.consents, consent), version=self.version + 1)


def clean_name(text: str) -> str:
    """A display name: trimmed, one line, not empty."""
    name = " ".join(text.split())
    if not 1 <= len(name) <= NAME_CHARACTERS_MAX:
        raise InvalidInput(f"a name has 1 to {NAME_CHARACTERS_MAX} characters", path=("input", "displayName"))
    return name


_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def clean_email(text: str) -> str:
    """An address as it is compared: trimmed and in lower case."""
    email = text.strip().lower()
    if len(email) > EMAIL_CHARACTERS_MAX or not _EMAIL.fullmatch(email):
        raise InvalidInput("that is no email address", path=("input", "email"))
    return email


def clean_phone(text: str) -> str:
    """A number in international form, digits only behind the plus."""
    phone = "+" + re.sub(r"\D", "", text)
    if not text.strip().startswith("+") or not 8 <= len(phone) <= 16:
        raise InvalidInput("a phone number is in international form, such as +4930123456", path=("input", "phone"))
    return phone


@dataclass(frozen=True, slots=True)
class Evidence:
    """Orders that hold both products."""

    online: int
    store: int

    @property
    def orders(self) -> int:
        return self.online + self.store

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(self.online + other.online, self.store + other.store)


@dataclass(frozen=True, slots=True)
class Recommendation:
    product_id: str
    kind: RecommendationKind
    score: float
    evidence: Evidence

    @property
    def reason(self) -> str:
        """Why, in a sentence that is true."""
        orders, store = self.evidence.orders, self.evidence.store
        times = "once" if orders == 1 else f"{orders} times"
        where = f", {store} of them in a store" if store and store < orders else ", in a store" if store else ""
        match self.kind:
            case RecommendationKind.ALSO_BOUGHT:
                return f"Bought together {times}{where}"
            case RecommendationKind.PERSONAL:
                return f"Bought together {times} with what you bought{where}"
            case RecommendationKind.POPULAR:
                return f"Bought {times}{where}"


def also_bought(
    pairs: Mapping[str, Evidence], own_orders: int, orders_of: Mapping[str, int], first: int
) -> list[Recommendation]:
    """Partners of one product, by the cosine of how often they are bought, damped where evidence is thin.

    ``pairs`` is the evidence by partner; ``own_orders`` and ``orders_of`` count the orders that hold each product.
    """
    found = [
        Recommendation(
            partner, RecommendationKind.ALSO_BOUGHT, _score(evidence, own_orders, orders_of[partner]), evidence
        )
        for partner, evidence in pairs.items()
        if orders_of.get(partner, 0) > 0 and evidence.orders > 0
    ]
    return _best(found, first)


def personal(
    owned: Sequence[str],
    pairs_of: Mapping[str, Mapping[str, Evidence]],
    orders_of: Mapping[str, int],
    first: int,
) -> list[Recommendation]:
    """What goes with what somebody bought, without what they have: scores and evidence add up over their products."""
    scores: dict[str, float] = {}
    evidence: dict[str, Evidence] = {}
    for product in owned:
        for partner, seen in pairs_of.get(product, {}).items():
            if partner in owned or orders_of.get(partner, 0) == 0:
                continue
            scores[partner] = scores.get(partner, 0.0) + _score(seen, orders_of.get(product, 0), orders_of[partner])
            evidence[partner] = evidence.get(partner, Evidence(0, 0)) + seen
    return _best(
        [
            Recommendation(partner, RecommendationKind.PERSONAL, score, evidence[partner])
            for partner, score in scores.items()
        ],
        first,
    )


def _score(evidence: Evidence, first_orders: int, second_orders: int) -> float:
    together = evidence.orders
    apart = math.sqrt(max(together, first_orders) * max(together, second_orders))
    return round(together / apart * together / (together + SHRINKAGE), 6)


def _best(found: Iterable[Recommendation], first: int) -> list[Recommendation]:
    return sorted(found, key=lambda each: (-each.score, each.product_id))[:first]
