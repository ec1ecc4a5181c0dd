// Sends spans with the OpenTelemetry SDK for Node: node send.js PROTOCOL ENDPOINT COMPRESSION COUNT
const [protocol, url, compression, count] = process.argv.slice(2);
const { BasicTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const packages = { grpc: "grpc", "http-protobuf": "proto", "http-json": "http" };
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${packages[protocol]}`);

const failed = [];
const exporter = new OTLPTraceExporter({ url, compression });
const watched = {
  export: (spans, done) => exporter.export(spans, (result) => { if (result.error) failed.push(result.error); done(result); }),
  shutdown: () => exporter.shutdown(),
  forceFlush: () => exporter.forceFlush(),
};
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ "service.name": "checkout" }),
  spanProcessors: [new BatchSpanProcessor(watched)],
});
const tracer = provider.getTracer("node-client");
for (let number = 0; number < Number(count); number++) {
  const span = tracer.startSpan(`span ${number}`, { attributes: { "user.email": "canary@example.com", count: number } });
  span.addEvent("mail to canary@example.com", { took: 0.5, tags: ["a", "b"] });
  span.end();
}
provider.shutdown().then(() => {
  for (const error of failed) console.error(error);
  process.exit(failed.length ? 1 : 0);
});
