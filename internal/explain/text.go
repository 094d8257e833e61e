package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	nameWidth = 14  // of the names of fields
	maxValue  = 36  // of the column of values; longer ones push what follows aside
	lineWidth = 110 // of lists, and of hints
	maxNames  = 100 // in a list
)

// Text writes the report for people.
func (r *Report) Text(w io.Writer) {
	fmt.Fprintln(w, r.head())
	said := make(map[string]bool)
	first := make(map[string]int) // event by its way
	parents := r.parents()
	for i := range r.Events {
		e := &r.Events[i]
		fmt.Fprintln(w)
		fmt.Fprintln(w, r.title(i, parents[i]))
		says := e.Says
		if e.LinkedTo != nil {
			says += ": linked to " + r.number(*e.LinkedTo)
		}
		fmt.Fprintln(w, says)
		way := e.way()
		if same, ok := first[way]; ok {
			fmt.Fprintf(w, "\n  all from the same places as of %s\n", r.number(same))
			continue
		}
		first[way] = i
		fmt.Fprintln(w)
		e.text(w, r, said)
	}
	if len(r.Events) != 1 || len(r.Hints) > 0 {
		fmt.Fprintln(w)
	}
	if len(r.Events) != 1 {
		fmt.Fprintf(w, "The record %s.\n", r.Says)
	}
	for _, h := range r.Hints {
		paragraph(w, "", "→ ", h)
	}
}

// way is how an event came about, without its values.
func (e *Event) way() string {
	var b strings.Builder
	for i := range e.Fields {
		f := &e.Fields[i]
		fmt.Fprintf(&b, "%s\x00%s\x00%s\x00%s\x00", f.Field, f.Attribute, f.From, f.Note)
		for _, p := range f.PassedOver {
			fmt.Fprintf(&b, "%s\x00%s\x00%s\x00", p.Attribute, p.From, p.Why)
		}
	}
	for i := range e.Scores {
		fmt.Fprintf(&b, "%s\x00%s\x00", e.Scores[i].Rubric, e.Scores[i].Reason)
	}
	return fmt.Sprint(e.Of, e.Name, e.Type, e.Verdict, e.Reason, b.String(), e.Missing, e.NotRead, e.Resource, e.Hints)
}

// head says what the record was taken for.
func (r *Report) head() string {
	text := r.Encoding
	if r.Source != "" {
		text = "topic " + r.Source + ", " + text
	}
	if r.Guessed {
		text += ", guessed from the record"
	}
	if r.Envelope != "none" {
		text += ", in a CloudEvent"
	}
	if r.Form != Raw {
		text += ", given as " + r.Form
	}
	if r.Skipped > 0 {
		text += fmt.Sprintf("; log records that are no scores: %d, not looked at", r.Skipped)
	}
	return text
}

// number is how the other events of the record call one.
func (r *Report) number(i int) string {
	text := fmt.Sprintf("[%d]", i+1)
	if r.Events[i].Name != "" {
		text += " " + r.Events[i].Name
	}
	return text
}

func (r *Report) title(i, parent int) string {
	e := &r.Events[i]
	text := e.Of
	switch {
	case e.Of == "record":
		text = e.Type
	case e.Type == "score" && e.Of == "span":
		text = "scores that span"
	}
	if e.Name != "" {
		text += " " + e.Name
	}
	if e.Type == "score" && e.Of == "span" {
		text += " holds of another one"
	}
	if len(r.Events) > 1 {
		text = fmt.Sprintf("[%d] %s", i+1, text)
		if parent >= 0 {
			text += ", below " + r.number(parent)
		}
	}
	return text
}

// parents are the numbers of the events' parents in the record; −1 is none.
func (r *Report) parents() []int {
	at := make(map[string]int)
	for i := range r.Events {
		if e := &r.Events[i]; e.Type == "span" && e.value("span_id") != "" {
			at[e.value("trace_id")+e.value("span_id")] = i
		}
	}
	parents := make([]int, len(r.Events))
	for i := range r.Events {
		e := &r.Events[i]
		parents[i] = -1
		if j, ok := at[e.value("trace_id")+e.value("parent_span_id")]; ok && e.value("parent_span_id") != "" {
			parents[i] = j
		}
	}
	return parents
}

func (e *Event) value(field string) string {
	for i := range e.Fields {
		if e.Fields[i].Field == field {
			return e.Fields[i].Value
		}
	}
	return ""
}

// text writes the lines of an event. What was said before is not said again.
func (e *Event) text(w io.Writer, r *Report, said map[string]bool) {
	width := 1
	for i := range e.Fields {
		width = max(width, min(utf8.RuneCountInString(e.Fields[i].Value), maxValue))
	}
	row := func(name, value, source string) {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-*s  %-*s  %s", nameWidth, name, width, value, source), " "))
	}
	passed := func(f *Field) {
		for _, p := range f.PassedOver {
			if p.Attribute == f.Attribute && p.Value == f.Value { // of the resource
				continue
			}
			text := "not " + p.Attribute + of(p.From)
			if p.Value != "" {
				text += fmt.Sprintf(" (%s)", p.Value)
			}
			row("", text+": "+p.Why, "")
		}
	}
	for i := range e.Fields {
		f := &e.Fields[i]
		value := f.Value
		if value == "" {
			value = "–"
		}
		source := f.source(e, r)
		switch f.Field {
		case "parent_span_id":
			continue
		case "span_id":
			if parent := e.value("parent_span_id"); parent != "" {
				source = strings.TrimPrefix(source+", below "+parent, ", ")
			}
		}
		if f.Value == "" && len(f.PassedOver) == 1 {
			p := &f.PassedOver[0]
			row(f.Field, value, "not "+p.Attribute+of(p.From)+": "+p.Why)
			continue
		}
		row(f.Field, value, source)
		if !slices.Contains(idNames, f.Field) {
			passed(f)
		}
	}
	for i := range e.Scores {
		s := &e.Scores[i]
		value := s.Label
		if s.Value != nil {
			value = number(*s.Value)
		}
		text := s.Attribute
		if s.Reason != "" {
			text = strings.TrimPrefix(text+"; ", "; ") + s.Reason + ": " + s.Detail
		}
		row("score", strings.TrimSpace(s.Rubric+" "+value), text)
	}
	missing := slices.DeleteFunc(slices.Clone(e.Missing), func(name string) bool {
		return slices.ContainsFunc(e.Fields, func(f Field) bool { return f.Field == name })
	})
	if len(missing) > 0 {
		paragraph(w, "  nothing for", "     ", strings.Join(missing, ", "))
	}
	if len(e.NotRead) > 0 {
		list := strings.Join(e.NotRead[:min(len(e.NotRead), maxNames)], ", ")
		if more := len(e.NotRead) - maxNames; more > 0 {
			list += fmt.Sprintf(" and %d more", more)
		}
		paragraph(w, "  not read", "        ", list)
	}
	if list := strings.Join(e.Resource, ", "); list != "" && !said[list] {
		said[list] = true
		paragraph(w, "  not read", "        ", "of the resource: "+list)
	}
	for _, h := range e.Hints {
		if !said[h] {
			said[h] = true
			paragraph(w, "  → ", "", h)
		}
	}
}

// of says where an attribute stands, when that is not the span itself.
func of(from string) string {
	switch from {
	case "resource", "span event":
		return " of the " + from
	}
	return ""
}

// source says where a field is from.
func (f *Field) source(e *Event, r *Report) string {
	text := ""
	switch {
	case f.Attribute != "":
		text = f.Attribute + of(f.From)
	case f.From == "link" && e.LinkedTo != nil:
		text = "of " + r.number(*e.LinkedTo)
	case f.From != "the span":
		text = f.From
	}
	switch {
	case f.Note == "":
	case text == "":
		text = f.Note
	default:
		text += ": " + f.Note
	}
	return text
}

// paragraph writes words in lines, the first behind a head, the others below its end.
func paragraph(w io.Writer, head, gap, text string) {
	head += gap
	indent := strings.Repeat(" ", utf8.RuneCountInString(head))
	line, used := head, 0
	for word := range strings.FieldsSeq(text) {
		if used > 0 && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > lineWidth {
			fmt.Fprintln(w, line)
			line, used = indent, 0
		}
		if used > 0 {
			line += " "
		}
		line += word
		used++
	}
	fmt.Fprintln(w, line)
}
