package trouble_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/driftd/driftd/internal/trouble"
)

func TestList(t *testing.T) {
	var l trouble.List
	l.Note("spans[1]", "write samples", nil)
	if got := l.Says(); len(got) != 0 {
		t.Errorf("nothing has happened: %q", got)
	}
	full := errors.New("disk full")
	l.Note("spans[1]", "write samples", errors.New("timed out"))
	l.Note("spans[1]", "write samples", full)
	l.Note("spans[0]", "commit", full)
	want := []string{"spans[0]: cannot commit, trying on: disk full", "spans[1]: cannot write samples, trying on: disk full"}
	if got := l.Says(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	l.Note("spans[0]", "commit", nil)
	if got := l.Says(); !slices.Equal(got, want[1:]) {
		t.Errorf("after one works again: %q", got)
	}
	l.Note("spans[1]", "commit", full)
	l.Forget("spans[1]")
	if got := l.Says(); len(got) != 0 {
		t.Errorf("after the part has ended: %q", got)
	}
	for i := range 9 {
		l.Note(fmt.Sprint("spans", i), "commit", full)
	}
	if got := l.Says(); len(got) != 6 || got[5] != "and 4 more" {
		t.Errorf("%q", got)
	}
}
