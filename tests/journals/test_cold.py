import pytest

from blackstart.journals.cold import colder
from blackstart.observer.samples import Cache, Header, Kind, Outcome, Sample, Samples

WARM = [Cache.HIT] * 50


def rows(words, start=0.0):
    made = [
        Sample(number, start + number, start + number, start + number, Kind.READ, Outcome.OK, cache=word)
        for number, word in enumerate(words)
    ]
    return Samples(Header(0.0, "", 0.0, 1.0, 2.0, 0.0), made)


def told(before, after):
    return list(colder(rows(before), rows(after, 100.0), 100.0))


def test_a_cache_that_misses_what_it_had_is_told():
    after = [*WARM, *[Cache.MISS] * 12, Cache.NONE, *WARM]
    assert told(WARM, after) == [
        "the cache missed 12 reads in a row from +50.0\xa0s, and at most 0 just before the fault"
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (WARM, [*[Cache.MISS] * 4, Cache.HIT] * 9),
        (WARM, [Cache.MISS, Cache.HIT] * 50),
        ([Cache.MISS, Cache.MISS, Cache.HIT, Cache.HIT] * 20, [Cache.MISS] * 5),
        ([*WARM[:40], *[Cache.MISS] * 10], [Cache.MISS] * 29),
        (WARM[:49], [Cache.MISS] * 100),
        ([Cache.NONE] * 100, [Cache.MISS] * 100),
        (WARM, []),
    ],
)
def test_what_is_usual_or_not_known_is_no_effect(before, after):
    assert told(before, after) == []


def test_a_cache_that_had_to_fill_when_the_drill_began_is_warm_by_its_last_reads():
    assert told([*[Cache.MISS] * 500, *WARM], [Cache.MISS] * 20)
