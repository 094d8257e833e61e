// Package clock is an event clock in a file that several processes share: one sets it, and all see it at once.
package clock

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Clock is for concurrent use.
type Clock struct {
	at   *atomic.Int64 // Unix ns
	jump *atomic.Int64 // by how far it was set wrong, ns
}

const size = 16

// Make makes the file of a clock that stands at t.
func Make(path string, t time.Time) (*Clock, error) {
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		return nil, err
	}
	c, err := Open(path)
	if err == nil {
		c.Set(t)
	}
	return c, err
}

// Open opens a clock that another process sets.
func Open(path string) (*Clock, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	page, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map clock %s: %w", path, err)
	}
	return &Clock{(*atomic.Int64)(unsafe.Pointer(&page[0])), (*atomic.Int64)(unsafe.Pointer(&page[8]))}, nil
}

// Now is what the clock shows.
func (c *Clock) Now() time.Time { return time.Unix(0, c.at.Load()+c.jump.Load()).UTC() }

// True is what it would show had it never been set wrong.
func (c *Clock) True() time.Time { return time.Unix(0, c.at.Load()).UTC() }

// Set lets time go on to t.
func (c *Clock) Set(t time.Time) { c.at.Store(t.UnixNano()) }

// Jump sets the clock wrong by d from now on; 0 sets it right again.
func (c *Clock) Jump(d time.Duration) { c.jump.Store(int64(d)) }
