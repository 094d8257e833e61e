package config

import (
	"net"
	"net/netip"
	"regexp"
	"strings"

	"github.com/driftd/driftd/internal/strictyaml"
)

// tokenName stands in the audit log as token:NAME.
var tokenName = regexp.MustCompile(`^[a-zA-Z0-9._@-]{1,64}$`)

// shortToken is the length below which a token can be guessed, in bytes.
const shortToken = 16

// DefaultTokenName is what http.token is called in the audit log.
const DefaultTokenName = "token"

func (c *checker) http() {
	h := &c.config.HTTP
	c.listen(h)
	c.httpTLS(h.TLS)
	names := make(map[string]strictyaml.Place)
	secrets := make(map[string]string) // to the name of who has it
	if !h.Token.IsZero() || c.doc.At(&h.Token).Present() {
		c.token(&h.Token, DefaultTokenName, secrets)
	}
	for i := range h.Tokens {
		t := &h.Tokens[i]
		at := c.doc.At(&t.Name)
		before, twice := names[t.Name]
		switch {
		case t.Name == "":
		case !tokenName.MatchString(t.Name):
			at.Errorf("use letters, digits, ., _, @ and -, 64 at most", "`%s` is no name of a token", t.Name)
		case t.Name == DefaultTokenName:
			at.Errorf("choose another one", "`%s` is what `http.token` is called in the audit log", t.Name)
		case twice:
			at.Errorf("rename one of them: the audit log shows the name", "there is a token `%s` at %s already", t.Name, before)
		default:
			names[t.Name] = at
		}
		c.token(&t.Secret, t.Name, secrets)
	}
	if u := h.PublicURL; u != "" {
		if problem := urlProblem(u); problem != "" {
			if strings.Contains(u, "@") {
				c.doc.At(&h.PublicURL).Hide()
			}
			c.doc.At(&h.PublicURL).Errorf("such as https://driftd.example", "`public_url` is no address: %s", problem)
		} else if strings.ContainsAny(u, "?#") {
			c.doc.At(&h.PublicURL).Errorf("such as https://driftd.example", "`public_url` has more than host and path: paths are put behind it")
		}
		h.PublicURL = strings.TrimRight(u, "/")
	}
}

// token reads a token and says where it cannot serve.
func (c *checker) token(s *Secret, name string, secrets map[string]string) {
	c.secret(s)
	texts, problem, hint := s.tokens()
	if s.IsZero() {
		return
	}
	at := c.doc.At(s)
	if problem != "" {
		at.Errorf(hint, "%s", problem)
	}
	said := problem != ""
	for _, text := range texts {
		other, twice := secrets[text]
		switch {
		case said:
		case twice:
			at.Errorf("give each its own", "it is the token of `%s` too: who it was could not be told", other)
			said = true
		case len(text) < shortToken:
			at.Warnf("such as what `openssl rand -hex 20` prints", "the token can be guessed: it has less than %d characters", shortToken)
		}
		secrets[text] = name
	}
}

// listen refuses an address that others can reach where nothing would tell them apart.
func (c *checker) listen(h *HTTP) {
	at := c.doc.At(&h.Listen)
	if problem := listenProblem(h.Listen); problem != "" {
		hint := "write host:port, such as 127.0.0.1:8430"
		if portProblem(h.Listen) == "" {
			hint = "write 127.0.0.1:" + h.Listen
		}
		at.Errorf(hint, "`%s` cannot be listened on: %s", h.Listen, problem)
		return
	}
	if host, _, _ := net.SplitHostPort(h.Listen); host == "localhost" || isLoopback(host) {
		return
	}
	tokens := c.doc.At(&h.Token).Present() || !h.Token.IsZero() || len(h.Tokens) > 0
	switch {
	case !tokens && (h.TLS == nil || h.TLS.ClientCAFile == ""):
		at.Errorf("add `token` or `tokens` under `http`, or `tls` with `client_ca_file`; or listen on 127.0.0.1", "others than this machine can reach `%s`, and nothing says who they are", h.Listen)
	case h.TLS == nil && !strings.HasPrefix(h.PublicURL, "https://"):
		at.Warnf("add `tls` under `http`; or give a `public_url` of https, where a proxy sees to that", "tokens go over the network as they are")
	}
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

func (c *checker) httpTLS(t *HTTPTLS) {
	if t == nil {
		return
	}
	const hint = "relative paths start from the folder of the config"
	for _, field := range []*string{&t.CertFile, &t.KeyFile, &t.ClientCAFile} {
		*field = inDir(c.config.Dir, *field)
	}
	if t.CertFile != "" && t.KeyFile != "" && !c.noSecrets {
		if _, err := (&HTTPTLS{CertFile: t.CertFile, KeyFile: t.KeyFile}).config(); err != nil {
			c.doc.At(&t.CertFile).Errorf(hint, "%v", err)
		}
	}
	if t.ClientCAFile != "" && !c.noSecrets {
		if _, err := authorities(t.ClientCAFile); err != nil {
			c.doc.At(&t.ClientCAFile).Errorf(hint, "%v", err)
		}
	}
}
