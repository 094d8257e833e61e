package web

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Token lets a person or a program in.
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
//   - this machine, by its own name, so that no web page can be made to ask by way of a browser here, and for itself, not as a
//     proxy that says so, may read unless a token of scope read is given, and change things unless one of scope write is,
//   - nobody else.
type guard struct {
	tokens        []Token
	sums          [][sha256.Size]byte
	read, written bool // some token has that scope
}

func newGuard(tokens []Token) *guard {
	g := &guard{tokens: tokens}
	for _, t := range tokens {
		g.sums = append(g.sums, sha256.Sum256([]byte(t.Secret)))
		g.written = g.written || t.Write
		g.read = g.read || !t.Write
	}
	return g
}

// refusal is why somebody is not let in.
type refusal struct {
	code        int
	problem, do string
}

// enter returns who asks, as the audit log shows it, or why they may not.
func (g *guard) enter(r *http.Request, what right) (who string, no *refusal) {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if ok {
		sum, found := sha256.Sum256([]byte(given)), -1
		for i := range g.sums { // all of them, so that the time it takes tells nothing
			if subtle.ConstantTimeCompare(sum[:], g.sums[i][:]) == 1 {
				found = i
			}
		}
		switch {
		case found < 0:
			return "", &refusal{http.StatusUnauthorized, "the token is wrong", "it must be http.token or one of http.tokens of this daemon's config"}
		case what == writes && !g.tokens[found].Write:
			return "", &refusal{http.StatusForbidden, "the token " + g.tokens[found].Name + " may only read", "this takes one of scope write"}
		}
		return "token:" + g.tokens[found].Name, nil
	}
	needed := what == reads && g.read || what == writes && g.written
	here := local(r.RemoteAddr) && local(cmp.Or(r.Host, "-")) && !forwarded(r.Header)
	switch {
	case here && !needed:
		return "local", nil
	case needed || len(g.tokens) > 0 && what == reads:
		return "", &refusal{http.StatusUnauthorized, "a token is missing", "send the header Authorization: Bearer TOKEN"}
	}
	return "", &refusal{http.StatusForbidden, "only from this machine, or with a token", "give one in the config: http.token"}
}

// behind lets through who has the right.
func (g *guard) behind(what right, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, no := g.enter(r, what); no != nil {
			no.tell(w)
			return
		}
		next.ServeHTTP(w, r)
	})
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
