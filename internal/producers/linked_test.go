package producers

import (
	"fmt"
	"testing"
)

// TestLinked holds that every call and every score that can be linked is, when spans and scores come out of order and the ingest
// stage is started anew in the middle. Prompts stand on a span beside the call; scores are log records on a topic of their own, some
// before their span. Nothing says which trace a link was made for, so wrong links show as counts that differ between prompt versions.
func TestLinked(t *testing.T) {
	const partitions, spread, each = 4, 5, 120
	const traces = spread * spread * each
	r := newRig(t, partitions, route{Name: "otlp_proto", Encoding: "otlp_proto", Keyed: true, Concurrent: true})
	in := newIntake(t, r, r.Routes[0], partitions)
	stop := in.run()

	want := map[cell]tally{}
	for p := range spread {
		for v := range spread {
			want[cell{fmt.Sprintf("gosdk.refund.%d", p), fmt.Sprintf("v18.%d", v)}] = tally{calls: each, scores: each}
		}
	}
	calls := func() (calls, scores int) {
		for _, n := range in.counted {
			calls, scores = calls+n.calls, scores+n.scores
		}
		return calls, scores
	}

	wait := startGoSDK(t, r.GRPC, "-prompt", "gosdk.refund", "-spread", fmt.Sprint(spread), "-traces", fmt.Sprint(traces),
		"-over", "30s", "-disorder", "0.05", "-held", "2s")
	type end struct {
		sent
		err error
	}
	ended := make(chan end, 1)
	go func() { s, err := wait(); ended <- end{s, err} }()
	in.until("third of the calls", func() bool { n, _ := calls(); return n >= traces/3 })
	stop()
	n, _ := calls()
	select {
	case e := <-ended:
		t.Fatalf("the producer had ended when ingest was stopped, so that was not in the middle: %+v", e)
	default:
	}
	t.Logf("ingest is started anew when %d of %d calls were counted, and spans still come", n, traces)
	stop = in.run()

	in.until("end", func() bool { c, s := calls(); return c >= traces && s >= traces })
	s := <-ended
	stop()
	if s.err != nil {
		t.Fatal(s.err)
	}
	c, scores := calls()
	t.Logf("%d spans and %d scores, %d of them held back; needed a link: %v; refused: %v; %d samples repeated", s.Spans, s.Scores, s.Held, in.links(), in.dead(), in.repeated)
	t.Logf("linked %d of %d", c+scores, s.Calls+s.Scores)
	if in.differs(want) {
		t.Errorf("counted\n%v\nwant\n%v", in.counted, want)
	}
}
