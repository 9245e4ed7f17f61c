"""A real kube-apiserver on etcd: schemas, CEL cost, apply and list-maps behave as on a user's cluster only here.

Found through KUBEBUILDER_ASSETS (envtest's convention: a folder with kube-apiserver and etcd), otherwise
built once from Kubernetes' own Go module, with Debian's etcd.
"""

import json
import os
import secrets
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parts.base import Missing, Process, cached, free_port, need

MODULE = Path(__file__).parent / "kubernetes"
Object = dict[str, Any]


class ApiError(Exception):
    """The API server's own Status object for a refused request."""

    def __init__(self, status: Object) -> None:
        super().__init__(status.get("message", ""))
        self.code: int = status.get("code", 0)
        self.reason: str = status.get("reason", "")
        details = status.get("details") or {}
        self.causes: list[Object] = details.get("causes") or []


@dataclass(frozen=True)
class ApiServer:
    """Where the API server is and how to reach it as an administrator."""

    url: str
    token: str
    ca: Path
    """Certificate that verifies the server."""
    log: Path
    _context: ssl.SSLContext = field(repr=False)

    def request(
        self,
        method: str,
        path: str,
        body: Object | str | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Object:
        """One call, JSON out; ApiError where it is refused. A `str` body is sent as it is."""
        request = urllib.request.Request(  # noqa: S310 - the address is this part's own
            self.url + path,
            method=method,
            data=None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": content_type,
                "Accept": accept,
            },
        )
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=60) as reply:  # noqa: S310
                answer = reply.read()
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(_status(error.code, error.read())) from None
        return json.loads(answer) if answer.startswith(b"{") else {"text": answer.decode()}

    def apply(
        self, path: str, manifest: Object | str, manager: str = "tests", *, force: bool = False
    ) -> Object:
        """Server-side apply as `manager`, of YAML text too; unknown fields are refused, as kubectl does."""
        query = f"?fieldManager={manager}&fieldValidation=Strict&force={str(force).lower()}"
        return self.request("PATCH", path + query, manifest, "application/apply-patch+yaml")

    def client(self) -> Any:
        """An ApiClient of the official Python client."""
        from kubernetes import client

        configuration = client.Configuration()
        configuration.host = self.url
        configuration.ssl_ca_cert = str(self.ca)
        configuration.api_key = {"authorization": f"Bearer {self.token}"}
        return client.ApiClient(configuration)


def _status(code: int, body: bytes) -> Object:
    try:
        status = json.loads(body)
    except ValueError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return status
    return {"code": code, "message": body.decode(errors="replace")}


def binaries() -> tuple[Path, Path]:
    """kube-apiserver and etcd; Missing where this machine can neither find nor build them."""
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        found = Path(assets) / "kube-apiserver", Path(assets) / "etcd"
        for program in found:
            if not program.is_file():
                raise Missing(f"KUBEBUILDER_ASSETS has no {program.name}")
        return found
    etcd = Path(need("etcd", "the API server's store: Debian's etcd-server"))
    recipe = [MODULE / "go.mod", MODULE / "go.sum"]
    return cached("kubernetes-apiserver", recipe, _build) / "kube-apiserver", etcd


def _build(into: Path) -> None:
    """Four to six minutes with an empty Go cache on two cores."""
    go = need("go", "builds kube-apiserver")
    listed = subprocess.run(
        [go, "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes"],
        cwd=MODULE,
        capture_output=True,
        text=True,
        check=True,
    )
    release = listed.stdout.strip()
    major, minor, _ = release.removeprefix("v").split(".", 2)
    version = "-X k8s.io/component-base/version"
    flags = f"-s -w {version}.gitVersion={release} {version}.gitMajor={major} {version}.gitMinor={minor}"
    command = [
        go,
        "build",
        "-trimpath",
        "-tags",
        "providerless dockerless",
        "-ldflags",
        flags,
        "-o",
        str(into),
    ]
    built = subprocess.run(
        [*command, "k8s.io/kubernetes/cmd/kube-apiserver"],
        cwd=MODULE,
        env={**os.environ, "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise RuntimeError(f"kube-apiserver was not built:\n{built.stderr[-4000:]}")


@contextmanager
def kube_apiserver() -> Iterator[ApiServer]:
    """An API server with an empty store, on loopback, for the length of the block."""
    apiserver, etcd = binaries()
    with tempfile.TemporaryDirectory(prefix="moorage-apiserver-") as name:
        folder = Path(name)
        store, peer, port = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}", free_port()
        with Process(_etcd(etcd, folder, store, peer), folder / "etcd.log") as database:
            database.wait_until(lambda: _answers(f"{store}/health"), "etcd")
            token = secrets.token_hex(16)
            tokens = folder / "tokens.csv"
            tokens.write_text(f"{token},admin,admin,system:masters\n")
            command = _apiserver(apiserver, folder, store, port, tokens)
            with Process(command, folder / "apiserver.log") as process:
                certificate = folder / "certs" / "apiserver.crt"
                process.wait_until(certificate.exists, "the API server's certificate")
                url = f"https://127.0.0.1:{port}"
                process.wait_until(
                    lambda: _answers(f"{url}/readyz", ssl.create_default_context(cafile=str(certificate))),
                    "a ready API server",
                )
                context = ssl.create_default_context(cafile=str(certificate))
                yield ApiServer(url, token, certificate, process.log, context)


def _etcd(program: Path, folder: Path, store: str, peer: str) -> list[str]:
    return [
        str(program),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={store}",
        f"--advertise-client-urls={store}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    ]


def _apiserver(program: Path, folder: Path, store: str, port: int, tokens: Path) -> list[str]:
    key = folder / "service-account.key"
    openssl = need("openssl", "makes the service-account key")
    subprocess.run([openssl, "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    return [
        str(program),
        f"--etcd-servers={store}",
        f"--cert-dir={folder / 'certs'}",
        "--bind-address=127.0.0.1",
        "--advertise-address=192.0.2.1",
        f"--secure-port={port}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=Node,RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--disable-admission-plugins=ServiceAccount",
        "--profiling=false",
    ]


def _answers(url: str, context: ssl.SSLContext | None = None) -> bool:
    try:
        with urllib.request.urlopen(url, context=context, timeout=5) as reply:  # noqa: S310 - our own address
            return bool(reply.status == 200)
    except OSError:
        return False
