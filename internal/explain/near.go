package explain

import (
	"slices"
	"strings"
	"unicode"

	"github.com/driftd/driftd/internal/strictyaml"
	"github.com/driftd/driftd/windows"
)

// words cuts the name of an attribute at dots, dashes, underscores and capitals: "my.promptName" is my, prompt, name.
func words(key string) (out []string) {
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
		}
		word = word[:0]
	}
	lower := false
	for _, r := range key {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
		case unicode.IsUpper(r) && lower:
			flush()
			fallthrough
		default:
			word = append(word, r)
		}
		lower = unicode.IsLower(r)
	}
	flush()
	return out
}

// resembles tells whether an attribute of these words may be meant to hold the field.
func resembles(w []string, field string) bool {
	if len(w) == 0 {
		return false
	}
	last, before := w[len(w)-1], ""
	if len(w) > 1 {
		before = w[len(w)-2]
	}
	prompt := slices.Contains(w, "prompt") || slices.Contains(w, "template")
	in := func(word string, list ...string) bool { return slices.Contains(list, word) }
	switch field {
	case fieldPrompt:
		if strings.Join(w, ".") == "gen.ai.prompt" || in("version", w...) { // the former is text
			return false
		}
		return last == "prompt" || prompt && in(last, "name", "id", "key", "slug", "handle", "identifier", "ref") ||
			in(last, "promptname", "promptid")
	case "version":
		return prompt && in(last, "version", "revision", "commit") || last == "version" && in(before, "id", "number") || last == "promptversion" ||
			prompt && before == "version" && in(last, "id", "number", "name")
	case "model":
		return last == "model" || before == "model" && in(last, "name", "id")
	case windows.InputTokens:
		return last == "tokens" && in(before, "input", "prompt")
	case windows.OutputTokens:
		return last == "tokens" && in(before, "output", "completion")
	case windows.Cost:
		return in(last, "cost") && before != "input" && before != "output" || in(last, "usd") && before == "cost"
	}
	want := words(field) // a dimension
	return len(w) >= len(want) && slices.Equal(w[len(w)-len(want):], want)
}

// nativeKeys are those of native events, beside the dimensions; provider and source are for people, driftd has no use for them.
var nativeKeys = []string{
	"type", "time", "kind", "trace_id", "span_id", "parent_span_id", "response_id", "prompt", "version", "template_hash", "model",
	"variant", "environment", "scores", "rubric", "value", "label", "provider", "source",
	windows.Latency, windows.TTFT, windows.InputTokens, windows.OutputTokens, windows.Cost, windows.Error, windows.Fallback,
}

// otherWords are what others call the keys of native events.
var otherWords = map[string][]string{
	"time":               {"timestamp", "ts", "event time", "end time", "created at"},
	"prompt":             {"prompt name", "prompt id", "prompt key"},
	"version":            {"prompt version"},
	"parent_span_id":     {"parent id"},
	"response_id":        {"request id", "completion id"},
	"model":              {"model name", "response model"},
	"environment":        {"env", "deployment environment"},
	"rubric":             {"metric", "score name", "evaluator"},
	"value":              {"score", "score value"},
	windows.Latency:      {"latency ms", "latency s", "latency seconds", "duration", "duration ms", "elapsed"},
	windows.TTFT:         {"ttft ms", "time to first token"},
	windows.InputTokens:  {"prompt tokens", "tokens in", "input token count"},
	windows.OutputTokens: {"completion tokens", "tokens out", "output token count"},
	windows.Cost:         {"cost usd", "total cost", "price"},
}

// nativeKey is the key of native events that an unknown one was most likely meant to be; "" is none.
func nativeKey(key string, dims []string) string {
	known := slices.Concat(nativeKeys, dims)
	w := strings.Join(words(key), " ")
	for _, k := range known {
		if w == strings.Join(words(k), " ") || slices.Contains(otherWords[k], w) {
			return k
		}
	}
	if len(key) < 4 {
		return ""
	}
	return strictyaml.Nearest(key, known)
}
