package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/alert/rollback"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/web"
)

// office is a daemon's API on an alerts topic in memory, for scripts. Its clock stands still.
type office struct {
	web    *web.Server
	desk   *desk.Desk
	checks []web.Check

	mu     sync.Mutex
	n      int64
	answer []detector.Record // what driftd writes when a rollback is asked for or approved
}

// officeNow is the clock of the scripts.
var officeNow = time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)

func newOffice() (*office, error) {
	now := func() time.Time { return officeNow }
	o := &office{checks: []web.Check{{Name: "kafka", OK: true}, {Name: "act oncall", OK: true, Detail: "3 to be told"}}}
	board := desk.NewBoard(desk.BoardConfig{Partitions: 1, Now: now, UntilWorseBy: 0.2})
	board.Live(0)
	o.desk = desk.New(desk.Config{Board: board, Log: o, Now: now, Guards: forced()})
	var err error
	o.web, err = web.Listen(web.Config{
		Listen: "127.0.0.1:0", Ready: o.ready, Desk: o.desk, Now: now, Version: "v1", Log: slog.New(slog.DiscardHandler),
		Keys: func() (web.Keys, error) {
			return web.Keys{Tokens: []web.Token{{Name: "grafana", Secret: "a token that reads", Write: false}, {Name: "ci", Secret: "a token that writes", Write: true}}}, nil
		},
	})
	return o, err
}

func (o *office) ready() []web.Check {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.checks)
}

// Append implements desk.Appender, and does what driftd would.
func (o *office) Append(_ context.Context, r detector.Record) (int, int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := o.n
	o.n++
	o.desk.Board().Fold(0, alert.Entry{Offset: at, Record: r})
	if r.Type == detector.RollbackRequested || r.Type == detector.RollbackApproved {
		for _, a := range o.answer {
			next := alert.Action(&r, a.Type, officeNow)
			next.Reason, next.Guard = a.Reason, a.Guard
			o.desk.Board().Fold(0, alert.Entry{Offset: o.n, Record: next})
			o.n++
		}
	}
	return 0, at, nil
}

type officeKey struct{}

// TestPeople holds what the commands of people print, and their exit codes.
func TestPeople(t *testing.T) {
	lines := func(ts *testscript.TestScript, name string, each func(*detector.Record)) {
		for line := range bytes.Lines([]byte(ts.ReadFile(name))) {
			var r detector.Record
			ts.Check(json.Unmarshal(line, &r))
			each(&r)
		}
	}
	of := func(ts *testscript.TestScript) *office { return ts.Value(officeKey{}).(*office) }
	testscript.Run(t, testscript.Params{
		Dir: "testdata/people", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			o, err := newOffice()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error)
			go func() { done <- o.web.Run(ctx) }()
			e.Defer(func() { cancel(); <-done })
			e.Values[officeKey{}] = o
			e.Setenv("DRIFTD_URL", "http://"+o.web.Addr())
			e.Setenv("DRIFTD_TOKEN", "a token that writes")
			e.Setenv("USER", "jane")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// topic FILE puts records into the alerts topic.
			"topic": func(ts *testscript.TestScript, _ bool, args []string) {
				o := of(ts)
				lines(ts, args[0], func(r *detector.Record) {
					o.mu.Lock()
					defer o.mu.Unlock()
					o.desk.Board().Fold(0, alert.Entry{Offset: o.n, Record: *r})
					o.n++
				})
			},
			// answers FILE says what driftd does when a rollback is asked for or approved.
			"answers": func(ts *testscript.TestScript, _ bool, args []string) {
				o := of(ts)
				var answer []detector.Record
				lines(ts, args[0], func(r *detector.Record) { answer = append(answer, *r) })
				o.mu.Lock()
				defer o.mu.Unlock()
				o.answer = answer
			},
			// trouble NAME TEXT has a part of the daemon say what is wrong.
			"trouble": func(ts *testscript.TestScript, _ bool, args []string) {
				o := of(ts)
				o.mu.Lock()
				defer o.mu.Unlock()
				o.checks = append(o.checks, web.Check{Name: args[0], OK: true, Trouble: args[1] != standsBy, Detail: args[1]})
			},
		},
	})
}

// TestTokens: those of the config, with their names and what they may.
func TestTokens(t *testing.T) {
	w := &world{t: t, dir: t.TempDir()}
	w.file("rules.yaml", "groups: []\n")
	path := w.file("driftd.yaml", `
kafka: {brokers: [localhost:9092]}
sources: [{topic: t}]
rules: [rules.yaml]
http: {token: "${ONE}", tokens: [{name: grafana, secret: "${TWO}", scope: read}, {name: ci, secret: "${THREE}"}]}
`)
	cfg, problems := config.Load(config.Sources{File: path, Environ: []string{"ONE=the first secret of all", "TWO=the second secret of all", "THREE=the third secret of all"}})
	if problems.Err() != nil {
		t.Fatal(problems.Text())
	}
	want := []web.Token{{Name: "token", Secret: "the first secret of all", Write: true}, {Name: "grafana", Secret: "the second secret of all"}, {Name: "ci", Secret: "the third secret of all", Write: true}}
	if got, err := keys(&cfg.HTTP); err != nil || got.TLS != nil || !slices.Equal(got.Tokens, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestWaitingSaysWhy: who waits for a rollback is told what keeps the registry from being asked; what was asked for goes on when
// they do not wait any longer.
func TestWaitingSaysWhy(t *testing.T) {
	t.Setenv("DRIFTD_TOKEN", "a token that writes")
	t.Setenv("USER", "")
	o, err := newOffice()
	if err != nil {
		t.Fatal(err)
	}
	o.checks = append(o.checks,
		web.Check{Name: "act registry", OK: true, Trouble: true, Detail: "intent: v23 " + rollback.Lingers + " after v22 was promoted"}, // nothing to wait for
		web.Check{Name: "act registry", OK: true, Trouble: true, Detail: "HTTP 503"})
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- o.web.Run(ctx) }()
	waiting, stop := context.WithCancel(t.Context())
	out, said := &logBuffer{}, &logBuffer{}
	code := make(chan int)
	go func() {
		code <- runRollback(waiting, []string{"--url", "http://" + o.web.Addr(), "refund", "--to", "v17"}, out, said)
	}()
	const trouble = "driftd rollback: the registry: HTTP 503; it is tried again\n"
	for tick := time.NewTicker(lookEvery); said.String() != trouble && t.Context().Err() == nil; {
		<-tick.C
	}
	stop()
	if c := <-code; c != exitWrong || said.String() != trouble+"driftd rollback: it goes on without this command: driftd rollback --list\n" || !strings.Contains(out.String(), "asked for by token:ci\n") {
		t.Errorf("exit code %d\n%s\n%s", c, out, said)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestManyOpenRollbacks: the overview stays one, and ids are told apart over alerts and rollbacks.
func TestManyOpenRollbacks(t *testing.T) {
	o := &overview{}
	for i := range shownRollbacks + 3 {
		id := fmt.Sprintf("0123456789%022x", i)
		o.Rollbacks = append(o.Rollbacks, desk.Attempt{ID: id + "-1", State: alert.RollbackChecking, Prompt: "p", Target: "v1", Step: detector.Record{ID: id, Step: 1}})
	}
	var out strings.Builder
	writeOverview(&out, o, false)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != shownRollbacks+3 || lines[0] != "No alert fires or is pending." || lines[len(lines)-1] != "and 3 rollbacks more: driftd rollback --list" ||
		lines[2] == lines[3] || !strings.HasSuffix(lines[2], ": p to v1 is checking") {
		t.Errorf("%d lines:\n%s", len(lines), out.String())
	}
}
