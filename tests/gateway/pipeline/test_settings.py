"""A wrong setting is one clear line that names it."""

import pytest

from gateway.config import SettingsInvalid, load


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GALLERIA_PORT", "http"),
        ("GALLERIA_PORT", "70000"),
        ("GALLERIA_LIMITS__DEPTH_MAX", "-1"),
        ("GALLERIA_LIMITS__DEPTH", "3"),
        ("GALLERIA_LOG_FORMAT", "xml"),
        ("GALLERIA_SUBGRAPH_URLS", "not json"),
        ("GALLERIA_SUBGRAPH_STREAMS", '{"things": "carrier pigeon"}'),
        ("GALLERIA_JWKS", "/no/such/file"),
        ("GALLERIA_CONTRACTS", '{"agent": {"excludes": ["staff"]}}'),
        ("GALLERIA_CONTRACTS", '{"agent": {"exclude": ["staff only"]}}'),
        ("GALLERIA_CONTRACTS", '{"an agent": {}}'),
        ("GALLERIA_AGENTS_CONTRACT", "nobody"),
    ],
)
def test_a_wrong_value_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid) as caught:
        load()
    told = str(caught.value)
    assert "\n" not in told
    assert name.removeprefix("GALLERIA_").lower() in told.lower()


def test_the_command_line_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERIA_PORT", "4444")
    monkeypatch.setenv("GALLERIA_LIMITS__DEPTH_MAX", "7")
    assert load(port=None).port == 4444
    assert load(port=5).port == 5
    assert load().limits.depth_max == 7


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERIA_CORS_ORIGINS", "https://a.example, https://b.example")
    assert load().cors_origins == ("https://a.example", "https://b.example")
