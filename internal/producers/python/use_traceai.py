"""FutureAGI's traceAI instrumentation of the OpenAI client and its prompt template context."""

import common
from fi_instrumentation import using_prompt_template
from traceai_openai import OpenAIInstrumentor

tracing = common.tracing()
OpenAIInstrumentor().instrument(tracer_provider=tracing)

from openai import OpenAI  # noqa: E402  behind the instrumentation

with using_prompt_template(
    template=common.PROMPT, label="production", version="v18", variables={"order": common.TEXTS["variable"]}
):
    OpenAI().chat.completions.create(model="gpt-4o", messages=common.messages())

tracing.shutdown()
common.done(["traceAI-openai", "fi-instrumentation-otel"], calls=1, scores=0)
