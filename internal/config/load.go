package config

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"

	"github.com/driftd/driftd/internal/strictyaml"
)

// envPrefix is before the names of the environment variables that override the file: DRIFTD_KAFKA_BROKERS.
const envPrefix = "DRIFTD_"

var configType = reflect.TypeFor[Config]()

// Sources are what a config is put together from, each over those before it.
type Sources struct {
	File    string            // path of the YAML file; "" for none
	Environ []string          // as os.Environ gives it; also where ${VAR} of secrets is looked up. Empty values count as unset
	Flags   map[string]string // from RegisterFlags
	// NoSecrets leaves secrets unread, and empty: for what connects to nothing, on a machine that does not have them.
	NoSecrets bool
	// Labels returns the names of the labels that the rules of a config give their alerts, for the routes; nil where nobody knows.
	Labels func(*Config) []string
}

// Load reads and checks the config and gives all problems, errors first. The config is of use only where Problems.Err is nil.
func Load(src Sources) (*Config, strictyaml.Problems) {
	var data []byte
	if src.File != "" {
		var err error
		if data, err = readFile(src.File); err != nil {
			return nil, strictyaml.Problems{{File: src.File, Message: err.Error()}}
		}
	}
	return parse(src, data)
}

func parse(src Sources, data []byte) (*Config, strictyaml.Problems) {
	name := src.File
	if name == "" {
		name = "config"
	}
	p := &parser{name: name}
	k := koanf.New(".")
	if err := k.Load(rawbytes.Provider(data), p); err != nil {
		return nil, strictyaml.Problems{{File: name, Message: err.Error()}}
	}
	env, unknown := environment(p.doc, src.Environ)
	for _, layer := range []map[string]any{env, flags(p.doc, src.Flags)} {
		if err := k.Load(confmap.Provider(layer, "."), nil); err != nil {
			return nil, strictyaml.Problems{{File: name, Message: err.Error()}}
		}
	}
	p.doc.SetLayer(k.Raw())

	c := &Config{}
	wasYAML := p.doc.Clean()
	p.doc.Decode(c)
	if src.File != "" {
		c.Dir = filepath.Dir(src.File)
	}
	if wasYAML {
		(&checker{doc: p.doc, config: c, lookup: lookup(src.Environ), noSecrets: src.NoSecrets, labels: src.Labels}).check()
	}
	p.doc.Redact(redact)
	problems := append(p.doc.Problems(), unknown...)
	problems.Sort()
	return c, problems
}

// parser gives koanf the document as maps of node numbers: koanf merges the layers, the document keeps the places.
type parser struct {
	name string
	doc  *strictyaml.Document
}

// Unmarshal implements koanf.Parser. What is wrong with the text is in the document's problems.
func (p *parser) Unmarshal(data []byte) (map[string]any, error) {
	p.doc = strictyaml.Parse(p.name, data)
	return p.doc.Layer(), nil
}

// Marshal implements koanf.Parser.
func (p *parser) Marshal(map[string]any) ([]byte, error) {
	return nil, fmt.Errorf("write config %s: it is only ever read", p.name)
}

// EnvName is the environment variable that sets a key: DRIFTD_KAFKA_BROKERS sets kafka.brokers.
func EnvName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// fromCluster are the variables that Kubernetes sets for a service named driftd.
var fromCluster = regexp.MustCompile(`^DRIFTD_(\w+_)?(SERVICE_(HOST|PORT\w*)|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)$`)

// ofClients are the variables of the commands that talk to a daemon.
var ofClients = map[string]bool{"DRIFTD_URL": true, "DRIFTD_TOKEN": true, "DRIFTD_CA_FILE": true, "DRIFTD_CERT_FILE": true, "DRIFTD_KEY_FILE": true}

func environment(doc *strictyaml.Document, environ []string) (map[string]any, strictyaml.Problems) {
	layer := make(map[string]any)
	byName := make(map[string]strictyaml.Setting)
	var names []string
	for _, s := range strictyaml.Settings(configType) {
		byName[EnvName(s.Path)] = s
		names = append(names, EnvName(s.Path))
	}
	var unknown strictyaml.Problems
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, envPrefix) || value == "" {
			continue
		}
		if s, ok := byName[name]; ok {
			layer[s.Path] = doc.Foreign(s, name, value)
			continue
		}
		if fromCluster.MatchString(name) || ofClients[name] {
			continue
		}
		hint := "driftd check --help lists the keys; lists and maps of keys can only be set in the file"
		if near := strictyaml.Nearest(name, names); near != "" {
			hint = fmt.Sprintf("did you mean %s?", near)
		}
		unknown = append(unknown, strictyaml.Problem{File: name, Warning: true, Message: "this environment variable sets nothing", Hint: hint})
	}
	return layer, unknown
}

func lookup(environ []string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, v := range slices.Backward(environ) { // the last one counts
			if n, value, ok := strings.Cut(v, "="); ok && n == name {
				return value, true
			}
		}
		return "", false
	}
}

func flags(doc *strictyaml.Document, set map[string]string) map[string]any {
	layer := make(map[string]any)
	for _, s := range strictyaml.Settings(configType) {
		if value, ok := set[s.Path]; ok && !s.Hidden {
			layer[s.Path] = doc.Foreign(s, "--"+s.Path, value)
		}
	}
	return layer
}

// RegisterFlags adds a flag for each key that one text can set, such as --kafka.brokers, and gives the map that parsing fills,
// for Sources.Flags. Secrets have none: other users of the machine can read a command line.
func RegisterFlags(fs *flag.FlagSet) map[string]string {
	set := make(map[string]string)
	for _, s := range strictyaml.Settings(configType) {
		if s.Hidden {
			continue
		}
		usage := fmt.Sprintf("%s (`%s`; %s)", strings.TrimSuffix(s.Doc, "."), strings.ReplaceAll(s.Words, "`", ""), EnvName(s.Path))
		fs.Func(s.Path, usage, func(value string) error {
			set[s.Path] = value
			return nil
		})
	}
	return set
}

// readFile reads a regular file, one byte more than is allowed at most: whoever parses it says that it is too large.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read config: this is no regular file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, strictyaml.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return data, nil
}

// Schema is the JSON Schema of the config file.
func Schema() ([]byte, error) {
	return strictyaml.Schema(configType, "https://github.com/driftd/driftd/configs/config.schema.json", "driftd config")
}

// Reference is the documentation of the config, in Markdown.
func Reference() string { return strictyaml.Reference(configType, "Daemon config") }
