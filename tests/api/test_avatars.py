"""The picture of an account: uploaded, shown, replaced, removed; and whatever else somebody sends in its place."""

import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from PIL import Image
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from aegis.accounts import avatars
from tests.factories import Browser, assert_refused, copy_of, form_to, rows, signed_in
from tests.fixtures import Clock, NewApp
from tests.pictures import BLUE, HTML, RED, SVG, encoded, huge_png, photo, picture

PATH = "/api/profile/avatar"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "uploads"


@pytest.fixture
def app(new_app: NewApp, folder: Path) -> flask.Flask:
    return new_app(AEGIS_UPLOADS=str(folder))


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


def upload(
    browser: Browser, content: bytes | None = None, name: str = "me.png", kind: str = "image/png", **more: Any
) -> TestResponse:
    """Send a picture as a script does."""
    file = (io.BytesIO(picture() if content is None else content), name, kind)
    return browser.write(PATH, data={"avatar": file, **more})


def submit(browser: Browser, content: bytes, name: str = "me.png", kind: str = "image/png") -> TestResponse:
    """Send a picture as the form of the profile does."""
    form = form_to(browser.page("/profile"), "/profile/avatar")
    data = {**form, "avatar": (io.BytesIO(content), name, kind)}
    return browser.post("/profile/avatar", data=data, headers={"Accept": "text/html"})


def assert_reason(refused: TestResponse) -> str:
    fields = assert_refused(refused, 400, "invalid_input")["fields"]
    assert set(fields) == {"avatar"}
    return str(fields["avatar"])


@pytest.mark.control("ASVS-5.0-5.3.1", "ASVS-5.0-5.3.2", "ASVS-5.0-5.4.1", "ASVS-5.0-5.2.2")
def test_a_picture_is_shown_under_a_name_and_type_of_ours(
    app: flask.Flask, anna: Browser, client: Browser, folder: Path
) -> None:
    saved = upload(anna, photo(), "../../IMG 1.jpg", "image/jpeg")

    assert saved.status_code == 200, saved.text
    url = saved.json["user"]["avatar_url"]
    assert anna.get("/api/profile").json["user"]["avatar_url"] == url
    assert files(folder) == [url.removeprefix("/avatars/")]
    shown = client.get(url)
    assert shown.status_code == 200
    headers = shown.headers
    assert headers["Content-Type"] == "image/webp"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["Content-Disposition"] == 'inline; filename="picture.webp"'
    assert "Set-Cookie" not in headers
    image = Image.open(io.BytesIO(shown.data), formats=["WEBP"])
    assert (image.size, dict(image.getexif())) == ((256, 256), {})
    upper, lower = image.convert("RGB").getpixel((128, 20)), image.convert("RGB").getpixel((128, 236))
    assert (upper[0] > 150 > upper[2], lower[2] > 150 > lower[0]) == (True, True), "upright: red above blue"
    assert client.get(url, headers={"If-None-Match": headers["ETag"]}).status_code == 304


def test_another_picture_has_another_name_and_the_one_before_is_gone(
    anna: Browser, ben: Browser, client: Browser, folder: Path
) -> None:
    first = upload(anna).json["user"]["avatar_url"]
    other = upload(ben).json["user"]["avatar_url"]
    second = upload(anna).json["user"]["avatar_url"]

    assert len({first, other, second}) == 3
    assert_refused(client.get(first), 404, "not_found")
    assert client.get(second).status_code == client.get(other).status_code == 200
    assert len(files(folder)) == 2
    removed = anna.write(PATH, method="DELETE")
    assert (removed.status_code, removed.json["user"]["avatar_url"]) == (200, None)
    assert_refused(client.get(second), 404, "not_found")
    assert files(folder) == [other.removeprefix("/avatars/")]
    assert anna.write(PATH, method="DELETE").status_code == 200


def test_a_refused_picture_leaves_the_one_before(anna: Browser, client: Browser, folder: Path) -> None:
    kept = upload(anna).json["user"]["avatar_url"]
    before = files(folder)
    assert_reason(upload(anna, b"no picture"))

    assert files(folder) == before
    assert anna.get("/api/profile").json["user"]["avatar_url"] == kept
    assert client.get(kept).status_code == 200


@pytest.mark.control("ASVS-5.0-5.3.2", "ASVS-5.0-1.1.1")
@pytest.mark.parametrize(
    "name",
    ["x", "../aegis.sqlite", "%2e%2e%2faegis.sqlite", "%252e%252e", ".webp", "A" * 22 + ".webp"],
)
def test_no_other_file_is_reached_through_the_address_of_a_picture(
    anna: Browser, folder: Path, name: str
) -> None:
    assert upload(anna).status_code == 200
    (folder.parent / "aegis.sqlite").write_text("secret")
    assert_refused(anna.get(f"/avatars/{name}"), 404, "not_found")


# What is refused, over HTTP


@pytest.mark.control("ASVS-5.0-5.2.6", "ASVS-5.0-1.3.4", "ASVS-5.0-5.2.2")
@pytest.mark.parametrize(
    ("sent", "word"),
    [
        ((huge_png(24_000), "a.png", "image/png"), "pixels"),
        ((SVG, "a.svg", "image/svg+xml"), "SVG"),
        ((SVG, "a.png", "image/png"), "SVG"),
        ((HTML, "a.png", "image/png"), "not a PNG"),
        ((picture() + HTML, "a.png", "image/png"), "more than a picture"),
        ((picture()[:60], "a.png", "image/png"), "damaged"),
        ((picture(), "a.gif", "image/gif"), "ends differently"),
        ((picture(), "a.png", "text/html"), "another type"),
        ((b"", "a.png", "image/png"), "choose"),
        ((b"", "", "application/octet-stream"), "choose"),
    ],
    ids=["bomb", "svg", "svg-as-png", "html-as-png", "polyglot", "cut-off", "name", "type", "empty", "none"],
)
def test_a_refusal_names_its_reason_and_stores_nothing(
    app: flask.Flask, anna: Browser, folder: Path, sent: tuple[bytes, str, str], word: str
) -> None:
    before = rows(app, "accounts")
    assert word in assert_reason(upload(anna, *sent))

    assert rows(app, "accounts") == before
    assert files(folder) == []
    page = submit(anna, *sent)
    assert page.status_code == 400
    assert form_to(page, "/profile/avatar")
    assert word in page.text


@pytest.mark.control("ASVS-5.0-5.2.1")
def test_a_file_may_be_as_long_as_the_setting_and_no_longer(new_app: NewApp, folder: Path) -> None:
    app = new_app(AEGIS_UPLOADS=str(folder), AEGIS_INPUT_UPLOAD="300000", AEGIS_BODY_LIMIT="100000")
    anna = signed_in(app, "anna")
    long = picture().ljust(300_000, b"\0")

    assert upload(anna, long).status_code == 200
    assert "at most" in assert_reason(upload(anna, long + b"\0"))
    assert_refused(upload(anna, long.ljust(400_000, b"\0")), 413, "too_large")
    assert_refused(anna.write("/api/profile", {"bio": "x" * 100_000}), 413, "too_large")
    page = submit(anna, long.ljust(400_000, b"\0"))
    assert page.status_code == 413
    assert form_to(page, "/profile/avatar")
    assert "must have at most" in page.text
    assert_refused(
        app.test_client().post("/profile/avatar", data={"avatar": (io.BytesIO(b"x" * 400_000), "a")}),
        413,
        "too_large",
    )


@pytest.mark.control("ASVS-5.0-15.3.7", "ASVS-5.0-2.2.1")
def test_the_form_has_one_file_and_nothing_else(anna: Browser, folder: Path) -> None:
    def send(**data: Any) -> TestResponse:
        return anna.write(PATH, data=data, headers={"Content-Type": "multipart/form-data"})

    def file() -> tuple[io.BytesIO, str]:
        return io.BytesIO(picture()), "a.png"

    assert "twice" in assert_reason(send(avatar=[file(), file()]))
    assert "Must be a file" in assert_reason(send(avatar="text"))
    refused = send(avatar=file(), role="admin", **{"<b>": file()})
    fields = assert_refused(refused, 400, "invalid_input")["fields"]
    assert set(fields) == {"role", "?b?"}
    assert_refused(anna.write(PATH, {"avatar": "x"}), 415, "unsupported_media_type")
    assert_refused(
        anna.write(PATH, data=picture(), headers={"Content-Type": "image/png"}), 415, "unsupported_media_type"
    )
    assert_reason(send())
    assert files(folder) == []
    assert send(avatar=file()).status_code == 200


@pytest.mark.control("ASVS-5.0-8.2.1")
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_visitor_changes_no_picture(app: flask.Flask, client: Browser, folder: Path, method: str) -> None:
    file = {"data": {"avatar": (io.BytesIO(picture()), "a.png")}} if method == "POST" else {}
    assert_refused(client.write(PATH, method=method, **file), 401, "not_authenticated")
    assert files(folder) == []


@pytest.mark.control("ASVS-5.0-3.5.1")
def test_a_picture_needs_a_form_token(anna: Browser, folder: Path) -> None:
    data = {"avatar": (io.BytesIO(picture()), "a.png")}
    assert_refused(anna.post(PATH, data=data), 400, "csrf_failed")
    assert_refused(anna.delete(PATH), 400, "csrf_failed")
    assert files(folder) == []


@pytest.mark.control("ASVS-5.0-2.4.1")
def test_uploads_of_an_account_are_limited(new_app: NewApp, folder: Path, clock: Clock) -> None:
    app = new_app(AEGIS_UPLOADS=str(folder), AEGIS_LIMIT_UPLOAD_ACCOUNT="3/3m")
    anna, ben = signed_in(app, "anna"), signed_in(app, "ben")
    assert upload(anna).status_code == 200
    assert_reason(upload(anna, b"x"))
    assert upload(anna).status_code == 200
    refused = upload(anna)

    assert_refused(refused, 429, "rate_limited")
    assert refused.headers["Retry-After"] == "60"
    page = submit(anna, picture())
    assert page.status_code == 429
    assert "Please wait 1 minute" in page.text
    assert upload(ben).status_code == 200
    clock.advance(60)
    assert upload(anna).status_code == 200


def test_busy_decoders_answer_503_and_nothing_is_counted(
    new_app: NewApp, folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = new_app(AEGIS_UPLOADS=str(folder), AEGIS_LIMIT_UPLOAD_ACCOUNT="1/1h")
    anna = signed_in(app, "anna")
    door = avatars.Gate("test", parallel=1, queue=0, wait_s=0)
    monkeypatch.setattr(avatars, "_DOOR", door)
    with door.place():
        assert_refused(upload(anna), 503, "busy")
    assert upload(anna).status_code == 200


def test_a_folder_that_is_away_is_503_and_changes_nothing(
    app: flask.Flask, anna: Browser, folder: Path
) -> None:
    folder.write_text("in the way")
    assert_refused(upload(anna), 503, "unavailable")
    assert anna.get("/api/profile").json["user"]["avatar_url"] is None
    assert submit(anna, picture()).status_code == 503
    folder.unlink()
    assert upload(anna).status_code == 200
    url = anna.get("/api/profile").json["user"]["avatar_url"]
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    folder.write_text("in the way")
    assert_refused(anna.get(url), 503, "unavailable")
    assert anna.write(PATH, method="DELETE").status_code == 200, "a file that cannot be removed keeps nobody"


# The page


def test_the_form_saves_shows_and_removes_the_picture(anna: Browser, folder: Path) -> None:
    page = anna.page("/profile")
    assert 'class="portrait"' not in page.text
    assert 'enctype="multipart/form-data"' in page.text
    saved = submit(anna, picture())
    assert (saved.status_code, saved.headers["Location"]) == (303, "/profile")

    page = anna.page("/profile")
    [name] = files(folder)
    assert f'src="/avatars/{name}"' in page.text
    assert "Your picture was saved." in page.text
    removed = anna.submit("/profile/avatar/remove")
    assert removed.status_code == 303
    assert 'class="portrait"' not in anna.page("/profile").text
    assert files(folder) == []


def test_a_form_that_met_an_ended_session_comes_back_and_asks_for_the_file(
    app: flask.Flask, anna: Browser
) -> None:
    form = form_to(anna.page("/profile"), "/profile/avatar")
    assert anna.submit("/profile/avatar", **form).status_code == 400
    assert "choose the picture again" in anna.submit("/profile/avatar", **form).text
    anna.write("/api/logout")
    data = {**form, "avatar": (io.BytesIO(picture()), "a.png")}
    page = anna.post("/profile/avatar", data=data, headers={"Accept": "text/html"})
    assert page.status_code in {400, 401}
    assert anna.get("/api/check_session").status_code == 401


# A request in flight at sign-out (field lesson L1)


@pytest.fixture
def served(new_app: NewApp, sqlite_url: str, folder: Path) -> Iterator[tuple[flask.Flask, int]]:
    """Serve the platform on a file and a port, each request in a thread of its own."""
    app = new_app(DATABASE_URL=sqlite_url, AEGIS_DATABASE_TIMEOUT="10", AEGIS_UPLOADS=str(folder))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    yield app, server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def multipart(content: bytes) -> bytes:
    head = 'Content-Disposition: form-data; name="avatar"; filename="a.png"\r\nContent-Type: image/png'
    return f"--limit\r\n{head}\r\n\r\n".encode() + content + b"\r\n--limit--\r\n"


@pytest.mark.control("ASVS-5.0-7.4.1")
@pytest.mark.parametrize("signs_out", [True, False])
def test_an_upload_that_ends_after_the_session_stores_nothing(
    served: tuple[flask.Flask, int], folder: Path, monkeypatch: pytest.MonkeyPatch, signs_out: bool
) -> None:
    app, port = served
    anna = signed_in(app, "anna")
    copy = copy_of(anna)
    reached = threading.Event()
    view = app.view_functions["aegis_accounts.change_avatar"]

    def noted() -> Any:
        reached.set()
        return view()

    noted.__dict__.update(vars(view))
    monkeypatch.setitem(app.view_functions, "aegis_accounts.change_avatar", noted)
    body = multipart(encoded(Image.effect_noise((300, 300), 90), "PNG"))
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: multipart/form-data; boundary=limit\r\n"
        f"Content-Length: {len(body)}\r\nCookie: session={anna.session_cookie()}\r\n"
        f"X-CSRFToken: {anna.token()}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + body[:-1000])
        assert reached.wait(10), "the session was read, the body is still coming"
        if signs_out:
            assert anna.write("/api/logout").status_code == 200
        connection.sendall(body[-1000:])
        answer = connection.makefile("rb").read()

    assert answer.split()[1] == (b"401" if signs_out else b"200"), answer
    assert len(files(folder)) == (0 if signs_out else 1)
    assert (rows(app, "accounts")[0]["avatar"] is None) == signs_out
    assert (copy.get("/api/check_session").status_code == 401) == signs_out
    assert (rows(app, "sessions") == []) == signs_out


def test_of_uploads_at_once_one_file_stays(served: tuple[flask.Flask, int], folder: Path) -> None:
    app, _ = served
    anna = signed_in(app, "anna")
    browsers = [copy_of(anna) for _ in range(6)]
    answers: list[int] = []
    colours = [RED, BLUE] * 3

    def send(browser: Browser, colour: tuple[int, int, int]) -> None:
        answers.append(upload(browser, encoded(Image.new("RGB", (90, 90), colour), "PNG")).status_code)

    threads = [threading.Thread(target=send, args=pair) for pair in zip(browsers, colours, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [200] * 6
    assert files(folder) == [rows(app, "accounts")[0]["avatar"]]


def test_pictures_live_in_a_bucket_where_the_settings_say_so(
    new_app: NewApp, folder: Path, s3_url: str
) -> None:
    app = new_app(AEGIS_UPLOADS=str(folder), AEGIS_UPLOADS_S3_URL=s3_url)
    anna, other_process = signed_in(app, "anna"), new_app(AEGIS_UPLOADS_S3_URL=s3_url).test_client()
    url = upload(anna).json["user"]["avatar_url"]

    shown = other_process.get(url)
    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/webp")
    assert shown.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert files(folder) == []
    assert anna.write(PATH, method="DELETE").status_code == 200
    assert_refused(other_process.get(url), 404, "not_found")
