"""The data set is the same on every machine and tells one consistent story."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from subgraphs.seed.history import in_currency, orders
from subgraphs.seed.load import write_files
from subgraphs.seed.world import SCALES, World


@pytest.fixture(scope="module")
def world() -> World:
    return World(SCALES["tiny"])


def digest(seed: int) -> str:
    world = World(SCALES["tiny"], seed)
    return hashlib.sha256(repr((world.products, world.locations, world.stock, orders(world))).encode()).hexdigest()


def test_the_same_seed_gives_the_same_world_in_another_process() -> None:
    code = "from tests.subgraphs.seed.test_world import digest; print(digest(1))"
    others = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": hash_seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert others == {digest(1)}


def test_another_seed_gives_another_world() -> None:
    assert digest(1) != digest(2)


def test_every_sku_and_gtin_is_unique_and_well_formed(world: World) -> None:
    skus = [variant.sku for variant in world.variants]
    assert len(set(skus)) == len(skus)
    assert all(3 <= len(sku) <= 64 and sku == sku.upper() for sku in skus)
    gtins = [variant.gtin for variant in world.variants]
    assert len(set(gtins)) == len(gtins)
    for gtin in gtins:
        assert gtin.startswith("2"), "outside the range kept for use inside a store"
        assert sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(gtin)) % 10 == 0


def test_history_is_in_time_order_and_sells_only_what_exists(world: World) -> None:
    skus = {variant.sku for variant in world.variants}
    past = orders(world)
    assert len(past) == world.scale.orders
    assert [order.id for order in past] == sorted(order.id for order in past)
    assert all(line.variant.sku in skus and line.quantity > 0 for order in past for line in order.lines)


def test_a_reduced_price_is_below_the_price_it_is_struck_through_from(world: World) -> None:
    assert all(variant.price_minor <= variant.list_minor for variant in world.variants)
    assert any(variant.price_minor < variant.list_minor for variant in world.variants)


def test_conversion_rounds_half_to_even() -> None:
    assert in_currency(100, "USD") == 108
    assert in_currency(300, "USD") == 326
    assert in_currency(1000, "EUR") == 1000


def test_the_files_of_a_seed_are_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    first = write_files(tmp_path / "first", scale="tiny", seed=1)
    subprocess.run(
        [sys.executable, "-m", "subgraphs", "seed-files", str(tmp_path / "second"), "--scale", "tiny"],
        env={"PYTHONHASHSEED": "3", "PATH": ""},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert json.loads((tmp_path / "second" / "manifest.json").read_text())["files"] == dict(sorted(first.items()))
    for name in first:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
