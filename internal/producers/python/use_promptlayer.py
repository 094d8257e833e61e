"""The PromptLayer SDK: run fetches a prompt and calls the model inside spans of its own, exported over OTLP. Scores go
to its own API."""

import os

import common

os.environ.update(PROMPTLAYER_API_KEY="none", PROMPTLAYER_BASE_URL=common.VENDOR, PROMPTLAYER_OTLP_TRACES_ENDPOINT=common.OTLP + "/v1/traces")

from promptlayer import PromptLayer  # noqa: E402  behind its settings

client = PromptLayer(api_key="none", base_url=common.VENDOR, enable_tracing=True)
ran = client.run(prompt_name=common.PROMPT, input_variables={}, metadata={"tier": "enterprise"})
client.track.score(request_id=ran["request_id"], score=91, score_name="grounding")

client.tracer_provider.force_flush()
common.done(["promptlayer", "openai"], calls=1, scores=0)
