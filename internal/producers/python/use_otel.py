"""OpenTelemetry's own instrumentation of the OpenAI client. Prompt attributes are of the application's span above the call, scores
are log records."""

import time

import common
from opentelemetry import trace
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

tracing = common.tracing()
logging = LoggerProvider(resource=tracing.resource)
logging.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=common.OTLP + "/v1/logs")))
OpenAIInstrumentor().instrument(tracer_provider=tracing, logger_provider=logging)

from openai import OpenAI  # noqa: E402  behind the instrumentation

client = OpenAI()
tracer = trace.get_tracer("refunds")
judge = logging.get_logger("judge")


def score(context, **attributes):
    now = time.time_ns()
    judge.emit(
        LogRecord(
            timestamp=now,
            observed_timestamp=now,
            context=context,
            event_name="gen_ai.evaluation.result",
            attributes={"gen_ai.evaluation.explanation": common.TEXTS["explanation"], **attributes},
        )
    )


with tracer.start_as_current_span("handle refund", attributes={"gen_ai.prompt.name": common.PROMPT, "gen_ai.prompt.version": "v18"}):
    client.chat.completions.create(model="gpt-4o", messages=common.messages())
    here = trace.set_span_in_context(trace.get_current_span())
score(here, **{"gen_ai.evaluation.name": "grounding", "gen_ai.evaluation.score.value": 0.91, "gen_ai.evaluation.score.label": "pass"})

# A score as an event of the judged span, and a call whose own span names the prompt.
with tracer.start_as_current_span(
    "chat gpt-4o",
    attributes={
        "gen_ai.operation.name": "chat",
        "gen_ai.prompt.name": common.PROMPT,
        "gen_ai.prompt.version": "v18",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 42,
        "gen_ai.usage.output_tokens": 7,
    },
) as span:
    span.add_event("gen_ai.evaluation.result", {"gen_ai.evaluation.name": "grounding", "gen_ai.evaluation.score.value": 0.5})

tracing.shutdown()
logging.shutdown()
common.done(["opentelemetry-sdk", "opentelemetry-instrumentation-openai-v2"], calls=2, scores=2)
