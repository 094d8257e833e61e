package jsonscan

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
)

// reads gives b to the scanner as a whole value.
func reads(s *Scanner, b []byte) bool {
	s.Reset(b)
	return s.Skip() && s.AtEnd()
}

func TestSkip(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for text, want := range map[string]bool{
		`{}`: true, ` [ ] `: true, `{"a":[1,{"b":null}],"c":"\u00e4\n"}`: true, `[[],{},[{}]]`: true, `-0.5e+7`: true, `true`: true,
		``: false, `{`: false, `[1,]`: false, `{"a"}`: false, `{"a":}`: false, `{"a":1,}`: false, `{a:1}`: false, `[}`: false, `{]`: false, `[1 2]`: false,
		`"`: false, `"\x"`: false, `"\u12g4"`: false, "\"\n\"": false, `01`: false, `1.`: false, `NaN`: false, `nul`: false, `{} {}`: false, "\x00": false, `"a"\`: false,
		nested(MaxDepth): true, `{"a":` + nested(MaxDepth-1) + `}`: true,
	} {
		var s Scanner
		if got := reads(&s, []byte(text)); got != want {
			t.Errorf("%.40q: %v, want %v", text, got, want)
		}
		if s.Deep() {
			t.Errorf("%.40q is not deep", text)
		}
	}
	var s Scanner
	if reads(&s, []byte(nested(MaxDepth+2))) || !s.Deep() {
		t.Error("reads what is too deep")
	}
}

func TestTurnKeepsTexts(t *testing.T) {
	var s Scanner
	s.Reset([]byte(`"{\"a\":\"b\\n\"}"`))
	inner, ok := s.Text()
	if !ok {
		t.Fatal("no text")
	}
	s.Turn(inner)
	if !s.Take('{') {
		t.Fatal("no object")
	}
	key, _ := s.Text()
	s.Take(':')
	value, ok := s.Text()
	if !ok || string(key) != "a" || string(value) != "b\n" || string(inner) != `{"a":"b\n"}` {
		t.Errorf("%q: %q, %q", inner, key, value)
	}
}

// FuzzScanner holds the scanner against encoding/json: what is well formed, and what texts say.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,{"b":null}],"c":"\u00e4\ud83d\ude00\ud83d x\n"}`, `[[],{},[{}], true,false , -1.5E-3]`, `"\"\\\/\b\f\n\r\t"`, `"caf` + "\xe9" + `"`, `{"a":1,}`, `"0123456\"789abcdef"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Scanner
		ok := reads(&s, b)
		if valid := json.Valid(b); ok != valid && !s.Deep() {
			t.Fatalf("%q: %v, encoding/json says %v", b, ok, valid)
		}
		s.Reset(b)
		if !ok || s.Peek() != '"' {
			return
		}
		text, ok := s.Text()
		var want string
		if err := json.Unmarshal(b, &want); err != nil || !ok {
			t.Fatalf("%q: %v, encoding/json says %v", b, ok, err)
		}
		if got := string([]rune(string(text))); got != want { // as encoding/json replaces what is not UTF-8
			t.Errorf("%q says %q, want %q", b, got, want)
		}
	})
}

// FuzzNumber holds the short way of reading numbers against strconv.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-0.5", "123456789012345", "9007199254740993", "0.1", "1e308", "1e999", "-1e999", "1.7976931348623157e308", "0.000000000000001", "9999999999999999999.5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !json.Valid([]byte(s)) || !IsNumber(s[0]) || strings.TrimSpace(s) != s {
			return
		}
		want, err := strconv.ParseFloat(s, 64)
		if err != nil && !math.IsInf(want, 0) {
			t.Fatal(err)
		}
		if got := ParseFloat([]byte(s)); math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%s: %v, want %v", s, got, want)
		}
	})
}
