"""The LangSmith SDK with its OTLP export: a prompt pulled from the hub in a LangChain chain. Feedback goes to
its own API."""

import os
import uuid

import common

os.environ.update(
    LANGSMITH_API_KEY="none",
    LANGSMITH_ENDPOINT=common.VENDOR,
    LANGSMITH_TRACING="true",
    LANGSMITH_OTEL_ENABLED="true",
    LANGSMITH_OTEL_ONLY="true",
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=common.OTLP + "/v1/traces",
)

from langchain_openai import ChatOpenAI  # noqa: E402  behind its settings
from langsmith import Client  # noqa: E402

client = Client()
prompt = client.pull_prompt(common.PROMPT)
chain = prompt | ChatOpenAI(model="gpt-4o")
run = uuid.uuid4()
chain.invoke({"order": common.TEXTS["variable"]}, config={"metadata": {"tier": "enterprise"}, "run_id": run})
client.create_feedback(run_id=run, key="grounding", score=0.91)

from langchain_core.tracers.langchain import wait_for_all_tracers  # noqa: E402

wait_for_all_tracers()
client.flush()

from opentelemetry import trace  # noqa: E402

if hasattr(trace.get_tracer_provider(), "force_flush"):
    trace.get_tracer_provider().force_flush()
common.done(["langsmith", "langchain-openai"], calls=1, scores=0)
