package consumer

import (
	"fmt"
	"slices"
	"strings"
)

// presets is a set of presets.
type presets uint8

const (
	inOTel presets = 1 << iota
	inOpenInference
	inLangfuse
	inOpenLLMetry
	inMLflow

	inAll = inOTel | inOpenInference | inLangfuse | inOpenLLMetry | inMLflow

	// inGenAI is what the standard says of model calls. The others trace calls in their own words; where an SDK traces itself
	// by the standard beneath them, their presets count each call once.
	inGenAI = inOTel | inLangfuse | inOpenLLMetry
)

// presetNames are the presets but for auto, which is the whole table.
var presetNames = []string{"otel", "openinference", "langfuse", "openllmetry", "mlflow"}

// Presets are the names that AttributeOptions.Preset may have.
func Presets() []string { return append([]string{"auto"}, presetNames...) }

// parsePreset returns the preset of a name, and whether rows of no preset belong to it.
func parsePreset(preset string) (p presets, all bool, err error) {
	if preset == "" || preset == "auto" {
		return inAll, true, nil
	}
	i := slices.Index(presetNames, preset)
	if i < 0 {
		return 0, false, fmt.Errorf("build attribute table: there is no preset %q, only %s", preset, strings.Join(Presets(), ", "))
	}
	return 1 << i, false, nil
}

// has tells whether a row belongs to a preset.
func (p presets) has(row presets, all bool) bool { return all || p&row != 0 }

// Fields are the names that AttributeOptions.Lists may have, beside those of dimensions.
func Fields() []string { return slices.Clone(fieldNames[:]) }
