package outbound

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// RefusedError says that an address may not be called. It is found before anything is sent there.
type RefusedError struct{ what, why, hint string }

// Refuse returns one for an address that is not what it should be.
func Refuse(why string) *RefusedError { return &RefusedError{why: why, hint: "check the address"} }

func (e *RefusedError) Error() string {
	if e.what != "" {
		return "refused to call " + e.what + ": " + e.why
	}
	return "refused to call: " + e.why
}

// Why is the reason alone.
func (e *RefusedError) Why() string { return e.why }

// Hint is what a person may do about it.
func (e *RefusedError) Hint() string { return e.hint }

// Refused returns the RefusedError that err stands on, nil for none.
func Refused(err error) *RefusedError {
	e, _ := errors.AsType[*RefusedError](err)
	return e
}

// guarded are the networks that answer whoever asks with what belongs to the machine: its credentials, its start-up scripts,
// its neighbours on the link. Private and loopback networks are not among them: that is where receivers live.
var guarded = []struct {
	network netip.Prefix
	is      string
}{
	{netip.MustParsePrefix("169.254.0.0/16"), "it is link-local, as the metadata services of clouds are"},
	{netip.MustParsePrefix("fe80::/10"), "it is link-local"},
	{netip.MustParsePrefix("fd00:ec2::/32"), "it is a metadata service of a cloud"}, // AWS
	{netip.MustParsePrefix("fd20:ce::/32"), "it is a metadata service of a cloud"},  // Google
	{netip.MustParsePrefix("100.100.100.200/32"), "it is a metadata service of a cloud"},
	{netip.MustParsePrefix("192.0.0.192/32"), "it is a metadata service of a cloud"},
	{netip.MustParsePrefix("168.63.129.16/32"), "it is a metadata service of a cloud"},
}

// Guard decides which addresses may be called: all but link-local ones and metadata services of clouds. The zero value allows none
// of these; Allow takes networks out again. For concurrent use.
type Guard struct{ Allow []netip.Prefix }

// Check returns a *RefusedError for an address that may not be called. An IPv4 address counts as itself in whatever form of IPv6
// it is wrapped.
func (g Guard) Check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	for _, a := range []netip.Addr{addr, embedded(addr)} {
		for _, n := range guarded {
			if n.network.Contains(a) && !g.allowed(a) && !g.allowed(addr) {
				return &RefusedError{addr.String(), n.is, "check the address, or add its network to outgoing.allow"}
			}
		}
	}
	return nil
}

func (g Guard) allowed(addr netip.Addr) bool {
	for _, n := range g.Allow {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
	sixto4  = netip.MustParsePrefix("2002::/16")
	compat4 = netip.MustParsePrefix("::/96") // obsolete, and some stacks still take it
)

// embedded is the IPv4 address that a gateway makes of an IPv6 one, zero where there is none.
func embedded(addr netip.Addr) netip.Addr {
	b := addr.As16()
	switch {
	case nat64.Contains(addr), compat4.Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixto4.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return netip.Addr{}
}

// URL checks what can be known of an address before a name is looked up: the scheme, and the address where no name stands.
func (g Guard) URL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return Refuse("it begins with neither https:// nor http://")
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		return g.Check(addr)
	}
	return nil
}

// control is asked by the dialer for each address that a name has, before it connects: a name that stood for something else when
// it was looked at does not get round it.
func (g Guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return Refuse("it is no address of a network")
	}
	return g.Check(at.Addr())
}

// DialContext connects, as net.Dialer does, to what may be called.
func (g Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return g.dialer().DialContext(ctx, network, address)
}

func (g Guard) dialer() *net.Dialer {
	return &net.Dialer{Timeout: 5 * time.Second, ControlContext: g.control}
}

// headerLimit is how many bytes of headers an answer may have.
const headerLimit = 64 << 10

// NewTransport returns a transport that calls what g allows and nothing else. Where the environment names a proxy, the proxy is what
// is dialled and must be allowed; an address without a name is checked all the same, what a name stands for is the proxy's to know.
func NewTransport(g Guard) http.RoundTripper { return newTransport(g, g.dialer()) }

func newTransport(g Guard, d *net.Dialer) http.RoundTripper {
	return gate{g, &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            d.DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  Timeout,
		MaxResponseHeaderBytes: headerLimit,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    4,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: Timeout, PingTimeout: 5 * time.Second}, // finds connections that died without a word
	}}
}

// gate checks addresses before a proxy could be asked for them.
type gate struct {
	guard Guard
	next  *http.Transport
}

func (t gate) RoundTrip(r *http.Request) (*http.Response, error) {
	err := t.guard.URL(r.URL)
	if ok, asked := r.Context().Value(whileKey{}).(func() bool); err == nil && asked && !ok() {
		err = ErrHeld
	}
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	return t.next.RoundTrip(r)
}

// CloseIdleConnections is called by http.Client's method of that name.
func (t gate) CloseIdleConnections() { t.next.CloseIdleConnections() }

// ErrHeld is why a request was not sent that While has forbidden.
var ErrHeld = errors.New("not sent: driftd stood still, another instance may have taken over")

type whileKey struct{}

// While returns a context in which requests are sent only as long as ok says so; it is asked right before each one.
func While(ctx context.Context, ok func() bool) context.Context {
	return context.WithValue(ctx, whileKey{}, ok)
}
