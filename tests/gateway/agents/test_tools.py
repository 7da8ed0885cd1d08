"""An operation file becomes a tool, or a clear refusal that names the file."""

from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema
from jsonschema import Draft202012Validator

from gateway.agents.tools import Tool, ToolInvalid, load_tools


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(
        """
        scalar MinorUnits
        interface Thing { id: ID! }
        type Book implements Thing { id: ID! title: String! pages: Int }
        type Lamp implements Thing { id: ID! watts: Int! }
        enum Colour { RED BLUE }
        "How to look."
        input Look { words: [String!]!, colour: Colour = RED, deeper: Look, cap: MinorUnits }
        type Query { find(look: Look!, first: Int = 5): [Thing!]!, shelf(id: ID!): Book }
        type Mutation { keep(id: ID!, key: ID!): Book }
        """
    )


def tool(tmp_path: Path, schema: GraphQLSchema, text: str) -> Tool:
    (tmp_path / "one.graphql").write_text(text)
    return load_tools(tmp_path, schema)[0]


FIND = """# Find things
# by words.
query find($look: Look!, $first: Int = 3) {
  find(look: $look, first: $first) { __typename id ... on Book { title pages } lit: __typename @include(if: true) }
}
"""


def test_the_comment_is_the_description_and_the_operation_the_name(tmp_path: Path, schema: GraphQLSchema) -> None:
    made = tool(tmp_path, schema, FIND)
    assert (made.name, made.description) == ("find", "Find things by words.")
    assert made.read_only
    assert made.idempotent
    assert not made.destructive


def test_the_input_schema_accepts_what_the_graph_accepts(tmp_path: Path, schema: GraphQLSchema) -> None:
    accepts = Draft202012Validator(tool(tmp_path, schema, FIND).input_schema).is_valid
    assert accepts({"look": {"words": ["a"]}})
    assert accepts({"look": {"words": ["a"], "colour": "BLUE", "deeper": {"words": []}, "cap": 5}, "first": None})
    assert not accepts({})
    assert not accepts({"look": {"words": "a"}})
    assert not accepts({"look": {"words": ["a"], "colour": "GREEN"}})
    assert not accepts({"look": {"words": ["a"]}, "last": 1})


def test_the_output_schema_requires_what_is_always_there(tmp_path: Path, schema: GraphQLSchema) -> None:
    accepts = Draft202012Validator(tool(tmp_path, schema, FIND).output_schema).is_valid
    assert accepts({"find": [{"__typename": "Lamp", "id": "1"}]})
    assert accepts({"find": [{"__typename": "Book", "id": "1", "title": "T", "pages": None}]})
    assert not accepts({"find": [{"__typename": "Book"}]})
    assert not accepts({"find": None})


def test_a_write_with_a_key_is_idempotent_and_not_read_only(tmp_path: Path, schema: GraphQLSchema) -> None:
    made = tool(tmp_path, schema, "# Keep it.\nmutation keep($id: ID!, $key: ID!) { keep(id: $id, key: $key) { id } }")
    assert made.idempotent
    assert not made.read_only


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("# x\nquery find {", "does not parse"),
        ("# x\nquery q { nothing }", "does not fit the graph"),
        ("query q { shelf(id: 1) { id } }", "needs a comment"),
        ("# x\nquery a { shelf(id: 1) { id } } query b { shelf(id: 1) { id } }", "exactly one named operation"),
        ("# x\n{ shelf(id: 1) { id } }", "exactly one named operation"),
    ],
)
def test_a_file_that_cannot_become_a_tool_is_named_with_the_cause(
    tmp_path: Path, schema: GraphQLSchema, text: str, cause: str
) -> None:
    (tmp_path / "bad.graphql").write_text(text)
    with pytest.raises(ToolInvalid, match=rf"bad\.graphql.*{cause}"):
        load_tools(tmp_path, schema)
