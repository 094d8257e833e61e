package testkit

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/embedded"
)

// asBroker turns a test binary into a broker, see Outside.
const asBroker = "DRIFTD_TESTKIT_SERVE_BROKER"

func init() {
	if os.Getenv(asBroker) == "" {
		return
	}
	b, err := embedded.Start(embedded.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(strings.Join(b.Addrs(), ","))
	io.Copy(io.Discard, os.Stdin) // until the parent ends
	os.Exit(0)
}

// Outside returns the addresses of a broker in a process of its own, so that a benchmark's CPU time is its own: the real one when
// DRIFTD_TEST_KAFKA=1, else the embedded one in a second copy of the test binary.
func Outside(t testing.TB) []string {
	t.Helper()
	if Real() {
		return kafka(t)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asBroker+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal("the broker's process says nothing: ", err)
	}
	return strings.Split(strings.TrimSpace(line), ",")
}

// CPU is the processor time that this process has used, in user and system mode, without its children.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
