"""A course is read from a folder or archive, whatever somebody put in it, and written so that it reads the same."""

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from academy.courses import folder
from academy.courses.model import CourseText, Image, LessonText, SectionText
from aegis.errors import InvalidInput

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
MANIFEST = """
slug = "locks"
title = "Locks"
summary = "All about locks."
language = "en"

[[sections]]
title = "First"
lessons = ["01-keys.md", "02-doors.md"]
"""
FILES = {
    "course.toml": MANIFEST.encode(),
    "lessons/01-keys.md": b"# Keys\n\nA key. ![Key](images/key.png)\n",
    "lessons/02-doors.md": b"# Doors\r\n\r\nA door.\r\n",
    "images/key.png": PNG,
}


def lay(target: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, content in files.items():
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return target


def pack(target: Path, files: dict[str, bytes]) -> Path:
    """Write files into an archive under exactly these names."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return target


def test_a_folder_becomes_a_course(tmp_path: Path) -> None:
    course = folder.read(lay(tmp_path, FILES))
    assert (course.slug, course.title, course.language, course.is_published) == ("locks", "Locks", "en", True)
    assert [(lesson.slug, lesson.title, lesson.markdown) for lesson in course.lessons] == [
        ("keys", "Keys", "A key. ![Key](images/key.png)\n"),
        ("doors", "Doors", "A door.\n"),
    ]
    assert course.images == (Image("key.png", "image/png", PNG),)


def test_the_sample_course_is_sound() -> None:
    course = folder.read(Path(folder.__file__).parents[1] / "samples" / "safe-accounts")
    assert course.slug == "safe-accounts"
    assert len(course.lessons) >= 5
    assert course.images
    assert all(1 <= lesson.minutes <= 15 for lesson in course.lessons)


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_what_is_written_reads_the_same(tmp_path: Path, name: str) -> None:
    written = CourseText(
        slug="tricky",
        title='Quotes " and \\ back\\slashes',
        summary="Ünïcode – 漢字 🔑",
        language="pt-BR",
        is_published=False,
        sections=(
            SectionText("One", (LessonText("a-b", "A # title", "Text\n\n# Heading\n"),)),
            SectionText("Two", (LessonText("c", "C", "![x](images/x.png)\n"), LessonText("d", "D", "d\n"))),
        ),
        images=(Image("x.png", "image/png", PNG),),
    )
    folder.write(written, tmp_path / name)
    again = folder.read(tmp_path / name)
    assert again == written
    assert again.digest() == written.digest()


def test_writing_replaces_nothing(tmp_path: Path) -> None:
    course = folder.read(lay(tmp_path / "in", FILES))
    taken = lay(tmp_path / "out", {"diary.txt": b"mine"})
    with pytest.raises(InvalidInput, match="exists already"):
        folder.write(course, taken)
    assert (taken / "diary.txt").read_bytes() == b"mine"
    (tmp_path / "empty").mkdir()
    folder.write(course, tmp_path / "empty")
    assert folder.read(tmp_path / "empty") == course


def test_an_archive_may_hold_the_folder_itself(tmp_path: Path) -> None:
    plain = folder.read(pack(tmp_path / "a.zip", FILES))
    packed = {f"locks/{name}": content for name, content in FILES.items()}
    below = pack(
        tmp_path / "b.zip", {**packed, "__MACOSX/locks/._course.toml": b"x", "locks/.DS_Store": b"x"}
    )
    assert folder.read(below) == plain == folder.read(lay(tmp_path / "c", FILES))


def test_the_digest_sees_every_change(tmp_path: Path) -> None:
    digests = {folder.read(lay(tmp_path / "0", FILES)).digest()}
    changes = {
        "course.toml": MANIFEST.replace("All about", "Much about").encode(),
        "lessons/02-doors.md": b"# Doors\n\nAnother door.\n",
        "images/key.png": PNG + b"x",
    }
    for number, (name, content) in enumerate(changes.items(), 1):
        digests.add(folder.read(lay(tmp_path / str(number), {**FILES, name: content})).digest())
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("name", "content", "place", "sentence"),
    [
        ("course.toml", b"slug = ", "course.toml", "not valid TOML"),
        ("course.toml", b"\xff", "course.toml", "not valid TOML"),
        ("course.toml", MANIFEST.replace('"locks"', '"Locks!"').encode(), "course.toml", "lower-case"),
        (
            "course.toml",
            MANIFEST.replace('"locks"', "7").encode(),
            "course.toml",
            "slug is missing or is no text",
        ),
        ("course.toml", MANIFEST.replace('"en"', '"English"').encode(), "course.toml", "language"),
        ("course.toml", MANIFEST.replace("All about", "\\u0000").encode(), "course.toml", "one line"),
        (
            "course.toml",
            MANIFEST.replace("02-doors", "03-none").encode(),
            "lessons/03-none.md",
            "no such file",
        ),
        (
            "course.toml",
            MANIFEST.replace("02-doors.md", "../x.md").encode(),
            "lessons/../x.md",
            "no such file",
        ),
        ("course.toml", MANIFEST.replace('"02-doors.md"', "2").encode(), "course.toml", "list of file names"),
        ("course.toml", MANIFEST.replace("02-doors", "01-keys").encode(), "course.toml", "same slug"),
        ("course.toml", MANIFEST.partition("[[")[0].encode(), "course.toml", "Names no lesson"),
        (
            "course.toml",
            MANIFEST.partition("[[")[0].encode() + b"sections = 3",
            "course.toml",
            "[[sections]]",
        ),
        ("lessons/01-keys.md", b"Keys\n", "lessons/01-keys.md", "begin with its title"),
        ("lessons/01-keys.md", b"", "lessons/01-keys.md", "begin with its title"),
        ("lessons/01-keys.md", b"# K\n\n\0", "lessons/01-keys.md", "begin with its title"),
        ("lessons/01-keys.md", b"# \xff\n", "lessons/01-keys.md", "not UTF-8"),
        ("lessons/01-keys.md", b"# K\n\n![x](images/none.png)", "lesson keys", "not in images/"),
        ("lessons/01-keys.md", b"# K\n\n![x](https://a.test/x.png)", "lesson keys", "not in images/"),
        ("images/key.png", b"<svg onload=alert(1)>", "images/key.png", "not what its name says"),
        ("images/evil.svg", b"<svg/>", "images/evil.svg", "PNG, JPEG, GIF or WebP"),
        ("images/x.html", PNG, "images/x.html", "PNG, JPEG, GIF or WebP"),
        ("images/x.webp", b"RIFF1234AVI ", "images/x.webp", "not what its name says"),
    ],
)
def test_each_fault_is_told_with_its_place(
    tmp_path: Path, name: str, content: bytes, place: str, sentence: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        folder.read(lay(tmp_path, {**FILES, name: content}))
    assert sentence in refused.value.fields[place]


def test_what_is_no_course_is_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    for path, sentence in [
        (tmp_path / "none", "nothing at"),
        (tmp_path / "text", "neither a folder nor a zip"),
        (tmp_path, "no course.toml"),
    ]:
        with pytest.raises(InvalidInput, match=sentence):
            folder.read(path)


@pytest.mark.control("ASVS-5.0-5.3.2")
@pytest.mark.parametrize(
    "name", ["../evil.md", "/etc/passwd", "a/../../b", "..\\evil.md", "C:evil.md", "x\ny"]
)
def test_names_that_lead_out_of_the_archive_refuse_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="leads out of it"):
        folder.read(pack(tmp_path / "a.zip", {**FILES, name: b"x"}))


def test_symbolic_links_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"# Secret\n")
    course = lay(tmp_path / "course", FILES)
    (course / "lessons" / "02-doors.md").unlink()
    (course / "lessons" / "02-doors.md").symlink_to(secret)
    with pytest.raises(InvalidInput, match="symbolic link"):
        folder.read(course)
    link = zipfile.ZipInfo("lessons/02-doors.md")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("course.toml", "lessons/01-keys.md", "images/key.png"):
            archive.writestr(name, FILES[name])
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InvalidInput, match="symbolic link"):
        folder.read(tmp_path / "a.zip")


def test_a_linked_folder_of_lessons_is_refused(tmp_path: Path) -> None:
    course = lay(tmp_path / "course", FILES)
    (course / "lessons").rename(tmp_path / "elsewhere")
    (course / "lessons").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match="symbolic link"):
        folder.read(course)


def understated(archive: bytes) -> bytes:
    """Return the archive with a header that claims a tiny size for its first member."""
    at = archive.index(b"PK\x01\x02")
    return archive[: at + 24] + (5).to_bytes(4, "little") + archive[at + 28 :]


@pytest.mark.control("ASVS-5.0-5.2.3")
@pytest.mark.parametrize("lie", [bytes, understated])
def test_an_archive_that_expands_beyond_measure_is_refused(
    tmp_path: Path, lie: Callable[[bytes], bytes]
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images/bomb.png", bytes(300 * 1024 * 1024))
        archive.writestr("course.toml", MANIFEST)
    assert len(packed.getvalue()) < 1024 * 1024
    (tmp_path / "a.zip").write_bytes(lie(packed.getvalue()))
    with pytest.raises(InvalidInput):
        folder.read(tmp_path / "a.zip")


def test_too_many_too_large_and_doubled_files_are_refused(tmp_path: Path) -> None:
    many = {f"notes/{number}": b"" for number in range(folder.FILES_MAXIMUM)}
    with pytest.raises(InvalidInput, match="more than"):
        folder.read(pack(tmp_path / "many.zip", {**FILES, **many}))
    large = {"images/large.png": PNG + bytes(folder.FILE_MAXIMUM)}
    with pytest.raises(InvalidInput, match="larger than 1024 KB"):
        folder.read(pack(tmp_path / "large.zip", {**FILES, **large}))
    with pytest.raises(InvalidInput, match="larger than 1024 KB"):
        folder.read(lay(tmp_path / "large", {**FILES, **large}))
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("course.toml", MANIFEST)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("course.toml", MANIFEST)
    with pytest.raises(InvalidInput, match="same name"):
        folder.read(tmp_path / "twice.zip")


def test_a_broken_archive_is_a_refusal(tmp_path: Path) -> None:
    whole = pack(tmp_path / "a.zip", FILES).read_bytes()
    place = whole.index(b"PK\x03\x04") + 40
    (tmp_path / "b.zip").write_bytes(whole[:place] + b"\xff" * 20 + whole[place + 20 :])
    with pytest.raises(InvalidInput, match="cannot be read"):
        folder.read(tmp_path / "b.zip")
