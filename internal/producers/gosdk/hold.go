package main

import (
	"context"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// timers are things to be done later. The zero value is ready.
type timers struct{ wg sync.WaitGroup }

func (t *timers) after(d time.Duration, do func()) {
	t.wg.Add(1)
	time.AfterFunc(d, func() { defer t.wg.Done(); do() })
}

func (t *timers) wait() { t.wg.Wait() }

// holder passes spans on, some of them late, so that they leave the process out of order.
type holder struct {
	next sdktrace.SpanProcessor
	late timers

	mu   sync.Mutex
	held int
}

// OnStart implements sdktrace.SpanProcessor.
func (h *holder) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) { h.next.OnStart(ctx, s) }

// OnEnd implements sdktrace.SpanProcessor.
func (h *holder) OnEnd(s sdktrace.ReadOnlySpan) {
	if rand.Float64() >= *disorder {
		h.next.OnEnd(s)
		return
	}
	h.mu.Lock()
	h.held++
	h.mu.Unlock()
	h.late.after(rand.N(*held), func() { h.next.OnEnd(s) })
}

// drain waits for the spans that are held back and returns how many there were.
func (h *holder) drain() int {
	h.late.wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held
}

// Shutdown implements sdktrace.SpanProcessor.
func (h *holder) Shutdown(ctx context.Context) error { return h.next.Shutdown(ctx) }

// ForceFlush implements sdktrace.SpanProcessor.
func (h *holder) ForceFlush(ctx context.Context) error { return h.next.ForceFlush(ctx) }

// versions are those of the SDK's modules that the program was built with.
func versions() map[string]string {
	found := make(map[string]string)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return found
	}
	for _, d := range info.Deps {
		if strings.HasPrefix(d.Path, "go.opentelemetry.io/otel") {
			found[d.Path] = d.Version
		}
	}
	return found
}
