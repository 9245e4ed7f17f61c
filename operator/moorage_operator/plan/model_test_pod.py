"""The pod of a ModelTest: what it is to test, or why that cannot be tested yet."""

from dataclasses import dataclass

from moorage_api.conditions import ConditionType, Reason
from moorage_api.model_runtime import Role
from moorage_api.model_serving import Framework
from moorage_api.model_test import ModelTest
from moorage_operator.plan import (
    conditions,
    config,
    labels,
    model_serving_status,
    names,
    pods,
    serving_refs,
    validation,
)
from moorage_operator.plan.catalogue import Catalogue
from moorage_operator.plan.conditions import Outcome
from moorage_operator.plan.types import Object, Observed
from moorage_runtime import config as runtime

KIND = "ModelTest"


@dataclass(frozen=True, slots=True)
class TestPod:
    """A pod template and the ConfigMap that it mounts."""

    __test__ = False

    config_name: str
    files: dict[str, str]
    template: Object


def ready(
    test: ModelTest, run: str, config_name: str | None, catalogue: Catalogue, observed: Observed
) -> TestPod | Outcome:
    """The pod, or why it has to wait.

    `config_name` names the ConfigMap; without it the name follows from the content. Raises `Refused` where
    waiting would not help.
    """
    if test.spec.endpoint:
        target = config.Target(url=test.spec.endpoint.url, model=test.spec.endpoint.model)
        return _pod(test, run, config_name, target, catalogue)
    assert test.spec.serving_ref is not None, "a rule of ModelTestSpec"
    found = serving_refs.find(test.spec.serving_ref, test.metadata.namespace, observed)
    if isinstance(found, Outcome):
        return found
    target = config.Target(
        url=_url(found.resource),
        model=found.model.name,
        declared=found.model,
        captured=found.serving.spec.capture,
    )
    pod = _pod(test, run, config_name, target, catalogue)
    return _waiting(str(found), found.resource) or pod


def _url(serving: Object) -> str:
    """Where the serving says that it answers; before it says so, its Service."""
    told = (serving.get("status") or {}).get("url")
    return str(told or model_serving_status.url(validation.identity(serving)))


def _waiting(named: str, serving: Object) -> Outcome | None:
    """Why the serving cannot be tested now, by its own status; None where it can."""
    status = serving.get("status") or {}
    found = conditions.find(status, ConditionType.READY)
    if found is None or status.get("observedGeneration") != validation.identity(serving).generation:
        return conditions.working(Reason.WAITING_FOR_SERVING, f"{named} is being reconciled")
    if found.get("status") != "True":
        return conditions.working(Reason.WAITING_FOR_SERVING, f"{named} is not ready: {found.get('reason')}")
    if found.get("reason") == Reason.SCALED_TO_ZERO:
        return conditions.working(Reason.WAITING_FOR_SERVING, f"{named} is scaled to zero")
    return None


def _pod(
    test: ModelTest, run: str, config_name: str | None, target: config.Target, catalogue: Catalogue
) -> TestPod:
    meta, spec = test.metadata, test.spec
    read = config.test(name=meta.name, namespace=meta.namespace, spec=spec, target=target, revision=run)
    files = {pods.CONFIG_KEY: config.document(read)}
    config_name = config_name or names.child(meta.name, names.fingerprint([run, files]))
    chosen = catalogue.pick(meta.namespace, Role.TEST, _frameworks(read, target))
    container = pods.Container(
        image=chosen.spec.image,
        command=chosen.spec.command,
        args=[Role.TEST.value, "--config", runtime.CONFIG_FILE],
        env=chosen.spec.env or (),
        env_from_secrets=config.storage_secrets(spec.storage),
        attachments=[
            pods.config(config_name),
            *config.test_secrets(spec, target),
            *_claims(test, target),
            *_code(read, target),
        ],
    )
    template = pods.template(
        container=container,
        pod=spec.pod,
        pod_labels={**labels.fixed(KIND, meta.name), labels.REVISION: run},
        settings={"restartPolicy": "Never"},
    )
    return TestPod(config_name, files, template)


def _frameworks(read: runtime.TestConfig, target: config.Target) -> list[Framework]:
    """What the image of the test has to load itself."""
    return [target.declared.framework] if read.skew and target.declared else []


def _claims(test: ModelTest, target: config.Target) -> list[pods.Attachment]:
    spec = test.spec
    uris = [("spec.dataset.uri", spec.dataset.uri)]
    if skew := spec.probes.offline_skew:
        uris.append(("spec.probes.offlineSkew.uri", skew.uri))
        code = target.declared.code if target.declared else None
        if code and code.uri:
            uris.append(("spec.servingRef", code.uri))
    written = [("spec.report.uri", spec.report.uri)] if spec.report else []
    return config.claims(uris) + config.claims(written, read_only=False)


def _code(read: runtime.TestConfig, target: config.Target) -> list[pods.Attachment]:
    return config.model_code(target.declared) if read.skew and target.declared else []
