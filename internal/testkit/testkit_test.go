package testkit_test

import (
	"net"
	"strings"
	"testing"

	"github.com/driftd/driftd/internal/testkit"
)

func TestName(t *testing.T) {
	t.Run("ä/b c", func(t *testing.T) {
		a, b := testkit.Name(t), testkit.Name(t)
		if a == b || len(a) > 249 || strings.Trim(a, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
			t.Errorf("%q and %q do not do as names of topics", a, b)
		}
	})
}

func TestBrokers(t *testing.T) {
	for name, start := range map[string]func(testing.TB) []string{"Broker": testkit.Broker, "Outside": testkit.Outside} {
		for _, addr := range start(t) {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			conn.Close()
		}
	}
}
