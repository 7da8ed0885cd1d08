"""Documents are read once, and everything wrong with one is said at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from graphql import GraphQLSchema, build_schema

from gateway.config import Limits
from gateway.errors import DocumentInvalid, LimitExceeded, OperationUnknown
from gateway.incremental import with_directives
from gateway.pipeline import documents
from gateway.pipeline.documents import Documents, read

SCHEMA = build_schema(
    """
    type Query { a: I }
    interface I { id: ID f4(l: Int): Int }
    type B implements I { id: ID f4(l: Int): Int }
    """
)


def known(schema: GraphQLSchema = SCHEMA, *, introspection: bool = True) -> Documents:
    return Documents({None: schema}, Limits(), ThreadPoolExecutor(1), cache_bytes_max=1000, introspection=introspection)


def test_every_validation_error_is_told_with_its_place() -> None:
    with pytest.raises(DocumentInvalid) as caught:
        read("{ nope a { neither } }", SCHEMA, Limits())
    assert [error["locations"] for error in caught.value.errors] == [
        [{"line": 1, "column": 3}],
        [{"line": 1, "column": 12}],
    ]
    assert {error["extensions"]["code"] for error in caught.value.errors} == {"GRAPHQL_VALIDATION_FAILED"}


def test_a_text_that_does_not_parse_is_told_as_such() -> None:
    with pytest.raises(DocumentInvalid) as caught:
        read("{ a", SCHEMA, Limits())
    assert caught.value.errors[0]["extensions"]["code"] == "GRAPHQL_PARSE_FAILED"


def test_too_many_tokens_stop_the_parser() -> None:
    with pytest.raises(LimitExceeded) as caught:
        read("{ a { id id id id } }", SCHEMA, Limits(document_tokens_max=5))
    assert caught.value.limit_code == "MAX_TOKENS_EXCEEDED"


def test_a_chain_of_fragments_longer_than_the_stack_is_refused() -> None:
    chain = "".join(f"fragment F{n} on Query {{ ...F{n + 1} }} " for n in range(1200))
    with pytest.raises(LimitExceeded) as caught:
        read("{ ...F0 } " + chain + "fragment F1200 on Query { a { id } }", SCHEMA, Limits())
    assert caught.value.limit_code == "MAX_DEPTH_EXCEEDED"


def test_fields_that_conflict_only_through_nested_fragments_are_found() -> None:
    conflict = "{ zz: a { ...F1 f4(l: 1) } zz: a { id } } fragment F1 on I { ...F2 } fragment F2 on B { f4 }"
    with pytest.raises(DocumentInvalid):
        read(conflict, SCHEMA, Limits())


@pytest.mark.parametrize("introspection", [True, False])
async def test_a_stream_of_what_is_no_list_is_refused_of_every_kind_of_type(introspection: bool) -> None:
    """graphql-core's own rule fails where the type is a union: it looks the field up among fields that there are not."""
    schema = with_directives(build_schema("type Query { pet: Pet pets: [Pet] } union Pet = Cat type Cat { id: ID }"))
    documents = known(schema, introspection=introspection)
    for field, of in (("__typename", "Pet"), ("... on Cat { id", "Cat"), ("... on Cat { __typename", "Cat")):
        with pytest.raises(
            DocumentInvalid, match=f"Stream directive cannot be used on non-list field.* on type '{of}'"
        ):
            await documents.get(f"{{ pet {{ {field} @stream {'}' * field.count('{')} }} }}")
    assert await documents.get("{ pets @stream { __typename } }")


def test_the_operation_is_picked_by_name() -> None:
    two = read("query One { a { id } } query Two { a { id } }", SCHEMA, Limits())
    picked = two.operation("Two").name
    assert picked is not None
    assert picked.value == "Two"
    for name in (None, "Three"):
        with pytest.raises(OperationUnknown):
            two.operation(name)


def test_a_document_of_fragments_alone_runs_nothing() -> None:
    with pytest.raises((OperationUnknown, DocumentInvalid)):
        read("fragment F on Query { a { id } }", SCHEMA, Limits())


async def test_a_refused_text_is_validated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read_texts: list[str] = []

    def counting(text: str, *rest: Any) -> documents.Document:
        read_texts.append(text)
        return read(text, *rest)

    monkeypatch.setattr(documents, "read", counting)
    texts = known()
    for _ in range(3):
        with pytest.raises(DocumentInvalid):
            await texts.get("{ nope }")
    assert read_texts == ["{ nope }"]


async def test_introspection_can_be_switched_off() -> None:
    assert await known().get("{ __schema { queryType { name } } }")
    with pytest.raises(DocumentInvalid):
        await known(introspection=False).get("{ __schema { queryType { name } } }")
    assert await known(introspection=False).get("{ __typename }")
