"""Order numbers: what a buyer reads out on the telephone. No counter document, so nothing to queue behind.

``G-7KX2P-9QW4C``: five letters of Crockford base 32 for the minutes since 2024 (enough until 2087), four of chance, and
one check letter that catches a single wrong letter (but for 0 and Z taken for each other) or a swap of neighbours. Two
orders of one minute that draw the same chance are told apart by the unique index on the number: the later draws again.
"""

from __future__ import annotations

from datetime import UTC, datetime

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CHANCE_BITS = 20
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
_MODULUS = 31  # prime, so that every weight has an inverse and no single error passes


def order_number(placed_at: datetime, chance: int) -> str:
    """The number of an order placed then, with ``chance`` of ``CHANCE_BITS`` bits."""
    minutes = int((placed_at - _EPOCH).total_seconds() // 60) & 0x1FFFFFF
    body = _letters(minutes, 5) + _letters(chance & ((1 << CHANCE_BITS) - 1), 4)
    return f"G-{body[:5]}-{body[5:]}{_check(body)}"


def read_number(text: str) -> str | None:
    """The number as it is stored, from what a person typed (case, spaces, O for 0); nothing if the check fails."""
    plain = "".join(letter for letter in text.upper() if letter.isalnum())
    plain = plain.removeprefix("G") if len(plain) == 11 else plain
    plain = plain.replace("O", "0").replace("I", "1").replace("L", "1")
    if len(plain) != 10 or any(letter not in ALPHABET for letter in plain) or _check(plain[:9]) != plain[9]:
        return None
    return f"G-{plain[:5]}-{plain[5:]}"


def _letters(number: int, length: int) -> str:
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))


def _check(body: str) -> str:
    return ALPHABET[sum((place + 2) * ALPHABET.index(letter) for place, letter in enumerate(body)) % _MODULUS]
