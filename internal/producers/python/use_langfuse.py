"""The Langfuse SDK: a prompt fetched from the registry, linked to a generation by hand and to one by its OpenAI wrapper, and a
fallback prompt, which is linked to nothing. Scores go to Langfuse's own API."""

import datetime
import os

import common

os.environ.update(
    LANGFUSE_PUBLIC_KEY="pk-none",
    LANGFUSE_SECRET_KEY="sk-none",
    LANGFUSE_BASE_URL=common.VENDOR,
    LANGFUSE_HOST=common.VENDOR,
    LANGFUSE_TRACING_ENVIRONMENT="production",
)

from langfuse import get_client  # noqa: E402  behind its settings
from langfuse.openai import openai  # noqa: E402

langfuse = get_client()
prompt = langfuse.get_prompt(common.PROMPT)
text = prompt.compile(order=common.TEXTS["variable"])

with langfuse.start_as_current_observation(as_type="span", name="refund"):
    with langfuse.start_as_current_observation(
        as_type="generation", name="answer", model="gpt-4o", prompt=prompt, input=text, metadata={"tier": "enterprise"}
    ) as generation:
        generation.update(
            output=common.TEXTS["completion"],
            completion_start_time=datetime.datetime.now(datetime.timezone.utc),
            usage_details={"input": 42, "output": 7, "total": 49},
            cost_details={"input": 0.002, "output": 0.0008, "total": 0.0028},
        )
        generation.score(name="grounding", value=0.91, data_type="NUMERIC", comment=common.TEXTS["explanation"])
    openai.OpenAI().chat.completions.create(
        name="answer", model="gpt-4o", messages=[{"role": "user", "content": text}], langfuse_prompt=prompt
    )

fallback = langfuse.get_prompt("unknown", fallback=common.TEXTS["template"], max_retries=0)
assert fallback.is_fallback, "the vendor should not know this prompt"
with langfuse.start_as_current_observation(as_type="generation", name="answer", model="gpt-4o", prompt=fallback) as generation:
    generation.update(usage_details={"input": 42, "output": 7})

langfuse.flush()
langfuse.shutdown()
common.done(["langfuse", "openai"], calls=2, scores=0)
