package consumer

import (
	"fmt"
	"slices"
	"strings"
)

// fieldDocs say what the fields are; in the order of the table.
var fieldDocs = [fieldDimension]string{
	FieldPrompt:       "Name or id of the prompt. What holds text (line breaks, control characters, more than 256 bytes) is passed over for the next attribute; where none holds a name the event is refused.",
	FieldVersion:      "Version of the prompt, a text or a number. Drafts and fallback prompts are no version.",
	FieldTemplateHash: "Axis: hash of the prompt's text.",
	FieldVariant:      "Axis, such as control.",
	FieldEnvironment:  "Axis, such as production.",
	FieldFallback:     "Whether a fallback prompt was used: true, or a text other than false, 0, no and none.",
	FieldModel:        "Axis: the model that answered.",
	FieldOperation:    "Whether the span is a model call, by what its producer calls it. Words that are not known decide nothing; then a span is a model call when it has an attribute that only model calls carry.",
	FieldInputTokens:  "Tokens that went in. Of the span alone, as all figures.",
	FieldOutputTokens: "Tokens that came out.",
	FieldCost:         "Cost in USD.",
	FieldTTFT:         "Seconds to the first token.",
	FieldErrorType:    "That the call failed; else the status of the span says so.",
	FieldResponse:     "Id of the response, by which scores may name the call.",
	FieldRubric:       "Rubric of a score: on a log record or span event named gen_ai.evaluation.result, or on the span itself.",
	FieldScoreValue:   "A score's number.",
	FieldScoreLabel:   "A score's label, which the rubric's scale turns into a number.",
	FieldEvaluation:   "A whole evaluation as JSON (name, score, passed, label, status), on a span event named langwatch.evaluation.custom.",
	FieldScores:       "Scores by rubric, as a JSON object.",
	FieldTarget:       "Id of the span that an evaluation on a span of its own is about.",
	FieldTargetTrace:  "Id of the trace of that span, where it is another one.",
	FieldOffline:      "Marks evaluation runs, of which nothing is taken.",
}

// AttributeNames are the attributes of the whole table.
func AttributeNames() (names []string) {
	for f := range fieldDimension {
		for _, r := range table[f] {
			names = append(names, r.attr)
		}
	}
	return names
}

// Reference is the documentation of the table, in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Attributes\n\n" +
		"Which attributes of spans and log records (OTLP) the fields of an event are read from; made from the code. The first that has a value wins, " +
		"those of the span before those of its resource. Presets: a source with `attributes: langfuse` reads the rows that name langfuse and those of all presets, " +
		"`auto` reads every row. Where two instrumentations trace the same call, a preset says which of them counts. A list of one's own replaces a field's attributes:\n\n" +
		"```yaml\nattributes:\n  prompt: [my.prompt, gen_ai.prompt.name]\n  tier: [tenant.plan]          # a dimension\n```\n\n" +
		"A listed attribute that stands here is read as it says here. Fields: `" + strings.Join(fieldNames[:], "`, `") + "`.\n")
	for f := range fieldDimension {
		fmt.Fprintf(&b, "\n## `%s`\n\n%s\n\n| attribute | presets | how it is read |\n|---|---|---|\n", f, fieldDocs[f])
		for _, r := range table[f] {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.attr, r.in, r.notes())
		}
	}
	b.WriteString("\n## Dimensions\n\nA dimension NAME without a list of its own; `variant`, `environment`, `model` and `template_hash` are as above.\n\n| attribute | presets | how it is read |\n|---|---|---|\n")
	for _, m := range metadata {
		notes := name{how: m.how}.notes()
		if !strings.Contains(m.attr, "NAME") {
			notes = "JSON object: NAME"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.attr, m.in, notes)
	}
	b.WriteString("\n## Scores with a number or the rubric in the key\n\n| attribute | presets |\n|---|---|\n")
	for _, attr := range []string{"annotations.N.annotation.{name,score,label}", "evaluations.N.evaluation.{name,score,label}", "eval.RUBRIC.{score,label}"} {
		fmt.Fprintf(&b, "| `%s` | %s |\n", attr, inOpenInference)
	}
	b.WriteString("\n## Words for model calls\n\n| model calls | anything else |\n|---|---|\n")
	var yes, no []string
	for word, call := range kinds {
		if call {
			yes = append(yes, "`"+word+"`")
		} else {
			no = append(no, "`"+word+"`")
		}
	}
	slices.Sort(yes)
	slices.Sort(no)
	fmt.Fprintf(&b, "| %s | %s |\n", strings.Join(yes, ", "), strings.Join(no, ", "))
	return b.String()
}

// String lists the presets that a row belongs to.
func (p presets) String() string {
	switch p {
	case inAll:
		return "all"
	case 0:
		return "auto"
	}
	in := []string{"auto"}
	for i, n := range presetNames {
		if p&(1<<i) != 0 {
			in = append(in, n)
		}
	}
	return strings.Join(in, ", ")
}

// notes say how a row is read.
func (r name) notes() string {
	var notes []string
	if r.how != nil {
		notes = append(notes, r.how.doc)
	}
	switch r.only.test {
	case unless:
		notes = append(notes, fmt.Sprintf("not when `%s` is set", r.only.attr))
	case when:
		notes = append(notes, fmt.Sprintf("when `%s` is %s", r.only.attr, r.only.is))
	case no:
		notes = append(notes, fmt.Sprintf("not when `%s` is true", r.only.attr))
	}
	if r.call {
		notes = append(notes, "only model calls carry it")
	}
	return strings.Join(notes, "; ")
}
