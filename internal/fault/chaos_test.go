//go:build chaos

package fault

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestPointKills(t *testing.T) {
	if os.Getenv(Env) != "" {
		for range 3 {
			Point("act.notify")
			Point("act.notified")
		}
		os.Exit(0)
	}
	run := func(plan string) (syscall.WaitStatus, string) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPointKills$")
		cmd.Env = append(os.Environ(), Env+"="+plan)
		var says strings.Builder
		cmd.Stderr = &says
		cmd.Run()
		return cmd.ProcessState.Sys().(syscall.WaitStatus), says.String()
	}
	if st, says := run("act.notified:2"); st.Signal() != syscall.SIGKILL || says != "fault: killed at act.notified\n" {
		t.Errorf("second pass: %v, %q", st, says)
	}
	if st, says := run("act.notified:4"); st.ExitStatus() != 0 || says != "" {
		t.Errorf("too few passes: %v, %q", st, says)
	}
	if st, says := run("act.notifed:1"); st.ExitStatus() != 2 || !strings.Contains(says, "act.notified") {
		t.Errorf("misspelt point: %v, %q", st, says)
	}
}
