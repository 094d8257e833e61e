package hooks

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/slack"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/signature"
)

const secret = "lf-whsec_0123456789abcdef"

// caller is a registry that calls.
type caller struct {
	*topic
	h *Handler
	n int
}

func (w *topic) handler(kind string) *caller {
	w.t.Helper()
	h, err := NewHandler(HandlerConfig{Kind: kind, Label: "production", Secret: secret, Now: w.clock}, w.intake)
	if err != nil {
		w.t.Fatal(err)
	}
	return &caller{topic: w, h: h}
}

// sign signs as each kind does.
func (c *caller) sign(r *http.Request, id, body string, at time.Time) {
	ts := strconv.FormatInt(at.Unix(), 10)
	switch c.h.cfg.Kind {
	case "mlflow":
		r.Header.Set("X-MLflow-Delivery-Id", id)
		r.Header.Set("X-MLflow-Timestamp", ts)
		r.Header.Set("X-MLflow-Signature", "v1,"+base64.StdEncoding.EncodeToString(sum([]byte(secret), id+"."+ts+"."+body)))
	case "langfuse":
		r.Header.Set("x-langfuse-signature", "t="+ts+",v1="+hex.EncodeToString(sum([]byte(secret), ts+"."+body)))
	default:
		key, err := signature.ParseKey(secret)
		if err != nil {
			c.t.Fatal(err)
		}
		key.Sign(r.Header, id, at, []byte(body))
	}
}

func (c *caller) send(r *http.Request) int {
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	if strings.Contains(w.Body.String(), secret) {
		c.t.Errorf("the answer shows the secret: %s", w.Body)
	}
	return w.Code
}

func (c *caller) again(id, body string) int {
	r := httptest.NewRequest("POST", "/hooks/registry", strings.NewReader(body))
	c.sign(r, id, body, c.now)
	return c.send(r)
}

func (c *caller) call(want int, body string) {
	c.t.Helper()
	c.n++
	if got := c.again(fmt.Sprint("d", c.n), body); got != want {
		c.t.Errorf("%s: %d, want %d", body, got, want)
	}
}

func mlflow(alias, version string) string {
	return fmt.Sprintf(`{"entity": "prompt_alias", "action": "created", "timestamp": "2026-11-21T11:58:02.794639+00:00",
		"data": {"name": "p", "alias": %q, "version": %q}}`, alias, version)
}

func langfuse(id string, version int, user, labels string) string {
	return fmt.Sprintf(`{"id":%q,"timestamp":"2026-11-21T11:59:59.000Z","type":"prompt-version","apiVersion":"v1","action":"updated",%s
		"prompt":{"id":"cm1","name":"p","version":%d,"projectId":"x","labels":%s,"prompt":"You are","type":"text","config":{},"tags":[],"updatedAt":"2026-11-21T11:58:00.000Z"}}`, id, user, version, labels)
}

func TestMLflow(t *testing.T) {
	c := newTopic(t).handler("mlflow")
	c.call(204, mlflow("staging", "24"))
	c.call(204, `{"entity": "prompt_alias", "action": "deleted", "data": {"name": "p", "alias": "production"}}`)
	c.call(204, `{"entity": "prompt_version", "action": "created", "data": {"name": "p", "version": "24"}}`)
	c.want("")
	c.counted(metricHooks, ignored, 3)
	c.call(204, mlflow("production", "23"))
	c.want(`p 23 for "" by registry at 11:58:02`)
	c.call(204, strings.ReplaceAll(mlflow("production", "24"), "11:58:02", "11:59:30"))
	c.want(`p 23 for "" by registry at 11:58:02; p 24 for "23" by registry at 11:59:30`)
	c.counted(metricHooks, told, 2)
}

// TestLangfuse: a move is two calls in no order, and only the one about the version that has the label now says something.
func TestLangfuse(t *testing.T) {
	c := newTopic(t).handler("langfuse")
	c.spoken = []string{"v22", "v23"}
	c.call(204, langfuse("e1", 22, "", `["stable"]`))
	c.call(204, langfuse("e2", 23, `"user":{"name":"Jane\nDoe","email":"jane@example.com"},`, `["latest","production"]`))
	c.want(`p v23 for "" by Jane Doe at 11:58:00`) // by the name that spans have
	c.call(204, langfuse("e3", 23, "", `["latest","production"]`))
	c.counted(metricHooks, known, 1)
	c.call(204, strings.Replace(langfuse("e4", 24, "", `["production"]`), "updated", "deleted", 1))
	c.call(204, strings.Replace(langfuse("e5", 24, `"user":{"name":null,"email":"joe@example.com"},`, `["production"]`), "updated", "created", 1))
	c.want(`p v23 for "" by Jane Doe at 11:58:00; p 24 for "v23" by joe@example.com at 11:58:00`)
}

func TestGeneric(t *testing.T) {
	c := newTopic(t).handler("webhook")
	c.call(204, `{"prompt":"p","version":"v23","author":"jane","time":"2026-11-21T11:58:00+01:00"}`)
	c.call(204, `{"prompt":"q","version":7,"time":"yesterday"}`)
	c.call(204, `{"prompt":"r","version":"v1","author":"driftd","time":"2026-11-21T12:30:00Z"}`) // its clock is ahead
	c.want(`p v23 for "" by jane at 10:58:00; q 7 for "" by registry at 12:00:00; r v1 for "" by registry at 12:00:00`)
	for _, body := range []string{``, `null`, `[]`, `{"prompt":"p"}`, `{"version":"v1"}`, `{"prompt":7,"version":"v1"}`, `{"prompt":"p","version":{}}`,
		`{"prompt":"` + strings.Repeat("x", 2000) + `","version":"v1"}`} {
		c.call(400, body)
	}
	c.counted(metricHooks, unreadable, 8)
}

// TestForeignActors: who calls themselves by a name that driftd gives is not shown by it.
func TestForeignActors(t *testing.T) {
	for author, want := range map[string]string{
		"Driftd": "registry", "token:ops for jane": "registry: token:ops for jane", "Slack:U012 (jane)": "registry: Slack:U012 (jane)",
		"local for jane": "registry: local for jane", "localhost": "localhost", "jane": "jane",
	} {
		c := newTopic(t).handler("webhook")
		c.call(204, `{"prompt":"p","version":"v1","author":"`+author+`"}`)
		c.want(`p v1 for "" by ` + want + ` at 12:00:00`)
	}
}

func TestSignatures(t *testing.T) {
	for _, kind := range []string{"mlflow", "langfuse", "webhook", "phoenix"} {
		w := newTopic(t)
		c := w.handler(kind)
		body := map[string]string{"mlflow": mlflow("production", "23"), "langfuse": langfuse("e1", 23, "", `["production"]`)}[kind]
		if body == "" {
			body = `{"prompt":"p","version":"v23"}`
		}
		f := func(what string, want int, change func(r *http.Request)) {
			t.Helper()
			r := httptest.NewRequest("POST", "/hooks/registry", strings.NewReader(body))
			c.sign(r, "d1", body, c.now)
			change(r)
			if got := c.send(r); got != want {
				t.Errorf("%s, %s: %d, want %d", kind, what, got, want)
			}
		}
		header := map[string]string{"mlflow": "X-MLflow-Signature", "langfuse": "X-Langfuse-Signature"}[kind]
		if header == "" {
			header = signature.HeaderSignature
		}
		f("none", 401, func(r *http.Request) { r.Header.Del(header) })
		f("empty", 401, func(r *http.Request) { r.Header.Set(header, "v1,") })
		f("of nothing", 401, func(r *http.Request) { r.Header.Set(header, "t=,v1=") })
		f("another body", 401, func(r *http.Request) { r.Body = httptest.NewRequest("POST", "/", strings.NewReader(body+" ")).Body })
		f("another key", 401, func(r *http.Request) {
			good := r.Header.Get(header)
			last := map[bool]byte{true: 'A', false: 'B'}[good[len(good)-2] != 'A']
			r.Header.Set(header, good[:len(good)-2]+string(last)+good[len(good)-1:])
		})
		f("too old", 401, func(r *http.Request) { c.sign(r, "d1", body, c.now.Add(-signature.Tolerance-time.Second)) })
		f("too new", 401, func(r *http.Request) { c.sign(r, "d1", body, c.now.Add(signature.Tolerance+time.Second)) })
		w.want("")
		w.counted(metricHooks, unsigned, 7)
		f("good", 204, func(*http.Request) {})
		f("the same again", 204, func(*http.Request) {})
		w.counted(metricHooks, told, 1)
		w.counted(metricHooks, replayed, 1)
	}
	for _, bad := range []string{"", "whsec_%"} {
		if _, err := NewHandler(HandlerConfig{Secret: bad}, nil); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestMLflowVector is a call in the form in which MLflow 3.17.2 makes it, signed by other code.
func TestMLflowVector(t *testing.T) {
	h := http.Header{}
	h.Set("X-MLflow-Delivery-Id", "82b34835-0000-4000-8000-000000000000")
	h.Set("X-MLflow-Timestamp", "1795246241")
	body := `{"entity": "prompt_alias", "action": "created", "timestamp": "2026-11-21T07:30:41.794639+00:00", "data": {"name": "summarize", "alias": "production", "version": "2"}}`
	h.Set("X-MLflow-Signature", "v1,U8hRBHJoXnGoEaGmGdCngGTRkx3+S5Pl5VQ6KnVxxhI=")
	id, ok := mlflowVerifier([]byte("topsecret"))(h, []byte(body), time.Unix(1795246300, 0))
	if !ok || id != "82b34835-0000-4000-8000-000000000000" {
		t.Errorf("%q %v", id, ok)
	}
}

func TestTooLarge(t *testing.T) {
	c := newTopic(t).handler("webhook")
	c.call(413, `{"prompt":"p","version":"v1","author":"`+strings.Repeat("x", bodyLimit)+`"}`)
}

// TestReplayMemory is bounded, by time and by number.
func TestReplayMemory(t *testing.T) {
	c := newTopic(t).handler("webhook")
	for i := range 2 * most {
		if !c.h.begin(fmt.Sprint(i)) || len(c.h.mu.order) > most || len(c.h.mu.seen) > most {
			t.Fatalf("delivery %d: %d remembered", i, len(c.h.mu.order))
		}
	}
	if c.h.begin(fmt.Sprint(2*most - 1)) {
		t.Error("a delivery is new twice")
	}
	c.now = c.now.Add(remembered + time.Second)
	if !c.h.begin("x") || len(c.h.mu.order) != 1 {
		t.Errorf("%d remembered", len(c.h.mu.order))
	}
}

// TestOwnMoves: what driftd has asked the registry for comes back as a call, before or after its own record of it.
func TestOwnMoves(t *testing.T) {
	w := newTopic(t, promoted("v23", noon.Add(-time.Hour)), ours(detector.RollbackPromoting, noon.Add(-time.Second)))
	c := w.handler("webhook")
	before := w.told()
	c.call(204, `{"prompt":"p","version":"v22"}`)
	w.counted(metricHooks, own, 1)
	w.add(ours(detector.RollbackPromoted, noon))
	c.call(204, `{"prompt":"p","version":"v22"}`)
	w.counted(metricHooks, known, 1)
	w.want(before)
	w.now = noon.Add(time.Minute)
	c.call(204, `{"prompt":"p","version":"v23","author":"jane"}`) // a person wins
	w.want(before + `; p v23 for "v22" by jane at 12:01:00`)
	c.call(204, `{"prompt":"p","version":"v22","time":"2026-11-21T12:00:30Z"}`) // delivered late
	w.counted(metricHooks, late, 1)
	w.want(before + `; p v23 for "v22" by jane at 12:01:00`)
}

// TestGivenUp: a promotion that was given up may still come through for a while; later it is somebody else's.
func TestGivenUp(t *testing.T) {
	w := newTopic(t, ours(detector.RollbackPromoting, noon.Add(-time.Minute)), ours(detector.RollbackFailed, noon))
	c := w.handler("webhook")
	w.now = noon.Add(settled - time.Second)
	c.call(204, `{"prompt":"p","version":"v22"}`)
	w.counted(metricHooks, own, 1)
	w.now = noon.Add(settled)
	c.call(204, `{"prompt":"p","version":"v22","author":"jane"}`)
	w.want(`p v22 for "" by jane at 12:02:00`)
}

// TestBehind: as long as it is not known what the topic has, nothing is told, and the registry is to try again.
func TestBehind(t *testing.T) {
	w := newTopic(t)
	c := w.handler("webhook")
	w.behind = true
	at := w.add(ours(detector.RollbackPromoting, noon))
	const body = `{"prompt":"p","version":"v22"}`
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	r := httptest.NewRequest("POST", "/hooks/registry", strings.NewReader(body)).WithContext(ctx)
	c.sign(r, "first", body, c.now)
	if got := c.send(r); got != 503 {
		t.Errorf("%d", got)
	}
	w.counted(metricHooks, failed, 1)
	w.behind = false
	w.book.Fold(0, alert.Entry{Offset: at, Record: ours(detector.RollbackPromoting, noon)})
	if got := c.again("first", body); got != 204 { // the same delivery
		t.Errorf("%d", got)
	}
	w.counted(metricHooks, own, 1)

	w.down = errDown
	c.call(503, `{"prompt":"p","version":"v25"}`)
	w.down = nil
	w.book.Begin(0)
	c.call(503, `{"prompt":"p","version":"v25"}`) // the book is not read
	w.want("")
}

// TestIntroduced: Slack says of an alert's version who promoted it and when, from the record as it was written.
func TestIntroduced(t *testing.T) {
	w := newTopic(t)
	w.handler("langfuse").call(204, langfuse("e1", 23, `"user":{"name":"jane","email":"j@x"},`, `["production"]`))
	raw, err := json.Marshal(w.records[0])
	if err != nil {
		t.Fatal(err)
	}
	r, err := alert.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	step := detector.Record{
		ID: "x", Step: 1, Type: detector.Firing, Time: noon, Group: "g", Rule: "R", Prompt: "p", Version: "23", Metric: "latency", Kind: "threshold",
	}
	n := alert.Notification{
		Key: alert.Key{Group: "g", Rule: "R", Prompt: "p", Version: "23"}, Firing: []alert.Member{{Record: step, Since: noon}}, Introduced: &r,
	}
	var said string
	s := slack.New(slack.Config{Token: "xoxb-1", Channel: "C1", Now: w.clock, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		said += fmt.Sprint(r.Form)
		rec := httptest.NewRecorder()
		_, _ = rec.WriteString(`{"ok":true,"ts":"1.2","channel":"C1"}`)
		return rec.Result(), nil
	})})
	_, _ = s.Deliver(t.Context(), &n)
	if !strings.Contains(said, "jane") || !strings.Contains(said, "11:58") {
		t.Errorf("Slack is told nothing of it: %s", said)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
