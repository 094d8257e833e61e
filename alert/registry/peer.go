package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/outbound"
)

// maxAnswer bounds an answer, in bytes. A page of a list has the templates of its versions, and one of those may have 100,000
// characters, each of up to six bytes in JSON.
const maxAnswer = 16 << 20

const (
	// Page is how many versions a client asks for at once, where each comes with its template.
	Page = 20
	// MaxVersions is how many versions of a prompt a client reads, the newest. A rollback never goes back that far.
	MaxVersions = 2000
	// ListWithin is how long reading all pages of a list may take.
	ListWithin = 30 * time.Second
)

// PeerConfig is what a Peer needs. One of Username and Password, Token, Sign says who we are, or none.
type PeerConfig struct {
	URL                string // base; a query stays behind every path. May hold secrets
	Username, Password string // of basic authentication
	Token              string // bearer token
	Sign               func(r *http.Request, body []byte)
	AnyType            bool              // JSON is read also where its content type does not say so
	Transport          http.RoundTripper // nil for one of its own
	Now                func() time.Time  // for Retry-After as a date
}

// Peer is a registry that talks JSON over HTTP: what the clients below have in common. It calls once; trying again is the
// caller's part. For concurrent use. Its errors are a *Error without a secret in it.
type Peer struct {
	cfg     PeerConfig
	client  *http.Client
	secrets []string
}

// NewPeer returns a peer; it makes no call.
func NewPeer(cfg PeerConfig) *Peer {
	p := &Peer{cfg: cfg, client: outbound.NewClientUpTo(maxAnswer+1, cfg.Transport)}
	p.secrets = []string{cfg.URL, cfg.Password, cfg.Token}
	if u, err := url.Parse(cfg.URL); err == nil {
		p.secrets = append(p.secrets, u.RawQuery, u.User.String())
		for _, values := range u.Query() {
			p.secrets = append(p.secrets, values...)
		}
		if word, ok := u.User.Password(); ok {
			p.secrets = append(p.secrets, word)
		}
	}
	return p
}

// Request is a call.
type Request struct {
	Op     string // what it is for, for errors: "read current version of p"
	Method string
	Path   string // below the base, escaped
	Query  url.Values
	Header http.Header
	Body   any // sent as JSON; nil for none
}

// Answer is what came.
type Answer struct {
	outbound.Answer
	op      string
	peer    *Peer
	request *http.Request
}

// Call sends q. It fails where there was no answer at all; what an answer means is left to the caller.
func (p *Peer) Call(ctx context.Context, q Request) (Answer, error) {
	var body []byte
	if q.Body != nil {
		var err error
		if body, err = json.Marshal(q.Body); err != nil {
			return Answer{}, &Error{Op: q.Op, Kind: Wrong, Reason: "request cannot be encoded", Wrapped: err}
		}
	}
	r, err := http.NewRequestWithContext(ctx, q.Method, p.address(q), bytes.NewReader(body))
	if err != nil {
		return Answer{}, &Error{Op: q.Op, Kind: Wrong, Reason: "url is not an address", Hint: "mend registry.url"} // the cause would show it
	}
	for name, values := range q.Header {
		r.Header[name] = values
	}
	r.Header.Set("Accept", "application/json")
	if q.Body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	switch {
	case p.cfg.Token != "":
		r.Header.Set("Authorization", "Bearer "+p.cfg.Token)
	case p.cfg.Username != "" || p.cfg.Password != "":
		r.SetBasicAuth(p.cfg.Username, p.cfg.Password)
	}
	if p.cfg.Sign != nil {
		p.cfg.Sign(r, body)
	}
	a, err := outbound.Do(p.client, r)
	if err != nil {
		return Answer{}, p.silent(q.Op, r, err)
	}
	return Answer{a, q.Op, p, r}, nil
}

func (p *Peer) address(q Request) string {
	path, query, _ := strings.Cut(p.cfg.URL, "?")
	if more := q.Query.Encode(); more != "" {
		query = strings.TrimPrefix(query+"&"+more, "&")
	}
	path = strings.TrimRight(path, "/") + q.Path
	if query != "" {
		path += "?" + query
	}
	return path
}

// silent is the error of a call that got no answer.
func (p *Peer) silent(op string, r *http.Request, err error) *Error {
	e := &Error{Op: op, Kind: Unavailable, Reason: "no answer", Wrapped: errors.New(p.hide(err.Error(), r))}
	if refused := outbound.Refused(err); refused != nil {
		e.Reason, e.Hint = "the address is refused", refused.Hint()
	} else if text := err.Error(); strings.Contains(text, "certificate") || strings.Contains(text, "tls:") {
		e.Reason, e.Hint = "no answer by TLS", "is its certificate signed by an authority that this machine trusts, and for this host?"
	}
	return e
}

var secretHeader = regexp.MustCompile(`(?i)authorization|key|token|secret|signature`)

// hide takes secrets out of what a peer says.
func (p *Peer) hide(s string, r *http.Request) string {
	secrets := slices.Clone(p.secrets)
	for name, values := range r.Header {
		if !secretHeader.MatchString(name) {
			continue
		}
		for _, v := range values {
			_, word, _ := strings.Cut(v, " ") // behind Bearer, Basic
			secrets = append(secrets, v, word)
		}
	}
	return outbound.Redact(s, secrets...)
}

// OK says that the answer is 2xx.
func (a Answer) OK() bool { return a.Status >= 200 && a.Status < 300 }

// JSON decodes what a call answered that went well. A web page is refused: it comes from a proxy, a log-in, or a path that the
// registry does not know. A write that is answered like that may have been made: the error is Unavailable, and reading will show.
func (a Answer) JSON(out any) error {
	kind, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	switch {
	case len(a.Body) > maxAnswer:
		return a.wrong(fmt.Sprintf("the answer is longer than %d MiB", maxAnswer>>20), "")
	case kind == "text/html":
		return a.wrong("the answer is a web page, not JSON", "is registry.url the base address of the registry, without a path of its pages?")
	case kind != "application/json" && !a.peer.cfg.AnyType:
		return a.wrong("the answer is not JSON", "is registry.url the base address of the registry?")
	}
	if err := json.Unmarshal(a.Body, out); err != nil {
		return a.wrong("the answer is not the JSON that was expected", "")
	}
	return nil
}

func (a Answer) wrong(reason, hint string) *Error {
	kind := Wrong
	if a.request.Method != http.MethodGet {
		kind = Unavailable
	}
	return &Error{Op: a.op, Kind: kind, Reason: reason, Hint: hint}
}

// Refused is what an answer means that is not 2xx, as far as its status tells. Callers mend what they know better.
func (a Answer) Refused() *Error {
	e := &Error{Op: a.op, Kind: Wrong, Reason: fmt.Sprintf("the registry answered %d", a.Status)}
	switch {
	case outbound.Transient(a.Status):
		e.Kind, e.After = Unavailable, outbound.RetryAfter(a.Header, a.peer.cfg.Now())
	case a.Status == http.StatusUnauthorized:
		e.Kind, e.Hint = Denied, "the credentials under registry are missing, wrong or expired"
	case a.Status == http.StatusForbidden:
		e.Kind, e.Hint = Denied, "the credentials under registry are known, but lack the right"
	case a.Status >= 300 && a.Status < 400:
		e.Hint = "it redirects elsewhere: write that address as registry.url"
	}
	if text := a.text(); text != "" {
		e.Wrapped = errors.New(text)
	}
	return e
}

// text is the start of the answer as one line, for errors.
func (a Answer) text() string { return a.Quote(string(a.Body)) }

// Quote is the start of what the answer says, as one line without a secret, for errors.
func (a Answer) Quote(said string) string {
	const enough = 4 << 10 // a secret in the line that is shown lies within
	return outbound.Excerpt([]byte(a.peer.hide(said[:min(len(said), enough)], a.request)))
}

// Segment escapes a name for a path. It is false for what would name something else there.
func Segment(name string) (string, bool) {
	if name == "" || name == "." || name == ".." {
		return "", false
	}
	return url.PathEscape(name), true
}

// Unnameable is the error of a prompt whose name cannot be asked for.
func Unnameable(op string) *Error {
	return &Error{Op: op, Kind: NoPrompt, Reason: "no registry can have a prompt of this name"}
}
