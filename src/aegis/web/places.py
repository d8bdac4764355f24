"""Where an address is, from a database file of the operator's; nobody outside is ever asked."""

import ipaddress
from typing import Any, NamedTuple


class Place(NamedTuple):
    """A country by its ISO code, and how people call the place; both empty where the file does not know."""

    country: str
    name: str


NOWHERE = Place("", "")


class Places:
    """The file, in MaxMind's format (GeoLite2 City or Country, or DB-IP's)."""

    def __init__(self, path: str) -> None:
        """Open the file; without a path, nothing is known. Raises ValueError when it cannot be read."""
        self._reader: Any = None
        if not path:
            return
        import maxminddb  # noqa: PLC0415 - only those who have a file need it

        try:
            self._reader = maxminddb.open_database(path)
        except (OSError, maxminddb.InvalidDatabaseError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from error

    def of(self, address: str) -> Place:
        """Return where an address is."""
        if self._reader is None:
            return NOWHERE
        try:
            parsed = ipaddress.ip_address(address)
            found = self._reader.get(getattr(parsed, "ipv4_mapped", None) or parsed)
        except ValueError:  # no address, or one of IPv6 in a file that has IPv4 alone
            return NOWHERE
        if not isinstance(found, dict):
            return NOWHERE
        country = found.get("country") or found.get("registered_country") or {}
        names = [_name(found.get("city")), _name(country)]
        return Place(str(country.get("iso_code", "")), ", ".join(name for name in names if name))


def _name(part: Any) -> str:
    names = part.get("names", {}) if isinstance(part, dict) else {}
    return str(names.get("en", ""))
