"""The command of the dashboard: what it writes and sends, and that it says in one line what goes wrong."""

import json
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from facestab.dashboard.__main__ import main
from tests.tiny import facestab

PROJECT = ("--entity", "lab", "--project", "faces")


@pytest.fixture(autouse=True)
def nobody(tmp_path, monkeypatch):
    """A user without an API key, whose server does not answer."""
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_HTTP_TIMEOUT", "1")


def command(*arguments, cwd):
    return facestab(*PROJECT, *arguments, cwd=cwd, module="facestab.dashboard")


def panels_of(spec):
    """What stands where, without the random ids."""
    sections = spec["section"]["panelBankConfig"]["sections"]
    return [[(panel["viewType"], panel["config"]) for panel in section["panels"]] for section in sections]


@contextmanager
def server(answers):
    """Stands in for Weights & Biases: takes what the real client sends, answers queries by what they hold."""
    taken = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            known = self.path == "/graphql"
            query = json.loads(body) if known else {"query": ""}
            answer = next((value for name, value in answers.items() if name in query["query"]), None)
            taken.append(query)
            content = json.dumps({"data": answer}).encode()
            self.send_response(200 if answer else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}", taken
        http.shutdown()


@pytest.mark.slow
def test_saving_sends_what_json_writes_and_prints_the_address(tmp_path, monkeypatch):
    written = command("--json", "view.json", cwd=tmp_path)
    assert (written.returncode, written.stdout) == (0, "dashboard: view.json\n"), written.stderr
    saved = {"upsertView": {"view": {"id": "1", "name": "nw-abc-v"}, "inserted": True}}
    user = {"viewer": {"id": "2", "username": "me", "entity": "lab"}}
    with server({"upsertView": saved, "viewer": user}) as (address, taken):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        done = command("--name", "our faces", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"dashboard: {address}/lab/faces?nw=abc\n"), done.stderr
    (sent,) = [query["variables"] for query in taken if "upsertView" in query["query"]]
    assert (sent["entityName"], sent["projectName"], sent["displayName"]) == ("lab", "faces", "our faces")
    view = json.loads((tmp_path / "view.json").read_text())
    assert panels_of(json.loads(sent["spec"])) == panels_of(view["spec"])


def assert_one_line(done, *parts):
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith("facestab: error: ")
    assert all(part in line for part in parts), line


def test_without_an_api_key_one_line_says_so(tmp_path):
    assert_one_line(command(cwd=tmp_path), "not saved", "API key", "wandb login", "--json")


@pytest.mark.slow
def test_without_a_network_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert_one_line(command(cwd=tmp_path), "not saved", "http://127.0.0.1:9", "--json")


def test_a_name_that_is_not_taken_and_a_folder_that_is_not_there_are_one_line(tmp_path):
    assert_one_line(command("--name", "w=1", "--json", "a.json", cwd=tmp_path), "--name: ", "got 'w=1'")
    assert_one_line(command("--json", "none/a.json", cwd=tmp_path), "none/a.json")


def test_without_the_package_one_line_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    monkeypatch.delitem(sys.modules, "facestab.dashboard.workspace", raising=False)
    monkeypatch.setattr(sys, "argv", ["dashboard", *PROJECT, "--json", str(tmp_path / "a.json")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code.startswith("facestab: error: wandb_workspaces")
    assert stopped.value.code.endswith("pip install 'facestab[dashboard]'")
