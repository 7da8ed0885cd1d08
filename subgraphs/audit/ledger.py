"""The journal: I11. Entries are numbered without gaps, each balances and is made of one fact; papers have no gaps either."""

from __future__ import annotations

from collections import Counter, defaultdict

from subgraphs.audit.books import Books, Tally

_PAPERS = {"INVOICE": "INV", "CREDIT_NOTE": "CRN"}


def journal(books: Books, tally: Tally) -> None:
    """Each entry balances, numbers count from 1, a fact is booked once, and every refund has its credit note."""
    entries = list(tally.over(books.rows("orders", "journal")))
    numbers = sorted(int(entry["_id"]) for entry in entries)
    tally.unless(
        numbers == list(range(1, len(numbers) + 1)), f"journal: {len(numbers)} entries, the last is {numbers[-1:]}"
    )
    for fact, count in Counter(entry["fact"] for entry in entries).items():
        tally.unless(count == 1, f"{fact}: booked {count} times")
    for entry in entries:
        debits = sum(posting["d"] for posting in entry["postings"])
        credits = sum(posting["c"] for posting in entry["postings"])
        tally.unless(debits == credits, f"entry {entry['_id']}: {debits} debits, {credits} credits")
    of_kind: defaultdict[str, list[int]] = defaultdict(list)
    for paper in tally.over(books.rows("orders", "documents")):
        of_kind[paper["kind"]].append(int(paper["number"]))
        tally.unless(
            paper["_id"] == f"{_PAPERS[paper['kind']]}-{paper['number']:07}",
            f"{paper['_id']}: is number {paper['number']}",
        )
    for kind, given in of_kind.items():
        tally.unless(sorted(given) == list(range(1, len(given) + 1)), f"{kind}: {len(given)} papers up to {max(given)}")
