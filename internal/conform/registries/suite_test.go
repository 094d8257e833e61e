package registries

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/alert/rollback"
)

// subject is a registry as the suite sees it.
type subject struct {
	name  string // of the column
	world func(t *testing.T) world
	// names are prompt names that it can have, the more awkward the better.
	names []string
	// endless is an answer to a list that always has another page; empty where lists have no pages.
	endless string
	// noHTTP says what it is asked by instead, empty for HTTP.
	noHTTP string
	// not are further cases that do not apply, and why.
	not map[string]string
}

// world is a registry with people in it. Versions of a prompt are counted from 1, the oldest.
type world interface {
	// seed makes a prompt with n versions, none with a label.
	seed(t *testing.T, prompt string, n int)
	// label is a person who points a label at version n, or takes it away where n is 0. The label "" is the one that driftd moves.
	label(t *testing.T, prompt, label string, n int)
	// labelled is the version under a label as the registry tells people, 0 for none.
	labelled(t *testing.T, prompt, label string) int
	// client is driftd's. What it says and hears over HTTP goes through the middleware, which may be nil.
	client(t *testing.T, as who, through middleware) rollback.Registry
	// secrets are what a client's requests carry and its errors must not.
	secrets(as who) []string
}

// What a world may be besides; a case that needs it is not for the others.
type (
	// guarded is a world whose registry asks nobody who he is, and that has another that does; nil where there is none.
	guarded interface{ guarded() world }
	// powered is one whose registry can be taken down and up again with all that it keeps; nil where it is not ours.
	powered interface{ power() power }
	// remover is one where versions can be deleted.
	remover interface {
		remove(t *testing.T, prompt string, n int)
	}
	// switcher is one whose prompts can say that they are not to be rolled back.
	switcher interface {
		switchOff(t *testing.T, prompt string)
	}
	// misnamed is one that answers only to host names it knows: the client calls it by another.
	misnamed interface {
		misnamed(t *testing.T) rollback.Registry
	}
	// impostor is one with things beside prompts that have names and labels too.
	impostor interface {
		impostor(t *testing.T, name string)
	}
	// noter shows what driftd wrote about version n, for the audit of the registry.
	noter interface {
		noted(t *testing.T, prompt string, n int) string
	}
)

// power is the switch of a server.
type power interface {
	stop(t *testing.T)
	start(t *testing.T)
}

// who a client is.
type who int

const (
	daemon   who = iota // may do what driftd needs, and no more
	reader              // may only read
	stranger            // has a wrong secret
)

// middleware stands between a client and its registry.
type middleware func(next http.RoundTripper) http.RoundTripper

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// bench is what a case works with.
type bench struct {
	*subject
	world
}

// prompt makes one with a name of its own, n versions, and the label on one of them; on none for 0.
func (b *bench) prompt(t *testing.T, n, current int) string {
	t.Helper()
	name := "p-" + strings.ToLower(rand.Text()[:10])
	b.seed(t, name, n)
	if current > 0 {
		b.label(t, name, "", current)
	}
	return name
}

// version is the nth of a prompt as the client knows it. A server on a busy machine may need another try: what is tried here is what
// comes after.
func (b *bench) version(t *testing.T, c rollback.Registry, prompt string, n int) registry.Version {
	t.Helper()
	all, err := c.List(t.Context(), prompt)
	for range 5 {
		if e, ok := errors.AsType[*registry.Error](err); !ok || e.Kind != registry.Unavailable {
			break
		}
		all, err = c.List(t.Context(), prompt)
	}
	if err != nil || len(all) < n {
		t.Fatalf("list: %d versions, %v", len(all), err)
	}
	return all[len(all)-n]
}

// move is the wish to go from one version to another.
func (b *bench) move(t *testing.T, c rollback.Registry, prompt string, from, to int) registry.Move {
	t.Helper()
	return registry.Move{
		Prompt: prompt, To: b.version(t, c, prompt, to), Seen: b.version(t, c, prompt, from),
		Alert: "9f3c", Reason: "GroundingRegressed fires", Link: "https://driftd.test/alerts/9f3c", Key: "9f3c-" + rand.Text(),
	}
}

// stands checks what the registry itself says is current.
func (b *bench) stands(t *testing.T, prompt string, want int) {
	t.Helper()
	if got := b.labelled(t, prompt, ""); got != want {
		t.Errorf("version %d is current in the registry, want %d", got, want)
	}
}

// testcase is one.
type testcase struct {
	name string
	http bool                 // it needs something between client and registry
	skip func(w world) string // why it does not apply to a world, empty where it does; may be nil
	run  func(t *testing.T, b *bench)
}

func groups() [][]testcase { return [][]testcase{reading, moving, rights, faults, restarts, whole} }

// why a case does not apply.
func (s *subject) why(c *testcase, w world) string {
	switch {
	case s.not[c.name] != "":
		return s.not[c.name]
	case c.http && s.noHTTP != "":
		return s.noHTTP
	case c.skip != nil:
		return c.skip(w)
	}
	return ""
}

// fails checks that a call failed in this way, without a secret in it.
func (b *bench) fails(t *testing.T, err error, want registry.Kind) *registry.Error {
	t.Helper()
	e, ok := errors.AsType[*registry.Error](err)
	if !ok || e.Kind != want || e.Reason == "" || e.Op == "" {
		t.Errorf("%v (%+v), want kind %d", err, e, want)
		e = &registry.Error{}
	}
	b.clean(t, err)
	return e
}

func (b *bench) clean(t *testing.T, err error) {
	t.Helper()
	for _, s := range slices.Concat(b.secrets(daemon), b.secrets(reader), b.secrets(stranger)) {
		if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, err), s) {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

// run runs all cases over a subject.
func run(t *testing.T, s subject) {
	t.Helper()
	w := s.world(t)
	for _, group := range groups() {
		for _, c := range group {
			if why := s.why(&c, w); why != "" {
				results.add(c.name, s.name, "n/a", why)
				continue
			}
			ran := false // what -run leaves out has not failed, and is not ok
			ok := t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
				ran = true
				c.run(t, &bench{&s, w})
			})
			if ran {
				results.add(c.name, s.name, map[bool]string{true: "ok", false: "FAILED"}[ok], "")
			}
		}
	}
}

// results are the table.
var results table

type table struct {
	mu       sync.Mutex
	subjects []string
	cells    map[[2]string]string
	why      map[string][]string // reason → subjects and cases
}

func (r *table) add(name, subject, what, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cells == nil {
		r.cells, r.why = map[[2]string]string{}, map[string][]string{}
	}
	if !slices.Contains(r.subjects, subject) {
		r.subjects = append(r.subjects, subject)
	}
	r.cells[[2]string{name, subject}] = what
	if why != "" {
		r.why[why] = append(r.why[why], subject+": "+name)
	}
}

func (r *table) print() {
	tw := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "case\t%s\n", strings.Join(r.subjects, "\t"))
	for _, group := range groups() {
		for _, c := range group {
			fmt.Fprint(tw, c.name)
			for _, s := range r.subjects {
				fmt.Fprintf(tw, "\t%s", cmp.Or(r.cells[[2]string{c.name, s}], "not run"))
			}
			fmt.Fprintln(tw)
		}
	}
	tw.Flush()
	var reasons []string
	for why, of := range r.why {
		slices.Sort(of)
		reasons = append(reasons, fmt.Sprintf("n/a: %s (%s)", why, strings.Join(of, "; ")))
	}
	slices.Sort(reasons)
	fmt.Println(strings.Join(reasons, "\n"))
}

func TestMain(m *testing.M) {
	code := m.Run()
	if testing.Verbose() && len(results.subjects) > 0 {
		results.print()
	}
	os.Exit(code)
}
