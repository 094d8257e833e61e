package config

import (
	"maps"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/signature"
	"github.com/driftd/driftd/internal/strictyaml"
)

// registryKind says which keys a kind of registry has. All have kind, grace, poll.
type registryKind struct {
	needs []string
	takes []string
	// not says of keys that it has not why, for those that people may expect.
	not map[string]string
	// label says what is wrong with one and what would do; nil where any will.
	label func(label string) (problem, hint string)
	// cache is how long its own clients keep a version unless told otherwise; 0 for not known.
	cache time.Duration
}

var (
	phoenixTag    = regexp.MustCompile(`^[a-z0-9]([_a-z0-9-]*[a-z0-9])?$`)
	langfuseLabel = regexp.MustCompile(`^[a-z0-9_.-]{1,36}$`)
	mlflowVersion = regexp.MustCompile(`(?i)^v\d+$`)
)

var registryKinds = map[string]registryKind{
	"webhook": {
		needs: []string{"url", "secret"}, takes: []string{"hook_secret"},
		not: map[string]string{
			"label":    "the registry itself says what is current",
			"username": "its requests are signed with `secret`", "password": "its requests are signed with `secret`", "token": "its requests are signed with `secret`",
		},
	},
	"mlflow": {
		needs: []string{"url"}, takes: []string{"label", "username", "password", "token", "hook_secret"},
		not: map[string]string{"secret": "MLflow has `username` and `password`"},
		label: func(label string) (string, string) {
			switch {
			case strings.EqualFold(label, "latest"):
				return "MLflow keeps the alias latest for itself", "such as production"
			case mlflowVersion.MatchString(label):
				return "MLflow takes aliases like v2 for versions", "such as production"
			}
			return "", ""
		},
		cache: time.Minute,
	},
	"phoenix": {
		needs: []string{"url"}, takes: []string{"label", "token", "hook_secret"},
		not: map[string]string{
			"username": "Phoenix has API keys: `token`", "password": "Phoenix has API keys: `token`", "secret": "Phoenix has API keys: `token`",
		},
		label: func(label string) (string, string) {
			if !phoenixTag.MatchString(label) {
				return "Phoenix's tags have lower-case letters, digits, _ and -, and none of these two at either end", "such as production"
			}
			return "", ""
		},
	},
	"langfuse": {
		needs: []string{"url", "username", "password"}, takes: []string{"label", "hook_secret"},
		not: map[string]string{"token": "Langfuse has a public key, `username`, and a secret key, `password`", "secret": "Langfuse's secret key is `password`"},
		label: func(label string) (string, string) {
			switch {
			case label == "latest":
				return "Langfuse keeps the label latest for itself", "such as production"
			case !langfuseLabel.MatchString(label):
				return "Langfuse's labels have up to 36 lower-case letters, digits, _, - and .", "such as production"
			}
			return "", ""
		},
		cache: time.Minute,
	},
	"git": {
		needs: []string{"dir"}, takes: []string{"url", "username", "password", "path", "branch", "push", "hook_secret"},
		not: map[string]string{
			"label":  "the file that `path` names is the label",
			"secret": "Git has `username` and `password`, or what git itself is set up with", "token": "write it as `password`, with the `username` that the server wants",
		},
	},
}

// registry finds what a kind of registry needs and lacks, or has and cannot use.
func (c *checker) registry(r *Registry) {
	kind, ok := registryKinds[r.Kind]
	for _, s := range []*Secret{&r.Secret, &r.Password, &r.Token, &r.HookSecret} {
		c.secret(s)
	}
	if text := r.Secret.Reveal(); text != "" {
		if _, err := signature.ParseKey(text); err != nil {
			c.doc.At(&r.Secret).Errorf("such as whsec_ and base64, or any other text", "`secret` is no key: %v", err)
		}
	}
	if text := r.HookSecret.Reveal(); text != "" && r.Kind != "mlflow" && r.Kind != "langfuse" { // these two take any
		if _, err := signature.ParseKey(text); err != nil {
			c.doc.At(&r.HookSecret).Errorf("such as whsec_ and base64, or any other text", "`hook_secret` is no key: %v", err)
		}
	}
	if r.Kind != "git" {
		c.url(&r.URL, "registry")
	}
	if !ok { // reported already
		return
	}
	fields := map[string]any{
		"url": &r.URL, "label": &r.Label, "secret": &r.Secret, "username": &r.Username, "password": &r.Password, "token": &r.Token, "dir": &r.Dir,
		"path": &r.Path, "branch": &r.Branch, "push": &r.Push, "hook_secret": &r.HookSecret,
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		at := c.doc.At(fields[key])
		if !at.Present() || slices.Contains(kind.needs, key) || slices.Contains(kind.takes, key) {
			continue
		}
		why := kind.not[key]
		if why != "" {
			why = ": " + why
		}
		at.KeyErrorf("remove it", "a registry of kind `%s` has no `%s`%s", r.Kind, key, why)
	}
	if !c.doc.Misspelt(r) {
		for _, key := range kind.needs {
			if !c.doc.At(fields[key]).Present() {
				c.doc.At(&r.Kind).KeyErrorf("add it, such as "+registryExamples[key], "a registry of kind `%s` needs `%s`", r.Kind, key)
			}
		}
	}
	if at := c.doc.At(&r.Label); kind.label != nil && !at.Faulty() {
		if problem, hint := kind.label(r.Label); problem != "" {
			at.Errorf(hint, "`%s` cannot be the label: %s", r.Label, problem)
		}
	}
	c.registryCredentials(r)
	c.registryTimes(r, kind)
	if r.Kind == "git" {
		c.registryGit(r)
	}
}

// registryExamples are those of keys that a kind may need.
var registryExamples = map[string]string{
	"url": "https://registry.example", "secret": `"${REGISTRY_SECRET}"`, "username": "pk-lf-…", "password": `"${LANGFUSE_SECRET_KEY}"`, "dir": "/var/lib/driftd/prompts",
}

func (c *checker) registryCredentials(r *Registry) {
	username, password, token := c.doc.At(&r.Username), c.doc.At(&r.Password), c.doc.At(&r.Token)
	switch {
	case c.doc.Misspelt(r) || r.Kind != "mlflow" && r.Kind != "git":
	case token.Present() && (username.Present() || password.Present()):
		token.KeyErrorf("keep one of them", "`token` and `username` with `password` are two ways to say who driftd is")
	case username.Present() && !password.Present():
		username.KeyErrorf("add `password`, such as \"${REGISTRY_PASSWORD}\"", "`username` without `password`")
	case password.Present() && !username.Present():
		password.KeyErrorf("add `username`", "`password` without `username`")
	}
	u, err := url.Parse(r.URL)
	if err == nil && u.Scheme == "http" && (password.Present() || token.Present()) && !loopback(u.Hostname()) {
		c.doc.At(&r.URL).Warnf("write https://", "without TLS the credentials go over the network as they are")
	}
	if r.Kind == "langfuse" && strings.HasPrefix(r.Username, "sk-lf-") {
		username.Hide()
		username.Errorf("`username` is the public key, `password` the secret one", "this is Langfuse's secret key")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// minPoll keeps driftd from asking all the time.
const minPoll = 5 * time.Second

func (c *checker) registryTimes(r *Registry, kind registryKind) {
	if at := c.doc.At(&r.Poll); !at.Faulty() && r.Poll != 0 && r.Poll < minPoll {
		at.Errorf("write 5s or more, or 0s for never", "`poll` is too short")
	}
	if at := c.doc.At(&r.Grace); !at.Faulty() && at.Present() && r.Grace < kind.cache {
		at.Warnf("the usual is 1m", "clients of this kind of registry keep a version for %s unless they are told otherwise: what they still call would count against the rollback",
			strictyaml.FormatDuration(kind.cache))
	}
}

func (c *checker) registryGit(r *Registry) {
	if at := c.doc.At(&r.URL); at.Present() {
		u, err := url.Parse(r.URL)
		switch {
		case err == nil && u.User != nil && (u.Scheme == "http" || u.Scheme == "https"):
			at.Hide()
			at.Errorf("write them as `username` and `password`", "a user or password in `url` is seen by all users of the machine")
		case strings.HasPrefix(r.URL, "-"):
			at.Errorf("such as https://git.example/prompts.git", "`%s` is no address of a repository", r.URL)
		}
	} else if push := c.doc.At(&r.Push); push.Present() && r.Push {
		push.KeyErrorf("add `url`, or write false", "there is nowhere to push to")
	}
	if at := c.doc.At(&r.Path); !at.Faulty() {
		switch hint := "such as prompts/{prompt}.current"; {
		case !strings.Contains(r.Path, "{prompt}"):
			at.Errorf(hint, "`path` has no {prompt}: all prompts would have one version")
		case path.IsAbs(r.Path) || path.Clean(r.Path) != r.Path || strings.HasPrefix(r.Path, "../") || strings.HasPrefix(r.Path, ".git/"):
			at.Errorf(hint, "`path` starts from the top of the working copy")
		}
	}
	if r.Dir != "" {
		r.Dir = inDir(c.config.Dir, r.Dir)
	}
}
