"""The servers under the tests are real, private, separate for each test, and end."""

import smtplib
import socket
import ssl
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path

import psycopg
import pymysql
import pytest
from redis import Redis
from sqlalchemy import NullPool, create_engine, inspect, text
from sqlalchemy.engine import make_url

from academy import migrate
from aegis.db import Database
from tests.services import MariaDB, Postgres, Service, Smtp, Valkey, copy_of_database
from tests.services.process import accepts, family

ROOT = Path(__file__).parents[2]


def engine(url):
    return create_engine(url.replace("mariadb://", "mariadb+pymysql://"), poolclass=NullPool)


def table_names(url):
    with engine(url).connect() as connection:
        return inspect(connection).get_table_names()


def test_each_database_starts_empty_and_keeps_rows(database_url):
    assert table_names(database_url) == []

    with engine(database_url).begin() as connection:
        connection.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY)"))
        connection.execute(text("INSERT INTO things VALUES (1)"))

    with engine(database_url).connect() as connection:
        assert connection.execute(text("SELECT id FROM things")).scalars().all() == [1]


def test_a_copy_has_tables_and_rows_and_leaves_the_original_alone(database_url):
    original = engine(database_url)
    with original.begin() as connection:
        connection.execute(text("CREATE TABLE parents (id INTEGER PRIMARY KEY)"))
        connection.execute(text("CREATE TABLE children (parent INTEGER NOT NULL REFERENCES parents (id))"))
        connection.execute(text("INSERT INTO parents VALUES (1)"))
        connection.execute(text("INSERT INTO children VALUES (1)"))

    with copy_of_database(database_url) as url:
        copy = engine(url)
        with copy.begin() as connection:
            assert connection.execute(text("SELECT parent FROM children")).scalars().all() == [1]
            connection.execute(text("DELETE FROM children"))

    with original.connect() as connection:
        assert connection.execute(text("SELECT parent FROM children")).scalars().all() == [1]


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_migrated_database_has_the_schema_and_is_new_for_each_test(migrated_url, time):
    database = Database(migrated_url, pool_size=1, timeout_s=10, prepare=lambda _: None)
    with database.engine.connect() as connection:
        assert migrate.list_differences(connection) == []
    database.engine.dispose()

    with engine(migrated_url).begin() as connection:
        connection.execute(text("CREATE TABLE mark (id INTEGER)"))


def test_redis_answers_and_is_empty(redis_url):
    with Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("key", "value")
        assert client.get("key") == b"value"


def letter(text_):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.org", "b@example.org", "Code"
    mail.set_content(text_)
    return mail


@pytest.mark.parametrize("password", ["aegis-tests", "wrong"])
def test_mail_needs_tls_and_the_password(smtp, password):
    context = ssl.create_default_context(cafile=str(smtp.certificate))
    with smtplib.SMTP("localhost", smtp.port, timeout=10) as client:
        with pytest.raises(smtplib.SMTPException):
            client.login("aegis", "aegis-tests")
        client.starttls(context=context)
        if password == "wrong":
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("aegis", password)
        else:
            client.login("aegis", password)
            client.send_message(letter("Grüße, 123456"))

    if password == "wrong":
        assert smtp.mails == []
    else:
        (mail,) = smtp.received()
        assert (mail.sender, mail.recipients, mail.text.strip()) == (
            "a@example.org",
            ("b@example.org",),
            "Grüße, 123456",
        )


def test_mail_by_implicit_tls_can_be_refused():
    with Smtp(tls="implicit") as smtp:
        context = ssl.create_default_context(cafile=str(smtp.certificate))
        with smtplib.SMTP_SSL("localhost", smtp.port, timeout=10, context=context) as client:
            with pytest.raises(smtplib.SMTPSenderRefused):
                client.send_message(letter("not signed in"))
            client.login("aegis", "aegis-tests")
            smtp.refuse_with = "451 try later"
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.send_message(letter("refused"))
            smtp.refuse_with = None
            client.send_message(letter("taken"))

        assert [mail.text.strip() for mail in smtp.received()] == ["taken"]


def test_chromium_draws_a_page_and_reaches_nothing_outside(browser):
    page = browser.new_page()
    page.set_content("<title>Aegis</title><h1>Hello</h1>")

    assert page.get_by_role("heading").inner_text() == "Hello"
    with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
        page.goto("http://example.org/")
    page.close()


@pytest.mark.parametrize("kind", [Postgres, MariaDB, Valkey])
def test_a_private_server_survives_stop_and_crash_on_its_port(kind):
    with kind() as server:
        port = server.port
        server.stop()
        assert not accepts(port)
        server.start()
        server.kill()
        assert not accepts(port)
        server.start()

        assert server.is_ready()
        folder = server.folder

    assert not accepts(port)
    assert not folder.exists()


def test_a_paused_server_keeps_the_connection_and_says_nothing():
    with (
        Postgres() as postgres,
        psycopg.connect(postgres.url, autocommit=True) as connection,
        ThreadPoolExecutor(1) as thread,
    ):
        assert connection.execute("SELECT 1").fetchone() == (1,)

        postgres.pause()
        answer = thread.submit(lambda: connection.execute("SELECT 2").fetchone())
        with pytest.raises(TimeoutError):
            answer.result(timeout=0.2)
        postgres.resume()

        assert answer.result(timeout=10) == (2,)


KEEPS_A_SERVER = """
import sys, time
from tests.services import Postgres, MariaDB, Valkey
with globals()[sys.argv[1]]() as server:
    print(server.port, server.process.pid, server.folder, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["Postgres", "MariaDB", "Valkey"])
def test_a_server_ends_with_a_killed_test_run(kind):
    run = subprocess.Popen(
        [sys.executable, "-c", KEEPS_A_SERVER, kind], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    port, pid, folder = run.stdout.readline().split()
    assert accepts(int(port))
    members = list(family(int(pid)))
    run.kill()
    run.communicate()

    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{member}").exists() for member in members) and time.monotonic() < deadline:
        time.sleep(0.02)
    subprocess.run(["rm", "-rf", folder], check=True)
    assert [member for member in members if Path(f"/proc/{member}").exists()] == []
    assert not accepts(int(port))


def test_servers_of_root_run_as_nobody():
    with Valkey() as valkey:
        owner = Path(f"/proc/{valkey.process.pid}").stat().st_uid

        assert isinstance(valkey, Service)
        assert owner != 0


def test_a_connection_to_another_machine_is_refused_and_to_this_one_is_not(mariadb_url):
    with pytest.raises(AssertionError, match="this machine alone"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(AssertionError, match="this machine alone"):
        socket.getaddrinfo("example.org", 80)

    parsed = make_url(mariadb_url)
    pymysql.connect(
        host="localhost", port=parsed.port, user=parsed.username, password=parsed.password
    ).close()
