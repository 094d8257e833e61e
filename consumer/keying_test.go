package consumer

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestKeyed(t *testing.T) {
	trace := [16]byte{0xab, 1, 2, 3}
	id := hex.EncodeToString(trace[:])
	here, elsewhere := func([]byte) bool { return true }, func([]byte) bool { return false }
	for name, tc := range map[string]struct {
		key  string
		home func([]byte) bool
		want keying
	}{
		"hex":           {id, here, keyedWell},
		"upper case":    {strings.ToUpper(id), here, keyedWell},
		"raw":           {string(trace[:]), here, keyedWell},
		"another hash":  {id, elsewhere, keyedElse},
		"none":          {"", here, keyedNot},
		"a prompt":      {"refund", here, keyedOther},
		"another trace": {strings.Repeat("0", 31) + "1", here, keyedOther},
	} {
		if got := keyed([]byte(tc.key), &trace, tc.home); got != tc.want {
			t.Errorf("%s: %s, want %s", name, keyingNames[got], keyingNames[tc.want])
		}
	}
}

func TestTroubleSaysTheCure(t *testing.T) {
	type counts = map[string][numKeying]uint64
	of := func(well, other, foreign, none uint64) (n [numKeying]uint64) {
		n[keyedWell], n[keyedElse], n[keyedOther], n[keyedNot] = well, other, foreign, none
		return n
	}
	topics := []string{"scores", "spans"}
	for name, tc := range map[string]struct {
		counts counts
		want   string // parts, in order; empty: nothing is said
	}{
		"well":                   {counts{"spans": of(500, 0, 0, 0), "scores": of(500, 3, 0, 0)}, ""},
		"both by another hash":   {counts{"spans": of(60, 440, 0, 0), "scores": of(70, 430, 0, 0)}, ""},
		"too few to tell":        {counts{"spans": of(0, 0, 0, 99)}, ""},
		"a few":                  {counts{"spans": of(950, 0, 10, 10)}, ""},
		"no keys":                {counts{"spans": of(0, 0, 0, 200), "scores": of(200, 0, 0, 0)}, "topic spans|200 have no key|partition_traces_by_id"},
		"keyed by something":     {counts{"scores": of(10, 0, 190, 0)}, "topic scores|190 have another key|span link|redrive"},
		"two hashes":             {counts{"spans": of(40, 460, 0, 0), "scores": of(500, 0, 0, 0)}, "topics scores and spans|murmur2"},
		"one hash, one unlinked": {counts{"spans": of(40, 460, 0, 0)}, ""},
	} {
		got := strings.Join(keyingTrouble(topics, tc.counts), "\n")
		rest := got
		for _, part := range strings.Split(tc.want, "|") {
			_, after, found := strings.Cut(rest, part)
			if !found || tc.want == "" && got != "" {
				t.Errorf("%s: %q, want %q", name, got, tc.want)
				break
			}
			rest = after
		}
	}
	if got := countTrouble(topics, map[string]int{"scores": 3, "spans": 3}); len(got) > 0 {
		t.Errorf("equal counts: %q", got)
	}
	if got := countTrouble(topics, map[string]int{"scores": 3}); len(got) > 0 {
		t.Errorf("a topic that is not there yet: %q", got)
	}
	got := countTrouble([]string{"events", "logs", "scores", "spans"}, map[string]int{"events": 1, "logs": 12, "scores": 3, "spans": 12})
	if len(got) != 1 || !strings.Contains(got[0], "1 and 3 and 12 partitions") || !strings.Contains(got[0], "events (1); scores (3); logs, spans (12)") {
		t.Errorf("1, 3 and 12 partitions: %q", got)
	}
}
