package rollback

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeregistry"
	"github.com/driftd/driftd/internal/scripts"
)

// TestScripts runs the scripts in testdata. Registry and topic are the rig's; p is at v23, before which it was at v22. Underscores in
// values are spaces.
//
//	fire a1 auto prompt=p version=v23 previous=v22 kind= cause= model= onset=-5m calls= templates= budget= autofrom= moved=yes
//	                                a cohort of rule a begins to fire, or has become worse; what is not said is usual
//	end a1                          it resolves
//	observe a1 share=0.4 target=0.91 n=50
//	advance 5m                      lets time go by
//	approve a1 by=jane, reject a1 by=jane why=
//	request p to=v22 from=v23 by=jane force= why=
//	stop by=jane prompt= why=, resume by=jane prompt=
//	set p v24                       a person moves the label; moved p v24 from=v23 by=jane: the topic says so
//	before p v24                    a person does it as the next move of the label is on its way; before down: the registry's reads fail from then on
//	down, up                        its reads fail
//	fail GET 503 3                  the next answers of the registry; fail POST late: it does it, and does not answer
//	deaf 3                          the next appends to the topic fail
//	registry history=yes switch=yes grace=5m lies=yes, label p off, changed v23 from=v22
//	config cooldown=10m …
//	restart, status, moves, notes, calls
//
// Commands on one line, with ; between them, come before the core can act. What comes out is each action with the state to which it led.
func TestScripts(t *testing.T) {
	scripts.Each(t, func(t *testing.T, file *scripts.Script) {
		synctest.Test(t, func(t *testing.T) {
			s := &script{rig: newRig(t), steps: map[string]int{}, last: map[string]detector.Record{}}
			file.Run(t, func(b scripts.Block) string { return s.block(b.Input) })
		})
	})
}

type script struct {
	*rig
	steps map[string]int             // by alert
	last  map[string]detector.Record // its newest firing step
	out   strings.Builder
	shown int // records
	calls int
}

func (s *script) block(input string) string {
	s.out.Reset()
	for line := range strings.Lines(input) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		for command := range strings.SplitSeq(line, ";") {
			s.command(strings.Fields(command))
		}
		s.now()
		s.show()
	}
	return s.out.String()
}

func (s *script) command(words []string) {
	if len(words) == 0 {
		return
	}
	args, keys := []string{}, map[string]string{}
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			keys[k] = strings.ReplaceAll(v, "_", " ")
		} else {
			args = append(args, w)
		}
	}
	s.do(words[0], args, keys)
}

// show writes the actions that have come since, with the states to which they led.
func (s *script) show() {
	all := told{}
	for i := range s.all {
		r := &s.all[i]
		a := all.fold(r)
		if i < s.shown || r.Type.IsStep() || r.Type == detector.Observed {
			continue
		}
		state := "no change"
		if a != nil {
			state = string(a.State)
		}
		if r.Prompt == "" || r.Type == detector.RegistryPromoted || r.Type == detector.RollbacksStopped || r.Type == detector.RollbacksResumed {
			continue
		}
		fmt.Fprintf(&s.out, "%s %s %s -> %s", r.Time.Format("02T15:04:05"), alert.AttemptID(r), r.Type, state)
		for _, more := range []string{r.Guard, r.Reason} {
			if more != "" {
				s.out.WriteString(": " + more)
			}
		}
		if r.Actor != "driftd" {
			s.out.WriteString(" (" + r.Actor + ")")
		}
		s.out.WriteString("\n")
	}
	s.shown = len(s.all)
}

func (s *script) do(verb string, args []string, keys map[string]string) {
	arg := func(i int) string {
		if i >= len(args) {
			s.t.Fatalf("%s wants more words", verb)
		}
		return args[i]
	}
	switch verb {
	case "fire":
		s.add(s.fire(arg(0), args[1:], keys))
	case "end":
		r := s.last[arg(0)]
		s.steps[r.ID]++
		r.Type, r.Step, r.Time = detector.Resolved, s.steps[r.ID], time.Now().UTC()
		s.add(r)
	case "observe":
		r := s.last[arg(0)]
		r.Step = s.steps[arg(0)]
		r = observed(r, number(keys["share"]), number(keys["target"]), int64(number(keys["n"])))
		if keys["target"] == "" {
			r.Target.Value = nil
		}
		if keys["calls"] != "" {
			r.Target.Calls = int64(number(keys["calls"]))
		}
		s.add(r)
	case "advance":
		s.advance(s.span(arg(0)))
	case "approve", "reject":
		a := s.attempt(fmt.Sprintf("%s-%d", arg(0), s.last[arg(0)].Step))
		r := alert.Action(&a.Step, map[string]detector.RecordType{"approve": detector.RollbackApproved, "reject": detector.RollbackRejected}[verb], time.Now())
		r.Actor, r.Reason = keys["by"], keys["why"]
		s.add(r)
	case "request":
		id := fmt.Sprintf("r%d", s.steps["request"])
		s.steps["request"]++
		s.add(detector.Record{ID: id, Step: 1, Type: detector.RollbackRequested, Time: time.Now().UTC(), Prompt: arg(0), Version: keys["from"], Previous: keys["to"],
			Actor: keys["by"], Reason: keys["why"], Force: strings.ReplaceAll(keys["force"], " ", "_")})
	case "stop", "resume":
		r := detector.Record{ID: "s", Step: 1, Type: detector.RollbacksStopped, Time: time.Now().UTC(), Prompt: keys["prompt"], Actor: keys["by"], Reason: keys["why"]}
		if verb == "resume" {
			r.Type = detector.RollbacksResumed
		}
		s.add(r)
	case "set":
		s.reg.Set(arg(0), arg(1))
	case "moved":
		s.add(detector.Record{ID: "m", Step: 1, Type: detector.RegistryPromoted, Time: time.Now().UTC(), Prompt: arg(0), Version: arg(1), Previous: keys["from"], Actor: keys["by"]})
	case "before":
		if arg(0) == "down" {
			s.before = func(registry.Move) { s.before, s.down = nil, true }
			return
		}
		prompt, version := arg(0), arg(1)
		s.before = func(registry.Move) { s.before = nil; s.reg.Set(prompt, version) }
	case "down":
		s.down = true
	case "up":
		s.down = false
	case "fail":
		f := fakeregistry.Fault{Method: arg(0), Late: arg(1) == "late"}
		if !f.Late {
			f.Status = int(number(arg(1)))
		}
		n := 1
		if len(args) > 2 {
			n = int(number(args[2]))
		}
		s.reg.Fail(slices.Repeat([]fakeregistry.Fault{f}, n)...)
	case "deaf":
		s.deaf = int(number(arg(0)))
	case "label":
		s.off[arg(0)] = arg(1) == "off"
	case "changed":
		s.history = slices.Insert(s.history, 0, registry.Change{To: arg(0), From: keys["from"], At: time.Now()})
	case "registry":
		s.traits.History, s.traits.Switch, s.liar = keys["history"] == "yes", keys["switch"] == "yes", keys["lies"] == "yes"
		if g := keys["grace"]; g != "" {
			s.traits.Grace = s.span(g)
		}
	case "config":
		s.set(keys)
	case "restart":
		s.start()
	default:
		s.ask(verb)
	}
}

// ask writes what is so now.
func (s *script) ask(verb string) {
	switch verb {
	case "status":
		st := s.core.Status()
		fmt.Fprintf(&s.out, "outstanding %d, problem %q, waiting %d, watching %d, lingering %d\n", st.Outstanding, st.Problem,
			s.core.gauges.waiting.Load(), s.core.gauges.watching.Load(), s.core.gauges.lingering.Load())
	case "moves":
		for _, p := range s.reg.Promotions() {
			fmt.Fprintf(&s.out, "%s %s -> %s key %s alert %s: %s\n", p.Prompt, p.From, p.To, p.Key, p.Alert, p.Reason)
		}
	case "notes":
		for _, n := range s.notes {
			s.out.WriteString(n + "\n")
		}
		s.notes = nil
	case "calls":
		all := s.reg.Calls()
		fmt.Fprintf(&s.out, "%s\n", strings.Join(all[s.calls:], ", "))
		s.calls = len(all)
	default:
		s.t.Fatalf("no such command: %s", verb)
	}
}

// fire makes a firing step.
func (s *script) fire(id string, args []string, keys map[string]string) detector.Record {
	mode := "auto"
	if len(args) > 0 {
		mode = strings.Replace(args[0], "off", "", 1)
	}
	s.steps[id] = max(s.steps[id]+1, 2)
	r := step(id, s.steps[id], detector.Firing, mode)
	target := *r.Target
	r.Target = &target
	for k, v := range keys {
		switch k {
		case "prompt":
			r.Prompt = v
		case "version":
			r.Version = v
		case "previous":
			r.Previous = v
		case "kind":
			r.Kind = strings.ReplaceAll(v, " ", "_")
		case "cause":
			r.Cause = detector.Cause(v)
		case "model":
			r.Model = v
		case "swapped":
			r.Changed = []detector.Changed{{Axis: "model", From: v}}
		case "onset":
			at := time.Now().Add(s.span(v)).UTC()
			r.Onset = &at
		case "calls":
			if r.Target.Calls = int64(number(v)); v == "?" {
				r.Target = nil
			}
		case "templates":
			r.Target.Templates = int(number(v))
		case "budget":
			r.FalseAlarms = v
		case "autofrom":
			at := time.Now().Add(s.span(v)).UTC()
			r.AutoFrom = &at
		case "moved":
			r.OtherVersionsMoved = true
		case "value":
			f := number(v)
			r.Value = &f
		default:
			s.t.Fatalf("no such key: %s", k)
		}
	}
	for i := range r.Changed {
		r.Changed[i].To = r.Model
	}
	if r.Target != nil {
		r.Target.Version = r.Previous
	}
	s.last[id] = r
	return r
}

func (s *script) set(keys map[string]string) {
	c := &s.cfg
	for k, v := range keys {
		switch k {
		case "enabled":
			c.Enabled = v == "yes"
		case "registry":
			c.Registry = nil
		case "cooldown":
			c.Cooldown = s.span(v)
		case "prompt/day":
			c.PromptPerDay = int(number(v))
		case "fleet/day":
			c.FleetPerDay = int(number(v))
		case "horizon":
			c.Horizon = s.span(v)
		case "within":
			c.ApproveWithin = s.span(v)
		case "remind":
			c.RemindAfter = s.span(v)
		case "watch":
			c.Watch = s.span(v)
		case "link":
			c.Link = func(id string) string { return "https://driftd.test/alerts/" + id }
		default:
			s.t.Fatalf("no such key: %s", k)
		}
	}
	s.start()
}

func (s *script) span(v string) time.Duration {
	d, err := time.ParseDuration(v)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func number(v string) float64 {
	f, _ := strconv.ParseFloat(v, 64)
	return f
}
