package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/web"
)

const (
	defaultURL   = "http://127.0.0.1:8430"
	answerWithin = 30 * time.Second
	maxAnswer    = 256 << 20
	maxTokenFile = 64 << 10
)

const clientHelp = `
The daemon is asked by HTTP: at --url, else DRIFTD_URL, else ` + defaultURL + `. A token comes from --token-file, else
DRIFTD_TOKEN; on the daemon's own machine none is needed where its config has none. For https, --ca-file names the
authority of the daemon's certificate where the system does not know it, and --cert-file and --key-file the certificate
that you are known by.
Exit codes: 0 fine, 1 it did not work, 2 usage.
`

// client asks a daemon.
type client struct {
	name          string // of the command, for errors
	stdout        io.Writer
	stderr        io.Writer
	url, tokenIn  *string
	tls           config.TLS
	json          *bool
	base          *url.URL
	token, author string
	http          *http.Client
}

// newClient adds the flags that all commands share which talk to a daemon.
func newClient(name, args, more string, stdout, stderr io.Writer) (*client, *flag.FlagSet) {
	fs := newFlags(name, args, stderr)
	c := &client{name: name, stdout: stdout, stderr: stderr}
	c.url = fs.String("url", "", "where the daemon answers: `URL`; else DRIFTD_URL, else "+defaultURL)
	c.tokenIn = fs.String("token-file", "", "`FILE` with the token; else DRIFTD_TOKEN")
	fs.StringVar(&c.tls.CAFile, "ca-file", "", "PEM `FILE` with the authorities of the daemon's certificate; else DRIFTD_CA_FILE, else those of the system")
	fs.StringVar(&c.tls.CertFile, "cert-file", "", "PEM `FILE` with your certificate; else DRIFTD_CERT_FILE")
	fs.StringVar(&c.tls.KeyFile, "key-file", "", "PEM `FILE` with its key; else DRIFTD_KEY_FILE")
	c.json = fs.Bool("json", false, "print the daemon's answer as JSON, and nothing else")
	usage := fs.Usage
	fs.Usage = func() { usage(); fmt.Fprint(fs.Output(), more+clientHelp) }
	return c, fs
}

// open reads what the flags name. It returns an exit code where that cannot be.
func (c *client) open() (code int, ok bool) {
	address := *c.url
	if address == "" {
		address = os.Getenv("DRIFTD_URL")
	}
	if address == "" {
		address = defaultURL
	}
	var err error
	if c.base, err = url.Parse(address); err != nil || c.base.Host == "" || c.base.Scheme != "http" && c.base.Scheme != "https" {
		return c.usage("%q is no address of a daemon\n    such as %s", address, defaultURL), false
	}
	if c.base.User != nil {
		return c.usage("a user or password in the address is not supported\n    use --token-file or DRIFTD_TOKEN"), false
	}
	c.token = os.Getenv("DRIFTD_TOKEN")
	if *c.tokenIn != "" {
		if c.token, err = readToken(*c.tokenIn); err != nil {
			return c.failed(err), false
		}
	}
	c.author = os.Getenv("USER")
	transport, code, ok := c.transport()
	if !ok {
		return code, false
	}
	c.http = &http.Client{
		Timeout: answerWithin, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return 0, true
}

// transport has the certificates that the flags name.
func (c *client) transport() (t *http.Transport, code int, ok bool) {
	for name, file := range map[string]*string{"DRIFTD_CA_FILE": &c.tls.CAFile, "DRIFTD_CERT_FILE": &c.tls.CertFile, "DRIFTD_KEY_FILE": &c.tls.KeyFile} {
		*file = cmp.Or(*file, os.Getenv(name))
	}
	if (c.tls.CertFile == "") != (c.tls.KeyFile == "") {
		return nil, c.usage("--cert-file and --key-file go together"), false
	}
	c.tls.Enabled = true
	security, err := c.tls.Config()
	if err != nil {
		return nil, c.failed(err), false
	}
	t = http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = security
	return t, 0, true
}

func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxTokenFile))
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" || strings.ContainsAny(token, "\r\n") {
		return "", fmt.Errorf("read token: %s does not hold one line", path)
	}
	return token, nil
}

// apiError is what a daemon answers when something cannot be.
type apiError struct {
	code int
	web.Problem
}

func (e *apiError) Error() string { return hinted(e.Problem.Error, e.Hint) }

// hinted is a problem with its hint below.
func hinted(problem, hint string) string {
	problem = phrase.Clean(problem)
	if hint == "" {
		return problem
	}
	return problem + "\n    " + phrase.Clean(hint)
}

const listsIDs = "driftd alerts, driftd rollback --list and driftd silence --list have them"

// isID says whether text can be an id, or the beginning of one: what else a person has typed must not become part of an address.
func (c *client) isID(text string) (code int, ok bool) {
	if text == "" || len(text) > 200 || strings.Trim(text, ".") == "" {
		return c.usage("%q is no id\n    %s", phrase.Cut(text, 100), listsIDs), false
	}
	return 0, true
}

// ask asks for path, below /api/v1, and decodes the answer into out.
func (c *client) ask(ctx context.Context, method, path string, query url.Values, in, out any) error {
	u := c.base.JoinPath("api/v1", path)
	u.RawQuery = query.Encode()
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		e := &apiError{code: resp.StatusCode}
		if json.Unmarshal(data, &e.Problem) != nil || e.Problem.Error == "" {
			hint := "give the right one with --url or DRIFTD_URL"
			if c.base.Scheme == "http" && bytes.HasPrefix(data, []byte("Client sent an HTTP request to an HTTPS server")) {
				hint = "it answers by https: give it as https:// with --url or DRIFTD_URL"
			}
			return errors.New(hinted(fmt.Sprintf("what answers at %s is no driftd: it says %s", c.base.Redacted(), resp.Status), hint))
		}
		if e.code == http.StatusUnauthorized {
			known := e.Hint
			e.Hint = "set DRIFTD_TOKEN, or give --token-file; it must be http.token or one of http.tokens of the daemon's config"
			if strings.Contains(known, "client_ca_file") {
				e.Hint += ", or give --cert-file and --key-file"
			}
		}
		if e.code == http.StatusNotFound && strings.HasPrefix(e.Hint, "GET ") {
			e.Hint = listsIDs
		}
		return e
	}
	if err := json.Unmarshal(data, out); err != nil {
		return errors.New(hinted(fmt.Sprintf("what answers at %s is no driftd: %v", c.base.Redacted(), err), "give the right one with --url or DRIFTD_URL"))
	}
	return nil
}

func (c *client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op != "remote error" {
		err = e.Err
	}
	return errors.New(hinted(fmt.Sprintf("no daemon can be asked at %s: %v", c.base.Redacted(), err), c.wayOut(err)))
}

// wayOut says what to do where no daemon answers.
func (c *client) wayOut(err error) string {
	const tries = "is driftd run running there? give another place with --url or DRIFTD_URL"
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "name its authority with --ca-file or DRIFTD_CA_FILE"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "give the name that stands in its certificate with --url or DRIFTD_URL"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return "its certificate has to be made anew"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || c.base.Scheme == "https" && errors.Is(err, http.ErrSchemeMismatch) {
		return "it does not answer by https: give it as http:// with --url or DRIFTD_URL"
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok || strings.HasPrefix(err.Error(), "remote error: tls: ") {
		return "it takes other certificates than the one of --cert-file"
	}
	return tries
}

// failed prints an error and gives the exit code.
func (c *client) failed(err error) int {
	fmt.Fprintf(c.stderr, "driftd %s: %v\n", c.name, err)
	return exitWrong
}

func (c *client) usage(format string, args ...any) int {
	fmt.Fprintf(c.stderr, "driftd %s: "+format+"\n", append([]any{c.name}, args...)...)
	return exitUsage
}

// printJSON prints what the daemon answered.
func (c *client) printJSON(v any) int {
	data, err := phrase.JSON(v)
	if err == nil {
		_, err = c.stdout.Write(data)
	}
	if err != nil {
		return c.failed(fmt.Errorf("write: %w", err))
	}
	return exitFine
}

// by names the person at this terminal.
func (c *client) by() web.By { return web.By{Author: c.author} }

// pending says that what was asked for was written but is not seen yet; that is no failure.
func pending(err error) (*apiError, bool) {
	e, ok := errors.AsType[*apiError](err)
	return e, ok && e.code == http.StatusAccepted
}

// shortIDs cuts ids to their first characters, eight or as many more as tell them apart.
func shortIDs(ids []string) func(id string) string {
	n := 8
	for ; n < 32; n++ {
		seen := make(map[string]string)
		clash := false
		for _, id := range ids {
			head := id[:min(n, len(id))]
			clash = clash || seen[head] != "" && seen[head] != id
			seen[head] = id
		}
		if !clash {
			break
		}
	}
	return func(id string) string {
		head, step, ok := strings.Cut(id, "-")
		head = head[:min(n, len(head))]
		if ok {
			return head + "-" + step
		}
		return head
	}
}
