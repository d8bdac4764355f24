"""L23: nothing that was opened before a fork is shared after it; everybody sees their own name."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.deploy.servers import Caller, Server, add_accounts

NAMES = [f"learner{number:02}" for number in range(20)]
LINES = {
    "gunicorn preload": ("gunicorn", "--preload", "-w", "4", "-b", "127.0.0.1:{port}", "app:app"),
    "granian": ("granian", "--interface", "wsgi", "--workers", "2", "--port", "{port}", "app:app"),
}


@pytest.mark.parametrize("words", LINES.values(), ids=LINES)
def test_200_sign_ins_16_at_a_time_each_see_their_own_name(words, migrated_database):
    url = migrated_database("postgresql")
    add_accounts(url, *NAMES)
    # The rules of production would make 200 costly hashes of it; what a fork shares is the same in both.
    with (
        Server(*words, environ={"FLASK_ENV": "testing", "DATABASE_URL": url}) as server,
        ThreadPoolExecutor(16) as crowd,
    ):
        seen = list(crowd.map(lambda number: _name_seen(server, NAMES[number % len(NAMES)]), range(200)))

    wrong = [(name, answers) for name, answers in seen if answers != [200, name, name]]
    assert wrong == []


def _name_seen(server, name):
    caller = Caller(server)
    status = caller.sign_in(name).status_code
    return name, [status, caller.who(), caller.who()]
