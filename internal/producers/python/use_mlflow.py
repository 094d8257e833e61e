"""MLflow's tracing with its OTLP export and automatic OpenAI tracing, and a prompt of a local registry loaded inside the trace.
Feedback goes into the tracking store."""

import os

import common

os.environ.update(
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=common.OTLP + "/v1/traces",
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/protobuf",
    OTEL_SERVICE_NAME="refunds",
    MLFLOW_DISABLE_TELEMETRY="true",
    DO_NOT_TRACK="true",
)

import mlflow  # noqa: E402  behind its settings
from openai import OpenAI  # noqa: E402

mlflow.set_tracking_uri("sqlite:///" + os.path.join(os.environ["DRIFTD_SCRATCH"], "mlflow.db"))
mlflow.genai.register_prompt(name="mlflow-other", template=common.TEXTS["template"] + " {{order}}")
for _ in range(2):
    mlflow.genai.register_prompt(name=common.PROMPT, template=common.TEXTS["template"] + " {{order}}")
mlflow.openai.autolog()


@mlflow.trace(name="refund")
def refund():
    """Loads the prompt on its own span, which is the call's parent."""
    prompt = mlflow.genai.load_prompt(f"prompts:/{common.PROMPT}/2")
    OpenAI().chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": prompt.format(order=common.TEXTS["variable"])}]
    )


@mlflow.trace(name="load")
def load():
    return mlflow.genai.load_prompt(f"prompts:/{common.PROMPT}/2")


@mlflow.trace(name="refund beside")
def beside():
    """Loads the prompt on a span beside the call."""
    prompt = load()
    OpenAI().chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": prompt.format(order=common.TEXTS["variable"])}]
    )


refund()
beside()
mlflow.flush_trace_async_logging()
mlflow.log_feedback(trace_id=mlflow.get_last_active_trace_id(), name="grounding", value=0.91)

from opentelemetry import trace  # noqa: E402

from mlflow.tracing import provider as mlflow_provider  # noqa: E402

for p in (trace.get_tracer_provider(), getattr(mlflow_provider, "_MLFLOW_TRACER_PROVIDER", None)):
    if hasattr(p, "force_flush"):
        p.force_flush()
common.done(["mlflow", "openai"], calls=2, scores=0)
