"""The Traceloop SDK with OpenLLMetry's instrumentation of the OpenAI client: a prompt of its registry, rendered inside a workflow."""

import os

import common

os.environ.update(TRACELOOP_TELEMETRY="false", TRACELOOP_METRICS_ENABLED="false")

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: E402  behind the settings
from traceloop.sdk import Traceloop  # noqa: E402
from traceloop.sdk.decorators import workflow  # noqa: E402
from traceloop.sdk.fetcher import Fetcher  # noqa: E402
from traceloop.sdk.instruments import Instruments  # noqa: E402
from traceloop.sdk.prompts import get_prompt  # noqa: E402
from traceloop.sdk.prompts.client import PromptRegistryClient  # noqa: E402

Traceloop.init(
    app_name="refunds",
    api_endpoint=common.VENDOR,
    api_key="none",
    exporter=OTLPSpanExporter(endpoint=common.OTLP + "/v1/traces"),
    instruments={Instruments.OPENAI},
    telemetry_enabled=False,
)

# With an exporter of one's own the SDK does not poll the registry: the prompts are loaded by the same code, once.
from traceloop.sdk.fetcher import refresh_data  # noqa: E402

fetcher = Fetcher(common.VENDOR, "none")
refresh_data(common.VENDOR, "none", PromptRegistryClient()._registry, fetcher._content_allow_list)

from openai import OpenAI  # noqa: E402


@workflow(name="refund")
def refund():
    arguments = get_prompt(key=common.PROMPT, variables={"order": common.TEXTS["variable"]})
    OpenAI().chat.completions.create(**arguments)


Traceloop.set_association_properties({"tier": "enterprise"})
refund()

from opentelemetry import trace  # noqa: E402

trace.get_tracer_provider().force_flush()
common.done(["traceloop-sdk", "opentelemetry-instrumentation-openai"], calls=1, scores=0)
os._exit(0)  # the SDK's threads go on
