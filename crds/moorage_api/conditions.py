"""Condition types and reasons: the words that a status may use.

`Ready`, `Reconciling` and `Stalled` are read by kstatus (Flux, Helm, Argo CD). The others are Moorage's own.
"""

from enum import StrEnum


class ConditionType(StrEnum):
    """What a condition is about."""

    READY = "Ready"
    """The desired state is reached."""
    RECONCILING = "Reconciling"
    """Work towards the desired state is under way (abnormal-true)."""
    STALLED = "Stalled"
    """Nothing will change until a person acts (abnormal-true)."""
    AVAILABLE = "Available"
    """ModelServing: some revision answers predictions now."""
    PASSED = "Passed"
    """ModelTest: the last finished run met its expectations."""


class Reason(StrEnum):
    """Why a condition has its status."""

    # progress
    RECONCILED = "Reconciled"
    """What the spec asks for is there."""
    PROGRESSING = "Progressing"
    """Children or pods are on their way; nothing to do."""
    SCALED_TO_ZERO = "ScaledToZero"
    """`replicas: 0` is what was asked for, so this is Ready."""
    PAUSED = "Paused"
    """The annotation `moorage.dev/reconcile: paused` stops all writes."""
    # the user's input
    INVALID_SPEC = "InvalidSpec"
    """The message names the field; what was served before keeps being served."""
    NAME_CONFLICT = "NameConflict"
    """An object of a child's name belongs to somebody else; it was not touched."""
    NO_SUPPORTING_RUNTIME = "NoSupportingRuntime"
    """No runtime loads these frameworks and versions; the message lists what exists."""
    RUNTIME_NOT_FOUND = "RuntimeNotFound"
    """`spec.runtime` names a runtime that does not exist."""
    REFERENCE_NOT_FOUND = "ReferenceNotFound"
    """An object that the spec names does not exist."""
    NOT_RUNNABLE_LOCALLY = "NotRunnableLocally"
    """Local mode cannot run the image that the runtime names."""
    # pods
    MODEL_LOAD_FAILED = "ModelLoadFailed"
    """A pod could not load a model; the message is the pod's own."""
    DIGEST_MISMATCH = "DigestMismatch"
    """An artifact has another digest than the manifest, or than another replica's."""
    CRASH_LOOP = "CrashLoop"
    """A container keeps ending."""
    MINIMUM_REPLICAS_AVAILABLE = "MinimumReplicasAvailable"
    """Some revision answers predictions."""
    MINIMUM_REPLICAS_UNAVAILABLE = "MinimumReplicasUnavailable"
    """No pod answers predictions."""
    CAPTURE_FAILED = "CaptureFailed"
    """The capture stream cannot be written."""
    # tests
    WAITING_FOR_SERVING = "WaitingForServing"
    """The test starts once its serving is ready."""
    TEST_RUNNING = "TestRunning"
    """The test's Job is under way."""
    TEST_PASSED = "TestPassed"
    """Every expectation was met."""
    TEST_FAILED = "TestFailed"
    """Some expectation was not met; the metrics say which."""
    TEST_ERROR = "TestError"
    """The test could not come to a verdict."""
    SCHEDULED = "Scheduled"
    """The test waits for its schedule."""
