"""Products, variants, categories, channels: what there is to sell, and where it is for sale."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class ProductStatus(Enum):
    """Whether a product may be bought at all."""

    ACTIVE = "ACTIVE"
    PREORDER = "PREORDER"
    DISCONTINUED = "DISCONTINUED"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One fact about a product. ``source`` says who claimed it: ``pim``, ``supplier`` …"""

    code: str
    label: str
    value: str
    unit: str | None = None
    source: str = "pim"


@dataclass(frozen=True, slots=True)
class Media:
    url: str
    kind: str
    alt: str | None
    width: int
    """Pixels."""
    height: int
    """Pixels."""


@dataclass(frozen=True, slots=True)
class Category:
    """``id`` is ``cat_`` and the slug; a department has no parent."""

    id: str
    slug: str
    name: str
    parent: str | None
    """The parent's slug."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    id: str
    handle: str
    title: str
    description: str
    brand: str | None
    category: str
    """The category's slug."""
    media: tuple[Media, ...] = ()
    options: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """``(name, values)`` in the order to show."""
    attributes: tuple[Attribute, ...] = ()
    channels: tuple[str, ...] = ()
    """Codes of the channels it is published on."""
    status: ProductStatus = ProductStatus.ACTIVE
    skus: tuple[str, ...] = ()
    """Its variants, in the order to show."""
    updated_at: datetime

    def published_on(self, channel: str) -> bool:
        return channel in self.channels

    @property
    def sellable(self) -> bool:
        return self.status is not ProductStatus.DISCONTINUED


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    sku: str
    product_id: str
    title: str
    gtin: str | None
    mpn: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    """``(name, value)`` of each of the product's options."""
    weight_grams: int | None = None
    tax_class: str = "standard"
    category: str
    """The product's category slug, kept here so that a variant alone can say what it earns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    code: str
    name: str
    kind: str
    currencies: tuple[str, ...]
    """The first is the channel's own."""
    countries: tuple[str, ...]
    price_list: str
    storefront_url: str | None = None
