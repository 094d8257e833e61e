package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/standing"
	"github.com/driftd/driftd/internal/web"
)

// hostile is what may stand in names, comments and answers, and must do nothing to a terminal, a log or a page.
var hostile = map[string]string{
	"ansi":      "\x1b[31mred\x1b[0m \x1b]0;title\a \x1b[2J\x1b]8;;https://evil.example\a \u009b31m",
	"line":      "v23\nlevel=ERROR msg=forged\r\nrollback 0b90 is promoted\u2028\v\f\x85",
	"bidi":      "user\u202egnp.exe \u2066a\u2069 \u200f\u061c",
	"invisible": "a\u200bb\u2060c\ufeffd",
	"bytes":     "a\x00b\x7fc\xff\xfe\xc3\x28\xed\xa0\x80\b\b\b",
	"long":      strings.Repeat("very long ", 500),
	"html":      `<script>alert(1)</script>'"&`,
	"verbs":     `%s %!d(x) {{ . }} $(id)`,
}

// harmful says what of an output does something but be read.
func harmful(out string) string {
	if !utf8.ValidString(out) {
		return "bytes that are no text"
	}
	for _, r := range out {
		if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || strings.ContainsRune("\u2028\u2029\u200b\u2060\ufeff", r) {
			return fmt.Sprintf("%q", r)
		}
	}
	return ""
}

// crowded puts text into every field of what an office has to show.
func (o *office) crowded(text string) {
	value := 0.5
	at := officeNow.Add(-time.Hour)
	r := detector.Record{
		ID: "aaaaaaaa00000000000000000000000a", Step: 2, Type: detector.Firing, Time: at, Group: text, Rule: text, Prompt: text, Version: text, Previous: text, Variant: text,
		Metric: text, Rubric: text, Kind: "threshold", Stat: text, Value: &value, Bound: &value, Samples: 412, Window: text, Rollback: "approve", Cohort: map[string]string{"tier": text},
		Labels: map[string]string{"severity": text}, Annotations: map[string]string{"summary": text}, Cause: detector.Cause(text), Because: []string{text}, Exemplars: []string{text},
		Changed: []detector.Changed{{Axis: text, From: text, To: text, Time: at}}, Against: &detector.Against{Kind: text, Version: text}, Target: &detector.Target{Version: text},
	}
	fold := func(r detector.Record) {
		o.desk.Board().Fold(0, alert.Entry{Offset: o.n, Record: r})
		o.n++
	}
	fold(r)
	for _, typ := range []detector.RecordType{detector.RollbackProposed, detector.Acknowledged, detector.Silenced, detector.RollbacksStopped} {
		a := alert.Action(&r, typ, at.Add(time.Minute))
		a.Actor, a.Reason, a.Guard = text, text, text
		if typ == detector.Silenced {
			a.Silence = &detector.Silence{Matchers: []detector.Matcher{{Label: "prompt", Op: "!=", Value: text}}, Starts: at, Ends: officeNow.Add(time.Hour), Comment: text}
		}
		fold(a)
	}
	o.checks = append(o.checks, web.Check{Name: text, OK: false, Detail: text}, web.Check{Name: "act " + text, OK: true, Trouble: true, Detail: text})
}

// TestTerminalsAreSafe: whatever stands in names, comments, actors and answers, what the commands print and the daemon logs and answers is text and
// no more, on as many lines as it has of harmless ones.
func TestTerminalsAreSafe(t *testing.T) {
	t.Setenv("DRIFTD_TOKEN", "a token that writes")
	t.Setenv("USER", "jane")
	outputs := func(text string) map[string]string {
		o, err := newOffice()
		if err != nil {
			t.Fatal(err)
		}
		o.crowded(text)
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error)
		go func() { served <- o.web.Run(ctx) }()
		t.Setenv("DRIFTD_URL", "http://"+o.web.Addr())
		got := map[string]string{}
		run := func(name string, f func(context.Context, []string, io.Writer, io.Writer) int, args ...string) {
			out := &logBuffer{}
			f(t.Context(), args, out, out)
			got["driftd "+name] = out.String()
		}
		run("alerts", runAlerts)
		run("alerts --all", runAlerts, "--all")
		run("alerts --prompt", runAlerts, "--prompt", text)
		run("alerts --json", runAlerts, "--json")
		run("silence --list", runSilence, "--list")
		run("rollback --list", runRollback, "--list")
		run("silence", runSilence, "prompt="+text, "--for", "1h", "--comment", text)
		run("silence of a label", runSilence, "promtp"+text+"=a", "--for", "1h", "--comment", text)
		run("ack", runAck, "aaaa", "--comment", text)
		run("ack of nothing", runAck, text)
		run("rollback", runRollback, text, "--to", text, "--reason", text)
		run("rollback --stop", runRollback, "--stop", text, "--reason", text)
		run("reject", runReject, "aaaaaaaa", "--reason", text)
		run("reject of nothing", runReject, text, "--reason", text)
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		return got
	}
	plain := outputs("plain")
	for what, text := range hostile {
		for name, out := range outputs(text) {
			if problem := harmful(out); problem != "" {
				t.Errorf("%s, %s: %s in\n%q", name, what, problem, out[:min(len(out), 600)])
			}
			if n, want := strings.Count(out, "\n"), strings.Count(plain[name], "\n"); what == "line" && n > want && (strings.Contains(name, "alerts") || strings.HasSuffix(name, "--list")) {
				t.Errorf("%s: %d lines in place of %d:\n%s", name, n, want, out)
			}
		}
		var log, rules bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("message", "prompt", text, "error", fmt.Errorf("a: %s", text), text, text)
		if problem := harmful(log.String()); problem != "" || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("the log, %s: %s in %.300q", what, problem, log.String())
		}
		_ = standing.Write(&rules, []detector.RuleStatus{{Group: text, Rule: text, Metric: text, Series: []detector.SeriesStatus{{Prompt: text, Version: text}}}}, 10)
		if problem := harmful(rules.String()); problem != "" {
			t.Errorf("/-/rules, %s: %s in %.600q", what, problem, rules.String())
		}
		page, err := phrase.JSON(desk.Alert{Step: detector.Record{Prompt: text}})
		var read desk.Alert
		if err == nil {
			err = json.Unmarshal(page, &read)
		}
		if err != nil || bytes.ContainsAny(page, "<>") || harmful(string(page)) != "" || read.Step.Prompt != strings.ToValidUTF8(text, "\ufffd") && what != "bytes" {
			t.Errorf("the API, %s: %v %.300q", what, err, page)
		}
	}
}
