"""A browser's word about itself, as its owner would say it: "Firefox on Linux"."""

import functools
import re

UNKNOWN = "Unknown device"

LONGEST = 60
"""Characters of a description; whoever signs in writes the text that it is made of."""

_VARIANT = re.compile(r"^Headless\s?|^Mobile | Mobile\b| iOS$| UI/WKWebView$| WebView$")
_SYSTEMS = {"Mac OS X": "macOS", "Ubuntu": "Linux", "Debian": "Linux", "Fedora": "Linux", "Red Hat": "Linux"}


@functools.lru_cache(1024)
def describe(user_agent: str) -> str:
    """Return browser and system in words, without versions, which only make two lines of one device differ.

    It is for people alone: anybody can send any text, so nothing may be decided by it.
    """
    from ua_parser import parse_os, parse_user_agent  # noqa: PLC0415 - 100 ms, and the first use 200 more

    browser, system = parse_user_agent(user_agent), parse_os(user_agent)
    names = [
        _VARIANT.sub("", browser.family) if browser else "",
        _SYSTEMS.get(system.family, system.family) if system else "",
    ]
    return " on ".join(name for name in names if name)[:LONGEST] or UNKNOWN
