package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/chaos/rig"
	"github.com/driftd/driftd/internal/chaos/stream"
	"github.com/driftd/driftd/internal/fakeregistry"
	"github.com/driftd/driftd/internal/fakeslack"
)

const posting = "chat.postMessage"

var (
	rateLimited = fakeslack.Fault{Status: http.StatusTooManyRequests, Error: "ratelimited", RetryAfter: "1"}
	down        = fakeslack.Fault{Status: http.StatusServiceUnavailable, Error: "no"}
)

// Receivers that fail, and the six faults in which an Alertmanager that was tried loses or doubles what it should tell.
var receiverRows = []row{
	{name: "receiver-429", does: "Slack answers 429 with Retry-After", rounds: 3, do: faulty(rateLimited, 3*time.Second)},
	{name: "receiver-500", does: "Slack answers 500 for 20 s", once: true, do: faulty(fakeslack.Fault{Status: 500, Error: "oops"}, 20*time.Second)},
	{name: "receiver-not-ok", does: "Slack answers 200, ok:false", rounds: 3, do: faulty(fakeslack.Fault{Error: "fatal_error"}, 3*time.Second)},
	{name: "receiver-hangs", does: "Slack hangs for longer than is waited", once: true, do: faulty(fakeslack.Fault{Hang: make(chan struct{})}, 12*time.Second)},
	{name: "receiver-drops", does: "Slack, webhook: taken, no answer", rounds: 3, do: drops},
	{name: "registry-late", does: "registry promotes, answers too late", once: true, do: registryLate},
	{name: "registry-kill", does: "SIGKILL when the registry has answered", once: true, do: registryKill},

	{name: "delivery-429", does: "429 is tried again in time", rounds: 3, do: again},
	{name: "delivery-429-over", does: "429 until it is over: told all the same", once: true, do: overMeanwhile},
	{name: "delivery-kill-first", does: "SIGKILL before the first notification", rounds: 3, do: killAt("act.notify")},
	{name: "delivery-silence", does: "SIGKILL behind a silence", once: true, do: silenceKept},
	{name: "delivery-kill-told", does: "SIGKILL when told, before the record", rounds: 4, do: killAt("act.notified")},
	{name: "delivery-two", does: "two instances, receivers down for 20 s", once: true, do: twoInstances},
}

// meets lets d pass, or more until hit says that somebody has met the fault. It is false where the clock has come to the end of what it
// may, and nobody has.
func (r *run) meets(d time.Duration, hit func() bool) (met bool, err error) {
	begun, clock, since := time.Now(), r.world.Clock.True(), time.Now()
	err = rig.Until(r.ctx, "somebody meets the fault", func() bool {
		if now := r.world.Clock.True(); !now.Equal(clock) {
			clock, since = now, time.Now()
		}
		met = met || hit()
		return time.Since(begun) >= d && (met || time.Since(since) > 3*time.Second)
	})
	if met {
		r.met++
	}
	return met, err
}

// finishMet is finish, where all went well so far and somebody has met the fault.
func (r *run) finishMet(err error) error {
	switch {
	case err != nil:
		return err
	case r.met == 0:
		return errors.New("nobody has met the fault: this seed does not show what it should")
	}
	return r.finish()
}

// single opens the world with one process that has all stages.
func (r *run) single() (*rig.Process, error) {
	if err := r.open(stream.Spec{}, nil); err != nil {
		return nil, err
	}
	return r.world.Start("all")
}

// faulty has Slack answer what is posted like that, for so long.
func faulty(f fakeslack.Fault, long time.Duration) func(*run) error {
	f.Method = posting
	return func(r *run) error {
		if _, err := r.single(); err != nil {
			return err
		}
		err := r.each(func(round int) error {
			s := r.world.Slack
			before := s.Hits()
			s.Break(&f)
			met, err := r.meets(long, func() bool { return s.Hits() > before })
			s.Break(nil)
			return errors.Join(err, r.tellsAgain(met))
		})
		return r.finishMet(err)
	}
}

// tellsAgain waits until Slack was told something, where somebody has met the fault, and notes how long that took.
func (r *run) tellsAgain(met bool) error {
	if !met {
		return nil
	}
	s, begun := r.world.Slack, time.Now()
	from := len(s.Calls())
	err := rig.Until(r.ctx, "Slack is told again", func() bool {
		return slices.ContainsFunc(s.Calls()[from:], func(c string) bool { return c == posting+" ok" || c == "chat.update ok" })
	})
	r.result.recovery = append(r.result.recovery, time.Since(begun))
	return err
}

// drops has Slack and the webhook take what they are sent and close the connection.
func drops(r *run) error {
	if _, err := r.single(); err != nil {
		return err
	}
	err := r.each(func(int) error {
		s := r.world.Slack
		before := s.Hits()
		s.Break(&fakeslack.Fault{Method: posting, Drop: true})
		r.world.Hook.Answer(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		met, err := r.meets(2*time.Second, func() bool { return s.Hits() > before })
		s.Break(nil)
		r.world.Hook.Answer(nil)
		return errors.Join(err, r.tellsAgain(met))
	})
	return r.finishMet(err)
}

// again measures how soon what was answered 429 is tried again. Repetitions of what fires come after four hours.
func again(r *run) error {
	if _, err := r.single(); err != nil {
		return err
	}
	f := rateLimited
	f.Method = posting
	err := r.each(func(int) error {
		s := r.world.Slack
		before := s.Hits()
		s.Break(&f)
		met, err := r.meets(0, func() bool { return s.Hits() > before })
		s.Break(nil)
		return errors.Join(err, r.tellsAgain(met))
	})
	if err == nil {
		most := slices.Max(r.result.recovery)
		r.result.notes = append(r.result.notes, fmt.Sprintf("Slack asked for 1 s; it was told after %.1f s at most", most.Seconds()))
		if most > 10*time.Second {
			r.result.differences = append(r.result.differences, "too late")
		}
	}
	return r.finishMet(err)
}

// overMeanwhile answers 429 until an alert has begun to fire and is over.
func overMeanwhile(r *run) error {
	if _, err := r.single(); err != nil {
		return err
	}
	s := r.world.Slack
	err := r.each(func(int) error {
		f := rateLimited
		f.Method = posting
		from := r.world.Clock.True()
		s.Break(&f)
		r.world.Feed.Allow(r.world.Feed.End())
		met, err := r.meets(0, func() bool {
			records, err := r.alertLog()
			began := map[string]time.Time{}
			for _, rec := range records {
				switch {
				case rec.Type == detector.Firing && began[rec.ID].IsZero() && rec.Time.After(from):
					began[rec.ID] = rec.Time
				case rec.Type == detector.Resolved:
					if b := began[rec.ID]; err == nil && !b.IsZero() && rec.Time.Sub(b) > time.Minute && s.Hits() > 0 {
						return true
					}
					delete(began, rec.ID)
				}
			}
			return false
		})
		s.Break(nil)
		return errors.Join(err, r.tellsAgain(met))
	})
	return r.finishMet(err)
}

// killAt has processes killed at a point, one after the other.
func killAt(point string) func(*run) error {
	return func(r *run) error {
		if err := r.open(stream.Spec{}, nil); err != nil {
			return err
		}
		nth := func() string { return fmt.Sprintf("%s:%d", point, 1+r.rng.IntN(3)) }
		if point == "act.notify" {
			nth = func() string { return point + ":1" }
		}
		p, err := r.world.Start("all", nth())
		if err != nil {
			return err
		}
		armed := true
		for round := range r.rounds { // the clock stands still while none runs, so a round has no moment of its own
			r.world.Feed.Allow(r.world.Stream.Begin.Add(lull + time.Duration(round+1)*slot))
			killed, err := r.meets(0, func() bool { return !p.Alive() })
			if err != nil {
				return err
			}
			if !killed {
				break
			}
			r.result.rounds++
			began, at := time.Now(), r.world.Clock.True()
			faults := []string{}
			if armed = round+1 < r.rounds; armed {
				faults = append(faults, nth())
			}
			if p, err = r.world.Start("all", faults...); err != nil {
				return err
			}
			if !armed { // the others may be killed before they have come so far
				err = r.recovers(began, at)
			}
			if err != nil {
				return err
			}
		}
		if armed {
			p.Kill()
			_, err = r.world.Start("all")
		}
		return r.finishMet(err)
	}
}

// quiet is the prompt that is silenced.
const quiet = "search_answer"

// silenceKept makes a silence, and ends the process as soon as it has said that there is one.
func silenceKept(r *run) error {
	p, err := r.single()
	if err != nil {
		return err
	}
	r.hush = quiet
	err = r.ask(p, "silences", map[string]any{
		"matchers": []detector.Matcher{{Label: "prompt", Op: "=", Value: quiet}}, "for": "20h", "comment": "it is known",
	})
	if err != nil {
		return err
	}
	p.Kill()
	if _, err := r.world.Start("all"); err != nil {
		return err
	}
	if err := r.each(func(int) error { return nil }); err != nil {
		return err
	}
	if err := r.finish(); err != nil {
		return err
	}
	records, err := r.alertLog()
	if err == nil && !slices.ContainsFunc(records, func(rec detector.Record) bool { return rec.Type == detector.Firing && rec.Prompt == quiet }) {
		return errors.Join(err, fmt.Errorf("nothing of %s has fired: this seed does not show what it should", quiet))
	}
	return err
}

// ask has a person ask a process for something, until it can be had.
func (r *run) ask(p *rig.Process, path string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	said := ""
	err = rig.Until(r.ctx, "an answer of the API", func() bool {
		if p.Addr() == "" {
			return false
		}
		ctx, cancel := context.WithTimeout(r.ctx, 10*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.Addr()+"/api/v1/"+path, bytes.NewReader(data))
		if err != nil {
			return false
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		said = resp.Status + " " + strings.TrimSpace(string(text))
		return resp.StatusCode == http.StatusCreated
	})
	if err != nil {
		return fmt.Errorf("%s: %w: it says %s", path, err, said)
	}
	return nil
}

// twoInstances runs two processes while nobody can be told.
func twoInstances(r *run) error {
	if _, err := r.single(); err != nil {
		return err
	}
	if _, err := r.world.Start("all"); err != nil {
		return err
	}
	err := r.each(func(int) error {
		s := r.world.Slack
		before := s.Hits()
		f := down
		s.Break(&f)
		r.world.Hook.Refuse(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
		met, err := r.meets(20*time.Second, func() bool { return s.Hits() > before })
		s.Break(nil)
		r.world.Hook.Refuse(nil)
		return errors.Join(err, r.tellsAgain(met))
	})
	return r.finishMet(err)
}

// registryLate has the registry promote and not answer.
func registryLate(r *run) error {
	if err := r.open(stream.Spec{}, nil); err != nil {
		return err
	}
	r.world.Registry.Fail(fakeregistry.Fault{Method: http.MethodPost, Late: true, Hang: true})
	if _, err := r.world.Start("all"); err != nil {
		return err
	}
	return r.promoted()
}

// registryKill ends the process when the registry has answered.
func registryKill(r *run) error {
	if err := r.open(stream.Spec{}, nil); err != nil {
		return err
	}
	p, err := r.world.Start("all", "act.promoted:1")
	if err != nil {
		return err
	}
	go func() {
		if p.Await(r.ctx) == nil {
			_, _ = r.world.Start("all") // finish fails where none runs
		}
	}()
	return r.promoted()
}

// promoted waits until it stands in the topic that the registry has promoted.
func (r *run) promoted() error {
	err := r.each(func(int) error {
		r.world.Feed.Allow(r.world.Feed.End())
		met, err := r.meets(0, func() bool { return len(r.world.Registry.Promotions()) > 0 })
		if err != nil || !met {
			return err
		}
		begun := time.Now()
		err = rig.Until(r.ctx, "the topic says that it was promoted", func() bool {
			records, err := r.alertLog()
			return err == nil && slices.ContainsFunc(records, func(rec detector.Record) bool { return rec.Type == detector.RollbackPromoted })
		})
		r.result.recovery = append(r.result.recovery, time.Since(begun))
		return err
	})
	return r.finishMet(err)
}

// alertLog reads the alerts topic, partition by partition.
func (r *run) alertLog() (all []detector.Record, err error) {
	w := r.world
	topic := w.Prefix() + "alerts"
	for p := range w.Partitions {
		from, end, err := w.Client.Bounds(r.ctx, topic, p)
		if err != nil {
			return nil, fmt.Errorf("read alerts: %w", err)
		}
		for f := w.Client.NewFetcher(topic, p); from < end; {
			got, err := f.Fetch(r.ctx, from, time.Second)
			if err != nil {
				return nil, fmt.Errorf("read alerts: %w", err)
			}
			for got.Next() {
				var rec detector.Record
				if err := json.Unmarshal(got.Record().Value, &rec); err != nil {
					return nil, fmt.Errorf("read alerts: %w", err)
				}
				all = append(all, rec)
			}
			from = got.NextOffset()
		}
	}
	return all, nil
}
