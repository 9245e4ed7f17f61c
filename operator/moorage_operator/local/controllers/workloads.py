"""The workloads of this machine together: which handler has which kind, and what all their pods report."""

from collections.abc import Callable, Iterable

from moorage_operator.local.apiserver.objects import Key, key_of
from moorage_operator.local.controllers.cron_jobs import CronJobs
from moorage_operator.local.controllers.deployments import Deployments
from moorage_operator.local.controllers.jobs import Jobs
from moorage_operator.local.kubelet.node import Node
from moorage_operator.local.kubelet.pod import Pod
from moorage_operator.plan import Object, Report


class Workloads:
    """Deployments, Jobs, CronJobs and Services."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._deployments = Deployments(node)
        self._jobs = Jobs(node)
        self._cron_jobs = CronJobs(node)

    def handlers(self) -> dict[str, Callable[[Key], float | None]]:
        """By kind, what brings one object closer to what it asks for."""
        return {
            "Deployment": self._deployments.sync,
            "Job": self._jobs.sync,
            "CronJob": self._cron_jobs.sync,
            "Service": self._sync_service,
        }

    def reports(self, owned: Iterable[Object]) -> list[Report]:
        """What the pods of these children say, and those of the Jobs of a CronJob among them."""
        said: list[Report] = []
        for child in owned:
            match child["kind"]:
                case "Deployment":
                    said += self._deployments.reports(key_of(child))
                case "Job":
                    said += self._jobs.reports(child)
                case "CronJob":
                    for job in self._cron_jobs.jobs(child):
                        said += self._jobs.reports(job)
        return said

    def pods(self) -> list[Pod]:
        """All that have not ended."""
        return [*self._deployments.pods(), *self._jobs.pods()]

    def poke(self, namespace: str) -> None:
        """A ConfigMap or Secret of the namespace has changed."""
        for pod in self.pods():
            if pod.identity.namespace == namespace:
                pod.poke()

    def settle(self) -> None:
        """Write down that no pod runs any more."""
        for deployment in self._node.store.list("Deployment"):
            self._deployments.settle(key_of(deployment))
        for job in self._node.store.list("Job"):
            self._jobs.settle(key_of(job))

    def _sync_service(self, key: Key) -> None:
        self._node.services.ensure(key[1])
