package web

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode"
)

// Token lets a person or a program in. Several may have one name: the new one and the old one, while it is being replaced.
type Token struct {
	Name   string // for the audit log
	Secret string
	Write  bool // else it may only read
}

// right is what a request asks for.
type right int

const (
	reads right = iota
	writes
)

// guard knows who may do what:
//
//   - whoever has a token may read; who has one of scope write may change things,
//   - who has a certificate of the authorities for clients may do both,
//   - this machine, by its own name, so that no web page can be made to ask by way of a browser here, and for itself, not as a
//     proxy that says so, may read unless a token of scope read is given, and change things unless one of scope write is; with
//     authorities for clients it may do neither,
//   - nobody else.
type guard struct {
	tokens        []Token
	sums          [][sha256.Size]byte
	clients       *x509.CertPool // nil: nobody is known by a certificate
	read, written bool           // who has that scope has to show it
}

func newGuard(k Keys) *guard {
	g := &guard{tokens: k.Tokens}
	for _, t := range k.Tokens {
		g.sums = append(g.sums, sha256.Sum256([]byte(t.Secret)))
		g.written = g.written || t.Write
		g.read = g.read || !t.Write
	}
	if k.TLS != nil && k.TLS.ClientCAs != nil {
		g.clients, g.read, g.written = k.TLS.ClientCAs, true, true
	}
	return g
}

// known tells whether there is anything by which others than this machine can be known.
func (g *guard) known() bool { return len(g.tokens) > 0 || g.clients != nil }

// refusal is why somebody is not let in.
type refusal struct {
	code        int
	problem, do string
}

// enter returns who asks, as the audit log shows it, or why they may not.
func (g *guard) enter(r *http.Request, what right) (who string, no *refusal) {
	if given := r.Header.Values("Authorization"); len(given) > 0 {
		return g.token(given, what)
	}
	if name := g.certificate(r); name != "" {
		return "cert:" + name, nil
	}
	needed := what == reads && g.read || what == writes && g.written
	here := local(r.RemoteAddr) && local(cmp.Or(r.Host, "-")) && !forwarded(r.Header)
	switch {
	case here && !needed:
		return "local", nil
	case g.clients != nil:
		return "", &refusal{http.StatusUnauthorized, "a token or a client's certificate is missing", "send the header Authorization: Bearer TOKEN, or a certificate of http.tls.client_ca_file"}
	case needed || len(g.tokens) > 0 && what == reads:
		return "", &refusal{http.StatusUnauthorized, "a token is missing", "send the header Authorization: Bearer TOKEN"}
	}
	return "", &refusal{http.StatusForbidden, "only from this machine, or with a token", "give one in the config: http.token"}
}

// token returns whose token was given. Who gives something else is not let in for anything else: they meant to be known by it.
func (g *guard) token(given []string, what right) (who string, no *refusal) {
	scheme, secret, _ := strings.Cut(given[0], " ")
	sum, found := sha256.Sum256([]byte(secret)), -1
	for i := range g.sums { // all of them, so that the time it takes tells nothing
		if subtle.ConstantTimeCompare(sum[:], g.sums[i][:]) == 1 {
			found = i
		}
	}
	switch {
	case found < 0 || len(given) > 1 || !strings.EqualFold(scheme, "Bearer"):
		return "", &refusal{http.StatusUnauthorized, "the token is wrong", "it must be http.token or one of http.tokens of this daemon's config"}
	case what == writes && !g.tokens[found].Write:
		return "", &refusal{http.StatusForbidden, "the token " + g.tokens[found].Name + " may only read", "this takes one of scope write"}
	}
	return "token:" + g.tokens[found].Name, nil
}

// certificate is the name in the client's certificate, empty where there is none that is good now. It was good when the connection was made, which
// may be long ago: the authorities may be others, and it may have expired.
func (g *guard) certificate(r *http.Request) string {
	if g.clients == nil || r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	leaf, between := r.TLS.PeerCertificates[0], x509.NewCertPool()
	for _, c := range r.TLS.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: g.clients, Intermediates: between, CurrentTime: time.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return ""
	}
	return named(leaf)
}

// named is how the audit log calls the owner of a certificate: one line, never empty.
func named(c *x509.Certificate) string {
	names := append([]string{c.Subject.CommonName}, c.EmailAddresses...)
	names = append(names, c.DNSNames...)
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	for _, name := range append(names, c.SerialNumber.Text(16)) {
		name = strings.TrimSpace(strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return -1
			}
			return r
		}, strings.ToValidUTF8(name, "")))
		if name != "" {
			return strings.ToValidUTF8(name[:min(len(name), maxAuthor)], "")
		}
	}
	return "nobody"
}

// behind lets through who has the right.
func (s *Server) behind(what right, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, no := s.enter(r, what); no != nil {
			no.tell(w)
			return
		}
		next(w, r)
	}
}

// enter is that of the keys in force.
func (s *Server) enter(r *http.Request, what right) (who string, no *refusal) {
	return s.held.Load().guard.enter(r, what)
}

func (no *refusal) tell(w http.ResponseWriter) {
	if no.code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="driftd"`)
	}
	tell(w, no.code, Problem{Error: no.problem, Hint: no.do})
}

// forwarded tells that a proxy hands on what somebody else asks. Many proxies ask by the name of this machine, and not all say so:
// the scope of a token is what keeps others out, this only keeps a proxy from letting them all in by mistake.
func forwarded(h http.Header) bool {
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
		if _, ok := h[name]; ok {
			return true
		}
	}
	return false
}

// local tells whether host, with or without a port, is this machine.
func local(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.Unmap().IsLoopback()
}
