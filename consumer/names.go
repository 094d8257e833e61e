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
	fieldDimension // and those behind it: the dimensions in configured order
)

// name is one attribute that a field may stand in.
type name struct {
	field Field
	attr  string
	call  bool   // only model calls carry it
	other string // attribute that decides whether this one counts:
	is    string // only when other has this value; when empty, only when other is absent
}

// names is the table: for each field the attributes in order of preference, those of the span before those of the resource.
var names = []name{
	{field: FieldPrompt, attr: "prompt.id", other: "prompt.vendor"},
	{field: FieldPrompt, attr: "prompt.name"},
	{field: FieldPrompt, attr: "gen_ai.prompt.name"},
	{field: FieldPrompt, attr: "gen_ai.prompt.template.name"},

	{field: FieldVersion, attr: "prompt.version"},
	{field: FieldVersion, attr: "gen_ai.prompt.version"},
	{field: FieldVersion, attr: "gen_ai.prompt.template.version"},

	{field: FieldTemplateHash, attr: "prompt.template_hash"},
	{field: FieldTemplateHash, attr: "prompt.sha"},

	{field: FieldVariant, attr: "prompt.variant"},

	{field: FieldEnvironment, attr: "deployment.environment.name"},
	{field: FieldEnvironment, attr: "deployment.environment"},

	{field: FieldFallback, attr: "prompt.condition.fallback"},

	{field: FieldModel, attr: "gen_ai.response.model", call: true},
	{field: FieldModel, attr: "gen_ai.request.model", call: true},

	{field: FieldOperation, attr: "gen_ai.operation.name"},

	{field: FieldInputTokens, attr: "gen_ai.usage.input_tokens", call: true},
	{field: FieldInputTokens, attr: "gen_ai.usage.prompt_tokens", call: true},
	{field: FieldOutputTokens, attr: "gen_ai.usage.output_tokens", call: true},
	{field: FieldOutputTokens, attr: "gen_ai.usage.completion_tokens", call: true},

	{field: FieldCost, attr: "gen_ai.usage.cost", call: true},
	{field: FieldCost, attr: "gen_ai.usage.cost.amount", call: true, other: "gen_ai.usage.cost.currency", is: "USD"},
	{field: FieldCost, attr: "gen_ai.cost.total_cost"},

	{field: FieldTTFT, attr: "gen_ai.response.time_to_first_chunk"},
	{field: FieldErrorType, attr: "error.type"},
	{field: FieldResponse, attr: "gen_ai.response.id"},

	{field: FieldRubric, attr: "gen_ai.evaluation.name"},
	{field: FieldScoreValue, attr: "gen_ai.evaluation.score.value"},
	{field: FieldScoreLabel, attr: "gen_ai.evaluation.score.label"},
}

// operations says of each gen_ai.operation.name whether it is a model call. Those that are not repeat the figures of the
// calls below them.
var operations = map[string]bool{
	"chat": true, "text_completion": true, "generate_content": true, "embeddings": true,
	"invoke_agent": false, "create_agent": false, "execute_tool": false, "invoke_workflow": false, "retrieval": false,
}

// axisFields are the axes that may be dimensions too, by name.
var axisFields = map[string]Field{
	"template_hash": FieldTemplateHash, "model": FieldModel, "variant": FieldVariant, "environment": FieldEnvironment,
}

// usualAttributes are those of a dimension that no list was given for.
func usualAttributes(dim string) []string {
	field, ok := axisFields[dim]
	if !ok {
		return []string{"prompt." + dim, dim}
	}
	var attrs []string
	for _, n := range names {
		if n.field == field {
			attrs = append(attrs, n.attr)
		}
	}
	return attrs
}

// reserved are the words that native events use for something else than a dimension.
var reserved = append([]string{
	"", "type", "time", "kind", "trace_id", "span_id", "parent_span_id", "response_id", "prompt", "version", "provider", "source",
	"scores", "rubric", "value", "label", windows.Volume,
}, windows.BuiltinNames[:]...)
