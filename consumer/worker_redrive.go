package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/windows"
)

// RedriveOptions say which dead letters are offered again.
type RedriveOptions struct {
	Reasons []Reason  // none: whatever they died of
	Since   time.Time // of the letters; zero: all that are there
	Do      bool      // offer them; else only say what would become of them
	// Progress, where set, is told what is going on, and how much of it is done.
	Progress func(doing string, done, all int64)
}

// RedriveReport says what became of dead letters, or would.
type RedriveReport struct {
	Rows []RedriveRow // by topic and reason
	Done bool
}

// RedriveRow is the letters of one source topic that died of one reason.
type RedriveRow struct {
	Topic, Reason string
	Letters       int
	Events        [NumOutcomes]int // in them; a letter that cannot be read counts as one
}

// Total adds the rows up.
func (r *RedriveReport) Total() (sum RedriveRow) {
	for i := range r.Rows {
		sum.Letters += r.Rows[i].Letters
		for o, n := range r.Rows[i].Events {
			sum.Events[o] += n
		}
	}
	return sum
}

const (
	// redriveMemory is how much of Linking.Memory the linking of redrive may take: it knows all partitions, ingest's workers share them.
	redriveMemory = 4
	// redriveTail is how many records at the end of a samples partition are asked for the time.
	redriveTail = 64
)

// offerBatch bounds the events of one produce. A variable for tests alone.
var offerBatch = 500

// redriving is one run of Redrive.
type redriving struct {
	*redriver
	cfg         Config
	o           RedriveOptions
	dead, again string // topics
	samples     string
	start, end  int64 // of the dead letters
	topics      map[string]kafkalog.Topic
	rows        map[[2]string]*RedriveRow
	out         []kafkalog.Message
	outRows     []*RedriveRow // of each
	outBytes    int
	budget      int // bytes that linking may take
}

// Redrive reads the dead letters and says which of their events would count now: what was wrong with them is right by now, or
// the span is found that a score belongs to, in whichever partition it stands. With o.Do it writes those to the topic
// of cfg.Sources that is marked Again, where ingest counts each once; so it may be killed, run again, and run twice at the same
// time. Of cfg it needs Client, Now, Sources, Encodings, Dimensions, Lists, Scales, Linking, TopicPrefix, Group and Disorder. After an
// error the report says what was offered before.
func Redrive(ctx context.Context, cfg Config, o RedriveOptions) (*RedriveReport, error) {
	if cfg.TopicPrefix == "" {
		cfg.TopicPrefix = "driftd."
	}
	if cfg.Group == "" {
		cfg.Group = "driftd-ingest"
	}
	r := &redriving{
		cfg: cfg, o: o, dead: cfg.TopicPrefix + "dead", samples: cfg.TopicPrefix + "samples", rows: make(map[[2]string]*RedriveRow),
		budget: int(redriveMemory * cfg.Linking.Memory),
	}
	if r.o.Progress == nil {
		r.o.Progress = func(string, int64, int64) {}
	}
	if err := r.prepare(); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{r.look, r.readOffered, r.readWatermark, r.readCommitted, r.readLetters, r.readSamples, r.readSpans, r.offer} {
		if err := step(ctx); err != nil {
			return r.report(), err
		}
	}
	return r.report(), nil
}

// prepare makes the decoders.
func (r *redriving) prepare() error {
	for _, s := range r.cfg.Sources {
		attrs, err := NewAttributes(AttributeOptions{Preset: s.Preset, Dimensions: r.cfg.Dimensions, Lists: r.cfg.Lists})
		if err != nil {
			return fmt.Errorf("read topic %s: %w", s.Topic, err)
		}
		format, ok := r.cfg.Encodings[s.Encoding]
		if !ok {
			return fmt.Errorf("read topic %s: unknown encoding %q", s.Topic, s.Encoding)
		}
		if s.Again {
			r.again = s.Topic
			r.redriver = newRedriver(format.New(attrs), attrs.Dimensions(), r.cfg.Scales, r.cfg.Linking.Horizon > 0, r.cfg.Now().UnixNano())
		}
	}
	if r.redriver == nil {
		return errors.New("redrive: no source is marked for events that are offered again")
	}
	for _, s := range r.cfg.Sources {
		attrs, err := NewAttributes(AttributeOptions{Preset: s.Preset, Dimensions: r.cfg.Dimensions, Lists: r.cfg.Lists})
		if err != nil {
			return fmt.Errorf("read topic %s: %w", s.Topic, err)
		}
		r.sources[s.Topic] = &letterSource{decoder: r.cfg.Encodings[s.Encoding].New(attrs), unwrap: s.Unwrap}
	}
	return nil
}

// look finds the topics.
func (r *redriving) look(ctx context.Context) (err error) {
	names := []string{r.dead, r.samples}
	for _, s := range r.cfg.Sources {
		names = append(names, s.Topic)
	}
	err = r.try(ctx, func() error {
		r.topics, err = r.cfg.Client.Topics(ctx, names...)
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range []string{r.dead, r.samples, r.again} {
		if r.topics[name].Partitions == 0 {
			return fmt.Errorf("look up topic %s: it is not there; driftd run makes it", name)
		}
	}
	r.start, r.end, err = r.bounds(ctx, r.dead, 0)
	if err == nil && !r.o.Since.IsZero() {
		r.start, err = r.offsetAt(ctx, r.dead, 0, r.o.Since)
	}
	return err
}

// readOffered reads what was offered before.
func (r *redriving) readOffered(ctx context.Context) error {
	return r.scanAll(ctx, "reading what was offered before", r.again, func(rec *Record) error {
		r.offered.first(rec)
		return nil
	})
}

// readWatermark finds out how far detect is: it keeps nothing that is a day behind.
func (r *redriving) readWatermark(ctx context.Context) error {
	newest := int64(0)
	var b windows.Batch
	for p := range r.topics[r.samples].Partitions {
		first, next, err := r.bounds(ctx, r.samples, p)
		if err != nil {
			return err
		}
		err = r.scan(ctx, "", r.samples, p, max(first, next-redriveTail), next, func(rec *Record) error {
			if b.Decode(rec.Value) == nil {
				newest = max(newest, b.Watermark)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if newest > 0 {
		r.oldest = newest - int64(keptFor)
	}
	return nil
}

// readCommitted finds out what ingest is done with. It comes before the samples are read: what is committed by now stands in them.
func (r *redriving) readCommitted(ctx context.Context) error {
	for _, s := range r.cfg.Sources {
		topic := r.topics[s.Topic]
		for p := range topic.Partitions {
			err := r.try(ctx, func() error {
				offset, metadata, err := r.cfg.Client.Committed(ctx, r.cfg.Group, s.Topic, p)
				if err != nil {
					return err
				}
				at, _, ours := parseMetadata(metadata)
				if !ours || at.topic != topic.ID {
					at, offset = lineage{topic: topic.ID}, max(offset, 0)
					if ours {
						offset = 0 // of a topic of this name that was deleted
					}
				}
				r.settled[windows.Source{Topic: s.Topic, Partition: int32(p), Incarnation: at.incarnation()}] = offset
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// letters reads the dead letters; chosen tells whether a letter is one of those that were asked for.
func (r *redriving) letters(ctx context.Context, doing string, each func(l *deadLetter, chosen bool) error) error {
	return r.scan(ctx, doing, r.dead, 0, r.start, r.end, func(rec *Record) error {
		l := parseLetter(rec)
		return each(&l, len(r.o.Reasons) == 0 || slices.Contains(r.o.Reasons, l.reason))
	})
}

func (r *redriving) readLetters(ctx context.Context) error {
	return r.letters(ctx, "reading dead letters", func(l *deadLetter, chosen bool) error {
		if chosen {
			r.survey(l)
		}
		return r.fits()
	})
}

// readSamples finds out which of the events were counted nevertheless. A sample is never older than its event, but for what the
// clocks may differ by.
func (r *redriving) readSamples(ctx context.Context) error {
	if len(r.wanted) == 0 {
		return nil
	}
	since := time.Unix(0, r.first-ahead-int64(time.Minute))
	var b windows.Batch
	for p := range r.topics[r.samples].Partitions {
		from, err := r.offsetAt(ctx, r.samples, p, since)
		if err != nil {
			return err
		}
		_, next, err := r.bounds(ctx, r.samples, p)
		if err != nil {
			return err
		}
		err = r.scan(ctx, "reading samples", r.samples, p, from, next, func(rec *Record) error {
			if b.Decode(rec.Value) == nil { // detect buries the others
				r.sampled(&b)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readSpans reads all that the unlinked events may belong to.
func (r *redriving) readSpans(ctx context.Context) error {
	if r.links == nil || r.askedFirst > r.askedLast {
		return nil
	}
	if len(r.links.ids) > 0 {
		if err := r.readSources(ctx, "looking for responses", false); err != nil {
			return err
		}
	}
	return r.readSources(ctx, "looking for spans", true)
}

func (r *redriving) readSources(ctx context.Context, doing string, spans bool) error {
	learn := func(e *Event) { r.learn(e, spans) }
	from := time.Unix(0, r.askedFirst).Add(-r.cfg.Linking.Horizon - r.cfg.Linking.Wait - r.cfg.Disorder)
	to := time.Unix(0, r.askedLast).Add(r.cfg.Linking.Horizon)
	for _, s := range r.cfg.Sources {
		src := r.sources[s.Topic]
		for p := range r.topics[s.Topic].Partitions {
			if s.Again {
				break
			}
			first, err := r.offsetAt(ctx, s.Topic, p, from)
			if err != nil {
				return err
			}
			last, err := r.offsetAt(ctx, s.Topic, p, to)
			if err != nil {
				return err
			}
			err = r.scan(ctx, doing+" in "+s.Topic, s.Topic, p, first, last, func(rec *Record) error {
				value, err := rec.Value, error(nil)
				if src.unwrap != nil {
					value, err = src.unwrap(rec)
				}
				if err == nil && len(value) > 0 {
					src.decoder.Decode(value, learn) // what cannot be read has a letter
				}
				return r.fits()
			})
			if err != nil {
				return err
			}
		}
	}
	return r.letters(ctx, doing+" in "+r.dead, func(l *deadLetter, _ bool) error {
		r.open(l, func(e *Event, _ windows.Position) { learn(e) })
		return r.fits()
	})
}

// fits is an error when linking takes more memory than it may.
func (r *redriving) fits() error {
	if r.links != nil && r.links.size() > r.budget {
		return fmt.Errorf("link dead letters: the traces that they name take more than %d times linking.memory (%d MiB): raise it, or offer "+
			"fewer letters at a time, by reason or by their age", redriveMemory, r.cfg.Linking.Memory>>20)
	}
	return nil
}

// offer decides on each letter, and writes what can be offered when it is to.
func (r *redriving) offer(ctx context.Context) error {
	doing := "looking what would count"
	if r.o.Do {
		doing = "offering"
	}
	err := r.letters(ctx, doing, func(l *deadLetter, chosen bool) (err error) {
		if !chosen {
			return nil
		}
		key := [2]string{l.source.Topic, l.says}
		row := r.rows[key]
		if row == nil {
			row = &RedriveRow{Topic: key[0], Reason: key[1]}
			r.rows[key] = row
		}
		row.Letters++
		r.judge(l, func(o Outcome, again *offering) {
			if o != Offerable || !r.o.Do {
				row.Events[o]++
				return
			}
			r.out = append(r.out, kafkalog.Message{
				Topic: r.again, Value: again.value, Headers: []kafkalog.Header{{Key: headerDead, Value: slices.Clone(again.name)}},
			})
			r.outRows, r.outBytes = append(r.outRows, row), r.outBytes+len(again.value)+len(again.name)
		})
		if len(r.out) < offerBatch && r.outBytes < roundBytes {
			return nil
		}
		err = r.write(ctx)
		r.o.Progress(doing, l.record.Offset-r.start, r.end-r.start)
		return err
	})
	if err != nil {
		return err
	}
	return r.write(ctx)
}

// write writes what is to be offered, perhaps more than once.
func (r *redriving) write(ctx context.Context) error {
	if len(r.out) == 0 {
		return nil
	}
	err := r.try(ctx, func() error {
		_, err := r.cfg.Client.Produce(ctx, r.out)
		return err
	})
	if err != nil {
		return fmt.Errorf("offer events again: %w", err)
	}
	for _, row := range r.outRows {
		row.Events[Offerable]++
	}
	r.out, r.outRows, r.outBytes = r.out[:0], r.outRows[:0], 0
	return nil
}

// report says what became of the letters so far. What was not written is in no count.
func (r *redriving) report() *RedriveReport {
	out := &RedriveReport{Done: r.o.Do}
	for _, row := range r.rows {
		out.Rows = append(out.Rows, *row)
	}
	slices.SortFunc(out.Rows, func(a, b RedriveRow) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), strings.Compare(a.Reason, b.Reason))
	})
	return out
}
