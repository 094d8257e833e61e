package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/driftd/driftd/alert/registry/git"
	"github.com/driftd/driftd/alert/registry/langfuse"
	"github.com/driftd/driftd/alert/registry/mlflow"
	"github.com/driftd/driftd/alert/registry/phoenix"
	registrywebhook "github.com/driftd/driftd/alert/registry/webhook"
	"github.com/driftd/driftd/alert/rollback"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/signature"
)

// registries makes the client of each kind that the config may name.
var registries = map[string]func(*config.Registry, http.RoundTripper) (rollback.Registry, error){
	"webhook": func(r *config.Registry, via http.RoundTripper) (rollback.Registry, error) {
		key, err := signature.ParseKey(r.Secret.Reveal())
		if err != nil {
			return nil, err
		}
		return registrywebhook.New(registrywebhook.Config{URL: r.URL, Key: key, Grace: r.Grace, Transport: via, Now: time.Now}), nil
	},
	"mlflow": func(r *config.Registry, via http.RoundTripper) (rollback.Registry, error) {
		return mlflow.New(mlflow.Config{
			URL: r.URL, Alias: r.Label, Username: r.Username, Password: r.Password.Reveal(), Token: r.Token.Reveal(), Grace: r.Grace, Transport: via, Now: time.Now,
		}), nil
	},
	"phoenix": func(r *config.Registry, via http.RoundTripper) (rollback.Registry, error) {
		return phoenix.New(phoenix.Config{URL: r.URL, Tag: r.Label, Token: r.Token.Reveal(), Grace: r.Grace, Transport: via, Now: time.Now}), nil
	},
	"langfuse": func(r *config.Registry, via http.RoundTripper) (rollback.Registry, error) {
		return langfuse.New(langfuse.Config{
			URL: r.URL, Label: r.Label, PublicKey: r.Username, SecretKey: r.Password.Reveal(), Grace: r.Grace, Transport: via, Now: time.Now,
		}), nil
	},
	"git": func(r *config.Registry, _ http.RoundTripper) (rollback.Registry, error) {
		return git.New(git.Config{
			URL: r.URL, Username: r.Username, Password: r.Password.Reveal(), Dir: r.Dir, Path: r.Path, Branch: r.Branch, Push: r.Push, Grace: r.Grace,
		}), nil
	},
}

// newRegistry makes the client of the configured registry, which is called over via; nil where there is none.
func newRegistry(r *config.Registry, via http.RoundTripper) (rollback.Registry, error) {
	if r == nil {
		return nil, nil
	}
	client, ok := registries[r.Kind]
	if !ok {
		return nil, fmt.Errorf("registry: there is no client for the kind %q", r.Kind)
	}
	made, err := client(r, via)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return made, nil
}
