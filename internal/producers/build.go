// Package producers tries driftd with what really writes to it: an OpenTelemetry Collector with its Kafka exporter, fed by the SDKs
// and instrumentations that teams use, their model's client pointed at a server on this machine. All of it is built and installed
// into a cache outside the tree. Nothing but its tests uses it, and those run under DRIFTD_TEST_COLLECTOR=1 alone.
package producers

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// collectorVersion is the builder's, and that of all in builder.yaml.
const collectorVersion = "v0.155.0"

//go:embed builder.yaml
var manifest []byte

// missingError is why something cannot be had on this machine: no network, no package, or no interpreter. It is a reason to skip; any other
// failure fails the test.
type missingError struct{ error }

func (e missingError) Unwrap() error { return e.error }

// cached returns the folder <cache>/driftd/producers/<name>-<hash of what it is made of>, filled by fill when it is not there yet.
// fill gets the folder's final path, for some of what it installs cannot be moved.
func cached(name string, of []byte, fill func(dir string) error) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache: %w", err)
	}
	sum := sha256.Sum256(of)
	dir := filepath.Join(cache, "driftd", "producers", name+"-"+hex.EncodeToString(sum[:6]))
	whole := filepath.Join(dir, "whole")
	if _, err := os.Stat(whole); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("clear %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make %s: %w", dir, err)
	}
	if err := fill(dir); err != nil {
		return "", err
	}
	return dir, os.WriteFile(whole, nil, 0o644)
}

// command runs a command in dir to its end; extra is added to the environment. What it wrote is in the error.
func command(dir string, extra []string, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), extra...)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w\n%s%s", err, out, exit.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", filepath.Base(name), err)
	}
	return out, nil
}

func goCommand() string {
	if g := os.Getenv("GO"); g != "" {
		return g
	}
	return "go"
}

// buildCollector returns the path of a Collector's binary.
func buildCollector() (string, error) {
	dir, err := cached("otelcol-"+collectorVersion, manifest, func(dir string) error {
		file := filepath.Join(dir, "builder.yaml")
		if err := os.WriteFile(file, manifest, 0o644); err != nil {
			return err
		}
		_, err := command(dir, []string{"GOFLAGS=-p=1", "GOWORK=off"}, goCommand(), "run", "go.opentelemetry.io/collector/cmd/builder@"+collectorVersion, "--config="+file)
		return missing("build a Collector", err)
	})
	return filepath.Join(dir, "otelcol"), err
}

// buildGoSDK returns the path of the application under the Go SDK.
func buildGoSDK() (string, error) {
	var of []byte
	files, err := filepath.Glob(filepath.Join("gosdk", "*"))
	if err != nil {
		return "", err
	}
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			return "", fmt.Errorf("read the Go SDK's application: %w", err)
		}
		of = append(append(of, f...), content...)
	}
	dir, err := cached("gosdk", of, func(dir string) error {
		_, err := command("gosdk", []string{"GOFLAGS=-p=1 -mod=readonly", "GOWORK=off"}, goCommand(), "build", "-o", filepath.Join(dir, "gosdk"), ".")
		return missing("build the Go SDK's application", err)
	})
	return filepath.Join(dir, "gosdk"), err
}

// installPython returns the interpreter of a virtual environment that holds what python/<name>.txt lists.
func installPython(name string) (string, error) {
	list, err := filepath.Abs(filepath.Join("python", name+".txt"))
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(list)
	if err != nil {
		return "", fmt.Errorf("read what Python needs: %w", err)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		return "", missingError{err}
	}
	version, err := command(".", nil, python, "-c", "import sys; print(sys.version)")
	if err != nil {
		return "", missingError{err}
	}
	dir, err := cached("python-"+name, append(content, version...), func(dir string) error {
		if _, err := command(dir, nil, python, "-m", "venv", "venv"); err != nil {
			return missingError{fmt.Errorf("make a virtual environment: %w", err)}
		}
		_, err := command(dir, nil, filepath.Join(dir, "venv", "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", list)
		return missing("install "+name+" from PyPI", err)
	})
	return filepath.Join(dir, "venv", "bin", "python"), err
}

// unreachable are words by which Go's tools and pip say that they have no network, or that the index there lacks what is pinned.
var unreachable = []string{
	"no such host", "dial tcp", "i/o timeout", "connection refused", "network is unreachable", "TLS handshake timeout",
	"NewConnectionError", "Failed to establish a new connection", "Temporary failure in name resolution", "ConnectTimeoutError", "Read timed out",
	"No matching distribution found",
}

// missing tells what the network denies from what is broken.
func missing(what string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", what, err)
	for _, words := range unreachable {
		if strings.Contains(err.Error(), words) {
			return missingError{err}
		}
	}
	return err
}
