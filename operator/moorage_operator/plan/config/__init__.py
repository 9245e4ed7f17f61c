"""From API types to what a pod reads: the runtime's config, and what has to be mounted for it.

Secrets appear as folders only: the config says where they are mounted, never what is in them. One module for each
role, over the parts that roles share.
"""

from moorage_operator.plan.config.batch import batch, batch_attachments
from moorage_operator.plan.config.drift import Watched, drift, drift_claims, drift_secrets
from moorage_operator.plan.config.models import capture, model, model_attachments, model_code, served_models
from moorage_operator.plan.config.serve import serve
from moorage_operator.plan.config.shared import (
    claims,
    document,
    storage,
    storage_secrets,
    stream,
    stream_secrets,
)
from moorage_operator.plan.config.stream import stream_predict, stream_predict_secrets
from moorage_operator.plan.config.test import Target, test, test_secrets

__all__ = [
    "Target",
    "Watched",
    "batch",
    "batch_attachments",
    "capture",
    "claims",
    "document",
    "drift",
    "drift_claims",
    "drift_secrets",
    "model",
    "model_attachments",
    "model_code",
    "serve",
    "served_models",
    "storage",
    "storage_secrets",
    "stream",
    "stream_predict",
    "stream_predict_secrets",
    "stream_secrets",
    "test",
    "test_secrets",
]
