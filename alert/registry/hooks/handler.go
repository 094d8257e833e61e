package hooks

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/internal/signature"
)

const (
	// Pattern is where the handler belongs.
	Pattern = "POST /hooks/registry"

	// bodyLimit bounds a call, in bytes: Langfuse sends the whole prompt with it.
	bodyLimit = 1 << 20
	// remembered is how long a delivery is known again: longer than its timestamp is good for.
	remembered = 2 * signature.Tolerance
	// most deliveries that are remembered.
	most = 10_000

	metricHooks = "driftd_alert_registry_hooks_total"
)

// What becomes of a call, beside what becomes of what it tells.
const (
	unsigned   result = "unsigned" // signature missing or wrong, or its time too far from now
	unreadable result = "unreadable"
	replayed   result = "replayed" // the same delivery as before: done once
)

// HandlerConfig is what a Handler needs.
type HandlerConfig struct {
	Kind   string // of the registry: mlflow, langfuse; any other has the generic form
	Label  string // calls about other labels are ignored
	Secret string
	Now    func() time.Time // of the signature
}

// Handler answers the registry's webhook. 204 says that nothing more is to be done about a call, told or not; 401 that its signature is
// not good; 400 and 413 that it cannot be read; 503 that the registry should try again.
//
// The generic form is a message as Standard Webhooks has it, with {"prompt": …, "version": …} as its body, and "author" and "time"
// where they are known.
type Handler struct {
	cfg    HandlerConfig
	verify verifier
	intake *Intake

	mu struct {
		sync.Mutex
		seen  map[string]struct{}
		order []seen // oldest first
	}
}

type seen struct {
	id string
	at time.Time
}

// NewHandler returns a handler; it fails on a secret that is none.
func NewHandler(cfg HandlerConfig, intake *Intake) (*Handler, error) {
	if cfg.Secret == "" {
		return nil, errors.New("parse hook secret: it is empty")
	}
	h := &Handler{cfg: cfg, intake: intake}
	h.mu.seen = map[string]struct{}{}
	switch cfg.Kind {
	case "mlflow":
		h.verify = mlflowVerifier([]byte(cfg.Secret))
	case "langfuse":
		h.verify = langfuseVerifier([]byte(cfg.Secret))
	default:
		key, err := signature.ParseKey(cfg.Secret)
		if err != nil {
			return nil, err
		}
		h.verify = genericVerifier(key)
	}
	return h, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		h.refuse(w, unreadable, status, "body cannot be read, or is longer than "+strconv.Itoa(bodyLimit>>20)+" MiB")
		return
	}
	id, ok := h.verify(r.Header, body, h.cfg.Now())
	if !ok {
		h.refuse(w, unsigned, http.StatusUnauthorized, "signature is missing or wrong, or its time is too far from now")
		return
	}
	d, err := parse(h.cfg.Kind, body, h.cfg.Label)
	if err != nil {
		h.refuse(w, unreadable, http.StatusBadRequest, "body is not what this registry sends")
		return
	}
	if d.id != "" { // in the body, which is signed
		id = d.id
	}
	res, err := h.take(r.Context(), id, d)
	if err != nil {
		h.intake.cfg.Logger.Warn("a promotion that the registry tells of cannot be taken, it should try again", "prompt", d.event.Prompt, "error", err)
		h.refuse(w, res, http.StatusServiceUnavailable, "cannot be taken now, try again")
		return
	}
	h.intake.count(metricHooks, res)
	w.WriteHeader(http.StatusNoContent)
}

func (h *Handler) refuse(w http.ResponseWriter, res result, status int, text string) {
	h.intake.count(metricHooks, res)
	http.Error(w, text, status)
}

// take hands on what a delivery tells, once. One that could not be taken is not remembered: it comes again.
func (h *Handler) take(ctx context.Context, id string, d delivery) (result, error) {
	if !d.moves {
		return ignored, nil
	}
	if !h.begin(id) {
		return replayed, nil
	}
	res, err := h.intake.take(ctx, heard{prompt: d.event.Prompt, version: d.version(h.cfg.Kind), author: d.event.Author, at: d.event.At})
	if err != nil {
		h.forget(id)
	}
	return res, err
}

// begin remembers a delivery; false when it is known.
func (h *Handler) begin(id string) bool {
	now := h.cfg.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.mu.order) > 0 && (now.Sub(h.mu.order[0].at) > remembered || len(h.mu.order) >= most) {
		delete(h.mu.seen, h.mu.order[0].id)
		h.mu.order = h.mu.order[1:]
	}
	if _, again := h.mu.seen[id]; again {
		return false
	}
	h.mu.seen[id] = struct{}{}
	h.mu.order = append(h.mu.order, seen{id, now})
	return true
}

func (h *Handler) forget(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.mu.seen, id)
	h.mu.order = slices.DeleteFunc(h.mu.order, func(s seen) bool { return s.id == id })
}

// version is the one that a delivery names. Where versions are numbers, spans may have them with a v.
func (d *delivery) version(kind string) registry.Version {
	v := registry.Version{ID: d.event.Version}
	if kind == "mlflow" || kind == "langfuse" {
		v.Names = []string{v.ID, "v" + v.ID}
	}
	return v
}
