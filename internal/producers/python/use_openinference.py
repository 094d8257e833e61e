"""OpenInference's instrumentation of the OpenAI and Anthropic clients, its prompt template context, and its annotations."""

import common
from openinference.instrumentation import (
    OITracer,
    TraceConfig,
    get_annotation_attributes,
    get_evaluation_attributes,
    using_attributes,
    using_prompt_template,
)
from openinference.instrumentation.anthropic import AnthropicInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor
from openinference.semconv.trace import SpanAttributes
from opentelemetry import trace

tracing = common.tracing()
OpenAIInstrumentor().instrument(tracer_provider=tracing)
AnthropicInstrumentor().instrument(tracer_provider=tracing)

from anthropic import Anthropic  # noqa: E402  behind the instrumentation
from openai import OpenAI  # noqa: E402

tracer = trace.get_tracer("refunds")
template = dict(
    template=common.TEXTS["template"] + " {order}", version="v18", variables={"order": common.TEXTS["variable"]}
)

with tracer.start_as_current_span(
    "refund", attributes={SpanAttributes.OPENINFERENCE_SPAN_KIND: "CHAIN", SpanAttributes.PROMPT_ID: common.PROMPT}
):
    with using_prompt_template(**template), using_attributes(session_id="s1", user_id="u1", metadata={"tier": "enterprise"}):
        OpenAI().chat.completions.create(model="gpt-4o", messages=common.messages())

# Its own tracer gives the chain what the context has, too; and both words for a judge's result.
with using_prompt_template(**template):
    with OITracer(tracer, config=TraceConfig()).start_as_current_span(
        "refund", openinference_span_kind="chain", attributes={SpanAttributes.PROMPT_ID: common.PROMPT}
    ) as chain:
        chain.set_attributes(
            get_evaluation_attributes(
                evaluations=[{"name": "grounding", "score": 0.91, "label": "pass", "explanation": common.TEXTS["explanation"]}]
            )
        )
        chain.set_attributes(
            get_annotation_attributes(annotations=[{"name": "tone", "score": 0.5, "annotator_kind": "HUMAN"}])
        )
        Anthropic().messages.create(
            model="claude-sonnet", max_tokens=64, system=common.TEXTS["system"], messages=common.messages()[1:]
        )

tracing.shutdown()
common.done(
    ["openinference-instrumentation", "openinference-instrumentation-openai", "openinference-instrumentation-anthropic"],
    calls=2,
    scores=2,
)
