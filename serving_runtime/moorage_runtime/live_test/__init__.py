"""The live test: held-out records sent to the endpoint, and a verdict.

Metrics that can be expected: total_tests, errors, errors_{timeout,connection,4xx,5xx,reply}, match,
{avg,min,max}_latency (µs), latency_p{50,90,95,99}_milliseconds, throughput, client_late_p99_milliseconds (open loop);
accuracy, f1_macro, log_loss, roc_auc (classification; the last two where the model offers predict_proba);
mean_absolute_error, root_mean_squared_error, r2 (regression); offline_skew_{max,count}.
Probes: digest, unchanged, offline_skew, capture_round_trip, negative_*.
"""

from moorage_runtime.live_test.main import main

__all__ = ["main"]
