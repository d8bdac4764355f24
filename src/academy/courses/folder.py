"""A course as a folder or zip archive: `course.toml`, `lessons/NN-slug.md`, `images/name.png`.

An archive may come from anybody. Nothing in it is ever unpacked to disk: its members are read into memory, by name,
within limits, and those that point outside of it or expand beyond measure refuse the whole.
"""

import re
import stat
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from academy.courses import render
from academy.courses.model import CourseText, Image, LessonText, SectionText, is_file_name, is_slug
from aegis.errors import InvalidInput

MANIFEST = "course.toml"
FILES_MAXIMUM = 500
FILE_MAXIMUM = 1024 * 1024
COURSE_MAXIMUM = 32 * 1024 * 1024

_LESSON_FILE = re.compile(r"(?:\d+-)?([a-z0-9]+(?:-[a-z0-9]+)*)\.md")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_FIRST_BYTES = {
    ".png": (b"\x89PNG\r\n\x1a\n", "image/png"),
    ".jpg": (b"\xff\xd8\xff", "image/jpeg"),
    ".jpeg": (b"\xff\xd8\xff", "image/jpeg"),
    ".gif": (b"GIF8", "image/gif"),
    ".webp": (b"RIFF", "image/webp"),
}
_ARCHIVE_DATE = (1980, 1, 1, 0, 0, 0)


def read(path: Path) -> CourseText:
    """Return the course in a folder or archive. Raises InvalidInput with everything that is wrong with it."""
    if path.is_dir():
        return parse(_read_folder(path))
    if not path.is_file():
        raise InvalidInput(f"There is nothing at {path}.")
    if not zipfile.is_zipfile(path):
        raise InvalidInput(f"{path} is neither a folder nor a zip archive.")
    return parse(_read_archive(path))


def write(course: CourseText, target: Path) -> None:
    """Write the course to a new folder, or to an archive where the name ends in .zip. Raises InvalidInput."""
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise InvalidInput(f"{target} exists already; choose another name.")
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) as archive:
            for name, content in _files(course):
                archive.writestr(zipfile.ZipInfo(name, _ARCHIVE_DATE), content, zipfile.ZIP_DEFLATED)
        return
    for name, content in _files(course):
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def parse(files: Mapping[str, bytes]) -> CourseText:
    """Return the course made of these files. Raises InvalidInput with a sentence for each file at fault."""
    if MANIFEST not in files:
        raise InvalidInput(f"This is no course: it has no {MANIFEST}.")
    faults: dict[str, str] = {}
    manifest = _manifest(files[MANIFEST], faults)
    images = tuple(_image(name, files[name], faults) for name in sorted(files) if name.startswith("images/"))
    sections = tuple(_section(part, files, faults) for part in _tables(manifest, "sections", faults))
    slugs = [lesson.slug for section in sections for lesson in section.lessons]
    if not slugs:
        faults.setdefault(MANIFEST, "Names no lesson: it needs [[sections]] with lessons.")
    if len(set(slugs)) != len(slugs):
        faults.setdefault(MANIFEST, "Names two lessons of the same slug.")
    _judge_pictures(sections, {image.name for image in images}, faults)
    course = CourseText(
        slug=_string(manifest, "slug", 64, faults),
        title=_string(manifest, "title", 200, faults),
        summary=_string(manifest, "summary", 1000, faults),
        language=_string(manifest, "language", 16, faults, default="en"),
        is_published=manifest.get("published", True) is True,
        sections=sections,
        images=images,
    )
    if not is_slug(course.slug):
        faults.setdefault(MANIFEST, "slug must be lower-case words joined by hyphens.")
    if not _LANGUAGE.fullmatch(course.language):
        faults.setdefault(MANIFEST, "language must be a tag such as en or pt-BR.")
    if faults:
        first, sentence = next(iter(faults.items()))
        raise InvalidInput(f"The course cannot be read: {first}: {sentence}", fields=faults)
    return course


def _manifest(content: bytes, faults: dict[str, str]) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        faults[MANIFEST] = f"Is not valid TOML: {error}."
        return {}


def _tables(manifest: Mapping[str, Any], name: str, faults: dict[str, str]) -> list[dict[str, Any]]:
    found = manifest.get(name, [])
    if isinstance(found, list) and all(isinstance(item, dict) for item in found):
        return found
    faults.setdefault(MANIFEST, f"{name} must be written as [[{name}]].")
    return []


def _string(
    table: Mapping[str, Any], name: str, maximum: int, faults: dict[str, str], *, default: str | None = None
) -> str:
    value = table.get(name, default)
    if not isinstance(value, str) or not value.strip():
        faults.setdefault(MANIFEST, f"{name} is missing or is no text.")
        return ""
    if len(value) > maximum or not value.isprintable():
        faults.setdefault(MANIFEST, f"{name} must be one line of at most {maximum} characters.")
    return value.strip()


def _section(table: Mapping[str, Any], files: Mapping[str, bytes], faults: dict[str, str]) -> SectionText:
    names = table.get("lessons", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        faults.setdefault(MANIFEST, "lessons must be a list of file names.")
        names = []
    found = [_lesson(name, files.get(f"lessons/{name}"), faults) for name in names]
    return SectionText(_string(table, "title", 200, faults), tuple(lesson for lesson in found if lesson))


def _lesson(name: str, content: bytes | None, faults: dict[str, str]) -> LessonText | None:
    """Read one lesson: its slug is the file's name without number, its title the first line."""
    place = f"lessons/{name}"
    matched = _LESSON_FILE.fullmatch(name)
    if content is None or matched is None or not is_slug(matched.group(1)):
        faults[place] = (
            "There is no such file." if content is None else "Must be called like 01-first-steps.md."
        )
        return None
    try:
        text = content.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n")
    except UnicodeDecodeError:
        faults[place] = "Is not UTF-8 text."
        return None
    first, _, rest = text.lstrip().partition("\n")
    title = first.removeprefix("# ").strip()
    if not first.startswith("# ") or not title or len(title) > 200 or "\0" in text:  # noqa: PLR2004 - the column's width
        faults[place] = "Must begin with its title, a line such as `# First steps` of at most 200 characters."
        return None
    return LessonText(matched.group(1), title, rest.strip() + "\n")


def _image(place: str, content: bytes, faults: dict[str, str]) -> Image:
    """Take a picture by what it is, not by what it is called; vector pictures can carry script, so none of those."""
    name = place.removeprefix("images/")
    first_bytes, media_type = _FIRST_BYTES.get(PurePosixPath(name).suffix.lower(), (b"", ""))
    if not media_type or not is_file_name(name):
        faults[place] = "Must be a PNG, JPEG, GIF or WebP file with a plain name."
    elif not content.startswith(first_bytes) or (media_type == "image/webp" and content[8:12] != b"WEBP"):
        faults[place] = "Is not what its name says."
    return Image(name, media_type, content)


def _judge_pictures(sections: tuple[SectionText, ...], known: set[str], faults: dict[str, str]) -> None:
    for section in sections:
        for lesson in section.lessons:
            for address in render.list_images(lesson.markdown):
                if render.image_name(address) not in known:
                    faults.setdefault(f"lesson {lesson.slug}", f"Shows {address!r}, which is not in images/.")


def _is_wanted(name: str) -> bool:
    """Tell whether a file is part of a course; others may lie beside it and are not read."""
    parts = name.split("/")
    is_hidden = parts[-1].startswith(".")
    is_in_room = len(parts) == 2 and parts[0] in {"lessons", "images"}  # noqa: PLR2004 - folder and file
    return name == MANIFEST or (is_in_room and not is_hidden)


def _read_folder(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    candidates = [path / MANIFEST, *sorted(path.glob("lessons/*")), *sorted(path.glob("images/*"))]
    for file in candidates:
        name = file.relative_to(path).as_posix()
        if file.is_symlink() or file.parent.is_symlink():
            raise InvalidInput(f"{name} is a symbolic link; a course must hold its files itself.")
        if not file.is_file() or not _is_wanted(name):
            continue
        with file.open("rb") as opened:
            found[name] = opened.read(FILE_MAXIMUM + 1)
        _judge_sizes(found, name)
    return found


def _read_archive(path: Path) -> dict[str, bytes]:
    """Read the wanted members; what a header says of sizes is not believed, only what comes out counts."""
    found: dict[str, bytes] = {}
    if path.stat().st_size > COURSE_MAXIMUM:
        raise InvalidInput(f"The archive is larger than {COURSE_MAXIMUM // 1024 // 1024} MB.")
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _judge_members(members)
            for member, name in _below_top(members):
                if _is_wanted(name):
                    with archive.open(member) as opened:
                        found[name] = opened.read(FILE_MAXIMUM + 1)
                    _judge_sizes(found, name)
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError) as error:
        raise InvalidInput(f"The archive cannot be read: {error}.") from error
    return found


def _judge_members(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > FILES_MAXIMUM:
        raise InvalidInput(f"The archive has more than {FILES_MAXIMUM} files.")
    names = [member.filename for member in members]
    if len(set(names)) != len(names):
        raise InvalidInput("The archive has two files of the same name.")
    for member in members:
        name = member.filename
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\\" in name or ":" in name or not name.isprintable():
            raise InvalidInput("The archive has a file whose name leads out of it.")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise InvalidInput(f"{name} is a symbolic link; a course must hold its files itself.")
        if member.flag_bits & 1:
            raise InvalidInput("The archive is encrypted.")


def _below_top(members: list[zipfile.ZipInfo]) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    """Name the files from where the manifest is: packing a folder often puts its own name in front."""
    names = [member.filename for member in members if not member.is_dir()]
    manifests = sorted(
        (name for name in names if name.rpartition("/")[2] == MANIFEST), key=lambda name: name.count("/")
    )
    top = manifests[0].removesuffix(MANIFEST) if manifests else ""
    for member in members:
        if member.filename.startswith(top) and not member.is_dir():
            yield member, member.filename.removeprefix(top)


def _judge_sizes(found: Mapping[str, bytes], name: str) -> None:
    if len(found[name]) > FILE_MAXIMUM:
        raise InvalidInput(f"{name} is larger than {FILE_MAXIMUM // 1024} KB.")
    if len(found) > FILES_MAXIMUM or sum(map(len, found.values())) > COURSE_MAXIMUM:
        raise InvalidInput(
            f"The course is larger than {COURSE_MAXIMUM // 1024 // 1024} MB or {FILES_MAXIMUM} files."
        )


def _files(course: CourseText) -> Iterator[tuple[str, bytes]]:
    lines = [
        f"{name} = {_quoted(getattr(course, name))}" for name in ("slug", "title", "summary", "language")
    ]
    lines += [] if course.is_published else ["published = false"]
    number = 0
    for section in course.sections:
        names = []
        for lesson in section.lessons:
            number += 1
            names.append(f"{number:02d}-{lesson.slug}.md")
            yield f"lessons/{names[-1]}", f"# {lesson.title}\n\n{lesson.markdown}".encode()
        lines += ["", "[[sections]]", f"title = {_quoted(section.title)}", "lessons = ["]
        lines += [f"    {_quoted(name)}," for name in names] + ["]"]
    for image in course.images:
        yield f"images/{image.name}", image.content
    yield MANIFEST, ("\n".join(lines) + "\n").encode()


def _quoted(text: str) -> str:
    """Write a TOML string; control characters were refused when it was read."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
