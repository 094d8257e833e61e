package detector

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/scripts"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// scriptStart is t=0s of every script.
var scriptStart = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

var scriptOptions = windows.Options{Dimensions: []string{"tier", "locale"}}

// TestScripts runs the scripts in testdata, which are blocks of:
//
//	rules                                  and a rule file behind it, up to ----: loads or reloads the rules
//	add t=0s for=10m series=p/v/tier/locale rubric=0.8 latency=1.2 n=20
//	                                       n calls with these values each minute from t on; t counts from the start, + from now;
//	                                       call=no: no calls, but scores that come by themselves; rubric=1,1,0: these in turn;
//	                                       hash=, model=, variant=, environment=: what the calls say beside dimensions
//	dimensions a b                         in place of tier and locale, before all else
//	advance 5m                             lets event time go by
//	restart                                checkpoint, and on in a partition restored from it
//	status                                 where the rules with a budget stand
//	tell observed target rollback          from now on records of these types are shown too, and what steps say of these:
//	                                       types observed and figures; target, rollback and trend of steps and observations
//	----
//	the steps that came of it
func TestScripts(t *testing.T) {
	days := []string{"against_24h", "change_fallback", "drift_previous", "drift_same_hours", "shape_versions", "traffic_share"}
	scripts.Each(t, func(t *testing.T, file *scripts.Script) {
		if name := strings.TrimSuffix(filepath.Base(file.Name), ".txt"); testing.Short() && slices.Contains(days, name) {
			t.Skip("days of traffic, or hundreds of series")
		}
		s := &script{t: t, file: file.Name}
		file.Run(t, s.run)
		s.replay()
	})
}

// operation is what happened to the partition: a batch or new rules.
type operation struct {
	batch []byte
	rules *rules.Set
}

type script struct {
	t    *testing.T
	file string

	dims   []string // nil: those of scriptOptions
	set    *rules.Set
	p      *Partition
	now    time.Duration
	queued []queuedSample
	source int64
	log    stateLog
	ops    []operation
	lines  []string // all records, as JSON
	tell   []string
}

func (s *script) options() windows.Options {
	o := scriptOptions
	if s.dims != nil {
		o.Dimensions = s.dims
	}
	return o
}

type queuedSample struct {
	at     time.Duration
	sample windows.Sample
}

func (s *script) run(b scripts.Block) string {
	s.t.Helper()
	var out strings.Builder
	lines := strings.Split(strings.TrimSuffix(b.Input, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		words := strings.Fields(lines[i])
		fail := func(format string, args ...any) {
			s.t.Helper()
			s.t.Fatalf("%s:%d: %s: %s", s.file, b.Line+i, lines[i], fmt.Sprintf(format, args...))
		}
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		switch words[0] {
		case "rules":
			set, problems := rules.Parse(s.file, []byte(strings.Join(lines[i+1:], "\n")), rules.Options{Dimensions: s.options().Dimensions})
			if err := problems.Err(); err != nil {
				fail("%v", err)
			}
			s.set = set
			s.load(set)
			i = len(lines)
		case "dimensions":
			s.dims = words[1:]
			s.log.options = s.options()
		case "add":
			if err := s.add(words[1:]); err != nil {
				fail("%v", err)
			}
		case "advance":
			d, err := time.ParseDuration(words[1])
			if err != nil {
				fail("%v", err)
			}
			for end := s.now + d; s.now < end; {
				s.now = min(end, s.now+time.Minute)
				for _, r := range s.apply(s.batch()) {
					if r.Type.IsStep() || slices.Contains(s.tell, string(r.Type)) {
						fmt.Fprintln(&out, s.show(&r))
					}
				}
			}
		case "tell":
			s.tell = words[1:]
		case "status":
			out.WriteString(showStatus(s.p.Status()))
		case "restart":
			s.p = s.log.reopen(s.t, s.p, s.set)
		default:
			fail("unknown command")
		}
	}
	return out.String()
}

func (s *script) load(set *rules.Set) {
	s.ops = append(s.ops, operation{rules: set})
	if s.p == nil {
		s.p = NewPartition(PartitionOptions{Windows: s.options(), Rules: set})
		return
	}
	if err := s.p.SetRules(set); err != nil {
		s.t.Fatal(err)
	}
}

func (s *script) add(args []string) error {
	from, length, n := s.now, time.Minute, 1
	var sample windows.Sample
	turns := make(map[string][]float64) // values in turn, by metric
	var axes [4]string
	sample.Mask = windows.MaskCall
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not name=value", arg)
		}
		var err error
		switch name {
		case "t":
			base := time.Duration(0)
			if rest, later := strings.CutPrefix(value, "+"); later {
				base, value = s.now, rest
			}
			from, err = time.ParseDuration(value)
			from += base
		case "for":
			length, err = time.ParseDuration(value)
		case "n":
			n, err = strconv.Atoi(value)
		case "call":
			sample.Mask &^= windows.MaskCall
		case "series":
			dims := len(s.options().Dimensions)
			parts := append(strings.Split(value, "/"), make([]string, dims)...)
			sample.Cell = windows.AppendKey(nil, parts[:2+dims]...)
		case "hash", "model", "variant", "environment":
			axes[slices.Index([]string{"hash", "model", "variant", "environment"}, name)] = value
		default:
			var v float64
			for part := range strings.SplitSeq(value, ",") {
				if v, err = strconv.ParseFloat(part, 64); err != nil {
					return err
				}
				turns[name] = append(turns[name], v)
			}
			if b := slices.Index(windows.BuiltinNames[:], name); b >= 0 {
				sample.Mask |= 1 << b
				sample.Values[b] = v
			} else {
				sample.Scores = append(sample.Scores, windows.Score{Rubric: []byte(name), Value: v})
			}
		}
		if err != nil {
			return err
		}
	}
	sample.Axes = windows.AppendKey(nil, axes[:]...)
	turn := 0
	for m := time.Duration(0); m < length; m += time.Minute {
		for i := range n {
			s.queued = append(s.queued, queuedSample{from + m + time.Minute*time.Duration(i)/time.Duration(n), take(sample, turns, turn)})
			turn++
		}
	}
	return nil
}

// take gives a sample the values whose turn it is.
func take(sample windows.Sample, turns map[string][]float64, turn int) windows.Sample {
	sample.Scores = slices.Clone(sample.Scores)
	for name, values := range turns {
		v := values[turn%len(values)]
		if b := slices.Index(windows.BuiltinNames[:], name); b >= 0 {
			sample.Values[b] = v
			continue
		}
		for i := range sample.Scores {
			if string(sample.Scores[i].Rubric) == name {
				sample.Scores[i].Value = v
			}
		}
	}
	return sample
}

// batch encodes the queued samples of before now, with now as the watermark.
func (s *script) batch() []byte {
	slices.SortStableFunc(s.queued, func(a, b queuedSample) int { return int(a.at - b.at) })
	e := windows.NewEncoder()
	for len(s.queued) > 0 && s.queued[0].at < s.now {
		q := s.queued[0]
		s.queued = s.queued[1:]
		q.sample.Offset, q.sample.Time = s.source, scriptStart.Add(q.at).UnixNano()
		q.sample.Mask |= windows.MaskTrace
		q.sample.TraceID[15] = byte(s.source)
		s.source++
		e.Add(&q.sample)
	}
	now := scriptStart.Add(s.now).UnixNano()
	return e.AppendBatch(nil, &windows.Header{
		Source: windows.Source{Topic: "spans"}, Clock: now, Watermark: now, Dimensions: s.options().Dimensions,
	})
}

func (s *script) apply(raw []byte) []Record {
	s.ops = append(s.ops, operation{batch: raw})
	steps := applyRaw(s.t, s.p, raw)
	s.lines = append(s.lines, encoded(s.t, steps)...)
	return steps
}

func applyRaw(t testing.TB, p *Partition, raw []byte) []Record {
	t.Helper()
	var b windows.Batch
	if err := b.Decode(raw); err != nil {
		t.Fatal(err)
	}
	return p.Apply(&b)
}

func encoded(t testing.TB, steps []Record) (lines []string) {
	t.Helper()
	for i := range steps {
		line, err := json.Marshal(&steps[i])
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	return lines
}

// stateLog is a state partition in memory.
type stateLog struct {
	records [][]byte
	options windows.Options // of the partition; those of scripts where it has no dimensions

	partitions int // as PartitionOptions
}

func (l *stateLog) write(records [][]byte) (offsets []int64, err error) {
	for _, r := range records {
		offsets = append(offsets, int64(len(l.records)))
		l.records = append(l.records, slices.Clone(r))
	}
	return offsets, nil
}

func (l *stateLog) read(offsets []int64, each func([]byte) error) error {
	for _, o := range offsets {
		if err := each(l.records[o]); err != nil {
			return err
		}
	}
	return nil
}

// reopen makes a checkpoint of p and returns the partition that comes of it.
func (l *stateLog) reopen(t testing.TB, p *Partition, set *rules.Set) *Partition {
	t.Helper()
	if err := p.Checkpoint(77, l.write); err != nil {
		t.Fatal(err)
	}
	f := windows.NewFinder()
	cp, ok := f.Best()
	for _, r := range slices.Backward(l.records) {
		f.Add(r)
		if cp, ok = f.Best(); ok {
			break
		}
	}
	if !ok {
		t.Fatal("no checkpoint found")
	}
	o := l.options
	if o.Dimensions == nil {
		o = scriptOptions
	}
	p, offset, err := RestorePartition(PartitionOptions{Windows: o, Rules: set, Partitions: l.partitions}, cp, l.read)
	if err != nil {
		t.Fatal(err)
	}
	if offset != 77 {
		t.Fatalf("restored offset %d, want 77", offset)
	}
	return p
}

// replay holds that a partition that is restarted before each batch gives the same records, byte for byte. In a script of a day
// and more it is before each seventh: so every minute of an hour has its turn all the same. With -short it is seldom.
func (s *script) replay() {
	s.t.Helper()
	var p *Partition
	var set *rules.Set
	var got []string
	log := stateLog{options: s.options()}
	every := 1
	if len(s.ops) > 1000 {
		every = 7
	}
	if testing.Short() && len(s.ops) > 70 {
		every = 41
	}
	for i, op := range s.ops {
		switch {
		case op.rules != nil && p == nil:
			set = op.rules
			p = NewPartition(PartitionOptions{Windows: s.options(), Rules: set})
		case op.rules != nil:
			set = op.rules
			if err := p.SetRules(set); err != nil {
				s.t.Fatal(err)
			}
		default:
			if i%every == 0 {
				p = log.reopen(s.t, p, set)
			}
			got = append(got, encoded(s.t, applyRaw(s.t, p, op.batch))...)
		}
	}
	if !slices.Equal(got, s.lines) {
		s.t.Errorf("restarted before each batch: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(s.lines, "\n"))
	}
}

func (s *script) show(r *Record) string {
	var b strings.Builder
	if r.Type == DayFigures {
		fmt.Fprintf(&b, "%s figures %s step=%d calls=%d", clock(r.Time), r.Prompt, r.Step, r.Samples)
		for i := range r.Figures {
			line, err := json.Marshal(&r.Figures[i])
			if err != nil {
				s.t.Fatal(err)
			}
			fmt.Fprintf(&b, "\n  %s", line)
		}
		return b.String()
	}
	fmt.Fprintf(&b, "%s %s %s %s", clock(r.Time), r.Type, r.Rule, r.Prompt)
	if r.Version != "" {
		fmt.Fprintf(&b, "/%s", r.Version)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Cohort)) {
		fmt.Fprintf(&b, " %s=%s", name, r.Cohort[name])
	}
	fmt.Fprintf(&b, " step=%d", r.Step)
	for _, f := range []struct {
		name string
		v    *float64
	}{{"value", r.Value}, {"reference", r.Reference}, {"bound", r.Bound}} {
		if f.v != nil {
			fmt.Fprintf(&b, " %s=%.4g", f.name, *f.v)
		}
	}
	if len(r.Interval) == 2 {
		fmt.Fprintf(&b, " interval=%.4g..%.4g", r.Interval[0], r.Interval[1])
	}
	fmt.Fprintf(&b, " samples=%d onset=%s", r.Samples, clock(*r.Onset))
	if r.Share != nil {
		fmt.Fprintf(&b, " share=%.4g", *r.Share)
	}
	if t := r.Target; t != nil && slices.Contains(s.tell, "target") {
		fmt.Fprintf(&b, " target=%s,calls=%d,templates=%d,samples=%d", t.Version, t.Calls, t.Templates, t.Samples)
		if t.Last != nil {
			fmt.Fprintf(&b, ",last=%s", clock(*t.Last))
		}
		if t.Value != nil {
			fmt.Fprintf(&b, ",value=%.4g", *t.Value)
		}
	}
	if r.Trend != nil && slices.Contains(s.tell, "trend") {
		fmt.Fprintf(&b, " trend=%s,%d×%s", clock(r.Trend.From), len(r.Trend.Values), r.Trend.Every)
		for _, values := range [][]*float64{r.Trend.Values, r.Trend.Previous} {
			b.WriteString("\n ")
			for _, v := range values {
				if v == nil {
					b.WriteString(" -")
				} else {
					fmt.Fprintf(&b, " %g", *v)
				}
			}
		}
		b.WriteString("\n ")
	}
	if slices.Contains(s.tell, "rollback") && r.Rollback != "" {
		fmt.Fprintf(&b, " rollback=%s", r.Rollback)
		if r.AutoFrom != nil {
			fmt.Fprintf(&b, ",auto_from=%s", clock(*r.AutoFrom))
		}
	}
	if w := r.Against; w != nil {
		if name := w.Version + w.Variant + w.Environment; name != "" {
			fmt.Fprintf(&b, " against=%s", name)
		}
		if w.Sealed != nil {
			fmt.Fprintf(&b, " sealed=%s,%d", clock(*w.Sealed), w.Samples)
		}
	}
	if r.Reason != "" {
		fmt.Fprintf(&b, " (%s)", r.Reason)
	}
	if r.Rubric != "" {
		fmt.Fprintf(&b, " rubric=%s", r.Rubric)
	}
	if r.Kind == "change" || r.Kind == "traffic_share" {
		for _, c := range r.Changed {
			fmt.Fprintf(&b, " %s:%s→%s@%s", c.Axis, c.From, c.To, clock(c.Time))
		}
	}
	if text := r.Annotations["summary"]; text != "" {
		fmt.Fprintf(&b, " %q", text)
	}
	return b.String()
}

// clock is event time since the script's start.
func clock(t time.Time) string { return rules.Duration(t.Sub(scriptStart)).String() }
