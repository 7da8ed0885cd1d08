"""compose.yaml is a valid Compose file that names the house as it is. No engine runs here, so the types do the checking."""

import json
from pathlib import Path

import compose_spec
import pytest

from gateway.config import Settings
from subgraphs.chassis.config import ServiceSettings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.yaml").read_text()


def read(text: str) -> compose_spec.PyCompose:
    compose = compose_spec.PyOptions(apply_merge=True).from_yaml(text)
    compose.validate()
    return compose


def test_it_has_the_database_the_five_subgraphs_and_the_gateway() -> None:
    names = set(read(TEXT).service_names())
    assert names == {"mongodb", "seed", "catalog", "inventory", "orders", "customers", "loyalty", "gateway"}


def test_every_service_that_serves_says_how_it_is_checked_for_health() -> None:
    services = read(TEXT).to_dict()["services"]
    assert [name for name, service in services.items() if name != "seed" and "healthcheck" not in service] == []


def test_only_the_gateway_is_published() -> None:
    services = read(TEXT).to_dict()["services"]
    assert [name for name, service in services.items() if service.get("ports")] == ["gateway"]


def test_one_image_serves_all_that_is_ours() -> None:
    services = read(TEXT).to_dict()["services"]
    assert {service["image"] for name, service in services.items() if name != "mongodb"} == {"galleria:latest"}


def test_every_subgraph_listens_where_its_peers_and_the_gateway_look_for_it() -> None:
    services = read(TEXT).to_dict()["services"]
    gateway = services["gateway"]["command"]
    for name in ("catalog", "inventory", "orders", "customers", "loyalty"):
        command = services[name]["command"]
        assert command[:5] == ["python", "-m", "subgraphs", "serve", name]
        address = f"http://{name}:{command[command.index('--port') + 1]}"
        peers = json.loads(services[name]["environment"]["GALLERIA_PEERS"])
        assert peers[name] == address
        assert f"{name}={address}/graphql" in gateway
        assert address.rpartition(":")[2] in services[name]["healthcheck"]["test"][-1]


def test_the_environment_names_settings_that_exist() -> None:
    services = read(TEXT).to_dict()["services"]
    known = {f"GALLERIA_{name.upper()}" for name in (*ServiceSettings.model_fields, *Settings.model_fields)}
    named = {name for service in services.values() for name in service.get("environment", {})}
    assert named - {"MONGODB_URI"} <= known


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("healthcheck:", "healthchek:"), ("service_healthy", "service_well"), ("interval: 5s", "interval: soon")],
)
def test_the_reader_would_notice_a_mistake(right: str, wrong: str) -> None:
    with pytest.raises(ValueError):
        read(TEXT.replace(right, wrong))
