from blackstart.changes.costs import cost
from blackstart.changes.model import Change
from blackstart.scope import Target
from blackstart.settings import Prices

PRICES = Prices(currency="EUR", once={"a": 2.0}, per_hour={"a": 1.0, "b": 10.0})


def change(kind):
    return Change(f"bs-{kind}", kind, Target("thing", kind), {}, {}, "", "")


def test_each_change_costs_once_and_by_the_hour():
    found = cost([change("a"), change("a"), change("b")], 1800, PRICES)
    assert (found.currency, found.amount) == ("EUR", 2 * (2 + 0.5) + 5)
    assert (found.unpriced, found.endless) == ((), ())


def test_a_kind_without_a_price_is_named():
    found = cost([change("a"), change("c")], 0, PRICES)
    assert (found.amount, found.unpriced) == (2.0, ("c",))


def test_a_fault_without_a_limit_is_counted_for_an_hour_and_named():
    found = cost([change("b")], None, PRICES)
    assert (found.amount, found.endless) == (10.0, ("b",))


def test_nothing_costs_nothing():
    assert cost([], 600, Prices()).amount == 0
