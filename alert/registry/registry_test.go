package registry

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestVersionIs(t *testing.T) {
	v := Version{ID: "UHJv", Names: []string{"3", "v3"}}
	for name, want := range map[string]bool{"UHJv": true, "3": true, "v3": true, "V3": false, "03": false, "": false, "33": false} {
		if v.Is(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	if (Version{}).Is("") {
		t.Error("no version is the version without a name")
	}
	if v.String() != "3" || (Version{ID: "v22"}).String() != "v22" {
		t.Errorf("%s", v)
	}
}

func TestCompare(t *testing.T) {
	m := Move{To: Version{ID: "2"}, Seen: Version{ID: "3"}}
	if done, err := m.Compare(Version{ID: "2"}); !done || err != nil {
		t.Errorf("there already: %v %v", done, err)
	}
	if done, err := m.Compare(Version{ID: "3"}); done || err != nil {
		t.Errorf("as it was seen: %v %v", done, err)
	}
	_, err := m.Compare(Version{ID: "4"})
	if e, ok := errors.AsType[*ConflictError](err); !ok || e.Current.ID != "4" || err.Error() != `"4" is current` {
		t.Errorf("another: %v", err)
	}
}

func TestCut(t *testing.T) {
	f := func(s string, limit int, want string) {
		t.Helper()
		if got := Cut(s, limit); got != want || len(got) > limit || !utf8.ValidString(got) {
			t.Errorf("%q", got)
		}
	}
	f("short", 5, "short")
	f("longer", 5, "lo…")
	f("üüüü", 7, "üü…")
	f("üüüü", 6, "ü…")
	f(strings.Repeat("x", 10), 3, "…")
}
