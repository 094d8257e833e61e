"""The LangWatch SDK: a prompt fetched and compiled inside the trace, a call by OpenInference's instrumentation, an evaluation as an
event of the span above the call."""

import os

import common

os.environ.update(LANGWATCH_API_KEY="sk-none", LANGWATCH_ENDPOINT=common.VENDOR)

import langwatch  # noqa: E402  behind its settings
from openai import OpenAI  # noqa: E402

langwatch.setup(api_key="sk-none", endpoint_url=common.VENDOR)
client = OpenAI()


@langwatch.trace(name="refund")
def refund():
    langwatch.get_current_trace().autotrack_openai_calls(client)
    prompt = langwatch.prompts.get(common.PROMPT)
    compiled = prompt.compile(order=common.TEXTS["variable"])
    with langwatch.span(type="chain", name="answer") as span:
        client.chat.completions.create(model="gpt-4o", messages=compiled.messages or common.messages())
        span.add_evaluation(name="grounding", score=0.91, passed=True, label="pass", details=common.TEXTS["explanation"])


refund()

from opentelemetry import trace  # noqa: E402

trace.get_tracer_provider().force_flush()
common.done(["langwatch", "openai"], calls=1, scores=1)
