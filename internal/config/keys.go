package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Access is a token that lets in over HTTP.
type Access struct {
	Name  string // for the audit log; two tokens have one name while one takes the place of the other
	Token string
	Write bool
}

// Keys reads the tokens and certificates of HTTP as their files have them now. The certificate is nil where TLS is off. Errors name files and
// tokens, and show nothing of what is in them. It is for concurrent use.
func (h *HTTP) Keys() (tokens []Access, security *tls.Config, err error) {
	var problems []error
	taken := make(map[string]bool)
	read := func(name string, s Secret, write bool) {
		if s.IsZero() {
			return
		}
		s, err := s.now()
		if err != nil {
			problems = append(problems, err)
			return
		}
		texts, problem, _ := s.tokens()
		for _, text := range texts {
			if taken[text] {
				problem = "it is the token of another name too, or stands there twice"
			}
			taken[text] = true
			tokens = append(tokens, Access{name, text, write})
		}
		if problem != "" {
			problems = append(problems, fmt.Errorf("read token %s: %s", name, problem))
		}
	}
	read(DefaultTokenName, h.Token, true)
	for i := range h.Tokens {
		read(h.Tokens[i].Name, h.Tokens[i].Secret, h.Tokens[i].Scope == "write")
	}
	if h.TLS != nil {
		if security, err = h.TLS.config(); err != nil {
			problems = append(problems, err)
		}
	}
	return tokens, security, errors.Join(problems...)
}

// maxLines is how many tokens a file may hold: the new one and the old one.
const maxLines = 2

// tokens are those in a secret: the lines of a file, else the text itself.
func (s Secret) tokens() (texts []string, problem, hint string) {
	texts = []string{s.text}
	if s.path != "" {
		texts = nil
		for line := range strings.Lines(s.text) {
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				texts = append(texts, line)
			}
		}
	}
	if len(texts) > maxLines {
		return nil, fmt.Sprintf("the file has %d lines", len(texts)), fmt.Sprintf("it may hold %d tokens, each on its line: the new one and the old one", maxLines)
	}
	for _, text := range texts {
		if strings.TrimSpace(text) != text || strings.ContainsAny(text, "\r\n\t\x00") {
			return texts, "the token has spaces around it, or a line break in it: no header can carry it", "write it without them"
		}
	}
	return texts, "", ""
}

// config is what a server needs. It reads the files.
func (t *HTTPTLS) config() (*tls.Config, error) {
	c, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read certificate of HTTP: %w", err)
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{c}}
	if t.ClientCAFile != "" {
		out.ClientCAs, err = authorities(t.ClientCAFile)
	}
	return out, err
}

// authorities are those of a PEM file.
func authorities(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read authorities %s: there is no certificate in PEM form in it", path)
	}
	return pool, nil
}
