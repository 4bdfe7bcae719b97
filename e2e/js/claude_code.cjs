// One session of Claude Code: its eight counters, its attributes, delta, and an end before the first export interval is over.
// usage: claude_code.cjs PROTOCOL ENDPOINT SESSION
'use strict';

const { resourceFromAttributes } = require('@opentelemetry/resources');
const { MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');
const { exporter, Ledger } = require('./telemetry.cjs');

const [protocol, endpoint, session] = process.argv.slice(2);

const reader = new PeriodicExportingMetricReader({ exporter: exporter(protocol, endpoint), exportIntervalMillis: 60_000 });
const resource = resourceFromAttributes({
  'service.name': 'claude-code', 'service.version': '2.1.222', 'os.type': 'linux', 'host.arch': 'x64',
});
const provider = new MeterProvider({ resource, readers: [reader] });
const meter = provider.getMeter('com.anthropic.claude_code', '2.1.222');
const ledger = new Ledger();

const UNITS = {
  'claude_code.session.count': '',
  'claude_code.lines_of_code.count': '',
  'claude_code.pull_request.count': '',
  'claude_code.commit.count': '',
  'claude_code.cost.usage': 'USD',
  'claude_code.token.usage': 'tokens',
  'claude_code.code_edit_tool.decision': '',
  'claude_code.active_time.total': 's',
};
const counters = Object.fromEntries(Object.entries(UNITS).map(([name, unit]) => [name, meter.createCounter(name, { unit })]));

function count(name, value, attributes = {}) {
  const standard = { 'session.id': session, 'user.id': 'f00d', 'organization.id': 'org-1', 'terminal.type': 'tmux' };
  ledger.record(name, counters[name], value, { ...standard, ...attributes });
}

const model = 'claude-opus-4-5';
count('claude_code.session.count', 1, { start_type: 'fresh' });
count('claude_code.lines_of_code.count', 120, { type: 'added', model });
count('claude_code.lines_of_code.count', 7, { type: 'removed', model });
count('claude_code.pull_request.count', 1);
count('claude_code.commit.count', 2);
count('claude_code.cost.usage', 0.0421875, { model, query_source: 'main', effort: 'high' });
count('claude_code.cost.usage', 0.5, { model, query_source: 'main', effort: 'high' });
for (const [type, tokens] of [['input', 1234], ['output', 567], ['cacheRead', 89012], ['cacheCreation', 345]]) {
  count('claude_code.token.usage', tokens, { type, model, query_source: 'main', effort: 'high' });
}
count('claude_code.code_edit_tool.decision', 3, { tool_name: 'Edit', decision: 'accept', source: 'config', language: 'Rust' });
count('claude_code.active_time.total', 42.5, { type: 'user' });

provider.shutdown().then(() => ledger.tell());
