package alert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/driftd/driftd/internal/outbound"
)

// Post is one call of a receiver over HTTP.
type Post struct {
	URL     string // may hold secrets
	Header  http.Header
	Body    []byte   // JSON
	Secrets []string // beside the URL, what no error may show
}

// Send makes the call and says what a failure means for the next try: no answer, 408, 425, 429 and 5xx are Unavailable, all
// others but 2xx are Refused. Its errors show neither the URL nor the secrets.
func (p *Post) Send(ctx context.Context, c *http.Client, now time.Time) (outbound.Answer, *Failure) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, bytes.NewReader(p.Body))
	if err != nil {
		return outbound.Answer{}, &Failure{Kind: Blocked, Reason: "url is not an address"} // the cause would show it
	}
	for k, v := range p.Header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/json")
	hide := func(s string) string {
		return outbound.Redact(s, slices.Concat([]string{p.URL}, p.Secrets, outbound.Pieces(req.URL))...)
	}
	a, err := outbound.Do(c, req)
	if err != nil {
		return a, Unanswered("no answer", err, errors.New(hide(err.Error())))
	}
	if a.Status >= 200 && a.Status < 300 {
		return a, nil
	}
	f := &Failure{Kind: Refused, Reason: fmt.Sprintf("answered %d", a.Status)}
	if text := outbound.Excerpt([]byte(hide(string(a.Body)))); text != "" {
		f.Err = errors.New(text)
	}
	if outbound.Transient(a.Status) {
		f.Kind, f.After = Unavailable, outbound.RetryAfter(a.Header, now)
	}
	switch a.Status {
	case http.StatusTooManyRequests:
		f.Trouble = TroubleRateLimited
	case http.StatusServiceUnavailable:
		f.Trouble = TroubleDown // even where it says for how long
	}
	return a, f
}

// Unanswered is what it means that a call had no answer: it is tried again, unless the address is one that driftd does not call. Shown
// is err as it may be shown.
func Unanswered(reason string, err, shown error) *Failure {
	if r := outbound.Refused(err); r != nil {
		return &Failure{Kind: Blocked, Trouble: TroubleAddress, Reason: "the address is refused", Hint: r.Hint(), Err: shown}
	}
	op, ok := errors.AsType[*net.OpError](err)
	return &Failure{Kind: Unavailable, Reason: reason, Unsent: ok && op.Op == "dial" || errors.Is(err, outbound.ErrHeld), Err: shown}
}

// Mendable turns a refusal that is about the credentials or the address, and not about what was sent, into one that a person
// can mend: nothing is lost meanwhile. Check is what to look at when the credentials are refused.
func (f *Failure) Mendable(status int, check string) *Failure {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		f.Kind, f.Trouble, f.Hint = Blocked, TroubleCredentials, "check "+check
	case status >= 300 && status < 400, status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status == http.StatusGone:
		f.Kind, f.Trouble, f.Hint = Blocked, TroubleAddress, "check the address"
	}
	return f
}

// WebLink returns address if it is one that a person may follow and a program will take, else nothing: http or https, with
// a host and no user.
func WebLink(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || len(address) > 2000 {
		return ""
	}
	return u.String()
}
