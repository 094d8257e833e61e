package web

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"sync"
	"time"
)

// Keys are what lets people and programs in, and how the server shows who it is.
type Keys struct {
	Tokens []Token
	// TLS is how the server presents itself; nil is plain HTTP. With ClientCAs, whoever has a certificate of theirs may read and write.
	TLS *tls.Config
}

// keysEvery is how often the keys are read, so that files that were replaced count without anybody saying so.
const keysEvery = 10 * time.Second

// held are the keys in force.
type held struct {
	keys  Keys
	guard *guard
}

// use puts keys into force.
func (s *Server) use(k Keys) {
	h := &held{keys: k, guard: newGuard(k)}
	if k.TLS != nil {
		c := k.TLS.Clone()
		// As http.Server does without being told: a connection is a request at most, which is what the bounds of Run are made for.
		c.NextProtos = []string{"http/1.1"}
		if c.ClientCAs != nil {
			c.ClientAuth = tls.VerifyClientCertIfGiven // Slack, probes and those with a token have none
			c.SessionTicketsDisabled = true
		}
		h.keys.TLS = c
	}
	s.held.Store(h)
}

// Refresh reads the keys anew. Where that cannot be, the old ones stay in force and the error says why. It is for concurrent use.
func (s *Server) Refresh() error {
	s.fresh.Lock()
	defer s.fresh.Unlock()
	k, err := s.cfg.Keys()
	before := s.held.Load().keys
	if err == nil && (k.TLS == nil) != (before.TLS == nil) {
		err = errors.New("TLS cannot be turned on or off while driftd runs")
	}
	said := s.fresh.trouble
	if err != nil {
		s.fresh.trouble = err.Error()
		if s.fresh.trouble != said {
			s.cfg.Log.Error("tokens and certificates were not read anew, the old ones stay", "error", err)
		}
		return err
	}
	s.fresh.trouble = ""
	changed := !before.same(k)
	if changed {
		s.use(k)
	}
	if changed || said != "" {
		s.cfg.Log.Info("tokens and certificates are in force", "tokens", len(k.Tokens), "tls", k.TLS != nil)
	}
	return nil
}

// Trouble is why the keys that are in force are not those of the files, empty where they are.
func (s *Server) Trouble() string {
	s.fresh.Lock()
	defer s.fresh.Unlock()
	return s.fresh.trouble
}

// follow reads the keys now and then.
func (s *Server) follow(ctx context.Context) {
	tick := time.NewTicker(keysEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = s.Refresh() // logged where that is news
		}
	}
}

// same tells whether others let the same in, and show the same.
func (k Keys) same(other Keys) bool {
	if !slices.Equal(k.Tokens, other.Tokens) || (k.TLS == nil) != (other.TLS == nil) {
		return false
	}
	return k.TLS == nil || k.TLS.ClientCAs.Equal(other.TLS.ClientCAs) &&
		slices.EqualFunc(k.TLS.Certificates, other.TLS.Certificates, func(a, b tls.Certificate) bool {
			return slices.EqualFunc(a.Certificate, b.Certificate, slices.Equal)
		})
}

// fresh is what is known of the last reading of the keys.
type fresh struct {
	sync.Mutex
	trouble string
}
