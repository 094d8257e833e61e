"""What the producers in Python share: where to send, what to say, and what they tell at their end."""

import importlib.metadata
import json
import os
import pathlib
import sys

# OTLP over HTTP, the model providers' and registries' stand-in, and the prompt's name.
OTLP = os.environ["DRIFTD_OTLP"]
VENDOR = os.environ["DRIFTD_VENDOR"]
PROMPT = os.environ["DRIFTD_PROMPT"]

TEXTS = json.loads((pathlib.Path(__file__).parent.parent / "texts.json").read_text())

os.environ.setdefault("OPENAI_API_KEY", "sk-none")
os.environ.setdefault("OPENAI_BASE_URL", VENDOR + "/v1")
os.environ.setdefault("ANTHROPIC_API_KEY", "sk-none")
os.environ.setdefault("ANTHROPIC_BASE_URL", VENDOR)


def messages():
    """The one conversation."""
    return [
        {"role": "system", "content": TEXTS["system"]},
        {"role": "user", "content": f"{TEXTS['template']} {TEXTS['variable']}"},
    ]


def tracing(*processors):
    """An OpenTelemetry tracer provider that exports to the Collector, made the global one."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(
        resource=Resource.create({"service.name": "refunds", "deployment.environment.name": "production"})
    )
    for p in processors:
        provider.add_span_processor(p)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=OTLP + "/v1/traces")))
    trace.set_tracer_provider(provider)
    return provider


def done(packages, **counts):
    """Tells the harness what was used; counts are calls and scores."""
    counts["versions"] = {p: importlib.metadata.version(p) for p in packages}
    print(json.dumps(counts))
    sys.stdout.flush()
