"""Every kind of instrument over several exports with idle gaps, everything delta, and an exit that leaves the flush to the SDK.

usage: instruments.py PROTOCOL ENDPOINT
"""

import json
import sys
import time

from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

# Far off: exports are asked for, so that none depends on how busy the machine is.
INTERVAL_MS = 60_000
# Longer than the server's export interval in these tests: the total is seen to grow.
IDLE_SECONDS = 0.7
DELTA = {kind: AggregationTemporality.DELTA for kind in (Counter, UpDownCounter, Histogram)}


def exporter(protocol, endpoint):
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

        return OTLPMetricExporter(endpoint=endpoint, insecure=not endpoint.startswith("https:"), preferred_temporality=DELTA)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics", preferred_temporality=DELTA)


class Ledger:
    """Records into instruments and adds up what it recorded."""

    def __init__(self):
        self.series = {}

    def record(self, name, instrument, value, attributes):
        (instrument.record if hasattr(instrument, "record") else instrument.add)(value, attributes)
        key = json.dumps([name, attributes])
        series = self.series.setdefault(key, dict(instrument=name, attributes=attributes, sum=0, count=0))
        series["sum"] += value
        series["count"] += 1


def main(protocol, endpoint):
    reader = PeriodicExportingMetricReader(exporter(protocol, endpoint), export_interval_millis=INTERVAL_MS)
    provider = MeterProvider(
        resource=Resource({"service.name": "python", "service.instance.id": protocol}),
        metric_readers=[reader],
        views=[View(instrument_name="body.size", aggregation=ExponentialBucketHistogramAggregation())],
    )
    meter = provider.get_meter("instruments")
    requests = meter.create_counter("requests")
    latency = meter.create_histogram("latency", unit="s", explicit_bucket_boundaries_advisory=[0.125, 1, 8])
    size = meter.create_histogram("body.size", unit="By")
    connections = meter.create_up_down_counter("connections.open")
    ledger = Ledger()
    for round in range(1, 5):
        ledger.record("requests", requests, round, {"route": "/a"})
        ledger.record("requests", requests, 1, {"route": f"/round/{round % 2}"})
        for seconds in (0.0625, 0.5, 2, 16):
            ledger.record("latency", latency, seconds * round, {"route": "/a"})
        for size_bytes in (0, 1, 3, 1000, 65536):
            ledger.record("body.size", size, size_bytes * round, {})
        ledger.record("connections.open", connections, 5 if round % 2 else -3, {})
        provider.force_flush()
        time.sleep(IDLE_SECONDS)
        provider.force_flush()  # nothing was recorded
    # Recorded and not exported yet: it goes out with the flush at exit.
    ledger.record("requests", requests, 100, {"route": "/last"})
    print(json.dumps(list(ledger.series.values())))


main(*sys.argv[1:])
