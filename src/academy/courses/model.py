"""A course as its authors write it, whole and apart from any database."""

import dataclasses
import hashlib
import json
import math
import re

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SLUG_MAXIMUM = 64
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
WORDS_A_MINUTE = 200


@dataclasses.dataclass(frozen=True)
class LessonText:
    """One lesson: the Markdown below its title."""

    slug: str
    title: str
    markdown: str

    @property
    def minutes(self) -> int:
        """How long reading takes, at a calm pace."""
        return max(1, math.ceil(len(self.markdown.split()) / WORDS_A_MINUTE))


@dataclasses.dataclass(frozen=True)
class SectionText:
    """Lessons under a common title."""

    title: str
    lessons: tuple[LessonText, ...]


@dataclasses.dataclass(frozen=True)
class Image:
    """A picture that lessons show."""

    name: str
    media_type: str
    content: bytes


@dataclasses.dataclass(frozen=True)
class CourseText:
    """The whole course."""

    slug: str
    title: str
    summary: str
    language: str
    is_published: bool
    sections: tuple[SectionText, ...]
    images: tuple[Image, ...]

    @property
    def lessons(self) -> list[LessonText]:
        """All lessons in order."""
        return [lesson for section in self.sections for lesson in section.lessons]

    def digest(self) -> bytes:
        """Return a hash of everything in it, so that importing the same again changes nothing."""
        words = dataclasses.asdict(dataclasses.replace(self, images=()))
        pictures = [
            (image.name, image.media_type, hashlib.sha256(image.content).hexdigest()) for image in self.images
        ]
        return hashlib.sha256(json.dumps([words, sorted(pictures)]).encode()).digest()


def is_slug(text: str) -> bool:
    """Tell whether the text can name a course or lesson in an address."""
    return len(text) <= SLUG_MAXIMUM and SLUG.fullmatch(text) is not None


def is_file_name(text: str) -> bool:
    """Tell whether the text can name a file of a course."""
    return FILE_NAME.fullmatch(text) is not None
