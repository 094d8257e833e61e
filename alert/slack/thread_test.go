package slack

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeslack"
)

// thread delivers notifications to a bot one after the other and returns what stands in the thread then.
func thread(t *testing.T, ns ...*alert.Notification) (*fakeslack.Server, []fakeslack.Message) {
	t.Helper()
	s := newFake()
	b := newBot(s)
	ref := ""
	for _, n := range ns {
		n.Ref = ref
		var err error
		if ref, err = b.Deliver(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	ms := s.Messages()
	if len(ms) != 1 {
		t.Fatalf("%d messages in the channel", len(ms))
	}
	return s, s.Replies(ms[0].TS)
}

func news1(n *alert.Notification, news ...detector.Record) *alert.Notification {
	n.News = news
	return n
}

// What happens is told in the thread, in one reply a delivery; a repetition and a worse alert are told to the channel too.
func TestThread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := grounding()
		worse := g
		worse.Step, worse.Value, worse.Time = 3, ptr(0.7), t0.Add(20*time.Minute)
		fr := g
		cohortOf("2", "pro", "fr", 0.8, 90)(&fr)
		_, replies := thread(t,
			news1(firing(g), g),
			news1(&alert.Notification{Firing: []alert.Member{member(g), member(fr)}}, fr, act(detector.Acknowledged, time.Minute, by(jane, "looking"))),
			&alert.Notification{Firing: []alert.Member{member(g)}, Repeat: true},
			news1(&alert.Notification{Firing: []alert.Member{{Record: worse, Since: t0}}}, worse),
			news1(rolling(firing(g), act(detector.RollbackProposed, 0, mode("approve", ""))), act(detector.RollbackReminded, time.Hour)),
			news1(over(g, resolved(time.Hour, 0.9)), member(g, resolved(time.Hour, 0.9)).Record),
		)
		var got []string
		for _, r := range replies {
			m, err := Decode(r.Text, r.Blocks)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%v\n%s", r.Broadcast, DrawText(m, 73)))
		}
		golden(t, "thread.golden", strings.Join(got, "\n"))
	})
}

// A delivery that fails half way goes on where it was: the message is not posted twice.
func TestReplyFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		b := newBot(s)
		g := grounding()
		n := news1(firing(g), g, act(detector.Acknowledged, time.Minute, by(jane, "")))
		fails := 0
		s.Watch(func(m fakeslack.Message) {
			if fails++; m.ThreadTS == "" && fails == 1 {
				s.Fail(fakeslack.Fault{Method: "chat.postMessage", Status: 503})
			}
		})
		if _, err := b.Deliver(t.Context(), n); err == nil {
			t.Fatal("the reply failed, and nobody is told")
		}
		ref, err := b.Deliver(t.Context(), n)
		if err != nil || ref == "" {
			t.Fatal(ref, err)
		}
		ms := s.Messages()
		if len(ms) != 1 || len(s.Replies(ms[0].TS)) != 1 {
			t.Errorf("%d messages, calls %s", len(ms), s.Calls())
		}
		want := []string{"chat.postMessage ok", "chat.postMessage 503", "conversations.replies ok", "chat.update ok", "chat.postMessage ok"}
		if !slices.Equal(s.Calls(), want) {
			t.Errorf("calls %s", s.Calls())
		}
	})
}

// A thread that takes no reply holds nothing up.
func TestLockedThread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		b := newBot(s)
		g := grounding()
		ref, err := b.Deliver(t.Context(), firing(g))
		if err != nil {
			t.Fatal(err)
		}
		n := news1(firing(g), act(detector.Acknowledged, time.Minute, by(jane, "")))
		n.Ref = ref
		s.Fail(fakeslack.Fault{Method: "chat.postMessage", Error: "restricted_action_thread_locked"})
		if _, err := b.Deliver(t.Context(), n); err != nil {
			t.Error(err)
		}
	})
}

// Plain text takes the place of blocks and foot, also where there were some before.
func TestPlainTextReplacesBlocks(t *testing.T) {
	s := newFake()
	b := newBot(s)
	n := firing(grounding())
	ref, err := b.Deliver(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	n.Ref = ref
	s.Fail(fakeslack.Fault{Method: "chat.update", Error: "msg_blocks_too_long"})
	if _, err := b.Deliver(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if m := s.Messages()[0]; m.Blocks != nil || m.Attachments != nil || m.Text == "" {
		t.Errorf("the message still has blocks %s and attachments %s", m.Blocks, m.Attachments)
	}
}

// A message that was deleted is posted anew once, also where the outbox does not write down what it is told of it.
func TestDeletedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		b := newBot(s)
		n := firing(grounding())
		ref, err := b.Deliver(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		s.Delete(parseRef(ref).ts)
		n.Ref = ref
		for range 3 {
			if _, err := b.Deliver(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		if ms := s.Messages(); len(ms) != 1 || ms[0].Edits != 2 {
			t.Errorf("messages %+v, calls %s", ms, s.Calls())
		}
	})
}
