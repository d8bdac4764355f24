"""From a file that somebody sent to a picture of our own making: judged by its content, small, and without metadata.

Nothing of the file survives but the colours of its pixels, so position, camera, comments and whatever was hidden behind
the picture are gone. The work is bounded before it begins: by the file's length, then by what its header says of the
size, and one picture is decoded at a time in each process.
"""

import io
import re
import zipfile
from pathlib import PurePath
from typing import TYPE_CHECKING

from aegis import errors
from aegis.passwords.gate import Gate
from aegis.settings import Settings
from aegis.web import Upload

if TYPE_CHECKING:
    from PIL import Image

SIDE = 256
"""Pixels of the square that is stored; pages show it at most half as large, so it is sharp on every screen."""

MEDIA_TYPE = "image/webp"

FORMATS = {"PNG": (".png",), "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"), "GIF": (".gif",)}
"""What is taken, and the endings that such a file may have."""

_TYPES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/jpg": "JPEG", "image/gif": "GIF"}
_UNTOLD = {"", "application/octet-stream"}
_SVG = re.compile(rb"(?i)<svg|<!doctype\s+svg")
_FOREIGN = re.compile(rb"(?i)<script|<html|<!doctype|<\?php")
_PDF = re.compile(rb"%PDF-")
_DOOR = Gate("picture", parallel=1, queue=8, wait_s=10)


def encode(upload: Upload | None, settings: Settings) -> bytes:
    """Return the picture as a WebP of 256 pixels square, upright.

    Raises InvalidInput with the reason under `avatar`, and Busy while too many wait for the same work.
    """
    if upload is None or not upload.content:
        raise _refusal("Please choose a picture: PNG, JPEG or GIF.")
    if len(upload.content) > settings.input_upload:
        raise _refusal(f"The file must have at most {_size(settings.input_upload)}.")
    with _DOOR.place():
        return _encoded(upload, settings.input_image_side)


def _encoded(upload: Upload, longest: int) -> bytes:
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - 60 ms that only who uploads should pay

    try:
        with Image.open(io.BytesIO(upload.content), formats=list(FORMATS)) as image:
            _judge(image, upload, longest)
            return _small(image)
    except errors.AegisError:
        raise
    except UnidentifiedImageError:
        raise _refusal(_what_else(upload.content)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _refusal(f"The picture must have at most {longest} pixels a side.") from None
    except Exception:  # noqa: BLE001 - what damaged files raise differs by format, and none of it is a fault of ours
        raise _refusal(
            "The picture is damaged or cut off. Please save it again, or choose another."
        ) from None


def _judge(image: "Image.Image", upload: Upload, longest: int) -> None:
    """Refuse by what the header says, before anything is decoded, and what is also something else."""
    kind = str(image.format)
    if max(image.size) > longest:
        width, height = image.size
        raise _refusal(
            f"The picture must have at most {longest} pixels a side; this one has {width} x {height}."
        )
    ending = PurePath(upload.filename).suffix.lower()
    if ending and ending not in FORMATS[kind]:
        raise _refusal(f"The file is a {kind} picture, but its name ends differently. Please rename it.")
    if upload.media_type not in _UNTOLD and _TYPES.get(upload.media_type) != kind:
        raise _refusal(f"The file is a {kind} picture, but was sent as another type.")
    if _FOREIGN.search(upload.content) or _PDF.search(upload.content[:1024]) or _is_archive(upload.content):
        raise _refusal(
            "The file holds more than a picture. Please save the picture again, or choose another."
        )


def _small(image: "Image.Image") -> bytes:
    """Decode, turn upright, cut the middle square, scale it down and encode it with nothing beside it."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - as in _encoded

    image.draft("RGB", (SIDE * 2, SIDE * 2))  # a JPEG is decoded at a fraction of its size
    image.load()
    has_alpha = image.has_transparency_data
    turned = ImageOps.exif_transpose(image)
    width, height = turned.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = turned.crop((left, top, left + side, top + side))
    plain = square.convert("RGBA" if has_alpha else "RGB")
    scaled = plain.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    bare = Image.frombytes(
        scaled.mode, scaled.size, scaled.tobytes()
    )  # info, palette and profile stay behind
    out = io.BytesIO()
    bare.save(out, "WEBP", quality=85, method=4)
    return out.getvalue()


def _is_archive(content: bytes) -> bool:
    return zipfile.is_zipfile(io.BytesIO(content))


def _what_else(content: bytes) -> str:
    if _SVG.search(content[:4096]):
        return "SVG drawings are not taken, as they can run scripts. Please use PNG, JPEG or GIF."
    return "The file is not a PNG, JPEG or GIF picture."


def _refusal(sentence: str) -> errors.InvalidInput:
    return errors.InvalidInput(fields={"avatar": sentence})


def _size(count: int) -> str:
    return f"{count // 1_048_576} MiB" if count >= 1_048_576 else f"{count // 1024} KiB"  # noqa: PLR2004 - a MiB
