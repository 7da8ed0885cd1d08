"""The search index: built whole from products, immutable, swapped as one. Ranking, facets, typos; no I/O.

Theory of operation. Words of a product's fields are stemmed and posted with the field's weight. A query word that the
vocabulary lacks is replaced by the nearest words: those it is a prefix of, else those within one typo (two for words
of eight letters and more). A hit is a product that has every query word (or a stand-in for it); its score is BM25 over
the weighted term frequencies. Among a product's variants the one whose own option values match most is *matched*.

Prices are not in here: whoever shows or sorts by them resolves them for the hits, by the one resolver.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import OSA

from subgraphs.catalog.model.products import Category, Product, Variant

WEIGHTS: Mapping[str, float] = {
    "title": 4.0,
    "category": 2.5,
    "brand": 2.0,
    "option": 1.5,
    "attribute": 1.0,
    "text": 0.5,
}
K1, B = 1.2, 0.6
STAND_INS_MAX = 8
LONG_WORD = 8
QUERY_WORDS_MAX = 12

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "sneaker": ("trainer", "shoe"),
    "trainer": ("sneaker",),
    "couch": ("sofa",),
    "coat": ("jacket", "parka"),
    "rucksack": ("backpack",),
    "jumper": ("sweater", "pullover"),
    "cup": ("mug",),
    "torch": ("headlamp", "lantern"),
    "pants": ("trouser",),
    "grey": ("slate",),
}


@dataclass(frozen=True, slots=True)
class Hit:
    """A product that was found. ``matched_sku`` is the variant that fits the words best, or None without words."""

    product_id: str
    score: float
    matched_sku: str | None
    explanation: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index keeps of a product for filtering and faceting."""

    product: Product
    categories: tuple[str, ...]
    """Slugs of the category and its ancestors."""
    variants: tuple[Variant, ...]
    length: float


class SearchIndex:
    """Immutable after ``build``. ``entries`` is in the products' id order."""

    def __init__(self, entries: dict[str, Entry], postings: dict[str, dict[str, dict[str, float]]]) -> None:
        self.entries = entries
        self._postings = postings
        self._vocabulary = sorted(postings)
        self._average = sum(entry.length for entry in entries.values()) / max(1, len(entries))

    @classmethod
    def build(
        cls, products: Iterable[Product], variants: Iterable[Variant], categories: Mapping[str, Category]
    ) -> SearchIndex:
        by_product: dict[str, list[Variant]] = defaultdict(list)
        for variant in variants:
            by_product[variant.product_id].append(variant)
        entries: dict[str, Entry] = {}
        postings: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
        for product in sorted(products, key=lambda each: each.id):
            own = by_product[product.id]
            order = {sku: place for place, sku in enumerate(product.skus)}
            own.sort(key=lambda variant: (order.get(variant.sku, len(order)), variant.sku))
            lineage = _lineage(product.category, categories)
            fields = {
                "title": [product.title],
                "brand": [product.brand or ""],
                "category": [category.name for category in lineage],
                "option": sorted({value for variant in own for _, value in variant.options}),
                "attribute": [attribute.value for attribute in product.attributes],
                "text": [product.description],
            }
            frequencies: dict[str, dict[str, float]] = defaultdict(dict)
            for field, texts in fields.items():
                for word, count in Counter(word for text in texts for word in words(text)).items():
                    frequencies[word][field] = WEIGHTS[field] * count
            for word, by_field in frequencies.items():
                postings[word][product.id] = by_field
            entries[product.id] = Entry(
                product=product,
                categories=tuple(category.slug for category in lineage),
                variants=tuple(own),
                length=sum(sum(by_field.values()) for by_field in frequencies.values()),
            )
        return cls(entries, dict(postings))

    def find(self, text: str) -> list[Hit]:
        """Products with every word of ``text``, best first; all products, unranked, for no words at all."""
        asked = list(dict.fromkeys(words(text)))[:QUERY_WORDS_MAX]
        if not asked:
            return [Hit(identity, 0.0, None, "every product") for identity in self.entries]
        scores: dict[str, float] | None = None
        reasons: dict[str, list[str]] = defaultdict(list)
        understood = set(asked)
        for word in asked:
            of_word: dict[str, float] = {}
            for known, closeness in self._stand_ins(word):
                understood.add(known)
                rows = self._postings[known]
                rarity = math.log(1 + (len(self.entries) - len(rows) + 0.5) / (len(rows) + 0.5))
                for identity, by_field in rows.items():
                    weight = sum(by_field.values())
                    length = self.entries[identity].length
                    score = (
                        closeness * rarity * weight * (K1 + 1) / (weight + K1 * (1 - B + B * length / self._average))
                    )
                    if score > of_word.get(identity, 0.0):
                        of_word[identity] = score
                        best = max(by_field, key=lambda field: by_field[field])
                        reasons[identity] = [
                            reason for reason in reasons[identity] if not reason.startswith(f"“{word}”")
                        ]
                        stood_in = "" if known == word else f" (as “{known}”)"
                        reasons[identity].append(f"“{word}”{stood_in} in its {best}")
            scores = (
                of_word
                if scores is None
                else {identity: scores[identity] + score for identity, score in of_word.items() if identity in scores}
            )
        hits = [
            Hit(identity, round(score, 4), self._matched(identity, asked, understood), "; ".join(reasons[identity]))
            for identity, score in (scores or {}).items()
        ]
        hits.sort(key=lambda hit: (-hit.score, hit.product_id))
        return hits

    def _stand_ins(self, word: str) -> list[tuple[str, float]]:
        """Known words for a query word, with how much a match by each counts."""
        found = [(word, 1.0)] if word in self._postings else []
        found += [(other, 0.7) for other in SYNONYMS.get(word, ()) if other in self._postings]
        if found:
            return found
        if len(word) >= 3:
            prefixed = [known for known in self._vocabulary if known.startswith(word)][:STAND_INS_MAX]
            if prefixed:
                return [(known, 0.8) for known in prefixed]
        if len(word) < 4:
            return []
        typos = 2 if len(word) >= LONG_WORD else 1
        near = process.extract(word, self._vocabulary, scorer=OSA.distance, score_cutoff=typos, limit=STAND_INS_MAX)
        return [(known, 0.6 / distance) for known, distance, _ in near]

    def _matched(self, identity: str, asked: Sequence[str], understood: Set[str]) -> str | None:
        """The variant whose own values fit most of the words as written, then as understood; the first of equals."""

        def fits(variant: Variant) -> tuple[int, int]:
            own = {word for _, value in variant.options for word in words(value)}
            return len(own.intersection(asked)), len(own & understood)

        best = max(self.entries[identity].variants, key=fits, default=None)
        return best.sku if best is not None else None


_WORD = re.compile(r"[^\W_]+", re.UNICODE)


def words(text: str) -> list[str]:
    """Words without case and accents, English plurals folded: ``Cafés`` and ``cafe`` are one word."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(each))
    return [_stem(word) for word in _WORD.findall(plain)]


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("shes", "ches", "xes", "sses")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _lineage(slug: str, categories: Mapping[str, Category]) -> list[Category]:
    """The category and its ancestors, nearest first."""
    found: list[Category] = []
    current: str | None = slug
    while current is not None and (category := categories.get(current)) is not None and category not in found:
        found.append(category)
        current = category.parent
    return found
