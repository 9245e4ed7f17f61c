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
    PROGRESSING = "Progressing"
    SCALED_TO_ZERO = "ScaledToZero"
    PAUSED = "Paused"
    # the user's input
    INVALID_SPEC = "InvalidSpec"
    NAME_CONFLICT = "NameConflict"
    NO_SUPPORTING_RUNTIME = "NoSupportingRuntime"
    RUNTIME_NOT_FOUND = "RuntimeNotFound"
    REFERENCE_NOT_FOUND = "ReferenceNotFound"
    NOT_RUNNABLE_LOCALLY = "NotRunnableLocally"
    # pods
    MODEL_LOAD_FAILED = "ModelLoadFailed"
    DIGEST_MISMATCH = "DigestMismatch"
    CRASH_LOOP = "CrashLoop"
    MINIMUM_REPLICAS_AVAILABLE = "MinimumReplicasAvailable"
    MINIMUM_REPLICAS_UNAVAILABLE = "MinimumReplicasUnavailable"
    CAPTURE_FAILED = "CaptureFailed"
    # tests
    WAITING_FOR_SERVING = "WaitingForServing"
    TEST_RUNNING = "TestRunning"
    TEST_PASSED = "TestPassed"
    TEST_FAILED = "TestFailed"
    TEST_ERROR = "TestError"
    SCHEDULED = "Scheduled"
