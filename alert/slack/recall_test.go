package slack

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeslack"
)

// doubted is a notification of which nobody knows whether it was told.
func doubted(n *alert.Notification) *alert.Notification {
	out := *n
	out.Doubt = time.Now()
	return &out
}

// A worker that was killed after Slack had taken a message, and before it could write that down, leaves one message behind: the next
// finds it and brings it up to date. So it is with a reply in its thread.
func TestKilledBeforeTheRecord(t *testing.T) {
	for _, channel := range []string{"#llm-alerts", "C012"} {
		synctest.Test(t, func(t *testing.T) {
			s := newFake()
			bot := func() alert.Receiver { return newBot(s, func(c *Config) { c.Channel = channel }) }
			g := grounding()
			if _, err := bot().Deliver(t.Context(), news1(firing(g), g)); err != nil {
				t.Fatal(err)
			}
			ack := act(detector.Acknowledged, time.Minute, by(jane, ""))
			n := doubted(news1(firing(g), g, ack))
			var ref string
			for range 3 {
				var err error
				if ref, err = bot().Deliver(t.Context(), n); err != nil {
					t.Fatal(err)
				}
			}
			ms := s.Messages()
			if len(ms) != 1 || ref != "C012:"+ms[0].TS || ms[0].Text != Render(n, view).Text {
				t.Fatalf("ref %s, %d messages, calls %s", ref, len(ms), s.Calls())
			}
			if rs := s.Replies(ms[0].TS); len(rs) != 1 || !strings.Contains(rs[0].Text, "jane") {
				t.Errorf("replies %v", rs)
			}
			// What came since is told, once.
			n = doubted(news1(firing(g), g, ack, act(detector.RollbackRejected, 2*time.Minute, by(jane, ""))))
			n.Ref = ref
			for range 2 {
				if _, err := bot().Deliver(t.Context(), n); err != nil {
					t.Fatal(err)
				}
			}
			if rs := s.Replies(ms[0].TS); len(s.Messages()) != 1 || len(rs) != 2 || strings.Contains(rs[1].Text, "took") {
				t.Errorf("replies %v", rs)
			}
		})
	}
}

// What the channel was shown of a thread is no message of a group: the one above it is.
func TestNotAReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		g := grounding()
		ref, err := newBot(s).Deliver(t.Context(), firing(g))
		if err != nil {
			t.Fatal(err)
		}
		worse := grounding()
		worse.Step, worse.Time, worse.Reason = g.Step+1, g.Time.Add(5*time.Minute), "worse"
		n := firing(worse)
		n.Firing[0].Since, n.News = g.Time, []detector.Record{worse}
		n.Ref = ref
		if _, err := newBot(s).Deliver(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if rs := s.Replies(s.Messages()[0].TS); len(rs) != 1 || !rs[0].Broadcast {
			t.Fatalf("replies %v", rs)
		}
		n = doubted(n)
		n.Ref = "" // neither was written down
		if got, err := newBot(s).Deliver(t.Context(), n); err != nil || got != ref || len(s.Messages()) != 1 {
			t.Errorf("it is at %s, not at %s; %d messages: %v", got, ref, len(s.Messages()), err)
		}
	})
}

// What a channel had before a worker took its partitions up says nothing of what was posted until then.
func TestChannelIsReadSinceThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		b := newBot(s)
		if _, err := b.Deliver(t.Context(), doubted(firing(grounding()))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		other := grounding()
		other.ID = "another"
		n := firing(other)
		n.Key.Rule = "Another"
		if _, err := b.Deliver(t.Context(), n); err != nil { // it is not written down
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := b.Deliver(t.Context(), doubted(n)); err != nil || len(s.Messages()) != 2 {
			t.Errorf("%d messages: %v", len(s.Messages()), err)
		}
	})
}

// A message whose answer was lost is found when it is tried again.
func TestAnswerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		b := newBot(s)
		lose := true
		b.(*bot).api = newAPI(token, "", "https://slack.test/api/", losing{direct{s}, &lose})
		g := grounding()
		if _, err := b.Deliver(t.Context(), firing(g)); failure(t, err).Kind != alert.Unavailable {
			t.Fatal(err)
		}
		lose = false
		if _, err := b.Deliver(t.Context(), firing(g)); err != nil || len(s.Messages()) != 1 {
			t.Errorf("%d messages: %v", len(s.Messages()), err)
		}
		other := grounding()
		other.ID = "another"
		n := firing(other)
		n.Key.Rule = "Another"
		if _, err := b.Deliver(t.Context(), n); err != nil || len(s.Messages()) != 2 {
			t.Errorf("another: %d messages: %v", len(s.Messages()), err)
		}
		if n := countCalls(s, "conversations.history"); n != 1 {
			t.Errorf("the channel was read %d times", n)
		}
	})
}

// Messages of other groups, of other receivers, and of an earlier time that the alert fired are not taken for it.
func TestNotTheSameMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		g := grounding()
		if _, err := newBot(s).Deliver(t.Context(), firing(g)); err != nil {
			t.Fatal(err)
		}
		later, other := grounding(), grounding()
		later.Step += 2
		other.ID = "another"
		for i, n := range []*alert.Notification{doubted(firing(later)), doubted(firing(other))} {
			if _, err := newBot(s).Deliver(t.Context(), n); err != nil || len(s.Messages()) != 2+i {
				t.Errorf("%d messages: %v", len(s.Messages()), err)
			}
		}
		if _, err := newBot(s, func(c *Config) { c.Name = "second" }).Deliver(t.Context(), doubted(firing(g))); err != nil || len(s.Messages()) != 4 {
			t.Errorf("another receiver: %d messages: %v", len(s.Messages()), err)
		}
	})
}

// A bot that may not read its channel tells all the same; one that Slack does not answer waits.
func TestCannotRecall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := grounding()
		s := fakeslack.New(fakeslack.Config{Token: token, Channels: map[string]string{"llm-alerts": "C012"}, Scopes: []string{"chat:write"}, Now: time.Now})
		b := newBot(s)
		for range 2 {
			n := doubted(firing(g))
			n.Key.Rule += "x"
			if _, err := b.Deliver(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		if calls := s.Calls(); !slices.Contains(calls, "users.conversations missing_scope") || countCalls(s, "users.conversations") != 1 || len(s.Messages()) != 2 {
			t.Errorf("calls %s", calls)
		}
		s = newFake()
		s.Fail(fakeslack.Fault{Method: "conversations.history", Status: 429, Error: "ratelimited", RetryAfter: "20"})
		b = newBot(s)
		_, err := b.Deliver(t.Context(), doubted(firing(g)))
		if f := failure(t, err); f.Kind != alert.Unavailable || f.After != 20*time.Second || len(s.Messages()) != 0 {
			t.Errorf("%+v, %d messages", f, len(s.Messages()))
		}
		if _, err := b.Deliver(t.Context(), doubted(firing(g))); err != nil || len(s.Messages()) != 1 {
			t.Errorf("%d messages: %v", len(s.Messages()), err)
		}
	})
}

func countCalls(s *fakeslack.Server, method string) int {
	n := 0
	for _, c := range s.Calls() {
		if strings.HasPrefix(c, method+" ") {
			n++
		}
	}
	return n
}

// losing loses the answers to what is posted, after it was taken.
type losing struct {
	direct
	on *bool
}

func (l losing) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.direct.RoundTrip(r)
	if *l.on && strings.HasSuffix(r.URL.Path, "chat.postMessage") {
		return nil, errors.New("connection reset by peer")
	}
	return resp, err
}
