package config

import (
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
	text := s.Reveal()
	if text == "" {
		return
	}
	at := c.doc.At(s)
	other, twice := secrets[text]
	switch {
	case strings.TrimSpace(text) != text || strings.ContainsAny(text, "\r\n\t\x00"):
		at.Errorf("write it without them", "the token has spaces around it, or a line break in it: no header can carry it")
	case twice:
		at.Errorf("give each its own", "it is the token of `%s` too: who it was could not be told", other)
	case len(text) < shortToken:
		at.Warnf("such as what `openssl rand -hex 20` prints", "the token can be guessed: it has less than %d characters", shortToken)
	}
	secrets[text] = name
}
