package consumer

// producer is a span or an evaluation as a system writes it, with what is to be made of it.
type producer struct {
	name           string
	presets        []string // beside auto that give the same
	resource, span []any
	event          []any // attributes of a span event that is an evaluation
	want           words
}

// ofGenAI are the presets that have the standard's names of model calls.
var ofGenAI = []string{"otel", "langfuse", "openllmetry"}

var producers = []producer{
	{
		name: "driftd's own names", presets: ofGenAI,
		resource: []any{"service.name", "support", "deployment.environment.name", "production"},
		span: []any{"gen_ai.operation.name", "chat", "prompt.id", "support_intent_classifier", "prompt.version", "v23", "prompt.template_hash", "b1d7e4", "prompt.variant", "control",
			"prompt.tier", "enterprise", "prompt.locale", "de", "prompt.condition.fallback", false, "gen_ai.request.model", "claude-4-7-sonnet", "gen_ai.usage.input_tokens", 1240},
		want: words{Call: true, Prompt: "support_intent_classifier", Version: "v23", Hash: "b1d7e4", Model: "claude-4-7-sonnet", Variant: "control", Environment: "production",
			Tier: "enterprise", Locale: "de", Values: values{"input_tokens": 1240, "fallback": 0}},
	},
	{
		name: "a render span", presets: presetNames,
		resource: []any{"deployment.environment", "staging"},
		span:     []any{"prompt.name", "refund_handler", "prompt.sha", "9f3c", "prompt.version", 18, "tier", "free"},
		want:     words{Prompt: "refund_handler", Version: "18", Hash: "9f3c", Environment: "staging", Tier: "free"},
	},
	{
		name: "a fallback prompt", presets: ofGenAI,
		span: []any{"gen_ai.operation.name", "chat", "prompt.name", "refund_handler", "prompt.version", "v18", "prompt.condition.fallback", true},
		want: words{Call: true, Prompt: "refund_handler", Values: values{"fallback": 1}},
	},
	{
		name: "OpenTelemetry", presets: ofGenAI,
		span: []any{"gen_ai.operation.name", "chat", "gen_ai.provider.name", "openai", "gen_ai.prompt.name", "analyze-code", "gen_ai.prompt.version", "1.4.0", "gen_ai.request.model", "gpt-4o",
			"gen_ai.response.model", "gpt-4o-2024-08-06", "gen_ai.response.id", "chatcmpl-123", "gen_ai.usage.input_tokens", 100, "gen_ai.usage.output_tokens", 180,
			"gen_ai.response.time_to_first_chunk", 0.42, "error.type", "timeout", "server.address", "api.openai.com"},
		event: []any{"gen_ai.evaluation.name", "Relevance", "gen_ai.evaluation.score.value", 4.0, "gen_ai.evaluation.score.label", "relevant", "gen_ai.evaluation.explanation", "It is."},
		want: words{Call: true, Prompt: "analyze-code", Version: "1.4.0", Model: "gpt-4o-2024-08-06", Response: "chatcmpl-123",
			Values: values{"input_tokens": 100, "output_tokens": 180, "ttft": 0.42, "error": 1}, Scores: map[string]any{"Relevance": 4.0}},
	},
	{
		name: "OpenTelemetry before version 1.27", presets: ofGenAI,
		span: []any{"gen_ai.operation.name", "text_completion", "gen_ai.system", "openai", "gen_ai.request.model", "davinci", "gen_ai.usage.prompt_tokens", 7, "gen_ai.usage.completion_tokens", "9",
			"gen_ai.usage.cost.amount", 0.002, "gen_ai.usage.cost.currency", "usd"},
		want: words{Call: true, Model: "davinci", Values: values{"input_tokens": 7, "output_tokens": 9, "cost": 0.002}},
	},
	{
		name: "OpenTelemetry embeddings, which are no call of a prompt", presets: ofGenAI,
		span: []any{"gen_ai.operation.name", "embeddings", "gen_ai.request.model", "e3", "gen_ai.usage.cost", 0.01, "gen_ai.cost.total_cost", 9.0},
		want: words{Model: "e3"},
	},
	{
		name: "OpenTelemetry with a cost", presets: ofGenAI,
		span: []any{"gen_ai.operation.name", "chat", "gen_ai.request.model", "m", "gen_ai.usage.cost", 0.01, "gen_ai.cost.total_cost", 9.0},
		want: words{Call: true, Model: "m", Values: values{"cost": 0.01}},
	},
	{
		name: "a cost by another name", presets: ofGenAI,
		span: []any{"gen_ai.operation.name", "chat", "gen_ai.cost.total_cost", 0.03},
		want: words{Call: true, Values: values{"cost": 0.03}},
	},
	{
		name: "a cost in euros", presets: ofGenAI,
		span: []any{"gen_ai.operation.name", "chat", "gen_ai.usage.cost.amount", 0.03, "gen_ai.usage.cost.currency", "EUR"},
		want: words{Call: true},
	},
	{
		name: "an agent above its calls", presets: ofGenAI,
		span: []any{"gen_ai.operation.name", "invoke_agent", "gen_ai.agent.name", "router", "gen_ai.request.model", "gpt-4o", "gen_ai.usage.input_tokens", 900, "gen_ai.prompt.name", "router"},
		want: words{Prompt: "router", Model: "gpt-4o"},
	},
	{
		name: "OpenInference", presets: []string{"openinference"},
		span: []any{"openinference.span.kind", "LLM", "llm.system", "openai", "llm.provider", "openai", "llm.model_name", "gpt-4o-mini", "llm.token_count.prompt", 31, "llm.token_count.completion", 12,
			"llm.token_count.total", 43, "llm.cost.total", 0.0004, "prompt.id", "UHJvbXB0OjE=", "prompt.vendor", "arize-phoenix", "prompt.name", "summarize", "llm.prompt_template.template", "Sum {x}",
			"llm.prompt_template.version", "v1.0", "llm.input_messages.0.message.content", "text", "input.value", "text", "metadata", `{"tier":"pro"}`,
			"annotations.0.annotation.name", "correctness", "annotations.0.annotation.score", 1, "annotations.0.annotation.label", "correct", "annotations.0.annotation.annotator_kind", "HUMAN",
			"annotations.1.annotation.name", "tone", "annotations.1.annotation.label", "polite", "annotations.2.annotation.name", "note", "annotations.2.annotation.explanation", "words alone"},
		want: words{Call: true, Prompt: "summarize", Version: "v1.0", Model: "gpt-4o-mini", Tier: "pro", Values: values{"input_tokens": 31, "output_tokens": 12, "cost": 0.0004},
			Scores: map[string]any{"correctness": 1.0, "tone": "polite"}},
	},
	{
		name: "OpenInference with names of request and response", presets: []string{"openinference"},
		span: []any{"openinference.span.kind", "LLM", "llm.request.model_name", "gpt-4o", "llm.response.model_name", "gpt-4o-2024-08-06"},
		want: words{Call: true, Model: "gpt-4o-2024-08-06"},
	},
	{
		name: "OpenInference with the name of the request alone", presets: []string{"openinference"},
		span: []any{"openinference.span.kind", "LLM", "llm.request.model_name", "e3"},
		want: words{Call: true, Model: "e3"},
	},
	{
		name: "an evaluator of OpenInference", presets: []string{"openinference"},
		span: []any{"openinference.span.kind", "EVALUATOR", "llm.model_name", "judge", "evaluations.0.evaluation.name", "hallucination", "evaluations.0.evaluation.score", 1,
			"evaluations.0.evaluation.label", "hallucinated", "evaluations.0.evaluation.annotator_kind", "LLM", "evaluations.0.evaluation.identifier", "judge-v2"},
		want: words{Model: "judge", Scores: map[string]any{"hallucination": 1.0}},
	},
	{
		name: "a chain of OpenInference", presets: []string{"openinference"},
		span: []any{"openinference.span.kind", "CHAIN", "llm.model_name", "m", "llm.token_count.prompt", 31},
		want: words{Model: "m"},
	},
	{
		name: "evaluations of Arize", presets: []string{"openinference"},
		span: []any{"openinference.span.kind", "LLM", "eval.Q&A Correctness.score", 0.5, "eval.Q&A Correctness.label", "correct", "eval.Q&A Correctness.explanation", "text", "eval.tone.label", "polite"},
		want: words{Call: true, Scores: map[string]any{"Q&A Correctness": 0.5, "tone": "polite"}},
	},
	{
		name: "Langfuse", presets: []string{"langfuse"},
		span: []any{"langfuse.observation.type", "generation", "langfuse.environment", "production", "langfuse.observation.model.name", "gpt-4o", "langfuse.observation.prompt.name", "qa-answer",
			"langfuse.observation.prompt.version", 7, "langfuse.observation.usage_details", `{"input": 1240, "output": 180, "total": 1420, "input_cached_tokens": 1000}`,
			"langfuse.observation.cost_details", `{"input": 0.001, "output": 0.0018, "total": 0.0028}`, "langfuse.observation.completion_start_time", `"2026-11-20T14:31:58.210000Z"`,
			"langfuse.observation.input", "text", "langfuse.observation.level", "DEFAULT", "langfuse.trace.metadata.tier", "pro", "langfuse.observation.metadata.locale", `"fr"`, "session.id", "s1"},
		want: words{Call: true, Prompt: "qa-answer", Version: "7", Model: "gpt-4o", Environment: "production", Tier: "pro", Locale: "fr",
			Values: values{"input_tokens": 1240, "output_tokens": 180, "cost": 0.0028, "ttft": 0.21}},
	},
	{
		name: "Langfuse, failed, with another spelling", presets: []string{"langfuse"},
		span: []any{"langfuse.observation.type", "generation", "langfuse.prompt.name", "qa-answer", "langfuse.prompt.version", "7", "langfuse.observation.level", "ERROR",
			"langfuse.observation.cost_details", `{"input":0.001,"output":0.002}`, "langfuse.observation.usage_details", `{"prompt_tokens":5,"completion_tokens":6}`,
			"langfuse.observation.completion_start_time", "2026-11-20T15:31:58.5+01:00"},
		want: words{Call: true, Prompt: "qa-answer", Version: "7", Values: values{"input_tokens": 5, "output_tokens": 6, "cost": 0.003, "ttft": 0.5, "error": 1}},
	},
	{
		name: "Langfuse with a cost that is flat", presets: []string{"langfuse"},
		span: []any{"langfuse.observation.type", "generation", "langfuse.observation.cost_details.total", 0.5},
		want: words{Call: true, Values: values{"cost": 0.5}},
	},
	{
		name: "a span of Langfuse", presets: []string{"langfuse"},
		span: []any{"langfuse.observation.type", "span", "langfuse.observation.prompt.name", "qa-answer", "langfuse.observation.model.name", "m"},
		want: words{Prompt: "qa-answer", Model: "m"},
	},
	{
		name: "Vercel's AI SDK with Langfuse's prompt", presets: []string{"langfuse"},
		span: []any{"ai.operationId", "ai.streamText.doStream", "ai.telemetry.metadata.langfusePrompt", `{"name":"movie-critic","version":3,"config":{},"labels":["production"],"isFallback":false}`,
			"ai.telemetry.metadata.tier", "team", "gen_ai.request.model", "gpt-4o", "gen_ai.usage.input_tokens", 10},
		want: words{Call: true, Prompt: "movie-critic", Version: "3", Model: "gpt-4o", Tier: "team", Values: values{"input_tokens": 10, "fallback": 0}},
	},
	{
		name: "Vercel's AI SDK with a fallback of Langfuse's prompt", presets: []string{"langfuse"},
		span: []any{"gen_ai.operation.name", "chat", "ai.telemetry.metadata.langfusePrompt", `{"name":"movie-critic","version":0,"isFallback":true}`},
		want: words{Call: true, Prompt: "movie-critic", Values: values{"fallback": 1}},
	},
	{
		name: "Vercel's AI SDK",
		span: []any{"ai.operationId", "ai.streamText.doStream", "ai.model.id", "gpt-4o", "ai.response.model", "gpt-4o-2024", "ai.response.id", "aitxt-1", "ai.response.msToFirstChunk", 350.5,
			"ai.usage.promptTokens", 11, "ai.usage.completionTokens", 12, "ai.prompt.messages", "text"},
		want: words{Call: true, Model: "gpt-4o-2024", Response: "aitxt-1", Values: values{"input_tokens": 11, "output_tokens": 12, "ttft": 0.3505}},
	},
	{
		name: "Vercel's AI SDK before version 4",
		span: []any{"ai.operationId", "ai.streamText.doStream", "ai.stream.msToFirstChunk", "350"},
		want: words{Call: true, Values: values{"ttft": 0.35}},
	},
	{
		name: "the outer span of Vercel's AI SDK",
		span: []any{"ai.operationId", "ai.streamText", "ai.usage.promptTokens", 11, "gen_ai.usage.input_tokens", 11, "prompt.name", "p"},
		want: words{Prompt: "p"},
	},
	{
		name: "ABV",
		span: []any{"abv.observation.type", "generation", "abv.environment", "production", "abv.observation.model.name", "gpt-4o", "abv.observation.prompt.name", "qa", "abv.observation.prompt.version", 4,
			"abv.observation.usage_details", `{"input":3,"output":4}`, "abv.observation.cost_details", `{"total":0.1}`, "abv.observation.completion_start_time", "2026-11-20 14:31:59",
			"abv.observation.level", "ERROR", "abv.trace.metadata.tier", "pro", "abv.observation.metadata.locale", "en"},
		want: words{Call: true, Prompt: "qa", Version: "4", Model: "gpt-4o", Environment: "production", Tier: "pro", Locale: "en",
			Values: values{"input_tokens": 3, "output_tokens": 4, "cost": 0.1, "ttft": 1, "error": 1}},
	},
	{
		name: "FutureAGI",
		span: []any{"gen_ai.span.kind", "LLM", "gen_ai.prompt.template.name", "greeter", "gen_ai.prompt.template.version", "v2", "gen_ai.prompt.template.label", "Production",
			"gen_ai.prompt.template.variables", "{}", "gen_ai.request.model", "gpt-4o", "gen_ai.cost.total", 0.5,
			"gen_ai.evaluation.name", "tone", "gen_ai.evaluation.score.value", "0.9", "gen_ai.evaluation.explanation", "text"},
		want: words{Call: true, Prompt: "greeter", Version: "v2", Model: "gpt-4o", Values: values{"cost": 0.5}, Scores: map[string]any{"tone": 0.9}},
	},
	{
		name: "FutureAGI's LangChain, with the prompt's text for its name",
		span: []any{"fi.span.kind", "LLM", "gen_ai.prompt.template.name", "You are a helpful bot.\nAnswer {question}.", "gen_ai.prompt.template.version", "v2", "langsmith.metadata.lc_hub_repo", "greeter"},
		want: words{Call: true, Prompt: "greeter", Version: "v2"},
	},
	{
		name: "LangWatch",
		span: []any{"langwatch.span.type", "llm", "langwatch.prompt.id", "prompt_ekZriph", "langwatch.prompt.handle", "team/faq", "langwatch.prompt.version.id", "prompt_version_1",
			"langwatch.prompt.version.number", 6, "langwatch.prompt.variables", "{}", "gen_ai.request.model", "gpt-4o"},
		event: []any{"json_encoded_event", `{"evaluation_id":"eval_1","name":"toxicity","type":"custom","is_guardrail":false,"status":"processed","passed":true,"score":0.95,"label":"toxic","details":"a \"text\""}`},
		want:  words{Call: true, Prompt: "team/faq", Version: "6", Model: "gpt-4o", Scores: map[string]any{"toxicity": 0.95}},
	},
	{
		name:  "LangWatch with both in the id",
		span:  []any{"langwatch.span.type", "llm", "langwatch.prompt.id", "team/faq:12"},
		event: []any{"json_encoded_event", `{"name":"guard","passed":false}`},
		want:  words{Call: true, Prompt: "team/faq", Version: "12", Scores: map[string]any{"guard": 0.0}},
	},
	{
		name: "LangWatch's own figures",
		span: []any{"langwatch.span.type", "llm", "langwatch.metrics", `{"prompt_tokens": 42, "completion_tokens": 7, "cost": 0.002, "reasoning_tokens": null}`,
			"langwatch.timestamps", `{"started_at": 1795265149640, "first_token_at": 1795265149651, "finished_at": 1795265149700}`, "metadata", `{"locale": "nl"}`},
		want: words{Call: true, Locale: "nl", Values: values{"input_tokens": 42, "output_tokens": 7, "cost": 0.002, "ttft": 0.011}},
	},
	{
		name: "LangWatch with a tag in the id",
		span: []any{"langwatch.span.type", "prompt", "langwatch.prompt.id", "team/faq:production", "langwatch.prompt.handle", ""},
		want: words{Prompt: "team/faq"},
	},
	{
		name:  "LangWatch's draft",
		span:  []any{"langwatch.span.type", "llm", "langwatch.prompt.handle", "faq", "langwatch.prompt.id", "faq:6", "langwatch.prompt.version.number", 6, "langwatch.prompt.draft", true},
		event: []any{"json_encoded_event", `{"name":"skipped one","status":"skipped","score":0}`},
		want:  words{Call: true, Prompt: "faq"},
	},
	{
		name: "PromptLayer",
		span: []any{"gen_ai.operation.name", "chat", "promptlayer.prompt.name", "support-answer", "promptlayer.prompt.id", "42", "promptlayer.prompt.version", "3", "promptlayer.prompt.label", "production",
			"promptlayer.metadata.tier", "pro", "gen_ai.request.model", "gpt-4o-mini"},
		want: words{Call: true, Prompt: "support-answer", Version: "3", Model: "gpt-4o-mini", Tier: "pro"},
	},
	{
		name: "PromptLayer's fetch",
		span: []any{"promptlayer.prompt.requested.name", "support-answer", "promptlayer.prompt.requested.version", "2", "promptlayer.prompt.requested.label", "production"},
		want: words{},
	},
	{
		name: "OpenLLMetry", presets: []string{"openllmetry"},
		span: []any{"llm.request.type", "chat", "gen_ai.system", "OpenAI", "gen_ai.request.model", "gpt-4o", "gen_ai.response.model", "gpt-4o-2024-08-06", "gen_ai.response.id", "chatcmpl-1",
			"gen_ai.usage.input_tokens", 5, "gen_ai.usage.output_tokens", 6, "llm.usage.total_tokens", 11, "traceloop.prompt.key", "joke", "traceloop.prompt.version", "4",
			"traceloop.prompt.version_name", "four", "traceloop.prompt.version_hash", "c0ffee", "traceloop.association.properties.tier", "pro", "traceloop.workflow.name", "jokes", "gen_ai.prompt.0.content", "text"},
		want: words{Call: true, Prompt: "joke", Version: "4", Hash: "c0ffee", Model: "gpt-4o-2024-08-06", Response: "chatcmpl-1", Tier: "pro", Values: values{"input_tokens": 5, "output_tokens": 6}},
	},
	{
		name: "a workflow of OpenLLMetry", presets: []string{"openllmetry"},
		span: []any{"traceloop.span.kind", "workflow", "traceloop.workflow.name", "jokes", "traceloop.entity.name", "jokes", "gen_ai.usage.input_tokens", 5},
		want: words{},
	},
	{
		name: "MLflow", presets: []string{"mlflow"},
		span: []any{"mlflow.spanType", `"CHAT_MODEL"`, "mlflow.traceRequestId", `"tr-1"`, "mlflow.llm.model", `"gpt-4o-mini"`, "mlflow.llm.provider", `"openai"`, "mlflow.spanInputs", `{"text":1}`,
			"mlflow.chat.tokenUsage", `{"input_tokens": 14, "output_tokens": 9, "total_tokens": 23}`, "mlflow.llm.cost", `{"input_cost":0.001,"output_cost":0.002,"total_cost":0.003}`,
			"mlflow.linkedPrompts", `"[{\"name\": \"qa\", \"version\": \"12\"}, {\"name\": \"router\", \"version\": \"4\"}]"`},
		want: words{Call: true, Prompt: "qa", Version: "12", Model: "gpt-4o-mini", Values: values{"input_tokens": 14, "output_tokens": 9, "cost": 0.003}},
	},
	{
		name: "MLflow, encoded twice", presets: []string{"mlflow"},
		span: []any{"mlflow.spanType", `"CHAIN"`, "mlflow.linkedPrompts", `"\"[{\\\"name\\\": \\\"qa\\\", \\\"version\\\": 3}]\""`},
		want: words{Prompt: "qa", Version: "3"},
	},
	{
		name: "MLflow's TypeScript, flat", presets: []string{"mlflow"},
		span: []any{"mlflow.spanType", "LLM", "mlflow.llm.model", "gpt-5", "mlflow.linkedPrompts", `[{"name":"qa","version":"12"}]`, "mlflow.chat.tokenUsage.input_tokens", 3,
			"mlflow.chat.tokenUsage.output_tokens", 4, "mlflow.llm.cost.total_cost", 0.1},
		want: words{Call: true, Prompt: "qa", Version: "12", Model: "gpt-5", Values: values{"input_tokens": 3, "output_tokens": 4, "cost": 0.1}},
	},
	{
		name: "LangSmith",
		span: []any{"langsmith.span.kind", "llm", "gen_ai.operation.name", "chat", "gen_ai.system", "openai", "gen_ai.request.model", "gpt-4o", "langsmith.metadata.lc_hub_owner", "-",
			"langsmith.metadata.lc_hub_repo", "joke-maker", "langsmith.metadata.lc_hub_commit_hash", "1f2e3d4c", "langsmith.metadata.tier", "pro", "langsmith.span.tags", "a, b"},
		want: words{Call: true, Prompt: "joke-maker", Version: "1f2e3d4c", Model: "gpt-4o", Tier: "pro"},
	},
	{
		name: "a template of LangSmith",
		span: []any{"langsmith.span.kind", "prompt", "gen_ai.operation.name", "chat", "gen_ai.system", "langchain", "langsmith.metadata.lc_hub_repo", "joke-maker"},
		want: words{Prompt: "joke-maker"},
	},
	{
		name: "a chain of LangSmith", presets: ofGenAI,
		span: []any{"langsmith.span.kind", "chain", "gen_ai.operation.name", "chain", "gen_ai.system", "langchain", "gen_ai.usage.input_tokens", 42},
		want: words{},
	},
	{
		name: "LangChain's metadata as they are",
		span: []any{"gen_ai.operation.name", "chat", "lc_hub_owner", "-", "lc_hub_repo", "joke-maker", "lc_hub_commit_hash", "1f2e3d4c"},
		want: words{Call: true, Prompt: "joke-maker", Version: "1f2e3d4c"},
	},
	{
		name: "Agenta",
		span: []any{"ag.type.node", "chat", "ag.refs.application.slug", "concierge", "ag.refs.application.id", "0190", "ag.refs.application_variant.slug", "formal", "ag.refs.application_revision.version", "9",
			"ag.refs.application_revision.id", "0191", "ag.refs.environment.slug", "production", "ag.metrics.tokens.incremental.prompt", 5, "ag.metrics.tokens.incremental.completion", 6,
			"ag.metrics.costs.incremental.total", 0.1},
		want: words{Call: true, Prompt: "concierge", Version: "9", Variant: "formal", Environment: "production", Values: values{"input_tokens": 5, "output_tokens": 6, "cost": 0.1}},
	},
	{
		name: "Agenta's SDK",
		span: []any{"ag.type.node", "completion", "ag.metrics.unit.tokens.prompt", 5, "ag.metrics.unit.tokens.completion", 6, "ag.metrics.unit.costs.total", 0.1},
		want: words{Call: true, Values: values{"input_tokens": 5, "output_tokens": 6, "cost": 0.1}},
	},
	{
		name: "Agenta with ids alone",
		span: []any{"ag.type.node", "workflow", "ag.refs.application.id", "0190", "ag.refs.application_revision.id", "0191"},
		want: words{Prompt: "0190", Version: "0191"},
	},
	{
		name: "Opik's prompts",
		span: []any{"gen_ai.operation.name", "chat", "opik_prompts", `[{"id":"0190","name":"qa","template_structure":"text","version":{"id":"0191","commit":"8cb2a5f1","version_number":"v3","template":"text"}}]`},
		want: words{Call: true, Prompt: "qa", Version: "v3"},
	},
	{
		name: "Opik's prompts before they had numbers",
		span: []any{"gen_ai.operation.name", "chat", "opik_prompts", `[{"name":"qa","version":{"commit":"8cb2a5f1"}}]`},
		want: words{Call: true, Prompt: "qa", Version: "8cb2a5f1"},
	},
	{
		name: "Braintrust",
		span: []any{"braintrust.span_attributes", `{"type":"llm","name":"Chat Completion"}`, "braintrust.metadata", `{"provider":"openai","model":"gpt-4o","prompt":{"variables":{},"id":"6f1","project_id":"p1","version":"1000192656880881099"}}`,
			"braintrust.metrics", `{"prompt_tokens":10,"completion_tokens":4,"tokens":14,"time_to_first_token":0.3}`, "braintrust.scores", `{"Factuality":0.6,"skipped":null}`, "braintrust.input_json", "[]"},
		want: words{Call: true, Prompt: "6f1", Version: "1000192656880881099", Model: "gpt-4o", Values: values{"input_tokens": 10, "output_tokens": 4, "ttft": 0.3}, Scores: map[string]any{"Factuality": 0.6}},
	},
	{
		name: "Braintrust, flat",
		span: []any{"braintrust.span_attributes", `{"type":"llm"}`, "braintrust.metrics.prompt_tokens", 10, "braintrust.metrics.completion_tokens", 4},
		want: words{Call: true, Values: values{"input_tokens": 10, "output_tokens": 4}},
	},
	{
		name: "OpenLIT and others with genai.*",
		span: []any{"genai.model.id", "claude", "genai.usage.cost", 0.1},
		want: words{Call: true, Model: "claude", Values: values{"cost": 0.1}},
	},
	{
		name: "LiteLLM", span: []any{"gen_ai.operation.name", "chat", "litellm.cost.total", 0.2},
		want: words{Call: true, Values: values{"cost": 0.2}},
	},
	{
		name: "Pydantic AI and Logfire", span: []any{"gen_ai.operation.name", "chat", "operation.cost", 0.3},
		want: words{Call: true, Values: values{"cost": 0.3}},
	},
	{
		name: "promptfoo", resource: []any{"service.name", "promptfoo"},
		span: []any{"promptfoo.eval.id", "eval-1", "promptfoo.test.index", 3, "promptfoo.prompt.label", "p", "gen_ai.operation.name", "chat", "gen_ai.prompt.name", "qa", "gen_ai.usage.input_tokens", 9},
		want: words{},
	},
	{
		name: "promptfoo without an id", span: []any{"promptfoo.test.index", 3, "gen_ai.operation.name", "chat", "gen_ai.prompt.name", "qa"},
		want: words{},
	},
	{
		name: "a database below a call", presets: presetNames,
		resource: []any{"service.name", "support", "telemetry.sdk.language", "go"}, span: []any{"db.system", "postgresql", "db.statement", "SELECT 1", "net.peer.name", "db"},
		want: words{},
	},
}
