"""Identities: a type prefix and a ULID (``prd_01J9ZK…``). Nothing here knows which prefixes exist.

A ULID is 48 bits of Unix milliseconds and 80 bits of chance in Crockford base 32, so identities sort by birth.
Within one process they are strictly increasing, as the ULID specification's monotonic mode asks: in the same
millisecond (or when the clock steps back) the chance part of the last one is counted up.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Two letters at a time: an identity is made for every request.
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]
_HIGH_SHIFTS = tuple(range(50, -1, -10))
_LOW_SHIFTS = tuple(range(60, -1, -10))
_LOW_MASK = (1 << 70) - 1
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_CHANCE_BITS = 80
_CHANCE_MASK = (1 << _CHANCE_BITS) - 1
_TIME_MS_MAX = (1 << 48) - 1
ULID_LENGTH = 26

_lock = threading.Lock()
_last = 0


def _encode(number: int) -> str:
    # In halves: of a large number each shift makes another large one.
    high, low = number >> 70, number & _LOW_MASK
    return "".join(
        [_PAIRS[high >> shift & 1023] for shift in _HIGH_SHIFTS]
        + [_PAIRS[low >> shift & 1023] for shift in _LOW_SHIFTS]
    )


def _chance() -> int:
    return int.from_bytes(os.urandom(_CHANCE_BITS // 8), "big")


def ulid(*, at_ms: int | None = None) -> str:
    """A new ULID, greater than every one this process made before unless ``at_ms`` fixes its time part."""
    if at_ms is not None:
        return _encode(_checked(at_ms) << _CHANCE_BITS | _chance())
    global _last
    with _lock:
        fresh = time.time_ns() // 1_000_000 << _CHANCE_BITS | _chance()
        _last = max(fresh, _last + 1)
        return _encode(_last)


def new_id(prefix: str, *, at_ms: int | None = None) -> str:
    """A new identity of the type ``prefix`` names."""
    return f"{prefix}_{ulid(at_ms=at_ms)}"


def deterministic_id(prefix: str, *parts: object, at_ms: int) -> str:
    """The same identity for the same parts, always: its chance part is their SHA-256."""
    text = "\x1f".join(str(part) for part in (prefix, *parts))
    chance = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big") & _CHANCE_MASK
    return f"{prefix}_{_encode(_checked(at_ms) << _CHANCE_BITS | chance)}"


def has_prefix(identity: str, prefix: str) -> bool:
    """Whether ``identity`` is well formed and of the type ``prefix`` names."""
    head, underscore, tail = identity.rpartition("_")
    return bool(underscore) and head == prefix and _is_ulid(tail)


def ulid_time_ms(identity: str) -> int:
    """Unix milliseconds of the birth of an identity or bare ULID; ``ValueError`` when it is neither."""
    tail = identity.rpartition("_")[2]
    if not _is_ulid(tail):
        raise ValueError(f"not an identity: {identity!r}")
    number = 0
    for letter in tail[:10]:
        number = number << 5 | _VALUES[letter]
    return number


def _is_ulid(text: str) -> bool:
    # The first letter carries 3 bits only: anything above 7 would not fit in 128 bits.
    return len(text) == ULID_LENGTH and text[0] in "01234567" and all(letter in _VALUES for letter in text)


def _checked(at_ms: int) -> int:
    if not 0 <= at_ms <= _TIME_MS_MAX:
        raise ValueError(f"a ULID's time is 0..2**48-1 milliseconds: {at_ms}")
    return at_ms
