"""Draw docs/images/architecture.svg from the import contract, so that the picture cannot differ from what is enforced.

`make docs` runs it. A room's few words and the steps of docs/architecture.md are told here; its floor is not.
"""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

WORDS = {
    "cli": "the command line",
    "application": "everything put together",
    "courses": "lessons, enrolment, progress, notes",
    "schema": "all tables",
    "extension": "Aegis(app) wires the rooms",
    "ops": "operators",
    "flask_login": "adapter",
    "admin": "what administrators do",
    "login": "the ways in and out",
    "mfa": "second factors",
    "passkeys": "WebAuthn",
    "reset": "forgotten passwords",
    "privacy": "own data",
    "proofs": "codes by mail",
    "accounts": "register, find, change",
    "csrf": "did one of our own pages send this?",
    "sessions": "cookie to record: start, rotate, end, list; guards",
    "throttle": "limits on guessing",
    "mail": "outbox and sending",
    "passwords": "hash and judge",
    "audit": "who did what",
    "web": "the edge",
    "uploads": "files",
    "state": "what one application holds",
    "settings": "each one once",
    "errors": "every refusal on one page",
    "clock": "the time",
    "tally": "counts",
}
STEPS = {
    "web": "19",
    "csrf": "2",
    "login": "34",
    "throttle": "5",
    "accounts": "6",
    "passwords": "6",
    "sessions": "7",
    "tokens": "7",
    "db": "7",
    "audit": "8",
}
NOTES = {
    "academy": ["the course platform", "app.py, config.py:", "the values, the object"],
    "aegis": ["accounts and sessions", "for any Flask app; knows", "nothing of courses"],
}

WIDTH, LEFT, ROW, BOX, GAP = 662, 186, 44, 36, 10
STYLE = """\
svg{font:15px system-ui,"Segoe UI",Roboto,sans-serif;--ink:#1c2430;--soft:#5b6677;--line:#b9c2cf;--band:#f4f6f9;--box:#ffffff;--mark:#0b5c8a}
@media (prefers-color-scheme:dark){svg{--ink:#e6eaf0;--soft:#a2adbc;--line:#46505f;--band:#161b22;--box:#222933;--mark:#6cc1f0}}
.band{fill:var(--band);stroke:var(--line)}.box{fill:var(--box);stroke:var(--line)}
text{fill:var(--ink)}.soft{fill:var(--soft);font-size:13px}.name{font-weight:600}
.no circle{fill:var(--mark)}.no text{fill:var(--box);font-size:12px;font-weight:700;text-anchor:middle}
.arrow{stroke:var(--soft);stroke-width:1.5;fill:none}.head{fill:var(--soft)}"""


def floors(package: str) -> list[list[str]]:
    """Return the rooms of each floor that exist, from top to bottom."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [found["layers"] for found in contracts if found.get("containers") == [package]]
    source = ROOT / "src" / package
    there = {path.stem for path in source.iterdir()} - {"samples"}
    named = [[room.strip(" ()") for room in layer.split("|")] for layer in layers]
    return [rooms for floor in named if (rooms := [room for room in floor if room in there])]


def box(room: str, x: float, y: float, width: float) -> str:
    """Draw one room, with the steps that pass through it."""
    words = WORDS.get(room, "")
    has_place = len(room) * 9 + len(words) * 7 + 24 * len(STEPS.get(room, "")) + 24 < width
    told = f'<tspan class="soft" dx="8">{words}</tspan>' if words and has_place else ""
    drawn = [
        f'<rect class="box" x="{x:g}" y="{y:g}" width="{width:g}" height="{BOX}" rx="6"/>',
        f'<text x="{x + 12:g}" y="{y + 23:g}"><tspan class="name">{room}</tspan>{told}</text>',
    ]
    for place, step in enumerate(reversed(STEPS.get(room, ""))):
        middle = x + width - 16 - 22 * place
        drawn.append(
            f'<g class="no"><circle cx="{middle:g}" cy="{y + 18:g}" r="9"/><text x="{middle:g}" y="{y + 22:g}">{step}</text></g>'
        )
    return "\n".join(drawn)


def band(package: str, top: float) -> tuple[str, float]:
    """Draw a package with its floors; return where it ends."""
    rooms_by_floor = floors(package)
    height = 20 + ROW * len(rooms_by_floor) - (ROW - BOX) + 4
    drawn = [
        f'<rect class="band" x="8" y="{top:g}" width="904" height="{height:g}" rx="10"/>',
        f'<text class="name" x="24" y="{top + 26:g}">{package}</text>',
    ]
    drawn += [
        f'<text class="soft" x="24" y="{top + 46 + 18 * line:g}">{note}</text>'
        for line, note in enumerate(NOTES[package])
    ]
    for floor, rooms in enumerate(rooms_by_floor):
        width = (WIDTH - GAP * (len(rooms) - 1)) / len(rooms)
        drawn += [
            box(room, LEFT + place * (width + GAP), top + 12 + ROW * floor, width)
            for place, room in enumerate(rooms)
        ]
    return "\n".join(drawn), top + height


def drawing() -> str:
    """Return the whole picture."""
    platform, end = band("academy", 8)
    extension, bottom = band("aegis", end + 12)
    told = ", ".join(
        f"{package}: " + "; ".join(", ".join(floor) for floor in floors(package)) for package in NOTES
    )
    arrow = (
        f'<path class="arrow" d="M886 30 V{bottom - 22:g}"/><path class="head" d="M880 {bottom - 24:g} h12 l-6 12 z"/>\n'
        f'<text class="soft" transform="translate(864 {bottom / 2:g}) rotate(90)" text-anchor="middle">imports point down only</text>'
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 920 {bottom + 2:g}" width="920" height="{bottom + 2:g}" role="img" aria-labelledby="t d">',
            '<title id="t">The rooms of Aegis and the way of one sign-in through them</title>',
            f'<desc id="d">{told}. Imports point down only; the numbers mark the way of POST /api/login.</desc>',
            f"<style>\n{STYLE}\n</style>",
            platform,
            extension,
            arrow,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    (ROOT / "docs/images/architecture.svg").write_text(drawing())
