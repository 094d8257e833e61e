package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/strictyaml"
	"github.com/driftd/driftd/windows"
)

// hinter says what to do about an event.
type hinter struct {
	*passage
	encoding string
	dims     []string
	preset   string
	dedup    bool                 // of the source
	auto     *consumer.Attributes // the whole table; nil when it is in use
	all      []consumer.ProbedEvent
	e        *consumer.ProbedEvent
}

// words of the fields, for people.
var fieldWords = map[string]string{
	fieldPrompt: "the prompt", "version": "its version", "model": "the model", windows.Cost: "the cost (in USD)",
	windows.InputTokens: "input tokens", windows.OutputTokens: "output tokens",
}

func (h *hinter) hints() (hints []string) {
	add := func(format string, args ...any) { hints = append(hints, fmt.Sprintf(format, args...)) }
	near := h.near()
	for _, text := range []string{h.dead(), h.misspelt(), near, h.otherPreset()} {
		if text != "" {
			add("%s", text)
		}
	}
	switch {
	case h.e.Fate == consumer.Waits && near == "":
		add("%s", h.howToLink())
	case h.e.Fate == consumer.Unlinkable && near == "":
		add("have its producer set %s on it", h.promptNames())
	case h.e.Fate == consumer.Counts && len(h.e.Version) == 0 && near == "" && !h.fallback() && h.fields["version"] == nil:
		add("without a version it counts for its prompt alone, and versions cannot be compared: have its producer set %s", h.versionName())
	}
	if h.dedup && (h.e.Fate == consumer.Counts || h.e.Fate == consumer.Waits) && (h.e.Trace == [16]byte{} || h.e.Span == [8]byte{}) {
		add("`dedup` of its source knows events by trace id and span id: without both it counts as often as it is sent")
	}
	return hints
}

func (h *hinter) fallback() bool {
	return h.e.Has.Has(windows.BuiltinFallback) && h.e.Values[windows.BuiltinFallback] != 0
}

// near suggests unread attributes for what the event lacks.
func (h *hinter) near() string {
	if h.native {
		return h.nearNative()
	}
	if f := h.kind.Note; h.e.Kind == consumer.Span && !h.e.Call && strings.Contains(f, "evaluation run") {
		return ""
	}
	var fields []string
	linked := h.e.Link == "linked"
	if len(h.e.Prompt) == 0 || h.e.Fault.Reason == consumer.PromptName {
		fields = append(fields, fieldPrompt)
	}
	if len(h.e.Version) == 0 && !h.fallback() {
		fields = append(fields, "version")
	}
	if !linked {
		for i, d := range h.dims {
			if len(h.e.Dimensions[i]) == 0 {
				fields = append(fields, d)
			}
		}
	}
	if h.of == "span" {
		if len(h.e.Model) == 0 && h.kind.Attribute == "" && !h.besideCall() {
			fields = append(fields, "model")
		}
		for b, name := range map[windows.Builtin]string{
			windows.BuiltinInputTokens: windows.InputTokens, windows.BuiltinOutputTokens: windows.OutputTokens, windows.BuiltinCost: windows.Cost,
		} {
			if h.e.Call && !h.e.Has.Has(b) {
				fields = append(fields, name)
			}
		}
	}
	var entries, keys, meant []string
	order := fieldNames(h.dims)
	slices.SortFunc(fields, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	for _, field := range fields {
		list := slices.Clone(h.unread)
		if slices.Contains(order[:slices.Index(order, windows.Latency)], field) { // labels are read from the resource too
			list = append(list, h.resource...)
		}
		for _, u := range list {
			if !u.label || !h.listable(u.key) || h.readByAll(u.key) || !resembles(words(u.key), field) {
				continue
			}
			entries = append(entries, fmt.Sprintf("%s: [%s]", field, h.listed(u.key)))
			keys = append(keys, "`"+u.key+"`")
			word := fieldWords[field]
			if word == "" {
				word = field
			}
			meant = append(meant, word)
			break
		}
	}
	if len(keys) == 0 {
		return ""
	}
	looks := "looks"
	if len(keys) > 1 {
		looks = "look"
	}
	return fmt.Sprintf("%s %s like %s: put `attributes: {%s}` into the config. A list is in place of the names that driftd knows", and(keys), looks, and(meant), strings.Join(entries, ", "))
}

// besideCall tells whether the record has a call in the event's trace: what looks like one too is most likely a part of it.
func (h *hinter) besideCall() bool {
	return slices.ContainsFunc(h.all, func(o consumer.ProbedEvent) bool { return o.Call && o.Trace == h.e.Trace })
}

// listable tells whether a list of the config can name an attribute. Of Helicone's requests it can name properties.
func (h *hinter) listable(key string) bool {
	return attributeName(key) == key && (h.encoding != "helicone" || strings.Contains(key, ".properties."))
}

// listed is how a list of the config names an attribute.
func (h *hinter) listed(key string) string {
	if h.encoding != "helicone" {
		return key
	}
	return strings.ToLower(key[strings.LastIndexByte(key, '.')+1:])
}

func (h *hinter) nearNative() string {
	var said []string
	for _, u := range h.unread {
		k := nativeKey(u.key, h.dims)
		if k == "" || k == u.key || attributeName(u.key) != u.key || h.fields[k] != nil || strings.Contains(u.key, ".") {
			continue
		}
		unit := map[string]string{windows.Latency: ", in seconds", windows.TTFT: ", in seconds", windows.Cost: ", in USD"}[k]
		said = append(said, fmt.Sprintf("`%s` (did you mean `%s`%s?)", u.key, k, unit))
	}
	if len(said) == 0 {
		return ""
	}
	return "not keys of native events: " + and(said)
}

// readByAll tells whether the whole table has an attribute that the preset in use has not.
func (h *hinter) readByAll(key string) bool {
	if h.auto == nil {
		return false
	}
	_, ok := h.auto.Lookup([]byte(key))
	return ok
}

// otherPreset says what another preset would read.
func (h *hinter) otherPreset() string {
	if h.auto == nil || len(h.e.Prompt) > 0 && len(h.e.Version) > 0 && h.e.Call {
		return ""
	}
	var keys []string
	for _, u := range h.unread {
		if h.readByAll(u.key) {
			keys = append(keys, "`"+u.key+"`")
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return fmt.Sprintf("not read under `attributes: %s`: %s; `attributes: auto` reads all names", h.preset, and(keys[:min(len(keys), 5)]))
}

// dead says what to do about what is refused.
func (h *hinter) dead() string {
	switch h.e.Fault.Reason {
	case consumer.PromptName:
		f := h.fields[fieldPrompt]
		if f == nil || f.Attribute == "" {
			return ""
		}
		if strings.Contains(h.promptNames(), "`"+f.Attribute+"`") {
			return fmt.Sprintf("`%s` holds the prompt's text: have its producer write the prompt's name there", f.Attribute)
		}
		return fmt.Sprintf("`%s` holds the prompt's text, not its name: have its producer set %s", f.Attribute, h.promptNames())
	case consumer.BadTime:
		if h.native {
			return "time is RFC 3339, or an integer of Unix nanoseconds"
		}
	case consumer.Future:
		return "the clock of its producer is ahead, or that of this machine is behind"
	}
	for i, f := range h.e.Scored {
		rubric := shownLabel(h.e.Scores[i].Rubric)
		switch f.Reason {
		case consumer.UnknownLabel:
			return fmt.Sprintf("say in the rules what the label is worth: `rubrics: {%s: {labels: {%s: 1, …}}}`", rubric, shownLabel(h.e.Scores[i].Label))
		case consumer.OutOfRange:
			return fmt.Sprintf("the range of `%s` stands in the rule files, under `rubrics`", rubric)
		}
	}
	return ""
}

// promptNames are the attributes by which a producer names a prompt.
func (h *hinter) promptNames() string {
	switch h.encoding {
	case "posthog":
		return "`$ai_prompt_name` and `$ai_prompt_version`"
	case "helicone":
		return "the properties `Helicone-Prompt-Id` and `Helicone-Prompt-Version`"
	case "driftd_json":
		return "`prompt` and `version`"
	}
	return "`gen_ai.prompt.name` and `gen_ai.prompt.version`"
}

func (h *hinter) versionName() string {
	names := strings.Split(h.promptNames(), " and ")
	if len(names) < 2 {
		return "the version"
	}
	return names[1]
}

// howToLink says what linking needs.
func (h *hinter) howToLink() string {
	if h.e.Kind == consumer.Span {
		return fmt.Sprintf("it counts when a span of its trace names a prompt, here or in another record: key records by trace id "+
			"(Collector's Kafka exporter: partition_traces_by_id: true). Or have its producer set %s on it", h.promptNames())
	}
	switch {
	case h.e.Span == [8]byte{} && len(h.e.Response) == 0:
		return "it counts when spans of its trace have been read, up to linking.horizon before it, whose calls are of one prompt"
	case len(h.e.Response) > 0:
		return "it counts when the call that it names has been read, up to linking.horizon before it"
	}
	setting := "partition_traces_by_id: true"
	if h.of == "log record" {
		setting = "partition_logs_by_trace_id: true"
	}
	return "it counts when the span that it names has been read, up to linking.horizon before it: key both topics by trace id " +
		"(Collector's Kafka exporter: " + setting + ") and give them equal numbers of partitions"
}

// misspelt says which unread attributes are a letter or two off one that is read.
func (h *hinter) misspelt() string {
	complete := h.e.Fate == consumer.Counts && len(h.e.Prompt) > 0 && len(h.e.Version) > 0
	if complete || !strings.HasPrefix(h.encoding, "otlp") {
		return ""
	}
	const shortest, most = 10, 2 // bytes of a name that can be told from others, and edits
	var said []string
	known := consumer.AttributeNames()
	for _, u := range slices.Concat(h.unread, h.resource) {
		if len(u.key) < shortest || len(u.key) > 64 || attributeName(u.key) != u.key || slices.Contains(known, u.key) {
			continue
		}
		for _, k := range known {
			if d := len(u.key) - len(k); d >= -most && d <= most && len(k) >= shortest && strictyaml.Edits(u.key, k) <= most {
				said = append(said, fmt.Sprintf("`%s` (did you mean `%s`?)", u.key, k))
				break
			}
		}
	}
	if len(said) == 0 {
		return ""
	}
	return "not read: " + and(said[:min(len(said), 5)])
}

// and joins words as prose does.
func and(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}
