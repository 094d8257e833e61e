package explain

import (
	"fmt"
	"strings"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/windows"
)

// says is the verdict on an event in one line. dead is the topic of dead letters.
func says(e *consumer.ProbedEvent, out *Event, dims []string, dead string) string {
	switch e.Fate {
	case consumer.Dies:
		return "goes to " + dead + ": " + firstFault(e, out)
	case consumer.Remembered:
		return remembered(e, out, dims)
	case consumer.Repeats:
		return "is not counted: it is inside another model call, which counts for both"
	case consumer.Doubled:
		return "is not counted: an event of its id stands before it, and `dedup` of its source counts one"
	case consumer.Waits:
		return waits(e)
	case consumer.Unlinkable:
		return unlinkable(e, dead)
	}
	what := "a call"
	scores := counted(e)
	switch {
	case !e.Call && scores == 1:
		what = "a score"
	case !e.Call:
		what = fmt.Sprintf("%d scores", scores)
	}
	text := "counts as " + what + " of " + cellOf(e, dims)
	switch {
	case e.Call && scores == 1:
		text += ", with a score"
	case e.Call && scores > 0:
		text += fmt.Sprintf(", with %d scores", scores)
	}
	if lost := len(e.Scores) - scores; lost > 0 {
		goes := "another score goes"
		if lost > 1 {
			goes = fmt.Sprintf("%d other scores go", lost)
		}
		text += fmt.Sprintf("; %s to %s: %s", goes, dead, firstFault(e, out))
	}
	return text
}

// counted is how many of an event's scores count.
func counted(e *consumer.ProbedEvent) (n int) {
	for _, f := range e.Scored {
		if f.Reason == consumer.Fine {
			n++
		}
	}
	return n
}

// cellOf is the prompt, version and cohort that an event belongs to.
func cellOf(e *consumer.ProbedEvent, dims []string) string {
	text := shownLabel(e.Prompt)
	if len(e.Version) > 0 {
		text += " " + shownLabel(e.Version)
	} else {
		text += " without a version"
		if e.Has.Has(windows.BuiltinFallback) && e.Values[windows.BuiltinFallback] != 0 {
			text += ", by a fallback prompt"
		}
	}
	var cohort []string
	for i, d := range dims {
		if len(e.Dimensions[i]) > 0 {
			cohort = append(cohort, d+"="+shownLabel(e.Dimensions[i]))
		}
	}
	if len(cohort) > 0 {
		text += " (" + strings.Join(cohort, ", ") + ")"
	}
	return text
}

// firstFault is what is wrong with an event, or with the first of its scores that is refused.
func firstFault(e *consumer.ProbedEvent, out *Event) string {
	if out.Reason != "" {
		return out.Reason + ": " + out.Detail
	}
	for i := range out.Scores {
		if s := &out.Scores[i]; s.Reason != "" {
			return s.Reason + ": " + s.Detail
		}
	}
	return "unlinked"
}

func remembered(e *consumer.ProbedEvent, out *Event, dims []string) string {
	switch {
	case strings.Contains(out.callNote(), "evaluation run"):
		return "is not counted: an evaluation run, no production traffic"
	case e.Fault.Reason != consumer.Fine:
		return "feeds the link index only, and without its labels: " + firstFault(e, out)
	case e.Trace == [16]byte{} && len(e.Prompt) == 0:
		return "is not used: it is no model call, names no prompt and has no trace id"
	case len(e.Prompt) > 0:
		return "feeds the link index only: offers the calls and scores of its trace " + cellOf(e, dims)
	default:
		return "feeds the link index only: it is no model call and names no prompt"
	}
}

func waits(e *consumer.ProbedEvent) string {
	if e.Call {
		return "waits for a link: takes its prompt from an ancestor or its trace"
	}
	text := "waits for a link: a score of "
	if n := counted(e); n > 1 {
		text = fmt.Sprintf("waits for a link: %d scores of ", n)
	}
	switch {
	case e.Kind == consumer.Span:
		return "waits for a link: its scores take their prompt from an ancestor or its trace"
	case len(e.Response) > 0:
		return text + "the call that it names"
	case e.Span != [8]byte{}:
		return text + "the span that it names"
	default:
		return text + "its trace"
	}
}

func unlinkable(e *consumer.ProbedEvent, dead string) string {
	why := "it names no prompt, and has no trace id by which one could be found"
	switch e.Link {
	case "ambiguous":
		why = "it names no prompt, and its trace names several"
	case "crowded":
		why = "it names no prompt, and its trace has more spans than are remembered"
	case "nested":
		why = "it is about a call inside another call"
	}
	if e.Call {
		return "is not counted: " + why
	}
	return "goes to " + dead + ": unlinked: " + why
}

// callNote is what is said of how it is known whether the event is a call.
func (e *Event) callNote() string {
	for i := range e.Fields {
		if e.Fields[i].Field == fieldKind {
			return e.Fields[i].Note
		}
	}
	return ""
}

// sum is the verdict on the record.
func (r *Report) sum(dead string) {
	dropped, used := 0, 0
	by := make(map[string]int)
	for i := range r.Events {
		e := &r.Events[i]
		lost := e.Verdict == consumer.Dies.String() || e.Verdict == consumer.Unlinkable.String()
		for j := range e.Scores {
			lost = lost || e.Scores[j].Reason != ""
		}
		aside := e.Verdict == consumer.Remembered.String() && strings.HasPrefix(e.Says, "is not ")
		switch {
		case aside:
			by["aside"]++
			continue
		case lost:
			dropped++
		default:
			used++
		}
		by[e.Verdict]++
	}
	switch {
	case r.Reason != "":
		r.Verdict, r.Says = Dropped, fmt.Sprintf("goes to %s: %s: %s", dead, r.Reason, r.Detail)
	case dropped > 0:
		r.Verdict, r.Says = Dropped, "is not used as a whole: "+summary(by)
	case used > 0:
		r.Verdict, r.Says = OK, "is used: "+summary(by)
	case r.Skipped > 0:
		r.Verdict, r.Says = Nothing, "holds nothing for driftd: its log records are no scores"
	default:
		r.Verdict, r.Says = Nothing, "holds nothing for driftd"
	}
	if len(r.Events) == 1 && r.Reason == "" {
		r.Says = r.Events[0].Says
	}
}

// summary is how many events have which verdict.
func summary(by map[string]int) string {
	var parts []string
	for _, v := range []struct{ verdict, one, more string }{
		{"counts", "counts", "count"}, {"waits", "waits for a link", "wait for a link"}, {"remembered", "feeds the link index", "feed the link index"},
		{"repeats", "is counted with another", "are counted with others"}, {"doubled", "came before", "came before"}, {"unlinkable", "cannot be linked", "cannot be linked"},
		{"dead", "is refused", "are refused"}, {"aside", "is left aside", "are left aside"},
	} {
		switch n := by[v.verdict]; {
		case n == 1:
			parts = append(parts, "1 "+v.one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, v.more))
		}
	}
	return strings.Join(parts, ", ")
}
