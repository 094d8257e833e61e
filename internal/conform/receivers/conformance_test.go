package receivers

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/detector"
)

// trial is a case of the conformance suite: what no receiver may get wrong.
type trial struct {
	name string
	na   func(s subject) string // why it does not apply; empty when it does
	run  func(w *world)
	real bool // on the machine's clock
}

var trials = []trial{
	{name: "down for an hour", run: down},
	{name: "429, seconds", run: func(w *world) { limited(w, func(d time.Duration) string { return fmt.Sprint(int(d.Seconds())) }) }},
	{name: "429, date", run: func(w *world) {
		limited(w, func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) })
	}},
	{name: "500s", run: func(w *world) { faulty(w, &Fault{Status: 500}) }},
	{name: "hang", run: func(w *world) { faulty(w, &Fault{Hang: true}) }},
	{name: "slow body", run: func(w *world) { faulty(w, &Fault{SlowBody: true}) }},
	{name: "answer lost", run: func(w *world) { faulty(w, &Fault{Lost: true}) }},
	{name: "TLS error", run: badTLS, real: true},
	{name: "kill before call", run: killBefore},
	{name: "kill after call", run: killAfterCall},
	{name: "kill after record", run: killAfterRecord},
	{name: "order", run: order},
	{name: "latest state", run: latest},
	{name: "over while nobody ran", run: overMeanwhile},
	{name: "answer lost, then over", run: lostThenOver, na: func(s subject) string {
		if s.keyless || strings.Contains(s.name, "oncall") {
			return "something new is all that it could say"
		}
		return ""
	}},
	{name: "sent again while it fires", run: sentAgain, na: func(s subject) string {
		if s.resends {
			return ""
		}
		return "does not forget"
	}},
	{name: "acknowledged, until worse", run: acknowledged, na: func(s subject) string {
		if s.acks {
			return ""
		}
		return "has no word for it"
	}},
	{name: "secrets", run: secrets},
}

// TestConformance runs every case over every receiver, and prints what came of it.
func TestConformance(t *testing.T) {
	all := subjects()
	var mu sync.Mutex
	results := map[[2]string]string{}
	note := func(s subject, c trial, result string) {
		mu.Lock()
		defer mu.Unlock()
		results[[2]string{s.name, c.name}] = result
	}
	t.Run("all", func(t *testing.T) { // so that what runs in parallel has ended before the table is made
		for _, s := range all {
			for _, c := range trials {
				if c.na != nil {
					if why := c.na(s); why != "" {
						note(s, c, "n/a: "+why)
						continue
					}
				}
				note(s, c, "-")
				t.Run(s.name+"/"+c.name, func(t *testing.T) {
					note(s, c, "NO")
					t.Parallel()
					body := func(t *testing.T) {
						w := newWorld(t, s)
						c.run(w)
						w.end()
					}
					if c.real {
						body(t)
					} else {
						synctest.Test(t, body)
					}
					if !t.Failed() {
						note(s, c, "ok")
					}
				})
			}
		}
	})
	t.Log("\n" + table(all, results))
}

// table has a row a receiver; what does not apply is explained below.
func table(all []subject, results map[[2]string]string) string {
	var b strings.Builder
	notes := []string{}
	fmt.Fprintf(&b, "%-24s", "")
	for i := range trials {
		fmt.Fprintf(&b, " %3d", i+1)
	}
	b.WriteByte('\n')
	for _, s := range all {
		fmt.Fprintf(&b, "%-24s", s.name)
		for i, c := range trials {
			r := results[[2]string{s.name, c.name}]
			if why, ok := strings.CutPrefix(r, "n/a: "); ok {
				r = "n/a"
				notes = append(notes, fmt.Sprintf("%s, %d: %s", s.name, i+1, why))
			}
			fmt.Fprintf(&b, " %3s", r)
		}
		b.WriteByte('\n')
	}
	for i, c := range trials {
		fmt.Fprintf(&b, "%3d %s\n", i+1, c.name)
	}
	for _, n := range notes {
		b.WriteString("n/a " + n + "\n")
	}
	return b.String()
}

// down: nobody answers for an hour. It is tried again all the time, but not more often than once a minute in the end, and told
// within a minute when it is back.
func down(w *world) {
	w.wire.Break(&Fault{})
	w.step("RuleA", detector.Firing)
	w.run(time.Hour)
	if n := len(w.wire.Calls()); n < 60 || n > 100 {
		w.t.Errorf("tried %d times in an hour", n)
	}
	w.problem()
	w.wire.Break(nil)
	w.settled(time.Minute)
	if told := w.peer.Told("RuleA"); !slices.Equal(told, []string{"firing"}) {
		w.t.Errorf("told %v", told)
	}
}

// limited: who asks not to be called for a minute and a half is not, although it would take it again by then.
func limited(w *world, header func(time.Duration) string) {
	const wait = 90 * time.Second
	w.run(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // a date has whole seconds
	w.wire.Break(&Fault{Status: 429, RetryAfter: header(wait + time.Second)})
	w.step("RuleA", detector.Firing)
	w.until(5*time.Second, "the first call", func() bool { return len(w.wire.Calls()) == 1 })
	asked := w.wire.Calls()[0]
	w.wire.Break(nil)
	w.settled(wait + 10*time.Second)
	if next := w.wire.Calls()[1].Sub(asked); next < wait-time.Second || next > wait+5*time.Second {
		w.t.Errorf("called again after %v, asked for %v", next, wait)
	}
	w.problem()
}

// faulty: a minute of a fault, and then it is told.
func faulty(w *world, f *Fault) {
	w.step("RuleA", detector.Firing)
	w.settled(5 * time.Second)
	w.wire.Break(f)
	w.step("RuleA", detector.Resolved)
	w.step("RuleB", detector.Firing)
	w.run(time.Minute)
	if n := len(w.wire.Calls()); n < 3 || n > 20 {
		w.t.Errorf("called %d times in a minute", n)
	}
	w.problem()
	w.wire.Break(nil)
	w.settled(2 * time.Minute)
	if told := collapse(w.peer.Told("RuleA")); !slices.Equal(told, []string{"firing", "resolved"}) {
		w.t.Errorf("told %v", told)
	}
	if _, isSlack := w.peer.(*slackChannel); isSlack && !w.s.keyless && w.things() > 1 {
		w.t.Errorf("people see %d messages of one alert", w.things())
	}
}

// badTLS: a listener with a certificate that nobody has signed. Nothing is sent to it.
func badTLS(w *world) {
	bad := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { w.t.Error("the untrusted peer was told") }))
	bad.Config.ErrorLog = log.New(io.Discard, "", 0)
	bad.StartTLS()
	w.t.Cleanup(bad.Close)
	w.wire.Through(&http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, bad.Listener.Addr().String())
	}})
	called := w.wire.Called()
	told := make(chan struct{}, 100)
	w.wire.Taken = func() { told <- struct{}{} }
	w.step("RuleA", detector.Firing)
	<-called
	<-called // the second try: the first has failed
	w.note()
	w.problem()
	if !strings.Contains(w.log.String(), "certificate") {
		w.t.Errorf("the log does not say what is wrong:\n%s", w.log)
	}
	w.wire.Through(nil)
	for !w.shown() { // the first call may only look what stands there
		<-told
	}
}

// killBefore: the step is in the topic, nobody has been told.
func killBefore(w *world) {
	for _, typ := range []detector.RecordType{detector.Firing, detector.Resolved} {
		before := len(w.wire.Calls())
		w.step("RuleA", typ)
		w.run(100 * time.Millisecond)
		if len(w.wire.Calls()) != before {
			w.t.Fatal("told before the log was quiet: the case does not show what it should")
		}
		w.kill()
		w.settled(10 * time.Second)
	}
	if told := w.peer.Told("RuleA"); !slices.Equal(told, []string{"firing", "resolved"}) {
		w.t.Errorf("told %v", told)
	}
}

// killAfterCall: it was told, and nothing says so. It is told once more, which is seen only where there is no key to know it by.
func killAfterCall(w *world) {
	for i, typ := range []detector.RecordType{detector.Firing, detector.Resolved} {
		w.wire.Taken = func() { w.worker.Cut() }
		w.step("RuleA", typ)
		w.until(10*time.Second, "it is told", func() bool { return w.shown() })
		if w.notified("RuleA") != i {
			w.t.Fatal("it was recorded: the case does not show what it should")
		}
		w.wire.Taken = nil
		w.kill()
		w.settled(10 * time.Second)
	}
	want := []string{"firing", "resolved"}
	if told := w.peer.Told("RuleA"); !slices.Equal(collapse(told), want) || len(told) > 4 {
		w.t.Errorf("told %v", told)
	}
	if things := w.things(); things > 1 && !w.s.keyless {
		w.t.Errorf("people see %d alerts, there was one", things)
	}
}

// things counts what people see of one alert, where a repetition could make two of it.
func (w *world) things() int {
	switch p := w.peer.(type) {
	case *slackChannel:
		most := map[string]int{}
		for _, m := range p.Messages() {
			most[ruleOf(m.Text)]++
		}
		return slices.Max(slices.Collect(maps.Values(most)))
	case *Alertmanager:
		return len(p.Alerts())
	case *PagerDuty:
		n := 0
		for _, i := range p.Incidents() {
			n += i.Pages
		}
		return n
	case *Opsgenie:
		n := 0
		for _, a := range p.Alerts() {
			n += a.Opened
		}
		return n
	case *OnCall:
		return len(p.Alerts())
	}
	return 1
}

// killAfterRecord: what was told stands in the topic. It is not told again.
func killAfterRecord(w *world) {
	for _, typ := range []detector.RecordType{detector.Firing, detector.Resolved} {
		w.topic.Appended = func(int, []detector.Record) { w.worker.Cut() }
		w.step("RuleA", typ)
		w.until(10*time.Second, "it is told", func() bool { return w.shown() })
		w.topic.Appended = nil
		calls := len(w.wire.Calls())
		w.kill()
		w.run(20 * time.Second)
		w.settled(time.Second)
		n := len(w.wire.Calls()) - calls
		if w.s.resends && typ == detector.Firing {
			n-- // nobody knows when it was sent last
		}
		if n != 0 {
			w.t.Errorf("%s was told again: %d calls more", typ, n)
		}
	}
}

// order: three alerts begin and end twice, over a bad line. Each state is seen, and in its order.
func order(w *world) {
	faults := []*Fault{{Lost: true}, {Status: 503}, nil, {Hang: true}, {}}
	rules := []string{"RuleA", "RuleBB", "RuleCCC"}
	i := 0
	for range 2 {
		for _, typ := range []detector.RecordType{detector.Firing, detector.Resolved} {
			for _, rule := range rules {
				w.step(rule, typ)
				w.wire.Break(faults[i%len(faults)])
				i++
				w.run(15 * time.Second)
			}
			w.wire.Break(nil)
			w.settled(2 * time.Minute)
		}
	}
	for _, rule := range rules {
		if told := collapse(w.peer.Told(rule)); !slices.Equal(told, []string{"firing", "resolved", "firing", "resolved"}) {
			w.t.Errorf("%s was told as %v", rule, w.peer.Told(rule))
		}
	}
}

// latest: after an outage people see how it is, and are not led through what was. What began and ended meanwhile is told as over at
// most, and once.
func latest(w *world) {
	w.step("RuleOver", detector.Firing)
	w.step("RuleFlaps", detector.Firing)
	w.settled(10 * time.Second)
	w.wire.Break(&Fault{Status: 503})
	for i := range 10 {
		w.step("RuleShort", detector.Firing)
		w.step("RuleFlaps", detector.Resolved)
		w.run(2 * time.Minute)
		w.step("RuleShort", detector.Resolved)
		w.step("RuleFlaps", detector.Firing)
		if i == 5 {
			w.step("RuleOver", detector.Resolved)
			w.step("RuleNew", detector.Firing)
		}
		w.run(2 * time.Minute)
	}
	delete(w.want, "RuleShort")
	w.wire.Break(nil)
	w.settled(time.Minute + 10*time.Second) // the longest wait, and then Slack takes a message a second
	w.run(10 * time.Second)
	if told := w.peer.Told("RuleShort"); len(told) > 1 || slices.Contains(told, "firing") {
		w.t.Errorf("what came and went was told as %v", told)
	}
	if told := w.peer.Told("RuleOver"); !slices.Equal(collapse(told), []string{"firing", "resolved"}) {
		w.t.Errorf("what ended was told as %v", told)
	}
	if told := w.peer.Told("RuleFlaps"); len(told) > 3 || slices.Contains(told[1:], "resolved") && len(collapse(told)) > 3 {
		w.t.Errorf("what flapped was told as %v", told)
	}
}

// overMeanwhile: it was told, nothing says so, and by the time that another worker runs it is over. Nobody may see it fire for ever.
func overMeanwhile(w *world) {
	w.run(10 * time.Second) // so that it has begun, as far as the topic knows
	for rule, while := range map[string]time.Duration{"RuleA": 10 * time.Minute, "RuleBrief": 20 * time.Second} {
		if _, loud := w.peer.(*OnCall); rule == "RuleBrief" && (w.s.keyless || loud) {
			continue // something new is all that it could say
		}
		w.wire.Taken = func() { w.worker.Cut() }
		w.step(rule, detector.Firing)
		w.until(10*time.Second, "it is told", func() bool { return w.shown() })
		w.worker.Stop()
		w.wire.Taken = nil
		time.Sleep(while)
		w.step(rule, detector.Resolved)
		w.start()
		w.run(10 * time.Second)
		if told := collapse(w.peer.Told(rule)); !slices.Equal(told, []string{"firing", "resolved"}) {
			w.t.Errorf("told %v", told)
		}
	}
	if _, isSlack := w.peer.(*slackChannel); isSlack && !w.s.keyless && w.things() > 1 {
		w.t.Errorf("people see %d messages of one alert", w.things())
	}
}

// lostThenOver: it was told, the answer is lost, and by the time that someone answers again it is over. Nobody may see it fire for ever.
func lostThenOver(w *world) {
	w.run(10 * time.Second)
	w.wire.Break(&Fault{Lost: true})
	w.step("RuleA", detector.Firing)
	w.until(10*time.Second, "it is told", func() bool { return w.shown() })
	w.wire.Break(&Fault{Status: 503})
	w.step("RuleA", detector.Resolved)
	w.run(10 * time.Second)
	w.wire.Break(nil)
	w.settled(2 * time.Minute)
	if told := collapse(w.peer.Told("RuleA")); !slices.Equal(told, []string{"firing", "resolved"}) {
		w.t.Errorf("told %v", told)
	}
}

// sentAgain: who forgets is told each minute, with its end kept ahead, also by another worker.
func sentAgain(w *world) {
	w.step("RuleA", detector.Firing)
	w.settled(10 * time.Second)
	for i := range 60 {
		w.run(time.Minute)
		if !w.shown() {
			w.t.Fatalf("after %d minutes it is %v", i+1, w.peer.Shown(time.Now()))
		}
		if i == 30 {
			w.kill()
		}
	}
	if n := len(w.wire.Calls()); n < 55 || n > 65 {
		w.t.Errorf("sent %d times in an hour", n)
	}
	for i := range 500 {
		w.step(fmt.Sprintf("Rule%d", i), detector.Firing)
	}
	w.settled(time.Minute)
	calls := len(w.wire.Calls())
	w.run(30 * time.Minute)
	if n := len(w.wire.Calls()) - calls; n > 200 || !w.shown() {
		w.t.Errorf("half a thousand alerts took %d calls in half an hour", n)
	}
	for rule := range w.want {
		w.step(rule, detector.Resolved)
	}
	w.settled(10 * time.Second)
	calls = len(w.wire.Calls())
	if w.run(10 * time.Minute); len(w.wire.Calls()) != calls {
		w.t.Error("what is over is sent again")
	}
}

// acknowledged: someone takes it on, which is seen; when it becomes worse by the step that is configured, it fires again.
func acknowledged(w *world) {
	w.step("RuleA", detector.Firing)
	w.settled(10 * time.Second)
	w.acknowledge("RuleA", "jane")
	w.settled(10 * time.Second)
	w.kill()
	calls := len(w.wire.Calls())
	w.badness = 0.1
	w.step("RuleA", detector.Firing)
	w.want["RuleA"] = "acknowledged"
	w.run(time.Minute)
	w.badness = 0.4
	w.step("RuleA", detector.Firing)
	w.settled(10 * time.Second)
	if n := len(w.wire.Calls()) - calls; n > 6 {
		w.t.Errorf("%d calls", n)
	}
	if things := w.things(); w.s.pages && things != 2 {
		w.t.Errorf("paged %d times, want at the beginning and when it was worse", things)
	}
	w.step("RuleA", detector.Resolved)
	w.settled(10 * time.Second)
}

// secrets: peers that give back all that they were sent, in every refusal that there is. Some refusals are final; of those the
// alert is lost and recorded as such, so what is seen in the end is not the matter here.
func secrets(w *world) {
	for i, status := range []int{400, 401, 403, 404, 409, 413, 422, 429, 500, 503} {
		w.wire.Break(&Fault{Status: status})
		w.step(fmt.Sprintf("RuleS%d", i), detector.Firing)
		w.run(3 * time.Minute)
		w.secrets()
	}
	w.wire.Break(&Fault{})
	w.step("RuleRefused", detector.Firing)
	w.run(time.Minute)
	w.problem()
	w.wire.Break(nil)
	w.want = map[string]string{"RuleRefused": "firing"}
	w.settled(3 * time.Minute)
}
