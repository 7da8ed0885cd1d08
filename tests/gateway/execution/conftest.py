"""``way``: a test that uses it runs twice, with plans interpreted, and with all plans compiled that can be."""

from __future__ import annotations

import pytest


@pytest.fixture(params=[0, 1], ids=["interpreted", "compiled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERIA_COMPILE_AFTER", str(request.param))
