package slack

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeslack"
)

// digestWorld is a digest at a time of day on a topic in memory. It runs on synctest's clock, which begins at midnight UTC of
// 1 January 2000, moved to another time.
type digestWorld struct {
	*testing.T
	slack  *fakeslack.Server
	topic  *alert.Memory
	zone   *time.Location
	moved  time.Duration
	worker *alert.MemoryWorker

	hour, minute int
}

func newDigestWorld(t *testing.T, begin string, hour, minute int) *digestWorld {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", begin, zone)
	if err != nil {
		t.Fatal(err)
	}
	w := &digestWorld{T: t, topic: alert.NewMemory(4), zone: zone, moved: time.Until(at), hour: hour, minute: minute}
	w.slack = fakeslack.New(fakeslack.Config{Token: token, Channels: map[string]string{"llm-alerts": "C012"}, RateLimit: true, Now: time.Now})
	return w
}

func (w *digestWorld) now() time.Time { return time.Now().Add(w.moved) }

func (w *digestWorld) start() {
	d := NewDigest(DigestConfig{
		Slack: Config{Name: "ops", Token: token, Channel: "#llm-alerts", APIURL: "https://slack.test/api/", Transport: direct{w.slack}, Now: time.Now},
		Hour:  w.hour, Minute: w.minute, Zone: w.zone, Now: w.now, Partition: func(string) int { return 2 }, Log: slog.New(slog.DiscardHandler),
	})
	w.worker = w.topic.Start(w.Context(), d)
}

// until lets time pass.
func (w *digestWorld) until(at string) {
	w.Helper()
	t, err := time.ParseInLocation("2006-01-02 15:04", at, w.zone)
	if err != nil {
		w.Fatal(err)
	}
	time.Sleep(t.Sub(w.now())) // synctest's clock
	synctest.Wait()
}

func (w *digestWorld) posted() int { return len(w.slack.Messages()) }

func (w *digestWorld) want(n int) {
	w.Helper()
	if got := w.posted(); got != n {
		w.Errorf("at %s: %d digests, want %d; calls %s", w.now().In(w.zone).Format("2 Jan 15:04"), got, n, w.slack.Calls())
	}
}

// had is a record that says that there was a digest on that day.
func (w *digestWorld) had(day string) {
	err := w.topic.Add(2, detector.Record{ID: "digest-ops-" + day, Step: 1, Type: detector.Notified, Time: w.now(), Receiver: "ops", Reason: "digest 1 of 1", Ref: "C012:1.1"})
	if err != nil {
		w.Fatal(err)
	}
}

func TestDigestOnceADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDigestWorld(t, "2026-11-20 15:00", 9, 0)
		w.start()
		w.until("2026-11-20 23:00")
		w.want(0) // a new config posts none at once
		w.until("2026-11-21 08:59")
		w.want(0)
		w.until("2026-11-21 09:01")
		w.want(1)
		w.worker.Stop()
		w.start()
		w.until("2026-11-21 23:00")
		w.want(1)
		w.worker.Stop() // down at the time: posted late
		w.until("2026-11-22 11:00")
		w.start()
		w.until("2026-11-22 11:01")
		w.want(2)
		w.until("2026-11-23 09:01")
		w.want(3)
		w.worker.Stop()
	})
}

// The hour that exists twice in autumn has one digest, the one that does not exist in spring has one too.
func TestDigestAndSummerTime(t *testing.T) {
	for _, day := range []string{"2026-10-25", "2026-03-29"} {
		synctest.Test(t, func(t *testing.T) {
			w := newDigestWorld(t, day+" 00:30", 2, 30)
			w.had("2026-01-01")
			w.start()
			for range 8 {
				time.Sleep(30 * time.Minute) // synctest's clock
				w.worker.Stop()
				w.start()
			}
			synctest.Wait()
			w.want(1)
			w.worker.Stop()
		})
	}
}

// Just after midnight UTC the figures of the day are waited for.
func TestDigestWaitsForFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDigestWorld(t, "2026-11-21 00:30", 1, 0) // 00:00 UTC
		w.had("2026-11-20")
		w.start()
		w.until("2026-11-21 01:29")
		w.want(0)
		w.until("2026-11-21 01:31")
		w.want(1)
		w.worker.Stop()
	})
}

// A digest that cannot be posted is tried again, and says why; one in several messages goes on where it was.
func TestDigestGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDigestWorld(t, "2026-11-21 08:00", 9, 0)
		w.had("2026-11-20")
		for i := range 100 {
			if err := w.topic.Add(i%4, dayOf(fmt.Sprintf("prompt_%02d", i), 1000-int64(i))); err != nil {
				t.Fatal(err)
			}
		}
		posts := 0
		w.topic.Appended = func(int, []detector.Record) {
			if posts++; posts == 2 { // killed between two messages
				w.worker.Cut()
				w.slack.Archive("C012", true)
			}
		}
		w.slack.Archive("C012", true)
		w.start()
		w.until("2026-11-21 09:30")
		w.want(0)
		if p := w.worker.State().Problem; p != "the digest could not be posted: is_archived (unarchive the channel, or set channel to another)" {
			t.Errorf("problem %q", p)
		}
		w.slack.Archive("C012", false)
		w.until("2026-11-21 09:40")
		w.worker.Stop()
		w.topic.Appended = nil
		w.slack.Archive("C012", false)
		w.start()
		w.until("2026-11-21 09:50")
		w.want(1)
		if p := w.worker.State().Problem; p != "" {
			t.Errorf("problem %q", p)
		}
		first := w.slack.Messages()[0]
		all := string(first.Blocks)
		replies := w.slack.Replies(first.TS)
		for _, m := range replies {
			all += string(m.Blocks)
		}
		for i := range 100 {
			if name := fmt.Sprintf("*prompt_%02d*", i); strings.Count(all, name) != 1 {
				t.Errorf("%s is told %d times", name, strings.Count(all, name))
			}
		}
		if len(replies) < 3 {
			t.Errorf("%d replies", len(replies))
		}
		w.worker.Stop()
	})
}

// dayOf are figures of 20 November 2026.
func dayOf(prompt string, calls int64) detector.Record {
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	return detector.Record{
		ID: "f" + prompt, Step: int(day.Unix() / 86400), Type: detector.DayFigures, Time: day.AddDate(0, 0, 1), Prompt: prompt, Samples: calls,
		Figures: []detector.Figures{
			{Version: "v22", Calls: calls, P50: ptr(0.412), P95: ptr(1.834), Cost: ptr(41.3), Errors: ptr(0.0031),
				Scores: map[string]detector.Scored{"citation_grounding": {Mean: 0.912, N: calls / 2}, "helpfulness": {Mean: 4.21, N: calls / 10}}},
			{Version: "v23", Calls: calls / 10, P50: ptr(0.398), P95: ptr(1.7), Cost: ptr(3.9), Errors: ptr(0.0),
				Scores: map[string]detector.Scored{"citation_grounding": {Mean: 0.781, N: calls / 20}}},
		},
	}
}

// An incoming webhook has no threads: each part of a digest is a message.
func TestDigestByWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		d := NewDigest(DigestConfig{Slack: Config{Name: "ops", WebhookURL: hookURL, Transport: direct{s}, Now: time.Now}})
		for _, m := range renderDigest(&today{from: t0.Truncate(24 * time.Hour), prompts: []*promptDay{{name: "p", figures: dayOf("p", 10).Figures}}}) {
			if ref, err := d.poster.digest(t.Context(), m, ""); err != nil || ref != "" {
				t.Error(ref, err)
			}
		}
		if ms := s.Messages(); len(ms) != 1 || !strings.Contains(string(ms[0].Blocks), "latency p95") {
			t.Errorf("messages %+v", ms)
		}
	})
}

func TestDigestText(t *testing.T) {
	d := &Digest{cfg: DigestConfig{Slack: Config{Name: "ops"}, Now: func() time.Time { return t0.Add(18 * time.Hour) }, Zone: time.UTC}, parts: map[int]*digestPart{}}
	d.Begin(0, -1)
	g := grounding()
	over := member(g, resolved(72*time.Minute, 0.9)).Record
	other := g
	other.ID, other.Cohort, other.Time = "77", nil, t0.Add(time.Hour)
	for _, r := range []detector.Record{
		dayOf(g.Prompt, 48213), dayOf("refund_writer", 912), g, g, over, other, act(detector.RollbackPromoted, 12*time.Minute), act(detector.RollbackPromoted, 12*time.Minute),
	} {
		d.Fold(0, alert.Entry{Record: r})
	}
	ms := renderDigest(d.day(t0.Add(18 * time.Hour)))
	if len(ms) != 1 {
		t.Fatalf("%d messages", len(ms))
	}
	golden(t, "digest.golden", ms[0].Text+"\n\n"+DrawText(ms[0], 73))
	empty := renderDigest(&today{from: t0.Truncate(24 * time.Hour)})
	golden(t, "digest_empty.golden", DrawText(empty[0], 73))
}
