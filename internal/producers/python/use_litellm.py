"""LiteLLM with its OpenTelemetry callback, which knows prices. The prompt is of the application's span above the call, which has a
span of its own: unless told so, LiteLLM writes onto the application's."""

import os

import common

os.environ.update(
    OTEL_EXPORTER="otlp_http",
    OTEL_ENDPOINT=common.OTLP + "/v1/traces",
    OTEL_SERVICE_NAME="refunds",
    LITELLM_LOCAL_MODEL_COST_MAP="True",
    USE_OTEL_LITELLM_REQUEST_SPAN="true",
)

from opentelemetry import trace  # noqa: E402

tracing = common.tracing()

import litellm  # noqa: E402  behind its settings

litellm.telemetry = False
litellm.callbacks = ["otel"]

with trace.get_tracer("refunds").start_as_current_span(
    "refund", attributes={"gen_ai.prompt.name": common.PROMPT, "gen_ai.prompt.version": "v18"}
):
    litellm.completion(
        model="openai/gpt-4o", api_base=common.VENDOR + "/v1", messages=common.messages(), metadata={"tier": "enterprise"}
    )

import time  # noqa: E402

time.sleep(2)  # its callbacks run in a thread that it does not wait for
tracing.force_flush()
common.done(["litellm"], calls=1, scores=0)
os._exit(0)
