package slack

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/driftd/driftd/internal/outbound"
)

// domains are Slack's own, and what is below them: the second is that of its service for governments.
var domains = []string{"slack.com", "slack-gov.com"}

// hosts holds calls to Slack. Some addresses come from outside, in an answer or with what was pressed: where a file is uploaded to,
// where a person is answered, where a socket is opened. None of them leads anywhere else.
type hosts struct {
	base *url.URL // of the Web API; nil is Slack's own
	next http.RoundTripper
}

func newHosts(apiURL string, next http.RoundTripper) hosts {
	if next == nil {
		next = outbound.NewTransport(outbound.Guard{})
	}
	h := hosts{next: next}
	if apiURL != "" {
		h.base, _ = url.Parse(apiURL) // what is no address cannot be called anyway
	}
	return h
}

// RoundTrip implements http.RoundTripper.
func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := h.check(r.URL); err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	return h.next.RoundTrip(r)
}

// check returns an *outbound.RefusedError for what is not Slack's.
func (h hosts) check(u *url.URL) error {
	if h.base != nil {
		if u.Scheme == h.base.Scheme && strings.EqualFold(u.Host, h.base.Host) {
			return nil
		}
		return outbound.Refuse("it is not where Slack's API is")
	}
	name := strings.ToLower(u.Hostname())
	for _, d := range domains {
		if u.Scheme == "https" && (u.Port() == "" || u.Port() == "443") && (name == d || strings.HasSuffix(name, "."+d)) {
			return nil
		}
	}
	return outbound.Refuse("it is no https address of Slack")
}

// proxy is http.ProxyFromEnvironment, for the addresses of sockets that are Slack's.
func (h hosts) proxy(r *http.Request) (*url.URL, error) {
	if err := h.check(r.URL); err != nil {
		return nil, err
	}
	return http.ProxyFromEnvironment(r)
}
