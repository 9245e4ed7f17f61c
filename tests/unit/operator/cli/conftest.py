"""A state folder with objects in it, and the command line on top of it."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from moorage_operator.cli.app import cli
from moorage_operator.local.apiserver.store import Store

GROUP = "moorage.dev/v1alpha1"


class Moorage:
    """Runs commands on one state folder, and puts objects into it."""

    def __init__(self, state):
        self.state = state
        self.store = Store(state / "store")

    def __call__(self, *words, code=0, stdin=None):
        done = CliRunner().invoke(cli, [*words, "--state", str(self.state)], input=stdin)
        assert done.exit_code == code, done.output
        return done

    def process(self, *words, **options):
        """The command as a process of its own, which the test talks to while it runs."""
        command = [sys.executable, "-m", "moorage_operator.cli", *words, "--state", str(self.state)]
        env = {**os.environ, "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(command, stdout=subprocess.PIPE, env=env, **options)

    def lines(self, *words, **options):
        return [line.split() for line in self(*words, **options).stdout.splitlines()]

    def serving(self, name="iris", namespace="default", status=None, labels=None, **spec):
        models = [{"name": "m", "uri": "s3://a/b", "framework": {"name": "sklearn"}}]
        meta = {"name": name, "namespace": namespace, **({"labels": labels} if labels else {})}
        obj = {
            "apiVersion": GROUP,
            "kind": "ModelServing",
            "metadata": meta,
            "spec": {"models": models, **spec},
        }
        self.store.apply(obj)
        if status is not None:
            self.store.put_status("ModelServing", namespace, name, status)
        return self.store.get("ModelServing", namespace, name)

    def child(self, owner, kind, name, api="v1", status=None, **fields):
        reference = {
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
        }
        meta = {
            "name": name,
            "namespace": owner["metadata"]["namespace"],
            "ownerReferences": [{"apiVersion": owner["apiVersion"], "controller": True, **reference}],
        }
        self.store.put_owned({"apiVersion": api, "kind": kind, "metadata": meta, **fields})
        if status is not None:
            self.store.put_status(kind, meta["namespace"], name, status)
        return self.store.get(kind, meta["namespace"], name)

    def json(self, *words):
        return json.loads(self(*words, "-o", "json").stdout)


@pytest.fixture
def moorage(tmp_path):
    return Moorage(tmp_path / "state")


def ready(status="True", reason="Reconciled", generation=1):
    return {
        "type": "Ready",
        "status": status,
        "reason": reason,
        "message": "",
        "observedGeneration": generation,
    }


@pytest.fixture(name="ready")
def ready_fixture():
    return ready
