"""Everything the schema may call, in one note."""

from __future__ import annotations

from dataclasses import dataclass

from subgraphs.orders.service.books import Bookkeeping
from subgraphs.orders.service.carts import Carts
from subgraphs.orders.service.checkouts import Checkouts
from subgraphs.orders.service.completion import Completion
from subgraphs.orders.service.errands import Errands
from subgraphs.orders.service.fulfilments import Fulfilments
from subgraphs.orders.service.ingestion import Ingestion
from subgraphs.orders.service.live import LiveOrders
from subgraphs.orders.service.orders import Orders
from subgraphs.orders.service.peers import Loyalty
from subgraphs.orders.service.quotes import Quotes
from subgraphs.orders.service.returns import Returns
from subgraphs.orders.service.runs import Runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The use cases of one process."""

    carts: Carts
    checkouts: Checkouts
    ingestion: Ingestion
    orders: Orders
    fulfilments: Fulfilments
    returns: Returns
    errands: Errands
    books: Bookkeeping
    runs: Runs
    quotes: Quotes
    live: LiveOrders
    completion: Completion
    loyalty: Loyalty
