"""Fields a principal may not see leave the operation, and the answer says where they were."""

from graphql import parse

from gateway.composition.compose import compose
from gateway.composition.result import SubgraphSource
from gateway.operation import Field, Fragment, Operation, Selection, normalise
from gateway.pipeline.authorization import Access, Refusal
from gateway.supergraph import Supergraph
from subgraphs.chassis.identity import ANONYMOUS, Principal

SDL = """
extend schema @link(url: "https://specs.apollo.dev/federation/v2.6",
  import: ["@key", "@authenticated", "@requiresScopes", "@policy"])
type Query { open: Thing things: [[Thing!]!]! vault: Vault @authenticated any: Any self: Node }
type Thing { name: String price: Int @authenticated cost: Int @requiresScopes(scopes: [["a", "b"], ["c"]]) odd: Int @policy(policies: [["p"]]) secret: Secret }
type Secret @requiresScopes(scopes: [["c"]]) { word: String }
type Vault { gold: Int }
interface Node { id: ID }
type Open implements Node { id: ID }
type Shut implements Node { id: ID @authenticated }
union Any = Open | Shut
"""

ANN = Principal("ann", "customer")


def access() -> tuple[Supergraph, Access]:
    result = compose([SubgraphSource("one", "http://one.invalid", SDL)])
    assert result.supergraph is not None, result.errors
    supergraph = Supergraph.parse(result.supergraph)
    return supergraph, Access(supergraph)


def ask(query: str, principal: Principal) -> tuple[list[str], tuple[Refusal, ...]]:
    """What is left, as dotted response keys, and what was refused."""
    supergraph, rules = access()
    operation = normalise(parse(query), None, supergraph.api_schema)
    denied = frozenset(rule for rule in rules.rules(operation) if not rule.allows(principal))
    left, refusals = rules.without(operation, denied)
    return list(_keys(left)), refusals


def _keys(operation: Operation) -> list[str]:
    def below(selections: tuple[Selection, ...], path: str) -> list[str]:
        found: list[str] = []
        for selection in selections:
            match selection:
                case Field():
                    place = f"{path}{selection.response_key}"
                    found += below(selection.selections, place + ".") or [place]
                case Fragment():
                    found += below(selection.selections, path)
        return found

    return below(operation.selections, "")


def scoped(*scopes: str) -> Principal:
    return Principal("ann", "customer", frozenset(scopes))


def test_open_fields_meet_no_rule() -> None:
    supergraph, rules = access()
    assert rules.rules(normalise(parse("{ open { name } __typename }"), None, supergraph.api_schema)) == ()


def test_authenticated_fields_are_for_anybody_who_is_somebody() -> None:
    assert ask("{ open { name price } vault { gold } }", ANN) == (["open.name", "open.price", "vault.gold"], ())
    left, refusals = ask("{ open { name price } vault { gold } }", ANONYMOUS)
    assert left == ["open.name"]
    assert [refusal.path for refusal in refusals] == [("open", "price"), ("vault",)]


def test_scopes_are_any_of_all_of() -> None:
    for enough in (scoped("a", "b"), scoped("c"), scoped("a", "b", "c")):
        assert ask("{ open { cost } }", enough)[1] == ()
    for lacking in (scoped(), scoped("a"), scoped("b", "d")):
        assert [refusal.coordinate for refusal in ask("{ open { cost } }", lacking)[1]] == ["Thing.cost"]


def test_nobody_satisfies_a_policy() -> None:
    assert ask("{ open { odd name } }", scoped("p", "a", "b", "c"))[0] == ["open.name"]


def test_a_guarded_type_guards_the_fields_that_return_it() -> None:
    assert ask("{ open { secret { word } } }", ANN)[0] == ["open.__typename"]
    assert ask("{ open { secret { word } } }", scoped("c"))[0] == ["open.secret.word"]


def test_an_object_of_which_nothing_is_left_is_still_asked_for() -> None:
    assert ask("{ open { price } }", ANONYMOUS)[0] == ["open.__typename"]


def test_paths_have_a_mark_for_every_level_of_list() -> None:
    (refusal,) = ask("{ all: things { p: price } }", ANONYMOUS)[1]
    assert refusal.path == ("all", "@", "@", "p")
    assert refusal.as_graphql()["extensions"] == {"code": "UNAUTHORIZED_FIELD_OR_TYPE"}


def test_an_interface_is_guarded_by_what_it_may_turn_out_to_be() -> None:
    assert ask("{ self { id } }", ANONYMOUS)[0] == ["self.__typename"]
    assert ask("{ self { ... on Open { id } ... on Shut { id } } }", ANONYMOUS)[0] == ["self.id"]
    assert ask("{ self { id } }", ANN)[1] == ()


def test_a_union_member_is_refused_by_its_own_fields() -> None:
    left, refusals = ask("{ any { __typename ... on Shut { i: id } ... on Open { id } } }", ANONYMOUS)
    assert left == ["any.__typename", "any.id"]
    assert [refusal.path for refusal in refusals] == [("any", "i")]


def test_a_field_the_client_skipped_is_not_refused() -> None:
    query = "query($yes: Boolean!) { open { name ... @include(if: $yes) { price @skip(if: $yes) cost } } }"
    price, cost = ask(query, ANONYMOUS)[1]
    assert not price.applies({"yes": True})
    assert cost.applies({"yes": True})
    assert not cost.applies({"yes": False})
