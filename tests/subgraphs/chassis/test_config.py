"""Settings come from the environment, and a wrong one is told in a line that shows no value."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from subgraphs.chassis.config import ServiceSettings, settings_error_line

SECRET = "a secret of at least thirty-two bytes"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://db:27017/?replicaSet=rs0")
    monkeypatch.setenv("GALLERIA_IDENTITY_SECRET", SECRET)


def test_the_environment_fills_what_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERIA_MONGODB_DRIVER", "pymongo")
    monkeypatch.setenv("GALLERIA_PEERS", '{"orders": "http://orders:4003/"}')
    settings = ServiceSettings(name="catalog", port=4001)  # type: ignore[call-arg]
    assert settings.mongodb_uri == "mongodb://db:27017/?replicaSet=rs0"
    assert settings.mongodb_driver == "pymongo"
    assert settings.database_name == "galleria_catalog"
    assert settings.peers == {"orders": "http://orders:4003"}


def test_the_peers_are_the_local_ones_unless_named() -> None:
    settings = ServiceSettings(name="catalog")  # type: ignore[call-arg]
    assert settings.peers["loyalty"] == "http://127.0.0.1:4005"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("GALLERIA_IDENTITY_SECRET", "short", "identity_secret"),
        ("MONGODB_URI", "postgres://x", "MONGODB_URI"),
        ("GALLERIA_MONGODB_DRIVER", "pyodbc", "mongodb_driver"),
        ("GALLERIA_PEERS", '{"orders": "ftp://x"}', "peers"),
        ("GALLERIA_BODY_BYTES_MAX", "-1", "body_bytes_max"),
    ],
)
def test_a_wrong_value_is_refused_by_name_in_one_line_without_the_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError) as refused:
        ServiceSettings(name="catalog")  # type: ignore[call-arg]
    line = settings_error_line(refused.value)
    assert said in line
    assert "\n" not in line
    assert SECRET not in line
    assert "postgres" not in line


def test_a_printed_setting_hides_the_secret() -> None:
    assert SECRET not in repr(ServiceSettings(name="catalog"))  # type: ignore[call-arg]
