package main

import (
	"regexp"
	"testing"

	"github.com/driftd/driftd/detector"
)

func TestParseMatcher(t *testing.T) {
	for text, want := range map[string]detector.Matcher{
		"prompt=intent":        {Label: "prompt", Op: "=", Value: "intent"},
		"severity != page":     {Label: "severity", Op: "!=", Value: "page"},
		`version="v 2"`:        {Label: "version", Op: "=", Value: "v 2"},
		"prompt=support_*":     {Label: "prompt", Op: "=~", Value: "support_.*"},
		"prompt!=*.test":       {Label: "prompt", Op: "!~", Value: `.*\.test`},
		"prompt=~a|b":          {Label: "prompt", Op: "=~", Value: "a|b"},
		"prompt!~a|b":          {Label: "prompt", Op: "!~", Value: "a|b"},
		"gen_ai.prompt-id=x=y": {Label: "gen_ai.prompt-id", Op: "=", Value: "x=y"},
		"tier=":                {Label: "tier", Op: "=", Value: ""},
		"länge=~ ö+ ":          {Label: "länge", Op: "=~", Value: "ö+"},
	} {
		if got, err := parseMatcher(text); err != nil || got != want {
			t.Errorf("%s: %+v %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "prompt", "=x", "!=x", "pro mpt=x", "1a=x", "a~x"} {
		if got, err := parseMatcher(text); err == nil {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}

// FuzzMatcher: what is read has an operator, a label, and an expression that can be read where it was made of stars.
func FuzzMatcher(f *testing.F) {
	for _, s := range []string{"prompt=support_*", "a!=b", "a=~(", `a="x"`, "a!=**", "a= *", "A=\xb6*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseMatcher(text)
		if err != nil {
			return
		}
		made := false
		switch m.Op {
		case "=", "!=":
		case "=~", "!~":
			made = !regexp.MustCompile(`^\s*[^=!~]+\s*(=~|!~)`).MatchString(text)
		default:
			t.Fatalf("%q: operator %q", text, m.Op)
		}
		if m.Label == "" {
			t.Fatalf("%q: no label", text)
		}
		if made {
			if _, err := regexp.Compile(m.Value); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}
