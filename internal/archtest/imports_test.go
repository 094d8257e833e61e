// Package archtest holds the shape of the module: which of its packages may import which, and where the log and the clock may
// come in. It has no code of its own.
package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module   = "github.com/driftd/driftd/"
	kafkalog = "internal/kafkalog"
)

// table says what each package may import of ours; a name ending in /… stands for all packages below it. A package of a stage
// that is not in the table is judged by the entry for the folder above it. cmd and internal wire, and may import anything.
var table = map[string][]string{
	"configs":  {}, // tests alone
	"windows":  {},
	"rules":    {"windows", "internal/strictyaml"},
	"consumer": {"windows", "internal/jsonscan", "internal/fault", "internal/trouble"},
	"detector": {"windows", "rules", "detector/evidence", "internal/fault", "internal/trouble"},
	"alert":    {"detector", "rules", "internal/outbound", "internal/fault"},

	"detector/evidence": {"windows"}, // mathematics, of panes

	"internal/chaos/oracle": {}, // it judges them
	"internal/chaos/stream": {"internal/otlpgen"},

	"consumer/…": {"windows", "consumer", "internal/jsonscan"},
	"alert/…":    {"alert", "alert/registry", "alert/desk", "alert/phrase", "alert/incident", "detector", "rules", "internal/outbound", "internal/signature", "internal/fault"},
}

// leaves import nothing of ours, so that the table above cannot be got round through them.
var leaves = []string{kafkalog, "internal/strictyaml", "internal/outbound", "internal/signature", "internal/jsonscan", "internal/fault", "internal/trouble"}

// stages may use the log in their worker*.go alone.
var stages = []string{"consumer", "detector", "alert"}

type pkg struct {
	Dir, ImportPath string
	GoFiles         []string // without tests
	Imports         []string // of GoFiles
}

func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module) }

// ours are the packages of this module that p imports.
func (p pkg) ours() []string {
	var names []string
	for _, i := range p.Imports {
		if name, ok := strings.CutPrefix(i, module); ok {
			names = append(names, name)
		}
	}
	return names
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=Dir,ImportPath,GoFiles,Imports", module+"...").Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var found []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		if _, err := os.ReadDir(p.Dir); err != nil { // so that a result that was cached is not taken for one with a new file
			t.Fatal(err)
		}
		found = append(found, p)
	}
}

// allowed finds the entry of the table for a package; bound is false for those that may import anything.
func allowed(name string) (imports []string, bound bool) {
	if imports, bound = table[name]; bound {
		return imports, true
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if imports, bound = table[dir+"/…"]; bound {
			return imports, true
		}
	}
	return nil, slices.Contains(leaves, name)
}

func TestImports(t *testing.T) {
	all := packages(t)
	for _, top := range []string{"windows", "rules", "consumer", "detector", "alert", kafkalog} {
		if !slices.ContainsFunc(all, func(p pkg) bool { return p.name() == top }) {
			t.Errorf("there is no package %s: has it moved? then so must the table", top)
		}
	}
	for _, p := range all {
		top, _, _ := strings.Cut(p.name(), "/")
		imports, bound := allowed(p.name())
		if !bound && top != "cmd" && top != "internal" {
			t.Errorf("package %s is not in the table", p.name())
		}
		if !bound {
			continue
		}
		for _, name := range p.ours() {
			if name == kafkalog && slices.Contains(stages, p.name()) { // see TestKafkaLogInWorkersAlone
				continue
			}
			if !slices.Contains(imports, name) {
				t.Errorf("package %s imports %s; it may import only %s", p.name(), name, list(imports))
			}
		}
	}
}

func list(names []string) string {
	if len(names) == 0 {
		return "packages that are not ours"
	}
	return strings.Join(names, ", ")
}

func TestKafkaLogInWorkersAlone(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.GoFiles {
			for _, i := range parse(t, p, f).Imports {
				name := importPath(t, i)
				switch {
				case strings.HasPrefix(name, "github.com/segmentio/kafka-go") && p.name() != kafkalog:
					t.Errorf("%s imports %s; only %s may", path.Join(p.name(), f), name, kafkalog)
				case name == module+kafkalog && slices.Contains(stages, p.name()) && !strings.HasPrefix(f, "worker"):
					t.Errorf("%s imports %s; in package %s only worker*.go may", path.Join(p.name(), f), kafkalog, p.name())
				}
			}
		}
	}
}

// TestTimeComesIn keeps the clock and chance out of what must be a function of the log.
func TestTimeComesIn(t *testing.T) {
	for _, p := range packages(t) {
		pure := p.name() == "windows" || p.name() == "rules" || p.name() == "detector"
		if !pure {
			continue
		}
		for _, f := range p.GoFiles {
			if p.name() == "detector" && strings.HasPrefix(f, "worker") {
				continue
			}
			file := parse(t, p, f)
			for _, i := range file.Imports {
				if name := importPath(t, i); strings.HasPrefix(name, "math/rand") || name == "crypto/rand" {
					t.Errorf("%s imports %s", path.Join(p.name(), f), name)
				}
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && readsClock[sel.Sel.Name] {
						t.Errorf("%s uses time.%s; time must come in", path.Join(p.name(), f), sel.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

var readsClock = map[string]bool{
	"Now": true, "Since": true, "Until": true, "After": true, "AfterFunc": true, "NewTimer": true, "NewTicker": true, "Tick": true, "Sleep": true,
}

func parse(t *testing.T, p pkg, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(fmt.Errorf("read package %s: %w", p.name(), err))
	}
	return f
}

func importPath(t *testing.T, i *ast.ImportSpec) string {
	t.Helper()
	name, err := strconv.Unquote(i.Path.Value)
	if err != nil {
		t.Fatal(err)
	}
	return name
}
