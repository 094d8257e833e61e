package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/driftd/driftd/internal/strictyaml"
)

// hiddenText is what is shown of every secret.
const hiddenText = "***"

// maxSecret is the largest secret, in bytes.
const maxSecret = 64 << 10

// Secret is text that is never shown: printed, logged or marshalled it is ***.
type Secret struct {
	text    string
	written string // as in the file, before variables and files are read
	path    string // of the file that it is read from; empty where there is none
}

// NewSecret is for secrets that do not come from a config.
func NewSecret(text string) Secret { return Secret{text: text} }

// Reveal is the secret itself, for those who have to send or sign with it.
func (s Secret) Reveal() string { return s.text }

// IsZero is true of no secret at all.
func (s Secret) IsZero() bool { return s.text == "" }

// Hidden implements strictyaml.Hidden.
func (Secret) Hidden() {}

// String implements fmt.Stringer.
func (Secret) String() string { return hiddenText }

// Format implements fmt.Formatter, so that no verb shows the fields.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, hiddenText) }

// MarshalText implements encoding.TextMarshaler, which JSON and YAML use too.
func (Secret) MarshalText() ([]byte, error) { return []byte(hiddenText), nil }

// MarshalJSON implements json.Marshaler.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hiddenText + `"`), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(hiddenText) }

// now is the secret as its file has it now; one that comes from no file stays as it was.
func (s Secret) now() (Secret, error) {
	if s.path == "" {
		return s, nil
	}
	text, err := readSecret(s.path)
	s.text = text
	return s, err
}

// UnmarshalStrict implements strictyaml.Unmarshaler. Variables and files are read later, by resolve.
func (s *Secret) UnmarshalStrict(n strictyaml.Node) {
	text, ok := n.Text()
	if !ok {
		n.Wrong("text")
		return
	}
	if !onlyVariable.MatchString(text) && !strings.HasPrefix(text, "file:") {
		n.Hide()
	}
	if text == "" {
		n.Errorf("write \"${VARIABLE}\" or file:/path", "`%s` is empty", n.Name())
		return
	}
	s.written = text
}

// JSONSchema implements strictyaml.Schemer.
func (Secret) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "minLength": 1, "description": "A secret: \"${VARIABLE}\", or file:/path."}
}

// Words implements strictyaml.Worded.
func (Secret) Words() string { return "secret: \"${VARIABLE}\" or file:/path" }

var variable = regexp.MustCompile(`\$\{([^{}]*)\}`)

var onlyVariable = regexp.MustCompile(`^\$\{[^{}]*\}$`)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// resolve reads the variables and the file that a secret names. Messages never hold what was read. One that is open, such as an
// address that only some services put a secret into, may stand in the config itself.
func (s *Secret) resolve(at strictyaml.Place, dir string, lookup func(string) (string, bool), open bool) {
	written := s.written
	if written == "" {
		return
	}
	if path, ok := strings.CutPrefix(written, "file:"); ok {
		s.path = inDir(dir, path)
		text, err := readSecret(s.path)
		if err != nil {
			at.Errorf("the file must exist and be readable to driftd", "%v", err)
			return
		}
		s.text = text
		return
	}
	if !variable.MatchString(written) {
		if strings.Contains(written, "${") {
			at.Errorf("such as \"${KAFKA_PASSWORD}\"", "a variable is not closed")
			return
		}
		if at.InFile() && !open {
			at.Warnf("write \"${VARIABLE}\" or file:/path", "the secret stands in the config itself")
		}
		s.text = written
		return
	}
	failed := false
	text := variable.ReplaceAllStringFunc(written, func(m string) string {
		name := m[2 : len(m)-1]
		value, ok := lookup(name)
		switch {
		case !variableName.MatchString(name):
			at.Errorf("use letters, digits and _", "`%s` is no name of a variable", m)
		case !ok:
			at.Errorf("set it in the environment of driftd", "environment variable %s is not set", name)
		case value == "":
			at.Errorf("set it in the environment of driftd", "environment variable %s is empty", name)
		default:
			return value
		}
		failed = true
		return ""
	})
	if !failed {
		s.text = text
	}
}

func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("read secret %s: this is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case len(data) > maxSecret:
		return "", fmt.Errorf("read secret %s: it is larger than %d KiB", path, maxSecret>>10)
	case text == "":
		return "", errors.New("read secret " + path + ": it is empty")
	}
	return text, nil
}

// inDir is the path, from dir where it is relative.
func inDir(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

var (
	secretKey  = regexp.MustCompile(`(?i)([\w-]*(?:token|secret|passw|webhook|tokn|sercet|pasw|key|credential)[\w-]*["']?\s*[:=]\s*).*`)
	secretText = regexp.MustCompile(`xox[a-z]-[^\s"',}]+|https?://hooks\.[^\s"',}]+|whsec_[^\s"',}]+`)
)

// redact hides what may be a secret in a line of a file that is no YAML.
func redact(line string) string {
	return secretText.ReplaceAllString(secretKey.ReplaceAllString(line, "${1}"+hiddenText), hiddenText)
}
