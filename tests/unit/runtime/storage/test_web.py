"""Downloads from a real HTTP server of this process."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import StorageError, fetch, read_bytes, web
from parts import free_port

STORAGE = StorageConfig()


@dataclass
class Site:
    url: str
    content: dict[str, bytes] = field(default_factory=dict)
    etag: str | None = '"1"'
    served: list[str] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.startswith("/moved"):
                self.send_response(302)
                self.send_header("Location", self.path.removeprefix("/moved?to="))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = here.content.get(self.path)
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            if here.etag:
                self.send_header("ETag", here.etag)
            self.send_header("Content-Length", str(len(body) + (10 if "short" in self.path else 0)))
            self.end_headers()
            here.served.append(self.path)
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here = Site(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield here
        server.shutdown()
        thread.join()


def test_a_download_keeps_its_name_and_content(site, tmp_path):
    site.content["/m/iris.onnx"] = b"x" * 3_000_000
    path = fetch(f"{site.url}/m/iris.onnx", tmp_path, STORAGE)
    assert path.name == "iris.onnx"
    assert path.is_relative_to(tmp_path)
    assert path.read_bytes() == b"x" * 3_000_000
    assert read_bytes(f"{site.url}/m/iris.onnx", STORAGE) == b"x" * 3_000_000


def test_a_new_version_is_another_entry_and_the_same_one_is_kept(site, tmp_path):
    site.content["/m"] = b"1"
    first = fetch(f"{site.url}/m", tmp_path, STORAGE)
    assert fetch(f"{site.url}/m", tmp_path, STORAGE) == first
    site.content["/m"], site.etag = b"2", '"2"'
    second = fetch(f"{site.url}/m", tmp_path, STORAGE)
    assert (first.read_bytes(), second.read_bytes()) == (b"1", b"2")


def test_without_a_version_the_content_decides(site, tmp_path):
    site.etag = None
    site.content["/m"] = b"1"
    first = fetch(f"{site.url}/m", tmp_path, STORAGE)
    assert fetch(f"{site.url}/m", tmp_path, STORAGE) == first
    site.content["/m"] = b"2"
    assert fetch(f"{site.url}/m", tmp_path, STORAGE).read_bytes() == b"2"


def test_many_at_once_see_one_whole_file(site, tmp_path):
    site.content["/m"] = b"x" * 1_000_000
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: fetch(f"{site.url}/m", tmp_path, STORAGE), range(16)))
    assert len(paths) == 1
    assert paths.pop().stat().st_size == 1_000_000
    assert len(list(tmp_path.iterdir())) == 1, "nothing unfinished is left behind"


def test_a_body_that_is_cut_short_is_no_file(site, tmp_path):
    site.content["/short"] = b"half"
    with pytest.raises(StorageError, match="cut short after 4 of 14 bytes"):
        fetch(f"{site.url}/short", tmp_path, STORAGE)
    assert not list(tmp_path.iterdir())


def test_a_body_beyond_the_bound_is_refused(site, tmp_path, monkeypatch):
    monkeypatch.setattr(web, "MAX_BYTES", 100)
    site.content["/m"] = b"x" * 101
    with pytest.raises(StorageError, match="larger than 100 bytes"):
        fetch(f"{site.url}/m", tmp_path, STORAGE)
    assert not list(tmp_path.iterdir())


def test_a_refusal_is_reported_with_its_status(site, tmp_path):
    with pytest.raises(StorageError, match=f"{site.url}/none: the server answered 404 Not Found"):
        fetch(f"{site.url}/none", tmp_path, STORAGE)


def test_a_redirect_is_followed_but_not_to_files(site, tmp_path):
    site.content["/m"] = b"1"
    assert read_bytes(f"{site.url}/moved?to={site.url}/m", STORAGE) == b"1"
    with pytest.raises(StorageError, match="302"):
        read_bytes(f"{site.url}/moved?to=file:///etc/passwd", STORAGE)


def test_a_server_that_is_not_there_is_named(tmp_path, site):
    with pytest.raises(StorageError, match=r"http://127\.0\.0\.1:.*/m: .*refused"):
        fetch(f"http://127.0.0.1:{free_port()}/m", tmp_path, STORAGE)
