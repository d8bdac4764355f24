"""From any file to a small picture of our own, or to a reason."""

import contextlib
import io
import resource
import warnings

import pytest
from PIL import Image

from aegis import errors, settings
from aegis.accounts import avatars
from aegis.web import Upload
from tests.pictures import (
    BLUE,
    GPS,
    HTML,
    RED,
    SVG,
    archive,
    chunk,
    encoded,
    huge_png,
    photo,
    picture,
)
from tests.properties import given, st
from tests.properties import settings as runs

DEFAULTS = settings.load({"FLASK_ENV": "testing"}).settings
SMALL = settings.load(
    {"FLASK_ENV": "testing", "AEGIS_INPUT_UPLOAD": "4096", "AEGIS_INPUT_IMAGE_SIDE": "256"}
).settings


def stored(
    content: bytes, name: str = "", kind: str = "", given: settings.Settings = DEFAULTS
) -> Image.Image:
    """Return what is kept of a file."""
    made = avatars.encode(Upload(content, name, kind), given)
    image = Image.open(io.BytesIO(made), formats=["WEBP"])
    image.load()
    assert image.size == (256, 256)
    assert set(image.info) <= {"loop", "background", "timestamp", "duration"}
    return image


def refusal(content: bytes, name: str = "", kind: str = "", given: settings.Settings = DEFAULTS) -> str:
    """Return why a file is not taken."""
    with pytest.raises(errors.InvalidInput) as refused:
        avatars.encode(Upload(content, name, kind), given)
    assert set(refused.value.fields) == {"avatar"}
    return refused.value.fields["avatar"]


def near(one: object, other: tuple[int, ...]) -> bool:
    return all(abs(a - b) < 40 for a, b in zip(one, other, strict=False))


@pytest.mark.control("ASVS-5.0-5.2.2")
@pytest.mark.parametrize(
    ("kind", "mode", "name", "media_type"),
    [
        ("PNG", "RGB", "me.png", "image/png"),
        ("PNG", "RGBA", "ME.PNG", "image/png"),
        ("PNG", "P", "me.png", "image/png"),
        ("PNG", "1", "me", "image/png"),
        ("PNG", "LA", "", ""),
        ("PNG", "I;16", "me.png", "image/png"),
        ("JPEG", "RGB", "me.jpg", "image/jpeg"),
        ("JPEG", "L", "me.JPEG", "image/jpeg"),
        ("JPEG", "CMYK", "me.jfif", "image/jpeg"),
        ("GIF", "P", "me.gif", "image/gif"),
        ("GIF", "L", "archive.tar.gif", "application/octet-stream"),
    ],
)
def test_the_three_formats_are_taken_in_all_their_kinds(
    kind: str, mode: str, name: str, media_type: str
) -> None:
    image = Image.open(io.BytesIO(picture(kind)), formats=[kind]).convert("RGB")
    source = image.convert("L").convert("I;16") if mode == "I;16" else image.convert(mode)
    seen = stored(encoded(source, kind), name, media_type).convert("RGB")

    if mode in {"RGB", "RGBA", "P", "CMYK"}:
        assert near(seen.getpixel((20, 128)), RED)
        assert near(seen.getpixel((236, 128)), BLUE)


def test_a_photo_is_turned_upright_and_tells_nothing_but_its_pixels() -> None:
    sent = photo()
    before = Image.open(io.BytesIO(sent))
    assert before.getexif().get_ifd(GPS)
    made = avatars.encode(Upload(sent, "IMG_1.jpg", "image/jpeg"), DEFAULTS)
    after = Image.open(io.BytesIO(made))

    assert not after.getexif()
    for secret in (b"EXIF", b"Exif", b"XMP", b"Secret Camera", b"taken at home"):
        assert secret not in made
    assert near(after.convert("RGB").getpixel((128, 20)), RED)
    assert near(after.convert("RGB").getpixel((128, 236)), BLUE)


def test_text_and_profiles_of_a_png_stay_behind() -> None:
    plain = picture()
    end = plain.index(b"IDAT") - 4
    noted = plain[:end] + chunk(b"tEXt", b"Comment\0my home is here") + plain[end:]
    made = avatars.encode(Upload(noted, "a.png", ""), DEFAULTS)

    assert b"my home" not in made
    assert made == avatars.encode(Upload(plain, "a.png", ""), DEFAULTS)


def test_the_middle_square_of_a_long_picture_is_kept() -> None:
    image = Image.new("RGB", (900, 300), BLUE)
    image.paste(RED, (300, 0, 600, 300))
    seen = stored(encoded(image, "PNG")).convert("RGB")
    assert all(near(seen.getpixel(place), RED) for place in ((4, 4), (128, 128), (251, 251)))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (4096, 4096), (4096, 1)])
def test_every_size_up_to_the_limit_is_taken(size: tuple[int, int]) -> None:
    stored(picture(size=size, mode="P"))


def test_what_is_transparent_stays_so() -> None:
    image = Image.new("RGBA", (100, 100), (*RED, 255))
    image.paste((0, 0, 0, 0), (0, 0, 50, 100))
    seen = stored(encoded(image, "PNG"))
    assert seen.mode == "RGBA"
    assert seen.getpixel((20, 128))[3] == 0
    assert near(seen.getpixel((236, 128)), (*RED, 255))


def test_of_a_moving_picture_the_first_frame_is_kept() -> None:
    frames = [Image.new("RGB", (50, 50), colour) for colour in (RED, BLUE, BLUE)]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    assert near(stored(moving).convert("RGB").getpixel((128, 128)), RED)


# Refused


@pytest.mark.control("ASVS-5.0-5.2.6")
@pytest.mark.parametrize("side", [4097, 12_000, 24_000])
def test_too_many_pixels_are_refused_before_they_are_decoded(side: int) -> None:
    sent = huge_png(side)
    assert len(sent) < 300_000
    stored(huge_png(300))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sentence = refusal(sent, "a.png", "image/png")

    assert "4096 pixels a side" in sentence
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000, "KiB: nothing was decoded"


@pytest.mark.control("ASVS-5.0-5.2.6")
@pytest.mark.parametrize("size", [(257, 10), (10, 257)])
def test_either_side_counts_against_the_setting(size: tuple[int, int]) -> None:
    assert "256 pixels a side; this one has" in refusal(picture(size=size), given=SMALL)
    stored(picture(size=(256, 256)), given=SMALL)


@pytest.mark.control("ASVS-5.0-5.2.1")
def test_a_longer_file_than_the_setting_is_refused() -> None:
    assert "at most 4 KiB" in refusal(b"\0" * 4097, given=SMALL)
    assert "at most 5 MiB" in refusal(b"\0" * 5_242_881)
    stored(picture().ljust(4096, b"\0"), given=SMALL)


@pytest.mark.control("ASVS-5.0-1.3.4", "ASVS-5.0-5.2.2")
@pytest.mark.parametrize(
    ("content", "word"),
    [
        (SVG, "SVG"),
        (b'<?xml version="1.0"?><!DOCTYPE svg>' + SVG, "SVG"),
        (b"\xef\xbb\xbf  " + SVG, "SVG"),
        (HTML, "not a PNG"),
        (b"GIF89a/*" + HTML, "not a PNG"),
        (b"\x89PNG\r\n\x1a\n" + HTML, ""),
        (b"%PDF-1.7 ...", "not a PNG"),
        (b"#!/bin/sh\necho", "not a PNG"),
        (archive(), "not a PNG"),
        (b"MZ" + b"\0" * 100, "not a PNG"),
        (b"text", "not a PNG"),
        (encoded(Image.new("RGB", (9, 9)), "BMP"), "not a PNG"),
        (encoded(Image.new("RGB", (9, 9)), "TIFF"), "not a PNG"),
        (encoded(Image.new("RGB", (9, 9)), "WEBP"), "not a PNG"),
        (encoded(Image.new("RGB", (9, 9)), "ICO"), "not a PNG"),
        (encoded(Image.new("RGB", (9, 9)), "PDF"), "not a PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a PNG"),
    ],
    ids=range(17),
)
@pytest.mark.parametrize("name", ["a.png", "a.svg", "a"])
def test_what_is_no_such_picture_is_refused_whatever_it_is_called(
    content: bytes, word: str, name: str
) -> None:
    assert word in refusal(content, name, "image/png")


@pytest.mark.control("ASVS-5.0-5.2.2")
@pytest.mark.parametrize(
    "hidden",
    [archive(), HTML, b"<?php system($_GET[0]); ?>", b"x" * 50_000 + b"<SCRIPT>alert(1)</SCRIPT>"],
    ids=["archive", "html", "php", "script"],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_a_picture_that_is_also_something_else_is_refused(kind: str, hidden: bytes) -> None:
    stored(picture(kind) + b"\0" * 100)
    assert "more than a picture" in refusal(picture(kind) + hidden)


def test_what_hides_in_a_comment_is_found() -> None:
    assert "more than a picture" in refusal(picture("JPEG", comment=b"<script>alert(1)</script>"))
    assert "more than a picture" in refusal(picture("GIF", comment=b"%PDF-1.4"))
    stored(picture("JPEG", comment=b"holiday <3 script"))


@pytest.mark.control("ASVS-5.0-5.2.2")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_cut_off_file_is_refused(kind: str, part: float) -> None:
    image = Image.effect_noise((120, 120), 80).convert("RGB" if kind == "JPEG" else "L")
    whole = encoded(image, kind)
    stored(whole)
    assert refusal(whole[: int(len(whole) * part)])


@pytest.mark.control("ASVS-5.0-5.2.2")
@pytest.mark.parametrize(
    ("kind", "name", "media_type"),
    [
        ("PNG", "a.jpg", "image/png"),
        ("PNG", "a.svg", "image/png"),
        ("PNG", "a.png.html", "image/png"),
        ("PNG", "a.php", ""),
        ("JPEG", "a.png", ""),
        ("GIF", "a.gif", "image/png"),
        ("PNG", "a.png", "text/html"),
        ("PNG", "a.png", "image/svg+xml"),
        ("PNG", "", "image/webp"),
    ],
)
def test_a_name_or_type_that_says_something_else_is_refused(kind: str, name: str, media_type: str) -> None:
    assert f"The file is a {kind} picture, but" in refusal(picture(kind), name, media_type)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.png", "a\0.png", "C:\\me.png", "\u202egnp.png", "a" * 5000 + ".png"]
)
def test_a_name_is_read_for_its_ending_alone(name: str) -> None:
    stored(picture(), name, "image/png")


@pytest.mark.parametrize("upload", [None, Upload(b"", "a.png", "image/png")])
def test_nothing_is_refused_with_what_to_do(upload: Upload | None) -> None:
    with pytest.raises(errors.InvalidInput) as refused:
        avatars.encode(upload, DEFAULTS)
    assert refused.value.fields == {"avatar": "Please choose a picture: PNG, JPEG or GIF."}


@runs(max_examples=150, deadline=None)
@given(
    st.sampled_from(["PNG", "JPEG", "GIF"]),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=8),
)
def test_a_damaged_file_is_a_picture_or_a_reason(kind: str, changes: list[tuple[int, int]]) -> None:
    content = bytearray(_SOURCES[kind])
    for place, value in changes:
        content[place % len(content)] = value
    with contextlib.suppress(errors.InvalidInput):
        avatars.encode(Upload(bytes(content), "", ""), DEFAULTS)


_SOURCES = {"PNG": picture("PNG"), "JPEG": photo(), "GIF": picture("GIF")}


def test_one_picture_is_decoded_at_a_time_and_few_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    door = avatars.Gate("test", parallel=1, queue=0, wait_s=0)
    monkeypatch.setattr(avatars, "_DOOR", door)
    with door.place(), pytest.raises(errors.Busy):
        stored(picture())
    stored(picture())
