package rules

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
)

// MaxAnnotation is the longest text of an annotation, as written and as filled in, in bytes.
const MaxAnnotation = 4096

// TemplateData is what annotations can say.
type TemplateData struct {
	Rule        string            // name of the alert
	Group       string            // name of the rule group
	Prompt      string            // name of the prompt
	Version     string            // empty where all versions are watched together
	Previous    string            // the version before this one, "" where none is known
	Cohort      Cohort            // "tier=enterprise, locale=de", or "all"; Cohort.tier is one of them
	Metric      string            // or the rubric; of a change the axis
	Stat        Stat              // such as mean or p95
	Value       Number            // of the window; of a drift, canary or exceed since the onset
	Reference   Number            // what it is compared with
	Bound       Number            // the limit that was crossed; of a drift the mean that the evidence is against
	Interval    Interval          // of the value, 95 %: Interval.Low and Interval.High; "no data" for kinds that give none
	Samples     int64             // in the window, or since the onset
	Window      Duration          // 0s for kinds without one
	Onset       Time              // when it began, such as 2026-11-20 14:22 UTC; Onset.Format "15:04" is a part of it
	Cause       string            // likely cause of a firing alert: prompt version, model snapshot, one cohort, everything moved: not the prompt, unclear; empty where none is looked for
	FalseAlarms string            // budget of the rule, such as 1/30d; empty for kinds that state none
	From        string            // of a change: the value that the axis had
	To          string            // of a change: the new value
	Labels      map[string]string // of the group and the rule: Labels.severity
}

// Expand fills in the rule's annotations. Load has made sure that it cannot fail for want of a field; an error names the annotation
// and the others are filled in nevertheless. What would be longer than MaxAnnotation is cut.
func Expand(r *Rule, data TemplateData) (map[string]string, error) {
	if len(r.Annotations) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(r.Annotations))
	var errs []error
	for name, text := range r.Annotations {
		filled := text
		if strings.Contains(text, "{{") {
			t, err := parseTemplate(name, text)
			if err == nil {
				filled, err = execute(t, data)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("expand annotation %s of rule %s: %w", name, r.Alert, err))
				filled = text
			}
		}
		out[name] = filled
	}
	return out, errors.Join(errs...)
}

func parseTemplate(name, text string) (*template.Template, error) {
	return template.New(name).Option("missingkey=zero").Funcs(functions).Parse(text)
}

func execute(t *template.Template, data TemplateData) (string, error) {
	var w limited
	if err := t.Execute(&w, data); err != nil && !errors.Is(err, errLong) {
		return "", err
	}
	s := w.b.String()
	if len(s) > MaxAnnotation {
		s = strings.ToValidUTF8(s[:MaxAnnotation-len("…")], "") + "…"
	}
	return s, nil
}

var errLong = fmt.Errorf("the text is longer than %d bytes", MaxAnnotation)

// limited stops a template that writes without end.
type limited struct{ b strings.Builder }

func (l *limited) Write(p []byte) (int, error) {
	room := MaxAnnotation + 1 - l.b.Len()
	if len(p) > room {
		l.b.Write(p[:room])
		return room, errLong
	}
	return l.b.Write(p)
}

var _ io.Writer = (*limited)(nil)

// functions are those of text/template that build text, held to a length so that none can double its way through the memory.
var functions = template.FuncMap{
	"print": func(args ...any) (string, error) { return short(fmt.Sprint(args...)) },
	"printf": func(format string, args ...any) (string, error) {
		if wide.MatchString(format) {
			return "", errors.New("printf takes widths of at most two digits")
		}
		return short(fmt.Sprintf(format, args...))
	},
	"urlquery": func(args ...any) (string, error) { return short(url.QueryEscape(fmt.Sprint(args...))) },
}

var wide = regexp.MustCompile(`%[^a-zA-Z%]*([0-9]{3}|\*)`)

func short(s string) (string, error) {
	if len(s) > MaxAnnotation {
		return "", errLong
	}
	return s, nil
}

// allowedFunctions can neither hang nor reach beyond the data.
var allowedFunctions = []string{"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index", "print", "printf", "urlquery"}

var dataFields = func() (names []string) {
	for f := range reflect.TypeFor[TemplateData]().Fields() {
		names = append(names, f.Name)
	}
	return names
}()

// fault is something wrong with a template, at an offset of its text.
type fault struct {
	offset, length int
	message, hint  string
}

// templateFaults finds all that is wrong with an annotation. A template is tried on two samples, one with everything and one of a total
// without data; a field is checked wherever it stands, also in a branch that neither sample takes.
func templateFaults(text string, slices []string, labels map[string]string) []fault {
	if len(text) > MaxAnnotation {
		return []fault{{0, 1, fmt.Sprintf("the text is longer than %d bytes", MaxAnnotation), "shorten it"}}
	}
	if !strings.Contains(text, "{{") {
		return nil
	}
	// Parsed without the functions first, so that one that does not exist is told with its place.
	tree := parse.New("annotation")
	tree.Mode = parse.SkipFuncCheck
	sets := make(map[string]*parse.Tree)
	if _, err := tree.Parse(text, "", "", sets); err != nil {
		what := err.Error()
		if m := parseError.FindStringSubmatch(what); m != nil {
			what = m[1]
		}
		return []fault{{strings.LastIndex(text, "{{"), 2, "the template is not complete: " + what, "such as {{ .Prompt }}"}}
	}
	c := checker{slices: slices, labels: labels}
	if len(sets) > 1 {
		at := strings.Index(text, "define")
		c.add(parse.Pos(max(0, at)), len("define"), "templates within a template are not supported", "write the text where it is wanted")
	}
	c.node(tree.Root, false)
	if len(c.faults) > 0 {
		return c.faults
	}
	t, err := parseTemplate("annotation", text)
	if err != nil {
		return []fault{{0, 1, err.Error(), ""}}
	}
	for _, data := range samples(slices, labels) {
		var w limited
		if err := t.Option("missingkey=error").Execute(&w, data); err != nil {
			what, offset := err.Error(), 0
			if m := execError.FindStringSubmatch(what); m != nil {
				what = m[2]
				if i := strings.Index(text, m[1]); i > 0 {
					offset = i
				}
			}
			return []fault{{offset, 1, "the template does not work: " + what, ""}}
		}
	}
	return nil
}

var (
	parseError = regexp.MustCompile(`^template: annotation:\d+: (.*)`)
	execError  = regexp.MustCompile(`(?s)<(.*?)>: (.*)`)
)

func samples(slices []string, labels map[string]string) []TemplateData {
	full := TemplateData{Rule: "Rule", Group: "group", Prompt: "prompt", Version: "v2", Previous: "v1", Cohort: Cohort{}, Metric: "latency", Samples: 100,
		Value: Number{Float: 1, Known: true}, Reference: Number{Float: 2, Known: true}, Bound: Number{Float: 1.5, Known: true}, Window: 3600e9, Labels: labels,
		Interval: Interval{Number{Float: 0.9, Known: true}, Number{Float: 1.1, Known: true}}, Onset: Time{time.Unix(1e9, 0)}, Cause: "prompt version", FalseAlarms: "1/30d", From: "a", To: "b"}
	for _, s := range slices {
		full.Cohort[s] = "value"
	}
	empty := TemplateData{Cohort: full.Cohort, Labels: labels}
	return []TemplateData{full, empty}
}

// checker walks a template's tree.
type checker struct {
	slices []string
	labels map[string]string
	faults []fault
}

func (c *checker) add(at parse.Pos, length int, message, hint string) {
	c.faults = append(c.faults, fault{int(at), length, message, hint})
}

// node checks one node and those in it; inWith is true where the dot is no longer the data.
func (c *checker) node(n parse.Node, inWith bool) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			c.node(child, inWith)
		}
	case *parse.ActionNode:
		c.pipe(n.Pipe, inWith)
	case *parse.IfNode:
		c.branch(&n.BranchNode, inWith, inWith)
	case *parse.WithNode:
		c.branch(&n.BranchNode, inWith, true)
	case *parse.TextNode, *parse.CommentNode:
	default:
		word := strings.Fields(strings.Trim(n.String(), "{}- "))[0]
		c.add(n.Position(), len(word), "`"+word+"` is not supported in annotations", "use fields, if and with")
	}
}

func (c *checker) branch(b *parse.BranchNode, outer, inner bool) {
	c.pipe(b.Pipe, outer)
	c.node(b.List, inner)
	c.node(b.ElseList, outer)
}

func (c *checker) pipe(p *parse.PipeNode, inWith bool) {
	if p == nil {
		return
	}
	for _, cmd := range p.Cmds {
		for _, arg := range cmd.Args {
			c.argument(arg, inWith)
		}
	}
}

func (c *checker) argument(n parse.Node, inWith bool) {
	switch n := n.(type) {
	case *parse.PipeNode:
		c.pipe(n, inWith)
	case *parse.ChainNode:
		c.argument(n.Node, inWith)
	case *parse.IdentifierNode:
		for _, f := range allowedFunctions {
			if n.Ident == f {
				return
			}
		}
		hint := "use " + strictyaml.List(allowedFunctions, "or")
		if near := strictyaml.Nearest(n.Ident, dataFields); near != "" {
			hint = fmt.Sprintf("did you mean `.%s`?", near)
		}
		c.add(n.Pos, len(n.Ident), "unknown function `"+n.Ident+"`", hint)
	case *parse.FieldNode:
		if !inWith {
			c.field(n.Ident, n.Pos)
		}
	case *parse.VariableNode:
		if n.Ident[0] == "$" && len(n.Ident) > 1 {
			c.field(n.Ident[1:], n.Pos+1)
		}
	}
}

func (c *checker) field(path []string, at parse.Pos) {
	known := false
	for _, f := range dataFields {
		known = known || f == path[0]
	}
	name := "." + path[0]
	switch {
	case !known:
		hint := "there are ." + strings.Join(dataFields, ", .")
		if near := strictyaml.Nearest(path[0], dataFields); near != "" {
			hint = fmt.Sprintf("did you mean `.%s`?", near)
		}
		c.add(at, len(name), "unknown field `"+name+"`", hint)
	case len(path) < 2:
	case path[0] == "Cohort":
		for _, s := range c.slices {
			if s == path[1] {
				return
			}
		}
		hint := "add it to `slice_by`"
		if near := strictyaml.Nearest(path[1], c.slices); near != "" {
			hint = fmt.Sprintf("did you mean `.Cohort.%s`?", near)
		}
		c.add(at, len(name)+1+len(path[1]), "the group is not sliced by `"+path[1]+"`", hint)
	case path[0] == "Labels":
		if _, ok := c.labels[path[1]]; !ok {
			c.add(at, len(name)+1+len(path[1]), "the rule has no label `"+path[1]+"`", "add it to `labels` of the rule or of its group")
		}
	}
}
