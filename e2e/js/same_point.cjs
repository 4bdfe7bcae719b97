// One collection, exported by all three protocols: the very same point, three times.
// usage: same_point.cjs GRPC_ENDPOINT HTTP_ENDPOINT
'use strict';

const { ValueType } = require('@opentelemetry/api');
const { ExportResultCode } = require('@opentelemetry/core');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { AggregationTemporality, MeterProvider, MetricReader } = require('@opentelemetry/sdk-metrics');
const { exporter, Ledger } = require('./telemetry.cjs');

const [grpc, http] = process.argv.slice(2);

class Manual extends MetricReader {
  async onForceFlush() {}
  async onShutdown() {}
}

async function main() {
  const reader = new Manual({ aggregationTemporalitySelector: () => AggregationTemporality.DELTA });
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ 'service.name': 'same', 'process.pid': 4711, 'tags': ['a', 'b'] }),
    readers: [reader],
  });
  const meter = provider.getMeter('same', '1.2.3');
  const ledger = new Ledger();
  const attributes = { text: 'ü "quoted" \\', whole: 7, part: 0.25, yes: true };
  ledger.record('same.double', meter.createCounter('same.double', { unit: 's' }), 1.5, attributes);
  ledger.record('same.int', meter.createCounter('same.int', { valueType: ValueType.INT }), 2 ** 40, attributes);
  ledger.record('same.histogram', meter.createHistogram('same.histogram'), 12, attributes);

  const { resourceMetrics } = await reader.collect();
  for (const [protocol, endpoint] of [['grpc', grpc], ['http/protobuf', http], ['http/json', http]]) {
    const outcome = await new Promise((resolve) => exporter(protocol, endpoint).export(resourceMetrics, resolve));
    if (outcome.code !== ExportResultCode.SUCCESS) throw outcome.error;
  }
  ledger.tell();
}

main();
