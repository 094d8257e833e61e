package strictyaml

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

type secret string

func (secret) Hidden() {}

func (s *secret) UnmarshalStrict(n Node) {
	n.Hide()
	text, ok := n.Text()
	if !ok {
		n.Wrong("text")
		return
	}
	*s = secret(text)
}

type inner struct {
	Every time.Duration `yaml:"every" default:"1m" doc:"How often."`
	Size  Size          `yaml:"size" default:"1MiB"`
	Below *float64      `yaml:"below"`
}

type login struct {
	User  string `yaml:"user,required" doc:"Who."`
	Token secret `yaml:"token"`
}

type thing struct {
	Name   string             `yaml:"name,required" doc:"What it is called."`
	Count  int                `yaml:"count" default:"3" min:"1" max:"10"`
	Mode   string             `yaml:"mode" enum:"fast|slow|off" later:"turbo" default:"fast"`
	On     bool               `yaml:"on" default:"true"`
	Words  []string           `yaml:"words" item:"word" default:"[a, b]"`
	Inner  inner              `yaml:"inner"`
	Parts  []inner            `yaml:"parts" item:"part"`
	Labels map[string]string  `yaml:"labels"`
	Scales map[string]*inner  `yaml:"scales"`
	Nums   map[string]float64 `yaml:"nums"`
	Login  *login             `yaml:"login"`
	_      struct{}           `later:"soon"`
}

// decode gives the problems as text, in the order of places.
func decode(text string) (*thing, *Document, string) {
	d := Parse("f.yaml", []byte(text))
	var v thing
	d.Decode(&v)
	return &v, d, d.Problems().Text()
}

func TestDecode(t *testing.T) {
	v, _, problems := decode("name: 23\ncount: 7\nmode: off\non: false\nwords: [x]\ninner: {every: 1h30m, size: 256MiB, below: 0.5}\n" +
		"parts:\n- {every: 0}\n- {}\nlabels: {a: 1.10, b: yes}\nscales: {s: {every: 2d}}\nnums: {n: 1e3}\nlogin: {user: u, token: t}\n")
	if problems != "" {
		t.Fatalf("problems:\n%s", problems)
	}
	half := 0.5
	want := &thing{Name: "23", Count: 7, Mode: "off", Words: []string{"x"}, Inner: inner{90 * time.Minute, 256 << 20, &half},
		Parts: []inner{{0, 1 << 20, nil}, {time.Minute, 1 << 20, nil}}, Labels: map[string]string{"a": "1.10", "b": "yes"},
		Scales: map[string]*inner{"s": {48 * time.Hour, 1 << 20, nil}}, Nums: map[string]float64{"n": 1000}, Login: &login{"u", "t"}}
	if !reflect.DeepEqual(v, want) {
		t.Errorf("got  %+v\nwant %+v", v, want)
	}
	var defaults thing
	Defaults(&defaults)
	if want := (thing{Count: 3, Mode: "fast", On: true, Words: []string{"a", "b"}, Inner: inner{time.Minute, 1 << 20, nil}}); !reflect.DeepEqual(defaults, want) {
		t.Errorf("defaults %+v, want %+v", defaults, want)
	}
}

// Each line of want is a place, a message and, behind ~, a hint.
func TestProblems(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		d := Parse("f", []byte(text))
		var v thing
		d.Decode(&v)
		var got []string
		for _, p := range d.Problems() {
			line := strings.TrimPrefix(p.Place(), "f:") + " " + p.Message
			if p.Hint != "" {
				line += " ~ " + p.Hint
			}
			got = append(got, line)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q\ngot  %s\nwant %s", text, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
	}
	// Keys.
	f("", "1:1 the file has no `name` ~ What it is called.")
	f("nam: x", "1:1 unknown key `nam` at the top of the file ~ did you mean `name`?")
	f("Name: x", "1:1 unknown key `Name` at the top of the file ~ did you mean `name`?")
	f("name: x\nzzzzzz: 1", "2:1 unknown key `zzzzzz` at the top of the file ~ allowed here: `name`, `count`, `mode`, `on`, `words`, `inner`, `parts`, `labels`, `scales`, `nums` and `login`")
	f("name: x\nname: y", "2:1 duplicate key `name` ~ it stands in line 1 already")
	f("name: x\nlabels: {a: b, a: c}", "2:16 duplicate key `a` ~ it stands in line 2 already")
	f("name: x\nevery: 5m", "2:1 unknown key `every` at the top of the file ~ `every` belongs inside `inner`")
	f("name: x\ninner: {count: 5}", "2:9 unknown key `count` in `inner` ~ `count` belongs beside `inner`, not inside it")
	f("name: x\nparts: [{count: 5}]", "2:10 unknown key `count` in a part ~ `count` belongs one level further out, to the file")
	f("name: x\nsoon: 1", "2:1 `soon` is not supported yet ~ allowed here: `name`, `count`, `mode`, `on`, `words`, `inner`, `parts`, `labels`, `scales`, `nums` and `login`")
	f("name: x\n[a]: b", "2:1 a key must be plain text")
	// Types.
	f("name: [x]", "1:7 `name` must be text, not a list ~ What it is called.")
	f("name:", "1:6 `name` has no value ~ What it is called.")
	f("name: ''", "1:7 `name` is empty ~ What it is called.")
	f("- a", "1:1 the file must be keys and values, not a list ~ keys are `name`, `count`, `mode`, `on`, `words`, `inner`, `parts`, `labels`, `scales`, `nums` and `login`")
	f("labels: {a: x}\nname: #x", "2:6 `name` has no value ~ a # begins a comment: text that begins with # needs quotes")
	f("name: x\nlabels: {a: #x}", "2:13 not YAML: a comment begins here, and the line ends before it ~ text that begins with # needs quotes")
	f("name: x\nwords: a", "2:8 `words` must be a list, not text ~ write [a]")
	f("name: x\nwords: [[a]]", "2:9 a word must be text, not a list")
	f("name: x\ncount: many", "2:8 `many` is no whole number ~ write a number, such as 16")
	f("name: x\ncount: 010", "2:8 `010` is no whole number ~ write a number, such as 16")
	f("name: x\ncount: '5'", "2:8 \"5\" is text, not a number ~ remove the quotes: 5")
	f("name: x\ncount: 0", "2:8 0 is too small for `count` ~ write 1 or more")
	f("name: x\ncount: 11", "2:8 11 is too large for `count` ~ write 10 or less")
	f("name: x\ncount: 99999999999999999999", "2:8 99999999999999999999 is too large a number ~ write a number, such as 16")
	f("name: x\nmode: fats", "2:7 `mode` cannot be `fats` ~ did you mean `fast`?")
	f("name: x\nmode: turbo", "2:7 `mode` `turbo` is not supported yet ~ allowed here: `fast`, `slow` or `off`")
	f("name: x\non: yes", "2:5 `yes` is neither true nor false ~ write true or false")
	f("name: x\ninner: {every: 5}", "2:16 5 needs a unit, such as 5s or 5m")
	f("name: x\ninner: {every: -5m}", "2:16 -5m: a duration is not negative")
	f("name: x\ninner: {every: 5 min}", "2:16 `5 min` is no duration: write a number and ms, s, m, h, d or w, such as 90s or 1h30m")
	f("name: x\ninner: {size: 5}", "2:15 5 needs a unit, such as 5MiB or 5KiB")
	f("name: x\ninner: {size: 5 MB}", "2:15 `5 MB` is no size: write a number and B, KiB, MiB or GiB, such as 256MiB")
	f("name: x\ninner: {below: .nan}", "2:16 `.nan` is no number ~ write a number, such as 0.85")
	f("name: x\ninner: {below: 85%}", "2:16 `85%` is no number ~ write a plain number")
	f("name: {{ .X }}", "1:7 text that begins with {{ needs quotes ~ put quotes around the whole text")
	// All at once, in the order of places.
	f("count: x\ninner: {every: 5, eveyr: 1}\nmode: z", "1:1 the file has no `name` ~ What it is called.", "1:8 `x` is no whole number ~ write a number, such as 16",
		"2:16 5 needs a unit, such as 5s or 5m", "2:19 unknown key `eveyr` in `inner` ~ did you mean `every`?", "3:7 `mode` cannot be `z` ~ write `fast`, `slow` or `off`")
	// What YAML has and files should not.
	f("name: &a x\nmode: *a", "2:7 aliases such as `*a` are not supported ~ write the value out")
	f("name: x\ninner: &i {}\nparts: [{<<: *i}]", "3:10 merge keys and aliases are not supported ~ write the keys out", "3:14 aliases such as `*i` are not supported ~ write the value out")
	f("name: x\n---\nname: y", "3:1 a second document begins here ~ keep one document a file: remove the `---` before it")
	f("name: \x01", "1:7 control character U+0001 is not allowed in YAML ~ remove it, or write it as an escape in double quotes")
	f("name: x\nmode: \xff", "2:7 this is no UTF-8 text ~ save the file as UTF-8")
	// Syntax.
	f("name: x\nparts:\n  - every: 1m\n   size: 1B\n", "4:4 not YAML: expected a list item that begins with `- ` here ~ check the indentation of this line and of those before it")
	f("parts: [a, b\nname: x\n", "1:8 not YAML: the [ that opens here is not closed, or a comma is missing ~ add the missing ] or comma; text with brackets in it needs quotes")
	f("name: x\ninner: {every: ${X}}\n", "2:8 not YAML: the { that opens here is not closed, or a comma is missing ~ add the missing } or comma; text with braces in it needs quotes")
	f("name: \"x\n", "1:7 not YAML: the quote that opens here is not closed ~ add the closing quote")
	f("mode: fast\nname: \"x\ncount: 1\n", "2:7 not YAML: the quote that opens here is not closed ~ add the closing quote")
	f("name: a: b\n", "1:8 not YAML: this line cannot have a key here ~ check the indentation; text with a colon and a space in it needs quotes")
	f("name:x\ncount: 1\n", "1:5 not YAML: a colon and a space must follow a key ~ add a space after the colon")
	f("name: x\nlabels: {a: *}\n", "2:13 not YAML: a value cannot begin with * or & ~ put the value in quotes")
	f("inner:\n\tevery: 1m\n", "2:1 not YAML: a tab cannot indent ~ indent with spaces")
	f("name: @x\n", "1:7 not YAML: a value cannot begin with this character ~ put the value in quotes")
	f("name: x\ninner:\n  every: 1m\n  size\n", "4:3 not YAML: expected `key: value` here ~ a colon and a space must follow a key")
	f("name: *x\n", "1:7 aliases such as `*name` are not supported ~ write the value out; text that begins with * needs quotes")
}

func TestText(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, _, got := decode(text); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	f("name: x\ncount: 77 # too many\n", "f.yaml:2:8: 77 is too large for `count`\n    2 | count: 77 # too many\n      |        ^^ write 10 or less\n")
	// Wide characters and tabs keep the mark in its place; control sequences do not reach the terminal.
	f("labels: {日本: x, 日本: y}\nname: x\n", "f.yaml:1:17: duplicate key `日本`\n    1 | labels: {日本: x, 日本: y}\n      |                   ^^^^ it stands in line 1 already\n")
	f("name: x\ncount:\t\tmany # \u202e\n", "f.yaml:2:9: `many` is no whole number\n    2 | count:  many # \ufffd\n      |         ^^^^ write a number, such as 16\n")
	long := strings.Repeat("a", 300)
	_, d, _ := decode("name: x\nlabels: {x: " + long + ", x: y, z: " + long + "}\n")
	lines := strings.Split(d.Problems().Text(), "\n")
	shown, mark := []rune(lines[1]), []rune(lines[2])
	at := strings.IndexRune(lines[2], '^')
	if len(shown) > 170 || at < 0 || len(mark) <= at || string(shown[at:at+3]) != "x: " {
		t.Errorf("a long line is shown as\n%s\n%s", lines[1], lines[2])
	}
}

func TestSecretsStayHidden(t *testing.T) {
	const word = "correct-horse"
	for _, text := range []string{
		"name: x\nlogin: {user: u, token: " + word + ", tok: 1}\n",
		"name: x\nlogin: {usr: u, tokn: " + word + "}\n",
		"name: x\nlogin: {user: u, token: \"" + word + "\", token: '" + word + "'}\n",
		"name: x\nlogin: " + word + "\n",
		"name: x\nlogin: [" + word + "]\n",
		"name: x\nlogin: {user: u, token: [" + word + "]}\n",
		"name: x\nlogin:\n  token: |\n    " + word + "\n    " + word + "\n",
		"name: x\nlogin:\n  token: " + word + "\n    " + word + "\n  usr: 5\n",
		"name: x\nlogin: {token: \"a\\\"" + word + "\"}\n",
	} {
		_, d, problems := decode(text)
		if problems == "" {
			t.Errorf("%q: no problem, so nothing is shown", text)
		}
		if out, err := json.Marshal(d.Problems()); err != nil || strings.Contains(problems+string(out), word) {
			t.Errorf("%q shows the secret:\n%s\n%s %v", text, problems, out, err)
		}
	}
}

func TestPlaces(t *testing.T) {
	v, d, _ := decode("name: x\nlabels:\n  a: \"one two\"\nscales: {s: {every: 1m}}\nwords: [p, q]\nmode: |\n  first\n  second third\n")
	d.At(&v.Name).Errorf("", "name")
	d.At(&v.Count).Errorf("", "absent")
	d.At(v.Scales["s"]).Errorf("", "scale")
	d.At(&v.Scales["s"].Every).KeyErrorf("", "every")
	d.At(&v.Words[1]).Errorf("", "word")
	d.Entry(&v.Labels, "a").TextErrorf(4, 3, "", "two")
	d.At(&v.Mode).TextErrorf(len("first\nsecond "), 5, "", "third")
	var got []string
	for _, p := range d.Problems() {
		got = append(got, p.Place()+" "+p.Message)
	}
	want := []string{"f.yaml:1:1 absent", "f.yaml:1:7 name", "f.yaml:3:11 two", "f.yaml:4:13 scale", "f.yaml:4:14 every", "f.yaml:5:12 word", "f.yaml:6:7 `mode` cannot be `first\nsecond third\n`", "f.yaml:8:10 third"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if d.At(&v.Count).Present() || !d.At(&v.Name).Present() {
		t.Error("Present does not tell what the file has")
	}
}

func TestTooLarge(t *testing.T) {
	d := Parse("f", []byte(strings.Repeat("# comment\n", MaxSize/10+1)))
	if got := d.Problems().Text(); got != "f: the file is larger than 1024 KiB\n    split it into several files\n" {
		t.Errorf("got %q", got)
	}
	d = Parse("f", []byte("name: x\n"+strings.Repeat("labels: {}\n", 5000)))
	if got := d.Problems(); len(got) != maxProblems+1 || got[maxProblems].Message != "4899 more problems are not shown" {
		t.Errorf("%d problems are shown, at last %q", len(got), got[len(got)-1].Message)
	}
	// One line that is wrong all over is told in no time: the work grows with what is shown.
	d = Parse("f", []byte("{"+strings.Repeat("login: {usr: [a, b, c, d]}, ", MaxSize/40)+"}"))
	var v thing
	d.Decode(&v)
	if got := len(d.Problems()); got != maxProblems+1 {
		t.Errorf("%d problems are shown", got)
	}
}

func TestErr(t *testing.T) {
	warning := Problem{File: "a", Line: 9, Column: 1, Message: "w", Warning: true}
	wrong := Problem{File: "b", Line: 1, Column: 2, Message: "e"}
	if err := (Problems{warning}).Err(); err != nil {
		t.Errorf("a warning is an error: %v", err)
	}
	ps := Problems{warning, wrong}
	ps.Sort()
	if err := ps.Err(); err == nil || err.Error() != "b:1:2: e\na:9:1: warning: w" {
		t.Errorf("got %v", err)
	}
	out, err := json.Marshal(ps)
	if want := `[{"file":"b","line":1,"column":2,"severity":"error","message":"e"},{"file":"a","line":9,"column":1,"severity":"warning","message":"w"}]`; err != nil || string(out) != want {
		t.Errorf("got %s %v", out, err)
	}
}

func TestColors(t *testing.T) {
	_, d, text := decode("name: x\ncount: 77\n")
	colored := d.Problems().ColorText()
	if !strings.Contains(colored, "\x1b[31m^^ write 10 or less\x1b[0m") {
		t.Errorf("got %q", colored)
	}
	if bare := regexp.MustCompile("\x1b\\[[0-9]+m").ReplaceAllString(colored, ""); bare != text {
		t.Errorf("without its colours it is\n%s\nwant\n%s", bare, text)
	}
}

func TestDurations(t *testing.T) {
	for _, s := range []string{"0s", "250ms", "90s", "1h30m", "24h", "7d", "1m0.5s"} {
		d, err := ParseDuration(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
		}
		again, err := ParseDuration(FormatDuration(d))
		if err != nil || again != d {
			t.Errorf("%s: written as %s, which is %v, %v", s, FormatDuration(d), again, err)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", time.Hour: "1h", 90 * time.Second: "1m30s", 1500 * time.Millisecond: "1.5s", 24 * time.Hour: "24h", 48 * time.Hour: "2d", 2 * time.Millisecond: "2ms"} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%d is written %s, want %s", d, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	f := func(word, want string) {
		t.Helper()
		if got := Nearest(word, []string{"below", "above", "window", "recover_above"}); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	f("belw", "below")
	f("blow", "below")
	f("abvoe", "above")
	f("recoverAbove", "recover_above")
	f("recover-above", "recover_above")
	f("windows", "window")
	f("severity", "")
	f("x", "")
	f("wind", "window")
	f("recover", "recover_above")
}

func TestLayer(t *testing.T) {
	d := Parse("f", []byte("name: x\ninner: {every: 5m}\nlogin: {user: u, token: old}\n"))
	settings := make(map[string]Setting)
	for _, s := range Settings(reflect.TypeFor[thing]()) {
		settings[s.Path] = s
	}
	if s := settings["login.token"]; !s.Hidden || s.List {
		t.Errorf("login.token is %+v", s)
	}
	layer := d.Layer()
	layer["inner"].(map[string]any)["every"] = d.Foreign(settings["inner.every"], "ENV_EVERY", "7")
	layer["login"].(map[string]any)["token"] = d.Foreign(settings["login.token"], "ENV_TOKEN", "new")
	layer["words"] = d.Foreign(settings["words"], "--words", "p, q")
	layer["count"] = d.Foreign(settings["count"], "--count", "5")
	d.SetLayer(layer)
	var v thing
	d.Decode(&v)
	if v.Name != "x" || v.Count != 5 || v.Login.Token != "new" || !reflect.DeepEqual(v.Words, []string{"p", "q"}) {
		t.Errorf("got %+v", v)
	}
	if got := d.Problems().Text(); got != "ENV_EVERY: 7 needs a unit, such as 7s or 7m\n" {
		t.Errorf("got %q", got)
	}
}

func TestQuote(t *testing.T) {
	file := []byte("rules:\n  - alert: Ä\n    drift:\n      drop: 0.05  # small\n  - {alert: B, drift: {drop: 0.1}}\n")
	drop := regexp.MustCompile(`\bdrop:\s*([^\s,}]+)`)
	f := func(line int, where *regexp.Regexp, want string) {
		t.Helper()
		if got := Quote(Problem{File: "f.yaml", Line: line, Message: "too small", Hint: "write more"}, file, where).String(); got != want {
			t.Errorf("line %d: got\n%s\nwant\n%s", line, got, want)
		}
	}
	f(2, drop, "f.yaml:4:13: too small\n    4 |       drop: 0.05  # small\n      |             ^^^^ write more")
	f(5, drop, "f.yaml:5:30: too small\n    5 |   - {alert: B, drift: {drop: 0.1}}\n      |                              ^^^ write more")
	f(2, regexp.MustCompile(`alert: (\S)`), "f.yaml:2:12: too small\n    2 |   - alert: Ä\n      |            ^ write more")
	f(6, drop, "f.yaml:6: too small\n    write more")
	f(0, drop, "f.yaml:4:13: too small\n    4 |       drop: 0.05  # small\n      |             ^^^^ write more")
}
