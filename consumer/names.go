package consumer

import "github.com/driftd/driftd/windows"

// Field is something that an event says by one of several attributes.
type Field uint8

const (
	FieldPrompt Field = iota
	FieldVersion
	FieldTemplateHash
	FieldVariant
	FieldEnvironment
	FieldFallback
	FieldModel
	FieldOperation
	FieldInputTokens
	FieldOutputTokens
	FieldCost
	FieldTTFT
	FieldErrorType
	FieldResponse
	FieldRubric
	FieldScoreValue
	FieldScoreLabel
	FieldEvaluation // a whole evaluation as JSON
	FieldScores     // scores by rubric as JSON
	FieldTarget     // span that an evaluation is about
	FieldTargetTrace
	FieldOffline   // marks what is no production traffic
	fieldDimension // and those behind it: the dimensions in configured order

	maxFields = int(fieldDimension) + MaxDimensions
)

// fieldNames are the words that a config uses for the fields.
var fieldNames = [fieldDimension]string{
	"prompt", "version", "template_hash", "variant", "environment", "fallback", "model", "operation", "input_tokens", "output_tokens",
	"cost", "ttft", "error", "response_id", "rubric", "score_value", "score_label", "evaluation", "scores", "target_span_id", "target_trace_id", "offline",
}

func (f Field) String() string { return fieldNames[f] }

// name is one attribute that a field may stand in.
type name struct {
	attr string
	in   presets     // beside auto
	how  *conversion // nil: the value as it is
	only condition
	call bool // only model calls carry it
}

// condition says when an attribute does not count, by another one of the same set.
type condition struct {
	test test
	attr string
	is   string
}

type test uint8

const (
	always test = iota
	unless      // only when attr is absent
	when        // only when attr is is, in either case
	no          // only when attr is not true
)

func unlessSet(attr string) condition    { return condition{test: unless, attr: attr} }
func onlyWhen(attr, is string) condition { return condition{test: when, attr: attr, is: is} }
func unlessTrue(attr string) condition   { return condition{test: no, attr: attr} }

// table has for each field the attributes in order of preference, those of the span before those of the resource. To teach
// driftd another producer is to add rows here, a conversion where the value needs one, and a span as the producer writes it
// to the test.
var table = [fieldDimension][]name{
	FieldPrompt: {
		{attr: "prompt.id", in: inAll, only: unlessSet("prompt.vendor")}, // OpenInference's id of a vendor is no name
		{attr: "prompt.name", in: inAll},
		{attr: "gen_ai.prompt.name", in: inAll},
		{attr: "langfuse.observation.prompt.name", in: inLangfuse},
		{attr: "langfuse.prompt.name", in: inLangfuse},
		{attr: "ai.telemetry.metadata.langfusePrompt", in: inLangfuse, how: jsonName},
		{attr: "abv.observation.prompt.name"},
		{attr: "gen_ai.prompt.template.name"}, // FutureAGI
		{attr: "langwatch.prompt.handle"},
		{attr: "langwatch.prompt.id", how: handleName},
		{attr: "promptlayer.prompt.name"},
		{attr: "traceloop.prompt.key", in: inOpenLLMetry},
		{attr: "mlflow.linkedPrompts", in: inMLflow, how: firstName},
		{attr: "opik_prompts", how: firstName},
		{attr: "ag.refs.application.slug"}, // Agenta
		{attr: "ag.refs.application.id"},
		{attr: "langsmith.metadata.lc_hub_repo"},
		{attr: "lc_hub_repo"},
		{attr: "braintrust.metadata", how: jsonPromptID},
	},
	FieldVersion: {
		{attr: "prompt.version", in: inAll},
		{attr: "gen_ai.prompt.version", in: inAll},
		{attr: "langfuse.observation.prompt.version", in: inLangfuse},
		{attr: "langfuse.prompt.version", in: inLangfuse},
		{attr: "ai.telemetry.metadata.langfusePrompt", in: inLangfuse, how: jsonVersion},
		{attr: "abv.observation.prompt.version"},
		{attr: "gen_ai.prompt.template.version"},
		{attr: "langwatch.prompt.version.number", only: unlessTrue("langwatch.prompt.draft")},
		{attr: "langwatch.prompt.id", how: handleNumber, only: unlessTrue("langwatch.prompt.draft")},
		{attr: "promptlayer.prompt.version"},
		{attr: "traceloop.prompt.version", in: inOpenLLMetry},
		{attr: "mlflow.linkedPrompts", in: inMLflow, how: firstVersion},
		{attr: "llm.prompt_template.version", in: inOpenInference},
		{attr: "opik_prompts", how: firstVersionNumber},
		{attr: "ag.refs.application_revision.version"},
		{attr: "ag.refs.application_revision.id"},
		{attr: "langsmith.metadata.lc_hub_commit_hash"},
		{attr: "lc_hub_commit_hash"},
		{attr: "braintrust.metadata", how: jsonPromptVersion},
	},
	FieldTemplateHash: {
		{attr: "prompt.template_hash", in: inAll},
		{attr: "prompt.sha", in: inAll},
		{attr: "traceloop.prompt.version_hash", in: inOpenLLMetry},
	},
	FieldVariant: {
		{attr: "prompt.variant", in: inAll},
		{attr: "ag.refs.application_variant.slug"},
	},
	FieldEnvironment: {
		{attr: "deployment.environment.name", in: inAll},
		{attr: "deployment.environment", in: inAll},
		{attr: "langfuse.environment", in: inLangfuse},
		{attr: "abv.environment"},
		{attr: "ag.refs.environment.slug"},
	},
	FieldFallback: {
		{attr: "prompt.condition.fallback", in: inAll},
		{attr: "ai.telemetry.metadata.langfusePrompt", in: inLangfuse, how: jsonFallback},
	},
	FieldModel: {
		{attr: "gen_ai.response.model", in: inGenAI, call: true},
		{attr: "genai.model.id", call: true},
		{attr: "llm.response.model_name", in: inOpenInference, call: true},
		{attr: "llm.model_name", in: inOpenInference, call: true},
		{attr: "langfuse.observation.model.name", in: inLangfuse, call: true},
		{attr: "abv.observation.model.name", call: true},
		{attr: "mlflow.llm.model", in: inMLflow, how: jsonText, call: true},
		{attr: "ai.response.model"},
		{attr: "braintrust.metadata", how: jsonModel},
		{attr: "gen_ai.request.model", in: inGenAI, call: true},
		{attr: "llm.request.model_name", in: inOpenInference, call: true},
	},
	FieldOperation: {
		{attr: "langsmith.span.kind", in: inGenAI, how: kind}, // LangSmith calls whatever has no model a chat in the next one
		{attr: "gen_ai.operation.name", in: inGenAI, how: kind},
		{attr: "openinference.span.kind", in: inOpenInference, how: kind},
		{attr: "langfuse.observation.type", in: inLangfuse, how: kind},
		{attr: "abv.observation.type", how: kind},
		{attr: "traceloop.span.kind", in: inOpenLLMetry, how: kind},
		{attr: "llm.request.type", in: inOpenLLMetry, how: kind},
		{attr: "mlflow.spanType", in: inMLflow, how: kind},
		{attr: "langwatch.span.type", how: kind},
		{attr: "gen_ai.span.kind", how: kind}, // FutureAGI
		{attr: "fi.span.kind", how: kind},     // FutureAGI before
		{attr: "ag.type.node", how: kind},
		{attr: "ai.operationId", how: kind}, // Vercel: the outer span of a call repeats its figures
		{attr: "braintrust.span_attributes", how: jsonKind},
	},
	FieldInputTokens: {
		{attr: "gen_ai.usage.input_tokens", in: inGenAI, call: true},
		{attr: "gen_ai.usage.prompt_tokens", in: inGenAI, call: true},
		{attr: "llm.token_count.prompt", in: inOpenInference, call: true},
		{attr: "langfuse.observation.usage_details", in: inLangfuse, how: jsonInput, call: true},
		{attr: "abv.observation.usage_details", how: jsonInput, call: true},
		{attr: "mlflow.chat.tokenUsage", in: inMLflow, how: jsonInput},
		{attr: "mlflow.chat.tokenUsage.input_tokens", in: inMLflow},
		{attr: "ai.usage.promptTokens"},
		{attr: "ag.metrics.tokens.incremental.prompt"},
		{attr: "ag.metrics.unit.tokens.prompt"},
		{attr: "langwatch.metrics", how: jsonInput},
		{attr: "braintrust.metrics", how: jsonInput},
		{attr: "braintrust.metrics.prompt_tokens"},
	},
	FieldOutputTokens: {
		{attr: "gen_ai.usage.output_tokens", in: inGenAI, call: true},
		{attr: "gen_ai.usage.completion_tokens", in: inGenAI, call: true},
		{attr: "llm.token_count.completion", in: inOpenInference, call: true},
		{attr: "langfuse.observation.usage_details", in: inLangfuse, how: jsonOutput, call: true},
		{attr: "abv.observation.usage_details", how: jsonOutput, call: true},
		{attr: "mlflow.chat.tokenUsage", in: inMLflow, how: jsonOutput},
		{attr: "mlflow.chat.tokenUsage.output_tokens", in: inMLflow},
		{attr: "ai.usage.completionTokens"},
		{attr: "ag.metrics.tokens.incremental.completion"},
		{attr: "ag.metrics.unit.tokens.completion"},
		{attr: "langwatch.metrics", how: jsonOutput},
		{attr: "braintrust.metrics", how: jsonOutput},
		{attr: "braintrust.metrics.completion_tokens"},
	},
	FieldCost: {
		{attr: "gen_ai.usage.cost", in: inGenAI, call: true},
		{attr: "genai.usage.cost", call: true},
		{attr: "gen_ai.usage.cost.amount", in: inGenAI, call: true, only: onlyWhen("gen_ai.usage.cost.currency", "USD")},
		{attr: "llm.cost.total", in: inOpenInference},
		{attr: "gen_ai.cost.total_cost", in: inGenAI},
		{attr: "gen_ai.cost.total"}, // FutureAGI
		{attr: "litellm.cost.total"},
		{attr: "operation.cost"},
		{attr: "langfuse.observation.cost_details", in: inLangfuse, how: jsonTotal},
		{attr: "langfuse.observation.cost_details.total", in: inLangfuse},
		{attr: "abv.observation.cost_details", how: jsonTotal},
		{attr: "mlflow.llm.cost", in: inMLflow, how: jsonTotal},
		{attr: "mlflow.llm.cost.total_cost", in: inMLflow},
		{attr: "langwatch.metrics", how: jsonCost},
		{attr: "ag.metrics.costs.incremental.total"},
		{attr: "ag.metrics.unit.costs.total"},
	},
	FieldTTFT: {
		{attr: "gen_ai.response.time_to_first_chunk", in: inGenAI},
		{attr: "ai.response.msToFirstChunk", how: milliseconds}, // Vercel
		{attr: "ai.stream.msToFirstChunk", how: milliseconds},
		{attr: "langfuse.observation.completion_start_time", in: inLangfuse, how: sinceStart},
		{attr: "abv.observation.completion_start_time", how: sinceStart},
		{attr: "langwatch.timestamps", how: firstTokenAt},
		{attr: "braintrust.metrics", how: jsonFirstToken},
	},
	FieldErrorType: {
		{attr: "error.type", in: inAll},
		{attr: "langfuse.observation.level", in: inLangfuse, how: errorLevel},
		{attr: "abv.observation.level", how: errorLevel},
	},
	FieldResponse: {
		{attr: "gen_ai.response.id", in: inAll},
		{attr: "ai.response.id"},
	},
	FieldRubric:      {{attr: "gen_ai.evaluation.name", in: inAll}},
	FieldScoreValue:  {{attr: "gen_ai.evaluation.score.value", in: inAll}},
	FieldScoreLabel:  {{attr: "gen_ai.evaluation.score.label", in: inAll}},
	FieldEvaluation:  {{attr: "json_encoded_event"}}, // LangWatch
	FieldScores:      {{attr: "braintrust.scores"}},
	FieldTarget:      {{attr: "gen_ai.evaluation.target_span_id", in: inAll}},
	FieldTargetTrace: {{attr: "gen_ai.evaluation.target_trace_id", in: inAll}},
	FieldOffline:     {{attr: "promptfoo.eval.id"}, {attr: "promptfoo.test.index"}},
}

// metadata is where producers keep what a user tells them; a dimension NAME may stand there.
var metadata = []struct {
	attr string // with NAME in it, or a JSON object that has it for a key
	in   presets
	how  *conversion
}{
	{"prompt.NAME", inAll, nil},
	{"NAME", inAll, nil},
	{"langfuse.observation.metadata.NAME", inLangfuse, jsonText},
	{"langfuse.trace.metadata.NAME", inLangfuse, jsonText},
	{"abv.observation.metadata.NAME", 0, jsonText},
	{"abv.trace.metadata.NAME", 0, jsonText},
	{"traceloop.association.properties.NAME", inOpenLLMetry, nil},
	{"langsmith.metadata.NAME", 0, nil},
	{"promptlayer.metadata.NAME", 0, nil},
	{"ai.telemetry.metadata.NAME", inLangfuse, nil},
	{"metadata", inOpenInference, nil}, // LangWatch's too
}

// axisFields are the axes that may be dimensions too, by name.
var axisFields = map[string]Field{
	"template_hash": FieldTemplateHash, "model": FieldModel, "variant": FieldVariant, "environment": FieldEnvironment,
}

// reserved are the words that native events use for something else than a dimension.
var reserved = append([]string{
	"", "type", "time", "kind", "trace_id", "span_id", "parent_span_id", "response_id", "prompt", "version", "provider", "source",
	"scores", "rubric", "value", "label", windows.Volume,
}, windows.BuiltinNames[:]...)
