"""Files in a folder and in a bucket: one promise, two places, a real S3 server."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis import errors, settings, tokens, uploads
from aegis.uploads import Bucket, Folder, Uploads
from tests.services.process import free_port


def new_name() -> str:
    return f"{tokens.new_id()}.webp"


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Uploads:
    """Give each place in turn, through the settings as the application does."""
    if request.param == "folder":
        environ = {"AEGIS_UPLOADS": str(tmp_path / "some" / "folder")}
    else:
        environ = {"AEGIS_UPLOADS_S3_URL": request.getfixturevalue("s3_url")}
    return uploads.make(settings.load(environ).settings)


def test_what_was_put_is_given_until_it_is_removed(place: Uploads) -> None:
    first, second = new_name(), new_name()
    assert place.get(first) is None
    place.put(first, b"one \x00\xff")
    place.put(second, b"")

    assert (place.get(first), place.get(second)) == (b"one \x00\xff", b"")
    place.remove(first)
    assert (place.get(first), place.get(second)) == (None, b"")
    place.remove(first)


@pytest.mark.control("ASVS-5.0-5.3.2", "ASVS-5.0-5.3.1")
@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../secret.webp",
        "/etc/passwd",
        f"{'A' * 21}/.webp",
        f"{'A' * 22}.webp\n",
        f"{'A' * 22}.webp\0",
        f"{'A' * 22}.html",
        f"{'A' * 22}",
        f"{'A' * 23}.webp",
        f"{'A' * 18}%2e%2e.webp",
    ],
)
def test_no_name_leads_elsewhere(place: Uploads, name: str) -> None:
    for use in (place.get, place.remove, lambda given: place.put(given, b"x")):
        with pytest.raises(ValueError, match="not a name of an uploaded file"):
            use(name)


def test_the_folder_is_for_its_owner_alone_and_holds_whole_files(tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    name = new_name()
    Folder(str(folder)).put(name, b"x")

    assert [file.name for file in folder.iterdir()] == [name]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_written_is_said_to_be_away(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(errors.Unavailable) as refused:
        Folder(str(tmp_path / "file" / "uploads")).put(new_name(), b"x")
    assert refused.value.headers["Retry-After"]


def _right(url: str) -> str:
    return url


def _wrong_secret(url: str) -> str:
    return url.replace("secret%2F", "other%2F")


def _nobody_there(url: str) -> str:
    return f"s3://a:b@127.0.0.1:{free_port()}/uploads?tls=off"


@pytest.mark.parametrize("broken", [_wrong_secret, _nobody_there])
def test_a_bucket_that_refuses_or_is_gone_is_said_to_be_away(
    s3_url: str, broken: Callable[[str], str]
) -> None:
    Bucket(_right(s3_url)).put(new_name(), b"x")
    place = Bucket(broken(s3_url))
    for use in (place.get, place.remove, lambda name: place.put(name, b"x")):
        with pytest.raises(uploads.StorageAway):
            use(new_name())


def test_two_prefixes_of_a_bucket_are_two_places(s3_url: str) -> None:
    name = new_name()
    Bucket(s3_url).put(name, b"x")

    assert Bucket(s3_url).get(name) == b"x"
    assert Bucket(s3_url.replace("?", "-other?")).get(name) is None
