"""Pictures as tests send them: whole, huge, damaged, and more than a picture."""

import io
import struct
import zipfile
import zlib
from typing import Any

from PIL import Image

RED, GREEN, BLUE, WHITE = (220, 20, 20), (20, 180, 40), (20, 40, 220), (255, 255, 255)
ORIENTATION, GPS = 0x0112, 0x8825


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return the file of an image."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def picture(kind: str = "PNG", size: tuple[int, int] = (60, 40), mode: str = "RGB", **options: Any) -> bytes:
    """Return a picture whose left half is red and whose right half is blue."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return encoded(image.convert(mode), kind, **options)


def photo() -> bytes:
    """Return a JPEG as a phone writes it: held upright, so lying on its side in the file, with place and camera."""
    image = Image.new("RGB", (400, 400), RED)  # red above, blue below, once it is turned by its tag
    image.paste(BLUE, (200, 0, 400, 400))
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # turn by 90 degrees clockwise to see it upright
    exif[0x010F] = "Secret Camera"
    exif[GPS] = {1: "N", 2: (48.0, 12.0, 30.0), 3: "E", 4: (11.0, 34.0, 0.0)}
    return encoded(image, "JPEG", exif=exif, comment=b"taken at home", quality=95)


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return one part of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def huge_png(side: int) -> bytes:
    """Return a small file of one black square with an enormous number of pixels, one bit each."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + -(-side // 8))
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def archive() -> bytes:
    """Return a ZIP file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("run.me", "x" * 100)
    return out.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><html><script>alert(document.domain)</script></html>"
