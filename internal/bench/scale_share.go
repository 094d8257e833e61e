package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// sharePeriod is the time over which a share of CPU is dealt out: short, so that a process that has used its up is not held long.
const sharePeriod = 20 * time.Millisecond

// share gives processes a fraction of one CPU each, by control groups of the kernel. A nil share limits nothing.
type share struct {
	part   float64 // of one CPU
	root   string
	v2     bool
	groups []string
}

// newShare finds out whether this machine lets us limit CPU; the error says why not.
func newShare(part float64) (*share, error) {
	s := &share{part: part, root: "/sys/fs/cgroup/cpu"}
	if _, err := os.Stat(filepath.Join(s.root, "cpu.cfs_quota_us")); err != nil {
		if _, err := os.Stat(filepath.Join(s.root, "cgroup.procs")); err != nil {
			s.root, s.v2 = "/sys/fs/cgroup", true
		}
	}
	if s.v2 {
		control, err := os.ReadFile(filepath.Join(s.root, "cgroup.subtree_control"))
		if err != nil {
			return nil, err
		}
		if !strings.Contains(string(control), "cpu") {
			return nil, fmt.Errorf("%s does not give out cpu", s.root)
		}
	}
	_, err := s.group("try")
	s.close()
	return s, err
}

// group makes a control group of the name.
func (s *share) group(name string) (dir string, err error) {
	dir = filepath.Join(s.root, fmt.Sprintf("driftd-bench-%d-%s", os.Getpid(), name))
	if err := os.Mkdir(dir, 0o755); err != nil {
		if os.IsExist(err) {
			return dir, nil
		}
		return "", err
	}
	s.groups = append(s.groups, dir)
	quota := int(s.part * float64(sharePeriod.Microseconds()))
	period := int(sharePeriod.Microseconds())
	if s.v2 {
		return dir, os.WriteFile(filepath.Join(dir, "cpu.max"), fmt.Appendf(nil, "%d %d", quota, period), 0)
	}
	if err := os.WriteFile(filepath.Join(dir, "cpu.cfs_period_us"), []byte(strconv.Itoa(period)), 0); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "cpu.cfs_quota_us"), []byte(strconv.Itoa(quota)), 0)
}

// add puts a process under its share, of which each name has one.
func (s *share) add(name string, pid int) error {
	if s == nil {
		return nil
	}
	dir, err := s.group(name)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
}

// close removes the groups, when no process is left in them.
func (s *share) close() {
	if s == nil {
		return
	}
	for _, dir := range s.groups {
		os.Remove(dir)
	}
	s.groups = nil
}
