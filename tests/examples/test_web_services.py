"""The small web services run under their real servers, in fresh processes. `make examples` brings the packages."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import edge_infer
from tests.examples.models import PENGUINS, penguins_with_gaps

FOLDER = Path(__file__).parents[2] / "examples" / "web_service"
PYTHON = os.environ.get("EXAMPLES_PYTHON", "")
GUNICORN = ["gunicorn", "--no-control-socket", "--workers", "2", "--threads", "4", "--bind"]
SERVERS = {
    "flask": [*GUNICORN, "127.0.0.1:{port}", "flask_app:app"],
    "fastapi": ["uvicorn", "--workers", "2", "--port", "{port}", "fastapi_app:app"],
    "django": [*GUNICORN, "127.0.0.1:{port}", "django_app:application"],
}
TOKEN = "a secret, ü"
LIMIT = 1_000_000

pytestmark = pytest.mark.skipif(not PYTHON, reason="needs Flask, FastAPI and Django: run `make examples`")


class Answer(NamedTuple):
    status: int
    document: Any


class Service(NamedTuple):
    """A server that runs."""

    name: str
    port: int

    def ask(self, body: bytes | None, token: str | None = TOKEN, path: str = "/predict") -> Answer:
        """A POST with a body, a GET without."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {} if token is None else {"Authorization": b"Bearer " + token.encode()}
        try:
            connection.request("GET" if body is None else "POST", path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, json.loads(response.read()))
        finally:
            connection.close()

    def predict(self, data: Any) -> Answer:
        return self.ask(json.dumps({"input": data}).encode())

    def raw(self, head: str, body: bytes = b"") -> int:
        """The status that is told to these bytes; more may be announced than is sent."""
        lines = ["POST /predict HTTP/1.1", "Host: localhost", head, "Connection: close", "", ""]
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            text = "\r\n".join(lines).encode()
            text = text.replace(b"Host", b"Authorization: Bearer " + TOKEN.encode() + b"\r\nHost", 1)
            connection.sendall(text + body)
            with connection.makefile("rb") as answer:
                return int(answer.readline().split()[1])


def started(name: str, port: int, log: Path, **variables: str) -> subprocess.Popen[bytes]:
    command = [part.format(port=port) for part in SERVERS[name]]
    env = {"PATH": os.environ["PATH"], "MODEL": str(PENGUINS), "PREDICT_TOKEN": TOKEN} | variables
    with log.open("wb") as output:
        return subprocess.Popen([PYTHON, "-m", *command], cwd=FOLDER, env=env, stdout=output, stderr=output)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def is_up(service: Service) -> bool:
    try:
        return service.ask(None, None, "/health").status == 200
    except OSError:
        return False


@pytest.fixture(scope="module", params=SERVERS)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    log = tmp_path_factory.mktemp(request.param) / "log"
    found = Service(request.param, free_port())
    process = started(found.name, found.port, log)
    try:
        for _ in range(600):
            if is_up(found) or process.poll() is not None:
                break
            time.sleep(0.1)
        assert is_up(found), log.read_text(encoding="utf-8")
        yield found
    finally:
        process.terminate()
        process.wait(60)
    assert "Traceback" not in log.read_text(encoding="utf-8")


def test_answers_equal_those_of_the_model(service: Service) -> None:
    rows = penguins_with_gaps(200)
    model = edge_infer.load(PENGUINS)
    assert service.predict(rows) == Answer(200, {"prediction": model.predict(rows).tolist()})
    assert service.predict(rows[0]) == Answer(200, {"prediction": model.predict(rows[0])})
    cells = list(rows[1].values())
    assert service.predict(cells) == Answer(200, {"prediction": model.predict(cells)})
    assert service.predict([cells]) == Answer(200, {"prediction": [model.predict(cells)]})


def test_many_at_once_get_their_own_answers(service: Service) -> None:
    rows = penguins_with_gaps(400)
    wanted = edge_infer.load(PENGUINS).predict(rows).tolist()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(service.predict, rows))
    assert answers == [Answer(200, {"prediction": label}) for label in wanted]


def test_a_reload_of_the_health_page_needs_no_token(service: Service) -> None:
    assert service.ask(None, None, "/health") == Answer(200, {"model": "penguins", "version": "1.0.0"})


@pytest.mark.parametrize("token", [None, "", "a secret", TOKEN + "x", "ÿ", TOKEN.upper()])
def test_another_token_is_refused(service: Service, token: str | None) -> None:
    assert service.ask(b'{"input": []}', token).status == 401


def test_a_record_that_does_not_fit_is_told_why(service: Service) -> None:
    row = penguins_with_gaps(1)[0]
    answer = service.predict(row | {"body_mass_g": "heavy"})
    message = "column 'body_mass_g': expected a number, got text 'heavy'"
    assert answer.status == 422
    assert message in next(iter(answer.document.values()))


NO_RECORDS = [None, 1, "a", True, [], {}, [[]], [{}], [[1, 2], [3]], {"island": "\ud800"}, [[[1] * 6]], [10**400] * 6]


@pytest.mark.parametrize("data", NO_RECORDS, ids=lambda data: json.dumps(data)[:20])
def test_what_is_no_record_is_refused(service: Service, data: Any) -> None:
    assert service.predict(data).status == 422


BAD_BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"input": "\xff"}',
    "a list": b"[1]",
    "a text": b'"input"',
    "another member": b'{"data": []}',
    "deep": b'{"input": ' + b"[" * 100_000,
    "a number of too many digits": b'{"input": ' + b"1" * 10_000 + b"}",
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_wrong_body_is_refused(service: Service, case: str) -> None:
    assert service.ask(BAD_BODIES[case]).status == 400


def test_a_body_as_large_as_allowed_is_read(service: Service) -> None:
    body = json.dumps({"input": penguins_with_gaps(1)[0]}).encode()
    assert service.ask(body + b" " * (LIMIT - len(body))).status == 200


def test_a_body_that_is_too_large_is_refused_before_it_is_read(service: Service) -> None:
    assert service.raw(f"Content-Length: {LIMIT + 1}") == 413


def test_a_body_of_no_told_size_is_not_read_without_end(service: Service) -> None:
    part = b"%x\r\n%s\r\n" % (LIMIT + 1, b" " * (LIMIT + 1))
    end = b"0\r\n\r\n" if service.name == "django" else b""
    told = service.raw("Transfer-Encoding: chunked", part + end)
    assert told == (413 if service.name == "fastapi" else 400)  # Flask reads up to its limit, Django nothing


@pytest.mark.parametrize("name", SERVERS)
def test_no_server_starts_without_a_token(name: str, tmp_path: Path) -> None:
    process = started(name, free_port(), tmp_path / "log", PREDICT_TOKEN="")
    for _ in range(600):
        if "anybody could ask" in (tmp_path / "log").read_text(encoding="utf-8"):
            break
        time.sleep(0.1)
    process.terminate()
    process.wait(60)
    assert "PREDICT_TOKEN is empty: anybody could ask" in (tmp_path / "log").read_text(encoding="utf-8")
