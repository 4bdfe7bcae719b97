// Every kind of instrument over several exports with idle gaps between them, and a process that exits when it has flushed.
// usage: instruments.cjs PROTOCOL ENDPOINT
'use strict';

const { setTimeout: pause } = require('node:timers/promises');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { AggregationType, MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');
const { exporter, Ledger } = require('./telemetry.cjs');

const [protocol, endpoint] = process.argv.slice(2);
// Far off: exports are asked for, so that none depends on how busy the machine is.
const INTERVAL_MS = 60_000;
// Longer than the server's export interval in these tests: the total is seen to grow.
const IDLE_MS = 700;

async function main() {
  const reader = new PeriodicExportingMetricReader({ exporter: exporter(protocol, endpoint), exportIntervalMillis: INTERVAL_MS });
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ 'service.name': 'javascript', 'service.instance.id': protocol }),
    readers: [reader],
    views: [{ instrumentName: 'body.size', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
  });
  const meter = provider.getMeter('instruments');
  const requests = meter.createCounter('requests');
  const latency = meter.createHistogram('latency', { unit: 's', advice: { explicitBucketBoundaries: [0.125, 1, 8] } });
  const size = meter.createHistogram('body.size', { unit: 'By' });
  const open = meter.createUpDownCounter('connections.open');
  const ledger = new Ledger();

  for (let round = 1; round <= 4; round++) {
    ledger.record('requests', requests, round, { route: '/a' });
    ledger.record('requests', requests, 1, { route: `/round/${round % 2}` });
    for (const seconds of [0.0625, 0.5, 2, 16]) ledger.record('latency', latency, seconds * round, { route: '/a' });
    for (const bytes of [0, 1, 3, 1000, 65536]) ledger.record('body.size', size, bytes * round, {});
    ledger.record('connections.open', open, round % 2 ? 5 : -3, {});
    await reader.forceFlush();
    await pause(IDLE_MS);
    // Nothing was recorded: the next delta begins at its first recording, not where the last one ended.
    await reader.forceFlush();
  }
  await provider.shutdown();
  ledger.tell();
}

main();
