"""Where in the world somebody who asks is, for geolocation records. Pure.

Route 53 looks addresses up in a database of the whole world; here the networks that are reserved for documentation
stand for a few countries, and everybody else is nowhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Place:
    """Codes as Route 53 uses them; what is not known is "". A country of a record comes without its continent."""

    continent: str = ""
    country: str = ""
    subdivision: str = ""

    @property
    def rank(self) -> int:
        """How specific it is: 3 for a subdivision, 2 a country, 1 a continent, 0 the whole world."""
        return 3 if self.subdivision else 2 if self.country else 1 if self.continent else 0

    def holds(self, other: Place) -> bool:
        """Whether ``other`` is in here."""
        return (
            self.continent in ("", other.continent)
            and self.country in ("", other.country)
            and self.subdivision in ("", other.subdivision)
        )


NOWHERE = Place()
PLACES: Mapping[str, Place] = MappingProxyType(
    {
        "192.0.2.0/24": Place("AS", "JP"),
        "198.51.100.0/24": Place("EU", "DE"),
        "203.0.113.0/25": Place("NA", "US", "CA"),
        "203.0.113.128/25": Place("NA", "US", "NY"),
    }
)


def place_of(address: str, places: Mapping[str, Place] = PLACES) -> Place:
    """Where ``address`` is; NOWHERE if it is in none of ``places``, which are networks."""
    try:
        asked = ipaddress.ip_address(address)
    except ValueError:
        return NOWHERE
    return next((place for network, place in places.items() if asked in ipaddress.ip_network(network)), NOWHERE)
