"""Money: a whole number of a currency's minor units. Never a float, never a bare number; no exchange rates here.

``minor`` is at most 2**53 - 1 in size, so that it passes through JSON and JavaScript unharmed. The number of
decimals of each currency is ISO 4217's, pinned below; sums of different currencies are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MINOR_MAX = 2**53 - 1


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


# ISO 4217 list one, active codes, as of 2026-01-01. Everything not named with another number has two decimals.
_NO_DECIMALS = _codes("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF")
_THREE_DECIMALS = _codes("BHD IQD JOD KWD LYD OMR TND")
_FOUR_DECIMALS = _codes("CLF UYW")
_TWO_DECIMALS = _codes(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
    CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
    IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
    MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP
    SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER
    ZAR ZMW ZWG
    """
)
_EXPONENTS: dict[str, int] = {
    **dict.fromkeys(_NO_DECIMALS, 0),
    **dict.fromkeys(_TWO_DECIMALS, 2),
    **dict.fromkeys(_THREE_DECIMALS, 3),
    **dict.fromkeys(_FOUR_DECIMALS, 4),
}
CURRENCIES: tuple[str, ...] = tuple(sorted(_EXPONENTS))


def is_currency(code: str) -> bool:
    """Whether ``code`` is an active ISO 4217 code of money (metals, funds of account and test codes are not)."""
    return code in _EXPONENTS


def exponent(currency: str) -> int:
    """Decimals of the currency: 2 for EUR, 0 for JPY, 3 for KWD; ``ValueError`` for what is no currency."""
    try:
        return _EXPONENTS[currency]
    except KeyError:
        raise ValueError(f"not an ISO 4217 currency: {currency!r}") from None


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """``minor`` minor units of ``currency``; compares by ``==`` only, since amounts of two currencies have no order."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in _EXPONENTS:
            raise ValueError(f"not an ISO 4217 currency: {self.currency!r}")
        # bool is an int to isinstance; neither it nor a float is an amount.
        if type(self.minor) is not int:
            raise TypeError(f"minor units are whole numbers: {self.minor!r}")
        if not -MINOR_MAX <= self.minor <= MINOR_MAX:
            raise ValueError(f"beyond 2**53-1 minor units: {self.minor}")

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing, in ``currency``."""
        return cls(0, currency)

    @property
    def amount(self) -> str:
        """The exact decimal text with all the currency's decimals: ``"12.34"``, ``"1200"``, ``"-1.234"``."""
        decimals = exponent(self.currency)
        sign = "-" if self.minor < 0 else ""
        digits = str(abs(self.minor)).rjust(decimals + 1, "0")
        return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else f"{sign}{digits}"

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other).minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __mul__(self, factor: int) -> Money:
        if type(factor) is not int:
            raise TypeError("money is multiplied by whole numbers; use share() for fractions")
        return Money(self.minor * factor, self.currency)

    __rmul__ = __mul__

    def share(self, numerator: int, denominator: int) -> Money:
        """``numerator/denominator`` of this, rounded once, half to even."""
        if denominator <= 0:
            raise ValueError("a share needs a positive denominator")
        whole, rest = divmod(self.minor * numerator, denominator)
        twice = 2 * rest
        if twice > denominator or (twice == denominator and whole % 2):
            whole += 1
        return Money(whole, self.currency)

    def allocate(self, parts: Sequence[int]) -> tuple[Money, ...]:
        """This, split in proportion to ``parts`` so that the pieces sum to it exactly.

        Largest remainder: everyone gets the part rounded towards zero, and the units left over go one each to the
        largest remainders, earlier parts first. Parts are not negative; if all are zero they count as equal.
        """
        if not parts or any(part < 0 for part in parts):
            raise ValueError("an allocation needs parts, none of them negative")
        weights = list(parts) if any(parts) else [1] * len(parts)
        total = sum(weights)
        sign = -1 if self.minor < 0 else 1
        shares = [divmod(abs(self.minor) * weight, total) for weight in weights]
        pieces = [whole for whole, _ in shares]
        left = abs(self.minor) - sum(pieces)
        for index in sorted(range(len(parts)), key=lambda position: -shares[position][1])[:left]:
            pieces[index] += 1
        return tuple(Money(sign * piece, self.currency) for piece in pieces)

    def _same(self, other: Money) -> Money:
        if not isinstance(other, Money):
            raise TypeError(f"money and {type(other).__name__} do not add")
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add")
        return other
