package kafkalog

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"
)

// security is what the configuration does to a connection.
type security struct{ tls, certificate, sasl bool }

// refusedError says why one of both sides will not talk to the other, and what to do. Its text is the same each time, and has no secret in it.
type refusedError struct {
	says  string
	cause error
}

func (e *refusedError) Error() string { return e.says }
func (e *refusedError) Unwrap() error { return e.cause }

// hint says what to do about an error where that can be told: what comes from the libraries names neither the setting nor, always, what is wrong.
func (c *Client) hint(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*refusedError](err); ok {
		return err
	}
	says := c.security.certificates(err)
	if says == "" {
		says = c.security.authentication(err)
	}
	if says == "" && !c.worked() {
		says = c.security.closed(err)
	}
	if says == "" {
		return err
	}
	return &refusedError{says, err}
}

// worked tells whether any request was ever answered.
func (c *Client) worked() bool {
	c.health.Lock()
	defer c.health.Unlock()
	return c.health.worked
}

// certificates says what is wrong with the broker's certificate, or, for the broker, with ours.
func (s security) certificates(err error) string {
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		by := ""
		if e.Cert != nil && e.Cert.Issuer.CommonName != "" {
			by = fmt.Sprintf(" %q", e.Cert.Issuer.CommonName)
		}
		return fmt.Sprintf("the broker's certificate is not trusted: name the authority%s that signed it in kafka.tls.ca_file", by)
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("the broker's certificate is not for %s: name the brokers as their certificates do, in kafka.brokers and in the brokers' advertised.listeners", e.Host)
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if e.Reason == x509.Expired && e.Cert != nil { // the error itself has the time in it
			return fmt.Sprintf("the broker's certificate is good from %s to %s, which is not now: renew it, or set the clock of this machine",
				e.Cert.NotBefore.UTC().Format(time.DateTime), e.Cert.NotAfter.UTC().Format(time.DateTime))
		}
		return fmt.Sprintf("the broker's certificate cannot be trusted: %v", e)
	}
	e, ok := errors.AsType[*net.OpError](err)
	if !ok || e.Op != "remote error" {
		return ""
	}
	alert := strings.TrimPrefix(e.Err.Error(), "tls: ")
	switch alert {
	case "bad certificate", "certificate required", "unknown certificate", "unknown certificate authority", "expired certificate", "revoked certificate", "unsupported certificate":
		if !s.certificate {
			return fmt.Sprintf("the broker wants a certificate of the client (%s): set kafka.tls.cert_file and key_file", alert)
		}
		return fmt.Sprintf("the broker does not take the client's certificate (%s): is the one of kafka.tls.cert_file signed by an authority that the broker trusts, and has it not expired?", alert)
	}
	return fmt.Sprintf("the broker ends the TLS handshake: %s", alert)
}

// authentication says why the broker does not know the user.
func (s security) authentication(err error) string {
	code := kafka.Error(0)
	if !errors.As(err, &code) {
		return ""
	}
	switch code {
	case kafka.SASLAuthenticationFailed:
		_, detail, _ := strings.Cut(err.Error(), code.Error()+": ")
		if detail == "" {
			detail = code.Title()
		}
		return fmt.Sprintf("the broker refuses user or password: check kafka.sasl (%s)", detail)
	case kafka.UnsupportedSASLMechanism:
		return "the broker's listener does not know the mechanism of kafka.sasl: choose another mechanism or another listener"
	case kafka.IllegalSASLState:
		return "the broker's listener is not one for SASL: remove kafka.sasl, or name the port of another listener in kafka.brokers"
	}
	return ""
}

// closed says what may be wrong when brokers close connections and have never answered: that is how many refuse.
func (s security) closed(err error) string {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET) {
		return ""
	}
	const closes = "the broker closes the connection: "
	switch {
	case !s.tls && strings.Contains(err.Error(), "expecting TLS"):
		return closes + "its listener is one for TLS, set kafka.tls: {enabled: true}"
	case s.sasl && s.tls:
		return closes + "are mechanism, user and password of kafka.sasl right, and is the listener one for TLS and SASL?"
	case s.sasl:
		return closes + "are mechanism, user and password of kafka.sasl right, and is the listener one for SASL without TLS?"
	case s.tls:
		return closes + "is the listener one for TLS, and does it want a user (kafka.sasl)?"
	}
	return closes + "is the listener one for TLS or SASL? see kafka.tls and kafka.sasl"
}

// shutOut tells whether the broker lets nobody in with our credentials.
func shutOut(code kafka.Error) bool {
	switch code {
	case kafka.SASLAuthenticationFailed, kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState:
		return true
	}
	return false
}
