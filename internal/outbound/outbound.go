// Package outbound holds what every HTTP call of driftd to the outside world has in common: a client that follows no
// redirect, waits no longer than it must and does not call what is none of its business, answers read up to a limit,
// Retry-After in both of its forms, waits between tries, and errors that cannot carry a secret.
package outbound

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Timeout is the whole time that one call may take, from dialling to the last byte of the answer.
const Timeout = 10 * time.Second

// BodyLimit is how much of an answer is read, in bytes.
const BodyLimit = 64 << 10

// NewClient returns a client with limits: the whole call within Timeout, redirects returned and not followed (they
// would carry a signed body or a token to another host), bodies cut at BodyLimit. Nil takes a NewTransport of its own that
// allows nothing out of the ordinary.
func NewClient(rt http.RoundTripper) *http.Client { return NewClientUpTo(BodyLimit, rt) }

// NewClientUpTo is NewClient for peers whose answers are longer: bodies are cut at limit bytes.
func NewClientUpTo(limit int64, rt http.RoundTripper) *http.Client {
	if rt == nil {
		rt = NewTransport(Guard{})
	}
	return &http.Client{
		Transport:     limited{rt, limit},
		Timeout:       Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// limited cuts the body of every answer, tells the peer who asks, and turns the date in a Retry-After into seconds.
type limited struct {
	next  http.RoundTripper
	limit int64
}

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.UserAgent() == "" {
		r = r.Clone(r.Context())
		r.Header.Set("User-Agent", "driftd")
	}
	resp, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if at, err := http.ParseTime(resp.Header.Get("Retry-After")); err == nil { // client libraries often read seconds alone
		wait := min(max(time.Until(at), 0), maxRetryAfter)
		resp.Header.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, l.limit), resp.Body}
	return resp, nil
}

// Answer is a whole HTTP answer.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // at most as much as the client reads
}

// Do sends r and reads the answer. Its errors do not show the URL.
func Do(c *http.Client, r *http.Request) (Answer, error) {
	resp, err := c.Do(r)
	if err != nil {
		return Answer{}, Hide(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("read answer: %w", Hide(err))
	}
	return Answer{resp.StatusCode, resp.Header, body}, nil
}

// Transient says whether an answer of this status is worth another try: 408, 425, 429 and 5xx.
func Transient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// maxRetryAfter bounds what a peer may ask for, so that a wrong header cannot silence a receiver for a year.
const maxRetryAfter = time.Hour

// RetryAfter reads the header of that name, seconds or a date, as a wait from now: 0 when there is none, at most an hour.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if sec, err := strconv.ParseFloat(v, 64); err == nil {
		if !(sec > 0) {
			return 0
		}
		return time.Duration(min(sec, maxRetryAfter.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// Delay is the wait before try n+1 after n failures in a row, n from 1: a second, doubled each time up to a minute, and
// up to a fifth less by chance so that many do not come back at once.
func Delay(n int) time.Duration {
	d := time.Minute
	if n < 7 {
		d = min(d, time.Second<<max(n-1, 0))
	}
	return d - time.Duration(rand.Int64N(int64(d)/5))
}

// Hide returns err without the URL that net/http puts into its errors: a URL may itself be a secret. What errors.Is and
// errors.As find below stays.
func Hide(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		if e.Timeout() {
			return fmt.Errorf("no answer in time: %w", e.Err)
		}
		return e.Err
	}
	return err
}

// Redact replaces each of the secrets in s, also where it stands escaped in a URL. A last line of defence for texts that
// come from a peer.
func Redact(s string, secrets ...string) string {
	for _, secret := range secrets {
		if len(secret) < 4 {
			continue
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			s = strings.ReplaceAll(s, form, "***")
		}
	}
	return s
}

// shortPiece is the length below which a part of an address is no secret, in bytes: services put keys of twenty and more there.
const shortPiece = 12

// Pieces are the parts of an address that may be secrets: the whole, what is behind the host, and each long segment of the path and value of the
// query. A peer that says what it was asked for may say any of them.
func Pieces(u *url.URL) []string {
	all := []string{u.String(), u.RequestURI(), u.User.String()}
	if password, ok := u.User.Password(); ok {
		all = append(all, password)
	}
	parts := strings.Split(u.Path, "/")
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	for _, part := range parts {
		if len(part) >= shortPiece {
			all = append(all, part)
		}
	}
	return all
}

// Excerpt returns the start of a peer's answer as one printable line of at most 200 bytes, for errors. Redact comes before it: a secret that
// was cut is not found any more.
func Excerpt(body []byte) string {
	const limit = 200
	s := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return ' '
		}
		return r
	}, string(body[:min(len(body), limit)]))
	return strings.Join(strings.Fields(s), " ")
}
