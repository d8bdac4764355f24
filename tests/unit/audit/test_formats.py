"""Events for other programs: exact forms, and nothing that a hostile row could break out of."""

import json
import re

import pytest

from aegis import audit
from aegis.audit import formats
from aegis.audit.model import Seen

MAC = "a" * 64
PLAIN = Seen(
    "Zm9vYmFy",
    7,
    1_800_000_000,
    "authn_login_fail",
    "anna-id",
    None,
    "192.0.2.7",
    "0123456789abcdef",
    {"reason": "wrong_password"},
    MAC,
)
EVIL = 'a\r\n<13>1 forged|b=c\\|\\=]"\x1b[31m\x00\x7f\u202e\u2028é😀 {"mac":1} '
HOSTILE = Seen(EVIL, 2**62, 1_800_000_000, EVIL, EVIL, EVIL, EVIL, EVIL, {EVIL: EVIL, "n": 1}, EVIL)
"""What somebody could write into the table by SQL."""

SYSLOG = re.compile(
    r"<(?P<pri>0|[1-9][0-9]{0,2})>1 "
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z) "
    r"(?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128}) (?P<id>[!-~]{1,32}) "
    r"(?P<data>(?:\[[!#-<>-\\^-~]{1,32}(?: [!#-<>-\\^-~]{1,32}=\"(?:[^\"\\\]]|\\[\"\\\]])*\")*\])+) "
    r"(?P<text>[ -~]*)"
)
"""The grammar of RFC 5424, section 6."""


def cef(line: str) -> tuple[list[str], dict[str, str]]:
    """Read a line as a receiver of CEF does."""
    *header, extension = re.split(r"(?<!\\)(?:(?:\\\\)*)\|", line, maxsplit=7)
    keys = list(re.finditer(r"(?:^| )([A-Za-z0-9]+)=", extension))
    ends = [key.start() for key in keys[1:]] + [len(extension)]
    values = {key[1]: extension[key.end() : end] for key, end in zip(keys, ends, strict=True)}
    return header, {name: re.sub(r"\\(.)", r"\1", text) for name, text in values.items()}


def test_a_line_of_json_holds_everything() -> None:
    assert json.loads(formats.json_line(PLAIN)) == {
        "time": "2027-01-15T08:00:00Z",
        "event": "authn_login_fail",
        "account_id": "anna-id",
        "actor_id": None,
        "address": "192.0.2.7",
        "request_id": "0123456789abcdef",
        "data": {"reason": "wrong_password"},
        "chain": "Zm9vYmFy",
        "number": 7,
        "mac": MAC,
    }


def test_syslog_is_exact() -> None:
    found = SYSLOG.fullmatch(formats.syslog(PLAIN))

    assert found
    assert (found["pri"], found["time"], found["app"], found["proc"], found["id"]) == (
        "84",  # facility 10, severity 4
        "2027-01-15T08:00:00Z",
        "aegis",
        "-",
        "authn_login_fail",
    )
    origin = f'[origin software="Aegis" swVersion="{formats.version()}"]'
    assert found["data"] == f'[meta sequenceId="7"]{origin}'
    assert json.loads(found["text"]) == json.loads(formats.json_line(PLAIN))


def test_cef_is_exact() -> None:
    assert formats.cef(PLAIN) == (
        f"CEF:0|Aegis|Aegis|{formats.version()}|authn_login_fail|authn login fail|7|"
        "rt=1800000000000 externalId=Zm9vYmFy:7 src=192.0.2.7 suid=anna-id duid=anna-id "
        "cs1=0123456789abcdef cs1Label=requestId "
        'cs2={"reason":"wrong_password"} cs2Label=data '
        f"cs3=Zm9vYmFy cs3Label=chain cs4={MAC} cs4Label=mac cn1=7 cn1Label=number"
    )


@pytest.mark.parametrize(
    ("address", "fields"),
    [
        ("2001:db8::7", {"c6a2": "2001:db8::7", "c6a2Label": "Source IPv6 Address"}),
        ("192.0.2.7", {"src": "192.0.2.7"}),
        ("local", {}),
    ],
)
def test_cef_names_addresses_by_their_kind(address: str, fields: dict[str, str]) -> None:
    _, found = cef(formats.cef(PLAIN._replace(address=address)))

    assert {name: text for name, text in found.items() if name in {"src", "c6a2", "c6a2Label"}} == fields


@pytest.mark.control("ASVS-5.0-16.4.1")
@pytest.mark.parametrize("write", formats.FORMATS.values(), ids=list(formats.FORMATS))
def test_a_hostile_row_is_one_printable_line(write) -> None:
    line = write(HOSTILE)

    assert line.isascii()
    assert line.isprintable()


@pytest.mark.control("ASVS-5.0-16.4.1")
def test_a_hostile_row_leaves_no_field() -> None:
    assert json.loads(formats.json_line(HOSTILE))["data"] == {EVIL: EVIL, "n": 1}
    found = SYSLOG.fullmatch(formats.syslog(HOSTILE))
    assert found
    assert json.loads(found["text"])["event"] == EVIL
    header, fields = cef(formats.cef(HOSTILE))
    assert len(header) == 7
    assert header[:3] == ["CEF:0", "Aegis", "Aegis"]
    labelled = {f"cs{place}{label}" for place in range(1, 5) for label in ("", "Label")}
    assert set(fields) == {
        "rt",
        "externalId",
        "suid",
        "duid",
        "cn1",
        "cn1Label",
        *labelled,
        "c6a2",
        "c6a2Label",
    }
    assert json.loads(fields["cs2"]) == {EVIL: EVIL, "n": 1}


def test_heads_are_read_from_exported_lines_as_well() -> None:
    mac = {"Zm9vYmFy": {7: MAC}}

    assert audit.heads_in([formats.json_line(PLAIN)]) == mac
    assert audit.heads_in([f"Jan 15 08:00:01 relay {formats.syslog(PLAIN)}"]) == mac


@pytest.mark.parametrize("event", audit.Event)
def test_each_event_has_a_severity_in_every_format(event: audit.Event) -> None:
    seen = PLAIN._replace(event=event.value)
    assert SYSLOG.fullmatch(formats.syslog(seen))
    header, _ = cef(formats.cef(seen))
    assert header[4] == event
    assert 0 <= int(header[6]) <= 10
