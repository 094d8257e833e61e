package desk

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"time"

	"github.com/driftd/driftd/detector"
)

const (
	longestSilence = 30 * 24 * time.Hour
	maxMatchers    = 20
	maxMatcher     = 1000 // bytes of a value
	maxProgram     = 2000 // instructions of a regular expression: few characters can make very many, and all alerts are held against it

	endedEarly  = "ended early"
	allResolved = "resolved: none of the alerts that it matched fires any more"
)

// Silence makes a silence and returns its id. It begins now where it does not say when. Comment and an end within 30 days are
// required, and matchers that leave something out.
func (d *Desk) Silence(ctx context.Context, who string, s detector.Silence) (id string, err error) {
	now := d.now().UTC()
	if s.Starts.IsZero() {
		s.Starts = now
	}
	s.Starts, s.Ends, s.Comment = s.Starts.UTC(), s.Ends.UTC(), strings.TrimSpace(s.Comment)
	if err := check(&s, now); err != nil {
		return "", err
	}
	r := detector.Record{ID: newID(), Step: 1, Type: detector.Silenced, Time: now, Actor: who, Reason: s.Comment, Silence: &s}
	_, _, err = d.append(ctx, r)
	if err != nil && !errors.Is(err, ErrUnseen) {
		return "", err
	}
	return r.ID, err
}

// Unsilence ends a silence now.
func (d *Desk) Unsilence(ctx context.Context, who, id string) error {
	v, err := d.board.Silence(id)
	if err != nil {
		return err
	}
	now := d.now().UTC()
	if v.State == SilenceExpired {
		return &DoneError{"ended", endedBy(&v), v.Ends}
	}
	s := v.Silence
	s.Ends = now
	step := 1
	d.board.each(func(p *part) {
		if have := p.silences[v.ID]; have != nil {
			step = have.Step + 1
		}
	})
	_, _, err = d.append(ctx, detector.Record{
		ID: v.ID, Step: step, Type: detector.Silenced, Time: now, Actor: who, Reason: endedEarly, Silence: &s,
	})
	return err
}

func endedBy(s *Silence) string {
	if s.Ended == "" {
		return "time"
	}
	return s.Ended
}

func check(s *detector.Silence, now time.Time) error {
	switch {
	case len(s.Matchers) == 0:
		return &InvalidError{"the silence has no matchers", "say what it is for, such as prompt=support_intent"}
	case len(s.Matchers) > maxMatchers:
		return &InvalidError{fmt.Sprintf("the silence has %d matchers", len(s.Matchers)), fmt.Sprintf("%d are the most", maxMatchers)}
	case s.Comment == "":
		return &InvalidError{"the silence has no comment", "say why, for those who wonder"}
	case s.Ends.IsZero():
		return &InvalidError{"the silence has no end", "say for how long, such as 2h"}
	case !s.Ends.After(s.Starts):
		return &InvalidError{"the silence ends before it starts", ""}
	case !s.Ends.After(now):
		return &InvalidError{"the silence would be over already", ""}
	case s.Ends.Sub(s.Starts) > longestSilence:
		return &InvalidError{"the silence is for more than 30 days", "take the rule out, or send it nowhere by a route"}
	case s.Starts.Sub(now) > longestSilence:
		return &InvalidError{"the silence starts in more than 30 days", ""}
	}
	if err := text("comment", s.Comment); err != nil {
		return err
	}
	some := false // of the matchers leaves something out
	for i := range s.Matchers {
		m := &s.Matchers[i]
		if m.Label == "" {
			return &InvalidError{"a matcher names no label", "such as prompt=support_intent"}
		}
		if len(m.Label)+len(m.Value) > maxMatcher {
			return &InvalidError{fmt.Sprintf("a matcher has more than %d bytes", maxMatcher), ""}
		}
		switch m.Op {
		case "=":
			some = some || m.Value != ""
		case "!=":
			some = some || m.Value != ""
		case "=~", "!~":
			if err := modest(m.Value); err != nil {
				return err
			}
			re, err := regexp.Compile(m.Value)
			if err == nil {
				re, err = regexp.Compile("^(?:" + m.Value + ")$")
			}
			if err != nil {
				return &InvalidError{fmt.Sprintf("matcher %s%s%s: the regular expression cannot be read: %v", m.Label, m.Op, m.Value, plain(err)), ""}
			}
			// What matches any word matches everything, as far as people mean it.
			if all := re.MatchString("any_word-1"); m.Op == "=~" {
				some = some || !all
			} else if all && re.MatchString("") {
				return &InvalidError{fmt.Sprintf("matcher %s%s%s matches nothing", m.Label, m.Op, m.Value), ""}
			} else {
				some = true
			}
		default:
			return &InvalidError{fmt.Sprintf("matcher of %s: there is no operator %q", m.Label, m.Op), "one of =, !=, =~, !~"}
		}
	}
	if !some {
		return &InvalidError{"the silence matches everything", "to be told of nothing at all, take the receivers out; else name a prompt, a rule or a label"}
	}
	return nil
}

// modest refuses an expression that takes long to hold against a label. One that cannot be read is left to who reads it.
func modest(expression string) error {
	re, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil || len(prog.Inst) <= maxProgram {
		return nil
	}
	return &InvalidError{"a regular expression takes too long to match", "repeat less of it, such as .* in place of .{0,500}"}
}

// plain is the cause alone, without the wrapping of the expression.
func plain(err error) string {
	return strings.TrimPrefix(err.Error(), "error parsing regexp: ")
}
