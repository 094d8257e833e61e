package config

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/strictyaml"
)

// checker finds what the struct tags cannot say: combinations, and text of a form.
type checker struct {
	doc       *strictyaml.Document
	config    *Config
	lookup    func(string) (string, bool)
	noSecrets bool
	labels    func(*Config) []string
}

func (c *checker) check() {
	c.noVariables()
	c.kafka()
	c.sources()
	c.linking()
	c.dimensions()
	names := c.receivers()
	c.routes(names)
	if c.config.Route != nil {
		c.heard(c.config.Route)
	}
	if r := c.config.Registry; r != nil {
		c.registry(r)
	}
	c.rollback()
	if c.config.TraceURL != "" {
		at := c.doc.At(&c.config.TraceURL)
		if !strings.Contains(c.config.TraceURL, "{trace_id}") {
			at.Errorf("such as https://traces.example/trace/{trace_id}", "`trace_url` has no {trace_id}")
		} else if problem := urlProblem(strings.ReplaceAll(c.config.TraceURL, "{trace_id}", "0")); problem != "" {
			at.Errorf("such as https://traces.example/trace/{trace_id}", "`trace_url` is no address: %s", problem)
		}
	}
	c.http()
}

func (c *checker) secret(s *Secret) {
	if !c.noSecrets {
		s.resolve(c.doc.At(s), c.config.Dir, c.lookup, false)
	}
}

// address reads an address that may be a secret.
func (c *checker) address(s *Secret, what string) {
	if c.noSecrets {
		return
	}
	at := c.doc.At(s)
	s.resolve(at, c.config.Dir, c.lookup, true)
	if problem, hint := c.peerProblem(s.text); problem != "" && s.text != "" {
		at.Errorf(cmp.Or(hint, "such as https://"+what+".example/api"), "`url` is no address of a %s: %s", what, problem)
	}
}

// noVariables refuses ${VAR} where it would be taken as text.
func (c *checker) noVariables() {
	c.doc.Scalars(func(at strictyaml.Place, text string, hidden bool) {
		if !hidden && variable.MatchString(text) {
			at.Errorf("write the value, or set it by an environment variable such as DRIFTD_KAFKA_BROKERS", "${…} stands for secrets only")
		}
	})
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]*$`)

func (c *checker) kafka() {
	k := &c.config.Kafka
	for i, b := range k.Brokers {
		if problem := hostPortProblem(b); problem != "" && b != "" {
			hint := "write host:port, such as localhost:9092"
			if problem == noPort {
				hint = "write " + b + ":9092"
			}
			c.doc.At(&k.Brokers[i]).Errorf(hint, "`%s` is no address of a broker: %s", b, problem)
		} else if slices.Contains(k.Brokers[:i], b) && b != "" {
			c.doc.At(&k.Brokers[i]).Errorf("remove it", "broker `%s` is named twice", b)
		}
	}
	c.tls(&k.TLS)
	if k.SASL != nil {
		c.secret(&k.SASL.Password)
		if at := c.doc.At(&k.SASL.Mechanism); k.SASL.Mechanism == "plain" && !k.TLS.Enabled {
			at.Warnf("set tls: {enabled: true}, or use scram-sha-512", "without TLS the password goes over the network as it is")
		}
	}
	switch at := c.doc.At(&k.TopicPrefix); {
	case !topicName.MatchString(k.TopicPrefix):
		at.Errorf("use letters, digits, ., _ and -", "`%s` cannot begin the name of a topic", k.TopicPrefix)
	case len(k.TopicPrefix) > 200:
		at.Errorf("200 bytes are the most", "`topic_prefix` is too long")
	}
}

func (c *checker) tls(t *TLS) {
	files := []struct {
		name  string
		field *string
	}{{"ca_file", &t.CAFile}, {"cert_file", &t.CertFile}, {"key_file", &t.KeyFile}}
	for _, f := range files {
		if *f.field == "" {
			continue
		}
		at := c.doc.At(f.field)
		if !t.Enabled {
			at.KeyErrorf("set `enabled: true`, or remove it", "`%s` has no effect: TLS is not enabled", f.name)
		}
		*f.field = inDir(c.config.Dir, *f.field)
	}
	if !t.Enabled {
		return
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		have, lacks, field := "cert_file", "key_file", &t.CertFile
		if t.CertFile == "" {
			have, lacks, field = lacks, have, &t.KeyFile
		}
		c.doc.At(field).KeyErrorf("add `"+lacks+"`", "`%s` without `%s`", have, lacks)
	}
	if _, err := t.roots(); err != nil {
		c.doc.At(&t.CAFile).Errorf("relative paths start from the folder of the config", "%v", err)
	}
	if _, err := t.certificates(); err != nil {
		c.doc.At(&t.CertFile).Errorf("relative paths start from the folder of the config", "%v", err)
	}
}

func (c *checker) sources() {
	own := []string{"samples", "state", "alerts", "dead", "redrive"}
	seen := make(map[string]strictyaml.Place)
	for i := range c.config.Sources {
		s := &c.config.Sources[i]
		at := c.doc.At(&s.Topic)
		before, twice := seen[s.Topic]
		switch name, isOwn := strings.CutPrefix(s.Topic, c.config.Kafka.TopicPrefix); {
		case s.Topic == "":
			continue
		case !topicName.MatchString(s.Topic) || len(s.Topic) > 249 || s.Topic == "." || s.Topic == "..":
			at.Errorf("topics have letters, digits, ., _ and -, 249 at most", "`%s` is no name of a topic", s.Topic)
		case isOwn && slices.Contains(own, name):
			at.Errorf("name the topic that events come in by, or change `topic_prefix`", "`%s` is a topic of driftd itself", s.Topic)
		case twice:
			at.Errorf("remove one of them", "topic `%s` is a source at %s already", s.Topic, before)
		}
		if !twice {
			seen[s.Topic] = at
		}
		if preset := c.doc.At(&s.Attributes); preset.Present() && !strings.HasPrefix(s.Encoding, "otlp_") && !c.doc.At(&s.Encoding).Faulty() {
			preset.KeyErrorf("remove it", "records of `%s` have fixed keys: `attributes` is for OTLP", s.Encoding)
		}
		if at := c.doc.At(&s.Dedup); s.Dedup != 0 && !at.Faulty() {
			switch {
			case s.Dedup < minDedup:
				at.Errorf("write 1m to 24h, such as 10m", "`dedup` is too short: a batch is sent again after seconds or minutes")
			case s.Dedup > maxDedup:
				at.Errorf("write 1m to 24h, such as 10m", "`dedup` is too long: every id of that time is held in memory")
			}
		}
	}
}

const (
	minHorizon       = time.Minute
	minLinkingMemory = 1 << 20
	minDedup         = time.Minute
	maxDedup         = 24 * time.Hour
)

func (c *checker) linking() {
	l := &c.config.Linking
	wait, horizon, memory := c.doc.At(&l.Wait), c.doc.At(&l.Horizon), c.doc.At(&l.Memory)
	switch {
	case wait.Faulty() || horizon.Faulty():
	case l.Horizon < minHorizon:
		horizon.Errorf("write 1m or more, such as 30m", "`horizon` is too short: scores come minutes after their spans")
	case l.Horizon <= l.Wait:
		at := wait
		if horizon.Present() {
			at = horizon
		}
		at.Errorf("the usual is wait: 10s, horizon: 30m", "spans must be remembered for longer than one waits: `horizon` is %s, `wait` %s",
			strictyaml.FormatDuration(l.Horizon), strictyaml.FormatDuration(l.Wait))
	}
	if l.Memory < minLinkingMemory && !memory.Faulty() {
		memory.Errorf("write 1MiB or more, such as 256MiB", "`memory` is too little to link anything")
	}
}

var (
	dimensionName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	// axes are the fields that may be dimensions too.
	axes = []string{"variant", "environment"}
	// noAttributes are what events say beside dimensions that no attribute is read for.
	noAttributes = map[string]string{"provider": "it is not kept", "latency": "it is the span's own time"}
)

// maxDimensions bounds the length of a series' key.
const maxDimensions = 16

func (c *checker) dimensions() {
	d := c.config.Dimensions
	if len(d) > maxDimensions {
		c.doc.At(&c.config.Dimensions).Errorf(fmt.Sprintf("%d are the most", maxDimensions), "%d dimensions are too many", len(d))
	}
	for i, name := range d {
		at := c.doc.At(&d[i])
		switch {
		case name == "":
		case name == "prompt" || name == "version":
			at.Errorf("remove it", "`%s` makes series anyway", name)
		case isField(name) && !slices.Contains(axes, name) || noAttributes[name] != "":
			at.Errorf("such as tier, locale, variant or environment", "`%s` cannot be a dimension", name)
		case !dimensionName.MatchString(name):
			at.Errorf("use letters, digits and _", "`%s` is no name of a dimension", name)
		case slices.Contains(d[:i], name):
			at.Errorf("remove it", "dimension `%s` is named twice", name)
		}
	}
	for name, list := range c.config.Attributes {
		at := c.doc.Entry(&c.config.Attributes, name)
		switch {
		case noAttributes[name] != "":
			at.KeyErrorf("remove it", "there are no attributes for `%s`: %s", name, noAttributes[name])
		case !isField(name) && !slices.Contains(d, name):
			hint := "add it to `dimensions`, or see ATTRIBUTES.md for the fields"
			if near := strictyaml.Nearest(name, slices.Concat(d, consumer.Fields())); near != "" {
				hint = fmt.Sprintf("did you mean `%s`? Else add it to `dimensions`", near)
			}
			at.KeyErrorf(hint, "`%s` is neither a field nor a dimension", name)
		}
		for i, attr := range list {
			if slices.Contains(list[:i], attr) {
				at.KeyErrorf("remove one of them", "attribute `%s` is named twice for `%s`", attr, name)
				break
			}
		}
	}
}

func isField(name string) bool { return slices.Contains(consumer.Fields(), name) }

// url checks that of a peer.
func (c *checker) url(field *string, what string) {
	if problem, hint := c.peerProblem(*field); problem != "" && *field != "" {
		if strings.Contains(*field, "@") {
			c.doc.At(field).Hide()
		}
		c.doc.At(field).Errorf(cmp.Or(hint, "such as https://"+what+".example/api"), "`url` is no address of a %s: %s", what, problem)
	}
}

func urlProblem(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "it is no URL" // the error would show it
	case u.Scheme != "http" && u.Scheme != "https":
		return "it must begin with https:// or http://"
	case u.Hostname() == "":
		return "it has no host"
	case u.Port() != "" && portProblem(u.Port()) != "":
		return portProblem(u.Port())
	case u.User != nil:
		return "a user or password in it is not supported"
	}
	return ""
}

const noPort = "the port is missing"

func hostPortProblem(text string) string {
	host, port, err := net.SplitHostPort(text)
	switch {
	case strings.Contains(text, "://"):
		return "leave out the part up to //"
	case err != nil && strings.Contains(err.Error(), "missing port"):
		return noPort
	case err != nil:
		return "want host:port"
	case host == "":
		return "the host is missing"
	}
	return portProblem(port)
}

func portProblem(port string) string {
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "a port is a number from 1 to 65535"
	}
	return ""
}

func listenProblem(text string) string {
	_, port, err := net.SplitHostPort(text)
	switch {
	case err != nil && strings.Contains(err.Error(), "missing port"):
		return noPort
	case err != nil:
		return "want host:port"
	case port == "0": // any free one
		return ""
	}
	return portProblem(port)
}
