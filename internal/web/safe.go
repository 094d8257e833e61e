package web

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
)

// maxRequest bounds every body, in bytes; most handlers take less.
const maxRequest = 1 << 20

// safe is around all handlers: no answer is kept, framed, sniffed or taken for a page that may load anything; no body is larger than
// maxRequest; and what panics is said.
func (s *Server) safe(next http.Handler) http.Handler {
	next = http.MaxBytesHandler(next, maxRequest)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			// What it panicked with may be anything, also what nobody should read.
			what := fmt.Sprintf("%T", p)
			if e, ok := p.(runtime.Error); ok {
				what = e.Error()
			}
			s.cfg.Log.Error("BUG: a request panicked", "method", r.Method, "pattern", r.Pattern, "panic", what, "stack", string(debug.Stack()))
			panic(http.ErrAbortHandler) // half an answer may be out
		}()
		next.ServeHTTP(w, r)
	})
}

// ours keeps pages of other sites from changing anything by way of a browser that is let in, for its address or its certificate.
func ours(next http.Handler) http.Handler {
	p := http.NewCrossOriginProtection()
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		tell(w, http.StatusForbidden, Problem{Error: "a page of another site asks for this"})
	}))
	return p.Handler(next)
}
