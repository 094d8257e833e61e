package hooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/detector"
)

// Log is the alerts topic.
type Log interface {
	// Append writes r into its partition and says where it is. After an error it may have been written or not.
	Append(ctx context.Context, r detector.Record) (partition int, offset int64, err error)
	// End returns the partition of a prompt and where it ends now: all that it has is below. An empty one ends at 0.
	End(ctx context.Context, prompt string) (partition int, offset int64, err error)
}

// Config is what an Intake needs.
type Config struct {
	Book *Book
	Log  Log
	// Spoken returns the versions of a prompt as they were seen on spans: a version is written down by the name that people know.
	Spoken  func(prompt string) []string
	Now     func() time.Time // clock of the records
	Metrics *metrics.Set
	Logger  *slog.Logger
}

// Intake takes what was heard of promotions.
type Intake struct {
	cfg  Config
	turn chan struct{} // one at a time: what one writes the next must know
}

// New returns an intake.
func New(cfg Config) *Intake {
	in := &Intake{cfg: cfg, turn: make(chan struct{}, 1)}
	for _, metric := range []string{metricHooks, metricLooks} { // shown before there is anything to count
		cfg.Metrics.GetOrCreateCounter(fmt.Sprintf(`%s{result=%q}`, metric, told))
	}
	return in
}

// result is what became of something heard. The set is closed.
type result string

const (
	told    result = "told"    // written down
	known   result = "known"   // the label points there already
	own     result = "own"     // driftd's own promotion
	late    result = "late"    // the label has moved on since
	ignored result = "ignored" // nothing about the label
	unsure  result = "unsure"  // the label was moved while it was looked at: the next look tells
	failed  result = "failed"
)

// errNotReady says that the alerts topic has not been read, so that nobody can tell what is news.
var errNotReady = errors.New("the alerts topic has not been read yet")

// readWithin is how long to wait until what stands in the topic has been read.
const readWithin = 3 * time.Second

// heard is a promotion as someone tells of it.
type heard struct {
	prompt  string
	version registry.Version
	author  string
	at      time.Time
	looked  bool // by a look at the registry: it is so now, since when is not known
	changes int  // of a look: the label's changes before it
}

// take writes down what is news.
func (in *Intake) take(ctx context.Context, h heard) (result, error) {
	select {
	case in.turn <- struct{}{}:
		defer func() { <-in.turn }()
	case <-ctx.Done():
		return failed, ctx.Err()
	}
	if !in.cfg.Book.progress.Ready() {
		return failed, errNotReady
	}
	// What driftd promotes is written down before the registry is asked. So whatever the registry tells of it is older than
	// the end of the topic now.
	part, end, err := in.cfg.Log.End(ctx, h.prompt)
	if err != nil {
		return failed, fmt.Errorf("look where the alerts topic ends: %w", err)
	}
	read, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	if err := in.cfg.Book.progress.Wait(read, part, end); err != nil {
		return failed, errNotReady
	}
	l, now := in.cfg.Book.label(h.prompt), in.cfg.Now().UTC()
	switch {
	case h.looked && l.changes != h.changes:
		return unsure, nil
	case l.version != "" && h.version.Is(l.version):
		return known, nil
	case l.ours(h.version, now):
		return own, nil
	case h.looked && l.version == "":
		in.cfg.Book.look(part, h.prompt, in.spoken(h.prompt, h.version))
		return known, nil
	case !h.looked && !h.at.IsZero() && h.at.Before(l.at):
		return late, nil
	case h.at.IsZero() || h.at.After(now) || h.at.Before(l.at):
		h.at = now // it does not say, or its clock is another
	}
	r := in.record(h, l.version)
	n, offset, err := in.cfg.Log.Append(ctx, r)
	if err != nil {
		return failed, fmt.Errorf("write down a promotion of %q: %w", h.prompt, err)
	}
	in.cfg.Logger.Info("someone has promoted a version", "prompt", r.Prompt, "version", r.Version, "previous", r.Previous, "actor", r.Actor, "time", r.Time)
	read, cancel = context.WithTimeout(ctx, readWithin)
	defer cancel()
	_ = in.cfg.Book.progress.Wait(read, n, offset+1) // it stands in the topic; the next who takes something waits for it in any case
	return told, nil
}

// record is how a promotion stands in the alerts topic. Its ID is made from what it says, so that the same heard twice, here and in
// another process, is the same.
func (in *Intake) record(h heard, previous string) detector.Record {
	at, version, actor := h.at.UTC(), in.spoken(h.prompt, h.version), name(h.author)
	switch {
	case actor == "" || strings.EqualFold(actor, "driftd"): // which would be taken for us
		actor = "registry"
	case spoofs(actor): // and this for somebody whom we have asked who they are
		actor = "registry: " + actor
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %s", h.prompt, version, at.Format(time.RFC3339Nano)))
	return detector.Record{
		ID: hex.EncodeToString(sum[:16]), Step: 1, Type: detector.RegistryPromoted, Time: at,
		Prompt: h.prompt, Version: version, Previous: previous, Actor: actor,
	}
}

// spoken is the name of a version on spans.
func (in *Intake) spoken(prompt string, v registry.Version) string {
	for _, s := range in.cfg.Spoken(prompt) {
		if v.Is(s) {
			return s
		}
	}
	return v.String()
}

// spoofs says whether a name is one of those that driftd gives to who comes to it: slack:…, token:…, local.
func spoofs(actor string) bool {
	s := strings.ToLower(actor)
	return strings.HasPrefix(s, "slack:") || strings.HasPrefix(s, "token:") || s == "local" || strings.HasPrefix(s, "local ")
}

// name makes an author's name fit to be shown: one line of at most 100 characters.
func name(author string) string {
	s := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(author, ""), func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }), " ")
	if r := []rune(s); len(r) > 100 {
		s = string(r[:99]) + "…"
	}
	return s
}

func (in *Intake) count(metric string, r result) {
	in.cfg.Metrics.GetOrCreateCounter(fmt.Sprintf(`%s{result=%q}`, metric, r)).Inc()
}
