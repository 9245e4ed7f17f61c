"""The kinds of Moorage in an API server."""

from moorage_api import API_VERSION, crd
from moorage_api.kinds import KINDS
from parts.apiserver import ApiError, ApiServer
from parts.base import wait_until

CRD_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def path(kind: str, name: str = "") -> str:
    """The path of a kind's collection, or of one object in the namespace `default`."""
    namespace = "/namespaces/default" if KINDS[kind].namespaced else ""
    return f"/apis/{API_VERSION}{namespace}/{KINDS[kind].plural}" + (f"/{name}" if name else "")


def install(api: ApiServer) -> None:
    """Apply every CustomResourceDefinition and wait until each kind is served."""
    for kind in KINDS.values():
        definition = crd.definition(kind)
        api.apply(f"{CRD_PATH}/{definition['metadata']['name']}", definition)
    wait_until(lambda: all(_served(api, kind) for kind in KINDS), "the kinds of Moorage")


def _served(api: ApiServer, kind: str) -> bool:
    try:
        api.request("GET", path(kind))
    except ApiError as error:
        if error.code != 404:
            raise
        return False
    return True
