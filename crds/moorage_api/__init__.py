"""The contract of Moorage: what a user may write, as pydantic types, one file per kind."""

GROUP = "moorage.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
