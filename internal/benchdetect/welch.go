package main

import (
	"fmt"
	"strings"
)

// The targets.
const (
	fewer = 100 // times fewer false alarms than Welch's test
	later = 1.5 // times its median delay, at most
)

// rivals are held against Welch's test. dearer is how many times more scores each needs than one that knows the mean: the
// difference of two streams is noisier than one of them.
var rivals = []struct {
	name   string
	dearer float64
}{
	{knownMean + told, 1}, {knownMean + toldSafe, 1}, {sealedDay + told, 1},
	{canaryHalf + told, 2}, {canaryHalf + toldSafe, 2}, {canaryTenth + told, 10. / 9}, {canaryTenth + toldSafe, 10. / 9},
}

// outcome of a rival on a stream.
type outcome int

const (
	reached outcome = iota
	missed
	impossible
)

func (o outcome) String() string { return [...]string{"met", "NOT met", "out of reach"}[o] }

func (o outcome) and(p outcome) outcome {
	switch {
	case o == impossible || p == impossible:
		return impossible
	case o == missed || p == missed:
		return missed
	}
	return reached
}

// againstWelch prints how each rival does on each stream, and returns that in short.
func againstWelch(cells []*cell) (claims string) {
	fmt.Printf("\nAgainst Welch 1h/24h on iid scores: at least %d × fewer false alarms, told ones, and at most %g × its median delay for .05 and .13.\n", fewer, later)
	fmt.Println("In brackets what the fewer are at the 95 % bound (met? where that is too low, for too few days), and the delay at 1/30d of one that knows all but the time of the drop,")
	fmt.Println("twice that for a canary of half the traffic, as the difference of two streams is as noisy as that: where it is beyond the target, nothing can meet it.")
	fmt.Println("What spends all of 1/30d gives no more than some 30 × fewer than Welch's 1 a day; a mean that is known, and a canary, spend half of it or more")
	streams := make([][impossible + 1][]string, len(rivals))
	for _, c := range cells {
		w := c.of(plainWelch)
		for i, rival := range rivals {
			l := c.of(rival.name)
			if !contenders[c.index(rival.name)].shown(c) {
				continue
			}
			times, least := float64(w.false)/float64(l.false), float64(w.false)/poissonUpper(l.false)
			all, verdict := reached, "met"
			switch {
			case !(times >= fewer):
				all, verdict = missed, missed.String()
			case least < fewer:
				verdict = "met?"
			}
			fmt.Printf("  %-5s %4g a minute  %-38s %5s × (≥ %4.0f ×) %-8s", c.dist.name(), c.rate, rival.name, ratio(times, 0), least, verdict)
			for d, drop := range drops {
				its := quantile(w.delays[d], 0.5)
				took, best := quantile(l.delays[d], 0.5)/its, rival.dearer*quantile(c.of(limit).delays[d], 0.5)/its
				var o outcome
				switch {
				case best > later:
					o = impossible
				case !(took <= later):
					o = missed
				}
				says := o.String()
				if d == 0 {
					o, says = reached, ""
				}
				all = all.and(o)
				fmt.Printf("  %.2f: %5s × (%4s ×) %-12s", drop, ratio(took, 2), ratio(best, 2), says)
			}
			fmt.Println()
			streams[i][all] = append(streams[i][all], fmt.Sprintf("%s at %g", c.dist.name(), c.rate))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "In short: %d × fewer false alarms than Welch and %g × its delay for .05 and .13, on iid streams", fewer, later)
	for i, rival := range rivals {
		fmt.Fprintf(&b, "\n  %-38s", rival.name)
		for o, on := range streams[i] {
			if len(on) > 0 {
				fmt.Fprintf(&b, "  %s: %s.", outcome(o), strings.Join(on, ", "))
			}
		}
	}
	return b.String()
}
