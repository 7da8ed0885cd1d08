"""Cases with known answers, kept outside the repository: ``pytest tests/known_cases --known-cases DIR`` or
``KNOWN_CASES=DIR make test``; ``python -m tests.known_cases DIR`` prints the figures and what differs.

DIR holds any of these (JSON, ``.json`` or ``.json.gz``):

- ``composition-*``: a list of ``{"name", "subgraphs": [{"name", "sdl"}], "expect": {"ok": true, "api_schema_sdl"}}`` or
  ``… "expect": {"ok": false, "codes": [...]}``;
- ``plans-*``: ``{"schemas": {id: {"supergraph"}}, "cases": [{"name", "schema", "query", "operationName"?, "fetch_count",
  "depth"}]}``.
"""
