package demo

import (
	"strings"
	"testing"
	"time"
)

func TestScreenInAPipe(t *testing.T) {
	var out, errs strings.Builder
	s := &Screen{Out: &out, Err: &errs}
	s.moving("5 events")
	s.line(time.Date(2026, 11, 20, 9, 5, 0, 0, time.UTC), alarm, "firing", strings.Repeat("word ", 14)+"\nmore", "a\n  b\n")
	s.line(time.Time{}, plain, "rule", "text", "")
	want := "09:05  firing     word word word word word word word word word word word word\n" +
		"                  word word\n" +
		"                  more\n" +
		"    a\n      b\n" +
		"       rule       text\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	if errs.Len() > 0 {
		t.Errorf("on standard error: %q", errs.String())
	}
}

func TestScreenOnATerminal(t *testing.T) {
	var out strings.Builder
	s := &Screen{Out: &out, Err: &out, Color: true, Live: true}
	s.moving("1")
	s.moving("2")
	s.line(time.Time{}, relief, "end", "text", "")
	s.Write([]byte("a log line\n"))
	s.moving("")
	const gone = "\r\x1b[K"
	want := "1" + gone + "2" + gone + "       \x1b[1;32mend      \x1b[0m  text\n2" + gone + "a log line\n2" + gone
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}

func TestWords(t *testing.T) {
	for want, got := range map[string]string{
		"0 events": some(0, "event"), "1 event": some(1, "event"), "999 events": some(999, "event"), "1,234,567 events": some(1234567, "event"),
		"6h": span(6 * time.Hour), "15m": span(15 * time.Minute), "0.776": score(0.7757), "4.20": score(4.2),
	} {
		if want != got {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got, want := table([][]string{{"a", "1", ""}, {"b × d", "22", "x"}}, "lrl"), "a       1\nb × d  22  x"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
