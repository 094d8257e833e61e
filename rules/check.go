package rules

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/driftd/driftd/internal/strictyaml"
	"github.com/driftd/driftd/windows"
)

// loader gathers files; finish checks them together.
type loader struct {
	opts    Options
	files   []*parsed
	rubrics map[string]seenRubric
	groups  map[string]strictyaml.Place
	warned  map[string]bool // rubrics that have been said to have no scale
	broken  bool            // a file could not be read as YAML, so that its rubrics are not known
	set     *Set
}

type parsed struct {
	doc  *strictyaml.Document
	file *file
}

type seenRubric struct {
	Rubric
	at strictyaml.Place
}

func newLoader(opts Options) *loader {
	return &loader{opts: opts, rubrics: make(map[string]seenRubric), groups: make(map[string]strictyaml.Place), warned: make(map[string]bool),
		set: &Set{Rubrics: make(map[string]Rubric)}}
}

func (l *loader) parse(name string, data []byte) {
	p := &parsed{doc: strictyaml.Parse(name, data), file: new(file)}
	wasYAML := p.doc.Clean()
	p.doc.Decode(p.file)
	if wasYAML && p.doc.Clean() && len(p.file.Groups) == 0 && len(p.file.Rubrics) == 0 {
		p.doc.At(&p.file.Groups).Errorf("add `groups` with rules, or `rubrics` with scales", "the file has neither rules nor rubrics")
	}
	l.broken = l.broken || !wasYAML
	l.files = append(l.files, p)
	l.set.Files = append(l.set.Files, name)
}

func (l *loader) finish() (*Set, Problems) {
	for _, p := range l.files {
		for _, name := range slices.Sorted(maps.Keys(p.file.Rubrics)) {
			l.rubric(p, name, p.file.Rubrics[name])
		}
	}
	var problems Problems
	for _, p := range l.files {
		for i := range p.file.Groups {
			l.group(p, &p.file.Groups[i])
		}
		problems = append(problems, p.doc.Problems()...)
	}
	problems.Sort()
	return l.set, problems
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// checkName reports names that would break a line or a message.
func checkName(at strictyaml.Place, what, name string) bool {
	switch {
	case name == "":
		return false // told where it was decoded
	case len(name) > 200:
		at.Errorf("200 bytes are the most", "the name of the %s is too long", what)
		return false
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		at.Errorf("keep to one line of printable text", "the name of the %s has a character that cannot be shown", what)
		return false
	case strings.TrimSpace(name) != name:
		at.Errorf("remove it", "the name of the %s has blank space around it", what)
		return false
	}
	return true
}

func (l *loader) rubric(p *parsed, name string, f *rubricFile) {
	at := p.doc.Entry(&p.file.Rubrics, name)
	if f == nil {
		return
	}
	if windows.Reserved(name) {
		at.KeyErrorf("give the rubric another name", "`%s` is a built-in metric", name)
		return
	}
	r := Rubric{Name: name, LowerIsBetter: f.Better == "lower"}
	switch {
	case f.Min != nil && f.Max == nil:
		p.doc.At(&f.Min).KeyErrorf("add `max`", "`min` without `max`")
	case f.Min == nil && f.Max != nil:
		p.doc.At(&f.Max).KeyErrorf("add `min`", "`max` without `min`")
	case f.Min != nil && *f.Min >= *f.Max:
		p.doc.At(&f.Max).Errorf(fmt.Sprintf("write more than %s", digits(*f.Min, 6)), "the scale of `%s` is empty: `max` must be over `min`", name)
	case f.Min != nil && max(-*f.Min, *f.Max) > windows.MaxValue:
		at.KeyErrorf("scores are kept up to 1e12", "the scale of `%s` goes beyond all values that are kept", name)
	case f.Min != nil:
		r.Min, r.Max, r.HasRange = *f.Min, *f.Max, true
	}
	if f.Labels != nil {
		l.rubricLabels(p, &r, f)
	}
	if before, ok := l.rubrics[name]; ok {
		if !reflect.DeepEqual(before.Rubric, r) {
			at.KeyErrorf(fmt.Sprintf("there it is %s", before.Rubric.scale()), "rubric `%s` has another scale at %s", name, before.at)
		}
		return
	}
	l.rubrics[name] = seenRubric{r, at}
	l.set.Rubrics[name] = r
}

func (l *loader) rubricLabels(p *parsed, r *Rubric, f *rubricFile) {
	if len(f.Labels) == 0 {
		p.doc.At(&f.Labels).Errorf("such as {pass: 1, fail: 0}", "`labels` is empty")
		return
	}
	r.Labels = maps.Clone(f.Labels)
	if r.HasRange {
		for name, v := range f.Labels {
			if v < r.Min || v > r.Max {
				p.doc.Entry(&f.Labels, name).Errorf("", "%s is outside the scale, which is %s", digits(v, 6), r.scale())
			}
		}
		return
	}
	values := slices.Collect(maps.Values(f.Labels))
	if low, high := slices.Min(values), slices.Max(values); max(-low, high) > windows.MaxValue {
		p.doc.At(&f.Labels).Errorf("scores are kept up to 1e12", "labels of `%s` count beyond all values that are kept", r.Name)
	} else if low < high {
		r.Min, r.Max, r.HasRange = low, high, true
	} else {
		p.doc.At(&f.Labels).Errorf("give at least two labels different numbers", "all labels count as %s, so that nothing can ever change", digits(low, 6))
	}
}

// scale is the rubric's range and direction in words.
func (r *Rubric) scale() string {
	better := ", higher is better"
	if r.LowerIsBetter {
		better = ", lower is better"
	}
	if !r.HasRange {
		return "without a range" + better
	}
	return digits(r.Min, 6) + " to " + digits(r.Max, 6) + better
}

func (l *loader) group(p *parsed, f *groupFile) {
	at := p.doc.At(&f.Name)
	if checkName(at, "group", f.Name) {
		if before, ok := l.groups[f.Name]; ok {
			at.Errorf("rename one of them, or put the rules together", "there is a group `%s` at %s already", f.Name, before)
		} else {
			l.groups[f.Name] = at
		}
	}
	g := Group{Name: f.Name, Match: f.Match, SliceBy: f.SliceBy, Total: f.Total || len(f.SliceBy) == 0, Labels: f.Labels, File: p.name(), Line: at.Line()}
	for dimension, glob := range f.Match {
		at := p.doc.Entry(&f.Match, dimension)
		if l.dimension(at.KeyErrorf, dimension, true) && strings.ContainsAny(glob, "^$|()+") || strings.Contains(glob, ".*") {
			at.Warnf("* alone is any text", "globs are not regular expressions")
		}
	}
	for i, dimension := range f.SliceBy {
		at := p.doc.At(&f.SliceBy[i])
		switch {
		case dimension == "prompt" || dimension == "version":
			at.Errorf("remove it", "every %s is evaluated apart anyway", dimension)
		case slices.Contains(f.SliceBy[:i], dimension):
			at.Errorf("remove it", "`%s` stands in `slice_by` already", dimension)
		default:
			l.dimension(at.Errorf, dimension, false)
		}
	}
	if !f.Total && len(f.SliceBy) == 0 {
		p.doc.At(&f.Total).Errorf("add `slice_by`, or remove `total`", "without `slice_by` there is nothing but the total")
	}
	l.checkLabels(p, &f.Labels)
	seen := make(map[string]strictyaml.Place)
	for i := range f.Rules {
		r := &f.Rules[i]
		at := p.doc.At(&r.Alert)
		if checkName(at, "alert", r.Alert) {
			if before, ok := seen[r.Alert]; ok {
				at.Errorf("rename one of them", "there is an alert `%s` at %s already", r.Alert, before)
			} else {
				seen[r.Alert] = at
			}
		}
		if rule, ok := l.rule(p, f, r); ok {
			g.Rules = append(g.Rules, rule)
		}
	}
	l.set.Groups = append(l.set.Groups, g)
}

// name is that of the file.
func (p *parsed) name() string { return p.doc.Name() }

// dimension checks that there is such a dimension, as far as that is known.
func (l *loader) dimension(errorf func(hint, format string, args ...any), name string, own bool) bool {
	known := l.opts.Dimensions
	if own {
		known = append([]string{"prompt", "version"}, known...)
		if name == "prompt" || name == "version" {
			return true
		}
	}
	switch {
	case name == "":
	case l.opts.Dimensions == nil && labelName.MatchString(name):
		return true
	case l.opts.Dimensions == nil:
		errorf("such as prompt, version, tier or locale", "`%s` is no name of a dimension", name)
	case slices.Contains(known, name):
		return true
	default:
		hint := "there are " + strictyaml.List(known, "and") + "; more can be added under `dimensions` of the config"
		if near := strictyaml.Nearest(name, known); near != "" {
			hint = fmt.Sprintf("did you mean `%s`?", near)
		}
		errorf(hint, "unknown dimension `%s`", name)
	}
	return false
}

func (l *loader) checkLabels(p *parsed, labels *map[string]string) {
	for name, value := range *labels {
		at := p.doc.Entry(labels, name)
		switch {
		case !labelName.MatchString(name):
			at.KeyErrorf("use letters, digits and _, such as severity", "`%s` is no name of a label", name)
		case name == "prompt" || name == "version":
			at.KeyErrorf("remove it, or give the label another name", "every alert has its `%s` already", name)
		case strings.Contains(value, "{{"):
			at.Errorf("put it into `annotations`", "a label is fixed text: it is part of the alert's identity")
		case len(value) > 1024:
			at.Errorf("1024 bytes are the most; long text goes into `annotations`", "the label is too long")
		}
	}
}
