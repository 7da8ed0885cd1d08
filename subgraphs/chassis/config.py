"""Every setting and limit of a service, with unit and default. Nothing else in a service reads the environment.

Built once in ``subgraphs/__main__.py``; a wrong value stops the start with one clear line (``settings_error_line``).
"""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRET_BYTES_MIN = 32

PORTS: dict[str, int] = {"catalog": 4001, "inventory": 4002, "orders": 4003, "customers": 4004, "loyalty": 4005}


def local_peers(host: str = "127.0.0.1") -> dict[str, str]:
    """Where the five services are when they run side by side on one machine."""
    return {name: f"http://{host}:{port}" for name, port in PORTS.items()}


class ServiceSettings(BaseSettings):
    """Settings of one service process. Environment: ``GALLERIA_<NAME>``, and ``MONGODB_URI`` as everybody spells it."""

    model_config = SettingsConfigDict(env_prefix="GALLERIA_", frozen=True, populate_by_name=True, extra="ignore")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="The subgraph's name.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=0, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")

    mongodb_uri: str = Field(
        validation_alias=AliasChoices("MONGODB_URI", "GALLERIA_MONGODB_URI"), description="The database to use."
    )
    mongodb_driver: Literal["motor", "pymongo"] = Field(default="motor", description="Which async driver speaks to it.")
    database_prefix: str = Field(
        default="galleria_", pattern=r"^[a-zA-Z0-9_]*$", description="Before the service's name: its own database."
    )

    identity_secret: SecretStr = Field(description="Shared with the gateway; signs and proves principals.")
    development: bool = Field(default=False, description="Shows the text of unexpected errors to callers.")
    peers: dict[str, str] = Field(default_factory=local_peers, description="Base URL of each service by name.")

    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    body_bytes_max: int = Field(default=2_000_000, gt=0, description="Largest request body accepted.")
    entities_max: int = Field(default=5_000, gt=0, description="Most representations in one _entities call.")
    loader_batch_max: int = Field(default=500, gt=0, description="Most keys in one loader batch.")
    subscriptions_per_socket_max: int = Field(default=1_000, gt=0, description="Streams on one WebSocket.")
    peer_timeout_ms: int = Field(default=5_000, gt=0, description="Longest wait for a command sent to a peer.")
    stripe_api_key: SecretStr | None = Field(
        default=None, description="For orders: with it, stripe is a payment provider beside the sandbox."
    )
    clock_offset_s: float = Field(
        default=0.0, ge=-3600, le=3600, description="Added to the machine's clock: to try a house whose clocks differ."
    )
    drain_timeout_s: float = Field(default=5.0, gt=0, description="Longest wait for requests to end at a stop.")

    @property
    def database_name(self) -> str:
        return self.database_prefix + self.name

    @field_validator("mongodb_uri")
    @classmethod
    def _is_mongodb(cls, value: str) -> str:
        if not value.startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError("must start with mongodb:// or mongodb+srv://")
        return value

    @field_validator("identity_secret")
    @classmethod
    def _is_long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value().encode()) < SECRET_BYTES_MIN:
            raise ValueError(f"must have at least {SECRET_BYTES_MIN} bytes")
        return value

    @field_validator("peers")
    @classmethod
    def _are_urls(cls, value: dict[str, str]) -> dict[str, str]:
        for name, url in value.items():
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"{name} is no http URL")
        return {name: url.rstrip("/") for name, url in value.items()}


def settings_error_line(error: ValidationError) -> str:
    """All that is wrong with the settings, as one line that never shows a value."""
    faults = (f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors())
    return "settings refused: " + "; ".join(faults)
