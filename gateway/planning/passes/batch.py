"""Batching: entity groups of one subgraph that can start together go in one request.

Before::

    1 catalog   _entities at lines.@.variant          after 0
    2 catalog   _entities at gift.variant             after 0

After::

    1 catalog   first: _entities at lines.@.variant, second: _entities at gift.variant    after 0

Groups are bundled when they are of one round, so no round is added. They may wait for different groups of the rounds before:
then the request starts when the last of these is done. One request less costs both sides less than that wait, as a rule.
Guards must be equal, or the request would be sent for the part that nobody wants, and so must deferred blocks, or one would
wait for what is in the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.plan import Guard
from gateway.planning.fetch_graph import FetchGraph, Group
from gateway.planning.guards import ALWAYS, either


@dataclass(slots=True, kw_only=True, eq=False)
class Bundle:
    """One request: a root group, or entity groups of one subgraph."""

    groups: list[Group]
    guard: Guard
    after: list[Bundle]

    @property
    def subgraph(self) -> str:
        return self.groups[0].subgraph

    @property
    def block(self) -> int:
        return self.groups[0].block


def batch(fetches: FetchGraph) -> list[Bundle]:
    """Bundles in an order where each comes after those it waits for."""
    guards = _guards(fetches)
    ordered = sorted(fetches.groups, key=lambda group: (fetches.round(group), group.id))
    bundle_of: dict[int, Bundle] = {}
    bundles: list[Bundle] = []
    rounds: dict[int, int] = {}
    for group in ordered:
        after = list({id(bundle): bundle for bundle in (bundle_of[each] for each in sorted(group.after))}.values())
        round_ = 1 + max((rounds[id(bundle)] for bundle in after), default=0)
        found = None
        # Every set of context values is a request of its own: nothing else is to be asked as often.
        if group.entity and not group.contexts:
            for bundle in bundles:
                first = bundle.groups[0]
                if (
                    not first.entity
                    or first.contexts
                    or bundle.subgraph != group.subgraph
                    or bundle.block != group.block
                    or rounds[id(bundle)] != round_
                ):
                    continue
                if bundle.guard != guards[group.id]:
                    continue
                found = bundle
                break
        if found is None:
            found = Bundle(groups=[], guard=guards[group.id], after=[])
            bundles.append(found)
            rounds[id(found)] = round_
        found.groups.append(group)
        found.after += [bundle for bundle in after if bundle not in found.after]
        bundle_of[group.id] = found
    return bundles


def depth(bundles: list[Bundle]) -> int:
    """The longest chain of bundles that wait for each other."""
    found: dict[int, int] = {}
    for bundle in bundles:
        found[id(bundle)] = 1 + max((found[id(each)] for each in bundle.after), default=0)
    return max(found.values(), default=0)


def _guards(fetches: FetchGraph) -> dict[int, Guard]:
    """A group is wanted when the client wants something of it, or a group that waits for it is."""
    guards: dict[int, Guard | None] = {}
    for group in fetches.groups:
        own: Guard | None = None
        for guard in group.guards:
            own = guard if own is None else either(own, guard)
        guards[group.id] = own
    settled: dict[int, Guard] = {}
    for group in sorted(fetches.groups, key=lambda group: -fetches.round(group)):
        wanted = guards[group.id]
        guard = settled[group.id] = ALWAYS if wanted is None else wanted
        for earlier in group.after.values():
            known = guards[earlier.id]
            guards[earlier.id] = guard if known is None else either(known, guard)
    return settled
