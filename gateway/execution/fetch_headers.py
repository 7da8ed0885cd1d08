"""What every fetch says of itself and of what it takes, by whichever client it is sent. Nothing of one request belongs here."""

from __future__ import annotations

from typing import Final

USER_AGENT: Final = "galleria-gateway"
JSON_HEADERS: Final = {
    "content-type": "application/json",
    "accept": "application/graphql-response+json, application/json",
}
