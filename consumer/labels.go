package consumer

import (
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/driftd/driftd/windows"
)

// flaw is what is wrong with a label.
type flaw uint8

const (
	sound flaw = iota
	tooLong
	control // a line break or another control character
	notUTF8
)

func (f flaw) String() string {
	return [...]string{"sound", "too long", "line breaks or control characters", "invalid UTF-8"}[f]
}

// inspect looks at a label of at most limit bytes.
func inspect(b []byte, limit int) flaw {
	if len(b) > limit {
		return tooLong
	}
	ascii := true
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return control
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if ascii {
		return sound
	}
	if !utf8.Valid(b) {
		return notUTF8
	}
	for _, r := range string(b) {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return control
		}
	}
	return sound
}

// check refuses a label for its flaw. The detail says nothing of its text.
func check(b []byte, limit int, what string, otherwise Reason) Fault {
	switch f := inspect(b, limit); f {
	case sound:
		return Fault{}
	case notUTF8:
		return Fault{InvalidUTF8, what + " is not UTF-8"}
	case tooLong:
		return Fault{otherwise, fmt.Sprintf("%s of %d bytes, %d are allowed", what, len(b), limit)}
	default:
		return Fault{otherwise, fmt.Sprintf("%s has %s", what, f)}
	}
}

// checkLabels looks at what makes the event's cell.
func checkLabels(e *Event) Fault {
	if f := check(e.Prompt, maxPrompt, "prompt", PromptName); f.Reason != Fine {
		return f
	}
	if f := check(e.Version, maxDimension, "version", LabelValue); f.Reason != Fine {
		return f
	}
	for i := range e.Dimensions {
		if inspect(e.Dimensions[i], maxDimension) != sound {
			return check(e.Dimensions[i], maxDimension, fmt.Sprintf("dimension %d", i+1), LabelValue)
		}
	}
	return Fault{}
}

// checkAxes looks at the axes.
func checkAxes(e *Event) Fault {
	for _, a := range axes(e) {
		if f := check(a.value, maxAxis, a.name, LabelValue); f.Reason != Fine {
			return f
		}
	}
	return Fault{}
}

type axis struct {
	name  string
	value []byte
}

func axes(e *Event) [4]axis {
	return [4]axis{{"template_hash", e.TemplateHash}, {"model", e.Model}, {"variant", e.Variant}, {"environment", e.Environment}}
}

// checkRubric looks at a rubric's name, which must be none of a built-in metric.
func checkRubric(b []byte) Fault {
	switch {
	case len(b) == 0:
		return Fault{RubricName, "the score names no rubric"}
	case string(b) == windows.Volume || slices.Contains(windows.BuiltinNames[:], string(b)):
		return Fault{RubricName, "a score on a built-in metric"}
	}
	return check(b, maxRubric, "rubric", RubricName)
}
