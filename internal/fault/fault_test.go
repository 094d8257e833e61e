package fault

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestNormalBuildHasNone looks at what a build without the tag is made of: an empty Point that the compiler takes in, and no file
// that knows the environment or a signal.
func TestNormalBuildHasNone(t *testing.T) {
	files, err := exec.Command("go", "list", "-f", "{{.GoFiles}} {{.Imports}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(string(files)), "[none.go points.go] []"; got != want {
		t.Errorf("files and imports of a normal build: %s, want %s", got, want)
	}
	says, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, says)
	}
	if !strings.Contains(string(says), "can inline Point") {
		t.Errorf("the compiler does not inline Point: %s", says)
	}
	source, err := os.ReadFile("none.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(source), "\nfunc Point(string) {}\n") {
		t.Errorf("Point is not empty:\n%s", source)
	}
}

// TestPoints holds the list against the code: each point is passed at one place, and no other name is.
func TestPoints(t *testing.T) {
	var used []string
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "Point" {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); !ok || x.Name != "fault" {
				return true
			}
			name, err := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			used = append(used, name)
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(used)
	want := slices.Sorted(slices.Values(Points))
	if !slices.Equal(used, want) {
		t.Errorf("points in the code:\n%s\nin the list:\n%s", strings.Join(used, "\n"), strings.Join(want, "\n"))
	}
}
