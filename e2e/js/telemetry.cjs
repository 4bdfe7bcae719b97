// Exporters, and a ledger of what a program records: what arrives is compared with the ledger.
'use strict';

const { diag, DiagConsoleLogger, DiagLogLevel } = require('@opentelemetry/api');
const { OTLPMetricExporter: Grpc } = require('@opentelemetry/exporter-metrics-otlp-grpc');
const { OTLPMetricExporter: Json, AggregationTemporalityPreference } = require('@opentelemetry/exporter-metrics-otlp-http');
const { OTLPMetricExporter: Protobuf } = require('@opentelemetry/exporter-metrics-otlp-proto');

// A failed export is told to the diagnostic logger and to nobody else; the tests want stderr to stay empty.
diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);

/** A delta exporter for grpc, http/protobuf or http/json. `endpoint` is a base URL. */
function exporter(protocol, endpoint) {
  const temporalityPreference = AggregationTemporalityPreference.DELTA;
  const url = `${endpoint}/v1/metrics`;
  switch (protocol) {
    case 'grpc': return new Grpc({ url: endpoint, temporalityPreference });
    case 'http/protobuf': return new Protobuf({ url, temporalityPreference });
    case 'http/json': return new Json({ url, temporalityPreference });
    default: throw new Error(`no such protocol: ${protocol}`);
  }
}

/** Records into instruments and adds up what it recorded. */
class Ledger {
  #series = new Map();

  /** Adds `value` to a counter, or records it in a histogram. */
  record(name, instrument, value, attributes) {
    (instrument.add ?? instrument.record).call(instrument, value, attributes);
    const key = JSON.stringify([name, attributes]);
    const series = this.#series.get(key) ?? { instrument: name, attributes, sum: 0, count: 0 };
    this.#series.set(key, { ...series, sum: series.sum + value, count: series.count + 1 });
  }

  /** Says on stdout what was recorded. */
  tell() {
    process.stdout.write(JSON.stringify([...this.#series.values()]));
  }
}

module.exports = { exporter, Ledger };
