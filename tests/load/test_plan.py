"""How many processes a load takes, and whether the scope permits it."""

import pytest

from blackstart.load.plan import Plan, objection, sources, workers
from blackstart.scope import Scope


@pytest.mark.parametrize(
    ("users", "descriptors", "processors", "expected"),
    [
        (1, 20_000, 2, 1),
        (20, 1 << 20, 16, 1),
        (5_000, 20_000, 2, 2),
        (18_000, 20_000, 1, 1),
        (18_001, 20_000, 1, 2),
        (100_000, 20_000, 2, 6),
        (100_000, 1 << 20, 2, 5),
        (100_000, 1 << 20, 16, 16),
    ],
)
def test_users_are_spread_over_as_many_processes_as_descriptors_demand_and_processors_can_use(
    users, descriptors, processors, expected
):
    assert workers(users, descriptors, processors) == expected


def test_a_limit_that_leaves_nothing_for_users_is_told():
    with pytest.raises(ValueError, match="1024 file descriptors"):
        workers(10, 1024, 2)


def test_no_two_workers_share_an_address():
    seen = [address for worker in range(20) for address in sources(worker)]
    assert len(seen) == len(set(seen)) == 160
    assert all(address.startswith("127.") for address in seen)


def test_a_plan_survives_json():
    plan = Plan(20, "orders.shop.test", 80, "/products/{number}", think_seconds=(1.0, 2.0), seed=7)
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    ("allowed", "users", "words"),
    [(0, 1, "permits no load"), (100, 101, "more than the scope permits"), (100, 0, "at least one")],
)
def test_a_scope_that_does_not_say_so_forbids(allowed, users, words):
    assert words in (objection(Scope(environment="x", load_users=allowed), users) or "")


def test_exactly_what_the_scope_says_is_permitted():
    assert objection(Scope(environment="x", load_users=100), 100) is None
    assert objection(Scope(environment="x"), 1) is not None
